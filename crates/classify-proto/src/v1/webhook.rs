//! A webhook that is sent with a v1 create.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;
use crate::secret::{Secret, SecretValue};
use crate::text::shortened;
use crate::validation::ValidationErrors;
use crate::webhooks::WebhookOutputFormat;
use crate::webhooks::validate;

/// A webhook that is sent with a v1 create.
///
/// It differs from v2's in two ways: header values may be any JSON, and events are free text. Header values and the
/// signing secret are sent to the service, and redacted in `Debug`, errors and saved states.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WebhookConfiguration {
    /// The URL to deliver to, `http:` or `https:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
    /// Headers of every delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_headers: Option<BTreeMap<String, SecretValue>>,
    /// The events to deliver, such as `classify.success`; all events if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_events: Option<Vec<String>>,
    /// The format of a delivery's body; the service's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_output_format: Option<WebhookOutputFormat>,
    /// The key of the signature in the `LC-Signature` header; deliveries are unsigned if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_signing_secret: Option<Secret>,
}

impl WebhookConfiguration {
    /// Creates a webhook that delivers every event to `url`.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            webhook_url: Some(url.into()),
            ..Self::default()
        }
    }

    /// Adds a header to every delivery.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<SecretValue>) -> Self {
        self.webhook_headers
            .get_or_insert_default()
            .insert(name.into(), value.into());
        self
    }

    /// Limits the deliveries to these events.
    #[must_use]
    pub fn events<S: Into<String>>(mut self, events: impl IntoIterator<Item = S>) -> Self {
        self.webhook_events = Some(events.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the format of a delivery's body.
    #[must_use]
    pub fn output_format(mut self, format: impl Into<WebhookOutputFormat>) -> Self {
        self.webhook_output_format = Some(format.into());
        self
    }

    /// Sets the key that signs every delivery.
    #[must_use]
    pub fn signing_secret(mut self, secret: impl Into<Secret>) -> Self {
        self.webhook_signing_secret = Some(secret.into());
        self
    }

    /// The secrets of the webhook: every text in a header's value, at any depth.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let mut found = validate::secrets(None, self.webhook_signing_secret.as_ref());
        let headers = self.webhook_headers.iter().flat_map(BTreeMap::values);
        let mut rest: Vec<&Value> = headers.filter_map(SecretValue::expose_secret).collect();
        while let Some(value) = rest.pop() {
            match value {
                Value::String(text) => found.push(text.clone()),
                Value::Array(items) => rest.extend(items),
                Value::Object(fields) => rest.extend(fields.values()),
                _ => {}
            }
        }
        found
    }

    pub(crate) fn collect_errors(&self, path: &str, errors: &mut ValidationErrors) {
        if let Some(url) = &self.webhook_url {
            validate::url(path, url, errors);
        }
        for (name, value) in self.webhook_headers.iter().flatten() {
            let text = value.expose_secret().and_then(Value::as_str);
            validate::header(path, name, text, errors);
        }
        let headers = self.webhook_headers.iter().flatten();
        let headers =
            headers.map(|(name, value)| (name, value.expose_secret().and_then(Value::as_str)));
        validate::masks(path, self.webhook_url.as_deref(), headers, errors);
        validate::signing_secret(path, self.webhook_signing_secret.as_ref(), errors);
        validate::events(path, self.webhook_events.as_deref(), errors);
    }

    /// The webhook with its secrets exposed, only for the request body.
    pub(crate) fn to_wire(&self, path: &str) -> Result<WireWebhook<'_>, Error> {
        let webhook_headers = match &self.webhook_headers {
            None => None,
            Some(headers) => Some(
                headers
                    .iter()
                    .map(|(name, value)| {
                        let value = value.expose_secret().ok_or_else(|| {
                            validate::missing_secret(format!(
                                "{path}.webhook_headers.{}",
                                shortened(name)
                            ))
                        })?;
                        Ok((&**name, value))
                    })
                    .collect::<Result<_, Error>>()?,
            ),
        };
        Ok(WireWebhook {
            webhook_url: self.webhook_url.as_deref(),
            webhook_headers,
            webhook_events: self.webhook_events.as_deref(),
            webhook_output_format: self.webhook_output_format.as_ref(),
            webhook_signing_secret: validate::expose_secret(
                self.webhook_signing_secret.as_ref(),
                path,
            )?,
        })
    }
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the service's names")]
pub(crate) struct WireWebhook<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_headers: Option<BTreeMap<&'a str, &'a Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_events: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_output_format: Option<&'a WebhookOutputFormat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_signing_secret: Option<&'a str>,
}
