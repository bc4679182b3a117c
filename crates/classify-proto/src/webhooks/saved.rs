//! A saved webhook configuration as the service describes it.

use std::collections::BTreeMap;

use super::{WebhookEvent, WebhookOutputFormat};
use crate::Timestamp;
use crate::secret::Secret;
use crate::text::response_object::response_object;

response_object! {
    /// A saved webhook configuration. Its signing secret never comes back from the service.
    pub struct SavedWebhook {
        /// Its id, such as `whc-…`: what a job takes among its `webhook_configuration_ids`.
        required id: String,
        /// What kind of owner it has: `project`.
        optional tenant_type: String,
        /// The project it belongs to.
        optional tenant_id: String,
        /// Where it delivers.
        optional webhook_url: String,
        /// Whether deliveries are signed.
        optional has_secret: bool,
        /// Headers of every delivery. Their values are not printed, nor written out as JSON.
        secret webhook_headers: BTreeMap<String, Secret>,
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
}
