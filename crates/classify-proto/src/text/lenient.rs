//! Lenient JSON parsing: a field of the wrong type is kept as a raw value instead of failing the object.
//!
//! Strict parsing goes through the bytes once and fails at the first value of a wrong type. If that value is in an
//! optional field, the job or the page of jobs should not be lost. Such a body is parsed a second time, into a tree of
//! values, which returns the value that its field rejected: [`response_object`](super::response_object) then keeps it
//! among the unknown fields. Bodies without such values cost nothing extra.

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::{Error, Value, map};

/// Parses JSON whose optional fields may have values of wrong types; `None` if it cannot be parsed even so.
pub(crate) fn read<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    let value: Value = serde_json::from_slice(json).ok()?;
    T::deserialize(LenientDeserializer(&value)).ok()
}

/// The value that the field before rejected. Only a tree of values provides it; any other deserializer has consumed it
/// and returns an error.
pub(crate) struct RejectedValue(pub(crate) Value);

/// The name under which the tree is asked for it.
const REJECTED_VALUE: &str = "$classify::rejected";

impl<'de> Deserialize<'de> for RejectedValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RejectedVisitor;
        impl<'de> Visitor<'de> for RejectedVisitor {
            type Value = RejectedValue;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a value that was rejected")
            }

            // Only the tree calls this.
            fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<RejectedValue, D::Error> {
                Value::deserialize(value).map(RejectedValue)
            }
        }
        deserializer.deserialize_newtype_struct(REJECTED_VALUE, RejectedVisitor)
    }
}

/// A value and all values in it.
#[derive(Clone, Copy)]
struct LenientDeserializer<'de>(&'de Value);

impl<'de> Deserializer<'de> for LenientDeserializer<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Array(items) => visitor.visit_seq(LenientSeq(items.iter())),
            Value::Object(fields) => visitor.visit_map(LenientMap {
                fields: fields.iter(),
                next: None,
                rejected: None,
            }),
            plain => plain.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct LenientSeq<'de>(std::slice::Iter<'de, Value>);

impl<'de> SeqAccess<'de> for LenientSeq<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        self.0
            .next()
            .map(|item| seed.deserialize(LenientDeserializer(item)))
            .transpose()
    }
}

struct LenientMap<'de> {
    fields: map::Iter<'de>,
    next: Option<&'de Value>,
    rejected: Option<&'de Value>,
}

impl<'de> MapAccess<'de> for LenientMap<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.rejected = None;
        let Some((name, value)) = self.fields.next() else {
            return Ok(None);
        };
        self.next = Some(value);
        seed.deserialize(serde::de::value::BorrowedStrDeserializer::new(name))
            .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        match (self.next.take(), self.rejected) {
            (Some(value), _) => {
                self.rejected = Some(value);
                seed.deserialize(LenientDeserializer(value))
            }
            (None, Some(value)) => seed.deserialize(RejectedValueDeserializer(value)),
            (None, None) => Err(Error::custom("there is no value")),
        }
    }
}

/// A value that is requested a second time.
struct RejectedValueDeserializer<'de>(&'de Value);

impl<'de> Deserializer<'de> for RejectedValueDeserializer<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(Error::custom("a value is read twice"))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == REJECTED_VALUE {
            visitor.visit_some(self.0)
        } else {
            self.deserialize_any(visitor)
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v2::Job;
    use proptest::prelude::*;

    #[test]
    fn lenient_json_marker_and_malformed_json_are_errors() {
        for text in ["1", "null", "{}", "[]", "\"$classify::rejected\""] {
            assert!(
                serde_json::from_str::<RejectedValue>(text).is_err(),
                "{text}"
            );
            let value: Value = serde_json::from_str(text).unwrap();
            assert!(
                serde_json::from_value::<RejectedValue>(value).is_err(),
                "{text}"
            );
        }
        // Invalid JSON stays invalid, even if a value is requested again.
        for text in [
            r#"{"id":"1","status":"PENDING","usage"::1}"#,
            r#"{"id":"1","status":"PENDING","usage":x:1}"#,
            r#"{"id":"1","status":"PENDING","usage":"a" "b"}"#,
        ] {
            assert!(serde_json::from_str::<Job>(text).is_err(), "{text}");
            assert!(read::<Job>(text.as_bytes()).is_none(), "{text}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e9..1e9f64).prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(".{0,4}", inner, 0..4)
                    .prop_map(|fields| fields.into_iter().collect()),
            ]
        })
    }

    type Mixed = Vec<Option<std::collections::BTreeMap<String, (u8, f64)>>>;

    proptest! {
        #[test]
        fn lenient_json_parses_valid_json_like_serde_json(value in any_json()) {
            let text = value.to_string();
            prop_assert_eq!(read::<Value>(text.as_bytes()), serde_json::from_str::<Value>(&text).ok());
            prop_assert_eq!(read::<Mixed>(text.as_bytes()), serde_json::from_str::<Mixed>(&text).ok());
        }
    }
}
