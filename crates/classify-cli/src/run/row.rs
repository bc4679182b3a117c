//! The row of a document.

use std::path::Path;

use classify_proto::ErrorCode;
use classify_proto::machine::{DocumentReport, DocumentStatus};
use classify_ureq::classify_client::path_name;
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::output::table::{self, Color, ColumnKind, RenderTarget};
use crate::terminal::escape;

/// The columns of a CSV file, in this order. A JSON line has these keys and then `error_code`.
///
/// CSV has no column for the code: readers take columns by their position, or load the file into a table of eight.
pub(crate) const COLUMNS: [&str; 8] = [
    "path",
    "status",
    "type",
    "confidence",
    "reasoning",
    "job_id",
    "file_id",
    "error",
];

/// The first column behind a byte order mark.
const MARKED_FIRST_COLUMN: &str = "\u{feff}path";

/// The key that only JSON has.
const ERROR_CODE: &str = "error_code";

/// The row of a document. All keys are written, with null for missing values; the optional ones only with their flag.
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
    /// The code of the error; `None` in rows of journals that an earlier version wrote.
    pub(crate) error_code: Option<ErrorCode>,
    /// Whether the document should be reviewed, with `--review-below`.
    pub(crate) review: Option<bool>,
    /// The reason, if the result itself is implausible. It is in no format of rows.
    pub(crate) review_reason: Option<&'static str>,
    /// The result of `--move-to` or `--copy-to` for the file.
    pub(crate) file_result: Option<FileActionResult>,
}

/// The action of `--move-to` or `--copy-to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileAction {
    Move,
    Copy,
}

/// The outcome of `--move-to` or `--copy-to` for one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileActionResult {
    pub(crate) action: FileAction,
    pub(crate) outcome: FileOutcome,
}

/// The location of a file after the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileOutcome {
    /// At a new path.
    Moved(String),
    /// A copy was already at this path.
    AlreadyThere(String),
    /// At the old path, for this reason.
    Kept(&'static str),
    /// At the old path, because of this error.
    Failed(String),
}

impl FileActionResult {
    /// Returns the new path, if there is one.
    pub(crate) fn new_path(&self) -> Option<&str> {
        match &self.outcome {
            FileOutcome::Moved(path) | FileOutcome::AlreadyThere(path) => Some(path),
            FileOutcome::Kept(_) | FileOutcome::Failed(_) => None,
        }
    }
}

impl FileAction {
    /// Returns the key of the new path.
    pub(crate) fn key(self) -> &'static str {
        match self {
            FileAction::Move => "moved_to",
            FileAction::Copy => "copied_to",
        }
    }
}

/// The optional columns of the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ExtraColumns {
    pub(crate) review: bool,
    pub(crate) file_action: Option<FileAction>,
    /// Begin CSV with a byte order mark.
    pub(crate) csv_bom: bool,
}

impl ExtraColumns {
    /// Returns the header of a CSV file: all columns in their order, the first behind the byte order mark if there is
    /// one.
    pub(crate) fn columns(self) -> impl Iterator<Item = &'static str> {
        let [first, others @ ..] = COLUMNS;
        let first = if self.csv_bom {
            MARKED_FIRST_COLUMN
        } else {
            first
        };
        std::iter::once(first)
            .chain(others)
            .chain(self.review.then_some("review"))
            .chain(self.file_action.map(FileAction::key))
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
        map.serialize_entry(ERROR_CODE, &self.error_code)?;
        if let Some(review) = self.review {
            map.serialize_entry("review", &review)?;
        }
        if let Some(file) = &self.file_result {
            map.serialize_entry(file.action.key(), &file.new_path())?;
        }
        map.end()
    }
}

impl Row {
    /// Returns the row of a document that cannot be classified.
    pub(crate) fn error(path: &Path, reason: impl Into<String>) -> Self {
        Self::without_result(path, &DocumentStatus::Error, reason, ErrorCode::Content)
    }

    /// Returns the row of a document without a result.
    pub(crate) fn without_result(
        path: &Path,
        status: &DocumentStatus,
        reason: impl Into<String>,
        code: ErrorCode,
    ) -> Self {
        Self {
            path: path_name(path),
            status: status.to_string(),
            r#type: None,
            confidence: None,
            reasoning: None,
            job_id: None,
            file_id: None,
            error: Some(reason.into()),
            error_code: Some(code),
            review: None,
            review_reason: None,
            file_result: None,
        }
    }

    /// Returns the row of a finished document.
    pub(crate) fn from_report(path: &Path, report: &DocumentReport) -> Self {
        let error = match (&report.error, &report.status) {
            (Some(error), _) => Some(strip_name(error, path)),
            (None, DocumentStatus::Completed) => None,
            (None, DocumentStatus::Cancelled) => Some("the job was cancelled".to_owned()),
            (None, status) => Some(format!("the job has the status {status}")),
        };
        Self {
            path: path_name(path),
            status: report.status.to_string(),
            r#type: report.r#type.clone(),
            confidence: report.confidence,
            reasoning: report.reasoning.clone(),
            job_id: report.job_id.clone(),
            file_id: report.file_id.clone(),
            error,
            error_code: report.error_code.clone(),
            review: None,
            review_reason: None,
            file_result: None,
        }
    }

    /// Whether the document was classified, with a match or without one.
    pub(crate) fn is_classified(&self) -> bool {
        self.error.is_none()
    }

    /// Returns the confidence if it is from 0 to 1.
    pub(crate) fn valid_confidence(&self) -> Option<f64> {
        self.confidence
            .filter(|confidence| (0.0..=1.0).contains(confidence))
    }

    /// Returns the row as a CSV record.
    pub(crate) fn csv_record(&self) -> Vec<String> {
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
            self.file_result
                .as_ref()
                .map(|filed| filed.new_path().unwrap_or_default().to_owned()),
        );
        record
    }
}

/// Removes the name of the document from an error; the row contains it.
pub(crate) fn strip_name(text: &str, path: &Path) -> String {
    let names = [path_name(path), path.display().to_string()]
        .into_iter()
        .chain(path.file_name().map(|name| path_name(Path::new(name))));
    let without = |name: String| text.strip_prefix(&*name)?.strip_prefix(": ");
    names
        .into_iter()
        .find_map(without)
        .unwrap_or(text)
        .to_owned()
}

/// Whether a line is the header of a table of rows.
pub(crate) fn is_table_header(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words.next() == Some("Document") && words.next() == Some("Type") && line.contains("Reason")
}

/// Returns the rows as a table, below a line with the common folder.
pub(crate) fn as_table(rows: &[&Row], target: RenderTarget) -> String {
    let folder = common_folder(rows);
    let has_review = rows.iter().any(|row| row.review.is_some());
    let mut columns = vec![
        ("Document", ColumnKind::Names(31)),
        ("Type", ColumnKind::Label),
        ("Conf.", ColumnKind::Number),
        ("Reason", ColumnKind::Prose),
    ];
    if has_review {
        columns.insert(3, ("Review", ColumnKind::Word));
    }
    let mut table = table::new(&columns, target);
    for row in rows {
        let path = folder.and_then(|folder| row.path.strip_prefix(folder));
        let (r#type, color) = match (&row.r#type, row.is_classified()) {
            (Some(r#type), true) => (r#type.as_str(), Color::Green),
            (None, true) => ("no match", Color::Yellow),
            (_, false) => (row.status.as_str(), Color::Red),
        };
        let reason = row.error.as_deref().or(row.reasoning.as_deref());
        let mut cells = vec![
            table::cell(path.unwrap_or(&row.path), None),
            table::cell(r#type, Some(color)),
            table::cell(&table::format_confidence(row.confidence), None),
            table::cell(reason.unwrap_or_default(), None),
        ];
        if has_review {
            let mark = if row.review == Some(true) {
                "review"
            } else {
                ""
            };
            cells.insert(3, table::cell(mark, Some(Color::Yellow)));
        }
        table::add(&mut table, cells);
    }
    let table = table::render(table);
    match folder {
        Some(folder) => format!("In {}\n\n{table}", escape(folder)),
        None => table,
    }
}

/// Returns the common folder of several documents, with a separator at the end.
fn common_folder<'a>(rows: &[&'a Row]) -> Option<&'a str> {
    let (first, others) = rows
        .split_first()
        .filter(|(_, others)| !others.is_empty())?;
    let mut folder = parent_prefix(&first.path);
    for row in others {
        while !row.path.starts_with(folder) {
            folder = parent_prefix(folder.trim_end_matches(std::path::is_separator));
        }
    }
    (!folder.is_empty()).then_some(folder)
}

fn parent_prefix(path: &str) -> &str {
    let end = path
        .rfind(std::path::is_separator)
        .map_or(0, |last| last + 1);
    &path[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(report: &str) -> Row {
        Row::from_report(
            Path::new("in/a.pdf"),
            &serde_json::from_str(report).unwrap(),
        )
    }

    #[test]
    fn row_json_has_exactly_the_documented_keys() {
        let row = Row::error(Path::new("ü ñ.pdf"), "gone");
        let json = serde_json::to_string(&row).unwrap();
        assert_eq!(
            json,
            r#"{"path":"ü ñ.pdf","status":"ERROR","type":null,"confidence":null,"reasoning":null,"job_id":null,"file_id":null,"error":"gone","error_code":"content"}"#
        );
        let keys: Vec<_> = COLUMNS
            .iter()
            .chain([&ERROR_CODE])
            .map(|key| json.find(&format!("\"{key}\":")).unwrap())
            .collect();
        assert!(keys.is_sorted());
    }

    #[test]
    fn row_optional_keys_appear_only_on_request_and_last() {
        let mut row = Row::error(Path::new("a"), "gone");
        row.review = Some(true);
        row.file_result = Some(FileActionResult {
            action: FileAction::Move,
            outcome: FileOutcome::Kept("it has no type"),
        });
        let json = serde_json::to_string(&row).unwrap();
        assert!(
            json.ends_with(
                r#""error":"gone","error_code":"content","review":true,"moved_to":null}"#
            ),
            "{json}"
        );
        let extra = ExtraColumns {
            review: true,
            file_action: Some(FileAction::Copy),
            csv_bom: false,
        };
        let columns: Vec<_> = extra.columns().collect();
        assert_eq!(columns.len(), row.csv_record().len());
        assert_eq!(columns[8..], ["review", "copied_to"]);
        assert!(ExtraColumns::default().columns().eq(COLUMNS));
        let marked = ExtraColumns {
            csv_bom: true,
            ..ExtraColumns::default()
        };
        let marked: Vec<_> = marked.columns().collect();
        assert_eq!(marked[0].strip_prefix('\u{feff}'), Some(COLUMNS[0]));
        assert_eq!(marked[1..], COLUMNS[1..]);
    }

    #[test]
    fn row_error_code_is_that_of_report_and_not_in_csv() {
        let failed = r#"{"status":"FAILED","error":"PDF_IS_BROKEN","error_code":"job_failed"}"#;
        let json = |report| serde_json::to_value(row(report)).unwrap()["error_code"].clone();
        assert_eq!(json(failed), "job_failed");
        assert_eq!(row(failed).csv_record().len(), COLUMNS.len());
        assert!(!row(failed).csv_record().contains(&"job_failed".to_owned()));
        // Of an earlier version, and of a later one.
        assert!(json(r#"{"status":"FAILED","error":"PDF_IS_BROKEN"}"#).is_null());
        assert_eq!(
            json(r#"{"status":"ERROR","error":"gone","error_code":"of_tomorrow"}"#),
            "of_tomorrow"
        );
        assert!(json(r#"{"status":"COMPLETED","type":"a"}"#).is_null());
    }

    #[test]
    fn row_common_folder_is_longest_shared_folder() {
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
    fn row_of_completed_failed_cancelled_and_open_documents() {
        let found = row(
            r#"{"status":"COMPLETED","type":"invoice","confidence":0.9,"reasoning":"r","job_id":"clj-1","file_id":"dfl-1"}"#,
        );
        assert!(found.is_classified());
        assert_eq!(
            found.csv_record(),
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
        assert!(found.is_classified() && found.r#type.is_none() && found.reasoning.is_some());
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
                r#"{"status":"ERROR","error":"a.pdf: rejected"}"#,
                "ERROR",
                "rejected",
            ),
            (
                r#"{"status":"OPEN"}"#,
                "OPEN",
                "the job has the status OPEN",
            ),
        ] {
            let found = row(report);
            assert!(!found.is_classified());
            assert_eq!(
                (found.status.as_str(), found.error.as_deref()),
                (status, Some(error))
            );
        }
    }
}
