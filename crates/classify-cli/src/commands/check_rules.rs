//! `classify rules check`

use std::collections::BTreeMap;

use classify_proto::Operation as _;
use classify_proto::v2::{Configuration, CreateJob, Rule};
use serde::Serialize;

use crate::args::global::GlobalArgs;
use crate::args::rules::RulesCheckArgs;
use crate::error::CliError;
use crate::output::OutputWriter;
use crate::output::results::{ResultCount, ResultKind, ResultWriter};
use crate::printer::counted;
use crate::rules;
use crate::terminal::escape;

/// The similarity from which two descriptions are hard to tell apart.
const MAX_SIMILARITY: f64 = 0.8;
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
struct Diagnostic {
    severity: &'static str,
    /// The path in the configuration.
    field: String,
    message: String,
}

/// Checks a rules file.
pub(crate) fn check_rules(args: &RulesCheckArgs, global: &GlobalArgs) -> Result<(), CliError> {
    let configuration = rules::file::read(&args.file)?;
    let diagnostics = diagnostics(&configuration);
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
                "{}, nothing to change",
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
        "{}: {errors} {} to change",
        args.file.display(),
        if errors == 1 { "thing" } else { "things" }
    )))
}

fn diagnostics(configuration: &Configuration) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    // The core validates the limits of the service.
    let create = CreateJob::new("dfl-0", configuration.clone());
    if let Err(error) = create.validate() {
        diagnostics.extend(error.field_errors().iter().map(|field| Diagnostic {
            severity: "error",
            field: field.field.clone(),
            message: field.message.clone(),
        }));
    }
    let mut warning = |field: String, message: String| {
        diagnostics.push(Diagnostic {
            severity: "warning",
            field,
            message,
        });
    };
    let rules = &configuration.rules;
    let mut types: BTreeMap<String, &Rule> = BTreeMap::new();
    for (index, rule) in rules.iter().enumerate() {
        match types.insert(rule.r#type.to_lowercase(), rule) {
            Some(other) if other.r#type != rule.r#type => warning(
                format!("configuration.rules[{index}].type"),
                format!(
                    "`{}` differs from `{}` in case only",
                    rule.r#type, other.r#type
                ),
            ),
            _ => {}
        }
        for (earlier, other) in rules[..index].iter().enumerate() {
            let similarity = strsim::sorensen_dice(
                &rule.description.to_lowercase(),
                &other.description.to_lowercase(),
            );
            if similarity >= MAX_SIMILARITY {
                warning(
                    format!("configuration.rules[{index}].description"),
                    format!(
                        "nearly the same as that of rules[{earlier}] (`{}`): say what tells the two apart",
                        other.r#type
                    ),
                );
            }
        }
    }
    let has_catch_all = types
        .keys()
        .any(|name| CATCH_ALL_TYPES.contains(&name.trim()));
    if !rules.is_empty() && !has_catch_all {
        warning(
            "configuration.rules".to_owned(),
            "no rule takes the rest: what fits none gets no type, or the nearest; add one of type `other`".to_owned(),
        );
    }
    diagnostics
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rules: &[(&str, &str)]) -> Vec<String> {
        let rules = rules.iter().map(|(name, text)| Rule::new(*name, *text));
        diagnostics(&Configuration::new(rules))
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
            "case only",
        );
        assert_found(
            &[
                ("a", bill),
                ("b", "asks for payment of the amount by a due date"),
                OTHER,
            ],
            "nearly the same",
        );
        assert_found(&[("a", bill)], "no rule takes the rest");
    }
}
