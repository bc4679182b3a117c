//! Terms of a text: folded, stemmed words without stop words.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// How often each stem occurs, with its first spelling.
#[derive(Debug, Default)]
pub(crate) struct TermCounts {
    pub(crate) counts: HashMap<String, TermCount>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TermCount {
    pub(crate) count: u32,
    pub(crate) spelling: String,
}

/// Maximum number of words; the service limits the text as well.
const MAX_TOKENS: usize = 200_000;

impl TermCounts {
    pub(crate) fn from_text(text: &str, lang: &str) -> Self {
        let stemmer = Stemmer::create(algorithm(lang));
        let stop_words = stop_words();
        let mut counts: HashMap<String, TermCount> = HashMap::new();
        let tokens = text.split(|c: char| !c.is_alphanumeric() && !is_combining_mark(c));
        for word in tokens.filter(|word| !word.is_empty()).take(MAX_TOKENS) {
            let lower = word.to_lowercase();
            // Numbers and single letters do not distinguish kinds of documents.
            if lower.chars().count() < 2
                || lower.chars().all(char::is_numeric)
                || stop_words.contains(lower.as_str())
            {
                continue;
            }
            let stem: String = stemmer
                .stem(&lower)
                .nfd()
                .filter(|c| !is_combining_mark(*c))
                .collect();
            let entry = counts.entry(stem).or_insert_with(|| TermCount {
                count: 0,
                spelling: lower,
            });
            entry.count += 1;
        }
        Self { counts }
    }
}

/// Stop words of seven languages, one per line. `build.rs` writes them.
const STOP_WORDS: &str = include_str!(concat!(env!("OUT_DIR"), "/stop_words.txt"));

/// Stop words of common languages, since a text need not be in the configured language.
fn stop_words() -> &'static HashSet<&'static str> {
    static SET: OnceLock<HashSet<&'static str>> = OnceLock::new();
    SET.get_or_init(|| {
        // Words for describing documents, which occur in any rule.
        let rule_boilerplate = [
            "document",
            "documents",
            "contains",
            "containing",
            "includes",
            "including",
            "typically",
        ];
        STOP_WORDS.lines().chain(rule_boilerplate).collect()
    })
}

fn algorithm(lang: &str) -> Algorithm {
    match lang.get(..2).unwrap_or(lang).to_ascii_lowercase().as_str() {
        "ar" => Algorithm::Arabic,
        "da" => Algorithm::Danish,
        "de" => Algorithm::German,
        "es" => Algorithm::Spanish,
        "fi" => Algorithm::Finnish,
        "fr" => Algorithm::French,
        "hu" => Algorithm::Hungarian,
        "it" => Algorithm::Italian,
        "nl" => Algorithm::Dutch,
        "no" => Algorithm::Norwegian,
        "pt" => Algorithm::Portuguese,
        "ro" => Algorithm::Romanian,
        "ru" => Algorithm::Russian,
        "sv" => Algorithm::Swedish,
        "ta" => Algorithm::Tamil,
        "tr" => Algorithm::Turkish,
        _ => Algorithm::English,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stems(text: &str, lang: &str) -> Vec<String> {
        let mut stems: Vec<String> = TermCounts::from_text(text, lang)
            .counts
            .into_keys()
            .collect();
        stems.sort();
        stems
    }

    #[test]
    fn stemming_normalizes_words_per_language() {
        assert_eq!(
            stems("The Invoices of the invoice no. 42", "en"),
            ["invoic"]
        );
        assert_eq!(stems("Verträge", "de"), stems("Vertrage", "de"));
        assert_eq!(stems("facturas", "es"), stems("factura", "es"));
    }

    #[test]
    fn stop_words_of_seven_languages_are_no_terms() {
        let text = "the und della para porque você hij contains invoice";
        assert_eq!(stems(text, "en"), ["invoic"]);
    }

    #[test]
    fn stemming_accepts_any_text_and_language() {
        for text in [
            "",
            "\u{0}\u{301}\u{301}",
            "🦀🦀",
            "ẞ İ ŉ",
            "日本語のテキスト",
        ] {
            for lang in ["", "e", "日本", "xx", "tr"] {
                let _ = TermCounts::from_text(text, lang);
            }
        }
    }
}
