//! Objects in responses, to which the service may add fields, and whose fields may be missing or null.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::Timestamp;
use crate::secret::{REDACTED, Secret};
use crate::v2::Configuration;

/// The fields of an object that this version does not know, or could not parse.
///
/// An object without any costs one null pointer.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Extra(Option<Box<Map<String, Value>>>);

impl Extra {
    pub(crate) fn insert(&mut self, name: String, value: Value) {
        self.0.get_or_insert_default().insert(name, value);
    }

    /// Replaces a value with a marker.
    pub(crate) fn redact(&mut self, name: &str) {
        self.insert(name.to_owned(), REDACTED.into());
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.as_ref()?.get(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0
            .iter()
            .flat_map(|map| map.iter())
            .map(|(name, value)| (name.as_str(), value))
    }
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only names: an unknown value may be a secret.
        f.debug_list()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

/// A timestamp, nothing, or an invalid timestamp: a time in an unexpected form must not lose the job's result.
pub(crate) enum LenientTimestamp {
    Absent,
    Read(Timestamp),
    Unreadable(Value),
}

impl<'de> Deserialize<'de> for LenientTimestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimestampVisitor;
        impl<'de> Visitor<'de> for TimestampVisitor {
            type Value = LenientTimestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a timestamp")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(match text.parse() {
                    Ok(timestamp) => LenientTimestamp::Read(timestamp),
                    Err(_) => LenientTimestamp::Unreadable(text.into()),
                })
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
                Ok(LenientTimestamp::Absent)
            }

            fn visit_none<E: serde::de::Error>(self) -> Result<Self::Value, E> {
                Ok(LenientTimestamp::Absent)
            }

            fn visit_some<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<Self::Value, D::Error> {
                deserializer.deserialize_any(self)
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
                Ok(LenientTimestamp::Unreadable(number.into()))
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Self::Value, E> {
                Ok(LenientTimestamp::Unreadable(number.into()))
            }

            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Self::Value, E> {
                Ok(LenientTimestamp::Unreadable(number.into()))
            }

            fn visit_bool<E: serde::de::Error>(self, truth: bool) -> Result<Self::Value, E> {
                Ok(LenientTimestamp::Unreadable(truth.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
                Value::deserialize(SeqAccessDeserializer::new(items))
                    .map(LenientTimestamp::Unreadable)
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
                Value::deserialize(MapAccessDeserializer::new(fields))
                    .map(LenientTimestamp::Unreadable)
            }
        }
        deserializer.deserialize_any(TimestampVisitor)
    }
}

/// A number of items; `None` if it is not a number: an invalid estimate must not lose the items.
pub(crate) struct LenientCount(pub(crate) Option<u64>);

impl<'de> Deserialize<'de> for LenientCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CountVisitor;
        impl<'de> Visitor<'de> for CountVisitor {
            type Value = LenientCount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_u64<E: serde::de::Error>(self, count: u64) -> Result<LenientCount, E> {
                Ok(LenientCount(Some(count)))
            }

            fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<LenientCount, E> {
                Ok(LenientCount(None))
            }

            fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<LenientCount, E> {
                Ok(LenientCount(None))
            }

            fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<LenientCount, E> {
                Ok(LenientCount(None))
            }

            fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<LenientCount, E> {
                Ok(LenientCount(None))
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<LenientCount, E> {
                Ok(LenientCount(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<LenientCount, A::Error> {
                IgnoredAny.visit_seq(items).map(|_| LenientCount(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<LenientCount, A::Error> {
                IgnoredAny.visit_map(fields).map(|_| LenientCount(None))
            }
        }
        deserializer.deserialize_any(CountVisitor)
    }
}

/// Parses `null` as the type's default, for fields that are required in a request and may be missing in a response.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Marks those secrets of a response that are masks.
pub(crate) fn from_service(secrets: BTreeMap<String, Secret>) -> BTreeMap<String, Secret> {
    secrets
        .into_iter()
        .map(|(name, secret)| (name, secret.shown()))
        .collect()
}

/// The name of a field in JSON: its identifier without the `r#` of Rust keywords.
pub(crate) const fn json_name(identifier: &'static str) -> &'static str {
    match identifier.as_bytes() {
        [b'r', b'#', rest @ ..] => match std::str::from_utf8(rest) {
            Ok(name) => name,
            Err(_) => identifier,
        },
        _ => identifier,
    }
}

/// Parses a job's configuration: by itself, or once for all jobs of a page with equal ones.
pub(crate) trait ConfigInterner<'de> {
    /// Parses the next value.
    fn configuration<A: MapAccess<'de>>(
        &mut self,
        map: &mut A,
    ) -> Result<Option<Arc<Configuration>>, A::Error>;
}

/// Shares nothing.
pub(crate) struct NoInterner;

impl<'de> ConfigInterner<'de> for NoInterner {
    fn configuration<A: MapAccess<'de>>(
        &mut self,
        map: &mut A,
    ) -> Result<Option<Arc<Configuration>>, A::Error> {
        map.next_value()
    }
}

/// Declares an object of the service's responses.
///
/// - `required` fields must be present; `defaulted` ones are always written, and may be missing in a response.
/// - `optional` fields may be absent or null; so may `interned` ones, which a [`ConfigInterner`] parses. A value of
///   another type is kept among the extra fields if the object is parsed [leniently](super::lenient).
/// - A `timestamp` is optional, and an invalid one is always kept among the extra fields.
/// - A `strict` field is optional and must have its type: absent and invalid have different meanings.
/// - A `secret` field is optional. An invalid value is not kept, since it would be written to JSON. A `masked` field is
///   a map of secrets that the service may mask.
///
/// All other fields of the object are kept among the extra fields and written back. Serde's `flatten` would do the
/// same, but it buffers every field of every object.
macro_rules! response_object {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[$field_meta:meta])* $kind:ident $field:ident : $type:ty ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $crate::text::response_object::field_type!($kind $type), )+
            extra: $crate::text::response_object::Extra,
        }

        impl $name {
            /// Returns a field that this version does not know, or could not parse, by name.
            #[must_use]
            pub fn extra(&self, name: &str) -> Option<&serde_json::Value> {
                self.extra.get(name)
            }

            /// Returns the fields that this version does not know, or could not parse, with their names and values.
            pub fn extras(&self) -> impl Iterator<Item = (&str, &serde_json::Value)> {
                self.extra.iter()
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap as _;
                let mut map = serializer.serialize_map(None)?;
                $( $crate::text::response_object::write_field!(
                    $kind, map, const { $crate::text::response_object::json_name(stringify!($field)) }, &self.$field
                ); )+
                for (name, value) in self.extra.iter() {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::deserialize_interning(deserializer, $crate::text::response_object::NoInterner)
            }
        }

        impl $name {
            /// Parses the object; `interner` parses the values that it shares with others.
            pub(crate) fn deserialize_interning<'de, D, S>(deserializer: D, interner: S) -> Result<Self, D::Error>
            where
                D: serde::Deserializer<'de>,
                S: $crate::text::response_object::ConfigInterner<'de>,
            {
                #[expect(non_camel_case_types, reason = "a field's name serves as its variant")]
                enum Field { $( $field, )+ __Other(String) }

                impl<'de> serde::Deserialize<'de> for Field {
                    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                        struct FieldVisitor;
                        impl serde::de::Visitor<'_> for FieldVisitor {
                            type Value = Field;

                            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                                f.write_str("a field's name")
                            }

                            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Field, E> {
                                $( if name == const { $crate::text::response_object::json_name(stringify!($field)) } {
                                    return Ok(Field::$field);
                                } )+
                                Ok(Field::__Other(name.to_owned()))
                            }
                        }
                        deserializer.deserialize_identifier(FieldVisitor)
                    }
                }

                struct ObjectVisitor<S>(S);
                impl<'de, S: $crate::text::response_object::ConfigInterner<'de>> serde::de::Visitor<'de> for ObjectVisitor<S> {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("an object (", stringify!($name), ")"))
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let Self(mut interner) = self;
                        // Most objects share nothing.
                        let _ = &mut interner;
                        let mut extra = $crate::text::response_object::Extra::default();
                        $( let mut $field = None; )+
                        while let Some(__key) = map.next_key::<Field>()? {
                            match __key {
                                $( Field::$field => $crate::text::response_object::read_field!(
                                    $kind, $type, $field, map, extra, interner
                                ), )+
                                Field::__Other(__name) => extra.insert(__name, map.next_value()?),
                            }
                        }
                        Ok($name {
                            $( $field: $crate::text::response_object::take_field!(
                                $kind, $field, const { $crate::text::response_object::json_name(stringify!($field)) }
                            ), )+
                            extra,
                        })
                    }
                }
                deserializer.deserialize_map(ObjectVisitor(interner))
            }
        }
    };
}

macro_rules! field_type {
    (required $type:ty) => { $type };
    (defaulted $type:ty) => { $type };
    (optional $type:ty) => { Option<$type> };
    (secret $type:ty) => { Option<$type> };
    (masked $type:ty) => { Option<$type> };
    (strict $type:ty) => { Option<$type> };
    (timestamp $type:ty) => { Option<$type> };
    (interned $type:ty) => { Option<$type> };
}

macro_rules! write_field {
    (required, $map:ident, $name:expr, $value:expr) => {
        $map.serialize_entry($name, $value)?;
    };
    (defaulted, $map:ident, $name:expr, $value:expr) => {
        $map.serialize_entry($name, $value)?;
    };
    ($_:ident, $map:ident, $name:expr, $value:expr) => {
        if let Some(value) = $value {
            $map.serialize_entry($name, value)?;
        }
    };
}

macro_rules! read_field {
    (required, $type:ty, $slot:ident, $map:ident, $extra:ident, $interner:ident) => {
        $slot = Some($map.next_value::<$type>()?)
    };
    (interned, $type:ty, $slot:ident, $map:ident, $extra:ident, $interner:ident) => {
        match $interner.configuration(&mut $map) {
            Ok(value) => $slot = value,
            Err(error) => $crate::text::response_object::keep_rejected!(error, $slot, $map, $extra),
        }
    };
    (optional, $type:ty, $slot:ident, $map:ident, $extra:ident, $interner:ident) => {
        match $map.next_value::<Option<$type>>() {
            Ok(value) => $slot = value,
            Err(error) => $crate::text::response_object::keep_rejected!(error, $slot, $map, $extra),
        }
    };
    (secret, $type:ty, $slot:ident, $map:ident, $extra:ident, $interner:ident) => {
        match $map.next_value::<Option<$type>>() {
            Ok(value) => $slot = value,
            Err(error) => {
                $crate::text::response_object::keep_rejected!(error, $slot, $map, $extra);
                $extra.redact($crate::text::response_object::json_name(stringify!($slot)));
            }
        }
    };
    (masked, $type:ty, $slot:ident, $map:ident, $extra:ident, $interner:ident) => {{
        $crate::text::response_object::read_field!(secret, $type, $slot, $map, $extra, $interner);
        $slot = $slot.map($crate::text::response_object::from_service);
    }};
    (defaulted, $type:ty, $slot:ident, $map:ident, $extra:ident, $interner:ident) => {
        $slot = $map.next_value::<Option<$type>>()?
    };
    (strict, $type:ty, $slot:ident, $map:ident, $extra:ident, $interner:ident) => {
        $slot = $map.next_value::<Option<$type>>()?
    };
    (timestamp, $type:ty, $slot:ident, $map:ident, $extra:ident, $interner:ident) => {
        match $map.next_value()? {
            $crate::text::response_object::LenientTimestamp::Absent => $slot = None,
            $crate::text::response_object::LenientTimestamp::Read(timestamp) => {
                $slot = Some(timestamp)
            }
            $crate::text::response_object::LenientTimestamp::Unreadable(value) => {
                $extra.insert(
                    $crate::text::response_object::json_name(stringify!($slot)).to_owned(),
                    value,
                );
            }
        }
    };
}

/// Keeps a value that its field rejected, if the deserializer can return it.
macro_rules! keep_rejected {
    ($error:ident, $slot:ident, $map:ident, $extra:ident) => {
        match $map.next_value::<$crate::text::lenient::RejectedValue>() {
            Ok($crate::text::lenient::RejectedValue(value)) => $extra.insert(
                $crate::text::response_object::json_name(stringify!($slot)).to_owned(),
                value,
            ),
            Err(_) => return Err($error),
        }
    };
}

macro_rules! take_field {
    (required, $slot:ident, $name:expr) => {
        match $slot {
            Some(value) => value,
            None => return Err(<A::Error as serde::de::Error>::missing_field($name)),
        }
    };
    (defaulted, $slot:ident, $name:expr) => {
        $slot.unwrap_or_default()
    };
    ($_:ident, $slot:ident, $name:expr) => {
        $slot
    };
}

pub(crate) use {field_type, keep_rejected, read_field, response_object, take_field, write_field};
