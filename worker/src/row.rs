//! The row of a document: a JSON line with the keys of `llamacloud-prod classify run --format jsonl`.

use std::path::Path;

use classify_proto::ErrorCode;
use classify_proto::machine::{DocumentReport, DocumentStatus};
use classify_reqwest::classify_client::{name_path, path_name};
use serde::{Deserialize, Serialize};

/// The row of a document. All keys are written, in this order, with null for missing values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// The path or URL that was submitted first, if several documents have the same content.
    pub(crate) path: String,
    pub(crate) status: String,
    pub(crate) r#type: Option<String>,
    pub(crate) confidence: Option<f64>,
    pub(crate) reasoning: Option<String>,
    pub(crate) job_id: Option<String>,
    pub(crate) file_id: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) error_code: Option<ErrorCode>,
}

impl Row {
    /// Returns the row of a finished document.
    pub(crate) fn from_report(path: &str, report: &DocumentReport) -> Self {
        let error = match (&report.error, &report.status) {
            (Some(error), _) => Some(strip_name(error, path)),
            (None, DocumentStatus::Completed) => None,
            (None, DocumentStatus::Cancelled) => Some("the job was cancelled".to_owned()),
            (None, status) => Some(format!("the job has the status {status}")),
        };
        Self {
            path: path.to_owned(),
            status: report.status.to_string(),
            r#type: report.r#type.clone(),
            confidence: report.confidence,
            reasoning: report.reasoning.clone(),
            job_id: report.job_id.clone(),
            file_id: report.file_id.clone(),
            error,
            error_code: report.error_code.clone(),
        }
    }

    /// Returns the row of a document that cannot be read now.
    pub(crate) fn of_unreadable(path: &str, reason: &str) -> Self {
        let reason = strip_name(reason, path);
        Self::without_result(
            path,
            &DocumentStatus::Error,
            reason,
            Some(ErrorCode::Content),
        )
    }

    /// Returns the row of a document without a result.
    pub(crate) fn without_result(
        path: &str,
        status: &DocumentStatus,
        reason: impl Into<String>,
        code: Option<ErrorCode>,
    ) -> Self {
        Self {
            path: path.to_owned(),
            status: status.to_string(),
            r#type: None,
            confidence: None,
            reasoning: None,
            job_id: None,
            file_id: None,
            error: Some(reason.into()),
            error_code: code,
        }
    }
}

/// Removes the name of the document from an error; the row contains it.
fn strip_name(text: &str, path: &str) -> String {
    let found = name_path(path);
    let names = [path.to_owned(), found.display().to_string()]
        .into_iter()
        .chain(found.file_name().map(|name| path_name(Path::new(name))));
    let without = |name: String| text.strip_prefix(&*name)?.strip_prefix(": ");
    names
        .into_iter()
        .find_map(without)
        .unwrap_or(text)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_is_that_of_the_command_line() {
        let report: DocumentReport = serde_json::from_str(
            r#"{"status":"ERROR","error":"a/ü.pdf: gone","error_code":"content"}"#,
        )
        .unwrap();
        let row = Row::from_report("a/ü.pdf", &report);
        let json = serde_json::to_string(&row).unwrap();
        // The same text as in the test of `classify run`.
        assert_eq!(
            json,
            r#"{"path":"a/ü.pdf","status":"ERROR","type":null,"confidence":null,"reasoning":null,"job_id":null,"file_id":null,"error":"gone","error_code":"content"}"#
        );
        assert_eq!(serde_json::from_str::<Row>(&json).unwrap(), row);
    }
}
