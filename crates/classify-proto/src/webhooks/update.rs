//! `PUT /api/v1/beta/webhook-configs/{config_id}`

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Deserializer, Serialize};

use super::{ROUTE, SavedWebhook, WebhookEvent, WebhookOutputFormat, validate};
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;
use crate::patch::Patch;
use crate::scope::{Scope, scope_setters};
use crate::secret::Secret;
use crate::semantics::Semantics;
use crate::text::json::read_json;
use crate::text::response_object::from_service;
use crate::validation::ValidationErrors;

/// Changes a saved webhook configuration. Fields that are not set keep their value.
///
/// Each field is a [`Patch`]: kept, cleared with `null`, or set. Setting a signing secret rotates it; pass both secrets
/// to `verify` until the deliveries signed with the old one have arrived. A mask in the URL or in a header is sent back
/// unchanged, and the service then keeps the stored value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UpdateWebhookConfiguration {
    /// The id of the configuration (`whc-…`).
    pub config_id: String,
    /// The URL that deliveries are sent to.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub webhook_url: Patch<String>,
    /// Headers of every delivery.
    #[serde(
        default,
        skip_serializing_if = "Patch::is_keep",
        deserialize_with = "with_masks"
    )]
    pub webhook_headers: Patch<BTreeMap<String, Secret>>,
    /// The events to deliver.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub webhook_events: Patch<Vec<WebhookEvent>>,
    /// The format of a delivery's body.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub webhook_output_format: Patch<WebhookOutputFormat>,
    /// The key of deliveries' signatures.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub webhook_signing_secret: Patch<Secret>,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

impl UpdateWebhookConfiguration {
    /// Creates the operation for the configuration with this id. It changes nothing until a field is set.
    #[must_use]
    pub fn new(config_id: impl Into<String>) -> Self {
        Self {
            config_id: config_id.into(),
            webhook_url: Patch::Keep,
            webhook_headers: Patch::Keep,
            webhook_events: Patch::Keep,
            webhook_output_format: Patch::Keep,
            webhook_signing_secret: Patch::Keep,
            scope: Scope::default(),
        }
    }

    scope_setters!();

    /// Sets the URL that deliveries are sent to.
    #[must_use]
    pub fn url(mut self, url: Patch<String>) -> Self {
        self.webhook_url = url;
        self
    }

    /// Replaces all headers of deliveries. A header whose value is the mask of a [`SavedWebhook`] keeps its stored value.
    #[must_use]
    pub fn headers(mut self, headers: Patch<BTreeMap<String, Secret>>) -> Self {
        self.webhook_headers = headers;
        self
    }

    /// Sets the events to deliver: at least one, or all with [`Patch::Clear`].
    #[must_use]
    pub fn events(mut self, events: Patch<Vec<WebhookEvent>>) -> Self {
        self.webhook_events = events;
        self
    }

    /// Sets the format of a delivery's body.
    #[must_use]
    pub fn output_format(mut self, format: Patch<WebhookOutputFormat>) -> Self {
        self.webhook_output_format = format;
        self
    }

    /// Sets the key that signs deliveries.
    #[must_use]
    pub fn signing_secret(mut self, secret: Patch<Secret>) -> Self {
        self.webhook_signing_secret = secret;
        self
    }
}

/// Deserializes a saved state, which omits secrets and keeps masks.
fn with_masks<'de, D>(deserializer: D) -> Result<Patch<BTreeMap<String, Secret>>, D::Error>
where
    D: Deserializer<'de>,
{
    Ok(match Patch::deserialize(deserializer)? {
        Patch::Set(headers) => Patch::Set(from_service(headers)),
        other => other,
    })
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the service's names")]
struct UpdateWebhookBody<'a> {
    #[serde(skip_serializing_if = "Patch::is_keep")]
    webhook_url: &'a Patch<String>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    webhook_headers: Patch<BTreeMap<&'a str, &'a str>>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    webhook_events: &'a Patch<Vec<WebhookEvent>>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    webhook_output_format: &'a Patch<WebhookOutputFormat>,
    #[serde(skip_serializing_if = "Patch::is_keep")]
    webhook_signing_secret: Patch<&'a str>,
}

impl Operation for UpdateWebhookConfiguration {
    type Output = SavedWebhook;

    fn name(&self) -> &'static str {
        "webhook_configs.update"
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::idempotent()
    }

    fn secrets(&self) -> Vec<String> {
        let signing = self.webhook_signing_secret.as_set();
        validate::secrets(self.webhook_headers.as_set(), signing)
    }

    fn validate(&self) -> Result<(), Error> {
        let mut errors = ValidationErrors::default();
        if let Some(url) = self.webhook_url.as_set() {
            validate::url("", url, &mut errors);
        }
        validate::headers("", self.webhook_headers.as_set(), &mut errors);
        validate::signing_secret("", self.webhook_signing_secret.as_set(), &mut errors);
        let events = self.webhook_events.as_set().map(Vec::as_slice);
        validate::events("", events, &mut errors);
        errors.finish()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        let webhook_signing_secret = self.webhook_signing_secret.try_map(|secret| {
            secret
                .expose_secret()
                .ok_or_else(|| validate::missing_secret("webhook_signing_secret"))
        })?;
        api.request(Method::PUT, ROUTE)
            .segment("config_id", &self.config_id)?
            .scope(&self.scope)
            .json(&UpdateWebhookBody {
                webhook_url: &self.webhook_url,
                webhook_headers: self
                    .webhook_headers
                    .try_map(|headers| validate::expose_headers(headers, ""))?,
                webhook_events: &self.webhook_events,
                webhook_output_format: &self.webhook_output_format,
                webhook_signing_secret,
            })
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<SavedWebhook, Error> {
        read_json(response)
    }

    fn annotate(&self, error: Error) -> Error {
        error.with_subject(&*self.config_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v2::examples::{api, ok};
    use crate::webhooks::examples;

    fn body(update: &UpdateWebhookConfiguration) -> String {
        let request = update.build_request(&api()).unwrap();
        assert_eq!(request.method(), Method::PUT);
        assert_eq!(request.uri().path(), "/api/v1/beta/webhook-configs/whc-1");
        let body = request.body().in_memory().unwrap();
        std::str::from_utf8(&body).unwrap().to_owned()
    }

    #[test]
    fn patch_webhook_update_keep_clear_and_set_requests() {
        let update = UpdateWebhookConfiguration::new("whc-1");
        assert_eq!(body(&update), "{}");
        assert_eq!(
            body(
                &update
                    .clone()
                    .url(Patch::Set("https://a".to_owned()))
                    .headers(Patch::Set(BTreeMap::from([(
                        "X-A".to_owned(),
                        Secret::new("1")
                    )])))
                    .events(Patch::Clear)
                    .signing_secret(Patch::Set("rotated".into()))
            ),
            r#"{"webhook_url":"https://a","webhook_headers":{"X-A":"1"},"webhook_events":null,"webhook_signing_secret":"rotated"}"#
        );
        assert_eq!(
            body(
                &update
                    .clone()
                    .headers(Patch::Clear)
                    .output_format(Patch::Set(WebhookOutputFormat::Json))
                    .signing_secret(Patch::Clear)
            ),
            r#"{"webhook_headers":null,"webhook_output_format":"json","webhook_signing_secret":null}"#
        );
        update.parse(ok(examples::WEBHOOK)).unwrap();
    }

    #[test]
    fn validation_webhook_update_rejects_empty_events() {
        let error = UpdateWebhookConfiguration::new("whc-1")
            .url(Patch::Set("x".to_owned()))
            .events(Patch::Set(Vec::new()))
            .build_request(&api())
            .unwrap_err();
        let fields: Vec<_> = error
            .field_errors()
            .iter()
            .map(|found| &*found.field)
            .collect();
        assert_eq!(fields, ["webhook_url", "webhook_events"]);
    }

    /// Headers can be read, changed and written: masked ones keep their stored value.
    #[test]
    fn mask_in_webhook_update_is_sent_back_also_from_saved_state() {
        let shown = examples::WEBHOOK.replace("canary", "********");
        let saved: SavedWebhook = serde_json::from_str(&shown).unwrap();
        let mut headers = saved.webhook_headers.unwrap();
        headers.insert("X-Odd".to_owned(), Secret::new("•••").shown());
        let update = UpdateWebhookConfiguration::new("whc-1")
            .url(Patch::Set("https://user:****@example.com".to_owned()))
            .headers(Patch::Set(headers));
        let sent = r#"{"webhook_url":"https://user:****@example.com","webhook_headers":{"X-Odd":"•••","X-Token":"********"}}"#;
        assert_eq!(body(&update), sent);
        assert_eq!(update.secrets(), [""; 0]);
        let mut loaded = update;
        for _ in 0..2 {
            let state = serde_json::to_string(&loaded).unwrap();
            loaded = serde_json::from_str(&state).unwrap();
            assert_eq!(body(&loaded), sent);
        }
        let error = loaded
            .signing_secret(Patch::Set("********".into()))
            .build_request(&api())
            .unwrap_err();
        assert!(error.to_string().contains("is a mask"), "{error}");
    }

    #[test]
    fn saved_state_webhook_update_keeps_patch_and_redacts_secret() {
        let update = UpdateWebhookConfiguration::new("whc-1")
            .events(Patch::Clear)
            .signing_secret(Patch::Set("canary".into()));
        let saved = serde_json::to_string(&update).unwrap();
        assert!(!format!("{saved}{update:?}").contains("canary"), "{saved}");
        let loaded: UpdateWebhookConfiguration = serde_json::from_str(&saved).unwrap();
        let error = loaded.build_request(&api()).unwrap_err();
        assert!(
            error.to_string().contains("webhook_signing_secret"),
            "{error}"
        );
        let set_again = loaded.signing_secret(Patch::Set("canary".into()));
        assert_eq!(set_again, update);
    }
}
