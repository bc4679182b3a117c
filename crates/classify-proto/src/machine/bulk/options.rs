//! How a run goes about its work.

use std::time::Duration;

use crate::Time;
use crate::machine::backoff::PollInterval;
use crate::machine::retry::Retry;

/// How a [`Bulk`](super::Bulk) run goes about its work.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BulkOptions {
    /// How many documents are on their way at once, from taken in to settled: 500, and at least one. It bounds the
    /// open jobs, and with them the memory.
    pub max_in_flight: usize,
    /// How many uploads and creates are under way at once: 12, and at least one. It is less than the
    /// [16 requests](crate::TransportLimits::max_concurrency) that a driver has on the wire, so that uploads, which may take minutes,
    /// leave room to look at the jobs that are open.
    pub max_requests: usize,
    /// How often open jobs are polled: at first every 2 s, then more seldom as the oldest grows older, up to 20 s.
    pub poll_interval: PollInterval,
    /// When requests are repeated.
    pub retry: Retry,
    /// How long a job may take before the run goes on without it: two hours.
    pub job_timeout: Duration,
    /// When the run stops, whatever is left; never unless set.
    pub deadline: Option<Time>,
    /// How many settled documents are remembered for others of the same content: 10,000.
    ///
    /// About 150 bytes are kept of each earlier document that a copy could be charged for again: if it has had more
    /// than one paid run, if a response to its create was lost, if its job is open or was deleted, and with
    /// [`retry_failed`](crate::v2::JobOptions::retry_failed) if it has no result.
    pub report_cache_size: usize,
    /// Whether reports without a result are kept for others of the same content: `true`. If not, the same content is asked
    /// for again, under the same transaction id.
    pub caches_failures: bool,
    /// After how many documents in a row that could not be read, because their folder or network share cannot be read
    /// either, the run stops: 5. Such documents are not settled, so the next run reads them again.
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
    /// The same with every number such that a run comes to its end: the fields are anybody's to set.
    pub(super) fn within_bounds(self) -> Self {
        let (documents, requests) = (self.max_in_flight, self.max_requests);
        self.max_in_flight(documents).max_requests(requests)
    }

    /// Lets so many documents be on their way at once; at least one.
    #[must_use]
    pub fn max_in_flight(mut self, documents: usize) -> Self {
        self.max_in_flight = documents.max(1);
        self
    }

    /// Lets so many uploads and creates be under way at once; at least one.
    #[must_use]
    pub fn max_requests(mut self, requests: usize) -> Self {
        self.max_requests = requests.max(1);
        self
    }

    /// Looks at open jobs this often.
    #[must_use]
    pub fn poll_interval(mut self, poll_interval: PollInterval) -> Self {
        self.poll_interval = poll_interval;
        self
    }

    /// Repeats requests by this policy.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Goes on without a job after this long.
    #[must_use]
    pub fn job_timeout(mut self, timeout: Duration) -> Self {
        self.job_timeout = timeout;
        self
    }

    /// Stops at this time.
    #[must_use]
    pub fn deadline(mut self, deadline: Time) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Remembers so many settled documents for others of the same content.
    #[must_use]
    pub fn report_cache_size(mut self, documents: usize) -> Self {
        self.report_cache_size = documents;
        self
    }

    /// Sets whether reports without a result are kept for others of the same content.
    #[must_use]
    pub fn caches_failures(mut self, caches: bool) -> Self {
        self.caches_failures = caches;
        self
    }

    /// Sets after how many documents in a row that could not be read the run stops; `usize::MAX` never stops it.
    #[must_use]
    pub fn max_read_errors(mut self, documents: usize) -> Self {
        self.max_read_errors = documents.max(1);
        self
    }
}
