//! Saved configurations and saved webhook configurations.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::job::WebhookTarget;
use super::table::Row;
use crate::clock::{Millis, format_timestamp};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Configuration {
    pub(crate) id: String,
    pub(crate) project: String,
    pub(crate) name: String,
    pub(crate) product: String,
    pub(crate) parameters: Value,
    pub(crate) created: Millis,
    pub(crate) updated: Millis,
    /// Increases with each change, so that two changes within a millisecond have two versions.
    pub(crate) revision: u32,
}

impl Row for Configuration {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Configuration {
    /// The version: a timestamp whose microseconds distinguish changes within a millisecond.
    pub(crate) fn version(&self) -> String {
        let text = format_timestamp(self.updated);
        format!(
            "{}{:03}Z",
            text.trim_end_matches('Z'),
            self.revision % 1_000
        )
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "product_type": self.product,
            "version": self.version(),
            "parameters": self.parameters,
            "created_at": format_timestamp(self.created),
            "updated_at": format_timestamp(self.updated),
        })
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct WebhookConfiguration {
    pub(crate) id: String,
    pub(crate) project: String,
    pub(crate) url: String,
    pub(crate) events: Option<Vec<String>>,
    pub(crate) headers: Option<Vec<(String, String)>>,
    pub(crate) format: Option<String>,
    pub(crate) secret: Option<String>,
    pub(crate) created: Millis,
    pub(crate) updated: Millis,
}

impl Row for WebhookConfiguration {
    fn id(&self) -> &str {
        &self.id
    }
}

/// Returned in place of a stored credential. The form of the service's mask is not documented.
pub(crate) const MASK: &str = "********";

impl WebhookConfiguration {
    /// The URL with a mask in place of its password.
    pub(crate) fn masked_url(&self) -> String {
        let masked = || {
            let (scheme, rest) = self.url.split_once("://")?;
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let (user, host) = rest[..end].rsplit_once('@')?;
            let name = user.split_once(':').map(|(name, _)| format!("{name}:"));
            let name = name.unwrap_or_default();
            Some(format!("{scheme}://{name}{MASK}@{host}{}", &rest[end..]))
        };
        masked().unwrap_or_else(|| self.url.clone())
    }

    pub(crate) fn to_json(&self) -> Value {
        let headers = self.headers.as_ref().map(|headers| {
            let pairs = headers
                .iter()
                .map(|(name, _)| (name.clone(), Value::from(MASK)));
            pairs.collect::<Map<_, _>>()
        });
        json!({
            "id": self.id,
            "tenant_type": "project",
            "tenant_id": self.project,
            "webhook_url": self.masked_url(),
            "has_secret": self.secret.is_some(),
            "webhook_events": self.events,
            "webhook_headers": headers,
            "webhook_output_format": self.format,
            "created_at": format_timestamp(self.created),
            "updated_at": format_timestamp(self.updated),
        })
    }

    pub(crate) fn to_target(&self) -> WebhookTarget {
        WebhookTarget {
            url: self.url.clone(),
            headers: self.headers.clone().unwrap_or_default(),
            events: self.events.clone(),
            as_object: self.format.as_deref() == Some("json"),
            secret: self.secret.clone(),
        }
    }
}
