//! Events of a bulk run.

use super::finished::Finished;

/// An event of a bulk run, for programs that show progress. Returned by `BulkRun::next_event`. As an iterator or a
/// stream, the run yields only the finished documents.
///
/// Positions count the documents of the run from 0, in the order in which the source yields them.
///
/// ```
/// use classify_client::RunEvent;
///
/// fn print(event: &RunEvent) {
///     match event {
///         RunEvent::Accepted { position, .. } => println!("#{position}: uploading"),
///         RunEvent::Created { positions, job_id } => println!("{positions:?}: {job_id}"),
///         RunEvent::Finished(finished) => println!("{}: {}", finished.name(), finished.report().status),
///         RunEvent::Notice(message) => eprintln!("{message}"),
///         _ => {}
///     }
/// }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RunEvent {
    /// A document was read and is in progress.
    Accepted {
        /// The position of the document, from 0.
        position: usize,
        /// The position of a document with the same content that is in progress already; one job is created for both.
        copy_of: Option<usize>,
    },
    /// A document belongs to another shard. It yields no item.
    OtherShard {
        /// The position of the document, from 0.
        position: usize,
    },
    /// The content of these documents is uploaded. Reported again if another job uses the same file.
    Uploaded {
        /// The positions of the documents with this content so far; at least one.
        positions: Vec<usize>,
        /// The id of the uploaded file, such as `dfl-…`.
        file_id: String,
    },
    /// A job was created for these documents, or found in the journal.
    Created {
        /// The positions of the documents with this content so far; at least one.
        positions: Vec<usize>,
        /// The id of the job, such as `clj-…`.
        job_id: String,
    },
    /// A document has finished: it was classified, or an error ended it.
    Finished(Finished),
    /// A message to show to the user, such as that the run backs off because the service fails.
    Notice(String),
    /// A stop handle was used. The run creates no more jobs. Its open jobs continue at the service, unless you call
    /// `stop_and_cancel` before the next event.
    Stopping,
}
