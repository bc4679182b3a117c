//! The client.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use classify_proto::files::UploadFile;
use classify_proto::machine::{
    Call, Context, IntoWaitable, Limiter, Machine, Pager, PollInterval, Retry, Run, Waiter,
};
use classify_proto::v2::{CreateJob, Job};
use classify_proto::{
    Api, Body, Error, Failure, Operation, Paged, Proxy, RawResponse, Reply, Seed, Time,
    TransportLimits, http,
};

use crate::clock::Clock;
use crate::engine::{Engine, Told};
use crate::list::{List, Pages};
use crate::transport::Transport;

/// An async client, for use inside a Tokio runtime with its timer on.
///
/// Cloning is cheap and shares the connections. Every future is `Send`, and dropping one ends its requests at once:
/// what the service had already done is not undone, and a machine driven by reference can be driven again.
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

    /// A client that sends requests through the caller's own reqwest client: its proxy, its roots, its pool.
    ///
    /// Build it with [`reqwest::redirect::Policy::none`]. One that follows redirects cannot be stopped from here: its
    /// answer is refused when it came from another URL than the one asked, but by then the request has gone there,
    /// without `Authorization` where the host is another, and with any [extra header](classify_proto::ApiBuilder::header).
    ///
    /// With this crate's TLS features on, `reqwest::Client::new()` may look for a process-wide provider and panic where
    /// there is none; hand the builder a TLS configuration, or turn on a feature of reqwest that brings one.
    ///
    /// The connect limit is the reqwest client's own; the other [`limits`](Self::limits) hold beside its own.
    #[must_use]
    pub fn with_client(client: reqwest::Client, api: Api) -> Self {
        Self::with_transport(
            api,
            Transport::with_client(client, TransportLimits::default()),
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
    pub async fn call<O: Operation>(&self, operation: O) -> Result<O::Output, Error> {
        let call = Call::new(operation, self.seed()?).retry(self.retry);
        self.drive(call, |never| match never {}).await
    }

    /// Calls an operation, with retries, and returns the HTTP response beside the parsed value.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub async fn call_raw<O: Operation>(
        &self,
        operation: O,
    ) -> Result<RawResponse<O::Output>, Error> {
        let call = Call::new(operation, self.seed()?).retry(self.retry);
        self.drive(call.with_raw_response(), |never| match never {})
            .await
    }

    /// The items of a list. Nothing is sent before the first is asked for; then one page ahead is.
    pub fn list<O: Paged>(&self, list: O) -> List<O> {
        List::new(self.pages(list))
    }

    /// The pages of a list. Nothing is sent before the first is asked for; then one page ahead is.
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
    pub async fn wait<W: IntoWaitable>(
        &self,
        job: W,
    ) -> Result<<W::Read as Operation>::Output, Error> {
        let waiter = self.waiter(job)?;
        self.drive(waiter, drop).await
    }

    /// Creates a job and waits until it has ended.
    ///
    /// # Errors
    ///
    /// As [`CreateJob`] and [`wait`](Self::wait).
    pub async fn run(&self, create: CreateJob) -> Result<Job, Error> {
        let run = Run::new(create, self.seed()?);
        self.drive(self.with_options(run), drop).await
    }

    /// Uploads a document, creates a job for it by the template `create`, and waits until it has ended. The template's
    /// own input is passed over.
    ///
    /// # Errors
    ///
    /// As [`UploadFile`], [`CreateJob`] and [`wait`](Self::wait).
    pub async fn classify(&self, upload: UploadFile, create: CreateJob) -> Result<Job, Error> {
        self.drive(self.upload_run(upload, create)?, drop).await
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

    /// What a machine needs for one step.
    pub(crate) fn cx(&self) -> Context<'_> {
        Context::new(&self.api, self.clock.now()).limiter(&self.limiter)
    }

    fn with_options(&self, run: Run) -> Run {
        let run = run.retry(self.retry).poll_interval(self.poll_interval);
        match self.wait_timeout {
            Some(timeout) => run.timeout(timeout),
            None => run,
        }
    }

    /// Drives a machine to its end and hands each event to `on_event`.
    ///
    /// A machine with several requests out, such as a [`Concurrent`](classify_proto::machine::Concurrent), has up to
    /// [`TransportLimits::max_concurrency`] of them on the wire. The machine may come fresh, or half-way from a future that was dropped
    /// ([`Machine::resume`] is called first), if it is driven by reference:
    ///
    /// ```no_run
    /// # async fn example(client: classify_reqwest::Client) -> Result<(), classify_reqwest::Error> {
    /// let mut waiter = client.waiter("clj-1")?;
    /// let slice = std::time::Duration::from_secs(5);
    /// let job = loop {
    ///     match tokio::time::timeout(slice, client.drive(&mut waiter, drop)).await {
    ///         Ok(end) => break end?,
    ///         Err(_) => println!("still waiting"), // the future was dropped; the waiter goes on where it was
    ///     }
    /// };
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// When the machine had ended before.
    pub async fn drive<M: Machine>(
        &self,
        machine: M,
        mut on_event: impl FnMut(M::Event),
    ) -> M::Output {
        let mut engine = Engine::new(self.clone(), machine);
        loop {
            match poll_fn(|cx| engine.poll(cx)).await {
                Told::Event(event) => on_event(event),
                Told::Done(output) => return output,
            }
        }
    }

    pub(crate) fn limits_in_force(&self) -> &TransportLimits {
        self.transport.limits()
    }

    pub(crate) async fn send(&self, request: http::Request<Body>) -> Reply {
        self.transport.send(request, self.clock.now()).await
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
