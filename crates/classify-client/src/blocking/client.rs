//! The blocking client.

use std::fmt;
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
    Api, CallOptions, Error, Operation, Paged, RawResponse, Seed, Time, TransportLimits,
};

use super::list::{List, Pages};
use super::running::Running;
use super::transport::{DefaultTransport, Transport};
use crate::document::Document;
use crate::environment::{api_from_env, proxy_from_env};
use crate::observe::OperationSpan;
use crate::settings::{Settings, client_methods};

/// A blocking client over a [`Transport`].
///
/// Cloning is cheap and shares the transport and the rate limits. A client may be used from any number of threads.
///
/// ```
/// use classify_client::blocking::Client;
/// use classify_client::{Budget, RequestBody};
/// use classify_proto::{Api, Reply, http, v2};
///
/// let send = |_: http::Request<RequestBody>, _: Budget| -> Reply {
///     Ok(http::Response::new(r#"{"items": [{"id": "clj-1", "status": "COMPLETED"}]}"#.into()))
/// };
/// let client = Client::with_transport(send, Api::builder("llx-key").build()?);
/// for job in client.list(v2::ListJobs::new()) {
///     println!("{}", job?.id);
/// }
/// # Ok::<(), classify_proto::Error>(())
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
            .map_or_else(|_| crate::clock::now(), |transport| transport.now())
    }

    /// Returns 16 random bytes, for a machine that you construct yourself.
    ///
    /// # Errors
    ///
    /// [`is_transport`](Error::is_transport) if the operating system provides no random bytes.
    pub fn seed(&self) -> Result<Seed, Error> {
        match &self.transport {
            Ok(transport) => transport.seed(),
            Err(_) => crate::seed::random_seed(),
        }
    }

    /// Calls an operation and returns its parsed response. Retries as the [retry policy](Self::retry) allows.
    ///
    /// # Errors
    ///
    /// The error response of the service; the reason why there is no response; or
    /// [`is_invalid`](Error::is_invalid) if the operation is invalid, before anything is sent.
    pub fn call<O: Operation>(&self, operation: O) -> Result<O::Output, Error> {
        let span = OperationSpan::new(operation.name());
        let call = self.prepare(operation)?;
        self.run_to_end(call, span, |never| match never {})
    }

    /// Calls an operation as [`call`](Self::call) does, and returns the HTTP response too: status, headers and body.
    ///
    /// # Errors
    ///
    /// The same as [`call`](Self::call).
    pub fn call_raw<O: Operation>(&self, operation: O) -> Result<RawResponse<O::Output>, Error> {
        let span = OperationSpan::new(operation.name());
        let call = self.prepare(operation)?.with_raw_response();
        self.run_to_end(call, span, |never| match never {})
    }

    /// Returns an iterator over the items of a list. A page is requested when its first item is reached.
    pub fn list<O: Paged>(&self, list: O) -> List<T, O> {
        List::new(self.pages(list))
    }

    /// Returns an iterator over the pages of a list. A page is requested when it is reached.
    pub fn pages<O: Paged>(&self, list: O) -> Pages<T, O> {
        let span = OperationSpan::new(list.name());
        Pages::new(self.pager(list).map(|pager| self.running(pager, span)))
    }

    /// Waits until a job has ended and returns it. Takes the id of the job, the job, or a
    /// [`GetJob`](classify_proto::v2::GetJob) of either version of the API.
    ///
    /// # Errors
    ///
    /// The job failed, was cancelled, or had not ended within [`wait_timeout`](Self::wait_timeout); see [`Waiter`]. The
    /// error holds the job if it failed or was cancelled, and its id after a timeout. The errors of
    /// [`call`](Self::call) if the job cannot be polled.
    pub fn wait<W: IntoWaitable>(&self, job: W) -> Result<<W::Read as Operation>::Output, Error> {
        self.run_to_end(self.waiter(job)?, OperationSpan::new("wait"), drop)
    }

    /// Creates a job, waits until it has ended, and returns it. To upload a document first, use
    /// [`classify`](Self::classify).
    ///
    /// # Errors
    ///
    /// The errors of [`CreateJob`] and of [`wait`](Self::wait).
    pub fn run(&self, create: CreateJob) -> Result<Job, Error> {
        let run = self.run_settings(Run::new(create, self.seed()?));
        self.run_to_end(run, OperationSpan::new("run"), drop)
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
    /// # use classify_client::blocking::{Client, Transport};
    /// # use classify_client::classify_proto::Error;
    ///
    /// # fn example<T: Transport>(client: &Client<T>) -> Result<(), Error> {
    /// let rules = Configuration::new([Rule::new("invoice", "has an invoice number and a total")]);
    /// let job = client.classify(Document::open("scan.pdf")?, rules)?;
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
    pub fn classify(
        &self,
        document: Document,
        options: impl Into<JobOptions>,
    ) -> Result<Job, Error> {
        let read = document.read()?;
        let run = self.document_run(read.document, options)?;
        self.run_to_end(run, OperationSpan::new("classify"), drop)
    }

    /// Starts a machine and returns it, as an iterator of its events. Requests are sent on other threads.
    ///
    /// The machine may be new or restored from a saved state: [`Machine::resume`] is called first.
    pub fn start<M: Machine>(&self, machine: M) -> Running<T, M> {
        self.running(machine, OperationSpan::current())
    }

    /// Runs a machine to its end, returns its output, and passes each event to `on_event`, on this thread. At most
    /// [`TransportLimits::max_concurrency`] requests are in flight.
    ///
    /// # Panics
    ///
    /// If the machine has already ended.
    pub fn drive<M: Machine>(&self, machine: M, on_event: impl FnMut(M::Event)) -> M::Output {
        self.run_to_end(machine, OperationSpan::current(), on_event)
    }

    pub(crate) fn running<M: Machine>(&self, machine: M, span: OperationSpan) -> Running<T, M> {
        Running::new(self.transport.clone(), self.settings.clone(), machine, span)
    }

    fn run_to_end<M: Machine>(
        &self,
        machine: M,
        span: OperationSpan,
        mut on_event: impl FnMut(M::Event),
    ) -> M::Output {
        let mut running = self.running(machine, span);
        loop {
            if let Some(event) = running.next() {
                on_event(event);
            } else if running.is_finished() {
                break;
            }
        }
        running
            .into_output()
            .unwrap_or_else(|| unreachable!("the loop ends when there is an output"))
    }
}
