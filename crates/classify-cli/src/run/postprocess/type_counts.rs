//! Counts documents by type, with their confidence.

use std::collections::BTreeMap;

use crate::output::table::{self, ColumnKind};
use crate::run::row::Row;

/// A category of rows, in the order of the table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::run) enum Category {
    /// A rule matched.
    Type(String),
    NoMatch,
    /// Not classified, with this status.
    Unclassified(String),
}

/// The statistics of a category.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::run) struct CategoryStats {
    pub(in crate::run) documents: usize,
    /// Documents with a confidence.
    with_confidence: usize,
    confidence_sum: f64,
    pub(in crate::run) lowest: Option<f64>,
}

/// Counts documents as they finish.
#[derive(Debug, Default)]
pub(in crate::run) struct TypeCounts {
    stats: BTreeMap<Category, CategoryStats>,
    pub(in crate::run) documents: usize,
    pub(in crate::run) to_review: usize,
}

impl Category {
    pub(in crate::run) fn of(row: &Row) -> Self {
        match (&row.r#type, row.is_classified()) {
            (Some(r#type), true) => Self::Type(r#type.clone()),
            (None, true) => Self::NoMatch,
            (_, false) => Self::Unclassified(row.status.clone()),
        }
    }

    pub(in crate::run) fn name(&self) -> &str {
        match self {
            Category::Type(r#type) => r#type,
            Category::NoMatch => "no match",
            Category::Unclassified(status) => status,
        }
    }
}

impl CategoryStats {
    fn add(&mut self, confidence: Option<f64>) {
        self.documents += 1;
        if let Some(confidence) = confidence {
            self.with_confidence += 1;
            self.confidence_sum += confidence;
            self.lowest = Some(self.lowest.map_or(confidence, |low| low.min(confidence)));
        }
    }

    pub(in crate::run) fn mean(&self) -> Option<f64> {
        (self.with_confidence > 0).then(|| self.confidence_sum / as_f64(self.with_confidence))
    }
}

impl TypeCounts {
    pub(in crate::run) fn add(&mut self, row: &Row) {
        self.documents += 1;
        self.to_review += usize::from(row.review == Some(true));
        let confidence = row.valid_confidence().filter(|_| row.is_classified());
        self.stats
            .entry(Category::of(row))
            .or_default()
            .add(confidence);
    }

    /// Returns the categories: types, the most frequent first, and then the others.
    pub(in crate::run) fn categories(&self) -> Vec<(&Category, CategoryStats)> {
        let mut categories: Vec<_> = self
            .stats
            .iter()
            .map(|(category, stats)| (category, *stats))
            .collect();
        // Stable, so that equal counts stay in the order of their names.
        categories.sort_by_key(|(category, stats)| {
            let rank = match category {
                Category::Type(_) => 0,
                Category::NoMatch => 1,
                Category::Unclassified(_) => 2,
            };
            (rank, std::cmp::Reverse(stats.documents))
        });
        categories
    }

    /// Returns a table for stderr.
    pub(super) fn to_text(&self) -> String {
        let mut table = table::for_stderr(&[
            ("Type", ColumnKind::Label),
            ("Documents", ColumnKind::Number),
            ("Share", ColumnKind::Number),
            ("Mean conf.", ColumnKind::Number),
            ("Lowest", ColumnKind::Number),
        ]);
        for (category, stats) in self.categories() {
            table::add(
                &mut table,
                [
                    table::plain_cell(category.name()),
                    table::plain_cell(&stats.documents.to_string()),
                    table::plain_cell(&percent(stats.documents, self.documents)),
                    table::plain_cell(&table::format_confidence(stats.mean())),
                    table::plain_cell(&table::format_confidence(stats.lowest)),
                ],
            );
        }
        table::render(table)
    }
}

/// Formats a ratio in percent; a dash if it is undefined.
pub(in crate::run) fn percent(part: usize, whole: usize) -> String {
    ratio(part, whole).map_or_else(|| "–".to_owned(), format_percent)
}

pub(in crate::run) fn format_percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}

/// Returns a ratio, or `None` for 0/0.
pub(in crate::run) fn ratio(part: usize, whole: usize) -> Option<f64> {
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
        Row::from_report(Path::new("a"), &serde_json::from_value(report).unwrap())
    }

    #[test]
    fn tally_has_count_and_confidence_per_type() {
        let mut type_counts = TypeCounts::default();
        for row in [
            row(Some("recipe"), 0.5),
            row(Some("invoice"), 0.9),
            row(Some("invoice"), 0.7),
            row(None, 0.1),
            Row::error(Path::new("b"), "gone"),
        ] {
            type_counts.add(&row);
        }
        let found: Vec<_> = type_counts
            .categories()
            .into_iter()
            .map(|(category, stats)| (category.name(), stats.documents, stats.lowest))
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
        let text = type_counts.to_text();
        let line = text.lines().find(|line| line.contains("invoice")).unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words, ["invoice", "2", "40.0", "%", "0.80", "0.70"]);
    }

    #[test]
    fn tally_percentage_of_zero_documents_is_a_dash() {
        assert_eq!(percent(0, 0), "–");
        assert_eq!(percent(1, 3), "33.3 %");
        assert_eq!(TypeCounts::default().to_text().lines().count(), 2);
    }
}
