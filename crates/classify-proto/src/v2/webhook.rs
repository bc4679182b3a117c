//! Where the service reports a job's progress by itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::secret::Secret;
use crate::text::open_enum::open_enum;

open_enum! {
    /// An event that a webhook reports.
    pub enum WebhookEvent {
        /// The job was taken on.
        ClassifyPending = "classify.pending",
        /// The job is being worked on.
        ClassifyRunning = "classify.running",
        /// The job completed.
        ClassifySuccess = "classify.success",
        /// Some files of the job completed (v1 only, as far as is known).
        ClassifyPartialSuccess = "classify.partial_success",
        /// The job failed.
        ClassifyError = "classify.error",
        /// The job was cancelled.
        ClassifyCancelled = "classify.cancelled",
    }
}

open_enum! {
    /// How a webhook's body is written.
    pub enum WebhookOutputFormat {
        /// The payload as a JSON string inside JSON; the service's default.
        String = "string",
        /// The payload as a JSON object.
        Json = "json",
    }
}

/// A webhook that is given with the job instead of being saved beforehand.
///
/// Header values and the signing secret are [`Secret`]s: they are sent, and never printed or saved.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WebhookConfiguration {
    /// Where to deliver; the service refuses private and loopback addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
    /// Headers of every delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_headers: Option<BTreeMap<String, Secret>>,
    /// Which events to deliver; all where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_events: Option<Vec<WebhookEvent>>,
    /// How the body is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_output_format: Option<WebhookOutputFormat>,
    /// Signs each delivery, in its `LC-Signature` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_signing_secret: Option<Secret>,
}

impl WebhookConfiguration {
    /// Delivers every event to `url`.
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

    /// Delivers only these events.
    #[must_use]
    pub fn events(mut self, events: impl IntoIterator<Item = WebhookEvent>) -> Self {
        self.webhook_events = Some(events.into_iter().collect());
        self
    }

    /// Says how the body is written.
    #[must_use]
    pub fn output_format(mut self, format: WebhookOutputFormat) -> Self {
        self.webhook_output_format = Some(format);
        self
    }

    /// Signs each delivery with this secret.
    #[must_use]
    pub fn signing_secret(mut self, secret: impl Into<Secret>) -> Self {
        self.webhook_signing_secret = Some(secret.into());
        self
    }

    /// The same with its secrets in the open, for the wire alone.
    pub(crate) fn to_wire(&self, path: &str) -> Result<WireWebhook<'_>, Error> {
        fn reveal(secret: &Secret, field: impl FnOnce() -> String) -> Result<&str, Error> {
            secret.reveal().ok_or_else(|| {
                Error::invalid(
                    field(),
                    "was left out of the saved state; set it again before going on",
                )
            })
        }
        let webhook_headers = match &self.webhook_headers {
            None => None,
            Some(headers) => Some(
                headers
                    .iter()
                    .map(|(name, value)| {
                        Ok((
                            &**name,
                            reveal(value, || format!("{path}.webhook_headers.{name}"))?,
                        ))
                    })
                    .collect::<Result<_, Error>>()?,
            ),
        };
        let webhook_signing_secret = match &self.webhook_signing_secret {
            None => None,
            Some(secret) => Some(reveal(secret, || format!("{path}.webhook_signing_secret"))?),
        };
        Ok(WireWebhook {
            webhook_url: self.webhook_url.as_deref(),
            webhook_headers,
            webhook_events: self.webhook_events.as_deref(),
            webhook_output_format: self.webhook_output_format.as_ref(),
            webhook_signing_secret,
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
