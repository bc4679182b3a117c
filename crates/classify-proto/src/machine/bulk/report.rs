//! The report of a document, as plain data.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorCode};
use crate::text::open_enum::open_enum;
use crate::v2::{Job, Outcome};

open_enum! {
    /// The status of a document at the end of a run.
    pub enum DocumentStatus {
        /// The job completed: a rule matched, or none did.
        Completed = "COMPLETED",
        /// The job failed.
        Failed = "FAILED",
        /// The job was cancelled.
        Cancelled = "CANCELLED",
        /// There is no job, because of an error of this document.
        Error = "ERROR",
        /// The job was deleted after it was created. Only a run with
        /// [`retry_failed`](crate::v2::JobOptions::retry_failed) creates another.
        Missing = "MISSING",
        /// The job had not ended when the run stopped waiting for it.
        Open = "OPEN",
        /// No job was created: the run stopped first, or the service could not be reached.
        NotStarted = "NOT_STARTED",
        /// The response to a create was lost. Running the same documents again finds the job or creates it; the
        /// document is charged once.
        Ambiguous = "AMBIGUOUS",
    }
}

impl DocumentStatus {
    /// Returns `true` if a resumed run returns the same report without a request.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Cancelled | Self::Error
        )
    }

    /// Returns `true` if the document was classified: a rule matched, or none did.
    #[must_use]
    pub fn has_result(&self) -> bool {
        *self == Self::Completed
    }
}

/// The report of a document, in journals and in [`FinishedDocument`](super::FinishedDocument).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DocumentReport {
    /// The status of the document.
    pub status: DocumentStatus,
    /// The type of the rule that matched. If the job completed, `None` means that no rule matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// The service's confidence, from 0.0 to 1.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// The service's explanation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// The id of the job (`clj-…`), if one was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// The id of the file (`dfl-…`), if the document was uploaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_id: Option<String>,
    /// The error message; `None` if the document has a result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The stable code of the error; `None` if the document has a result, and in reports of journals that an earlier
    /// version wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<ErrorCode>,
}

/// The code of a document without a result, if only its status is known.
fn code_of_status(status: &DocumentStatus) -> Option<ErrorCode> {
    match status {
        DocumentStatus::Completed | DocumentStatus::Unknown(_) => None,
        DocumentStatus::Failed => Some(ErrorCode::JobFailed),
        DocumentStatus::Cancelled => Some(ErrorCode::JobCancelled),
        DocumentStatus::Error => Some(ErrorCode::NoResult),
        DocumentStatus::Missing => Some(ErrorCode::NotFound),
        DocumentStatus::Open | DocumentStatus::NotStarted => Some(ErrorCode::Stopped),
        DocumentStatus::Ambiguous => Some(ErrorCode::Ambiguous),
    }
}

impl DocumentReport {
    /// Creates a report with this status and nothing else.
    #[must_use]
    pub fn new(status: DocumentStatus) -> Self {
        Self {
            error_code: code_of_status(&status),
            status,
            r#type: None,
            confidence: None,
            reasoning: None,
            job_id: None,
            file_id: None,
            error: None,
        }
    }

    pub(super) fn of_error(status: DocumentStatus, error: &Error) -> Self {
        Self {
            error: Some(error.to_string()),
            error_code: Some(error.code()),
            job_id: error.job_id().map(str::to_owned),
            ..Self::new(status)
        }
    }

    /// Whether a resumed run need not send the document again. After an error of reading the file it must: the file may
    /// be back.
    pub(super) fn is_settled(&self) -> bool {
        let is_local = self.error_code == Some(ErrorCode::Content);
        self.status.is_final() && !is_local
    }

    /// The report of a job; `None` if the job has not ended.
    pub(super) fn of_job(job: &Job) -> Option<Self> {
        let mut report = match job.outcome() {
            Outcome::Matched {
                r#type,
                confidence,
                reasoning,
            } => Self {
                r#type: Some(r#type.to_owned()),
                confidence,
                reasoning: reasoning.map(str::to_owned),
                ..Self::new(DocumentStatus::Completed)
            },
            Outcome::NoMatch {
                confidence,
                reasoning,
            } => Self {
                confidence,
                reasoning: reasoning.map(str::to_owned),
                ..Self::new(DocumentStatus::Completed)
            },
            Outcome::Missing => Self {
                error: Some("the job completed and the service sent no result with it".to_owned()),
                ..Self::new(DocumentStatus::Error)
            },
            Outcome::Failed { message } => Self {
                error: Some(message.unwrap_or("the job failed").to_owned()),
                ..Self::new(DocumentStatus::Failed)
            },
            Outcome::Cancelled => Self::new(DocumentStatus::Cancelled),
            Outcome::NotFinished { .. } => return None,
        };
        report.job_id = Some(job.id.clone());
        report.file_id.clone_from(&job.file_input);
        Some(report)
    }
}

#[cfg(test)]
mod tests {
    use super::super::journal::Record;
    use super::*;
    use proptest::prelude::*;

    fn of_job(job: &str) -> Option<DocumentReport> {
        DocumentReport::of_job(&serde_json::from_str(job).unwrap())
    }

    #[test]
    fn report_has_all_result_fields_of_job() {
        let result = |r#type: &str| {
            format!(
                r#"{{"id":"clj-1","status":"COMPLETED","file_input":"dfl-1",
                    "result":{{"type":{type},"confidence":0.5,"reasoning":"because"}}}}"#
            )
        };
        for (r#type, expected) in [("\"invoice\"", Some("invoice")), ("null", None)] {
            let report = of_job(&result(r#type)).unwrap();
            assert_eq!(report.status, DocumentStatus::Completed);
            assert_eq!(report.r#type.as_deref(), expected);
            assert_eq!(report.confidence, Some(0.5));
            assert_eq!(report.reasoning.as_deref(), Some("because"));
            assert_eq!(report.job_id.as_deref(), Some("clj-1"));
            assert_eq!(report.file_id.as_deref(), Some("dfl-1"));
            assert_eq!(report.error, None);
        }
    }

    #[test]
    fn report_error_code_is_there_exactly_if_there_is_no_result() {
        for status in DocumentStatus::KNOWN {
            let report = DocumentReport::new(DocumentStatus::from(*status));
            assert_eq!(
                report.error_code.is_none(),
                report.status.has_result(),
                "{status}"
            );
        }
        for (job, code) in [
            (
                r#"{"id":"1","status":"COMPLETED"}"#,
                Some(ErrorCode::NoResult),
            ),
            (
                r#"{"id":"1","status":"FAILED"}"#,
                Some(ErrorCode::JobFailed),
            ),
            (
                r#"{"id":"1","status":"CANCELLED"}"#,
                Some(ErrorCode::JobCancelled),
            ),
            (
                r#"{"id":"1","status":"COMPLETED","result":{"type":null,"confidence":0.5,"reasoning":"r"}}"#,
                None,
            ),
        ] {
            assert_eq!(of_job(job).unwrap().error_code, code, "{job}");
        }
    }

    /// A journal line without a code is read and written unchanged; a code of a later version is kept.
    #[test]
    fn report_without_error_code_or_with_unknown_one_round_trips() {
        for line in [
            r#"{"status":"ERROR","job_id":"clj-1","error":"gone"}"#,
            r#"{"status":"FAILED","error":"torn","error_code":"job_failed"}"#,
            r#"{"status":"ERROR","error":"gone","error_code":"of_tomorrow"}"#,
        ] {
            let report: DocumentReport = serde_json::from_str(line).unwrap();
            assert_eq!(serde_json::to_string(&report).unwrap(), line);
        }
    }

    proptest! {
        #[test]
        fn report_confidence_round_trips_exactly(confidence in 0.0f64..1.0) {
            let report = of_job(&format!(
                r#"{{"id":"clj-1","status":"COMPLETED","result":{{"type":"a","confidence":{confidence:?},"reasoning":""}}}}"#
            ))
            .unwrap();
            let found = report.confidence.unwrap();
            prop_assert!((found - confidence).abs() < 1e-15, "{found} {confidence}");
            let line = serde_json::to_string(&report).unwrap();
            let read: DocumentReport = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(&read, &report);
            // As in a record, whose type is found by a tag.
            let key = super::super::ContentKey::of(b"a");
            let record = Record::Finished { key, report };
            let read: Record = serde_json::from_str(&record.to_line()).unwrap();
            prop_assert_eq!(read, record);
        }
    }

    #[test]
    fn report_includes_error_message_and_none_for_running_job() {
        let empty = of_job(r#"{"id":"clj-1","status":"COMPLETED"}"#).unwrap();
        assert_eq!(empty.status, DocumentStatus::Error);
        assert!(empty.error.unwrap().contains("no result"));
        let failed = of_job(r#"{"id":"clj-1","status":"FAILED","error_message":"torn"}"#).unwrap();
        assert_eq!(
            (failed.status, failed.error.as_deref()),
            (DocumentStatus::Failed, Some("torn"))
        );
        assert_eq!(of_job(r#"{"id":"clj-1","status":"RUNNING"}"#), None);

        let error = Error::timeout("no reply").with_job_id("clj-2");
        let report = DocumentReport::of_error(DocumentStatus::Open, &error);
        assert_eq!(report.error_code, Some(ErrorCode::Timeout));
        assert_eq!(report.job_id.as_deref(), Some("clj-2"));
        assert!(report.error.unwrap().contains("no reply"));
    }
}
