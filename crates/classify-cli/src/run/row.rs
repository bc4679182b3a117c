//! One document of a run, as it is printed.

use std::path::Path;

use classify_proto::machine::{DocumentReport, DocumentStatus};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::output::printable;
use crate::output::table::{self, Color, Holds, Onto};

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

/// One document. Every key is written, with null where there is nothing to say; the last two only where they are asked
/// for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) path: String,
    pub(crate) status: String,
    pub(crate) r#type: Option<String>,
    pub(crate) confidence: Option<f64>,
    pub(crate) reasoning: Option<String>,
    pub(crate) job_id: Option<String>,
    pub(crate) file_id: Option<String>,
    pub(crate) error: Option<String>,
    /// Whether somebody should look at it, where a threshold says so.
    pub(crate) review: Option<bool>,
    /// What became of the file, where files are moved or copied.
    pub(crate) filed: Option<Filed>,
}

/// What is done with the files of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Move,
    Copy,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filed {
    pub(crate) how: How,
    pub(crate) fate: Fate,
}

/// Where a file is in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Under a new path.
    Placed(String),
    /// A copy was there already, under this path.
    Found(String),
    /// Where it was, as it should be.
    Stays(&'static str),
    /// Where it was, because it could not be moved or copied.
    Failed(String),
}

impl Filed {
    /// The new path, if it has one.
    pub(crate) fn to(&self) -> Option<&str> {
        match &self.fate {
            Fate::Placed(path) | Fate::Found(path) => Some(path),
            Fate::Stays(_) | Fate::Failed(_) => None,
        }
    }
}

impl How {
    /// The key and the column that say where a file went.
    pub(crate) fn key(self) -> &'static str {
        match self {
            How::Move => "moved_to",
            How::Copy => "copied_to",
        }
    }
}

/// Which keys the rows of a run have beside those that all have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct More {
    pub(crate) review: bool,
    pub(crate) filed: Option<How>,
}

impl More {
    /// All columns, in their order.
    pub(crate) fn columns(self) -> impl Iterator<Item = &'static str> {
        KEYS.into_iter()
            .chain(self.review.then_some("review"))
            .chain(self.filed.map(How::key))
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("path", &self.path)?;
        map.serialize_entry("status", &self.status)?;
        map.serialize_entry("type", &self.r#type)?;
        map.serialize_entry("confidence", &self.confidence)?;
        map.serialize_entry("reasoning", &self.reasoning)?;
        map.serialize_entry("job_id", &self.job_id)?;
        map.serialize_entry("file_id", &self.file_id)?;
        map.serialize_entry("error", &self.error)?;
        if let Some(review) = self.review {
            map.serialize_entry("review", &review)?;
        }
        if let Some(filed) = &self.filed {
            map.serialize_entry(filed.how.key(), &filed.to())?;
        }
        map.end()
    }
}

impl Row {
    /// A document that cannot be classified.
    pub(crate) fn error(path: &Path, why: impl Into<String>) -> Self {
        Self::without_answer(path, &DocumentStatus::Error, why)
    }

    /// A document that has no answer.
    pub(crate) fn without_answer(
        path: &Path,
        standing: &DocumentStatus,
        why: impl Into<String>,
    ) -> Self {
        Self {
            path: path.to_string_lossy().into_owned(),
            status: standing.to_string(),
            r#type: None,
            confidence: None,
            reasoning: None,
            job_id: None,
            file_id: None,
            error: Some(why.into()),
            review: None,
            filed: None,
        }
    }

    /// A document that the run is through with.
    pub(crate) fn settled(path: &Path, report: &DocumentReport) -> Self {
        let error = match (&report.error, &report.status) {
            (Some(error), _) => Some(without_subject(error, path)),
            (None, DocumentStatus::Completed) => None,
            (None, DocumentStatus::Cancelled) => Some("the job was cancelled".to_owned()),
            (None, status) => Some(format!("the job stands at {status}")),
        };
        Self {
            path: path.to_string_lossy().into_owned(),
            status: report.status.to_string(),
            r#type: report.r#type.clone(),
            confidence: report.confidence,
            reasoning: report.reasoning.clone(),
            job_id: report.job_id.clone(),
            file_id: report.file_id.clone(),
            error,
            review: None,
            filed: None,
        }
    }

    /// Whether the document got an answer: a match or the lack of one.
    pub(crate) fn is_answer(&self) -> bool {
        self.error.is_none()
    }

    /// The row as a record of comma-separated values, empty where there is nothing to say.
    pub(crate) fn record(&self) -> Vec<String> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let mut record = vec![
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
        ];
        record.extend(self.review.map(|review| review.to_string()));
        record.extend(
            self.filed
                .as_ref()
                .map(|filed| filed.to().unwrap_or_default().to_owned()),
        );
        record
    }
}

/// An error's text without the document's name, which the row has already.
fn without_subject(text: &str, path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    text.strip_prefix(&*name)
        .and_then(|rest| rest.strip_prefix(": "))
        .unwrap_or(text)
        .to_owned()
}

/// Whether a line heads a table of rows.
pub(crate) fn is_heading(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words.next() == Some("Document") && words.next() == Some("Type") && line.contains("Reason")
}

/// All rows as a table, with the folder that is common to all documents in a line above.
pub(crate) fn as_table(rows: &[&Row], onto: Onto) -> String {
    let folder = common_folder(rows);
    let reviewed = rows.iter().any(|row| row.review.is_some());
    let mut columns = vec![
        ("Document", Holds::Names(31)),
        ("Type", Holds::Names(20)),
        ("Conf.", Holds::Number),
        ("Reason", Holds::Text),
    ];
    if reviewed {
        columns.insert(3, ("Review", Holds::Word));
    }
    let mut table = table::new(&columns, onto);
    for row in rows {
        let path = folder.and_then(|folder| row.path.strip_prefix(folder));
        let (r#type, color) = match (&row.r#type, row.is_answer()) {
            (Some(r#type), true) => (r#type.as_str(), Color::Green),
            (None, true) => ("no match", Color::Yellow),
            (_, false) => (row.status.as_str(), Color::Red),
        };
        let reason = row.error.as_deref().or(row.reasoning.as_deref());
        let mut cells = vec![
            table::cell(path.unwrap_or(&row.path), None),
            table::cell(r#type, Some(color)),
            table::cell(&table::confidence(row.confidence), None),
            table::cell(reason.unwrap_or_default(), None),
        ];
        if reviewed {
            let mark = if row.review == Some(true) {
                "review"
            } else {
                ""
            };
            cells.insert(3, table::cell(mark, Some(Color::Yellow)));
        }
        table::add(&mut table, cells);
    }
    let table = table::render(&table);
    match folder {
        Some(folder) => format!("In {}\n\n{table}", printable(folder)),
        None => table,
    }
}

/// The folder that all documents lie in, with the separator at its end, if there are several documents.
fn common_folder<'a>(rows: &[&'a Row]) -> Option<&'a str> {
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

    fn row(report: &str) -> Row {
        Row::settled(
            Path::new("in/a.pdf"),
            &serde_json::from_str(report).unwrap(),
        )
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
    fn more_keys_come_only_where_they_are_asked_for_and_last() {
        let mut row = Row::error(Path::new("a"), "gone");
        row.review = Some(true);
        row.filed = Some(Filed {
            how: How::Move,
            fate: Fate::Stays("it has no type"),
        });
        let json = serde_json::to_string(&row).unwrap();
        assert!(
            json.ends_with(r#""error":"gone","review":true,"moved_to":null}"#),
            "{json}"
        );
        let more = More {
            review: true,
            filed: Some(How::Copy),
        };
        let columns: Vec<_> = more.columns().collect();
        assert_eq!(columns.len(), row.record().len());
        assert_eq!(columns[8..], ["review", "copied_to"]);
        assert!(More::default().columns().eq(KEYS));
    }

    #[test]
    fn the_folder_common_to_all_is_told_once() {
        let common = |paths: &[&str]| {
            let rows: Vec<_> = paths
                .iter()
                .map(|path| Row::error(Path::new(path), ""))
                .collect();
            common_folder(&rows.iter().collect::<Vec<_>>()).map(str::to_owned)
        };
        let folder = |text: &str| Some(text.to_owned());
        assert_eq!(common(&["a/b/c.txt", "a/b/d/e.txt"]), folder("a/b/"));
        assert_eq!(common(&["a/bc.txt", "a/b/e.txt"]), folder("a/"));
        assert_eq!(common(&["/x.txt", "/y.txt"]), folder("/"));
        assert_eq!(common(&["a/x.txt", "b/x.txt"]), None);
        assert_eq!(common(&["a/x.txt"]), None);
    }

    #[test]
    fn every_outcome_has_its_row() {
        let found = row(
            r#"{"status":"COMPLETED","type":"invoice","confidence":0.9,"reasoning":"r","job_id":"clj-1","file_id":"dfl-1"}"#,
        );
        assert!(found.is_answer());
        assert_eq!(
            found.record(),
            [
                "in/a.pdf",
                "COMPLETED",
                "invoice",
                "0.9",
                "r",
                "clj-1",
                "dfl-1",
                ""
            ]
        );
        let found = row(r#"{"status":"COMPLETED","confidence":0.1,"reasoning":"r"}"#);
        assert!(found.is_answer() && found.r#type.is_none() && found.reasoning.is_some());
        for (report, status, error) in [
            (
                r#"{"status":"FAILED","error":"PDF_IS_BROKEN"}"#,
                "FAILED",
                "PDF_IS_BROKEN",
            ),
            (
                r#"{"status":"CANCELLED"}"#,
                "CANCELLED",
                "the job was cancelled",
            ),
            (
                r#"{"status":"ERROR","error":"a.pdf: refused"}"#,
                "ERROR",
                "refused",
            ),
            (r#"{"status":"OPEN"}"#, "OPEN", "the job stands at OPEN"),
        ] {
            let found = row(report);
            assert!(!found.is_answer());
            assert_eq!(
                (found.status.as_str(), found.error.as_deref()),
                (status, Some(error))
            );
        }
    }
}
