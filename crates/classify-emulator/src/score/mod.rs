//! Scores a text against the rules, with BM25 over the words of each rule's type and description.
//!
//! The rules are the collection and the document is the query: a word that occurs in every rule has a low weight, and a
//! word that occurs in a single rule has a high weight. The service does not decide this way; the method is simple and repeatable.

pub(crate) mod terms;

use std::collections::HashMap;

// The results of the methods of f64 depend on the system, and so would the confidences.
use libm::{exp, log as ln};

use crate::outcome::DocumentOutcome;
use crate::state::job::Rule;
use terms::TermCounts;

/// Weight of a word in the type, relative to one in the description.
const TYPE_WEIGHT: f64 = 3.0;
/// BM25's saturation, and its length normalization.
const K1: f64 = 1.2;
const B: f64 = 0.5;
/// Weight of words that only share a prefix ("invoice", "invoicing", "Rechnung", "Rechnungsnummer").
const PREFIX_WEIGHT: f64 = 0.5;
const MIN_PREFIX_CHARS: usize = 5;
/// The score at which the evidence alone gives a confidence of 0.63.
const EVIDENCE_SCALE: f64 = 2.5;
/// Maximum number of matched words in the reasoning.
const MAX_REASONING_TERMS: usize = 8;

/// Types that get the documents no other rule matches; their words are not scored.
const CATCH_ALL: &[&str] = &[
    "other",
    "others",
    "misc",
    "miscellaneous",
    "none",
    "unknown",
    "uncategorized",
    "unclassified",
    "sonstiges",
    "otro",
    "otros",
    "autre",
];

/// The words of a rule with their weights.
struct RuleTerms<'r> {
    rule: &'r Rule,
    weights: HashMap<String, f64>,
    length: f64,
}

/// The matches of a text in one rule.
struct RuleScore<'r> {
    rule: &'r Rule,
    score: f64,
    terms: Vec<(String, f64)>,
}

/// Classifies the text of a document with `pages` pages.
pub(crate) fn classify(
    text: &str,
    rules: &[Rule],
    lang: &str,
    threshold: f64,
    pages: u32,
) -> DocumentOutcome {
    let document = TermCounts::from_text(text, lang);
    let is_catch_all =
        |rule: &&Rule| CATCH_ALL.contains(&rule.label.trim().to_lowercase().as_str());
    let catch_all = rules.iter().find(is_catch_all);
    let rules_terms: Vec<RuleTerms<'_>> = rules
        .iter()
        .filter(|rule| !is_catch_all(rule))
        .map(|rule| rule_terms(rule, lang))
        .collect();
    let mut scores = score_rules(&document, &rules_terms);
    // A stable sort: of two equal rules, the first one wins.
    scores.sort_by(|a, b| b.score.total_cmp(&a.score));
    let best = scores.first();
    let second = scores.get(1).map_or(0.0, |second| second.score);
    let confidence = best.map_or(0.0, |best| confidence(best.score, second));
    let (label, confidence, reasoning) = match best {
        Some(best) if confidence >= threshold && best.score > 0.0 => {
            let terms: Vec<String> = best
                .terms
                .iter()
                .take(MAX_REASONING_TERMS)
                .map(|(word, _)| format!("\"{word}\""))
                .collect();
            let reasoning = format!(
                "The text shares {} with the rule \"{}\".",
                terms.join(", "),
                best.rule.label
            );
            (Some(best.rule.label.clone()), confidence, reasoning)
        }
        _ => match catch_all {
            Some(rule) => {
                let reasoning = format!(
                    "No other rule's words stand out in the text, so \"{}\" takes it.",
                    rule.label
                );
                (Some(rule.label.clone()), 1.0 - confidence, reasoning)
            }
            None => (
                None,
                confidence,
                "No rule's words stand out in the text.".to_owned(),
            ),
        },
    };
    DocumentOutcome::Labelled {
        label,
        confidence: round(confidence),
        reasoning,
        pages,
    }
}

fn rule_terms<'r>(rule: &'r Rule, lang: &str) -> RuleTerms<'r> {
    let mut weights: HashMap<String, f64> = HashMap::new();
    for (text, weight) in [
        (rule.label.as_str(), TYPE_WEIGHT),
        (rule.description.as_str(), 1.0),
    ] {
        for (stem, term_count) in TermCounts::from_text(text, lang).counts {
            *weights.entry(stem).or_default() += weight * f64::from(term_count.count);
        }
    }
    let length = weights.values().sum();
    RuleTerms {
        rule,
        weights,
        length,
    }
}

/// Scores the text against each rule. Looks up each word once per rule, and its document frequency only once.
fn score_rules<'r>(document: &TermCounts, rules_terms: &[RuleTerms<'r>]) -> Vec<RuleScore<'r>> {
    let count = as_float(rules_terms.len());
    let average = rules_terms.iter().map(|one| one.length).sum::<f64>() / count.max(1.0);
    let mut scores: Vec<RuleScore<'r>> = rules_terms
        .iter()
        .map(|rule_terms| RuleScore {
            rule: rule_terms.rule,
            score: 0.0,
            terms: Vec::new(),
        })
        .collect();
    let mut weights = Vec::new();
    for (stem, term_count) in &document.counts {
        weights.clear();
        weights.extend(
            rules_terms
                .iter()
                .map(|rule_terms| weight_in(rule_terms, stem)),
        );
        let rules_with_term = as_float(weights.iter().filter(|weight| **weight > 0.0).count());
        let idf = ln(1.0 + (count - rules_with_term + 0.5) / (rules_with_term + 0.5));
        // A repeated word adds a little, logarithmically.
        let text_weight = 1.0 + ln(f64::from(term_count.count)) / 4.0;
        for ((rule_terms, rule_score), &weight) in rules_terms.iter().zip(&mut scores).zip(&weights)
        {
            if weight > 0.0 {
                let norm = K1 * (1.0 - B + B * rule_terms.length / average.max(f64::EPSILON));
                let rule_weight = weight * (K1 + 1.0) / (weight + norm);
                rule_score
                    .terms
                    .push((term_count.spelling.clone(), idf * rule_weight * text_weight));
            }
        }
    }
    for rule_score in &mut scores {
        rule_score
            .terms
            .sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        rule_score.score = rule_score.terms.iter().map(|(_, part)| part).sum();
    }
    scores
}

/// The weight of a word in a rule: its own, or that of the best word with the same prefix.
fn weight_in(rule_terms: &RuleTerms<'_>, stem: &str) -> f64 {
    if let Some(weight) = rule_terms.weights.get(stem) {
        return *weight;
    }
    let prefix_weights = rule_terms
        .weights
        .iter()
        .filter(|(word, _)| share_prefix(word, stem))
        .map(|(_, weight)| *weight);
    PREFIX_WEIGHT * prefix_weights.fold(0.0, f64::max)
}

fn share_prefix(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() <= other.len() {
        (one, other)
    } else {
        (other, one)
    };
    long.starts_with(short) && short.chars().count() >= MIN_PREFIX_CHARS
}

/// The confidence from 0 to 1: the amount of evidence, and the lead of the best rule over the second.
fn confidence(best: f64, second: f64) -> f64 {
    if best <= 0.0 {
        return 0.0;
    }
    let evidence = 1.0 - exp(-best / EVIDENCE_SCALE);
    let lead = best / (best + second * 0.6);
    (evidence * lead).clamp(0.0, 1.0)
}

fn round(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a number of rules is far below 2^52"
)]
fn as_float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(label: &str, description: &str) -> Rule {
        Rule {
            label: label.to_owned(),
            description: description.to_owned(),
        }
    }

    fn rules() -> Vec<Rule> {
        vec![
            rule(
                "invoice",
                "A bill from a seller with line items, an amount due and payment terms",
            ),
            rule(
                "contract",
                "A legal agreement between parties with clauses, obligations and signatures",
            ),
            rule(
                "resume",
                "A person's work experience, education and skills, sent to an employer",
            ),
        ]
    }

    fn label(text: &str, rules: &[Rule]) -> (Option<String>, f64, String) {
        match classify(text, rules, "en", 0.2, 1) {
            DocumentOutcome::Labelled {
                label,
                confidence,
                reasoning,
                ..
            } => (label, confidence, reasoning),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn scoring_short_text_selects_expected_rule() {
        for (text, expected) in [
            (
                "INVOICE 2041\nWidgets 3 x 20\nAmount due: 60 EUR, payable in 30 days",
                "invoice",
            ),
            (
                "This Agreement is made between the parties. Clause 1: Obligations. Signature:",
                "contract",
            ),
            (
                "Jane Doe. Experience: engineer. Education: BSc. Skills: Rust, SQL",
                "resume",
            ),
            ("invoices", "invoice"),
        ] {
            let (label, confidence, reasoning) = label(text, &rules());
            assert_eq!(label.as_deref(), Some(expected), "{text}: {reasoning}");
            assert!((0.2..=1.0).contains(&confidence), "{text}: {confidence}");
        }
    }

    #[test]
    fn scoring_reasoning_names_matched_words() {
        let (_, _, reasoning) = label("The amount due on this bill", &rules());
        assert!(
            reasoning.contains("\"bill\"") && reasoning.contains("\"amount\""),
            "{reasoning}"
        );
    }

    #[test]
    fn scoring_unrelated_text_matches_no_rule() {
        let (label, confidence, _) =
            label("Preheat the oven and whisk three eggs with sugar", &rules());
        assert_eq!(label, None);
        assert!(confidence < 0.2);
    }

    #[test]
    fn scoring_confidence_grows_with_evidence() {
        let little = label("bill", &rules()).1;
        let much = label(
            "bill from the seller: line items, amount due, payment terms",
            &rules(),
        )
        .1;
        assert!(much > little, "{much} > {little}");
        let torn = label("invoice contract", &rules()).1;
        assert!(
            torn < label("invoice", &rules()).1,
            "two rules that fit alike"
        );
    }

    #[test]
    fn scoring_catch_all_rule_matches_only_otherwise_unmatched_text() {
        let mut rules = rules();
        rules.push(rule(
            "other",
            "Anything that is not an invoice, a contract or a resume",
        ));
        assert_eq!(
            label("Preheat the oven", &rules).0.as_deref(),
            Some("other")
        );
        assert_eq!(label("invoice", &rules).0.as_deref(), Some("invoice"));
    }

    #[test]
    fn scoring_matches_rules_in_german_and_spanish() {
        let german = [
            rule(
                "Rechnung",
                "Eine Rechnung mit Rechnungsnummer, Betrag und Umsatzsteuer",
            ),
            rule(
                "Vertrag",
                "Ein Vertrag zwischen Parteien mit Pflichten und Unterschriften",
            ),
        ];
        assert_eq!(
            label("Rechnungen vom Mai, Beträge ohne Umsatzsteuer", &german)
                .0
                .as_deref(),
            Some("Rechnung")
        );
        let spanish = [
            rule("factura", "Una factura con el importe total y el impuesto"),
            rule(
                "contrato",
                "Un contrato entre las partes con obligaciones y firmas",
            ),
        ];
        assert_eq!(
            label("Las partes firman el contrato", &spanish)
                .0
                .as_deref(),
            Some("contrato")
        );
    }

    #[test]
    fn scoring_prefix_match_counts_less_than_whole_word() {
        let german = [
            rule("Rechnung", "Ein Schreiben mit einem Betrag"),
            rule("Vertrag", "Eine Vereinbarung zweier Parteien"),
        ];
        let (whole, part) = (
            label("Rechnung", &german),
            label("Rechnungsnummer", &german),
        );
        assert_eq!(part.0.as_deref(), Some("Rechnung"));
        assert!(part.1 < whole.1, "{} < {}", part.1, whole.1);
    }
}
