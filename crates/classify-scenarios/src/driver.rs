//! The seam to a driver.

use std::path::PathBuf;
use std::time::Duration;

use classify_client::{BulkBuilder, Document, Finished, RunEvent};
use classify_proto::machine::{
    BulkOptions, Context, HashedDocument, Machine, PollInterval, Retry, Run, Step, Summary, Ticket,
};
use classify_proto::v2::{CreateJob, GetJob, Job, JobOptions};
use classify_proto::{Api, Error, Operation, Paged, Reply, TransportLimits};

/// What a client is set to, beside its [`Api`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Settings {
    /// How often a request is repeated.
    pub retry: Retry,
    /// How often a job is looked at.
    pub poll_interval: PollInterval,
    /// How long a job is waited for.
    pub wait_timeout: Duration,
    /// What an attempt may take.
    pub limits: TransportLimits,
}

impl Default for Settings {
    /// Everything as by default, but with delays so short that a test does not wait for them.
    fn default() -> Self {
        let short = Duration::from_millis(5);
        Self {
            retry: Retry::default().backoff(short, short * 4),
            poll_interval: PollInterval::new(short * 2, short * 6),
            wait_timeout: Duration::from_secs(30),
            limits: TransportLimits::default(),
        }
    }
}

/// A capability that some scenarios need and that a transport may lack.
///
/// A driver that lacks one names it in [`Driver::OPT_OUTS`]. The scenarios that need it are then skipped. No scenario is
/// skipped for another reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Capability {
    /// Reaches `https` URLs.
    Tls,
    /// Requests compressed responses and decompresses them.
    Gzip,
    /// Uses the proxy that the environment names, and can be built from the environment.
    Proxy,
    /// Sends documents from files.
    Files,
    /// Sends percent escapes as they are in the URI. Without it, a scenario ignores their case instead of being skipped.
    EscapeCase,
    /// Continues the requests of lists and runs while the caller does not poll.
    Background,
}

/// A client behind one face, blocking or not. An async driver brings its runtime along and blocks on it.
pub trait Driver {
    /// The capabilities that this driver lacks. None by default.
    const OPT_OUTS: &'static [Capability] = &[];

    /// How many pages are asked for beyond the one that the caller has.
    const PAGES_AHEAD: u64;

    /// Makes a client.
    fn new(api: Api, settings: Settings) -> Self;

    /// Makes a client as the environment says, if it can be made.
    ///
    /// # Errors
    ///
    /// The client's.
    fn from_env() -> Result<(), Error>;

    /// Calls an operation.
    ///
    /// # Errors
    ///
    /// The client's.
    fn call<O: Operation>(&self, operation: O) -> Result<O::Output, Error>;

    /// Follows a list, item by item, until it ends or `keep_going` says no.
    fn list<O: Paged>(&self, list: O, keep_going: impl FnMut(Result<O::Item, Error>) -> bool);

    /// Waits for a job.
    ///
    /// # Errors
    ///
    /// The client's.
    fn wait(&self, job: GetJob) -> Result<Job, Error>;

    /// Creates a job and waits for it.
    ///
    /// # Errors
    ///
    /// The client's.
    fn run(&self, create: CreateJob) -> Result<Job, Error>;

    /// Classifies a document once.
    ///
    /// # Errors
    ///
    /// The client's.
    fn classify(&self, document: Document, options: JobOptions) -> Result<Job, Error>;

    /// Runs a bulk run to its end, and stops it when `on_item` returns `true`.
    ///
    /// # Errors
    ///
    /// The client's, if the run cannot start.
    fn bulk(
        &self,
        settings: BulkSettings,
        documents: Vec<Document>,
        on_item: &mut dyn FnMut(Finished) -> bool,
        on_end: &mut dyn FnMut(&Summary),
    ) -> Result<(), Error>;

    /// Runs a bulk run to its end by its events, and ends it by its stop handle when `on_event` returns `true`.
    ///
    /// # Errors
    ///
    /// The client's, if the run cannot start.
    fn bulk_events(
        &self,
        settings: BulkSettings,
        documents: Vec<Document>,
        on_event: &mut dyn FnMut(&RunEvent) -> bool,
    ) -> Result<Summary, Error>;

    /// Classifies documents with one pool: each round one after another, the documents of a round side by side, each by a
    /// caller of its own. Returns the results in the same order.
    fn pool(&self, options: JobOptions, rounds: Vec<Vec<Document>>) -> Vec<Vec<Finished>>;

    /// Starts a bulk run, and drops it after so many items.
    fn drop_bulk(&self, settings: BulkSettings, documents: Vec<Document>, items: usize);

    /// The machine of [`classify`](Self::classify), with the client's options.
    fn document_run(&self, document: HashedDocument, options: JobOptions) -> Run;

    /// Drives a machine to its end.
    fn drive<M: Machine>(&self, machine: M, on_event: impl FnMut(M::Event)) -> M::Output;

    /// The client as `Debug` shows it.
    fn debug(&self) -> String;

    /// Whether the driver has a capability.
    #[must_use]
    fn has(capability: Capability) -> bool {
        !Self::OPT_OUTS.contains(&capability)
    }
}

/// Settings of a bulk run.
#[derive(Debug)]
pub struct BulkSettings {
    options: JobOptions,
    journal: Option<PathBuf>,
    limits: Option<BulkOptions>,
    shard: Option<(u32, u32)>,
    deadline: Option<Duration>,
    reads_rest: bool,
}

impl BulkSettings {
    /// A run whose jobs have these options.
    #[must_use]
    pub fn new(options: impl Into<JobOptions>) -> Self {
        Self {
            options: options.into(),
            journal: None,
            limits: None,
            shard: None,
            deadline: None,
            reads_rest: false,
        }
    }

    /// Records the run in a file.
    #[must_use]
    pub fn journal(mut self, path: impl Into<PathBuf>) -> Self {
        self.journal = Some(path.into());
        self
    }

    /// Limits the run.
    #[must_use]
    pub fn limits(mut self, limits: BulkOptions) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Classifies one shard.
    #[must_use]
    pub fn shard(mut self, index: u32, count: u32) -> Self {
        self.shard = Some((index, count));
        self
    }

    /// Ends the run after this time.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Reads the remaining documents after the run has stopped by itself.
    #[must_use]
    pub fn read_rest(mut self) -> Self {
        self.reads_rest = true;
        self
    }

    /// Returns the client's builder with these settings. `bulk` is the client's method of that name.
    pub fn builder<C>(self, bulk: impl FnOnce(JobOptions) -> BulkBuilder<C>) -> BulkBuilder<C> {
        let mut builder = bulk(self.options);
        let limits = self.limits.unwrap_or_default();
        // Jobs of the test bench end at once, and its faults are many.
        builder = builder.limits(
            limits
                .retry(Settings::default().retry)
                .poll_interval(Settings::default().poll_interval),
        );
        if let Some(path) = self.journal {
            builder = builder.journal(path);
        }
        if let Some(deadline) = self.deadline {
            builder = builder.deadline(deadline);
        }
        if self.reads_rest {
            builder = builder.read_rest();
        }
        if let Some((index, count)) = self.shard {
            builder = builder.shard(index, count);
        }
        builder
    }
}

/// Drives a machine up to its first event that fits, and leaves it there.
pub struct FirstEvent<'a, M, F> {
    machine: &'a mut M,
    matches: F,
}

impl<'a, M, F> FirstEvent<'a, M, F> {
    /// Stops at the first event that `matches`.
    pub fn new(machine: &'a mut M, matches: F) -> Self {
        Self { machine, matches }
    }
}

impl<M: Machine, F: FnMut(&M::Event) -> bool> Machine for FirstEvent<'_, M, F> {
    type Event = M::Event;
    type Output = Result<M::Event, M::Output>;

    fn poll(&mut self, cx: Context<'_>) -> Step<M::Event, Self::Output> {
        match self.machine.poll(cx) {
            Step::Send(ticket, request) => Step::Send(ticket, request),
            Step::Wait(until) => Step::Wait(until),
            Step::Event(event) if (self.matches)(&event) => Step::Done(Ok(event)),
            Step::Event(event) => Step::Event(event),
            Step::Done(output) => Step::Done(Err(output)),
        }
    }

    fn handle(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply) {
        self.machine.handle(cx, ticket, reply);
    }

    fn resume(&mut self) {
        self.machine.resume();
    }
}

/// Drives a machine until its first request was answered or has failed, and leaves it there.
pub struct FirstReply<'a, M> {
    machine: &'a mut M,
    received: bool,
}

impl<'a, M> FirstReply<'a, M> {
    /// Stops when a reply has come.
    pub fn new(machine: &'a mut M) -> Self {
        Self {
            machine,
            received: false,
        }
    }
}

impl<M: Machine> Machine for FirstReply<'_, M> {
    type Event = M::Event;
    type Output = ();

    fn poll(&mut self, cx: Context<'_>) -> Step<M::Event, ()> {
        if self.received {
            return Step::Done(());
        }
        match self.machine.poll(cx) {
            Step::Send(ticket, request) => Step::Send(ticket, request),
            Step::Wait(until) => Step::Wait(until),
            Step::Event(event) => Step::Event(event),
            Step::Done(_) => Step::Done(()),
        }
    }

    fn handle(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply) {
        self.machine.handle(cx, ticket, reply);
        self.received = true;
    }

    fn resume(&mut self) {
        self.machine.resume();
    }
}
