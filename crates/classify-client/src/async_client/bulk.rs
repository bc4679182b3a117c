//! Bulk runs of the async client.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use classify_proto::Error;
use classify_proto::machine::{Bulk, Journal, Summary};
use classify_proto::v2::JobOptions;
use futures_core::Stream;
use futures_core::stream::FusedStream;

use super::body::PendingWork;
use super::client::Client;
use super::executor::BlockingExecutor;
use super::running::{Running, StopHandle};
use super::transport::Transport;
use crate::bulk::{
    Batch, BulkBuilder, Engine, EngineEvent, Finished, JournalFile, JournalSource, ReadResult,
    ReadSettings, RunEvent,
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
    /// Starts the run and returns it, as a stream of finished documents.
    ///
    /// The run takes documents from `documents` as it has capacity. The transport's
    /// [blocking executor](Transport::blocking_executor) advances the iterator and reads the documents.
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid) if the options exceed a limit of the service or the shard does not exist;
    /// [`ErrorKind::State`](classify_proto::ErrorKind::State) if the journal cannot be opened or belongs to another
    /// run.
    pub async fn run<I>(self, documents: I) -> Result<BulkRun<T, FromIterator<I::IntoIter>>, Error>
    where
        I: IntoIterator<Item = Document>,
        I::IntoIter: Send + 'static,
    {
        let source = FromIterator(Reading::Idle(documents.into_iter()));
        self.start(source).await
    }

    /// Starts the run with documents from a stream, which is polled as the run has capacity. Otherwise as
    /// [`run`](Self::run).
    ///
    /// # Errors
    ///
    /// The same as [`run`](Self::run).
    pub async fn run_stream<S>(self, documents: S) -> Result<BulkRun<T, FromStream<S>>, Error>
    where
        S: Stream<Item = Document> + Unpin,
    {
        let source = FromStream {
            documents,
            reading: None,
        };
        self.start(source).await
    }

    async fn start<S: Source>(self, source: S) -> Result<BulkRun<T, S>, Error> {
        self.validate()?;
        let client = &self.client;
        let mut options = self.options;
        if let Some(deadline) = self.deadline {
            options.deadline = Some(client.now() + deadline);
        }
        let bulk = Bulk::new(client.api(), self.job_options, options, client.seed()?)?;
        let executor = client.executor();
        let (mut file, mut journal) = match self.journal {
            JournalSource::None => (None, Journal::new()),
            JournalSource::Open(file, journal) => (Some(file), *journal),
            JournalSource::Path(path) => {
                let opening = PendingWork::start(&executor, move || Some(JournalFile::open(&path)));
                let opened = std::future::poll_fn(|cx| opening.poll(cx)).await;
                let opened = opened.unwrap_or_else(|| {
                    Err(Error::state("the thread that opened the journal ended"))
                });
                opened.map(|(file, journal)| (Some(file), journal))?
            }
        };
        let settings = ReadSettings {
            shard: self.shard,
            known: Arc::new(journal.take_known_keys()),
        };
        let bulk = bulk.with_journal(journal)?;
        if let Some(file) = &mut file {
            // Fast enough for an async thread: it only shortens an open file.
            file.repair()?;
        }
        let engine = Engine::new(bulk, file.is_some());
        Ok(BulkRun {
            running: client.running(engine, OperationSpan::new("bulk"), true),
            source,
            is_exhausted: false,
            needs_document: false,
            settings,
            reads_rest: self.reads_rest,
            journal: match file {
                Some(file) => JournalState::Open(file),
                None => JournalState::None,
            },
            executor,
        })
    }
}

/// A bulk run: a [`Stream`] of finished documents. Made by [`BulkBuilder::run`].
///
/// It yields exactly one item per document, in the order in which they finish. Documents that cannot be read yield an
/// error. If an error that concerns every document, a deadline or [`stop`](Self::stop) stops the run, the remaining
/// documents are not read, and yield an error whose scope is the run.
///
/// If you drop the run, run the same documents again to continue: with a journal, finished documents are yielded
/// without a request; without one, each document finds its job at the service.
///
/// ```
/// use classify_client::classify_proto::machine::RunEnd;
/// use classify_client::{BulkRun, Source, Transport};
///
/// async fn print_results<T: Transport, S: Source>(mut run: BulkRun<T, S>) {
///     while let Some(finished) = run.next().await {
///         println!("{}: {:?}", finished.name(), finished.outcome());
///     }
///     match run.summary().map(|summary| &summary.end) {
///         Some(RunEnd::Failed(error)) => println!("stopped by an error: {error}"),
///         Some(RunEnd::Stopped) => println!("stopped"),
///         _ => {}
///     }
/// }
/// ```
pub struct BulkRun<T: Transport, S> {
    running: Running<T, Engine>,
    source: S,
    is_exhausted: bool,
    /// Whether the run waits for a document.
    needs_document: bool,
    settings: ReadSettings,
    /// Whether documents are read also after an error or a deadline has stopped the run.
    reads_rest: bool,
    journal: JournalState,
    executor: BlockingExecutor,
}

/// Records the time at which the caller stops polling, also if it drops the future.
struct Next<'a, T: Transport, S>(&'a mut BulkRun<T, S>);

impl<T: Transport, S> Drop for Next<'_, T, S> {
    fn drop(&mut self) {
        let now = self.0.running.now();
        self.0.running.pause(now);
    }
}

enum JournalState {
    None,
    Open(JournalFile),
    /// Records are being written.
    Storing(PendingWork<(JournalFile, std::io::Result<()>)>),
    /// The thread that wrote the journal ended.
    Lost,
}

impl<T: Transport, S: Source> BulkRun<T, S> {
    /// Returns the next finished document; `None` at the end of the run. Cancel safe: dropping the future loses
    /// nothing.
    pub async fn next(&mut self) -> Option<Finished> {
        let next = Next(self);
        std::future::poll_fn(|cx| next.0.poll_finished(cx)).await
    }

    /// Returns the next event, of any kind; `None` at the end of the run. The stream yields only the finished
    /// documents. Cancel safe: dropping the future loses nothing.
    ///
    /// To receive all events, use only this method: events are collected from its first call on.
    pub async fn next_event(&mut self) -> Option<RunEvent> {
        self.running.machine_mut().report_progress();
        let next = Next(self);
        std::future::poll_fn(|cx| next.0.poll_event(cx)).await
    }

    fn poll_finished(&mut self, cx: &mut Context<'_>) -> Poll<Option<Finished>> {
        loop {
            match ready!(self.poll_event(cx)) {
                Some(RunEvent::Finished(finished)) => return Poll::Ready(Some(finished)),
                Some(_) => {}
                None => return Poll::Ready(None),
            }
        }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<RunEvent>> {
        loop {
            ready!(self.poll_stored(cx));
            if let Some(event) = self.running.machine_mut().next_event() {
                return Poll::Ready(Some(event));
            }
            let is_stopping = self.running.machine().bulk().is_stopping();
            if self.running.is_finished() {
                // Unlocks the journal for the next run.
                self.journal = JournalState::None;
                if self.is_exhausted {
                    return Poll::Ready(None);
                }
                if self.reads_rest && self.running.take_stop(cx) {
                    self.reads_rest = false;
                    return Poll::Ready(Some(RunEvent::Stopping));
                }
                let request = if self.reads_rest {
                    SourceRequest::Read(self.settings.clone())
                } else {
                    SourceRequest::Skip
                };
                let batch = ready!(self.source.poll_batch(cx, &self.executor, &request));
                self.is_exhausted = self.running.machine_mut().take_in(batch);
                continue;
            }
            if self.needs_document && !is_stopping {
                let request = SourceRequest::Read(self.settings.clone());
                if let Poll::Ready(batch) = self.source.poll_batch(cx, &self.executor, &request) {
                    self.needs_document = false;
                    self.is_exhausted = self.running.machine_mut().take_in(batch);
                    continue;
                }
            }
            match ready!(self.running.poll_event(cx)) {
                Some(EngineEvent::NeedDocument) => self.needs_document = true,
                Some(EngineEvent::Store) => self.store(),
                Some(EngineEvent::Run(event)) => return Poll::Ready(Some(event)),
                // A stop handle was used.
                None if !self.running.is_finished() => {
                    self.stop();
                    return Poll::Ready(Some(RunEvent::Stopping));
                }
                None => {}
            }
        }
    }

    fn store(&mut self) {
        let records = self.running.machine_mut().take_records();
        if let JournalState::Open(mut file) =
            std::mem::replace(&mut self.journal, JournalState::Lost)
        {
            let storing = PendingWork::start(&self.executor, move || {
                let result = file.append(&records);
                Some((file, result))
            });
            self.journal = JournalState::Storing(storing);
        }
    }

    fn poll_stored(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let JournalState::Storing(storing) = &self.journal {
            let (journal, result) = if let Some((file, result)) = ready!(storing.poll(cx)) {
                (JournalState::Open(file), result)
            } else {
                let error = std::io::Error::other("the thread that wrote the journal ended");
                (JournalState::Lost, Err(error))
            };
            self.journal = journal;
            self.running.machine_mut().stored(result);
        }
        Poll::Ready(())
    }
}

impl<T: Transport, S> BulkRun<T, S> {
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

    /// Returns a handle that stops the run from another task or a signal handler.
    pub fn stop_handle(&self) -> StopHandle {
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

impl<T: Transport, S: Source + Unpin> Stream for BulkRun<T, S> {
    type Item = Finished;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Finished>> {
        self.get_mut().poll_finished(cx)
    }
}

impl<T: Transport, S: Source + Unpin> FusedStream for BulkRun<T, S> {
    fn is_terminated(&self) -> bool {
        self.running.is_finished() && self.is_exhausted && !self.running.machine().has_events()
    }
}

impl<T: Transport, S> fmt::Debug for BulkRun<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkRun")
            .field("bulk", self.running.machine().bulk())
            .field("summary", &self.running.output())
            .finish_non_exhaustive()
    }
}

/// The source of the documents of a run: [`FromIterator`] or [`FromStream`]. Sealed.
pub trait Source: sealed::Source {}

impl<S: sealed::Source> Source for S {}

use sealed::SourceRequest;

#[expect(
    private_interfaces,
    reason = "the trait is sealed: other crates cannot name it or call it"
)]
mod sealed {
    use super::{Batch, BlockingExecutor, Context, Poll, ReadSettings};

    /// A request to a source.
    #[derive(Clone)]
    pub enum SourceRequest {
        /// Read the next document, and skip those of other shards.
        Read(ReadSettings),
        /// Take documents without reading them.
        Skip,
    }

    pub trait Source {
        fn poll_batch(
            &mut self,
            cx: &mut Context<'_>,
            executor: &BlockingExecutor,
            request: &SourceRequest,
        ) -> Poll<Batch>;
    }
}

/// The source of a run over an iterator. Made by [`BulkBuilder::run`].
pub struct FromIterator<I>(Reading<I>);

enum Reading<I> {
    Idle(I),
    Pending(PendingWork<(I, Batch)>),
    /// The iterator panicked.
    Lost,
}

#[expect(
    private_interfaces,
    reason = "the trait is sealed: other crates cannot name it or call it"
)]
impl<I: Iterator<Item = Document> + Send + 'static> sealed::Source for FromIterator<I> {
    fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        executor: &BlockingExecutor,
        request: &SourceRequest,
    ) -> Poll<Batch> {
        loop {
            match std::mem::replace(&mut self.0, Reading::Lost) {
                Reading::Idle(mut documents) => {
                    let request = request.clone();
                    self.0 = Reading::Pending(PendingWork::start(executor, move || {
                        let batch = match request {
                            SourceRequest::Read(settings) => Batch::read(&mut documents, &settings),
                            SourceRequest::Skip => Batch::skip(&mut documents),
                        };
                        Some((documents, batch))
                    }));
                }
                Reading::Pending(pending) => {
                    let Poll::Ready(result) = pending.poll(cx) else {
                        self.0 = Reading::Pending(pending);
                        return Poll::Pending;
                    };
                    if let Some((documents, batch)) = result {
                        self.0 = Reading::Idle(documents);
                        return Poll::Ready(batch);
                    }
                }
                // The remaining documents are unknown, so the run is not complete.
                Reading::Lost => {
                    return Poll::Ready(Batch {
                        is_end: true,
                        is_lost: true,
                        ..Batch::default()
                    });
                }
            }
        }
    }
}

/// The source of a run over a stream. Made by [`BulkBuilder::run_stream`].
pub struct FromStream<S> {
    documents: S,
    /// The name of the document that is being read, and the pending read.
    reading: Option<(String, PendingWork<ReadResult>)>,
}

#[expect(
    private_interfaces,
    reason = "the trait is sealed: other crates cannot name it or call it"
)]
impl<S: Stream<Item = Document> + Unpin> sealed::Source for FromStream<S> {
    fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        executor: &BlockingExecutor,
        request: &SourceRequest,
    ) -> Poll<Batch> {
        loop {
            if let Some(reading) = &self.reading {
                let read = ready!(reading.1.poll(cx));
                let Some((name, _)) = self.reading.take() else {
                    continue;
                };
                let read = read.unwrap_or_else(|| ReadResult::lost(name));
                return Poll::Ready(Batch {
                    documents: vec![read],
                    ..Batch::default()
                });
            }
            let Some(document) = ready!(Pin::new(&mut self.documents).poll_next(cx)) else {
                return Poll::Ready(Batch {
                    is_end: true,
                    ..Batch::default()
                });
            };
            match request {
                SourceRequest::Read(settings) => {
                    let settings = settings.clone();
                    let name = document.name().to_owned();
                    let reading = PendingWork::start(executor, move || {
                        Some(ReadResult::read(document, &settings))
                    });
                    self.reading = Some((name, reading));
                }
                SourceRequest::Skip => {
                    let name = document.name().to_owned();
                    return Poll::Ready(Batch {
                        documents: vec![ReadResult::Unread(name)],
                        ..Batch::default()
                    });
                }
            }
        }
    }
}

impl<I> fmt::Debug for FromIterator<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromIterator")
    }
}

impl<S> fmt::Debug for FromStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromStream")
    }
}
