//! A finished document of a bulk run.

use std::fmt;
use std::sync::Arc;

use classify_proto::machine::{
    ContentKey, DocumentReport, DocumentStatus, ErrorScope, FinishedDocument,
};
use classify_proto::v2::{Job, Outcome};
use classify_proto::{Error, ErrorCode};

/// A finished document of a bulk run or a pool: its classification, or the error.
///
/// ```
/// use classify_client::Finished;
/// use classify_client::classify_proto::machine::ErrorScope;
///
/// let finished = Finished::failed("scan.pdf", ErrorScope::Document, "the file is damaged");
/// match finished.outcome() {
///     Ok(outcome) => println!("{}: {outcome:?}", finished.name()),
///     // The run stopped; running the same documents again continues it.
///     Err(error) if error.scope() == ErrorScope::Run => println!("stopped: {error}"),
///     Err(error) => assert_eq!(error.message(), "the file is damaged"),
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Finished {
    name: String,
    key: Option<ContentKey>,
    position: Option<usize>,
    document: Arc<Shared>,
}

/// The result that all documents with the same content share.
#[derive(Debug)]
struct Shared {
    report: DocumentReport,
    scope: Option<ErrorScope>,
    job: Option<Box<Job>>,
    restored: bool,
}

/// The reason why a document was not classified, with the id of its job if one was created.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentError {
    status: DocumentStatus,
    scope: ErrorScope,
    message: String,
    code: Option<ErrorCode>,
    job_id: Option<String>,
}

impl Finished {
    /// Returns one item per name, since documents with the same content yield one item each. `positions` belong to the
    /// names, in the same order.
    pub(crate) fn all(
        finished: FinishedDocument,
        positions: impl IntoIterator<Item = usize>,
    ) -> impl Iterator<Item = Self> {
        let mut positions = positions.into_iter();
        let key = finished.key;
        let document = Arc::new(Shared {
            report: finished.report,
            scope: finished.scope,
            job: finished.job,
            restored: finished.restored,
        });
        finished.names.into_iter().map(move |name| Self {
            name,
            key: Some(key),
            position: positions.next(),
            document: Arc::clone(&document),
        })
    }

    /// Returns the item of a document that could not be read.
    pub(crate) fn unreadable(name: impl Into<String>, error: &Error) -> Self {
        let mut report = DocumentReport::new(DocumentStatus::Error);
        report.error = Some(error.to_string());
        report.error_code = Some(error.code());
        Self::of_report(name, report, ErrorScope::Document)
    }

    /// Returns the item of a document whose content has a report already. `restored` says that an earlier process made it.
    pub(crate) fn known(
        name: String,
        key: ContentKey,
        report: DocumentReport,
        restored: bool,
    ) -> Self {
        let scope = (!report.status.has_result()).then_some(ErrorScope::Document);
        Self {
            name,
            key: Some(key),
            position: None,
            document: Arc::new(Shared {
                report,
                scope,
                job: None,
                restored,
            }),
        }
    }

    pub(crate) fn at(mut self, position: usize) -> Self {
        self.position = Some(position);
        self
    }

    /// Returns the same result under another name.
    pub(crate) fn named(mut self, name: String) -> Self {
        self.name = name;
        self
    }

    /// Returns a document without a job and with this error. For tests of programs that handle results.
    #[must_use]
    pub fn failed(name: impl Into<String>, scope: ErrorScope, message: impl Into<String>) -> Self {
        let status = match scope {
            ErrorScope::Document => DocumentStatus::Error,
            _ => DocumentStatus::NotStarted,
        };
        let mut report = DocumentReport::new(status);
        report.error = Some(message.into());
        if scope == ErrorScope::Document {
            report.error_code = Some(ErrorCode::Content);
        }
        Self::of_report(name, report, scope)
    }

    /// Returns a document with this report. For tests of programs that handle results. `scope` is the scope of the
    /// error; it is ignored if the report has a result.
    #[must_use]
    pub fn of_report(name: impl Into<String>, report: DocumentReport, scope: ErrorScope) -> Self {
        let has_result = report.status.has_result();
        Self {
            name: name.into(),
            key: None,
            position: None,
            document: Arc::new(Shared {
                report,
                scope: (!has_result).then_some(scope),
                job: None,
                restored: false,
            }),
        }
    }

    /// Returns the name of the document, as [`Document::name`](crate::Document::name).
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the position of the document in the run, from 0; `None` for a pool. Two documents may have the same
    /// name, but not the same position.
    #[must_use]
    pub fn position(&self) -> Option<usize> {
        self.position
    }

    /// Returns the outcome: the type of the rule that matched, or that no rule matched.
    ///
    /// # Errors
    ///
    /// The document was not classified. If [`scope`](DocumentError::scope) is [`ErrorScope::Run`], the run stopped, and
    /// running the same documents again continues it.
    pub fn outcome(&self) -> Result<Outcome<'_>, DocumentError> {
        let report = &self.document.report;
        if !report.status.has_result() {
            return Err(DocumentError {
                status: report.status.clone(),
                scope: self.document.scope.unwrap_or(ErrorScope::Document),
                message: report.error.clone().unwrap_or_default(),
                code: report.error_code.clone(),
                job_id: report.job_id.clone(),
            });
        }
        let reasoning = report.reasoning.as_deref();
        let confidence = report.confidence;
        Ok(match report.r#type.as_deref() {
            Some(r#type) => Outcome::Matched {
                r#type,
                confidence,
                reasoning,
            },
            None => Outcome::NoMatch {
                confidence,
                reasoning,
            },
        })
    }

    /// Returns the report, which can be serialized and stored.
    #[must_use]
    pub fn report(&self) -> &DocumentReport {
        &self.document.report
    }

    /// Returns the hash of the content; `None` if the document was not read.
    #[must_use]
    pub fn key(&self) -> Option<ContentKey> {
        self.key
    }

    /// Returns the job as of the last response; `None` if there is none, or if an earlier process finished the
    /// document.
    #[must_use]
    pub fn job(&self) -> Option<&Job> {
        self.document.job.as_deref()
    }

    /// Returns whether the result is from the journal, because an earlier process finished the document.
    #[must_use]
    pub fn is_restored(&self) -> bool {
        self.document.restored
    }
}

impl DocumentError {
    /// Returns the status of the document, for example [`DocumentStatus::Ambiguous`] if a job may exist.
    #[must_use]
    pub fn status(&self) -> &DocumentStatus {
        &self.status
    }

    /// Returns the scope of the error: this document, every document of the run, or a transient failure of the service.
    #[must_use]
    pub fn scope(&self) -> ErrorScope {
        self.scope
    }

    /// Returns the error text, in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the error code, one of the list in `docs/errors.md`; `None` if the result is from a journal without
    /// codes.
    #[must_use]
    pub fn code(&self) -> Option<&ErrorCode> {
        self.code.as_ref()
    }

    /// Returns the id of the job; `None` if no job was created.
    #[must_use]
    pub fn job_id(&self) -> Option<&str> {
        self.job_id.as_deref()
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        match &self.job_id {
            Some(id) => write!(f, " (job {id})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for DocumentError {}
