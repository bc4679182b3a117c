//! A saved webhook configuration as the service describes it.

use std::collections::BTreeMap;

use super::{WebhookEvent, WebhookOutputFormat};
use crate::Timestamp;
use crate::secret::Secret;
use crate::text::mask;
use crate::text::response_object::response_object;

response_object! {
    /// A saved webhook configuration. Its signing secret never comes back from the service, and its other credentials
    /// come back masked.
    ///
    /// An update that sends a mask back keeps the stored value, so that the headers can be read, changed and written:
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
        /// Its id, such as `whc-…`: what a job takes among its `webhook_configuration_ids`.
        required id: String,
        /// What kind of owner it has: `project`.
        optional tenant_type: String,
        /// The project it belongs to.
        optional tenant_id: String,
        /// Where it delivers; credentials in it may be masked, see [`has_masked_url`](Self::has_masked_url).
        optional webhook_url: String,
        /// Whether deliveries are signed.
        optional has_secret: bool,
        /// Headers of every delivery. Their values may be [masked](Secret::is_masked); others are not printed, nor written
        /// out as JSON.
        masked webhook_headers: BTreeMap<String, Secret>,
        /// Which events are delivered; all where it is absent.
        optional webhook_events: Vec<WebhookEvent>,
        /// How the body is written.
        optional webhook_output_format: WebhookOutputFormat,
        /// When it was created.
        timestamp created_at: Timestamp,
        /// When it last changed.
        timestamp updated_at: Timestamp,
    }
}

impl SavedWebhook {
    /// Whether the URL is not the stored one, since the service masks credentials in it.
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
