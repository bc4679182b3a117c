//! `classify rules check`

use std::collections::BTreeMap;

use classify_proto::Operation as _;
use classify_proto::v2::{Configuration, CreateJob, Rule};
use serde::Serialize;

use crate::args::tools::RulesCheckArgs;
use crate::args::{Format, Global};
use crate::exit::Problem;
use crate::output::Out;
use crate::output::values::{Expects, Shows, Values};

/// Descriptions that share so much of their letter pairs are hard to tell apart.
const ALIKE: f64 = 0.8;
/// Types that take what no other rule matches.
const REST: [&str; 8] = [
    "other",
    "others",
    "else",
    "misc",
    "miscellaneous",
    "unknown",
    "none",
    "uncategorized",
];

/// Something about the rules that should be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    severity: &'static str,
    /// Where, as a path into the configuration.
    field: String,
    message: String,
}

/// Checks a rules file.
pub(crate) fn check(args: &RulesCheckArgs, global: &Global) -> Result<(), Problem> {
    let configuration = crate::rules_file::read(&args.file)?;
    let findings = findings(&configuration);
    if global.format == Format::Auto && global.transform.is_none() {
        let mut out = Out::stdout();
        for found in &findings {
            out.text(&crate::output::printable(&format!(
                "{}: {}: {}",
                found.severity, found.field, found.message
            )))?;
        }
        if findings.is_empty() {
            out.text(&format!(
                "{} rules, nothing to change",
                configuration.rules.len()
            ))?;
        }
    } else {
        let mut values = Values::open(global, None, Shows::Anything, Expects::Many)?;
        for found in &findings {
            values.take(&serde_json::json!(found).to_string())?;
        }
        values.finish()?;
    }
    let errors = findings
        .iter()
        .filter(|found| args.strict || found.severity == "error")
        .count();
    if errors == 0 {
        return Ok(());
    }
    Err(Problem::usage(format!(
        "{}: {errors} {} to change",
        args.file.display(),
        if errors == 1 { "thing" } else { "things" }
    )))
}

fn findings(configuration: &Configuration) -> Vec<Finding> {
    let mut found = Vec::new();
    // The core knows the service's limits, and tells every field that breaks one.
    let create = CreateJob::new("dfl-0").configuration(configuration.clone());
    if let Err(error) = create.validate() {
        found.extend(error.field_errors().iter().map(|field| Finding {
            severity: "error",
            field: field.field.clone(),
            message: field.message.clone(),
        }));
    }
    let mut warn = |field: String, message: String| {
        found.push(Finding {
            severity: "warning",
            field,
            message,
        });
    };
    let rules = &configuration.rules;
    let mut types: BTreeMap<String, &Rule> = BTreeMap::new();
    for (place, rule) in rules.iter().enumerate() {
        match types.insert(rule.r#type.to_lowercase(), rule) {
            Some(other) if other.r#type != rule.r#type => warn(
                format!("configuration.rules[{place}].type"),
                format!(
                    "`{}` differs from `{}` in case only",
                    rule.r#type, other.r#type
                ),
            ),
            _ => {}
        }
        for (earlier, other) in rules[..place].iter().enumerate() {
            let likeness = strsim::sorensen_dice(
                &rule.description.to_lowercase(),
                &other.description.to_lowercase(),
            );
            if likeness >= ALIKE {
                warn(
                    format!("configuration.rules[{place}].description"),
                    format!(
                        "nearly the same as that of rules[{earlier}] (`{}`): say what tells the two apart",
                        other.r#type
                    ),
                );
            }
        }
    }
    let has_rest = types.keys().any(|name| REST.contains(&name.trim()));
    if !rules.is_empty() && !has_rest {
        warn(
            "configuration.rules".to_owned(),
            "no rule takes the rest: what fits none gets no type, or the nearest; add one of type `other`".to_owned(),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rules: &[(&str, &str)]) -> Vec<String> {
        let rules = rules.iter().map(|(name, text)| Rule::new(*name, *text));
        findings(&Configuration::new(rules))
            .into_iter()
            .map(|found| format!("{} {} {}", found.severity, found.field, found.message))
            .collect()
    }

    const OTHER: (&str, &str) = ("other", "anything that no other rule describes");

    #[test]
    fn good_rules_pass() {
        let found = of(&[
            ("invoice", "asks for payment of an amount by a due date"),
            ("recipe", "lists ingredients and how to cook a meal"),
            OTHER,
        ]);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn each_mistake_is_found() {
        let told = |rules: &[(&str, &str)], what: &str| {
            let found = of(rules);
            assert!(
                found.iter().any(|line| line.contains(what)),
                "{what}: {found:?}"
            );
        };
        let bill = "asks for payment of an amount by a due date";
        told(&[], "error");
        told(
            &[("a", bill), ("a", "lists ingredients for a meal"), OTHER],
            "error",
        );
        told(&[("", bill), OTHER], "error");
        told(&[("a", "short"), OTHER], "error");
        told(
            &[
                ("Bill", bill),
                ("bill", "lists ingredients for a meal"),
                OTHER,
            ],
            "case only",
        );
        told(
            &[
                ("a", bill),
                ("b", "asks for payment of the amount by a due date"),
                OTHER,
            ],
            "nearly the same",
        );
        told(&[("a", bill)], "no rule takes the rest");
    }
}
