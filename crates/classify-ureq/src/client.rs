//! The client.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use classify_proto::files::UploadFile;
use classify_proto::machine::{
    Call, IntoWaitable, Limiter, Machine, Pager, PollInterval, Retry, Run, Waiter,
};
use classify_proto::v2::{CreateJob, Job};
use classify_proto::{
    Api, Error, Failure, Operation, Paged, Proxy, RawResponse, Seed, Time, TransportLimits,
};

use crate::clock::Clock;
use crate::drive::{Driver, Told};
use crate::list::{List, Pages};
use crate::transport::Transport;

/// A blocking client.
///
/// Cloning is cheap and shares the connections. A client may be used from any number of threads.
#[derive(Clone)]
pub struct Client {
    api: Arc<Api>,
    transport: Transport,
    clock: Clock,
    limiter: Arc<Mutex<Limiter>>,
    retry: Retry,
    poll_interval: PollInterval,
    wait_timeout: Option<Duration>,
}

impl Client {
    /// A client that sends requests as `api` says, over connections of its own, and through the proxy that the
    /// environment names; [`Proxy`] tells the rules.
    ///
    /// Where that proxy cannot be used, every request is refused and says why; [`from_env`](Self::from_env) says it at
    /// once.
    #[must_use]
    pub fn new(api: Api) -> Self {
        let route = route(&api).map_err(|error| error.to_string().into());
        Self::with_transport(api, Transport::new(route, TransportLimits::default()))
    }

    /// A client as the environment says; [`Api::from_lookup`] names the variables.
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid) when the key is missing or malformed, or a variable cannot be used.
    pub fn from_env() -> Result<Self, Error> {
        let api = Api::from_lookup(variable).build()?;
        let route = route(&api)?;
        let transport = Transport::new(Ok(route), TransportLimits::default());
        Ok(Self::with_transport(api, transport))
    }

    /// A client that sends requests through the caller's own agent: its proxy, its roots, its pool.
    ///
    /// Whatever the agent is set to, a status is never an error of the transport, no redirect is followed, and a time
    /// limit is the shorter of the agent's and of [`limits`](Self::limits).
    ///
    /// Only of a client's own agent is it known whether a request that failed had a connection. Of the caller's it is
    /// told by the error where that allows one reading, and is else reckoned as sent.
    ///
    /// With this crate's TLS features alone, ureq has no provider to fall back on: set one in the agent's
    /// [`TlsConfig`](ureq::tls::TlsConfig), as process-wide default of rustls, or by ureq's own feature `rustls`. An agent
    /// without one panics over its first https request, which is then told as an error.
    #[must_use]
    pub fn with_agent(agent: ureq::Agent, api: Api) -> Self {
        Self::with_transport(
            api,
            Transport::with_agent(agent, TransportLimits::default()),
        )
    }

    fn with_transport(api: Api, transport: Transport) -> Self {
        Self {
            api: Arc::new(api),
            transport,
            clock: Clock::start(),
            limiter: Arc::default(),
            retry: Retry::default(),
            poll_interval: PollInterval::default(),
            wait_timeout: None,
        }
    }

    /// Holds every request of this client, and of those cloned from it afterwards, to these rate limits; the published
    /// ones of a paid plan unless told otherwise.
    #[must_use]
    pub fn limiter(mut self, limiter: Limiter) -> Self {
        self.limiter = Arc::new(Mutex::new(limiter));
        self
    }

    /// Repeats requests by this policy.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Looks at a job that is waited for this often.
    #[must_use]
    pub fn poll_interval(mut self, poll_interval: PollInterval) -> Self {
        self.poll_interval = poll_interval;
        self
    }

    /// Waits this long for a job; two hours unless told otherwise.
    #[must_use]
    pub fn wait_timeout(mut self, timeout: Duration) -> Self {
        self.wait_timeout = Some(timeout);
        self
    }

    /// Allows an attempt this much. A client with connections of its own begins anew with these.
    #[must_use]
    pub fn limits(mut self, limits: TransportLimits) -> Self {
        self.transport = self.transport.with_limits(limits);
        self
    }

    /// Where requests go and in whose name.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The present time as machines are told it: the wall clock as it was when the client was made, and a monotonic
    /// clock since.
    #[must_use]
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Sixteen bytes from the system's generator, for a machine of the caller's own making.
    ///
    /// # Errors
    ///
    /// When the system has no randomness to give.
    pub fn seed(&self) -> Result<Seed, Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| {
            Failure::refused(format!("the system gives no randomness: {error}"))
        })?;
        Ok(Seed::new(bytes))
    }

    /// Calls an operation, with retries.
    ///
    /// # Errors
    ///
    /// The service's answer where it is not a success, or why there was none.
    pub fn call<O: Operation>(&self, operation: O) -> Result<O::Output, Error> {
        let mut call = Call::new(operation, self.seed()?).retry(self.retry);
        match self.driver().next(&mut call) {
            Told::Done(result) => result,
            Told::Event(never) => match never {},
        }
    }

    /// Calls an operation, with retries, and returns the HTTP response beside the parsed value.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub fn call_raw<O: Operation>(&self, operation: O) -> Result<RawResponse<O::Output>, Error> {
        let call = Call::new(operation, self.seed()?).retry(self.retry);
        self.drive(call.with_raw_response(), |never| match never {})
    }

    /// The items of a list. Nothing is sent before the first is asked for, and no page before its first item.
    pub fn list<O: Paged>(&self, list: O) -> List<O> {
        List::new(self.pages(list))
    }

    /// The pages of a list, each asked for when it is wanted.
    pub fn pages<O: Paged>(&self, list: O) -> Pages<O> {
        let pager = self
            .seed()
            .map(|seed| Pager::new(list, seed).retry(self.retry));
        Pages::new(self.clone(), pager)
    }

    /// Waits until a job has ended: by its id, by the job itself, or by a read that names its project; a v1 job too.
    ///
    /// # Errors
    ///
    /// As [`Waiter`] tells: the job failed, was cancelled, or had not ended in time.
    pub fn wait<W: IntoWaitable>(&self, job: W) -> Result<<W::Read as Operation>::Output, Error> {
        let mut waiter = self.waiter(job)?;
        self.end_of(&mut waiter)
    }

    /// Creates a job and waits until it has ended.
    ///
    /// # Errors
    ///
    /// As [`CreateJob`] and [`wait`](Self::wait).
    pub fn run(&self, create: CreateJob) -> Result<Job, Error> {
        let run = Run::new(create, self.seed()?);
        self.end_of(&mut self.with_options(run))
    }

    /// Uploads a document, creates a job for it by the template `create`, and waits until it has ended. The template's
    /// own input is passed over.
    ///
    /// # Errors
    ///
    /// As [`UploadFile`], [`CreateJob`] and [`wait`](Self::wait).
    pub fn classify(&self, upload: UploadFile, create: CreateJob) -> Result<Job, Error> {
        self.end_of(&mut self.upload_run(upload, create)?)
    }

    /// The machine of [`wait`](Self::wait), for [`drive`](Self::drive).
    ///
    /// # Errors
    ///
    /// When the system has no randomness to give.
    pub fn waiter<W: IntoWaitable>(&self, job: W) -> Result<Waiter<W::Read>, Error> {
        let mut waiter = Waiter::by(job.into_waitable(), self.seed()?)
            .retry(self.retry)
            .poll_interval(self.poll_interval);
        if let Some(timeout) = self.wait_timeout {
            waiter = waiter.timeout(timeout);
        }
        Ok(waiter)
    }

    /// The machine of [`classify`](Self::classify), for [`drive`](Self::drive): alone, to be told its progress or to
    /// save it half-way, or many of them in a [`Concurrent`](classify_proto::machine::Concurrent).
    ///
    /// # Errors
    ///
    /// When the system has no randomness to give.
    pub fn upload_run(&self, upload: UploadFile, create: CreateJob) -> Result<Run, Error> {
        Ok(self.with_options(Run::upload(upload, create, self.seed()?)))
    }

    fn with_options(&self, run: Run) -> Run {
        let run = run.retry(self.retry).poll_interval(self.poll_interval);
        match self.wait_timeout {
            Some(timeout) => run.timeout(timeout),
            None => run,
        }
    }

    /// Drives a machine to its end and hands each event to `on_event`, on this thread.
    ///
    /// A machine with several requests out, such as a [`Concurrent`](classify_proto::machine::Concurrent), gets a thread for each,
    /// up to [`TransportLimits::max_concurrency`]. The machine may come fresh, or half-way from a loop that was left
    /// ([`Machine::resume`] is called first). Replies that are still owed when it ends are waited for, within the
    /// limits of an attempt.
    ///
    /// # Panics
    ///
    /// When the machine had ended before.
    pub fn drive<M: Machine>(&self, mut machine: M, on_event: impl FnMut(M::Event)) -> M::Output {
        self.driver().drive(&mut machine, on_event)
    }

    pub(crate) fn driver(&self) -> Driver<'_> {
        Driver {
            api: &self.api,
            transport: &self.transport,
            clock: self.clock,
            limiter: &self.limiter,
        }
    }

    fn end_of<M: Machine>(&self, machine: &mut M) -> M::Output {
        let driver = self.driver();
        loop {
            if let Told::Done(output) = driver.next(machine) {
                return output;
            }
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The proxy on the way, by this process's environment.
fn route(api: &Api) -> Result<Option<Proxy>, Error> {
    Proxy::from_lookup(api, variable)
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("api", &self.api)
            .field("limits", self.transport.limits())
            .field("retry", &self.retry)
            .field("poll_interval", &self.poll_interval)
            .field("wait_timeout", &self.wait_timeout)
            .finish_non_exhaustive()
    }
}
