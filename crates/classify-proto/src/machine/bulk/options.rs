//! Options of a bulk run.

use std::time::Duration;

use crate::Time;
use crate::machine::backoff::PollInterval;
use crate::machine::retry::Retry;

/// Options of a [`Bulk`](super::Bulk) run: limits, timeouts and policies.
///
/// ```
/// use std::time::Duration;
/// use classify_proto::machine::BulkOptions;
///
/// let options = BulkOptions::default()
///     .max_in_flight(100)
///     .job_timeout(Duration::from_secs(30 * 60));
/// # let _ = options;
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BulkOptions {
    /// Maximum number of documents in flight, from `push` to the report. Default: 500. At least 1. It bounds the open
    /// jobs and with them the memory.
    pub max_in_flight: usize,
    /// Maximum number of uploads and creates at once. Default: 12. At least 1. It is lower than a driver's [16
    /// concurrent requests](crate::TransportLimits::max_concurrency), so that uploads, which may take minutes, leave
    /// some for polls.
    pub max_requests: usize,
    /// How often open jobs are polled. Default: every 2 s at first, then less often as the oldest job grows older, up
    /// to every 20 s.
    pub poll_interval: PollInterval,
    /// When requests are retried.
    pub retry: Retry,
    /// How long a job may take before the run stops waiting for it. Default: two hours.
    pub job_timeout: Duration,
    /// The time at which the run stops, finished or not. Default: none.
    pub deadline: Option<Time>,
    /// Number of finished documents whose reports are kept for duplicates. Default: 10,000.
    ///
    /// In addition, about 150 bytes are kept of each earlier document whose duplicate could otherwise be charged again:
    /// if the document has had more than one paid run, if a response to its create was lost, if its job is open or was
    /// deleted, and with [`retry_failed`](crate::v2::JobOptions::retry_failed) if it has no result.
    pub report_cache_size: usize,
    /// Whether reports without a result are kept for duplicates. Default: `true`. If `false`, a duplicate is sent again
    /// with the same transaction id.
    pub caches_failures: bool,
    /// Number of documents in a row that could not be read, because their folder or network share cannot be read either,
    /// after which the run stops. Default: 5. Such documents are not final, so the next run reads them again.
    pub max_read_errors: usize,
}

impl Default for BulkOptions {
    fn default() -> Self {
        Self {
            max_in_flight: 500,
            max_requests: 12,
            poll_interval: PollInterval::new(Duration::from_secs(2), Duration::from_secs(20)),
            retry: Retry::default(),
            job_timeout: Duration::from_secs(2 * 60 * 60),
            deadline: None,
            report_cache_size: 10_000,
            caches_failures: true,
            max_read_errors: 5,
        }
    }
}

impl BulkOptions {
    /// Clamps every number so that a run can end: the fields are public.
    pub(super) fn within_bounds(self) -> Self {
        let (documents, requests) = (self.max_in_flight, self.max_requests);
        self.max_in_flight(documents).max_requests(requests)
    }

    /// Sets the maximum number of documents in flight; at least 1.
    #[must_use]
    pub fn max_in_flight(mut self, documents: usize) -> Self {
        self.max_in_flight = documents.max(1);
        self
    }

    /// Sets the maximum number of uploads and creates at once; at least 1.
    #[must_use]
    pub fn max_requests(mut self, requests: usize) -> Self {
        self.max_requests = requests.max(1);
        self
    }

    /// Sets how often open jobs are polled.
    #[must_use]
    pub fn poll_interval(mut self, poll_interval: PollInterval) -> Self {
        self.poll_interval = poll_interval;
        self
    }

    /// Sets when requests are retried.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Sets how long the run waits for a job.
    #[must_use]
    pub fn job_timeout(mut self, timeout: Duration) -> Self {
        self.job_timeout = timeout;
        self
    }

    /// Sets the time at which the run stops.
    #[must_use]
    pub fn deadline(mut self, deadline: Time) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets the number of finished documents whose reports are kept for duplicates.
    #[must_use]
    pub fn report_cache_size(mut self, documents: usize) -> Self {
        self.report_cache_size = documents;
        self
    }

    /// Sets whether reports without a result are kept for duplicates.
    #[must_use]
    pub fn caches_failures(mut self, caches: bool) -> Self {
        self.caches_failures = caches;
        self
    }

    /// Sets the number of documents in a row that could not be read after which the run stops; `usize::MAX` for no
    /// limit.
    #[must_use]
    pub fn max_read_errors(mut self, documents: usize) -> Self {
        self.max_read_errors = documents.max(1);
        self
    }
}
