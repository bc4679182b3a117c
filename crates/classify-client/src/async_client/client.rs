//! The client.

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
/// Cloning is cheap and shares the transport and the rate limits. Futures are `Send` exactly if the transport's are.
/// Dropping a future ends its requests; what the service has done by then is not undone.
pub struct Client<T> {
    /// The transport, or why it could not be built: every request fails with that.
    transport: Result<Arc<T>, Arc<str>>,
    settings: Settings,
}

client_methods!(Transport, DefaultTransport);

impl<T: Transport> Client<T> {
    /// Returns the current time as machines see it.
    #[must_use]
    pub fn now(&self) -> Time {
        self.transport
            .as_ref()
            .map_or(Time::from_millis(0), |transport| transport.now())
    }

    /// Returns 16 random bytes, for a machine that you make yourself.
    ///
    /// # Errors
    ///
    /// If the system has no random bytes.
    pub fn seed(&self) -> Result<Seed, Error> {
        match &self.transport {
            Ok(transport) => transport.seed(),
            // No request is sent, so that nothing needs to be unique.
            Err(_) => Ok(Seed::new([0; 16])),
        }
    }

    /// Calls an operation, with retries.
    ///
    /// # Errors
    ///
    /// The service's error response, or why there is no response.
    pub async fn call<O: Operation>(&self, operation: O) -> Result<O::Output, Error> {
        let span = OperationSpan::new(operation.name());
        let call = self.prepare(operation)?;
        let running = self.boxed(call, span, false);
        to_end(running, |never| match never {}).await
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
        let span = OperationSpan::new(operation.name());
        let call = self.prepare(operation)?.with_raw_response();
        let running = self.boxed(call, span, false);
        to_end(running, |never| match never {}).await
    }

    /// Returns the items of a list, as a stream. Nothing is sent before the first item is requested; from then on, the next
    /// page is requested while the caller has the current one.
    pub fn list<O: Paged>(&self, list: O) -> List<T, O> {
        List::new(self.pages(list))
    }

    /// Returns the pages of a list, as a stream. Nothing is sent before the first page is requested; from then on, the next
    /// page is requested while the caller has the current one.
    pub fn pages<O: Paged>(&self, list: O) -> Pages<T, O> {
        let span = OperationSpan::new(list.name());
        Pages::new(
            self.pager(list)
                .map(|pager| self.running(pager.prefetch(true), span, true)),
        )
    }

    /// Waits until a job has ended. Takes its id, the job itself, or a [`GetJob`](classify_proto::v2::GetJob) of either
    /// version of the API.
    ///
    /// # Errors
    ///
    /// As [`Waiter`]: the job failed, was cancelled, or had not ended in time.
    pub async fn wait<W: IntoWaitable>(
        &self,
        job: W,
    ) -> Result<<W::Read as Operation>::Output, Error> {
        let running = self.boxed(self.waiter(job)?, OperationSpan::new("wait"), false);
        to_end(running, drop).await
    }

    /// Creates a job and waits until it has ended.
    ///
    /// # Errors
    ///
    /// As [`CreateJob`] and [`wait`](Self::wait).
    pub async fn run(&self, create: CreateJob) -> Result<Job, Error> {
        let run = self.run_settings(Run::new(create, self.seed()?));
        let running = self.boxed(run, OperationSpan::new("run"), false);
        to_end(running, drop).await
    }

    /// Classifies a document once: uploads it, creates a job, and waits until the job has ended.
    ///
    /// The same content under the same rules is the same job: if this call, an earlier one, another program or a bulk run has
    /// created it, that job is returned and nothing is paid for again, also if the earlier call did not see a response. See
    /// [`transaction_id`](classify_proto::machine::transaction_id). To pay again on purpose, use
    /// [`JobOptions::retry_failed`] or [`JobOptions::fresh`].
    ///
    /// # Errors
    ///
    /// The document could not be read ([`ErrorKind::Content`](classify_proto::ErrorKind::Content)); as [`UploadFile`],
    /// [`CreateJob`] and [`wait`](Self::wait). If the job failed or was cancelled, the error holds the job.
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
        // A temporary file is needed until here.
        let _file = read.file;
        to_end(running, drop).await
    }

    /// Returns the transport, or why there is none.
    pub(crate) fn transport(&self) -> &Result<Arc<T>, Arc<str>> {
        &self.transport
    }

    /// Returns the executor of blocking work.
    pub(crate) fn executor(&self) -> BlockingExecutor {
        self.transport.as_ref().map_or_else(
            |_| BlockingExecutor::default(),
            |transport| transport.blocking_executor(),
        )
    }

    /// Starts a machine: the caller takes its events one by one, as a stream or with `next`.
    ///
    /// The machine may be new, or one that another [`Running`] was dropped with: [`Machine::resume`] is called first.
    pub fn start<M: Machine>(&self, machine: M) -> Running<T, M> {
        self.running(machine, OperationSpan::current(), true)
    }

    /// Runs a machine to its end and passes each event to `on_event`. At most
    /// [`TransportLimits::max_concurrency`] requests are in flight.
    ///
    /// # Panics
    ///
    /// If the machine had ended before.
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

    /// As [`running`](Self::running), in a box, so that the futures of the client stay small.
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
