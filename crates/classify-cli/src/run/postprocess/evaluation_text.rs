//! The evaluation as tables for a terminal and as JSON.

use std::fmt;

use serde_json::{Value, json};

use super::evaluation::{ClassMetrics, Evaluation};
use super::type_counts::{format_percent, percent};
use crate::output::table::{self, ColumnKind};
use classify_rules::parse_message::shorten;

/// The maximum number of classes in a matrix on a terminal; the report always has it.
const MAX_MATRIX_CLASSES: usize = 12;

/// The maximum number of names that are listed.
const MAX_NAMES: usize = 5;
/// The maximum length of a listed name, in characters.
const MAX_NAME_CHARS: usize = 100;

/// Names of which the first few are listed and the others are counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::run) struct Names {
    first: Vec<String>,
    count: usize,
}

impl Names {
    pub(in crate::run) fn add(&mut self, name: &str) {
        if self.first.len() < MAX_NAMES {
            self.first.push(shorten(name, MAX_NAME_CHARS));
        }
        self.count += 1;
    }

    /// Counts an item without a name.
    pub(in crate::run) fn add_unnamed(&mut self) {
        self.count += 1;
    }

    pub(in crate::run) fn count(&self) -> usize {
        self.count
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first.join(", "))?;
        match self.count - self.first.len() {
            0 => Ok(()),
            more if self.first.is_empty() => write!(f, "{more}"),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Labels without a document, and documents without a label.
#[derive(Debug, Clone, Default)]
pub(in crate::run) struct Unmatched {
    /// Labels whose document was not in the run.
    pub(in crate::run) labels: Names,
    /// Documents of the run that have no label.
    pub(in crate::run) unlabelled: Names,
}

/// Returns the accuracy in one line.
pub(in crate::run) fn headline(evaluation: &Evaluation) -> String {
    let right = format!(
        "Accuracy {}: {} of {} labelled documents are correct",
        percent(evaluation.correct, evaluation.labelled),
        evaluation.correct,
        evaluation.labelled
    );
    match evaluation.labelled - evaluation.classified {
        0 => right,
        missing => format!(
            "{right}; {missing} {} no result; of the {} results, {} are correct",
            if missing == 1 { "has" } else { "have" },
            evaluation.classified,
            percent(evaluation.correct, evaluation.classified)
        ),
    }
}

/// Describes labels and documents that are not evaluated.
pub(in crate::run) fn describe_unmatched(unmatched: &Unmatched) -> Option<String> {
    let mut parts = Vec::new();
    let mut add = |names: &Names, one: &str, many: &str| {
        let text = match names.count() {
            0 => return,
            1 => format!("1 {one}"),
            number => format!("{number} {many}"),
        };
        parts.push(if names.first.is_empty() {
            text
        } else {
            format!("{text}: {names}")
        });
    };
    add(
        &unmatched.labels,
        "label refers to a document that is not in this run",
        "labels refer to documents that are not in this run",
    );
    add(
        &unmatched.unlabelled,
        "document has no label",
        "documents have no label",
    );
    (!parts.is_empty()).then(|| format!("{}.", parts.join("; ")))
}

/// Returns the evaluation for people.
pub(super) fn to_text(evaluation: &Evaluation, unmatched: &Unmatched) -> String {
    let mut parts = vec![headline(evaluation)];
    parts.extend(describe_unmatched(unmatched));
    if evaluation.labelled > 0 {
        parts.push(classes_table(evaluation));
        parts.push(confusion_matrix(evaluation));
        parts.push(thresholds_table(evaluation));
    }
    parts.join("\n\n")
}

fn format_ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "–".to_owned(), format_percent)
}

fn classes_table(evaluation: &Evaluation) -> String {
    let mut table = table::for_stderr(&[
        ("Type", ColumnKind::Label),
        ("Labelled", ColumnKind::Number),
        ("Precision", ColumnKind::Number),
        ("Recall", ColumnKind::Number),
        ("F1", ColumnKind::Number),
    ]);
    for class in &evaluation.classes {
        let cells = [
            class.name().to_owned(),
            class.expected.to_string(),
            format_ratio(class.precision()),
            format_ratio(class.recall()),
            format_ratio(class.f1()),
        ];
        table::add(&mut table, cells.iter().map(|text| table::plain_cell(text)));
    }
    table::render(table)
}

fn confusion_matrix(evaluation: &Evaluation) -> String {
    if evaluation.classes.len() > MAX_MATRIX_CLASSES {
        return format!(
            "The confusion matrix has {} types; the page of --report shows it.",
            evaluation.classes.len()
        );
    }
    let numbers: Vec<String> = (1..=evaluation.classes.len())
        .map(|nth| nth.to_string())
        .collect();
    let mut columns = vec![("Label \\ result", ColumnKind::Label)];
    columns.extend(
        numbers
            .iter()
            .map(|number| (number.as_str(), ColumnKind::Number)),
    );
    columns.push(("No result", ColumnKind::Number));
    let mut table = table::for_stderr(&columns);
    for ((class, number), line) in evaluation
        .classes
        .iter()
        .zip(&numbers)
        .zip(&evaluation.matrix)
    {
        let name = table::plain_cell(&format!("{number} {}", class.name()));
        let cells = line.iter().map(|cell| match cell {
            0 => table::plain_cell("·"),
            number => table::plain_cell(&number.to_string()),
        });
        table::add(&mut table, std::iter::once(name).chain(cells));
    }
    table::render(table)
}

fn thresholds_table(evaluation: &Evaluation) -> String {
    let mut table = table::for_stderr(&[
        ("Threshold", ColumnKind::Number),
        ("Covered", ColumnKind::Number),
        ("Share", ColumnKind::Number),
        ("Correct of these", ColumnKind::Number),
    ]);
    for step in evaluation.distinct_thresholds() {
        let (coverage, accuracy) = evaluation.coverage_and_accuracy(step);
        let cells = [
            format!("{:.2}", step.confidence),
            step.covered.to_string(),
            format_ratio(coverage),
            format_ratio(accuracy),
        ];
        table::add(&mut table, cells.iter().map(|text| table::plain_cell(text)));
    }
    table::render(table)
}

/// Returns the evaluation for programs.
pub(super) fn to_json(evaluation: &Evaluation, unmatched: &Unmatched) -> Value {
    let class = |class: &ClassMetrics| {
        json!({
            "type": class.r#type, "labelled": class.expected, "found": class.predicted,
            "correct": class.correct, "precision": class.precision(), "recall": class.recall(),
            "f1": class.f1(),
        })
    };
    let mut confusion = Vec::new();
    for (expected, line) in evaluation.classes.iter().zip(&evaluation.matrix) {
        for (found, documents) in line.iter().enumerate().filter(|(_, number)| **number > 0) {
            let class = evaluation.classes.get(found);
            confusion.push(json!({
                "expected": expected.r#type, "found": class.and_then(|class| class.r#type.as_deref()),
                "answered": class.is_some(), "documents": documents,
            }));
        }
    }
    let thresholds: Vec<_> = evaluation
        .thresholds
        .iter()
        .map(|step| {
            let (coverage, accuracy) = evaluation.coverage_and_accuracy(step);
            json!({
                "threshold": step.confidence, "covered": step.covered, "correct": step.correct,
                "coverage": coverage, "accuracy": accuracy,
            })
        })
        .collect();
    json!({
        "labelled": evaluation.labelled, "answered": evaluation.classified, "correct": evaluation.correct,
        "accuracy": evaluation.accuracy(), "accuracy_of_answers": evaluation.accuracy_of_classified(),
        "labels_not_in_run": unmatched.labels.count(), "documents_without_label": unmatched.unlabelled.count(),
        "first_labels_not_in_run": unmatched.labels.first, "first_documents_without_label": unmatched.unlabelled.first,
        "types": evaluation.classes.iter().map(class).collect::<Vec<_>>(),
        "confusion": confusion, "thresholds": thresholds,
    })
}
