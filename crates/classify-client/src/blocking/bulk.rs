//! Bulk runs of the blocking client.

use std::fmt;
use std::iter::FusedIterator;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use classify_proto::Error;
use classify_proto::machine::{Bulk, Journal, Summary};
use classify_proto::v2::JobOptions;

use super::client::Client;
use super::running::{Running, StopHandle};
use super::transport::Transport;
use crate::bulk::{
    Batch, BulkBuilder, Engine, EngineEvent, Finished, JournalFile, JournalSource, ReadSettings,
    RunEvent,
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
        self.start(|_| Ok(Input::Here(documents.into_iter())))
    }

    /// Starts the run as [`run`](Self::run) does, but calls the iterator and reads documents on another thread, up to 64
    /// ahead of the run. While the iterator or a reader blocks, the run continues with the documents that were read.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and [`ErrorKind::State`](classify_proto::ErrorKind::State) if the system gives no thread.
    pub fn run_ahead<I>(self, documents: I) -> Result<BulkRun<T, I::IntoIter>, Error>
    where
        I: IntoIterator<Item = Document>,
        I::IntoIter: Send + 'static,
    {
        self.start(|settings| ReadAhead::start(documents.into_iter(), settings).map(Input::Ahead))
    }

    fn start<I>(
        self,
        input: impl FnOnce(&ReadSettings) -> Result<Input<I>, Error>,
    ) -> Result<BulkRun<T, I>, Error> {
        self.validate()?;
        let client = &self.client;
        let mut options = self.options;
        if let Some(deadline) = self.deadline {
            options.deadline = Some(client.now() + deadline);
        }
        let bulk = Bulk::new(client.api(), self.job_options, options, client.seed()?)?;
        let (mut file, mut journal) = match self.journal {
            JournalSource::None => (None, Journal::new()),
            JournalSource::Path(path) => {
                JournalFile::open(&path).map(|(file, journal)| (Some(file), journal))?
            }
            JournalSource::Open(file, journal) => (Some(file), *journal),
        };
        let settings = ReadSettings {
            shard: self.shard,
            known: Arc::new(journal.take_known_keys()),
        };
        let bulk = bulk.with_journal(journal)?;
        if let Some(file) = &mut file {
            file.repair()?;
        }
        let engine = Engine::new(bulk, file.is_some());
        let documents = input(&settings)?;
        Ok(BulkRun {
            running: client.running(engine, OperationSpan::new("bulk")),
            documents,
            is_exhausted: false,
            needs_document: false,
            settings,
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
    documents: Input<I>,
    is_exhausted: bool,
    /// Whether the run waits for a document.
    needs_document: bool,
    settings: ReadSettings,
    /// Whether documents are read also after an error or a deadline has stopped the run.
    reads_rest: bool,
    journal: Option<JournalFile>,
}

/// The documents of a run.
enum Input<I> {
    /// They are read on the thread that calls the run.
    Here(I),
    Ahead(ReadAhead),
}

impl<I: Iterator<Item = Document>> Input<I> {
    /// Reads the next document. `None` if it is still being read.
    fn read(&mut self, settings: &ReadSettings) -> Option<Batch> {
        match self {
            Self::Here(documents) => Some(Batch::read(documents, settings)),
            Self::Ahead(ahead) => ahead.next(Duration::ZERO),
        }
    }

    /// Takes documents of a run that has ended: reads the next one, or only takes names. `None` if it takes a while.
    fn rest(&mut self, settings: &ReadSettings, reads: bool) -> Option<Batch> {
        match self {
            Self::Here(documents) if reads => Some(Batch::read(documents, settings)),
            Self::Here(documents) => Some(Batch::skip(documents)),
            Self::Ahead(ahead) => {
                ahead.skips.store(!reads, Ordering::Relaxed);
                ahead.next(STOP_CHECK_INTERVAL)
            }
        }
    }
}

/// The maximum number of documents that are read ahead.
const READ_AHEAD: usize = 64;
/// How often the stop handle is checked while the run waits for one of the remaining documents.
const STOP_CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Documents that a thread reads.
struct ReadAhead {
    batches: Receiver<Batch>,
    /// The run has ended, and names are enough.
    skips: Arc<AtomicBool>,
}

impl ReadAhead {
    fn start<I>(mut documents: I, settings: &ReadSettings) -> Result<Self, Error>
    where
        I: Iterator<Item = Document> + Send + 'static,
    {
        let (sender, batches) = sync_channel(READ_AHEAD);
        let skips = Arc::new(AtomicBool::new(false));
        let only_names = Arc::clone(&skips);
        let settings = settings.clone();
        let work = move || {
            loop {
                let batch = if only_names.load(Ordering::Relaxed) {
                    Batch::skip(&mut documents)
                } else {
                    Batch::read(&mut documents, &settings)
                };
                let is_end = batch.is_end;
                // The run was dropped if nobody receives it.
                if sender.send(batch).is_err() || is_end {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("classify-read".to_owned())
            .spawn(work)
            .map_err(|error| {
                Error::state(format!("no thread to read the documents: {error}"))
                    .with_io_kind(error.kind())
            })?;
        Ok(Self { batches, skips })
    }

    fn next(&self, patience: Duration) -> Option<Batch> {
        match self.batches.recv_timeout(patience) {
            Ok(batch) => Some(batch),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Batch {
                is_end: true,
                is_lost: true,
                ..Batch::default()
            }),
        }
    }
}

impl<T: Transport, I: Iterator<Item = Document>> BulkRun<T, I> {
    /// Returns the next event, of any kind; `None` at the end of the run. The iterator yields only the finished
    /// documents.
    ///
    /// To receive all events, use only this method: events are collected from its first call on.
    pub fn next_event(&mut self) -> Option<RunEvent> {
        self.running.machine_mut().report_progress();
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
                if self.running.take_stop() && self.reads_rest {
                    self.reads_rest = false;
                    return Some(RunEvent::Stopping);
                }
                if let Some(batch) = self.documents.rest(&self.settings, self.reads_rest) {
                    self.is_exhausted = self.running.machine_mut().take_in(batch);
                }
                continue;
            }
            if self.needs_document && !self.running.machine().bulk().is_stopping() {
                self.needs_document = false;
                match self.documents.read(&self.settings) {
                    Some(batch) => {
                        self.is_exhausted = self.running.machine_mut().take_in(batch);
                        continue;
                    }
                    None => self.running.machine_mut().await_document(),
                }
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
