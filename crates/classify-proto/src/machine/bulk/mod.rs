//! Bulk runs: classify many documents at once, each once and charged once.
//!
//! Read in this order: `state` (a document and the run), `input` (accepts documents), `upload`, `create`, `job_poller`
//! and `finish` (the stages of a document), `failure` (errors of a stage), `stop` (stopping early), and `step` (one
//! step of the machine).

mod circuit_breaker;
mod create;
mod error_scope;
mod event;
mod failure;
mod finish;
mod in_flight;
mod input;
mod job_poller;
mod journal;
#[cfg(test)]
mod memory_test;
mod options;
mod report;
mod report_cache;
mod state;
mod step;
mod stop;
mod upload;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::io;

pub use error_scope::ErrorScope;
pub use event::{BulkEvent, FinishedDocument, RunEnd, Summary};
pub use journal::{Journal, JournalHeader, KnownKeys, Record};
pub use options::BulkOptions;
pub use report::{DocumentReport, DocumentStatus};

use self::circuit_breaker::CircuitBreaker;
use self::in_flight::{DocumentIndex, InFlight};
use self::job_poller::JobPoller;
use self::journal::JournalEntry;
use self::report_cache::ReportCache;
use self::state::{ConfigurationInForce, DocumentState, InputState, RunPhase};
use self::stop::StopMode;
use super::document::{HashedDocument, Source};
use super::observer::CircuitState;
use super::transaction::Fingerprint;
use crate::Time;
use crate::api::Api;
use crate::content_key::ContentKey;
use crate::error::Error;
use crate::seed::Seed;
use crate::semantics::RateClass;
use crate::v2::{JobOptions, Rerun};

/// Classifies any number of documents, each once.
///
/// `Bulk` is a state machine without IO. It asks for input with [`BulkEvent::NeedDocuments`], uploads each document,
/// creates a job, polls open jobs a hundred at a time, and reports each document as [`BulkEvent::Finished`]. Memory is
/// proportional to the documents in flight, not to the size of the run.
///
/// ```
/// use classify_proto::machine::{Bulk, BulkEvent, BulkOptions, Context, HashedDocument, Machine, Step};
/// use classify_proto::v2::{Configuration, JobOptions, Rule};
/// use classify_proto::{Api, Seed, Time};
///
/// let api = Api::builder("llx-key").build()?;
/// let rules = Configuration::new([Rule::new("invoice", "has an invoice number and a total amount")]);
/// let mut run = Bulk::new(&api, JobOptions::from(rules), BulkOptions::default(), Seed::new([7; 16]))?;
/// let mut documents = vec![HashedDocument::bytes("scan.txt", "Invoice 4711, total 12.00")];
/// let mut journal = String::new(); // a file in a program
/// let request = loop {
///     match run.poll(Context::new(&api, Time::from_millis(0))) {
///         Step::Event(BulkEvent::NeedDocuments(_)) => match documents.pop() {
///             Some(document) => run.push(document),
///             None => run.close(),
///         },
///         Step::Event(BulkEvent::Record(record)) => journal += &record.to_line(),
///         Step::Send(_, request) => break request, // a driver sends it and passes its reply to `handle`
///         _ => {}
///     }
/// };
/// assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/api/v1/beta/files"));
/// assert!(journal.starts_with(r#"{"record":"run""#));
/// # Ok::<(), classify_proto::Error>(())
/// ```
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
/// An error that affects one document (an invalid file, a rejected rule) finishes that document only. An error that
/// affects every document stops the run and finishes none: 401, 402, 403, a redirect, an untrusted certificate, a
/// missing route or saved configuration, an HTML page in place of the service's response. Jobs that exist are still
/// polled if possible. If the service fails repeatedly, a circuit breaker pauses the run for as long as the service
/// asks, or with increasing delays, and then tries one document.
///
/// An error response to a retried create is not final: a lost attempt may have created a job. The create is repeated a few
/// times, and the document is then [`Ambiguous`](DocumentStatus::Ambiguous); running the same documents again finds the
/// job.
///
/// # Rate limits
///
/// Requests wait for the [`Limiter`](super::Limiter) of the [`Context`](super::Context).
pub struct Bulk {
    job_options: JobOptions,
    /// The part of every transaction id that comes from the options and the project.
    fingerprint: Fingerprint,
    header: JournalHeader,
    options: BulkOptions,
    seed: Seed,
    journal: BTreeMap<ContentKey, JournalEntry>,
    phase: RunPhase,
    input_state: InputState,
    /// The journal's last record says that the run ended.
    is_end_recorded: bool,
    /// Number of documents pushed when documents were last requested.
    requested_at: Option<DocumentIndex>,
    pushed: DocumentIndex,
    events: VecDeque<BulkEvent>,
    documents: BTreeMap<DocumentIndex, DocumentState>,
    by_key: BTreeMap<ContentKey, DocumentIndex>,
    /// Number of further names of documents in flight.
    extra_names: usize,
    to_upload: VecDeque<DocumentIndex>,
    to_create: VecDeque<DocumentIndex>,
    /// Creates that are sent again later.
    backing_off: BTreeSet<(Time, DocumentIndex)>,
    /// A create of this run returned a job.
    has_created: bool,
    in_flight: InFlight,
    poller: JobPoller,
    circuit_breaker: CircuitBreaker,
    /// The kind and number of the latest read errors in a row, all of the same kind.
    read_errors: Option<(io::ErrorKind, usize)>,
    configuration: ConfigurationInForce,
    /// The lowest rates, in requests per second, that 429s have reduced a class to and that were reported.
    lowest_rates: BTreeMap<RateClass, f64>,
    /// The state that was reported to the observer.
    reported_circuit: CircuitState,
    stop: Option<StopMode>,
    report_cache: ReportCache,
    summary: Summary,
}

impl Bulk {
    /// Creates a run whose jobs have these options.
    ///
    /// The project is that of the options, or else that of `api`. `seed` is 16 random bytes; jitter and the nonce of a
    /// [fresh](JobOptions::fresh) run are derived from them.
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid) if the options exceed a limit of the service. Nothing was sent.
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
            read_errors: None,
            configuration,
            lowest_rates: BTreeMap::new(),
            reported_circuit: CircuitState::Closed,
            stop: None,
            summary: Summary::default(),
        })
    }

    /// Resumes the run of a journal. An empty journal starts a new run.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`](crate::ErrorKind::State), with the difference, if the journal belongs to another run. A
    /// [fresh](JobOptions::fresh) run resumes only the journal of a fresh run.
    pub fn with_journal(mut self, journal: Journal) -> Result<Self, Error> {
        let Some(header) = journal.header else {
            return Ok(self);
        };
        if let Some(difference) = header.difference(&self.header) {
            return Err(Error::state(format!(
                "the journal belongs to another run; {difference}"
            )));
        }
        // Resuming it would return its jobs, and classify nothing again.
        if self.job_options.rerun == Rerun::Always && header.nonce.is_none() {
            return Err(Error::state(
                "the journal belongs to another run: that run did not classify every document again, and this run does",
            ));
        }
        self.fingerprint = Fingerprint::of(&header);
        self.header = header;
        self.journal = journal.entries;
        self.is_end_recorded = journal.is_ended;
        self.phase = RunPhase::Running;
        Ok(self)
    }

    /// Returns the journal's report of a document that has not been pushed, or else this run's report of its content, as
    /// long as it is [kept](BulkOptions::report_cache_size); `None` if there is none.
    #[must_use]
    pub fn previous_report(&self, key: ContentKey) -> Option<&DocumentReport> {
        let of_journal = self
            .journal
            .get(&key)
            .and_then(|entry| entry.report.as_ref());
        of_journal.or_else(|| self.report_cache.get(key).map(|(report, _)| report))
    }

    /// Returns `true` if the [`previous_report`](Self::previous_report) of a content is an earlier process's.
    #[must_use]
    pub fn is_restored(&self, key: ContentKey) -> bool {
        let of_this_run = self.report_cache.get(key).map(|(_, restored)| restored);
        of_this_run.unwrap_or_else(|| self.journal.contains_key(&key))
    }

    /// Returns the job of a document in flight; `None` if it has none yet. An earlier process may have created it.
    #[must_use]
    pub fn job_id(&self, key: ContentKey) -> Option<&str> {
        let index = self.by_key.get(&key)?;
        self.documents.get(index)?.job_id.as_deref()
    }

    /// Returns the number of documents in flight, and how many of them have an open job.
    #[must_use]
    pub fn in_flight(&self) -> (usize, usize) {
        (self.documents.len(), self.poller.open())
    }

    /// Whether documents whose job of an earlier pass has no result are classified and charged again.
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
