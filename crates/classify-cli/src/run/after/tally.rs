//! How many documents each type has, and how sure the service was of them.

use std::collections::BTreeMap;

use crate::output::table::{self, Holds};
use crate::run::row::Row;

/// What became of documents, in the order in which it is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::run) enum Kind {
    /// A rule matched.
    Type(String),
    NoMatch,
    /// There is no answer; the status says why.
    NoAnswer(String),
}

/// What is known of the documents of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::run) struct Count {
    pub(in crate::run) documents: usize,
    /// Those of them that have a confidence.
    sure: usize,
    sum: f64,
    pub(in crate::run) lowest: Option<f64>,
}

/// Counts documents as they settle.
#[derive(Debug, Default)]
pub(in crate::run) struct Tally {
    counts: BTreeMap<Kind, Count>,
    pub(in crate::run) documents: usize,
    pub(in crate::run) to_review: usize,
}

impl Kind {
    pub(in crate::run) fn of(row: &Row) -> Self {
        match (&row.r#type, row.is_answer()) {
            (Some(r#type), true) => Self::Type(r#type.clone()),
            (None, true) => Self::NoMatch,
            (_, false) => Self::NoAnswer(row.status.clone()),
        }
    }

    pub(in crate::run) fn name(&self) -> &str {
        match self {
            Kind::Type(r#type) => r#type,
            Kind::NoMatch => "no match",
            Kind::NoAnswer(status) => status,
        }
    }
}

impl Count {
    fn add(&mut self, confidence: Option<f64>) {
        self.documents += 1;
        if let Some(confidence) = confidence {
            self.sure += 1;
            self.sum += confidence;
            self.lowest = Some(self.lowest.map_or(confidence, |low| low.min(confidence)));
        }
    }

    pub(in crate::run) fn mean(&self) -> Option<f64> {
        (self.sure > 0).then(|| self.sum / as_f64(self.sure))
    }
}

impl Tally {
    pub(in crate::run) fn add(&mut self, row: &Row) {
        self.documents += 1;
        self.to_review += usize::from(row.review == Some(true));
        let confidence = row.confidence.filter(|_| row.is_answer());
        self.counts
            .entry(Kind::of(row))
            .or_default()
            .add(confidence);
    }

    /// Types, the most frequent first, and then those without one.
    pub(in crate::run) fn kinds(&self) -> Vec<(&Kind, Count)> {
        let mut kinds: Vec<_> = self
            .counts
            .iter()
            .map(|(kind, count)| (kind, *count))
            .collect();
        // Stable, so that equal counts stay in the order of their names.
        kinds.sort_by_key(|(kind, count)| {
            let rank = match kind {
                Kind::Type(_) => 0,
                Kind::NoMatch => 1,
                Kind::NoAnswer(_) => 2,
            };
            (rank, std::cmp::Reverse(count.documents))
        });
        kinds
    }

    /// The counts as a table for a terminal.
    pub(super) fn text(&self) -> String {
        let mut table = table::plain(&[
            ("Type", Holds::Names(50)),
            ("Documents", Holds::Number),
            ("Share", Holds::Number),
            ("Mean conf.", Holds::Number),
            ("Lowest", Holds::Number),
        ]);
        for (kind, count) in self.kinds() {
            table::add(
                &mut table,
                [
                    table::plain_cell(kind.name()),
                    table::plain_cell(&count.documents.to_string()),
                    table::plain_cell(&percent(count.documents, self.documents)),
                    table::plain_cell(&table::confidence(count.mean())),
                    table::plain_cell(&table::confidence(count.lowest)),
                ],
            );
        }
        table::render(&table)
    }
}

/// A part of a whole in percent, with one digit after the point; nothing of nothing is a dash.
pub(in crate::run) fn percent(part: usize, whole: usize) -> String {
    share(part, whole).map_or_else(|| "–".to_owned(), as_percent)
}

pub(in crate::run) fn as_percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A part of a whole; nothing of nothing is unknown.
pub(in crate::run) fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| as_f64(part) / as_f64(whole))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of documents are far below 2^52"
)]
pub(in crate::run) fn as_f64(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    pub(super) fn row(r#type: Option<&str>, confidence: f64) -> Row {
        let report = serde_json::json!({
            "status": "COMPLETED", "type": r#type, "confidence": confidence, "reasoning": "r"
        });
        Row::settled(Path::new("a"), &serde_json::from_value(report).unwrap())
    }

    #[test]
    fn each_kind_has_its_count_and_its_confidence() {
        let mut tally = Tally::default();
        for row in [
            row(Some("recipe"), 0.5),
            row(Some("invoice"), 0.9),
            row(Some("invoice"), 0.7),
            row(None, 0.1),
            Row::error(Path::new("b"), "gone"),
        ] {
            tally.add(&row);
        }
        let found: Vec<_> = tally
            .kinds()
            .into_iter()
            .map(|(kind, count)| (kind.name(), count.documents, count.lowest))
            .collect();
        assert_eq!(
            found,
            [
                ("invoice", 2, Some(0.7)),
                ("recipe", 1, Some(0.5)),
                ("no match", 1, Some(0.1)),
                ("ERROR", 1, None)
            ]
        );
        let text = tally.text();
        let line = text.lines().find(|line| line.contains("invoice")).unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words, ["invoice", "2", "40.0", "%", "0.80", "0.70"]);
    }

    #[test]
    fn a_share_of_nothing_is_no_number() {
        assert_eq!(percent(0, 0), "–");
        assert_eq!(percent(1, 3), "33.3 %");
        assert_eq!(Tally::default().text().lines().count(), 2);
    }
}
