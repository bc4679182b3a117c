//! Counts the requests on the wire.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use classify_proto::machine::{AttemptInfo, AttemptOutcome, Observer};

/// The number of requests that were sent and have no response yet.
#[derive(Debug, Default)]
pub(crate) struct WireCount(AtomicUsize);

impl Observer for WireCount {
    fn attempt_started(&self, _attempt: &AttemptInfo) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    fn attempt_ended(&self, _attempt: &AttemptInfo, _outcome: &AttemptOutcome<'_>) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl WireCount {
    /// Waits until no request is on the wire, at most for `timeout`. Returns the number of those that are.
    pub(crate) async fn idle(&self, timeout: Duration) -> usize {
        let end = Instant::now() + timeout;
        loop {
            let count = self.0.load(Ordering::Acquire);
            if count == 0 || Instant::now() >= end {
                return count;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
