//! One document of a run, as it is printed.

use std::path::Path;

use classify_proto::Error;
use classify_proto::v2::{Job, Outcome};
use serde::Serialize;

use crate::output::printable;
use crate::output::table::{self, Color, Holds};

/// The keys of a line of JSON and the columns of a CSV file, in this order.
pub(crate) const KEYS: [&str; 8] = [
    "path",
    "status",
    "type",
    "confidence",
    "reasoning",
    "job_id",
    "file_id",
    "error",
];

/// The status of a document without a job that has ended.
const ERROR: &str = "ERROR";

/// One document. Every key is written, with null where there is nothing to say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Row {
    pub(crate) path: String,
    pub(crate) status: String,
    pub(crate) r#type: Option<String>,
    pub(crate) confidence: Option<f64>,
    pub(crate) reasoning: Option<String>,
    pub(crate) job_id: Option<String>,
    pub(crate) file_id: Option<String>,
    pub(crate) error: Option<String>,
}

impl Row {
    /// A document that has no job which has ended.
    pub(crate) fn error(path: &Path, why: impl Into<String>) -> Self {
        Self {
            path: path.to_string_lossy().into_owned(),
            status: ERROR.to_owned(),
            r#type: None,
            confidence: None,
            reasoning: None,
            job_id: None,
            file_id: None,
            error: Some(why.into()),
        }
    }

    /// A document whose machine has ended.
    pub(crate) fn settled(path: &Path, result: &Result<Job, Error>) -> Self {
        match result {
            Ok(job) => Self::from_job(path, job),
            // A failed or a cancelled job comes as an error that holds the job.
            Err(error) => match error.job().filter(|job| job.status.is_terminal()) {
                Some(job) if !error.is_conflict() => Self::from_job(path, job),
                _ => Self {
                    job_id: error.job_id().map(str::to_owned),
                    ..Self::error(path, without_subject(error))
                },
            },
        }
    }

    fn from_job(path: &Path, job: &Job) -> Self {
        let mut row = Self {
            status: job.status.to_string(),
            job_id: Some(job.id.clone()),
            file_id: job.file_input.clone(),
            ..Self::error(path, "")
        };
        row.error = match job.outcome() {
            Outcome::Matched {
                r#type,
                confidence,
                reasoning,
            } => {
                row.r#type = Some(r#type.to_owned());
                row.confidence = confidence;
                row.reasoning = reasoning.map(str::to_owned);
                None
            }
            Outcome::NoMatch {
                confidence,
                reasoning,
            } => {
                row.confidence = confidence;
                row.reasoning = reasoning.map(str::to_owned);
                None
            }
            Outcome::Failed { message } => Some(
                message
                    .unwrap_or("the job failed and says no more")
                    .to_owned(),
            ),
            Outcome::Cancelled => Some("the job was cancelled".to_owned()),
            Outcome::Missing => Some("the job completed without a result".to_owned()),
            _ => Some(format!("the job stands at {}", job.status)),
        };
        row
    }

    /// Whether the document got an answer: a match or the lack of one.
    pub(crate) fn is_answer(&self) -> bool {
        self.error.is_none()
    }

    /// The row as a record of comma-separated values, empty where there is nothing to say.
    pub(crate) fn record(&self) -> [String; 8] {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        [
            self.path.clone(),
            self.status.clone(),
            text(&self.r#type),
            self.confidence
                .map(|value| value.to_string())
                .unwrap_or_default(),
            text(&self.reasoning),
            text(&self.job_id),
            text(&self.file_id),
            text(&self.error),
        ]
    }
}

/// An error's text without the document's name, which the row has already.
fn without_subject(error: &Error) -> String {
    let text = error.to_string();
    match error
        .subject()
        .and_then(|subject| text.strip_prefix(subject))
    {
        Some(rest) => rest.trim_start_matches(": ").to_owned(),
        None => text,
    }
}

/// All rows as a table, with the folder that is common to all documents in a line above.
pub(crate) fn as_table(rows: &[Row]) -> String {
    let folder = common_folder(rows);
    let mut table = table::new(&[
        ("Document", Holds::Names(31)),
        ("Type", Holds::Names(20)),
        ("Conf.", Holds::Number),
        ("Reason", Holds::Text),
    ]);
    for row in rows {
        let path = folder.and_then(|folder| row.path.strip_prefix(folder));
        let (r#type, color) = match (&row.r#type, row.is_answer()) {
            (Some(r#type), true) => (r#type.as_str(), Color::Green),
            (None, true) => ("no match", Color::Yellow),
            (_, false) => (row.status.as_str(), Color::Red),
        };
        let reason = row.error.as_deref().or(row.reasoning.as_deref());
        table::add(
            &mut table,
            [
                table::cell(path.unwrap_or(&row.path), None),
                table::cell(r#type, Some(color)),
                table::cell(&table::confidence(row.confidence), None),
                table::cell(reason.unwrap_or_default(), None),
            ],
        );
    }
    let table = table::render(&table);
    match folder {
        Some(folder) => format!("In {}\n\n{table}", printable(folder)),
        None => table,
    }
}

/// The folder that all documents lie in, with the separator at its end, if there are several documents.
fn common_folder(rows: &[Row]) -> Option<&str> {
    let (first, others) = rows
        .split_first()
        .filter(|(_, others)| !others.is_empty())?;
    let mut folder = up_to_separator(&first.path);
    for row in others {
        while !row.path.starts_with(folder) {
            folder = up_to_separator(folder.trim_end_matches(std::path::is_separator));
        }
    }
    (!folder.is_empty()).then_some(folder)
}

fn up_to_separator(path: &str) -> &str {
    let end = path
        .rfind(std::path::is_separator)
        .map_or(0, |last| last + 1);
    &path[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(job: &str) -> Row {
        let job: Job = serde_json::from_str(job).unwrap();
        Row::settled(Path::new("a.pdf"), &Ok(job))
    }

    #[test]
    fn a_line_of_json_has_exactly_these_keys() {
        let row = Row::error(Path::new("ü ñ.pdf"), "gone");
        let json = serde_json::to_string(&row).unwrap();
        assert_eq!(
            json,
            r#"{"path":"ü ñ.pdf","status":"ERROR","type":null,"confidence":null,"reasoning":null,"job_id":null,"file_id":null,"error":"gone"}"#
        );
        let keys: Vec<_> = KEYS
            .iter()
            .map(|key| json.find(&format!("\"{key}\":")).unwrap())
            .collect();
        assert!(keys.is_sorted());
    }

    #[test]
    fn the_folder_common_to_all_is_told_once() {
        let rows = |paths: &[&str]| -> Vec<Row> {
            paths
                .iter()
                .map(|path| Row::error(Path::new(path), ""))
                .collect()
        };
        assert_eq!(
            common_folder(&rows(&["a/b/c.txt", "a/b/d/e.txt"])),
            Some("a/b/")
        );
        assert_eq!(common_folder(&rows(&["a/bc.txt", "a/b/e.txt"])), Some("a/"));
        assert_eq!(common_folder(&rows(&["/x.txt", "/y.txt"])), Some("/"));
        assert_eq!(common_folder(&rows(&["a/x.txt", "b/x.txt"])), None);
        assert_eq!(common_folder(&rows(&["a/x.txt"])), None);
    }

    #[test]
    fn every_outcome_has_its_row() {
        let found = row(
            r#"{"id":"clj-1","status":"COMPLETED","file_input":"dfl-1","result":{"type":"invoice","confidence":0.9,"reasoning":"r"}}"#,
        );
        assert!(found.is_answer());
        assert_eq!(
            found.record(),
            [
                "a.pdf",
                "COMPLETED",
                "invoice",
                "0.9",
                "r",
                "clj-1",
                "dfl-1",
                ""
            ]
        );
        let found = row(
            r#"{"id":"clj-1","status":"COMPLETED","result":{"type":null,"confidence":0.1,"reasoning":"r"}}"#,
        );
        assert!(found.is_answer() && found.r#type.is_none() && found.reasoning.is_some());
        let found = row(r#"{"id":"clj-1","status":"FAILED","error_message":"PDF_IS_BROKEN"}"#);
        assert_eq!(
            (found.status.as_str(), found.error.as_deref()),
            ("FAILED", Some("PDF_IS_BROKEN"))
        );
        let found = row(r#"{"id":"clj-1","status":"COMPLETED"}"#);
        assert!(!found.is_answer());
        let found = row(r#"{"id":"clj-1","status":"CANCELLED"}"#);
        assert_eq!(found.error.as_deref(), Some("the job was cancelled"));
    }
}
