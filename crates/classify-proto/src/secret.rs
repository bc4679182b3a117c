//! Text that is sent to the service and shown to nobody else.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// What stands for a secret wherever one would be written.
pub(crate) const REDACTED: &str = "[redacted]";

/// A secret: a webhook's signing secret, or the value of a header that a webhook carries.
///
/// It is sent to the service and appears nowhere else: `Debug` prints `[redacted]`, and a saved state holds a mark
/// in its place. A state that was loaded therefore lacks its secrets; an operation that needs one says which, and
/// refuses to be sent until the secret is set again.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Option<Box<str>>);

impl Secret {
    /// Keeps `text` from view.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Some(text.into().into_boxed_str()))
    }

    /// The secret itself; `None` when this came out of a saved state.
    #[must_use]
    pub fn expose_secret(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// Whether the text was left out of a saved state and must be set again.
    #[must_use]
    pub fn is_redacted(&self) -> bool {
        self.0.is_none()
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
        serializer.serialize_str(REDACTED)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(if text == REDACTED {
            Self(None)
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

/// A secret that was left out of a saved state stays left out.
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
