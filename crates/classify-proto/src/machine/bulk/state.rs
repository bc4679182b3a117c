//! State of a document in a run, and of the run.

use std::sync::Arc;

use crate::content_key::ContentKey;
use crate::machine::document::Source;
use crate::v2::Configuration;

/// A document in flight.
pub(super) struct DocumentState {
    pub(super) names: Vec<String>,
    pub(super) key: ContentKey,
    pub(super) source: Source,
    /// The run number, which is part of the transaction id.
    pub(super) run_number: u32,
    /// Number of transient errors.
    pub(super) failures: u32,
    /// Number of failed earlier jobs that were found.
    pub(super) failed_jobs: u32,
    pub(super) file_id: Option<String>,
    /// The id of the file comes from the journal; the file may be gone.
    pub(super) is_file_from_journal: bool,
    /// The response to a create was lost, in this process or an earlier one, so there may be a job.
    pub(super) job_may_exist: bool,
    pub(super) job_id: Option<String>,
    pub(super) created_in: CreatedIn,
}

/// The pass that paid for the present run number of a document. If it was an earlier pass, another paid run may follow;
/// if it was this one, none may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CreatedIn {
    /// None, or unknown.
    Unknown,
    EarlierPass,
    ThisPass,
}

impl DocumentState {
    /// The next stage that leads to its job.
    pub(super) fn next(&self) -> Stage {
        match (&self.source, &self.file_id) {
            (Source::Upload(_), None) => Stage::Upload,
            _ => Stage::Create,
        }
    }
}

/// The two stages that lead to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Upload,
    Create,
}

/// Whether the caller can push more documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InputState {
    Open,
    /// The caller has no document ready.
    Paused,
    /// There are no more documents.
    Closed,
}

/// The current content of the run's saved configuration. It may have been edited after an earlier run created jobs with
/// its id; their results then do not count.
#[derive(Debug)]
pub(super) enum ConfigurationInForce {
    /// The rules are given, or the saved configuration cannot be compared.
    Unneeded,
    Unread,
    Reading,
    Known(Arc<Configuration>),
}

/// State of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunPhase {
    /// The first record of the journal has not been written.
    Unstarted,
    Running,
    /// The open jobs were left, or are being cancelled.
    Stopped,
    Ended,
}
