//! The observer of the client: counts the requests on the wire, and records metrics.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use classify_proto::machine::{AttemptInfo, AttemptOutcome, Observer, WaitInfo};

use crate::telemetry::Instruments;

/// The number of requests that were sent and have no response yet, and the metrics of all requests.
#[derive(Debug)]
pub(crate) struct WireObserver {
    count: AtomicUsize,
    instruments: Option<Instruments>,
}

impl Observer for WireObserver {
    fn attempt_started(&self, _attempt: &AttemptInfo) {
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    fn attempt_ended(&self, attempt: &AttemptInfo, outcome: &AttemptOutcome<'_>) {
        self.count.fetch_sub(1, Ordering::AcqRel);
        if let Some(instruments) = &self.instruments {
            instruments.attempt(attempt, outcome);
        }
    }

    fn waiting(&self, wait: &WaitInfo<'_>) {
        if let Some(instruments) = &self.instruments {
            instruments.wait(wait);
        }
    }
}

impl WireObserver {
    pub(crate) fn new(instruments: Option<Instruments>) -> Self {
        Self {
            count: AtomicUsize::new(0),
            instruments,
        }
    }

    /// Waits until no request is on the wire, at most for `timeout`.
    pub(crate) async fn idle(&self, timeout: Duration) {
        let end = Instant::now() + timeout;
        while self.count() > 0 && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The number of requests on the wire.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }
}
