//! The settings of a bulk run.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use classify_proto::Error;
use classify_proto::machine::{BulkOptions, Journal};
use classify_proto::v2::JobOptions;

use super::JournalFile;
use super::source::Shard;

/// Settings of a bulk run. Made by `Client::bulk`; the setters may be called in any order.
#[must_use = "a run starts with `run`"]
pub struct BulkBuilder<C> {
    pub(crate) client: C,
    pub(crate) job_options: JobOptions,
    pub(crate) options: BulkOptions,
    pub(crate) journal: JournalSource,
    pub(crate) shard: Option<Shard>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) reads_rest: bool,
}

/// The journal of a run.
pub(crate) enum JournalSource {
    None,
    Path(PathBuf),
    Open(JournalFile, Box<Journal>),
}

impl<C> BulkBuilder<C> {
    pub(crate) fn new(client: C, job_options: JobOptions, options: BulkOptions) -> Self {
        Self {
            client,
            job_options,
            options,
            journal: JournalSource::None,
            shard: None,
            deadline: None,
            reads_rest: false,
        }
    }

    /// Records the run in a file, and resumes the run that the file records: finished documents are yielded from it without
    /// a request, and jobs that were created are polled.
    ///
    /// The file is created if it does not exist, and locked while the run lasts. A line that a crash has cut off is removed.
    /// A file that is not a journal, or is the journal of a run with other rules or another project, is an error and is left
    /// as it is. Records are written before the requests that depend on them. They survive the end of the process; after a
    /// power failure some may be missing, which costs requests and never a second job.
    pub fn journal(mut self, path: impl Into<PathBuf>) -> Self {
        self.journal = JournalSource::Path(path.into());
        self
    }

    /// Records the run in a journal that is open already, for a program that looks at it first: both halves of what
    /// [`JournalFile::open`] returned.
    pub fn open_journal(mut self, file: JournalFile, journal: Journal) -> Self {
        self.journal = JournalSource::Open(file, Box::new(journal));
        self
    }

    /// Reads the remaining documents even after the run has stopped by itself: results that the journal has are yielded, and
    /// documents of other shards are not. The others yield the same error as without it, also if they cannot be read. For a
    /// program that replaces the results of an earlier run by those of this one.
    pub fn read_rest(mut self) -> Self {
        self.reads_rest = true;
        self
    }

    /// Classifies and pays again for documents whose job failed or was cancelled before, or was deleted. At most one job
    /// per document is paid for.
    pub fn retry_failed(mut self) -> Self {
        self.job_options = self.job_options.retry_failed();
        self
    }

    /// Classifies and pays for every document again, whatever jobs there are. A resumed run does not pay again for what it
    /// has paid for.
    pub fn fresh(mut self) -> Self {
        self.job_options = self.job_options.fresh();
        self
    }

    /// Classifies only the documents of shard `index`, from 0, of `count`: those of other shards are read and yield no item.
    /// The same document is in the same shard on every machine. After a run has stopped, documents are not read, so those of
    /// other shards yield an error too. `run` fails if `index` is not less than `count`.
    pub fn shard(mut self, index: u32, count: u32) -> Self {
        self.shard = Some(Shard { index, count });
        self
    }

    /// Sets how many documents, requests and finished reports the run holds, how often it polls and when it retries. The
    /// retry policy is the client's by default.
    pub fn limits(mut self, options: BulkOptions) -> Self {
        self.options = options;
        self
    }

    /// Checks the shard.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        match self.shard {
            Some(Shard { index, count }) if index >= count => Err(Error::invalid(
                "shard",
                format!(
                    "is {index} of {count}; shards are numbered from 0 to one less than their count"
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Stops the run after this time, counted from its start. Documents that are not finished yield an error.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }
}

impl<C> fmt::Debug for BulkBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkBuilder")
            .field("job_options", &self.job_options)
            .field("options", &self.options)
            .field("has_journal", &!matches!(self.journal, JournalSource::None))
            .field("shard", &self.shard)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
