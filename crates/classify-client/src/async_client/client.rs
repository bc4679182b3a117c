//! The async client.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[cfg(doc)]
use classify_proto::files::UploadFile;
use classify_proto::machine::{
    BulkOptions, Call, HashedDocument, IntoWaitable, Limiter, Machine, Observer, Pager,
    PollInterval, RateLimits, Retry, Run, Waiter,
};
use classify_proto::v2::{CreateJob, Job, JobOptions};
use classify_proto::{
    Api, CallOptions, Error, Failure, Operation, Paged, RawResponse, Seed, Time, TransportLimits,
};

use super::body::PendingWork;
use super::executor::BlockingExecutor;
use super::list::{List, Pages};
use super::running::Running;
use super::transport::{DefaultTransport, Transport};
use crate::document::Document;
use crate::environment::{api_from_env, proxy_from_env};
use crate::observe::OperationSpan;
use crate::settings::{Settings, client_methods};

/// An async client over a [`Transport`].
///
/// Cloning is cheap and shares the transport and the rate limits. The futures are `Send` if the transport's futures
/// are. Dropping a future ends its requests, but does not undo their effects: a job that was created continues.
///
/// `classify_reqwest::Client` is this client over reqwest. Code for any transport is generic:
///
/// ```
/// use classify_client::classify_proto::{Error, v2::ListJobs};
/// use classify_client::{Client, Transport};
///
/// async fn print_jobs<T: Transport>(client: &Client<T>) -> Result<(), Error> {
///     let mut jobs = client.list(ListJobs::new());
///     while let Some(job) = jobs.next().await {
///         println!("{}", job?.id);
///     }
///     Ok(())
/// }
/// ```
pub struct Client<T> {
    /// The transport, or the reason why it could not be built. Every request then fails with the reason.
    transport: Result<Arc<T>, Arc<str>>,
    settings: Settings,
}

client_methods!(Transport, DefaultTransport);

impl<T: Transport> Client<T> {
    /// Returns the current time of the transport's clock, which all machines of this client use.
    #[must_use]
    pub fn now(&self) -> Time {
        self.transport
            .as_ref()
            .map_or(Time::from_millis(0), |transport| transport.now())
    }

    /// Returns 16 random bytes, for a machine that you construct yourself.
    ///
    /// # Errors
    ///
    /// [`is_transport`](Error::is_transport) if the operating system provides no random bytes.
    pub fn seed(&self) -> Result<Seed, Error> {
        match &self.transport {
            Ok(transport) => transport.seed(),
            // No request is sent, so nothing needs to be unique.
            Err(_) => Ok(Seed::new([0; 16])),
        }
    }

    /// Calls an operation and returns its parsed response. Retries as the [retry policy](Self::retry) allows.
    ///
    /// # Errors
    ///
    /// The error response of the service; the reason why there is no response; or
    /// [`is_invalid`](Error::is_invalid) if the operation is invalid, before anything is sent.
    pub async fn call<O: Operation>(&self, operation: O) -> Result<O::Output, Error> {
        let span = OperationSpan::new(operation.name());
        let call = self.prepare(operation)?;
        let running = self.boxed(call, span, false);
        to_end(running, |never| match never {}).await
    }

    /// Calls an operation as [`call`](Self::call) does, and returns the HTTP response too: status, headers and body.
    ///
    /// # Errors
    ///
    /// The same as [`call`](Self::call).
    pub async fn call_raw<O: Operation>(
        &self,
        operation: O,
    ) -> Result<RawResponse<O::Output>, Error> {
        let span = OperationSpan::new(operation.name());
        let call = self.prepare(operation)?.with_raw_response();
        let running = self.boxed(call, span, false);
        to_end(running, |never| match never {}).await
    }

    /// Returns a stream of the items of a list. The first page is requested with the first item; afterwards the next
    /// page is requested while you use the current one.
    pub fn list<O: Paged>(&self, list: O) -> List<T, O> {
        List::new(self.pages(list))
    }

    /// Returns a stream of the pages of a list. The first request is sent when the stream is polled; afterwards the
    /// next page is requested while you use the current one.
    pub fn pages<O: Paged>(&self, list: O) -> Pages<T, O> {
        let span = OperationSpan::new(list.name());
        Pages::new(
            self.pager(list)
                .map(|pager| self.running(pager.prefetch(true), span, true)),
        )
    }

    /// Waits until a job has ended and returns it. Takes the id of the job, the job, or a
    /// [`GetJob`](classify_proto::v2::GetJob) of either version of the API.
    ///
    /// # Errors
    ///
    /// The job failed, was cancelled, or had not ended within [`wait_timeout`](Self::wait_timeout); see [`Waiter`]. The
    /// error holds the job if it failed or was cancelled, and its id after a timeout. The errors of
    /// [`call`](Self::call) if the job cannot be polled.
    pub async fn wait<W: IntoWaitable>(
        &self,
        job: W,
    ) -> Result<<W::Read as Operation>::Output, Error> {
        let running = self.boxed(self.waiter(job)?, OperationSpan::new("wait"), false);
        to_end(running, drop).await
    }

    /// Creates a job, waits until it has ended, and returns it. To upload a document first, use
    /// [`classify`](Self::classify).
    ///
    /// # Errors
    ///
    /// The errors of [`CreateJob`] and of [`wait`](Self::wait).
    pub async fn run(&self, create: CreateJob) -> Result<Job, Error> {
        let run = self.run_settings(Run::new(create, self.seed()?));
        let running = self.boxed(run, OperationSpan::new("run"), false);
        to_end(running, drop).await
    }

    /// Classifies a document once: uploads it, creates a job, waits until the job has ended, and returns the job.
    ///
    /// The same content with the same rules is the same job. If an earlier call, another program or a bulk run has
    /// created it, that job is returned and you do not pay again, even if the earlier call never received a response;
    /// see [`transaction_id`](classify_proto::machine::transaction_id). To classify again at a new charge, use
    /// [`JobOptions::retry_failed`] or [`JobOptions::fresh`].
    ///
    /// ```no_run
    /// use classify_client::Document;
    /// use classify_client::classify_proto::v2::{Configuration, Rule};
    /// # use classify_client::{Client, Transport};
    /// # use classify_client::classify_proto::Error;
    ///
    /// # async fn example<T: Transport>(client: &Client<T>) -> Result<(), Error> {
    /// let rules = Configuration::new([Rule::new("invoice", "has an invoice number and a total")]);
    /// let job = client.classify(Document::open("scan.pdf")?, rules).await?;
    /// println!("{:?}", job.outcome());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Content`](classify_proto::ErrorKind::Content) if the document cannot be read; the errors of
    /// [`UploadFile`], [`CreateJob`] and [`wait`](Self::wait). If the job failed or was cancelled, the error holds the
    /// job.
    pub async fn classify(
        &self,
        document: Document,
        options: impl Into<JobOptions>,
    ) -> Result<Job, Error> {
        let options = options.into();
        let read = if document.is_hashed() {
            document.read()?
        } else {
            let reading = PendingWork::start(&self.executor(), move || Some(document.read()));
            let read = poll_fn(|cx| reading.poll(cx)).await;
            read.unwrap_or_else(|| {
                Err(Failure::content("the thread that read the document ended").into())
            })?
        };
        let run = self.document_run(read.document, options)?;
        let running = self.boxed(run, OperationSpan::new("classify"), false);
        // The temporary file is deleted after this line.
        let _file = read.file;
        to_end(running, drop).await
    }

    /// Returns the transport, or the reason why it could not be built.
    pub(crate) fn transport(&self) -> &Result<Arc<T>, Arc<str>> {
        &self.transport
    }

    /// Returns the executor for blocking work.
    pub(crate) fn executor(&self) -> BlockingExecutor {
        self.transport.as_ref().map_or_else(
            |_| BlockingExecutor::default(),
            |transport| transport.blocking_executor(),
        )
    }

    /// Starts a machine and returns it, as a stream of its events.
    ///
    /// The machine may be new or restored from a saved state: [`Machine::resume`] is called first.
    pub fn start<M: Machine>(&self, machine: M) -> Running<T, M> {
        self.running(machine, OperationSpan::current(), true)
    }

    /// Runs a machine to its end, returns its output, and passes each event to `on_event`. At most
    /// [`TransportLimits::max_concurrency`] requests are in flight.
    ///
    /// # Panics
    ///
    /// If the machine has already ended.
    pub async fn drive<M: Machine>(&self, machine: M, on_event: impl FnMut(M::Event)) -> M::Output {
        let running = self.boxed(machine, OperationSpan::current(), true);
        to_end(running, on_event).await
    }

    pub(crate) fn running<M: Machine>(
        &self,
        machine: M,
        span: OperationSpan,
        runs_in_background: bool,
    ) -> Running<T, M> {
        Running::new(
            self.transport.clone(),
            Arc::new(self.settings.clone()),
            machine,
            span,
            runs_in_background,
        )
    }

    /// Returns [`running`](Self::running) in a box, so that the futures of the client stay small.
    fn boxed<M: Machine>(
        &self,
        machine: M,
        span: OperationSpan,
        runs_in_background: bool,
    ) -> Box<Running<T, M>> {
        Box::new(self.running(machine, span, runs_in_background))
    }
}

async fn to_end<T: Transport, M: Machine>(
    mut running: Box<Running<T, M>>,
    mut on_event: impl FnMut(M::Event),
) -> M::Output {
    loop {
        if let Some(event) = running.next().await {
            on_event(event);
        } else if running.is_finished() {
            break;
        }
    }
    running
        .into_output()
        .unwrap_or_else(|| unreachable!("the loop ends when there is an output"))
}
