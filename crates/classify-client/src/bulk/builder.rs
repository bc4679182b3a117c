//! The settings of a bulk run.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use classify_proto::Error;
use classify_proto::machine::{BulkOptions, Journal};
use classify_proto::v2::JobOptions;

use super::JournalFile;
use super::source::Shard;

/// Settings of a bulk run. Made by `Client::bulk`.
///
/// The setters may be called in any order. `run` starts the run:
///
/// ```no_run
/// # #[cfg(feature = "blocking")] {
/// use std::time::Duration;
///
/// use classify_client::Document;
/// # use classify_client::blocking::{Client, Transport};
/// # use classify_client::classify_proto::{Error, v2::Configuration};
///
/// # fn example<T: Transport>(client: &Client<T>, rules: Configuration) -> Result<(), Error> {
/// let run = client
///     .bulk(rules)
///     .journal("run.journal")
///     .deadline(Duration::from_secs(60 * 60))
///     .run(Document::folder("inbox")?)?;
/// for finished in run {
///     println!("{}: {:?}", finished.name(), finished.outcome());
/// }
/// # Ok(())
/// # }
/// # }
/// ```
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

    /// Records the run in the file at `path`, and resumes the run that is recorded there: documents that have finished
    /// are yielded without a request, and jobs that were created are polled. Without a journal, the same documents find
    /// their jobs at the service.
    ///
    /// The file is created if it does not exist, and locked until the run ends. A last line that a crash has cut off is
    /// removed. If the file is not a journal, or is the journal of a run with other rules or another project, `run`
    /// returns an error and leaves the file unchanged. Records are written before the requests that depend on them.
    /// They survive the end of the process; after a power failure some may be missing, which costs requests but never
    /// creates a second job.
    pub fn journal(mut self, path: impl Into<PathBuf>) -> Self {
        self.journal = JournalSource::Path(path.into());
        self
    }

    /// Records the run in a journal that is open already. Takes the file and the journal that [`JournalFile::open`]
    /// returned, for programs that examine the journal before the run.
    pub fn open_journal(mut self, file: JournalFile, journal: Journal) -> Self {
        self.journal = JournalSource::Open(file, Box::new(journal));
        self
    }

    /// Reads the remaining documents also after an error or a deadline has stopped the run. By default, they are not
    /// read.
    ///
    /// Documents whose result is in the journal then yield that result, and documents of other shards yield nothing.
    /// All others yield the same error as without this setting. Use it if the results of this run replace those of an
    /// earlier one.
    pub fn read_rest(mut self) -> Self {
        self.reads_rest = true;
        self
    }

    /// Classifies documents again, at a new charge, if their job failed, was cancelled or was deleted. At most one new
    /// job is created for each document.
    pub fn retry_failed(mut self) -> Self {
        self.job_options = self.job_options.retry_failed();
        self
    }

    /// Classifies every document again, at a new charge, also if it has a job. If the run is resumed from its journal,
    /// jobs that it has created are not created again.
    pub fn fresh(mut self) -> Self {
        self.job_options = self.job_options.fresh();
        self
    }

    /// Classifies only the documents of shard `index` of `count`, counted from 0. Documents of other shards are read,
    /// and yield no item. A document is in the same shard on every machine. After the run has stopped, documents are
    /// not read, so documents of other shards yield an error too. `run` returns an error if `index` is not less than
    /// `count`.
    pub fn shard(mut self, index: u32, count: u32) -> Self {
        self.shard = Some(Shard { index, count });
        self
    }

    /// Sets the number of concurrent documents and requests, the size of the report cache, the poll interval and the
    /// retry policy. [`BulkOptions::default`] has the defaults. Replaces the client's retry policy and poll interval.
    pub fn limits(mut self, options: BulkOptions) -> Self {
        self.options = options;
        self
    }

    /// Returns an error if the shard does not exist.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        match self.shard {
            Some(Shard { index, count }) if index >= count => Err(Error::invalid(
                "shard",
                format!(
                    "is {index} of {count}; the first shard is 0 and the last is one less than the count"
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Stops the run this long after its start. Documents that have not finished then yield an error. No deadline by
    /// default.
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
