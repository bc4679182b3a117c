//! Webhooks of a create: the service reports the progress of a job to them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::secret::Secret;
use crate::validation::ValidationErrors;
use crate::webhooks::{WebhookEvent, WebhookOutputFormat, validate};

/// A webhook that is sent with a create and not saved beforehand.
///
/// Header values and the signing secret are [`Secret`]s: they are sent to the service, and redacted in `Debug`, errors
/// and saved states.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WebhookConfiguration {
    /// The URL to deliver to. The service rejects private and loopback addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
    /// Headers of every delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_headers: Option<BTreeMap<String, Secret>>,
    /// The events to deliver; all events if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_events: Option<Vec<WebhookEvent>>,
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
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.webhook_headers
            .get_or_insert_default()
            .insert(name.into(), value.into());
        self
    }

    /// Limits the deliveries to these events.
    #[must_use]
    pub fn events(mut self, events: impl IntoIterator<Item = WebhookEvent>) -> Self {
        self.webhook_events = Some(events.into_iter().collect());
        self
    }

    /// Sets the format of a delivery's body.
    #[must_use]
    pub fn output_format(mut self, format: WebhookOutputFormat) -> Self {
        self.webhook_output_format = Some(format);
        self
    }

    /// Sets the key that signs every delivery.
    #[must_use]
    pub fn signing_secret(mut self, secret: impl Into<Secret>) -> Self {
        self.webhook_signing_secret = Some(secret.into());
        self
    }

    pub(crate) fn secrets(&self) -> Vec<String> {
        validate::secrets(
            self.webhook_headers.as_ref(),
            self.webhook_signing_secret.as_ref(),
        )
    }

    pub(crate) fn collect_errors(&self, path: &str, errors: &mut ValidationErrors) {
        validate::headers(path, self.webhook_headers.as_ref(), errors);
        validate::masks_of_new(
            path,
            self.webhook_url.as_deref(),
            self.webhook_headers.as_ref(),
            errors,
        );
        validate::signing_secret(path, self.webhook_signing_secret.as_ref(), errors);
        validate::events(path, self.webhook_events.as_deref(), errors);
    }

    /// The webhook with its secrets exposed, only for the request body.
    pub(crate) fn to_wire(&self, path: &str) -> Result<WireWebhook<'_>, Error> {
        let webhook_headers = match &self.webhook_headers {
            None => None,
            Some(headers) => Some(validate::expose_headers(headers, path)?),
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
    webhook_headers: Option<BTreeMap<&'a str, &'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_events: Option<&'a [WebhookEvent]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_output_format: Option<&'a WebhookOutputFormat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_signing_secret: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Operation as _;
    use crate::v2::{CreateJob, JobOptions, examples::api};

    #[test]
    fn validation_webhook_errors_name_field_and_redact_header() {
        let options = JobOptions::from_configuration_id("cfg-1").webhook(
            WebhookConfiguration::new("https://example.com")
                .header("X-A", "canary\r\nX-B: y")
                .header("X C", "z")
                .events([]),
        );
        let create = CreateJob::new("dfl-1", options);
        let error = create.build_request(&api()).unwrap_err();
        let fields: Vec<_> = error
            .field_errors()
            .iter()
            .map(|found| &*found.field)
            .collect();
        assert_eq!(
            fields,
            [
                "webhook_configurations[0].webhook_headers.X C",
                "webhook_configurations[0].webhook_headers.X-A",
                "webhook_configurations[0].webhook_events",
            ]
        );
        assert!(!error.to_string().contains("canary"), "{error}");
    }

    /// A saved webhook that is copied into a create.
    #[test]
    fn mask_in_webhook_of_job_is_refused() {
        let options = JobOptions::from_configuration_id("cfg-1").webhook(
            WebhookConfiguration::new("https://example.com/?key=%2A%2A%2A%2A")
                .header("X-Token", "********")
                .signing_secret("[masked]"),
        );
        let error = CreateJob::new("dfl-1", options)
            .build_request(&api())
            .unwrap_err();
        let fields: Vec<_> = error.field_errors().iter().map(|f| &*f.field).collect();
        assert_eq!(
            fields,
            [
                "webhook_configurations[0].webhook_url",
                "webhook_configurations[0].webhook_headers.X-Token",
                "webhook_configurations[0].webhook_signing_secret",
            ]
        );
    }
}
