//! Webhooks: saved configurations, and verifying and parsing of deliveries.
//!
//! Saved webhook configurations, which jobs refer to by id:
//!
//! | operation | request | repeated after a lost response |
//! | --- | --- | --- |
//! | [`CreateWebhookConfiguration`] | `POST /api/v1/beta/webhook-configs` | only if the service provably did not act |
//! | [`GetWebhookConfiguration`] | `GET /api/v1/beta/webhook-configs/{config_id}` | yes |
//! | [`UpdateWebhookConfiguration`] | `PUT /api/v1/beta/webhook-configs/{config_id}` | yes |
//! | [`ListWebhookConfigurations`] | `GET /api/v2/webhook-configs` | yes |
//! | [`ListAllWebhookConfigurations`] | `GET /api/v1/beta/webhook-configs` | yes; deprecated in favor of [`ListWebhookConfigurations`] |
//! | [`DeleteWebhookConfiguration`] | `DELETE /api/v1/beta/webhook-configs/{config_id}` | yes; a 404 is then success |
//!
//! # Receiving
//!
//! Each delivery is a `POST` with a JSON body and, if a secret was set, an `LC-Signature` header. A receiver
//!
//! 1. keeps the body's bytes unchanged, because the signature covers them,
//! 2. calls `verify` (crate feature `webhook-verify`) and rejects the delivery if that fails,
//! 3. parses the event with [`Event::parse`], which accepts both body formats,
//! 4. ignores events it has processed before, by [`Event::dedup_key`], and answers 2xx within the service's 30 seconds,
//! 5. and polls jobs for which no event arrives: the service gives up after three attempts and does not guarantee an
//!    order.
//!
//! # Replay
//!
//! The signature covers only the body and never expires, so anybody who gets hold of a delivery can send it again, and
//! it will verify. A receiver must therefore store the keys it has processed for as long as processing an event twice
//! would do harm. Treat an event as a hint and read the job with a [`v2::GetJob`](crate::v2::GetJob): that returns the
//! current state, regardless of who sent the event. The `timestamp` in the body is signed with the rest of the body; a
//! receiver may reject events older than its stored keys.

mod create;
mod delete;
mod event;
mod event_name;
mod get;
mod list;
mod list_all;
mod output_format;
mod saved;
#[cfg(feature = "webhook-verify")]
mod signature;
mod update;
pub(crate) mod validate;

pub use crate::text::mask::is_masked;
pub use create::CreateWebhookConfiguration;
pub use delete::DeleteWebhookConfiguration;
pub use event::Event;
pub use event_name::WebhookEvent;
pub use get::GetWebhookConfiguration;
pub use list::ListWebhookConfigurations;
pub use list_all::ListAllWebhookConfigurations;
pub use output_format::WebhookOutputFormat;
pub use saved::SavedWebhook;
#[cfg(feature = "webhook-verify")]
pub use signature::{SIGNATURE_HEADER, SignatureError, sign, verify};
pub use update::UpdateWebhookConfiguration;

/// The path of the operations of this module, except [`ListWebhookConfigurations`].
const ROUTE: &str = "/api/v1/beta/webhook-configs";
/// The path of [`ListWebhookConfigurations`].
const PAGED_ROUTE: &str = "/api/v2/webhook-configs";

#[cfg(test)]
pub(crate) mod examples {
    /// A webhook with all fields of the service's schema.
    pub(crate) const WEBHOOK: &str = r#"{
        "id": "whc-1",
        "tenant_type": "project",
        "tenant_id": "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
        "webhook_url": "https://example.com/hook",
        "has_secret": true,
        "webhook_headers": {"X-Token": "canary"},
        "webhook_events": ["classify.success", "classify.error"],
        "webhook_output_format": "json",
        "created_at": "2019-12-27T18:11:19.117Z",
        "updated_at": "2019-12-27T18:11:19.117Z"
    }"#;
}
