//! `classify rules check`

use std::collections::BTreeMap;

use classify_proto::Operation as _;
use classify_proto::v2::{Configuration, CreateJob, Rule};
use serde::Serialize;
use unicode_normalization::UnicodeNormalization as _;

use crate::args::global::GlobalArgs;
use crate::args::rules::RulesCheckArgs;
use crate::error::CliError;
use crate::output::OutputWriter;
use crate::output::results::{ResultCount, ResultKind, ResultWriter};
use crate::printer::counted;
use crate::rules;
use crate::terminal::escape;
use crate::yaml::LostText;
use classify_rules::parse_message::quote_text;

/// The similarity above which two descriptions are reported.
const MAX_SIMILARITY: f64 = 0.8;
/// The maximum number of diagnostics of one kind. One more contains the number of the others.
const MAX_DIAGNOSTICS: usize = 20;
/// Types that match the documents of no other rule.
const CATCH_ALL_TYPES: [&str; 8] = [
    "other",
    "others",
    "else",
    "misc",
    "miscellaneous",
    "unknown",
    "none",
    "uncategorized",
];

/// An error or a warning about the rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
pub(crate) struct Diagnostic {
    pub(crate) severity: &'static str,
    /// The path in the configuration.
    field: String,
    message: String,
}

/// Checks a rules file.
pub(crate) fn check_rules(args: &RulesCheckArgs, global: &GlobalArgs) -> Result<(), CliError> {
    let file = rules::file::read(&args.file)?;
    let configuration = file.configuration;
    let diagnostics = diagnostics(&configuration, &file.lost_texts);
    if global.prints_for_people() {
        let mut output = OutputWriter::stdout();
        for diagnostic in &diagnostics {
            output.line(&escape(&format!(
                "{}: {}: {}",
                diagnostic.severity, diagnostic.field, diagnostic.message
            )))?;
        }
        if diagnostics.is_empty() {
            output.line(&format!(
                "{}, no problems found",
                counted(configuration.rules.len(), "rule", "rules")
            ))?;
        }
    } else {
        let mut results = ResultWriter::open(
            global.result_settings(),
            None,
            ResultKind::Other,
            ResultCount::Many,
        )?;
        for diagnostic in &diagnostics {
            results.write(&serde_json::json!(diagnostic).to_string())?;
        }
        results.finish()?;
    }
    let errors = diagnostics
        .iter()
        .filter(|diagnostic| args.strict || diagnostic.severity == "error")
        .count();
    if errors == 0 {
        return Ok(());
    }
    Err(CliError::usage(format!(
        "{}: {errors} {} found",
        args.file.display(),
        if errors == 1 { "problem" } else { "problems" }
    )))
}

/// Returns the errors and warnings about a configuration. `lost_texts` are the texts of its file that YAML cuts short.
pub(crate) fn diagnostics(
    configuration: &Configuration,
    lost_texts: &[LostText],
) -> Vec<Diagnostic> {
    let mut diagnostics = validation_errors(configuration);
    let mut add = |what: &str, found: Vec<(String, String)>| {
        let more = found.len().saturating_sub(MAX_DIAGNOSTICS);
        let mut warning = |field: String, message: String| {
            diagnostics.push(Diagnostic {
                severity: "warning",
                field,
                message,
            });
        };
        for (field, message) in found.into_iter().take(MAX_DIAGNOSTICS) {
            warning(field, message);
        }
        if more > 0 {
            warning(
                "configuration.rules".to_owned(),
                format!("{more} more {what}"),
            );
        }
    };
    let lost = lost_texts.iter().map(|lost| {
        let path = lost
            .path
            .strip_prefix("configuration.")
            .unwrap_or(&lost.path);
        (
            format!("configuration.{path}"),
            format!("line {}: {}", lost.line, lost.message),
        )
    });
    add("texts are cut short", lost.collect());
    add(
        "types differ from an earlier one only in case, spaces or invisible characters",
        similar_types(&configuration.rules),
    );
    add(
        "descriptions are nearly the same as an earlier one",
        similar_descriptions(&configuration.rules),
    );
    let has_catch_all = configuration
        .rules
        .iter()
        .any(|rule| CATCH_ALL_TYPES.contains(&&*comparable(&rule.r#type)));
    if !configuration.rules.is_empty() && !has_catch_all {
        let message = "no rule for all other documents, which get no type or the closest one; add a rule of type `other`";
        add(
            "",
            vec![("configuration.rules".to_owned(), message.to_owned())],
        );
    }
    diagnostics
}

/// Returns the errors that the service would reject.
fn validation_errors(configuration: &Configuration) -> Vec<Diagnostic> {
    // The core validates the limits of the service.
    let Err(error) = CreateJob::new("dfl-0", configuration.clone()).validate() else {
        return Vec::new();
    };
    let errors = error.field_errors();
    let diagnostic = |field: &str, message: &str| Diagnostic {
        severity: "error",
        field: field.to_owned(),
        message: message.to_owned(),
    };
    let mut diagnostics: Vec<_> = errors
        .iter()
        .take(MAX_DIAGNOSTICS)
        .map(|error| diagnostic(&error.field, &error.message))
        .collect();
    if errors.len() > MAX_DIAGNOSTICS {
        let message = format!("{} more errors", errors.len() - MAX_DIAGNOSTICS);
        diagnostics.push(diagnostic("configuration", &message));
    }
    diagnostics
}

/// Returns a type without differences that a reader does not see: case, spaces, invisible characters, and the Unicode
/// form of its letters.
fn comparable(r#type: &str) -> String {
    let is_invisible = |c: char| {
        c.is_control()
            || matches!(
                c,
                '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
            )
    };
    let visible: String = r#type
        .nfkc()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !is_invisible(*c))
        .collect();
    let words: Vec<_> = visible.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

/// Returns the types that look like an earlier one.
fn similar_types(rules: &[Rule]) -> Vec<(String, String)> {
    let mut types: BTreeMap<String, &Rule> = BTreeMap::new();
    let mut found = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let first = *types.entry(comparable(&rule.r#type)).or_insert(rule);
        if first.r#type != rule.r#type {
            found.push((
                format!("configuration.rules[{index}].type"),
                format!(
                    "{} differs from {} only in case, spaces or invisible characters",
                    quote_text(&rule.r#type),
                    quote_text(&first.r#type)
                ),
            ));
        }
    }
    found
}

/// Returns the descriptions that are nearly the same as an earlier one, each with the first such.
fn similar_descriptions(rules: &[Rule]) -> Vec<(String, String)> {
    let descriptions: Vec<_> = rules
        .iter()
        .map(|rule| rule.description.to_lowercase())
        .collect();
    let is_similar = |left: &str, right: &str| {
        // Texts of very different lengths cannot be similar, and are not compared.
        let (shorter, longer) = (left.len().min(right.len()), left.len().max(right.len()));
        shorter * 2 >= longer && strsim::sorensen_dice(left, right) >= MAX_SIMILARITY
    };
    let mut found = Vec::new();
    for (index, description) in descriptions.iter().enumerate() {
        let earlier = descriptions[..index]
            .iter()
            .position(|other| is_similar(description, other));
        if let Some(earlier) = earlier {
            found.push((
                format!("configuration.rules[{index}].description"),
                format!(
                    "nearly the same as that of rules[{earlier}] ({}); describe how the two differ",
                    quote_text(&rules[earlier].r#type)
                ),
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rules: &[(&str, &str)]) -> Vec<String> {
        let rules = rules.iter().map(|(name, text)| Rule::new(*name, *text));
        diagnostics(&Configuration::new(rules), &[])
            .into_iter()
            .map(|found| format!("{} {} {}", found.severity, found.field, found.message))
            .collect()
    }

    const OTHER: (&str, &str) = ("other", "anything that no other rule describes");

    #[test]
    fn rules_check_passes_good_rules() {
        let found = of(&[
            ("invoice", "asks for payment of an amount by a due date"),
            ("recipe", "lists ingredients and how to cook a meal"),
            OTHER,
        ]);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn rules_check_reports_each_mistake() {
        let assert_found = |rules: &[(&str, &str)], what: &str| {
            let found = of(rules);
            assert!(
                found.iter().any(|line| line.contains(what)),
                "{what}: {found:?}"
            );
        };
        let bill = "asks for payment of an amount by a due date";
        assert_found(&[], "error");
        assert_found(
            &[("a", bill), ("a", "lists ingredients for a meal"), OTHER],
            "error",
        );
        assert_found(&[("", bill), OTHER], "error");
        assert_found(&[("a", "short"), OTHER], "error");
        assert_found(
            &[
                ("Bill", bill),
                ("bill", "lists ingredients for a meal"),
                OTHER,
            ],
            "only in case, spaces or invisible characters",
        );
        assert_found(
            &[
                ("a", bill),
                ("b", "asks for payment of the amount by a due date"),
                OTHER,
            ],
            "nearly the same",
        );
        assert_found(&[("a", bill)], "no rule for all other documents");
    }

    #[test]
    fn rules_check_reports_types_that_look_alike() {
        for other in [
            "invoice ",
            " invoice",
            "in\u{200b}voice",
            "INVOICE",
            "invoi\u{ff43}e",
        ] {
            let found = of(&[
                ("invoice", "asks for payment of an amount by a due date"),
                (other, "lists ingredients and how to cook a meal"),
                OTHER,
            ]);
            let is_warned = |line: &String| line.contains("warning configuration.rules[1].type");
            assert!(found.iter().any(is_warned), "{other:?}: {found:?}");
        }
        // Composed and decomposed letters, and spaces within.
        for (left, right) in [
            ("r\u{e9}sum\u{e9}", "re\u{301}sume\u{301}"),
            ("a b", "a  b"),
        ] {
            assert_eq!(
                similar_types(&[Rule::new(left, ""), Rule::new(right, "")]).len(),
                1
            );
        }
        assert_eq!(
            similar_types(&[Rule::new("ab", ""), Rule::new("a b", "")]),
            []
        );
    }

    #[test]
    fn rules_check_of_similar_rules_is_bounded() {
        let rules: Vec<_> = (0..200)
            .map(|index| {
                Rule::new(
                    format!("t{index}"),
                    format!("asks for payment of an amount by a due date {index}"),
                )
            })
            .collect();
        let found = diagnostics(&Configuration::new(rules), &[]);
        assert_eq!(found.len(), MAX_DIAGNOSTICS + 2, "{found:?}");
        let more = &found[MAX_DIAGNOSTICS].message;
        assert_eq!(
            more,
            "179 more descriptions are nearly the same as an earlier one"
        );
        let twice = (0..200).map(|_| Rule::new("a", "asks for payment"));
        let found = diagnostics(&Configuration::new(twice), &[]);
        let errors = found.iter().filter(|found| found.severity == "error");
        assert_eq!(errors.count(), MAX_DIAGNOSTICS + 1);
    }
}
