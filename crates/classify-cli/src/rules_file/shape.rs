//! The shapes a rules file may have, read by hand: the same for every language, with errors in the file's own words.

use std::collections::BTreeSet;
use std::fmt;

use classify_proto::v2::{Configuration, Mode, ParsingConfiguration, Rule};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

const KEYS: &str = "the file may have `rules`, `mode` and `parsing_configuration`";

/// The file as a whole, in any of its shapes.
#[derive(Debug)]
pub(super) struct RulesFile(pub(super) Configuration);

impl<'de> Deserialize<'de> for RulesFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FileVisitor).map(Self)
    }
}

struct FileVisitor;

impl<'de> Visitor<'de> for FileVisitor {
    type Value = Configuration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "rules: a list of types with their descriptions, or a mapping from type to description",
        )
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Configuration, A::Error> {
        Ok(Configuration::new(RulesVisitor.visit_seq(items)?.0))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Configuration, A::Error> {
        let mut rules = None;
        let mut mode: Option<String> = None;
        let mut parsing: Option<Parsing> = None;
        // Keys that the file does not know are types, if the whole file is a mapping from type to description.
        let mut others: Vec<(String, Option<String>)> = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "rules" => set(&mut rules, "rules", map.next_value::<RuleList>()?)?,
                "mode" => set(&mut mode, "mode", map.next_value()?)?,
                "parsing_configuration" => {
                    set(&mut parsing, "parsing_configuration", map.next_value()?)?;
                }
                _ => match map.next_value::<Description>()? {
                    Description::Text(text) => others.push((key, Some(text))),
                    Description::Other => others.push((key, None)),
                },
            }
        }
        let rules = match (rules, others) {
            (Some(rules), others) => {
                if let Some((key, _)) = others.first() {
                    return Err(A::Error::custom(format!("unknown key `{key}`; {KEYS}")));
                }
                rules.0
            }
            (None, others) if others.is_empty() => {
                return Err(A::Error::custom(
                    "it has no rules; add `rules:` with a list of types and their descriptions",
                ));
            }
            (None, others) => from_mapping(others.into_iter().map(|(key, text)| match text {
                Some(text) => Ok((key, text)),
                None => Err(A::Error::custom(format!(
                    "`{key}` is neither a key of a rules file nor a type with its description; {KEYS}"
                ))),
            }))?,
        };
        let mut configuration = Configuration::new(rules);
        configuration.mode = mode.map(Mode::from);
        configuration.parsing_configuration = parsing.map(Parsing::into_core);
        Ok(configuration)
    }
}

fn set<T, E: serde::de::Error>(slot: &mut Option<T>, key: &'static str, value: T) -> Result<(), E> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::duplicate_field(key)),
    }
}

fn from_mapping<E: serde::de::Error>(
    pairs: impl Iterator<Item = Result<(String, String), E>>,
) -> Result<Vec<Rule>, E> {
    let mut seen = BTreeSet::new();
    let mut rules = Vec::new();
    for pair in pairs {
        let (r#type, description) = pair?;
        if !seen.insert(r#type.clone()) {
            return Err(E::custom(format!(
                "the type `{type}` stands twice; types must differ"
            )));
        }
        rules.push(Rule::new(r#type, description));
    }
    Ok(rules)
}

/// The rules as a list or as a mapping.
#[derive(Debug)]
struct RuleList(Vec<Rule>);

impl<'de> Deserialize<'de> for RuleList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RulesVisitor)
    }
}

struct RulesVisitor;

impl<'de> Visitor<'de> for RulesVisitor {
    type Value = RuleList;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rules, each with `type` and `description`, or a mapping from type to description")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<RuleList, A::Error> {
        let mut rules = Vec::new();
        while let Some(entry) = items.next_element::<Entry>()? {
            rules.push(Rule::new(entry.r#type, entry.description));
        }
        Ok(RuleList(rules))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RuleList, A::Error> {
        from_mapping(std::iter::from_fn(|| map.next_entry().transpose())).map(RuleList)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    r#type: String,
    description: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parsing {
    lang: Option<String>,
    max_pages: Option<u32>,
    target_pages: Option<Pages>,
}

impl Parsing {
    fn into_core(self) -> ParsingConfiguration {
        let mut parsing = ParsingConfiguration::new();
        parsing.lang = self.lang;
        parsing.max_pages = self.max_pages;
        parsing.target_pages = self.target_pages.map(|pages| pages.0);
        parsing
    }
}

/// Pages as text; a single page may stand without quotes.
struct Pages(String);

impl<'de> Deserialize<'de> for Pages {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Pages;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("pages in quotes, such as \"1,3,5-7\"")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Pages, E> {
                Ok(Pages(text.to_owned()))
            }

            fn visit_u64<E: serde::de::Error>(self, page: u64) -> Result<Pages, E> {
                Ok(Pages(page.to_string()))
            }

            fn visit_i64<E: serde::de::Error>(self, page: i64) -> Result<Pages, E> {
                Ok(Pages(page.to_string()))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

/// A description, or whatever stands where one was expected.
enum Description {
    Text(String),
    Other,
}

impl<'de> Deserialize<'de> for Description {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Self::Text(text),
            _ => Self::Other,
        })
    }
}
