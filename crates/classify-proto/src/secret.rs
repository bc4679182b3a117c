//! Text that is sent to the service and shown to nobody else.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::text::mask;

/// What stands for a secret wherever one would be written.
pub(crate) const REDACTED: &str = "[redacted]";

/// A secret: a webhook's signing secret, or the value of a header that a webhook carries.
///
/// It is sent to the service and appears nowhere else: `Debug` prints `[redacted]`, and a saved state holds a mark
/// in its place. A state that was loaded therefore lacks its secrets; an operation that needs one says which, and
/// refuses to be sent until the secret is set again.
///
/// The service shows the credentials of a saved webhook masked, such as `********`. The value behind a mask is unknown:
/// [`is_masked`](Self::is_masked) holds, and [`expose_secret`](Self::expose_secret) returns `None`. A mask is not secret,
/// so that JSON and saved states contain it. An
/// [`UpdateWebhookConfiguration`](crate::webhooks::UpdateWebhookConfiguration) sends the mask of a header back, by which
/// the service keeps the stored value; a create refuses it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Content);

#[derive(Clone, PartialEq, Eq)]
enum Content {
    Known(Box<str>),
    /// What the service shows in place of the value.
    Masked(Box<str>),
    /// Left out of a saved state.
    Omitted,
}

impl Secret {
    /// Keeps `text` from view.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Content::Known(text.into().into_boxed_str()))
    }

    /// The secret itself; `None` if this comes out of a saved state, or if the service masks it.
    #[must_use]
    pub fn expose_secret(&self) -> Option<&str> {
        match &self.0 {
            Content::Known(text) => Some(text),
            Content::Masked(_) | Content::Omitted => None,
        }
    }

    /// Whether the service shows a mask in place of the value that it stores.
    #[must_use]
    pub fn is_masked(&self) -> bool {
        matches!(self.0, Content::Masked(_))
    }

    /// The same, as the service shows it: a text that looks like a mask is one.
    pub(crate) fn shown(self) -> Self {
        match self.0 {
            Content::Known(text) if mask::is_masked(&text) => Self(Content::Masked(text)),
            content => Self(content),
        }
    }

    /// The secret, or the mask that stands for it.
    pub(crate) fn secret_or_mask(&self) -> Option<&str> {
        match &self.0 {
            Content::Known(text) | Content::Masked(text) => Some(text),
            Content::Omitted => None,
        }
    }

    /// Whether the text was left out of a saved state and must be set again.
    #[must_use]
    pub fn is_redacted(&self) -> bool {
        self.0 == Content::Omitted
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match &self.0 {
            Content::Masked(mask) => mask,
            Content::Known(_) | Content::Omitted => REDACTED,
        })
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(if text == REDACTED {
            Self(Content::Omitted)
        } else {
            Self::new(text)
        })
    }
}

/// A secret that may be any JSON value: what a v1 webhook takes as the value of a header.
///
/// It is kept from view as a [`Secret`] is, and left out of saved states as well.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Option<Box<Value>>);

impl SecretValue {
    /// Keeps `value` from view.
    #[must_use]
    pub fn new(value: impl Into<Value>) -> Self {
        Self(Some(Box::new(value.into())))
    }

    /// The value itself; `None` when this came out of a saved state.
    #[must_use]
    pub fn expose_secret(&self) -> Option<&Value> {
        self.0.as_deref()
    }

    /// Whether the value was left out of a saved state and must be set again.
    #[must_use]
    pub fn is_redacted(&self) -> bool {
        self.0.is_none()
    }
}

impl From<&str> for SecretValue {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for SecretValue {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// A secret that is masked or was left out of a saved state counts as left out.
impl From<&Secret> for SecretValue {
    fn from(secret: &Secret) -> Self {
        Self(secret.expose_secret().map(|text| Box::new(text.into())))
    }
}

impl From<Value> for SecretValue {
    fn from(value: Value) -> Self {
        Self::new(value)
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Serialize for SecretValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

impl<'de> Deserialize<'de> for SecretValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(if value == REDACTED {
            Self(None)
        } else {
            Self::new(value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redact_secret_in_debug_and_saved_state() {
        let secret = Secret::new("canary");
        assert_eq!(format!("{secret:?}"), "[redacted]");
        let saved = serde_json::to_string(&secret).unwrap();
        assert!(!saved.contains("canary"));
        let loaded: Secret = serde_json::from_str(&saved).unwrap();
        assert!(loaded.is_redacted());
        assert_eq!(loaded.expose_secret(), None);
        assert_eq!(secret.expose_secret(), Some("canary"));
    }

    #[test]
    fn redact_secret_value_of_any_type_in_debug_and_saved_state() {
        let secret = SecretValue::from(serde_json::json!({"canary": ["canary"]}));
        let saved = serde_json::to_string(&secret).unwrap();
        assert!(!format!("{secret:?}{saved}").contains("canary"));
        assert!(
            serde_json::from_str::<SecretValue>(&saved)
                .unwrap()
                .is_redacted()
        );
        assert_eq!(SecretValue::new(7).expose_secret().unwrap(), 7);
        assert_eq!(SecretValue::from("x").expose_secret().unwrap(), "x");
    }
}
