//! Bulk runs of the blocking client.

use std::fmt;
use std::iter::FusedIterator;

use classify_proto::Error;
use classify_proto::machine::{Bulk, Journal, Summary};
use classify_proto::v2::JobOptions;

use super::client::Client;
use super::running::{Running, StopHandle};
use super::transport::Transport;
use crate::bulk::{
    Batch, BulkBuilder, Engine, EngineEvent, Finished, JournalFile, JournalSource, RunEvent, Shard,
};
use crate::document::Document;
use crate::observe::OperationSpan;

impl<T: Transport> Client<T> {
    /// Returns the builder of a bulk run, which classifies any number of documents, each once.
    ///
    /// `options` are the rules, or [`JobOptions`] with webhooks, a project or a saved configuration. Start the run with
    /// [`run`](BulkBuilder::run).
    pub fn bulk(&self, options: impl Into<JobOptions>) -> BulkBuilder<Self> {
        BulkBuilder::new(self.clone(), options.into(), self.bulk_options())
    }
}

impl<T: Transport> BulkBuilder<Client<T>> {
    /// Starts the run and returns it, as an iterator of finished documents.
    ///
    /// The run takes documents from `documents` as it has capacity, and reads them on the thread that advances it.
    /// Requests are sent on other threads. While `documents` or a reader blocks, the run makes no progress; for
    /// documents that arrive over time, use [`pool`](Client::pool).
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid) if the options exceed a limit of the service or the shard does not exist;
    /// [`ErrorKind::State`](classify_proto::ErrorKind::State) if the journal cannot be opened or belongs to another
    /// run.
    pub fn run<I>(self, documents: I) -> Result<BulkRun<T, I::IntoIter>, Error>
    where
        I: IntoIterator<Item = Document>,
    {
        self.validate()?;
        let client = &self.client;
        let mut options = self.options;
        if let Some(deadline) = self.deadline {
            options.deadline = Some(client.now() + deadline);
        }
        let bulk = Bulk::new(client.api(), self.job_options, options, client.seed()?)?;
        let (mut file, journal) = match self.journal {
            JournalSource::None => (None, Journal::new()),
            JournalSource::Path(path) => {
                JournalFile::open(&path).map(|(file, journal)| (Some(file), journal))?
            }
            JournalSource::Open(file, journal) => (Some(file), *journal),
        };
        let bulk = bulk.with_journal(journal)?;
        if let Some(file) = &mut file {
            file.repair()?;
        }
        let engine = Engine::new(bulk, file.is_some());
        Ok(BulkRun {
            running: client.running(engine, OperationSpan::new("bulk")),
            documents: documents.into_iter(),
            is_exhausted: false,
            needs_document: false,
            shard: self.shard,
            reads_rest: self.reads_rest,
            journal: file,
        })
    }
}

/// A bulk run: an iterator of finished documents. Made by [`BulkBuilder::run`].
///
/// It yields exactly one item per document, in the order in which they finish. Documents that cannot be read yield an
/// error. If an error that concerns every document, a deadline or [`stop`](Self::stop) stops the run, the remaining
/// documents are not read, and yield an error whose scope is the run.
///
/// The run makes progress only while you advance it; requests in flight end on their threads. If you drop the run, run
/// the same documents again to continue: with a journal, finished documents are yielded without a request; without one,
/// each document finds its job at the service.
///
/// ```
/// use classify_client::Document;
/// use classify_client::classify_proto::machine::RunEnd;
/// use classify_client::blocking::{BulkRun, Transport};
///
/// fn print_results<T: Transport, I: Iterator<Item = Document>>(mut run: BulkRun<T, I>) {
///     for finished in &mut run {
///         println!("{}: {:?}", finished.name(), finished.outcome());
///     }
///     match run.summary().map(|summary| &summary.end) {
///         Some(RunEnd::Failed(error)) => println!("stopped by an error: {error}"),
///         Some(RunEnd::Stopped) => println!("stopped"),
///         _ => {}
///     }
/// }
/// ```
pub struct BulkRun<T: Transport, I> {
    running: Running<T, Engine>,
    documents: I,
    is_exhausted: bool,
    /// Whether the run waits for a document.
    needs_document: bool,
    shard: Option<Shard>,
    /// Whether documents are read also after an error or a deadline has stopped the run.
    reads_rest: bool,
    journal: Option<JournalFile>,
}

impl<T: Transport, I: Iterator<Item = Document>> BulkRun<T, I> {
    /// Returns the next event, of any kind; `None` at the end of the run. The iterator yields only the finished
    /// documents.
    ///
    /// To receive all events, use only this method: events are collected from its first call on.
    pub fn next_event(&mut self) -> Option<RunEvent> {
        self.running.machine_mut().tell_progress();
        self.advance()
    }

    fn advance(&mut self) -> Option<RunEvent> {
        loop {
            if let Some(event) = self.running.machine_mut().next_event() {
                return Some(event);
            }
            if self.running.is_finished() {
                // Unlocks the journal for the next run.
                self.journal = None;
                if self.is_exhausted {
                    return None;
                }
                let batch = if self.reads_rest {
                    Batch::read(&mut self.documents, self.shard)
                } else {
                    Batch::skip(&mut self.documents)
                };
                self.is_exhausted = self.running.machine_mut().take_in(batch);
                continue;
            }
            if self.needs_document && !self.running.machine().bulk().is_stopping() {
                let batch = Batch::read(&mut self.documents, self.shard);
                self.needs_document = false;
                self.is_exhausted = self.running.machine_mut().take_in(batch);
                continue;
            }
            match self.running.next() {
                Some(EngineEvent::NeedDocument) => self.needs_document = true,
                Some(EngineEvent::Store) => self.store(),
                Some(EngineEvent::Run(event)) => return Some(event),
                // A stop handle was used.
                None if !self.running.is_finished() => {
                    self.stop();
                    return Some(RunEvent::Stopping);
                }
                None => {}
            }
        }
    }

    fn store(&mut self) {
        let engine = self.running.machine_mut();
        let records = engine.take_records();
        if let Some(journal) = &mut self.journal {
            engine.stored(journal.append(&records));
        }
    }
}

impl<T: Transport, I> BulkRun<T, I> {
    /// Stops the run. It creates no more jobs; open jobs continue at the service. The remaining documents yield errors.
    /// The run waits for requests in flight, up to their time limits, so that no job is created unnoticed.
    pub fn stop(&mut self) {
        self.reads_rest = false;
        self.running.machine_mut().bulk_mut().stop();
    }

    /// Stops the run as [`stop`](Self::stop) does, and cancels its open jobs.
    pub fn stop_and_cancel(&mut self) {
        self.reads_rest = false;
        self.running.machine_mut().bulk_mut().stop_and_cancel();
    }

    /// Returns a handle that stops the run from another thread or a signal handler.
    pub fn stop_handle(&mut self) -> StopHandle {
        self.running.stop_handle()
    }

    /// Returns the number of documents in progress, and the number of those that have an open job.
    #[must_use]
    pub fn in_flight(&self) -> (usize, usize) {
        self.running.machine().bulk().in_flight()
    }

    /// Returns the summary; `None` before the run has ended. [`Summary::end`] says whether the run is complete.
    #[must_use]
    pub fn summary(&self) -> Option<&Summary> {
        self.running.output()
    }

    /// Drops the run and returns the summary; `None` if the run had not ended.
    #[must_use]
    pub fn into_summary(self) -> Option<Summary> {
        self.running.into_output()
    }
}

impl<T: Transport, I: Iterator<Item = Document>> Iterator for BulkRun<T, I> {
    type Item = Finished;

    fn next(&mut self) -> Option<Finished> {
        loop {
            if let RunEvent::Finished(finished) = self.advance()? {
                return Some(finished);
            }
        }
    }
}

impl<T: Transport, I: Iterator<Item = Document>> FusedIterator for BulkRun<T, I> {}

impl<T: Transport, I> fmt::Debug for BulkRun<T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkRun")
            .field("bulk", self.running.machine().bulk())
            .field("summary", &self.running.output())
            .finish_non_exhaustive()
    }
}
