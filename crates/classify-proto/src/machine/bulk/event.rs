//! Events and summary of a run.

use std::collections::BTreeMap;

use super::error_scope::ErrorScope;
use super::journal::Record;
use super::report::{DocumentReport, DocumentStatus};
use crate::content_key::ContentKey;
use crate::error::Error;
use crate::v2::Job;

/// An event of a [`Bulk`](super::Bulk) run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum BulkEvent {
    /// Requests up to this many documents. Pass at least one to [`Bulk::push`](super::Bulk::push) before polling again;
    /// otherwise the input is taken to have ended.
    NeedDocuments(usize),
    /// A record to store before polling again.
    Record(Record),
    /// A document has its final report of this run.
    Finished(FinishedDocument),
    /// A message for the user, such as a pause or a reduced rate.
    Notice(String),
}

/// A document that the run has finished.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FinishedDocument {
    /// All names under which the document was pushed.
    pub names: Vec<String>,
    /// The hash of its content.
    pub key: ContentKey,
    /// The status, the result and the ids of the document.
    pub report: DocumentReport,
    /// The last known state of the job; `None` if there is no job or an earlier process finished the document.
    pub job: Option<Box<Job>>,
    /// An earlier process finished the document; this report comes from the journal.
    pub restored: bool,
    /// The scope of the error; `None` if the document was classified.
    pub scope: Option<ErrorScope>,
}

/// The counts of a [`Bulk`](super::Bulk) run and how it ended.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// Number of documents by status. Duplicates count once.
    pub statuses: BTreeMap<DocumentStatus, usize>,
    /// Number of completed documents that no rule matched.
    pub no_match: usize,
    /// Number of duplicates: further names for the same content.
    pub duplicates: usize,
    /// Number of documents that an earlier process finished.
    pub restored: usize,
    /// How the run ended.
    pub end: RunEnd,
}

/// How a run ended.
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum RunEnd {
    /// All documents were processed.
    #[default]
    Complete,
    /// [`Bulk::stop`](super::Bulk::stop) was called.
    Stopped,
    /// An error that affects every document stopped the run, or its deadline was reached.
    Failed(Error),
}

impl Summary {
    /// Returns `true` if all documents were processed. They may have failed nevertheless.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.end, RunEnd::Complete)
    }

    /// Returns the error that stopped the run; `None` if no error did.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        match &self.end {
            RunEnd::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Returns the error that stopped the run, by value; `None` if no error did.
    #[must_use]
    pub fn into_error(self) -> Option<Error> {
        match self.end {
            RunEnd::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Returns the number of documents with this status.
    #[must_use]
    pub fn count(&self, status: &DocumentStatus) -> usize {
        self.statuses.get(status).copied().unwrap_or(0)
    }

    /// Returns the number of documents. Duplicates count once.
    #[must_use]
    pub fn documents(&self) -> usize {
        self.statuses.values().sum()
    }
}
