//! Validates rules and parsing configurations.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::state::job::{JobConfiguration, Pages, Rule};
use crate::validate::Node;

/// Validates the rules of either version.
pub(super) fn rules(node: &Node<'_>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut labels = HashSet::new();
    for item in node.items(1, usize::MAX).unwrap_or_default() {
        if item.object().is_none() {
            continue;
        }
        let kind = item.field("type");
        let label = kind.string(1, 50);
        let description = item.field("description").string(10, 2000);
        let Some(label) = label else { continue };
        if label
            .chars()
            .any(|c| !c.is_alphanumeric() && !matches!(c, ' ' | '-' | '_'))
        {
            kind.add_error(
                "value_error",
                "A type has only letters, digits, spaces, hyphens and underscores",
            );
        }
        if !labels.insert(label.clone()) {
            kind.add_error("value_error", "The types of all rules must differ");
        }
        if let Some(description) = description {
            rules.push(Rule { label, description });
        }
    }
    rules
}

/// Validates a configuration of version 2. Responses contain it with the service's defaults.
pub(super) fn configuration(node: &Node<'_>) -> JobConfiguration {
    let rules = node
        .object()
        .map(|_| rules(&node.field("rules")))
        .unwrap_or_default();
    if let Some(mode) = node.field("mode").present() {
        mode.one_of(&["FAST"], "literal_error");
    }
    let mut configuration = JobConfiguration {
        rules,
        lang: "en".to_owned(),
        pages: None,
        max_pages: None,
        json: Value::Null,
    };
    let mut json = Value::Null;
    if let Some(parsing) = node.field("parsing_configuration").non_null() {
        parsing.object();
        if let Some(lang) = parsing.field("lang").present()
            && let Some(lang) = lang.string(1, 50)
        {
            configuration.lang = lang;
        }
        let target = parsing.field("target_pages").non_null();
        let target_text = target.as_ref().and_then(|target| target.string(0, 10_000));
        if let (Some(target), Some(text)) = (&target, &target_text) {
            configuration.pages = page_ranges(text);
            if configuration.pages.is_none() {
                target.add_error(
                    "value_error",
                    "Pages are numbers from 1 and ranges of them, such as 1,3,5-7",
                );
            }
        }
        let max = parsing
            .field("max_pages")
            .non_null()
            .and_then(|max| max.integer(1));
        configuration.max_pages = max.map(|max| u32::try_from(max).unwrap_or(u32::MAX));
        json = json!({ "lang": configuration.lang, "target_pages": target_text, "max_pages": max });
    }
    configuration.json = json!({
        "rules": configuration.rules,
        "mode": "FAST",
        "parsing_configuration": json,
    });
    configuration
}

/// Converts 1-based ranges such as `1,3,5-7` to 0-based pages.
fn page_ranges(text: &str) -> Option<Pages> {
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let from: u32 = from.trim().parse().ok()?;
        let to: u32 = to.trim().parse().ok()?;
        (from > 0 && from <= to).then(|| (from - 1, to - 1))
    };
    text.split(',')
        .map(range)
        .collect::<Option<_>>()
        .map(Pages::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_ranges_are_one_based() {
        let pages = |ranges: &[(u32, u32)]| Some(Pages::new(ranges.to_vec()));
        assert_eq!(page_ranges("1,3,5-7"), pages(&[(0, 0), (2, 2), (4, 6)]));
        assert_eq!(page_ranges(" 2 - 3 "), pages(&[(1, 2)]));
        for wrong in ["", "0", "3-1", "a", "1,", "-1", "1--2"] {
            assert_eq!(page_ranges(wrong), None, "{wrong}");
        }
        assert_eq!(page_ranges("1-4294967295"), pages(&[(0, u32::MAX - 1)]));
    }
}
