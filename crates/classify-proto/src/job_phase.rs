//! The phase of a job.

/// The meaning of a job's status, for both versions of the API.
///
/// Returned by [`v2::JobStatus::phase`](crate::v2::JobStatus::phase) and
/// [`v1::JobStatus::phase`](crate::v1::JobStatus::phase), which decide whether a job has ended.
///
/// ```
/// use classify_proto::{JobPhase, v2::JobStatus};
///
/// assert_eq!(JobStatus::Running.phase(), JobPhase::Pending);
/// assert!(JobStatus::Cancelled.phase().is_terminal());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JobPhase {
    /// The job has not ended, or has a status that this version does not know.
    Pending,
    /// The job ended with a result, or with results for some of its files.
    Succeeded,
    /// The job ended without a result.
    Failed,
    /// The job ended because it was cancelled.
    Cancelled,
}

impl JobPhase {
    /// Returns `true` if the job has ended.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        self != Self::Pending
    }
}
