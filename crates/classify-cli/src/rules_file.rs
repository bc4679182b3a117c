//! Rules from a file: YAML, JSON or TOML, told apart by the extension.
//!
//! ```yaml
//! rules:
//!   - type: invoice
//!     description: A seller bills a customer and asks for payment by a due date.
//! parsing_configuration:      # may be left out
//!   lang: en
//! ```
//!
//! The rules may also be a mapping from type to description, under `rules` or as the whole file.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use classify_proto::v2::{Configuration, Mode, ParsingConfiguration, Rule};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::exit::Problem;

/// The larger a rules file, the likelier it is something else: a document given by mistake.
const LARGEST: u64 = 4 * 1024 * 1024;
const KEYS: &str = "the file may have `rules`, `mode` and `parsing_configuration`";

/// The languages a rules file may be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Yaml,
    Json,
    Toml,
}

/// Reads a rules file.
///
/// The service's limits are not checked here: flags may still add to the rules.
pub(crate) fn read(path: &Path) -> Result<Configuration, Problem> {
    let shown = path.display();
    let language = match path.extension().and_then(|extension| extension.to_str()) {
        Some(extension) => match extension.to_ascii_lowercase().as_str() {
            "yaml" | "yml" => Language::Yaml,
            "json" => Language::Json,
            "toml" => Language::Toml,
            _ => return Err(no_language(path)),
        },
        None => return Err(no_language(path)),
    };
    let size = std::fs::metadata(path).map_err(|error| {
        let problem = Problem::usage(format!("the rules file {shown} cannot be read: {error}"));
        match error.kind() {
            std::io::ErrorKind::NotFound => problem.hint("check the path given to --rules"),
            _ => problem,
        }
    })?;
    if !size.is_file() || size.len() > LARGEST {
        return Err(Problem::usage(format!(
            "{shown} is no rules file: it should be a file of at most {} MiB",
            LARGEST / 1024 / 1024
        )));
    }
    let bytes = std::fs::read(path).map_err(|error| {
        Problem::usage(format!("the rules file {shown} cannot be read: {error}"))
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = line_of(error.as_bytes(), error.utf8_error().valid_up_to());
        Problem::usage(format!("{shown}, line {line}: the text is not UTF-8"))
            .hint("save the file as UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let file = parse(text, language).map_err(|message| {
        Problem::usage(format!("{shown}: {message}"))
            .hint("`llamacloud-prod classify run --help` shows what a rules file looks like")
    })?;
    Ok(file.0)
}

fn no_language(path: &Path) -> Problem {
    Problem::usage(format!(
        "{}: the extension does not say how the rules are written",
        path.display()
    ))
    .hint("name the file .yaml, .json or .toml")
}

fn parse(text: &str, language: Language) -> Result<RulesFile, String> {
    match language {
        Language::Json => {
            let mut reader = serde_json::Deserializer::from_str(text);
            let file: RulesFile = serde_path_to_error::deserialize(&mut reader)
                .map_err(|error| placed(&error.path().clone(), &error.into_inner().to_string()))?;
            reader.end().map_err(|error| error.to_string())?;
            Ok(file)
        }
        Language::Toml => {
            let reader = toml::Deserializer::parse(text).map_err(|error| one_line(&error))?;
            serde_path_to_error::deserialize(reader).map_err(|error| {
                let path = error.path().clone();
                let inner = error.into_inner();
                let place = inner
                    .span()
                    .map(|span| line_of(text.as_bytes(), span.start));
                let message = inner.message().to_owned();
                placed(
                    &path,
                    &place.map_or(message.clone(), |line| format!("{message} at line {line}")),
                )
            })
        }
        Language::Yaml => crate::args::values::yaml(text),
    }
}

/// A message with the place in the document that it is about, unless it names none.
pub(crate) fn placed(path: &serde_path_to_error::Path, message: &str) -> String {
    let path = path.to_string();
    if path == "." || path.is_empty() {
        message.to_owned()
    } else {
        format!("{path}: {message}")
    }
}

fn one_line(error: &toml::de::Error) -> String {
    error
        .to_string()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// The number of the line that a byte is in.
fn line_of(text: &[u8], offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    before.split(|byte| *byte == b'\n').count()
}

/// The file as a whole, in any of its shapes.
#[derive(Debug)]
pub(crate) struct RulesFile(Configuration);

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

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "rules:\n  - type: invoice\n    description: asks for payment\n  - type: \"1099\"\n    description: a tax form\n";

    fn types(text: &str, language: Language) -> Vec<String> {
        let file = parse(text, language).unwrap();
        file.0.rules.into_iter().map(|rule| rule.r#type).collect()
    }

    fn message(text: &str, language: Language) -> String {
        parse(text, language).unwrap_err()
    }

    #[test]
    fn every_shape_in_every_language() {
        let expected = ["invoice", "1099"];
        assert_eq!(types(LIST, Language::Yaml), expected);
        for yaml in [
            "- {type: invoice, description: asks for payment}\n- {type: 1099, description: a tax form}",
            "rules: {invoice: asks for payment, 1099: a tax form}",
            "invoice: asks for payment\n1099: a tax form",
        ] {
            assert_eq!(types(yaml, Language::Yaml), expected, "{yaml}");
        }
        for json in [
            r#"{"rules": [{"type": "invoice", "description": "d"}, {"type": "1099", "description": "d"}]}"#,
            r#"{"rules": {"invoice": "d", "1099": "d"}}"#,
            r#"{"invoice": "d", "1099": "d"}"#,
            r#"[{"type": "invoice", "description": "d"}, {"type": "1099", "description": "d"}]"#,
        ] {
            assert_eq!(types(json, Language::Json), expected, "{json}");
        }
        for toml in [
            "[[rules]]\ntype = 'invoice'\ndescription = 'd'\n[[rules]]\ntype = '1099'\ndescription = 'd'",
            "[rules]\ninvoice = 'd'\n1099 = 'd'",
        ] {
            let mut found = types(toml, Language::Toml);
            found.sort_by(|left, right| right.cmp(left));
            assert_eq!(found, expected, "{toml}");
        }
    }

    #[test]
    fn the_rest_of_a_configuration() {
        let text = format!(
            "{LIST}mode: FAST\nparsing_configuration: {{lang: de, max_pages: 5, target_pages: 3}}"
        );
        let configuration = parse(&text, Language::Yaml).unwrap().0;
        assert_eq!(configuration.mode, Some(Mode::Fast));
        let parsing = configuration.parsing_configuration.unwrap();
        assert_eq!(parsing.lang.as_deref(), Some("de"));
        assert_eq!(parsing.max_pages, Some(5));
        assert_eq!(parsing.target_pages.as_deref(), Some("3"));
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, language, expected) in [
            ("rules:\n  - type: a\n", Language::Yaml, "rules[0]"),
            ("rules:\n  - type: a\n", Language::Yaml, "description"),
            (
                "rules:\n  - typ: a\n    description: b",
                Language::Yaml,
                "typ",
            ),
            ("rule:\n  - type: a\n", Language::Yaml, "`rule`"),
            ("rules: 5", Language::Yaml, "list of rules"),
            ("rules:\n\t- type: a", Language::Yaml, "line 2"),
            ("mode: FAST", Language::Yaml, "no rules"),
            ("rules: []\nextra: 1", Language::Yaml, "`extra`"),
            ("a: x\na: y", Language::Yaml, "line 2"),
            (
                r#"{"rules": {"a": "x", "a": "y"}}"#,
                Language::Json,
                "`a` stands twice",
            ),
            (
                "{\"rules\": [\n{\"type\": 5}]}",
                Language::Json,
                "rules[0].type",
            ),
            ("{\"rules\": [\n{\"type\": 5}]}", Language::Json, "line 2"),
            ("{\"rules\": [}", Language::Json, "line 1 column 12"),
            ("{} x", Language::Json, "no rules"),
            ("rules = [\n", Language::Toml, "line 1"),
            (
                "[[rules]]\ntype = 5\ndescription = 'd'",
                Language::Toml,
                "line 2",
            ),
            (
                "[[rules]]\ntype = 'a'\ndescription = 'd'\nextra = 1",
                Language::Toml,
                "extra",
            ),
        ] {
            let found = message(text, language);
            assert!(found.contains(expected), "{text:?}: {found}");
        }
    }

    #[test]
    fn a_file_must_say_its_language() {
        for name in ["rules", "rules.txt"] {
            let Err(Problem::Told(told)) = read(Path::new(name)) else {
                panic!("{name} was read")
            };
            assert!(
                told.hint
                    .as_deref()
                    .is_some_and(|hint| hint.contains(".yaml"))
            );
        }
    }
}
