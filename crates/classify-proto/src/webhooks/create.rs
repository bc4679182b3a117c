//! `POST /api/v1/beta/webhook-configs`

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{ROUTE, SavedWebhook, WebhookEvent, WebhookOutputFormat, validate};
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;
use crate::scope::{Scope, scope_setters};
use crate::secret::Secret;
use crate::semantics::Semantics;
use crate::text::json::read_json;
use crate::validation::ValidationErrors;

/// Saves a webhook configuration. Returns it with its id.
///
/// Two configurations with the same URL are two webhooks, and every event is delivered twice. A create is therefore
/// repeated only if the service provably did not act. After any other failure ([`is_ambiguous`](Error::is_ambiguous)),
/// search for the URL with [`ListWebhookConfigurations`](super::ListWebhookConfigurations) before sending the create
/// again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CreateWebhookConfiguration {
    /// The URL that deliveries are sent to.
    pub webhook_url: String,
    /// Headers of every delivery.
    pub webhook_headers: Option<BTreeMap<String, Secret>>,
    /// The events to deliver; all events if `None`.
    pub webhook_events: Option<Vec<WebhookEvent>>,
    /// The format of a delivery's body; the service's default if `None`.
    pub webhook_output_format: Option<WebhookOutputFormat>,
    /// The key of deliveries' signatures; unsigned if `None`.
    pub webhook_signing_secret: Option<Secret>,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

impl CreateWebhookConfiguration {
    /// Creates the operation for a webhook that delivers every event to `url`.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            webhook_url: url.into(),
            webhook_headers: None,
            webhook_events: None,
            webhook_output_format: None,
            webhook_signing_secret: None,
            scope: Scope::default(),
        }
    }

    scope_setters!();

    /// Adds a header to every delivery.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.webhook_headers
            .get_or_insert_default()
            .insert(name.into(), value.into());
        self
    }

    /// Limits the deliveries to these events, at least one.
    #[must_use]
    pub fn events(mut self, events: impl IntoIterator<Item = WebhookEvent>) -> Self {
        self.webhook_events = Some(events.into_iter().collect());
        self
    }

    /// Sets the format of a delivery's body.
    #[must_use]
    pub fn output_format(mut self, format: impl Into<WebhookOutputFormat>) -> Self {
        self.webhook_output_format = Some(format.into());
        self
    }

    /// Sets the key that signs every delivery. The service never returns it.
    #[must_use]
    pub fn signing_secret(mut self, secret: impl Into<Secret>) -> Self {
        self.webhook_signing_secret = Some(secret.into());
        self
    }
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the service's names")]
struct CreateWebhookBody<'a> {
    webhook_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_headers: Option<BTreeMap<&'a str, &'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_events: Option<&'a [WebhookEvent]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_output_format: Option<&'a WebhookOutputFormat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_signing_secret: Option<&'a str>,
}

impl Operation for CreateWebhookConfiguration {
    type Output = SavedWebhook;

    fn name(&self) -> &'static str {
        "webhook_configs.create"
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::non_idempotent()
    }

    fn secrets(&self) -> Vec<String> {
        let signing = self.webhook_signing_secret.as_ref();
        validate::secrets(self.webhook_headers.as_ref(), signing)
    }

    fn validate(&self) -> Result<(), Error> {
        let mut errors = ValidationErrors::default();
        validate::url("", &self.webhook_url, &mut errors);
        validate::headers("", self.webhook_headers.as_ref(), &mut errors);
        validate::masks_of_new(
            "",
            Some(&self.webhook_url),
            self.webhook_headers.as_ref(),
            &mut errors,
        );
        validate::signing_secret("", self.webhook_signing_secret.as_ref(), &mut errors);
        validate::events("", self.webhook_events.as_deref(), &mut errors);
        errors.finish()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        let webhook_headers = self
            .webhook_headers
            .as_ref()
            .map(|headers| validate::expose_headers(headers, ""))
            .transpose()?;
        api.request(Method::POST, ROUTE)
            .scope(&self.scope)
            .json(&CreateWebhookBody {
                webhook_url: &self.webhook_url,
                webhook_headers,
                webhook_events: self.webhook_events.as_deref(),
                webhook_output_format: self.webhook_output_format.as_ref(),
                webhook_signing_secret: validate::expose_secret(
                    self.webhook_signing_secret.as_ref(),
                    "",
                )?,
            })
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<SavedWebhook, Error> {
        read_json(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::Idempotency;
    use crate::v2::examples::{api, ok};
    use crate::webhooks::examples;

    fn whole() -> CreateWebhookConfiguration {
        CreateWebhookConfiguration::new("https://example.com/hook")
            .header("X-Token", "canary1")
            .events([WebhookEvent::ClassifySuccess])
            .output_format("json")
            .signing_secret("canary2")
    }

    #[test]
    fn webhook_create_request_and_response() {
        let request = whole().project("p").build_request(&api()).unwrap();
        assert_eq!(
            request.uri(),
            "https://api.example/api/v1/beta/webhook-configs?project_id=p"
        );
        let body: serde_json::Value =
            serde_json::from_slice(&request.body().in_memory().unwrap()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "webhook_url": "https://example.com/hook",
                "webhook_headers": {"X-Token": "canary1"},
                "webhook_events": ["classify.success"],
                "webhook_output_format": "json",
                "webhook_signing_secret": "canary2",
            })
        );
        let saved = whole().parse(ok(examples::WEBHOOK)).unwrap();
        assert_eq!(saved.has_secret, Some(true));
    }

    #[test]
    fn redact_webhook_create_secrets_in_debug_and_saved_state() {
        let saved = serde_json::to_string(&whole()).unwrap();
        assert!(!format!("{saved}{:?}", whole()).contains("canary"));
        let loaded: CreateWebhookConfiguration = serde_json::from_str(&saved).unwrap();
        let error = loaded.build_request(&api()).unwrap_err();
        assert!(
            error.to_string().contains("webhook_headers.X-Token"),
            "{error}"
        );
    }

    #[test]
    fn validation_webhook_create_errors_name_field() {
        let error = CreateWebhookConfiguration::new("example.com")
            .header("X-A", "canary\nX-B: c")
            .header("X\nB", "c")
            .events([])
            .build_request(&api())
            .unwrap_err();
        let fields: Vec<_> = error
            .field_errors()
            .iter()
            .map(|found| &*found.field)
            .collect();
        assert_eq!(
            fields,
            [
                "webhook_url",
                "webhook_headers.X B",
                "webhook_headers.X-A",
                "webhook_events"
            ]
        );
        let shown = error.to_string();
        assert!(
            !shown.contains("canary") && !shown.contains('\n'),
            "{shown}"
        );
    }

    #[test]
    fn mask_in_webhook_create_is_refused() {
        let saved: SavedWebhook =
            serde_json::from_str(&examples::WEBHOOK.replace("canary", "********")).unwrap();
        let mut create = CreateWebhookConfiguration::new("https://user:****@example.com")
            .header("X-Plain", "blue")
            .header("X-Copied", "Bearer ****")
            .signing_secret("••••");
        let headers = create.webhook_headers.get_or_insert_default();
        headers.extend(saved.webhook_headers.unwrap());
        let error = create.build_request(&api()).unwrap_err();
        let fields: Vec<_> = error.field_errors().iter().map(|f| &*f.field).collect();
        assert_eq!(
            fields,
            [
                "webhook_url",
                "webhook_headers.X-Copied",
                "webhook_headers.X-Token",
                "webhook_signing_secret"
            ]
        );
        // A real secret may contain such characters among others.
        let odd = CreateWebhookConfiguration::new("https://example.com").signing_secret("a***b");
        odd.build_request(&api()).unwrap();
    }

    #[test]
    fn idempotency_webhook_create_is_not_idempotent() {
        assert_eq!(whole().semantics().idempotency, Idempotency::NonIdempotent);
    }
}
