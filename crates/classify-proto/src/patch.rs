//! A field of an update: left alone, emptied, or set.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What an update does to one field.
///
/// To leave a field out of an update and to send `null` for it are two requests; an `Option` could tell only one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(
    clippy::exhaustive_enums,
    reason = "JSON has these three ways to say it and no fourth"
)]
pub enum Patch<T> {
    /// Leaves the field as it is: it is not sent.
    #[default]
    Keep,
    /// Empties the field: `null` is sent.
    Clear,
    /// Sets the field.
    Set(T),
}

impl<T> Patch<T> {
    /// Whether the field is left as it is.
    #[must_use]
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// What the field is set to.
    #[must_use]
    pub fn as_set(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Clear => None,
        }
    }

    /// The same change with another value.
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

/// `Some` sets and `None` clears; a field that is left alone is not mentioned at all.
impl<T> From<Option<T>> for Patch<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Clear, Self::Set)
    }
}

/// A field of this type carries `skip_serializing_if = "Patch::is_keep"`.
impl<T: Serialize> Serialize for Patch<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_set().serialize(serializer)
    }
}

/// A field of this type carries `default`, which is what an absent field reads as.
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
