//! What a run tells.

use std::collections::BTreeMap;

use super::error_scope::ErrorScope;
use super::journal::Record;
use super::report::{DocumentReport, DocumentStatus};
use crate::content_key::ContentKey;
use crate::error::Error;
use crate::v2::Job;

/// What a [`Bulk`](super::Bulk) tells.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum BulkEvent {
    /// The run can take this many more documents. [`Bulk::push`](super::Bulk::push) at least one before polling again, or there are no
    /// more.
    NeedDocuments(usize),
    /// To be stored before polling again.
    Record(Record),
    /// The run is through with a document.
    Finished(FinishedDocument),
    /// Something that whoever watches may want to know.
    Notice(String),
}

/// A document that the run is through with.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FinishedDocument {
    /// Every name it came under.
    pub names: Vec<String>,
    /// The key of its content.
    pub key: ContentKey,
    /// What became of it.
    pub report: DocumentReport,
    /// The job as the service described it last; absent where there is none or it was settled in an earlier process.
    pub job: Option<Box<Job>>,
    /// It was settled in an earlier process.
    pub restored: bool,
    /// What the error concerns; `None` if the document was classified.
    pub scope: Option<ErrorScope>,
}

/// How a [`Bulk`](super::Bulk) ended.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// Documents by how they stand; each content once, whatever its number of names.
    pub statuses: BTreeMap<DocumentStatus, usize>,
    /// Completed documents that no rule matched.
    pub no_match: usize,
    /// Further names of contents that had one already.
    pub duplicates: usize,
    /// Documents that were settled in an earlier process.
    pub restored: usize,
    /// Whether the run came to its end.
    pub end: RunEnd,
}

/// How a run ended.
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum RunEnd {
    /// It went over all documents.
    #[default]
    Complete,
    /// [`Bulk::stop`](super::Bulk::stop) was called before.
    Stopped,
    /// An error that concerns every document stopped it, or its deadline.
    Failed(Error),
}

impl Summary {
    /// Whether the run went over all documents.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.end, RunEnd::Complete)
    }

    /// Returns the error that stopped the run.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        match &self.end {
            RunEnd::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Returns the error that stopped the run.
    #[must_use]
    pub fn into_error(self) -> Option<Error> {
        match self.end {
            RunEnd::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// How many documents stand so.
    #[must_use]
    pub fn count(&self, status: &DocumentStatus) -> usize {
        self.statuses.get(status).copied().unwrap_or(0)
    }

    /// How many documents there were, each content once.
    #[must_use]
    pub fn documents(&self) -> usize {
        self.statuses.values().sum()
    }
}
