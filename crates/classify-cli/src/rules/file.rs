//! Rules files: YAML, JSON or TOML, by the extension.
//!
//! ```yaml
//! rules:
//!   - type: invoice
//!     description: A seller bills a customer and asks for payment by a due date.
//! parsing_configuration:      # optional
//!   lang: en
//! ```
//!
//! The rules may also be a mapping from type to description, under `rules` or as the whole file.

use std::path::Path;

use classify_proto::v2::Configuration;

use super::keys;
use super::tree::FileTree;
use crate::error::CliError;
use crate::parse_message::{describe, describe_json, shorten};
use crate::text_encoding;
use crate::yaml::{self, LostText, at_path};

/// The maximum size of a rules file. A larger file is probably a document.
pub(crate) const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// The maximum length of a path in an error, in characters. A user may have written rules instead of a path.
const MAX_PATH_CHARS: usize = 300;

/// The format of a rules file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RulesFormat {
    Yaml,
    Json,
    Toml,
}

/// The parsed content of a rules file.
#[derive(Debug)]
pub(crate) struct RulesFile {
    pub(crate) configuration: Configuration,
    /// Texts of which YAML ignores a part.
    pub(crate) lost_texts: Vec<LostText>,
}

/// Reads a rules file.
///
/// The service's limits are not validated here: flags may add rules.
pub(crate) fn read(path: &Path) -> Result<RulesFile, CliError> {
    let path_text = shorten(&path.display().to_string(), MAX_PATH_CHARS);
    format_of(path)?;
    let metadata = std::fs::metadata(path).map_err(|error| {
        let cli_error = CliError::usage(format!(
            "the rules file {path_text} cannot be read: {error}"
        ));
        match error.kind() {
            std::io::ErrorKind::NotFound => cli_error.hint("check the path given to --rules"),
            _ => cli_error,
        }
        .path_hint(path)
    })?;
    if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
        return Err(not_rules_file(&path_text));
    }
    let bytes = std::fs::read(path).map_err(|error| {
        CliError::usage(format!(
            "the rules file {path_text} cannot be read: {error}"
        ))
    })?;
    from_bytes(path, bytes)
}

/// Parses the content of a rules file. The extension of the path selects the format, and errors name the path.
pub(crate) fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<RulesFile, CliError> {
    let path_text = shorten(&path.display().to_string(), MAX_PATH_CHARS);
    let format = format_of(path)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(not_rules_file(&path_text));
    }
    let text = text_encoding::decode(bytes).map_err(|error| {
        CliError::usage(format!("{path_text}: {error}")).hint("save the file as UTF-8")
    })?;
    let configuration = parse(&text, format).map_err(|message| {
        CliError::usage(format!("{path_text}: {message}"))
            .hint("`llamacloud-prod classify run --help` shows what a rules file looks like")
    })?;
    let lost_texts = match format {
        RulesFormat::Yaml => yaml::lost_texts(&text),
        RulesFormat::Json | RulesFormat::Toml => Vec::new(),
    };
    Ok(RulesFile {
        configuration,
        lost_texts,
    })
}

/// Returns the format that the extension of a path selects.
fn format_of(path: &Path) -> Result<RulesFormat, CliError> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension.unwrap_or_default().to_ascii_lowercase().as_str() {
        "yaml" | "yml" => Ok(RulesFormat::Yaml),
        "json" => Ok(RulesFormat::Json),
        "toml" => Ok(RulesFormat::Toml),
        _ => Err(CliError::usage(format!(
            "{}: unknown file format",
            shorten(&path.display().to_string(), MAX_PATH_CHARS)
        ))
        .hint("name the file .yaml, .json or .toml")),
    }
}

fn not_rules_file(path_text: &str) -> CliError {
    CliError::usage(format!(
        "{path_text} is not a rules file: expected a file of at most {} MiB",
        MAX_FILE_BYTES / 1024 / 1024
    ))
}

pub(super) fn parse(text: &str, format: RulesFormat) -> Result<Configuration, String> {
    match format {
        RulesFormat::Json => {
            let mut deserializer = serde_json::Deserializer::from_str(text);
            let tree = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
                at_path(&error.path().clone(), &describe_json(&error.into_inner()))
            })?;
            let configuration = convert(tree)?;
            deserializer.end().map_err(|error| describe_json(&error))?;
            Ok(configuration)
        }
        RulesFormat::Toml => {
            let deserializer =
                toml::Deserializer::parse(text).map_err(|error| toml_message(text, &error))?;
            let tree = serde_path_to_error::deserialize(deserializer).map_err(|error| {
                let path = error.path().clone();
                at_path(&path, &toml_message(text, &error.into_inner()))
            })?;
            convert(tree)
        }
        RulesFormat::Yaml => parse_yaml(text),
    }
}

/// Parses a rules file in YAML.
pub(crate) fn parse_yaml(text: &str) -> Result<Configuration, String> {
    convert(yaml::from_str(text)?)
}

/// Converts a file to a configuration. Unlike a configuration of the API, it must have rules, and no unknown keys even
/// without validation.
fn convert(FileTree(tree): FileTree) -> Result<Configuration, String> {
    let mut value = tree.into_configuration();
    keys::check_configuration(&value, &[]).map_err(|unknown| unknown.to_string())?;
    if value.get(keys::RULES).is_none() {
        return Err(
            "no rules; add `rules:` with a list of types and their descriptions".to_owned(),
        );
    }
    super::quote_target_pages(&mut value);
    super::to_configuration(value)
}

/// Describes an error in TOML. The library's text quotes the line, so only its message is used.
fn toml_message(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().split_whitespace().collect::<Vec<_>>();
    let message = shorten(&describe(&message.join(" ")), 300);
    match error.span() {
        Some(span) => format!("line {}: {message}", line_of(text.as_bytes(), span.start)),
        None => message,
    }
}

/// Returns the number of the line that contains a byte.
fn line_of(text: &[u8], offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    before.split(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use classify_proto::v2::Mode;

    const LIST: &str = "rules:\n  - type: invoice\n    description: asks for payment\n  - type: \"1099\"\n    description: a tax form\n";

    fn types(text: &str, format: RulesFormat) -> Vec<String> {
        let configuration = parse(text, format).unwrap();
        configuration
            .rules
            .into_iter()
            .map(|rule| rule.r#type)
            .collect()
    }

    fn message(text: &str, format: RulesFormat) -> String {
        parse(text, format).unwrap_err()
    }

    #[test]
    fn rules_file_accepts_every_shape_in_yaml_json_and_toml() {
        let expected = ["invoice", "1099"];
        assert_eq!(types(LIST, RulesFormat::Yaml), expected);
        for yaml in [
            "- {type: invoice, description: asks for payment}\n- {type: 1099, description: a tax form}",
            "rules: {invoice: asks for payment, 1099: a tax form}",
            "invoice: asks for payment\n1099: a tax form",
        ] {
            assert_eq!(types(yaml, RulesFormat::Yaml), expected, "{yaml}");
        }
        for json in [
            r#"{"rules": [{"type": "invoice", "description": "d"}, {"type": "1099", "description": "d"}]}"#,
            r#"{"rules": {"invoice": "d", "1099": "d"}}"#,
            r#"{"invoice": "d", "1099": "d"}"#,
            r#"[{"type": "invoice", "description": "d"}, {"type": "1099", "description": "d"}]"#,
        ] {
            assert_eq!(types(json, RulesFormat::Json), expected, "{json}");
        }
        for toml in [
            "[[rules]]\ntype = 'invoice'\ndescription = 'd'\n[[rules]]\ntype = '1099'\ndescription = 'd'",
            "[rules]\ninvoice = 'd'\n1099 = 'd'",
        ] {
            let mut found = types(toml, RulesFormat::Toml);
            found.sort_by(|left, right| right.cmp(left));
            assert_eq!(found, expected, "{toml}");
        }
    }

    #[test]
    fn rules_file_reads_mode_and_parsing_configuration() {
        let text = format!(
            "{LIST}mode: FAST\nparsing_configuration: {{lang: de, max_pages: 5, target_pages: 3}}"
        );
        let configuration = parse(&text, RulesFormat::Yaml).unwrap();
        assert_eq!(configuration.mode, Some(Mode::Fast));
        let parsing = configuration.parsing_configuration.unwrap();
        assert_eq!(parsing.lang.as_deref(), Some("de"));
        assert_eq!(parsing.max_pages, Some(5));
        assert_eq!(parsing.target_pages.as_deref(), Some("3"));
    }

    #[test]
    fn rules_file_error_names_location() {
        for (text, format, expected) in [
            ("rules:\n  - type: a\n", RulesFormat::Yaml, "rules[0]"),
            ("rules:\n  - type: a\n", RulesFormat::Yaml, "description"),
            (
                "rules:\n  - typ: a\n    description: b",
                RulesFormat::Yaml,
                "typ",
            ),
            ("rule:\n  - type: a\n", RulesFormat::Yaml, "`rule`"),
            ("rules: 5", RulesFormat::Yaml, "list of rules"),
            ("rules:\n\t- type: a", RulesFormat::Yaml, "line 2"),
            ("mode: FAST", RulesFormat::Yaml, "no rules"),
            ("rules: []\nextra: 1", RulesFormat::Yaml, "`extra`"),
            ("a: x\na: y", RulesFormat::Yaml, "line 2"),
            (
                r#"{"rules": {"a": "x", "a": "y"}}"#,
                RulesFormat::Json,
                "`a` is given twice",
            ),
            (
                "{\"rules\": [\n{\"type\": 5}]}",
                RulesFormat::Json,
                "rules[0].type",
            ),
            (
                "{\"rules\": [\n{\"type\": 5}]}",
                RulesFormat::Json,
                "line 2",
            ),
            ("{\"rules\": [}", RulesFormat::Json, "line 1, column 12"),
            ("{} x", RulesFormat::Json, "no rules"),
            ("rules = [\n", RulesFormat::Toml, "line 1"),
            (
                "[[rules]]\ntype = 5\ndescription = 'd'",
                RulesFormat::Toml,
                "line 2",
            ),
            (
                "[[rules]]\ntype = 'a'\ndescription = 'd'\nextra = 1",
                RulesFormat::Toml,
                "extra",
            ),
        ] {
            let found = message(text, format);
            assert!(found.contains(expected), "{text:?}: {found}");
        }
    }

    #[test]
    fn rules_file_with_unknown_extension_is_rejected_with_hint() {
        for name in ["rules", "rules.txt"] {
            let Err(CliError::Report(report)) = read(Path::new(name)) else {
                panic!("{name} was read")
            };
            assert!(
                report
                    .hint
                    .as_deref()
                    .is_some_and(|hint| hint.contains(".yaml"))
            );
        }
    }
}
