//! Text that only the service may see.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::text::mask;

/// The text that replaces a secret in output.
pub(crate) const REDACTED: &str = "[redacted]";

/// A secret: the signing secret of a webhook, or the value of a header.
///
/// It is sent to the service and redacted everywhere else: `Debug` prints `[redacted]`, and a saved state contains a
/// marker in its place. After loading, secrets are missing, and an operation that needs one fails, naming it, until it
/// is set again.
///
/// The service returns the credentials of a saved webhook masked, such as `********`. For a mask,
/// [`is_masked`](Self::is_masked) returns `true` and [`expose_secret`](Self::expose_secret) returns `None`. A mask is
/// not secret, so JSON and saved states contain it. An
/// [`UpdateWebhookConfiguration`](crate::webhooks::UpdateWebhookConfiguration) sends the mask of a header back, and the
/// service then keeps the stored value; a create rejects it.
///
/// ```
/// use classify_proto::Secret;
///
/// let secret = Secret::new("whsec_4711");
/// assert_eq!(format!("{secret:?}"), "[redacted]");
/// assert_eq!(secret.expose_secret(), Some("whsec_4711"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Content);

#[derive(Clone, PartialEq, Eq)]
enum Content {
    Known(Box<str>),
    /// The mask that the service returned in place of the value.
    Masked(Box<str>),
    /// Omitted from a saved state.
    Omitted,
}

impl Secret {
    /// Creates a secret from text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Content::Known(text.into().into_boxed_str()))
    }

    /// Returns the secret; `None` if it is missing because it comes from a saved state, or if it is a mask.
    #[must_use]
    pub fn expose_secret(&self) -> Option<&str> {
        match &self.0 {
            Content::Known(text) => Some(text),
            Content::Masked(_) | Content::Omitted => None,
        }
    }

    /// Returns `true` if this is a mask that the service returned in place of a stored value.
    #[must_use]
    pub fn is_masked(&self) -> bool {
        matches!(self.0, Content::Masked(_))
    }

    /// Turns text that looks like a mask into a mask, for text from the service.
    pub(crate) fn shown(self) -> Self {
        match self.0 {
            Content::Known(text) if mask::is_masked(&text) => Self(Content::Masked(text)),
            content => Self(content),
        }
    }

    /// The secret, or the mask in its place.
    pub(crate) fn secret_or_mask(&self) -> Option<&str> {
        match &self.0 {
            Content::Known(text) | Content::Masked(text) => Some(text),
            Content::Omitted => None,
        }
    }

    /// Returns `true` if the secret was omitted from a saved state and must be set again.
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

/// A secret that may be any JSON value, for the headers of a v1 webhook.
///
/// It is redacted like a [`Secret`] and omitted from saved states.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Option<Box<Value>>);

impl SecretValue {
    /// Creates a secret from a JSON value.
    #[must_use]
    pub fn new(value: impl Into<Value>) -> Self {
        Self(Some(Box::new(value.into())))
    }

    /// Returns the value; `None` if it is missing because it comes from a saved state.
    #[must_use]
    pub fn expose_secret(&self) -> Option<&Value> {
        self.0.as_deref()
    }

    /// Returns `true` if the value was omitted from a saved state and must be set again.
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

/// A masked secret, or one omitted from a saved state, becomes an omitted value.
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
