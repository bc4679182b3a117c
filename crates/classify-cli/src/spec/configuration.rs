//! A configuration as people write it: in the API's form, or in the shapes of a rules file; and the keys that it may
//! have.
//!
//! It is read from the text and not from a JSON value, so that rules keep their order and a type its zeros; and not
//! into the core's type either, so that a key which this version does not know is still there to be named, or sent.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};

use super::given::Given;
use super::{Endpoint, Field, WEBHOOK};
use crate::exit::Problem;

const KEYS: [&str; 3] = ["rules", "mode", "parsing_configuration"];
const RULE: [&str; 2] = ["type", "description"];
const PARSING: [&str; 3] = ["lang", "max_pages", "target_pages"];

/// A text in YAML or JSON with its maps in order.
pub(crate) enum Tree {
    Leaf(Value),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut fields = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            // The number of a tax form is a type too.
            let value = if key == "type" {
                Tree::Leaf(map.next_value::<Option<String>>()?.into())
            } else {
                map.next_value()?
            };
            fields.push((key, value));
        }
        Ok(Tree::Map(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Leaf(text.into()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::Null))
    }
}

impl Tree {
    /// As it is.
    fn plain(self) -> Value {
        match self {
            Self::Leaf(value) => value,
            Self::List(items) => items.into_iter().map(Self::plain).collect(),
            Self::Map(fields) => fields
                .into_iter()
                .map(|(key, value)| (key, value.plain()))
                .collect(),
        }
    }

    /// As rules: a map from type to description is a list of them.
    pub(crate) fn rules(self) -> Value {
        match self {
            Self::Map(fields) => fields
                .into_iter()
                .map(|(key, value)| json!({"type": key, "description": value.plain()}))
                .collect(),
            other => other.plain(),
        }
    }

    /// As a configuration, which may be its rules alone.
    pub(crate) fn configuration(self) -> Value {
        let is_text = |tree: &Tree| matches!(tree, Self::Leaf(Value::String(_)));
        match self {
            Self::List(_) => json!({"rules": self.rules()}),
            Self::Map(ref fields)
                if !fields.is_empty()
                    && fields
                        .iter()
                        .all(|(key, value)| !KEYS.contains(&&**key) && is_text(value)) =>
            {
                json!({"rules": self.rules()})
            }
            Self::Map(fields) => fields
                .into_iter()
                .map(|(key, value)| {
                    let value = match key.as_str() {
                        "rules" => value.rules(),
                        _ => value.plain(),
                    };
                    (key, value)
                })
                .collect(),
            Self::Leaf(value) => value,
        }
    }
}

/// Of a body, the part that is a configuration. All else in it is the API's alone, where a `type` may be anything.
#[derive(Deserialize)]
pub(crate) struct Body {
    pub(crate) configuration: Option<Tree>,
}

/// A single page may stand without quotes.
pub(crate) fn quote_pages(configuration: &mut Value) {
    if let Some(pages) = configuration.pointer_mut("/parsing_configuration/target_pages")
        && pages.is_u64()
    {
        *pages = pages.to_string().into();
    }
}

/// Refuses keys that the service has not: it passes over them, and a page limit that is passed over costs money.
pub(crate) fn check_keys(endpoint: &Endpoint, given: &Given) -> Result<(), Problem> {
    if endpoint.name != "create" {
        return Ok(());
    }
    let webhook: Vec<&str> = WEBHOOK.iter().map(|inner| inner.name).collect();
    for field in endpoint.fields {
        let Some(value) = given.get(field.name) else {
            continue;
        };
        match field.name {
            "configuration" => configuration_keys(field, value, &KEYS)?,
            "parameters" if value["product_type"] == "classify_v2" => {
                let keys = [&KEYS[..], &["product_type"]].concat();
                configuration_keys(field, value, &keys)?;
            }
            "rules" => each(field, "", value, &RULE)?,
            "parsing_configuration" => one(field, "", value, &PARSING)?,
            "webhook_configurations" => each(field, "", value, &webhook)?,
            _ => {}
        }
    }
    Ok(())
}

fn configuration_keys(field: &Field, value: &Value, keys: &[&str]) -> Result<(), Problem> {
    one(field, "", value, keys)?;
    one(
        field,
        "parsing_configuration: ",
        &value["parsing_configuration"],
        &PARSING,
    )?;
    each(field, "rules", &value["rules"], &RULE)
}

fn each(field: &Field, place: &str, value: &Value, keys: &[&str]) -> Result<(), Problem> {
    for (nth, item) in value.as_array().into_iter().flatten().enumerate() {
        one(field, &format!("{place}[{nth}]: "), item, keys)?;
    }
    Ok(())
}

fn one(field: &Field, place: &str, value: &Value, keys: &[&str]) -> Result<(), Problem> {
    let none = Map::new();
    let fields = value.as_object().unwrap_or(&none);
    let Some(stray) = fields.keys().find(|key| !keys.contains(&key.as_str())) else {
        return Ok(());
    };
    let alike = |key: &&&str| (strsim::jaro_winkler(stray, key) * 1000.0).round();
    let nearest = keys
        .iter()
        .max_by(|left, right| alike(left).total_cmp(&alike(right)))
        .copied()
        .unwrap_or_default();
    Err(Problem::usage(format!(
        "--{}: {place}there is no key `{stray}`; the nearest is `{nearest}`",
        field.flag
    ))
    .hint("nothing was sent; --no-checks sends it as it is, if the service knows the key"))
}
