//! The trait that a driver implements, and settings of clients and bulk runs.

use std::path::PathBuf;
use std::time::Duration;

use classify_client::{BulkBuilder, Document, Finished, RunEvent};
use classify_proto::machine::{
    BulkOptions, Context, HashedDocument, Machine, PollInterval, Retry, Run, Step, Summary, Ticket,
};
use classify_proto::v2::{CreateJob, GetJob, Job, JobOptions};
use classify_proto::{Api, Error, Operation, Paged, Reply, TransportLimits};

/// Settings of a client, in addition to its [`Api`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Settings {
    /// The retry policy.
    pub retry: Retry,
    /// The poll interval of jobs.
    pub poll_interval: PollInterval,
    /// The longest wait for a job.
    pub wait_timeout: Duration,
    /// The time and size limits of an attempt.
    pub limits: TransportLimits,
}

impl Default for Settings {
    /// Returns the defaults, with short delays.
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

/// A capability that some scenarios need and that a transport may not have.
///
/// A driver without a capability lists it in [`Driver::OPT_OUTS`]. The scenarios that need it are then skipped.
/// Scenarios are not skipped for other reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Capability {
    /// Supports `https` URLs.
    Tls,
    /// Requests compressed responses and decompresses them.
    Gzip,
    /// Uses the proxy of the environment variables, and can be built from the environment.
    Proxy,
    /// Sends documents from files.
    Files,
    /// Sends percent escapes unchanged. Without it, a scenario ignores their case and is not skipped.
    EscapeCase,
    /// Continues requests of lists and runs while the caller does not poll.
    Background,
}

/// A blocking or async client with one interface. An async driver has a runtime and blocks on it.
pub trait Driver {
    /// The capabilities that this driver does not have. None by default.
    const OPT_OUTS: &'static [Capability] = &[];

    /// The number of pages that are requested ahead of the page that the caller uses.
    const PAGES_AHEAD: u64;

    /// Returns a client with these settings.
    fn new(api: Api, settings: Settings) -> Self;

    /// Returns a client that is configured from environment variables.
    ///
    /// # Errors
    ///
    /// The client's error.
    fn from_env() -> Result<(), Error>;

    /// Calls an operation and returns its response.
    ///
    /// # Errors
    ///
    /// The client's error.
    fn call<O: Operation>(&self, operation: O) -> Result<O::Output, Error>;

    /// Reads a list, item by item, until it ends or `keep_going` returns `false`.
    fn list<O: Paged>(&self, list: O, keep_going: impl FnMut(Result<O::Item, Error>) -> bool);

    /// Waits until a job has ended and returns it.
    ///
    /// # Errors
    ///
    /// The client's error.
    fn wait(&self, job: GetJob) -> Result<Job, Error>;

    /// Creates a job, waits until it has ended, and returns it.
    ///
    /// # Errors
    ///
    /// The client's error.
    fn run(&self, create: CreateJob) -> Result<Job, Error>;

    /// Classifies a document once and returns its job.
    ///
    /// # Errors
    ///
    /// The client's error.
    fn classify(&self, document: Document, options: JobOptions) -> Result<Job, Error>;

    /// Runs a bulk run to its end, and stops it when `on_item` returns `true`.
    ///
    /// # Errors
    ///
    /// The client's error, if the run cannot start.
    fn bulk(
        &self,
        settings: BulkSettings,
        documents: Vec<Document>,
        on_item: &mut dyn FnMut(Finished) -> bool,
        on_end: &mut dyn FnMut(&Summary),
    ) -> Result<(), Error>;

    /// Runs a bulk run to its end, event by event. Uses its stop handle when `on_event` returns `true`.
    ///
    /// # Errors
    ///
    /// The client's error, if the run cannot start.
    fn bulk_events(
        &self,
        settings: BulkSettings,
        documents: Vec<Document>,
        on_event: &mut dyn FnMut(&RunEvent) -> bool,
    ) -> Result<Summary, Error>;

    /// Classifies documents with one pool and returns the results in the same order. Rounds follow one another; within
    /// a round, each document has its own concurrent caller.
    fn pool(&self, options: JobOptions, rounds: Vec<Vec<Document>>) -> Vec<Vec<Finished>>;

    /// Starts a bulk run, and drops it after this many items.
    fn drop_bulk(&self, settings: BulkSettings, documents: Vec<Document>, items: usize);

    /// Returns the machine of [`classify`](Self::classify), with the client's options.
    fn document_run(&self, document: HashedDocument, options: JobOptions) -> Run;

    /// Drives a machine to its end and returns its output.
    fn drive<M: Machine>(&self, machine: M, on_event: impl FnMut(M::Event)) -> M::Output;

    /// Returns the `Debug` text of the client.
    fn debug(&self) -> String;

    /// Returns whether the driver has a capability.
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
    /// Returns the settings of a run whose jobs have these options.
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

    /// Sets the journal file.
    #[must_use]
    pub fn journal(mut self, path: impl Into<PathBuf>) -> Self {
        self.journal = Some(path.into());
        self
    }

    /// Sets the limits of the run.
    #[must_use]
    pub fn limits(mut self, limits: BulkOptions) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Sets the shard `index` of `count`.
    #[must_use]
    pub fn shard(mut self, index: u32, count: u32) -> Self {
        self.shard = Some((index, count));
        self
    }

    /// Sets the deadline, counted from the start of the run.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Reads the remaining documents after an error or a deadline has stopped the run.
    #[must_use]
    pub fn read_rest(mut self) -> Self {
        self.reads_rest = true;
        self
    }

    /// Returns the client's builder with these settings. `bulk` is the client's `bulk` method.
    pub fn builder<C>(self, bulk: impl FnOnce(JobOptions) -> BulkBuilder<C>) -> BulkBuilder<C> {
        let mut builder = bulk(self.options);
        let limits = self.limits.unwrap_or_default();
        // Jobs of the test bench end immediately, and it has many faults.
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

/// Drives a machine until its first matching event, and leaves it there.
pub struct FirstEvent<'a, M, F> {
    machine: &'a mut M,
    matches: F,
}

impl<'a, M, F> FirstEvent<'a, M, F> {
    /// Returns a machine that stops at the first event for which `matches` returns `true`.
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

/// Drives a machine until the first reply, and leaves it there.
pub struct FirstReply<'a, M> {
    machine: &'a mut M,
    received: bool,
}

impl<'a, M> FirstReply<'a, M> {
    /// Returns a machine that stops after the first reply.
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
