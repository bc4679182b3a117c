//! How right a run was, as tables for a terminal and as JSON.

use serde_json::{Value, json};

use super::score::{Class, Score};
use super::tally::{as_percent, percent};
use crate::output::table::{self, Holds};

/// The most classes that a matrix has on a terminal; the report has it whole.
const WIDEST: usize = 12;

/// What is not in the score: labels and documents that did not meet.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::run) struct Unmet {
    /// Labels whose document was not in the run.
    pub(in crate::run) strangers: usize,
    /// Documents of the run that have no label.
    pub(in crate::run) unlabelled: usize,
}

/// One line with the figures that matter most.
pub(in crate::run) fn headline(score: &Score) -> String {
    let right = format!(
        "Accuracy {}: {} of {} labelled documents are right",
        percent(score.correct, score.labelled),
        score.correct,
        score.labelled
    );
    match score.labelled - score.answered {
        0 => right,
        missing => format!(
            "{right}; {missing} without an answer are not; of the {} answers {} are right",
            score.answered,
            percent(score.correct, score.answered)
        ),
    }
}

/// What of labels and documents is left out.
pub(in crate::run) fn left_out(unmet: Unmet) -> Option<String> {
    let mut parts = Vec::new();
    if unmet.strangers > 0 {
        parts.push(match unmet.strangers {
            1 => "1 label is of a document that is not in this run".to_owned(),
            number => format!("{number} labels are of documents that are not in this run"),
        });
    }
    if unmet.unlabelled > 0 {
        parts.push(match unmet.unlabelled {
            1 => "1 document has no label".to_owned(),
            number => format!("{number} documents have no label"),
        });
    }
    (!parts.is_empty()).then(|| format!("{}.", parts.join("; ")))
}

/// All of it, for people.
pub(super) fn text(score: &Score, unmet: Unmet) -> String {
    let mut parts = vec![headline(score)];
    parts.extend(left_out(unmet));
    if score.labelled > 0 {
        parts.push(classes(score));
        parts.push(matrix(score));
        parts.push(thresholds(score));
    }
    parts.join("\n\n")
}

fn figure(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), as_percent)
}

fn classes(score: &Score) -> String {
    let mut table = table::plain(&[
        ("Type", Holds::Names(40)),
        ("Labelled", Holds::Number),
        ("Precision", Holds::Number),
        ("Recall", Holds::Number),
        ("F1", Holds::Number),
    ]);
    for class in &score.classes {
        let cells = [
            class.name().to_owned(),
            class.expected.to_string(),
            figure(class.precision()),
            figure(class.recall()),
            figure(class.f1()),
        ];
        table::add(&mut table, cells.iter().map(|text| table::plain_cell(text)));
    }
    table::render(&table)
}

fn matrix(score: &Score) -> String {
    if score.classes.len() > WIDEST {
        return format!(
            "The confusion matrix has {} types and is in the page of --report.",
            score.classes.len()
        );
    }
    let numbers: Vec<String> = (1..=score.classes.len())
        .map(|nth| nth.to_string())
        .collect();
    let mut columns = vec![("Should be \\ is", Holds::Names(35))];
    columns.extend(
        numbers
            .iter()
            .map(|number| (number.as_str(), Holds::Number)),
    );
    columns.push(("No answer", Holds::Number));
    let mut table = table::plain(&columns);
    for ((class, number), line) in score.classes.iter().zip(&numbers).zip(&score.matrix) {
        let name = table::plain_cell(&format!("{number} {}", class.name()));
        let cells = line.iter().map(|cell| match cell {
            0 => table::plain_cell("·"),
            number => table::plain_cell(&number.to_string()),
        });
        table::add(&mut table, std::iter::once(name).chain(cells));
    }
    table::render(&table)
}

fn thresholds(score: &Score) -> String {
    let mut table = table::plain(&[
        ("Threshold", Holds::Number),
        ("Covered", Holds::Number),
        ("Share", Holds::Number),
        ("Right of these", Holds::Number),
    ]);
    for step in score.turns() {
        let (coverage, accuracy) = score.at(step);
        let cells = [
            format!("{:.2}", step.threshold),
            step.covered.to_string(),
            figure(coverage),
            figure(accuracy),
        ];
        table::add(&mut table, cells.iter().map(|text| table::plain_cell(text)));
    }
    table::render(&table)
}

/// All of it, for programs.
pub(super) fn json(score: &Score, unmet: Unmet) -> Value {
    let class = |class: &Class| {
        json!({
            "type": class.r#type, "labelled": class.expected, "found": class.found,
            "correct": class.correct, "precision": class.precision(), "recall": class.recall(),
            "f1": class.f1(),
        })
    };
    let mut confusion = Vec::new();
    for (expected, line) in score.classes.iter().zip(&score.matrix) {
        for (found, documents) in line.iter().enumerate().filter(|(_, number)| **number > 0) {
            let class = score.classes.get(found);
            confusion.push(json!({
                "expected": expected.r#type, "found": class.and_then(|class| class.r#type.as_deref()),
                "answered": class.is_some(), "documents": documents,
            }));
        }
    }
    let thresholds: Vec<_> = score
        .steps
        .iter()
        .map(|step| {
            let (coverage, accuracy) = score.at(step);
            json!({
                "threshold": step.threshold, "covered": step.covered, "correct": step.correct,
                "coverage": coverage, "accuracy": accuracy,
            })
        })
        .collect();
    json!({
        "labelled": score.labelled, "answered": score.answered, "correct": score.correct,
        "accuracy": score.accuracy(), "accuracy_of_answers": score.accuracy_of_answers(),
        "labels_not_in_run": unmet.strangers, "documents_without_label": unmet.unlabelled,
        "types": score.classes.iter().map(class).collect::<Vec<_>>(),
        "confusion": confusion, "thresholds": thresholds,
    })
}
