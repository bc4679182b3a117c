//! What a run knows of a document, and how far a run is.

use std::sync::Arc;

use crate::content_key::ContentKey;
use crate::machine::document::Source;
use crate::v2::Configuration;

/// A document on its way.
pub(super) struct DocumentState {
    pub(super) names: Vec<String>,
    pub(super) key: ContentKey,
    pub(super) source: Source,
    /// The number that is part of the transaction id.
    pub(super) run_number: u32,
    /// How often it met a faulty service.
    pub(super) failures: u32,
    /// How many earlier jobs of it were found to have failed.
    pub(super) failed_jobs: u32,
    pub(super) file_id: Option<String>,
    /// The file comes from the journal and may be gone.
    pub(super) is_file_from_journal: bool,
    /// The answer to a create was lost, in this process or with an earlier one, so that there may be a job.
    pub(super) job_may_exist: bool,
    pub(super) job_id: Option<String>,
    pub(super) created_in: CreatedIn,
}

/// Which round has paid for the present attempt at a document. One that an earlier round has paid for may be followed
/// by another; one of this round's own may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CreatedIn {
    /// None, or it is not known.
    Unknown,
    EarlierPass,
    ThisPass,
}

impl DocumentState {
    /// What leads to its job next.
    pub(super) fn next(&self) -> Stage {
        match (&self.source, &self.file_id) {
            (Source::Upload(_), None) => Stage::Upload,
            _ => Stage::Create,
        }
    }
}

/// Which of the two steps that lead to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Upload,
    Create,
}

/// Where the next document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InputState {
    Open,
    /// The caller has said that it is not ready yet.
    Paused,
    /// There are no more.
    Closed,
}

/// What the run's saved configuration holds. It may have been edited since an earlier run created jobs under its id, whose
/// results are then not the answer.
#[derive(Debug)]
pub(super) enum ConfigurationInForce {
    /// The rules are given, or what is saved cannot be compared.
    Unneeded,
    Unread,
    Reading,
    Known(Arc<Configuration>),
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunPhase {
    /// The journal does not say yet what run it is of.
    Unstarted,
    Running,
    /// The open jobs were left, or are being cancelled.
    Stopped,
    Ended,
}
