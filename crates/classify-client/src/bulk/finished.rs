//! A finished document, as a run yields it.

use std::fmt;
use std::sync::Arc;

use classify_proto::machine::{
    ContentKey, DocumentReport, DocumentStatus, ErrorScope, FinishedDocument,
};
use classify_proto::v2::{Job, Outcome};
use classify_proto::{Error, ErrorCode};

/// A finished document of a bulk run: classified, or not and why.
#[derive(Debug, Clone)]
pub struct Finished {
    name: String,
    key: Option<ContentKey>,
    position: Option<usize>,
    document: Arc<Shared>,
}

/// What all documents of the same content have in common.
#[derive(Debug)]
struct Shared {
    report: DocumentReport,
    scope: Option<ErrorScope>,
    job: Option<Box<Job>>,
    restored: bool,
}

/// Why a document was not classified.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentError {
    status: DocumentStatus,
    scope: ErrorScope,
    message: String,
    code: Option<ErrorCode>,
    job_id: Option<String>,
}

impl Finished {
    /// Returns one item per name: each document of a run yields one, also if others have the same content. `positions` are
    /// those of the names.
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

    /// A document that could not be read.
    pub(crate) fn unreadable(name: impl Into<String>, error: &Error) -> Self {
        let mut report = DocumentReport::new(DocumentStatus::Error);
        report.error = Some(error.to_string());
        report.error_code = Some(error.code());
        Self::of_report(name, report, ErrorScope::Document)
    }

    /// A document that an earlier process finished, by the journal.
    pub(crate) fn restored(name: String, key: ContentKey, report: DocumentReport) -> Self {
        let scope = (!report.status.has_result()).then_some(ErrorScope::Document);
        Self {
            name,
            key: Some(key),
            position: None,
            document: Arc::new(Shared {
                report,
                scope,
                job: None,
                restored: true,
            }),
        }
    }

    pub(crate) fn at(mut self, position: usize) -> Self {
        self.position = Some(position);
        self
    }

    /// The same result under another name.
    pub(crate) fn named(mut self, name: String) -> Self {
        self.name = name;
        self
    }

    /// A document that no job was created for, for example in a test of a program that handles results.
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

    /// A document with this report, for example in a test of a program that handles results. `scope` is the scope of its
    /// error, and is ignored if it has a result.
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

    /// Returns the document's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the position of the document among those of the run, from 0; `None` outside of a run. Names may be equal,
    /// positions are not.
    #[must_use]
    pub fn position(&self) -> Option<usize> {
        self.position
    }

    /// Returns the result: the type of the rule that matched, or that none did.
    ///
    /// # Errors
    ///
    /// Why the document was not classified. If [`scope`](DocumentError::scope) is [`ErrorScope::Run`], the run stopped, and
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

    /// Returns the report: plain data that can be stored.
    #[must_use]
    pub fn report(&self) -> &DocumentReport {
        &self.document.report
    }

    /// Returns the key of the content; `None` if the document was not read.
    #[must_use]
    pub fn key(&self) -> Option<ContentKey> {
        self.key
    }

    /// Returns the job as last seen; `None` if there is none, or if an earlier process finished the document.
    #[must_use]
    pub fn job(&self) -> Option<&Job> {
        self.document.job.as_deref()
    }

    /// Whether an earlier process finished the document; the result is from the journal.
    #[must_use]
    pub fn is_restored(&self) -> bool {
        self.document.restored
    }
}

impl DocumentError {
    /// Returns the status of the document.
    #[must_use]
    pub fn status(&self) -> &DocumentStatus {
        &self.status
    }

    /// Returns what the error concerns: this document, every document of the run, or the service at that time.
    #[must_use]
    pub fn scope(&self) -> ErrorScope {
        self.scope
    }

    /// Returns what went wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns what went wrong as one word of a closed list; `None` if the result is from a journal without codes.
    #[must_use]
    pub fn code(&self) -> Option<&ErrorCode> {
        self.code.as_ref()
    }

    /// Returns the id of the job, if there is one.
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
