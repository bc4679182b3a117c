//! A text in YAML, JSON or TOML with its maps in order.
//!
//! It is parsed from the text and not from a JSON value, so that rules keep their order and a type its zeros; and not
//! into the core's types, so that an unknown key can be named in an error, or sent.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde_json::{Value, json};

use crate::keys::{CONFIGURATION_KEYS, RULE_KEYS, RULES};
use crate::parse_message::quote;

pub(crate) enum Tree {
    Leaf(Value),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        TreeSeed(TreeContext::Any).deserialize(deserializer)
    }
}

/// The tree of a rules file. Its rules must be complete, so that an error has the position of the rule.
pub(crate) struct FileTree(pub(crate) Tree);

impl<'de> Deserialize<'de> for FileTree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        TreeSeed(TreeContext::File)
            .deserialize(deserializer)
            .map(Self)
    }
}

/// The position of a value in the tree.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TreeContext {
    /// Anything is accepted.
    Any,
    /// A rules file: a configuration, or its rules alone.
    File,
    /// The rules of a rules file.
    Rules,
    /// A rule of a rules file.
    Rule,
}

impl TreeContext {
    fn field(self, key: &str) -> Self {
        if self == Self::File && key == RULES {
            Self::Rules
        } else {
            Self::Any
        }
    }

    fn item(self) -> Self {
        match self {
            Self::File | Self::Rules => Self::Rule,
            Self::Rule | Self::Any => Self::Any,
        }
    }

    /// Whether the value of a key is text, even if it looks like a number.
    fn is_text(self, key: &str) -> bool {
        match self {
            Self::Rules => true,
            Self::Rule => RULE_KEYS.contains(&key),
            Self::File | Self::Any => false,
        }
    }
}

struct TreeSeed(TreeContext);

impl<'de> DeserializeSeed<'de> for TreeSeed {
    type Value = Tree;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(TreeVisitor(self.0))
    }
}

struct TreeVisitor(TreeContext);

impl TreeVisitor {
    fn leaf<E: Error>(self, value: Value, unexpected: Unexpected<'_>) -> Result<Tree, E> {
        match self.0 {
            TreeContext::Any | TreeContext::File => Ok(Tree::Leaf(value)),
            TreeContext::Rules | TreeContext::Rule => Err(E::invalid_type(unexpected, &self)),
        }
    }
}

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            TreeContext::Any | TreeContext::File => "an object or a list",
            TreeContext::Rules => {
                "a list of rules, each with `type` and `description`, or a mapping from type to description"
            }
            TreeContext::Rule => "a rule with `type` and `description`",
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut fields = Vec::new();
        let mut keys = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if !keys.insert(key.clone()) {
                return Err(A::Error::custom(format!(
                    "{} is given twice; keys and types must differ",
                    quote(&key)
                )));
            }
            if self.0 == TreeContext::Rule && !RULE_KEYS.contains(&&*key) {
                return Err(A::Error::unknown_field(&key, &RULE_KEYS));
            }
            let value = if self.0.is_text(&key) {
                Tree::Leaf(map.next_value::<String>()?.into())
            } else if key == "type" {
                // A type is text, even if it looks like a number.
                Tree::Leaf(map.next_value::<Option<String>>()?.into())
            } else {
                map.next_value_seed(TreeSeed(self.0.field(&key)))?
            };
            fields.push((key, value));
        }
        if self.0 == TreeContext::Rule
            && let Some(missing) = RULE_KEYS.into_iter().find(|key| !keys.contains(*key))
        {
            return Err(A::Error::missing_field(missing));
        }
        Ok(Tree::Map(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(TreeSeed(self.0.item()))? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Tree, E> {
        self.leaf(text.into(), Unexpected::Str(text))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Tree, E> {
        self.leaf(value.into(), Unexpected::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Tree, E> {
        self.leaf(value.into(), Unexpected::Signed(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Tree, E> {
        self.leaf(value.into(), Unexpected::Unsigned(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Tree, E> {
        self.leaf(value.into(), Unexpected::Float(value))
    }

    fn visit_unit<E: Error>(self) -> Result<Tree, E> {
        self.leaf(Value::Null, Unexpected::Unit)
    }
}

impl Tree {
    /// Returns the tree unchanged, as JSON.
    pub(crate) fn into_value(self) -> Value {
        match self {
            Self::Leaf(value) => value,
            Self::List(items) => items.into_iter().map(Self::into_value).collect(),
            Self::Map(fields) => fields
                .into_iter()
                .map(|(key, value)| (key, value.into_value()))
                .collect(),
        }
    }

    /// Returns rules in the API's form: a mapping from type to description becomes a list.
    pub(crate) fn into_rules(self) -> Value {
        match self {
            Self::Map(fields) => fields
                .into_iter()
                .map(|(key, value)| json!({"type": key, "description": value.into_value()}))
                .collect(),
            other => other.into_value(),
        }
    }

    /// Returns a configuration in the API's form. The tree may be the rules alone: as a list, or as a mapping from type
    /// to description, beside which there may be other keys of a configuration.
    pub(crate) fn into_configuration(self) -> Value {
        match self {
            Self::List(_) => json!({ RULES: self.into_rules() }),
            Self::Map(fields) if has_rules_as_mapping(&fields) => {
                let (known, types): (Vec<_>, Vec<_>) = fields
                    .into_iter()
                    .partition(|(key, _)| CONFIGURATION_KEYS.contains(&&**key));
                let mut configuration = Self::Map(known).into_value();
                configuration[RULES] = Self::Map(types).into_rules();
                configuration
            }
            Self::Map(fields) => fields
                .into_iter()
                .map(|(key, value)| {
                    let value = if key == RULES {
                        value.into_rules()
                    } else {
                        value.into_value()
                    };
                    (key, value)
                })
                .collect(),
            Self::Leaf(value) => value,
        }
    }
}

/// Whether a map has no `rules`, and its unknown keys are types with their descriptions.
fn has_rules_as_mapping(fields: &[(String, Tree)]) -> bool {
    let mut types = fields
        .iter()
        .filter(|(key, _)| !CONFIGURATION_KEYS.contains(&&**key))
        .peekable();
    fields.iter().all(|(key, _)| key != RULES)
        && types.peek().is_some()
        && types.all(|(_, value)| matches!(value, Tree::Leaf(Value::String(_))))
}
