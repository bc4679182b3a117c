//! Webhooks: where the service reports to, and how to trust and read what it reports.
//!
//! Saved webhook configurations, which jobs name by their id:
//!
//! | operation | request | repeated |
//! | --- | --- | --- |
//! | [`CreateWebhookConfiguration`] | `POST /api/v1/beta/webhook-configs` | only when the service provably did not act |
//! | [`GetWebhookConfiguration`] | `GET /api/v1/beta/webhook-configs/{config_id}` | yes |
//! | [`UpdateWebhookConfiguration`] | `PUT /api/v1/beta/webhook-configs/{config_id}` | yes |
//! | [`ListWebhookConfigurations`] | `GET /api/v2/webhook-configs` | yes |
//! | [`ListAllWebhookConfigurations`] | `GET /api/v1/beta/webhook-configs` | yes; the service prefers [`ListWebhookConfigurations`] |
//! | [`DeleteWebhookConfiguration`] | `DELETE /api/v1/beta/webhook-configs/{config_id}` | yes; finding nothing is then success |
//!
//! # Receiving
//!
//! Each delivery is a `POST` with a JSON body and, when a secret was set, an `LC-Signature` header. A receiver
//!
//! 1. keeps the body's bytes as they came, since the signature is over those,
//! 2. calls `verify` (crate feature `webhook-verify`) and turns away what fails,
//! 3. reads the event with [`Event::parse`], which takes both body formats,
//! 4. drops what it has seen before, by [`Event::dedup_key`], and answers 2xx within the service's 30 seconds,
//! 5. and polls jobs that stay silent: the service gives up after three attempts, and order is not promised.
//!
//! # Replay
//!
//! Nothing signs a timestamp: the signature covers the body alone, and stays valid for ever. Whoever gets hold of one
//! delivery can send it again, and it will verify. So a receiver must remember the keys it has acted upon, for as long
//! as acting twice would do harm, and should treat an event as a hint to look: a [`v2::GetJob`](crate::v2::GetJob) of the
//! job tells the present truth, whoever sent the hint. The body's own `timestamp` is signed with the rest of it; a
//! receiver may turn away what is older than it can remember.

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

/// The route of every operation here but [`ListWebhookConfigurations`].
const ROUTE: &str = "/api/v1/beta/webhook-configs";
/// The route of [`ListWebhookConfigurations`].
const PAGED_ROUTE: &str = "/api/v2/webhook-configs";

#[cfg(test)]
pub(crate) mod examples {
    /// A webhook with everything that the service's schema has.
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
