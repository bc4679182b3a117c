//! Many documents side by side, each classified once and paid for once.

mod circuit_breaker;
mod error_scope;
mod event;
mod handlers;
mod in_flight;
mod input;
mod job_poller;
mod journal;
#[cfg(test)]
mod memory_test;
mod options;
mod report;
mod report_cache;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

pub use error_scope::ErrorScope;
pub use event::{BulkEvent, FinishedDocument, RunEnd, Summary};
pub use journal::{Journal, JournalHeader, Record};
pub use options::BulkOptions;
pub use report::{DocumentReport, DocumentStatus};

use self::circuit_breaker::{CircuitBreaker, Permit};
use self::handlers::Stage;
use self::in_flight::{DocumentIndex, InFlight, Task, TaskOutput};
use self::job_poller::JobPoller;
use self::journal::JournalEntry;
use self::report_cache::ReportCache;
use super::call::Call;
use super::context::Context;
use super::document::{HashedDocument, Source};
use super::observer::CircuitState;
use super::step::{Machine, Step, Ticket};
use super::transaction::Fingerprint;
use crate::Time;
use crate::api::Api;
use crate::configurations::GetConfiguration;
use crate::content_key::ContentKey;
use crate::error::Error;
use crate::reply::Reply;
use crate::seed::Seed;
use crate::semantics::RateClass;
use crate::v2::{CancelJob, Configuration, CreateJob, JobOptions, JobStatus, Rerun};

/// Classifies any number of documents, each once.
///
/// `Bulk` is a state machine without IO. It asks for input with [`BulkEvent::NeedDocuments`], uploads each document,
/// creates a job, polls open jobs a hundred at a time, and reports each document as [`BulkEvent::Finished`]. Memory is
/// proportional to the documents in flight, not to the size of the run.
///
/// # Idempotency
///
/// The transaction id of a create is derived from the project, the configuration, the document's content and the run
/// number. A second create for the same content returns the first job: in a retry, in a new process, or on another
/// machine. Duplicate documents are sent once and reported under every name.
///
/// # Polling
///
/// Open jobs are polled by list, a hundred per request, less often as they grow older. A job that two polls do not show
/// is read by its id, and reported as [`Missing`](DocumentStatus::Missing) if it does not exist.
///
/// # Resuming after a crash
///
/// Store every [`BulkEvent::Record`] before polling the machine again. [`Journal`] reads the records back, and
/// [`with_journal`](Self::with_journal) resumes: finished documents are reported again without a request, open jobs are
/// polled, and the rest continues. The journal is this machine's saved state; losing it costs requests, not money.
///
/// # Errors
///
/// An error that concerns one document (an invalid file, a rejected rule) finishes that document only. An error that
/// concerns every document stops the run and finishes none: 401, 402, 403, a redirect, an untrusted certificate, a
/// missing route or saved configuration. Jobs that exist are still polled if possible. If the service fails repeatedly,
/// a circuit breaker pauses the run for as long as the service asks, or with increasing delays, and then tries one
/// document.
///
/// An error response to a retried create is not final: a lost attempt may have created a job. The create is repeated a few
/// times, and the document is then [`Ambiguous`](DocumentStatus::Ambiguous); running the same documents again finds the
/// job.
///
/// # Rate limits
///
/// Requests wait for the [`Limiter`](super::Limiter) of the [`Context`].
pub struct Bulk {
    job_options: JobOptions,
    /// What the options and the project contribute to every transaction id.
    fingerprint: Fingerprint,
    header: JournalHeader,
    options: BulkOptions,
    seed: Seed,
    journal: BTreeMap<ContentKey, JournalEntry>,
    phase: RunPhase,
    input_state: InputState,
    /// The journal ends with the end of the run.
    is_end_recorded: bool,
    /// How many documents had been pushed when documents were last requested.
    requested_at: Option<DocumentIndex>,
    pushed: DocumentIndex,
    events: VecDeque<BulkEvent>,
    documents: BTreeMap<DocumentIndex, DocumentState>,
    by_key: BTreeMap<ContentKey, DocumentIndex>,
    /// Further names of the documents on their way.
    extra_names: usize,
    to_upload: VecDeque<DocumentIndex>,
    to_create: VecDeque<DocumentIndex>,
    /// Creates that are repeated at a later time.
    backing_off: BTreeSet<(Time, DocumentIndex)>,
    /// A create of this run was answered with a job.
    has_created: bool,
    in_flight: InFlight,
    poller: JobPoller,
    circuit_breaker: CircuitBreaker,
    configuration: ConfigurationInForce,
    /// The state that the observer knows.
    reported_circuit: CircuitState,
    stop: Option<StopMode>,
    report_cache: ReportCache,
    summary: Summary,
}

/// The error of a document that a stopped run has not started.
const RUN_STOPPED: &str = "the run stopped first";

/// A document on its way.
struct DocumentState {
    names: Vec<String>,
    key: ContentKey,
    source: Source,
    /// The number that is part of the transaction id.
    run_number: u32,
    /// How often it met a faulty service.
    failures: u32,
    /// How many earlier jobs of it were found to have failed.
    failed_jobs: u32,
    file_id: Option<String>,
    /// The file comes from the journal and may be gone.
    is_file_from_journal: bool,
    /// The answer to a create was lost, in this process or with an earlier one, so that there may be a job.
    job_may_exist: bool,
    job_id: Option<String>,
    created_in: CreatedIn,
}

/// Which round has paid for the present attempt at a document. One that an earlier round has paid for may be followed
/// by another; one of this round's own may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CreatedIn {
    /// None, or it is not known.
    Unknown,
    EarlierPass,
    ThisPass,
}

impl DocumentState {
    /// What leads to its job next.
    fn next(&self) -> Stage {
        match (&self.source, &self.file_id) {
            (Source::Upload(_), None) => Stage::Upload,
            _ => Stage::Create,
        }
    }
}

/// Where the next document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InputState {
    Open,
    /// The caller has said that it is not ready yet.
    Paused,
    /// There are no more.
    Closed,
}

/// What the run's saved configuration holds. It may have been edited since an earlier run created jobs under its id, whose
/// results are then not the answer.
#[derive(Debug)]
enum ConfigurationInForce {
    /// The rules are given, or what is saved cannot be compared.
    Unneeded,
    Unread,
    Reading,
    Known(Arc<Configuration>),
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunPhase {
    /// The journal does not say yet what run it is of.
    Unstarted,
    Running,
    /// The open jobs were left, or are being cancelled.
    Stopped,
    Ended,
}

/// How a run stops before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StopMode {
    /// Begin nothing; wait for the open jobs.
    Wait,
    /// Begin nothing; leave the open jobs.
    Leave,
    /// Begin nothing; cancel the open jobs.
    Cancel,
}

impl Bulk {
    /// Creates a run whose jobs have these options.
    ///
    /// The project is the options', or `api`'s. `seed` is 16 random bytes: jitter is derived from them, and the nonce of
    /// a [fresh](JobOptions::fresh) run.
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid) if the options break a limit of the service, before anything is sent.
    pub fn new(
        api: &Api,
        job_options: impl Into<JobOptions>,
        options: BulkOptions,
        seed: Seed,
    ) -> Result<Self, Error> {
        let (job_options, options) = (job_options.into(), options.within_bounds());
        if api.validates() {
            job_options.validate()?;
        }
        let scope = &job_options.scope;
        let project = scope.project_id.as_deref().or(api.project());
        let mut header = JournalHeader::new(
            project.map(str::to_owned),
            job_options.configuration.as_deref().cloned(),
            job_options.configuration_id.clone(),
        );
        header.base_url = Some(api.base_url().to_owned());
        let organization = scope.organization_id.as_deref();
        header.organization = organization.or(api.organization()).map(str::to_owned);
        if job_options.rerun == Rerun::Always {
            header.nonce = Some(seed.derive(0).hex());
        }
        let configuration = match job_options.configuration_id {
            Some(_) => ConfigurationInForce::Unread,
            None => ConfigurationInForce::Unneeded,
        };
        Ok(Self {
            fingerprint: Fingerprint::of(&header),
            job_options,
            header,
            poller: JobPoller::new(options.poll_interval, seed),
            report_cache: ReportCache::new(options.report_cache_size),
            options,
            seed,
            journal: BTreeMap::new(),
            phase: RunPhase::Unstarted,
            input_state: InputState::Open,
            is_end_recorded: false,
            requested_at: None,
            pushed: 0,
            events: VecDeque::new(),
            documents: BTreeMap::new(),
            by_key: BTreeMap::new(),
            extra_names: 0,
            to_upload: VecDeque::new(),
            to_create: VecDeque::new(),
            backing_off: BTreeSet::new(),
            has_created: false,
            in_flight: InFlight::default(),
            circuit_breaker: CircuitBreaker::default(),
            configuration,
            reported_circuit: CircuitState::Closed,
            stop: None,
            summary: Summary::default(),
        })
    }

    /// Goes on with the run of a journal. One without a line begins anew.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`](crate::ErrorKind::State), saying what differs, when the journal is of another run; a
    /// [fresh](JobOptions::fresh) one goes on with the journal of a fresh one only.
    pub fn with_journal(mut self, journal: Journal) -> Result<Self, Error> {
        let Some(header) = journal.header else {
            return Ok(self);
        };
        if let Some(difference) = header.difference(&self.header) {
            return Err(Error::state(format!(
                "the journal is of another run; {difference}"
            )));
        }
        // Going on with it would be answered with its jobs, and pay for nothing anew.
        if self.job_options.rerun == Rerun::Always && header.nonce.is_none() {
            return Err(Error::state(
                "the journal is of another run; that one was not to classify anew, and this one is",
            ));
        }
        self.fingerprint = Fingerprint::of(&header);
        self.header = header;
        self.journal = journal.entries;
        self.is_end_recorded = journal.is_ended;
        self.phase = RunPhase::Running;
        Ok(self)
    }

    /// What the journal says became of a document that has not been pushed.
    #[must_use]
    pub fn previous_report(&self, key: ContentKey) -> Option<&DocumentReport> {
        self.journal
            .get(&key)
            .and_then(|entry| entry.report.as_ref())
    }

    /// The job of a document that is on its way, where it has one already: an earlier process may have created it.
    #[must_use]
    pub fn job_id(&self, key: ContentKey) -> Option<&str> {
        let index = self.by_key.get(&key)?;
        self.documents.get(index)?.job_id.as_deref()
    }

    /// Stops: begins nothing more, takes in what is on the wire, and reports which jobs remain open.
    pub fn stop(&mut self) {
        self.stop = Some(
            self.stop
                .filter(|stop| *stop == StopMode::Cancel)
                .unwrap_or(StopMode::Leave),
        );
    }

    /// Stops, and cancels every open job.
    pub fn stop_and_cancel(&mut self) {
        self.stop = Some(StopMode::Cancel);
    }

    /// Whether the run is stopping before its end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_some()
    }

    /// How many documents are on their way, and how many of them have an open job.
    #[must_use]
    pub fn in_flight(&self) -> (usize, usize) {
        (self.documents.len(), self.poller.open())
    }

    /// Whether documents whose job of an earlier pass has no result are paid for again.
    fn retries_failed(&self) -> bool {
        self.job_options.rerun == Rerun::Failed
    }

    fn record(&mut self, record: Record) {
        self.is_end_recorded = record == Record::Ended;
        self.events.push_back(BulkEvent::Record(record));
    }

    fn transaction_id(&self, document: &DocumentState) -> String {
        self.fingerprint
            .transaction_id(document.key, document.run_number)
    }

    /// Begins the next upload or create; otherwise says when there may be one to begin.
    fn begin_next(&mut self, cx: Context<'_>) -> Result<(), Option<Time>> {
        while let Some((_, index)) = self.backing_off.first().filter(|(time, _)| *time <= cx.now) {
            self.to_create.push_back(*index);
            self.backing_off.pop_first();
        }
        let nothing = self.to_create.is_empty() && self.to_upload.is_empty();
        if nothing || self.stop.is_some() || self.in_flight.creating() >= self.options.max_requests
        {
            return Err(None);
        }
        match self.circuit_breaker.permit(cx.now) {
            Permit::Granted => {}
            Permit::At(time) => return Err(Some(time)),
            Permit::Denied => return Err(None),
        }
        match self.configuration {
            // Before the first upload: nothing is uploaded for a configuration that does not exist.
            ConfigurationInForce::Unread => {
                self.read_configuration();
                return Ok(());
            }
            ConfigurationInForce::Reading => return Err(None),
            ConfigurationInForce::Unneeded | ConfigurationInForce::Known(_) => {}
        }
        // Creates first: a document that is half-way is worth more than one that has not begun.
        let mut next_wake: Option<Time> = None;
        for class in [RateClass::Create, RateClass::Upload] {
            let queue = if class == RateClass::Create {
                &mut self.to_create
            } else {
                &mut self.to_upload
            };
            if queue.is_empty() {
                continue;
            }
            let available_at = cx.available_at(class);
            if available_at > cx.now {
                next_wake =
                    Some(next_wake.map_or(available_at, |earlier| earlier.min(available_at)));
                continue;
            }
            if let Some(index) = queue.pop_front() {
                if let Some(task) = self.task(index) {
                    self.circuit_breaker.begin();
                    self.in_flight.begin(task);
                }
                return Ok(());
            }
        }
        Err(next_wake)
    }

    /// Reads the saved configuration.
    fn read_configuration(&mut self) {
        let id = self.job_options.configuration_id.clone();
        let get = GetConfiguration::new(id.unwrap_or_default()).scoped(&self.job_options.scope);
        let call = Call::new(get, self.seed).retry(self.options.retry);
        self.circuit_breaker.begin();
        self.in_flight.begin(Task::Configuration(Box::new(call)));
        self.configuration = ConfigurationInForce::Reading;
    }

    fn task(&self, index: DocumentIndex) -> Option<Task> {
        let document = self.documents.get(&index)?;
        let seed = self.seed.derive(index);
        let input = match (&document.source, &document.file_id) {
            (Source::Id(id), _) | (Source::Upload(_), Some(id)) => id,
            (Source::Upload(upload), None) => {
                let upload = (**upload).clone().scoped(&self.job_options.scope);
                return Some(Task::Upload(
                    index,
                    Box::new(Call::new(upload, seed).retry(self.options.retry)),
                ));
            }
        };
        let mut create =
            CreateJob::new(input, &self.job_options).transaction_id(self.transaction_id(document));
        if matches!(document.source, Source::Upload(_)) {
            create = create.accepts_any_copy();
        }
        if let ConfigurationInForce::Known(configuration) = &self.configuration {
            create = create.configuration_in_force(Arc::clone(configuration));
        }
        Some(Task::Create(
            index,
            Box::new(Call::new(create, seed).retry(self.options.retry)),
        ))
    }

    fn on_task_output(&mut self, cx: Context<'_>, output: TaskOutput) {
        match output {
            TaskOutput::Send(..) => {}
            TaskOutput::Uploaded(index, result) => self.on_uploaded(cx, index, result),
            TaskOutput::Created(index, result, is_retry) => {
                self.on_created(cx, index, result, is_retry);
            }
            TaskOutput::Got(index, result) => self.on_polled(index, result),
            TaskOutput::Cancelled(index, result) => self.on_cancelled(index, result),
            TaskOutput::Page(page) => {
                for job in page.items {
                    self.on_job(job);
                }
            }
            TaskOutput::PollEnded(result) => self.on_poll_ended(cx, result),
            TaskOutput::Configuration(result) => self.on_configuration(cx.now, result),
        }
    }

    /// One step of stopping, where the run is stopping; `false` when there is nothing to stop.
    fn step_shutdown(&mut self) -> bool {
        let Some(stop) = self.stop else {
            return false;
        };
        let mut dropped: Vec<DocumentIndex> = self
            .to_upload
            .drain(..)
            .chain(self.to_create.drain(..))
            .chain(
                std::mem::take(&mut self.backing_off)
                    .into_iter()
                    .map(|(_, index)| index),
            )
            .collect();
        for (index, may_have_acted) in self.in_flight.drop_idle_creates() {
            if let Some(document) = self.documents.get_mut(&index) {
                document.job_may_exist |= may_have_acted;
            }
            dropped.push(index);
        }
        let any_dropped = !dropped.is_empty();
        for index in dropped {
            self.finish_without_job(index, RUN_STOPPED.to_owned(), ErrorScope::Run);
        }
        if stop == StopMode::Wait
            || self.in_flight.creating() > 0
            || self.phase != RunPhase::Running
        {
            return any_dropped;
        }
        self.phase = RunPhase::Stopped;
        self.in_flight.drop_reads();
        for (job_id, index, status) in self.poller.drain() {
            if stop == StopMode::Cancel {
                let call = Call::new(
                    CancelJob::new(job_id).scoped(&self.job_options.scope),
                    self.seed.derive(index),
                );
                self.in_flight.begin(Task::Cancel(
                    index,
                    Box::new(call.retry(self.options.retry)),
                ));
            } else {
                self.finish_as_open(index, job_id, status.as_ref());
            }
        }
        true
    }

    fn finish_as_open(&mut self, index: DocumentIndex, job_id: String, status: Option<&JobStatus>) {
        let mut report = DocumentReport::new(DocumentStatus::Open);
        let status = status.map_or_else(
            || "has not been seen yet".to_owned(),
            |status| format!("stands at {status}"),
        );
        report.error = Some(format!("the job {status}; the run did not wait any longer"));
        report.job_id = Some(job_id);
        self.finish(index, report, None);
    }
}

impl Machine for Bulk {
    type Event = BulkEvent;
    type Output = Summary;

    fn poll(&mut self, cx: Context<'_>) -> Step<BulkEvent, Summary> {
        let step = self.step(cx);
        self.report_circuit(cx);
        step
    }

    fn handle(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply) {
        self.in_flight.handle(cx, ticket, reply);
    }

    fn resume(&mut self) {
        self.in_flight.resume();
    }
}

impl Bulk {
    /// Passes a change of the circuit breaker to the observer.
    fn report_circuit(&mut self, cx: Context<'_>) {
        let state = self.circuit_breaker.state();
        if state != self.reported_circuit {
            self.reported_circuit = state;
            if let Some(observer) = cx.observer {
                observer.circuit_breaker(state);
            }
        }
    }

    fn step(&mut self, cx: Context<'_>) -> Step<BulkEvent, Summary> {
        loop {
            if self.phase == RunPhase::Unstarted {
                self.phase = RunPhase::Running;
                // Before all that documents have led to that were pushed already.
                let run = Record::Run(self.header.clone());
                self.events.push_front(BulkEvent::Record(run));
            }
            if let Some(event) = self.events.pop_front() {
                return Step::Event(event);
            }
            if self.phase == RunPhase::Ended {
                return Step::Wait(None);
            }
            self.check_deadline(cx.now);
            if let Some(event) = self.request_documents() {
                return Step::Event(event);
            }
            match self.in_flight.poll(cx) {
                Some(TaskOutput::Send(ticket, request)) => return Step::Send(ticket, request),
                Some(output) => {
                    self.on_task_output(cx, output);
                    continue;
                }
                None => {}
            }
            if self.step_shutdown() {
                continue;
            }
            let available_at = match self.begin_next(cx) {
                Ok(()) => continue,
                Err(available_at) => available_at,
            };
            if !self.events.is_empty() || self.begin_poll(cx.now) {
                continue;
            }
            if self.in_flight.is_empty()
                && self.documents.is_empty()
                && (self.input_state == InputState::Closed || self.stop.is_some())
            {
                if self.stop.is_none() && !self.is_end_recorded {
                    self.record(Record::Ended);
                    continue;
                }
                self.phase = RunPhase::Ended;
                if self.stop.is_some() && self.summary.is_complete() {
                    self.summary.end = RunEnd::Stopped;
                }
                return Step::Done(std::mem::take(&mut self.summary));
            }
            let backoff_until = self.backing_off.first().map(|(time, _)| *time);
            let next_wake = [
                self.in_flight.next_wake(),
                available_at,
                backoff_until,
                self.poller.next_wake(),
                self.deadline(),
            ];
            return Step::Wait(next_wake.into_iter().flatten().min());
        }
    }
}

impl fmt::Debug for Bulk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulk")
            .field("pushed", &self.pushed)
            .field("in_flight", &self.documents.len())
            .field("open", &self.poller.open())
            .field("stop", &self.stop)
            .finish_non_exhaustive()
    }
}
