//! The clock that is lent to machines.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use classify_proto::Time;
use tokio::time::Instant;

/// The wall clock read once, and a monotonic clock from then on: setting the machine's clock moves no deadline.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Time,
    /// Tokio's, so that a test that pauses its time pauses this clock too.
    started: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        // A clock that stands before 1970 is wrong, but its deadlines are as good as any.
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            start: Time::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
            started: Instant::now(),
        }
    }

    /// Rounded down, so that a time that was waited for is not taken for reached before it is.
    pub(crate) fn now(&self) -> Time {
        let passed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.start + Duration::from_millis(passed)
    }
}
