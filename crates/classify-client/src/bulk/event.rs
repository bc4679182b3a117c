//! What a run tells while it runs.

use super::finished::Finished;

/// An event of a bulk run, for programs that show progress. Made by `BulkRun::next_event`; the run as an iterator or a stream
/// yields only the finished documents.
///
/// Positions count the documents of the run, from 0, in the order in which its source gave them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RunEvent {
    /// A document was read and is in progress.
    Accepted {
        /// Its position.
        position: usize,
        /// The document of the same content that is in progress already, and is sent for both.
        copy_of: Option<usize>,
    },
    /// A document belongs to another shard. It yields no item.
    OtherShard {
        /// Its position.
        position: usize,
    },
    /// The service has the content of these documents. Told again if a further job uses the same file.
    Uploaded {
        /// The documents of this content so far, one at least.
        positions: Vec<usize>,
        /// The id of the file.
        file_id: String,
    },
    /// These documents have a job.
    Created {
        /// The documents of this content so far, one at least.
        positions: Vec<usize>,
        /// The id of the job.
        job_id: String,
    },
    /// A document has finished.
    Finished(Finished),
    /// Something worth telling a person, such as a service that is backed off from.
    Notice(String),
    /// A stop handle was used. The run creates no more jobs. Its open jobs are left to continue, unless `stop_and_cancel` is
    /// called before the next event.
    Stopping,
}
