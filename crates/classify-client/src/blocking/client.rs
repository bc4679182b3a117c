//! The client.

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
            .map_or_else(|_| crate::clock::now(), |transport| transport.now())
    }

    /// Returns 16 random bytes, for a machine that you make yourself.
    ///
    /// # Errors
    ///
    /// If the system has no random bytes.
    pub fn seed(&self) -> Result<Seed, Error> {
        match &self.transport {
            Ok(transport) => transport.seed(),
            Err(_) => crate::seed::random_seed(),
        }
    }

    /// Calls an operation, with retries.
    ///
    /// # Errors
    ///
    /// The service's error response, or why there is no response.
    pub fn call<O: Operation>(&self, operation: O) -> Result<O::Output, Error> {
        let span = OperationSpan::new(operation.name());
        let call = self.prepare(operation)?;
        self.run_to_end(call, span, |never| match never {})
    }

    /// Calls an operation, with retries, and returns the HTTP response beside the parsed value.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub fn call_raw<O: Operation>(&self, operation: O) -> Result<RawResponse<O::Output>, Error> {
        let span = OperationSpan::new(operation.name());
        let call = self.prepare(operation)?.with_raw_response();
        self.run_to_end(call, span, |never| match never {})
    }

    /// Returns the items of a list. A page is requested when its first item is reached.
    pub fn list<O: Paged>(&self, list: O) -> List<T, O> {
        List::new(self.pages(list))
    }

    /// Returns the pages of a list. A page is requested when it is reached.
    pub fn pages<O: Paged>(&self, list: O) -> Pages<T, O> {
        let span = OperationSpan::new(list.name());
        Pages::new(self.pager(list).map(|pager| self.running(pager, span)))
    }

    /// Waits until a job has ended. Takes its id, the job itself, or a [`GetJob`](classify_proto::v2::GetJob) of either
    /// version of the API.
    ///
    /// # Errors
    ///
    /// As [`Waiter`]: the job failed, was cancelled, or had not ended in time.
    pub fn wait<W: IntoWaitable>(&self, job: W) -> Result<<W::Read as Operation>::Output, Error> {
        self.run_to_end(self.waiter(job)?, OperationSpan::new("wait"), drop)
    }

    /// Creates a job and waits until it has ended.
    ///
    /// # Errors
    ///
    /// As [`CreateJob`] and [`wait`](Self::wait).
    pub fn run(&self, create: CreateJob) -> Result<Job, Error> {
        let run = self.run_settings(Run::new(create, self.seed()?));
        self.run_to_end(run, OperationSpan::new("run"), drop)
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
    pub fn classify(
        &self,
        document: Document,
        options: impl Into<JobOptions>,
    ) -> Result<Job, Error> {
        let read = document.read()?;
        let run = self.document_run(read.document, options)?;
        self.run_to_end(run, OperationSpan::new("classify"), drop)
    }

    /// Starts a machine: its requests run on threads, and the caller takes its events one by one.
    ///
    /// The machine may be new, or one that another [`Running`] was dropped with: [`Machine::resume`] is called first.
    pub fn start<M: Machine>(&self, machine: M) -> Running<T, M> {
        self.running(machine, OperationSpan::current())
    }

    /// Runs a machine to its end and passes each event to `on_event`, on this thread. At most
    /// [`TransportLimits::max_concurrency`] requests are in flight.
    ///
    /// # Panics
    ///
    /// If the machine had ended before.
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
