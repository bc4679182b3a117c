//! Text that is sent to the service and shown to nobody else.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What stands for a secret wherever one would be written.
const WITHHELD: &str = "[withheld]";

/// A secret: a webhook's signing secret, or the value of a header that a webhook carries.
///
/// It is sent to the service and appears nowhere else: `Debug` prints `[withheld]`, and a saved state holds a mark
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
    pub fn reveal(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// Whether the text was left out of a saved state and must be set again.
    #[must_use]
    pub fn is_withheld(&self) -> bool {
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
        f.write_str(WITHHELD)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(WITHHELD)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(if text == WITHHELD {
            Self(None)
        } else {
            Self::new(text)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_debug_nor_a_saved_state_shows_it() {
        let secret = Secret::new("canary");
        assert_eq!(format!("{secret:?}"), "[withheld]");
        let saved = serde_json::to_string(&secret).unwrap();
        assert!(!saved.contains("canary"));
        let loaded: Secret = serde_json::from_str(&saved).unwrap();
        assert!(loaded.is_withheld());
        assert_eq!(loaded.reveal(), None);
        assert_eq!(secret.reveal(), Some("canary"));
    }
}
