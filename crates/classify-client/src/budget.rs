//! Time and size limits of one attempt.

use std::time::Duration;

use classify_proto::machine::ResponseDeadline;
use classify_proto::{Failure, Time, TransportLimits};

/// The longest limit. A longer one, such as `Duration::MAX`, could not be added to the current time.
pub(crate) const MAX_LIMIT: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The limits of one attempt, for the transport.
///
/// The client computes them after the body was opened, since an upload's allowance depends on its length, and cuts them at
/// the time at which the machine stops waiting. The client enforces [`total`](Self::total) itself in async and in runs with
/// threads; a transport enforces what it can, since only it can end a connection attempt or a response that does not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// The time for the whole attempt, from now to the last byte of the response.
    pub total: Duration,
    /// The time for a connection, TLS included.
    pub connect: Duration,
    /// The time for the head of the response, once the request is written.
    pub response: Duration,
    /// The largest response body in bytes, after decompression.
    pub response_bytes: u64,
}

impl Budget {
    /// Computes the limits of an attempt that sends `length` bytes and starts at `now`.
    pub(crate) fn new(
        limits: &TransportLimits,
        length: u64,
        deadline: Option<ResponseDeadline>,
        now: Time,
    ) -> Self {
        Self {
            total: limits.attempt_timeout(length, deadline, now).min(MAX_LIMIT),
            connect: limits.connect.min(MAX_LIMIT),
            response: limits.response.min(MAX_LIMIT),
            response_bytes: limits.response_bytes,
        }
    }

    /// Returns how many bytes to allocate for a response body whose head announces `length`: at most one mebibyte, since
    /// an announced body may never arrive.
    ///
    /// # Errors
    ///
    /// [`FailureKind::TooLarge`](classify_proto::FailureKind::TooLarge) if `length` is over
    /// [`response_bytes`](Self::response_bytes).
    pub fn buffer_capacity(&self, length: Option<u64>) -> Result<usize, Failure> {
        TransportLimits::default()
            .response_bytes(self.response_bytes)
            .buffer_capacity(length)
    }

    pub(crate) fn less(self, elapsed: Duration) -> Self {
        Self {
            total: self.total.saturating_sub(elapsed),
            ..self
        }
    }
}

/// The limits of an attempt that sends nothing and has no deadline.
impl From<&TransportLimits> for Budget {
    fn from(limits: &TransportLimits) -> Self {
        Self::new(limits, 0, None, Time::from_millis(0))
    }
}
