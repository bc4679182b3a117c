//! A saved webhook configuration, as returned by the service.

use std::collections::BTreeMap;

use super::{WebhookEvent, WebhookOutputFormat};
use crate::Timestamp;
use crate::secret::Secret;
use crate::text::mask;
use crate::text::response_object::response_object;

response_object! {
    /// A saved webhook configuration. The service never returns its signing secret, and returns its other credentials
    /// masked.
    ///
    /// An update that sends a mask back keeps the stored value, so headers can be read, changed and written:
    ///
    /// ```
    /// use classify_proto::Patch;
    /// use classify_proto::webhooks::{SavedWebhook, UpdateWebhookConfiguration};
    ///
    /// let saved: SavedWebhook = serde_json::from_str(
    ///     r#"{"id": "whc-1", "webhook_headers": {"X-Token": "********", "X-Team": "********"}}"#,
    /// )?;
    /// let mut headers = saved.webhook_headers.unwrap_or_default();
    /// assert!(headers["X-Token"].is_masked());
    /// headers.insert("X-Team".to_owned(), "green".into());
    /// let update = UpdateWebhookConfiguration::new(saved.id).headers(Patch::Set(headers));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub struct SavedWebhook {
        /// The id, such as `whc-…`. Jobs list it in their `webhook_configuration_ids`.
        required id: String,
        /// The kind of the owner: `project`.
        optional tenant_type: String,
        /// The id of the project.
        optional tenant_id: String,
        /// The URL that deliveries are sent to. Credentials in it may be masked, see
        /// [`has_masked_url`](Self::has_masked_url).
        optional webhook_url: String,
        /// Whether deliveries are signed.
        optional has_secret: bool,
        /// Headers of every delivery. Values may be [masked](Secret::is_masked); other values are redacted in `Debug`
        /// and JSON.
        masked webhook_headers: BTreeMap<String, Secret>,
        /// The events that are delivered; all events if absent.
        optional webhook_events: Vec<WebhookEvent>,
        /// The format of a delivery's body.
        optional webhook_output_format: WebhookOutputFormat,
        /// The time of the create.
        timestamp created_at: Timestamp,
        /// The time of the last change.
        timestamp updated_at: Timestamp,
    }
}

impl SavedWebhook {
    /// Returns `true` if the URL contains a mask in place of credentials, so that it is not the stored URL.
    #[must_use]
    pub fn has_masked_url(&self) -> bool {
        self.webhook_url.as_deref().is_some_and(mask::is_masked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhooks::examples;

    #[test]
    fn redact_saved_webhook_headers_on_round_trip() {
        let saved: SavedWebhook = serde_json::from_str(examples::WEBHOOK).unwrap();
        let mut given: serde_json::Value = serde_json::from_str(examples::WEBHOOK).unwrap();
        given["webhook_headers"]["X-Token"] = "[redacted]".into();
        assert_eq!(serde_json::to_value(&saved).unwrap(), given);
        assert!(!format!("{saved:?}").contains("canary"));
        assert_eq!(
            saved.webhook_headers.unwrap()["X-Token"].expose_secret(),
            Some("canary")
        );
    }

    #[test]
    fn mask_of_saved_webhook_is_unknown_value_and_survives_json() {
        let shown = examples::WEBHOOK
            .replace("canary", "Bearer ********")
            .replace("example.com/hook", "user:****@example.com/hook");
        let mut saved: SavedWebhook = serde_json::from_str(&shown).unwrap();
        for _ in 0..2 {
            assert!(saved.has_masked_url());
            let header = &saved.webhook_headers.as_ref().unwrap()["X-Token"];
            assert!(header.is_masked() && !header.is_redacted());
            assert_eq!(header.expose_secret(), None);
            let json = serde_json::to_string(&saved).unwrap();
            assert!(json.contains("Bearer ********"), "{json}");
            saved = serde_json::from_str(&json).unwrap();
        }
        let plain: SavedWebhook = serde_json::from_str(examples::WEBHOOK).unwrap();
        assert!(!plain.has_masked_url());
    }
}
