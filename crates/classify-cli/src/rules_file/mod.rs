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

mod shape;

use std::path::Path;

use classify_proto::v2::Configuration;

use self::shape::RulesFile;
use crate::exit::Problem;

/// The larger a rules file, the likelier it is something else: a document given by mistake.
const LARGEST: u64 = 4 * 1024 * 1024;

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

#[cfg(test)]
mod tests {
    use super::*;
    use classify_proto::v2::Mode;

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
