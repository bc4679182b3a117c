//! A field of an update: kept, cleared, or set.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The change of one field in an update.
///
/// Omitting a field and sending `null` are different requests, which an `Option` could not distinguish.
///
/// ```
/// use classify_proto::Patch;
///
/// assert_eq!(Patch::from(Some("name")), Patch::Set("name"));
/// assert_eq!(Patch::<&str>::from(None), Patch::Clear);
/// assert!(Patch::<&str>::default().is_keep());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(
    clippy::exhaustive_enums,
    reason = "JSON has these three ways to say it and no fourth"
)]
pub enum Patch<T> {
    /// Keeps the field: it is not sent.
    #[default]
    Keep,
    /// Clears the field: `null` is sent.
    Clear,
    /// Sets the field to this value.
    Set(T),
}

impl<T> Patch<T> {
    /// Returns `true` for [`Keep`](Self::Keep).
    #[must_use]
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// Returns the new value; `None` for [`Keep`](Self::Keep) and [`Clear`](Self::Clear).
    #[must_use]
    pub fn as_set(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Clear => None,
        }
    }

    /// Converts the value of [`Set`](Self::Set).
    pub(crate) fn try_map<'a, U, E>(
        &'a self,
        map: impl FnOnce(&'a T) -> Result<U, E>,
    ) -> Result<Patch<U>, E> {
        Ok(match self {
            Self::Keep => Patch::Keep,
            Self::Clear => Patch::Clear,
            Self::Set(value) => Patch::Set(map(value)?),
        })
    }
}

/// `Some` sets and `None` clears.
impl<T> From<Option<T>> for Patch<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Clear, Self::Set)
    }
}

/// Use it with `skip_serializing_if = "Patch::is_keep"`.
impl<T: Serialize> Serialize for Patch<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_set().serialize(serializer)
    }
}

/// Use it with `default`: an absent field is [`Keep`](Patch::Keep).
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Update {
        #[serde(default, skip_serializing_if = "Patch::is_keep")]
        name: Patch<String>,
    }

    #[test]
    fn patch_keep_clear_and_set_round_trip() {
        for (name, json) in [
            (Patch::Keep, "{}"),
            (Patch::Clear, r#"{"name":null}"#),
            (Patch::Set("x".to_owned()), r#"{"name":"x"}"#),
        ] {
            let update = Update { name };
            assert_eq!(serde_json::to_string(&update).unwrap(), json);
            assert_eq!(serde_json::from_str::<Update>(json).unwrap(), update);
        }
    }
}
