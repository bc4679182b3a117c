//! Time and size limits of one attempt.

use std::time::Duration;

use classify_proto::machine::ResponseDeadline;
use classify_proto::{Failure, Time, TransportLimits};

/// Upper bound of a time limit: a longer one, such as `Duration::MAX`, would overflow when it is added to the current
/// time.
pub(crate) const MAX_LIMIT: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The time and size limits of one attempt, passed to the transport.
///
/// The client computes them from [`TransportLimits`] after the body was opened, because an upload may take longer the
/// longer its body is. They end no later than the total time of the call. The client enforces [`total`](Self::total)
/// itself, except for a request that is sent on the caller's thread. The transport enforces the others: only the
/// transport can end a connection attempt or a response that does not begin.
///
/// ```
/// use std::time::Duration;
///
/// use classify_client::Budget;
/// use classify_client::classify_proto::TransportLimits;
///
/// let budget = Budget::from(&TransportLimits::default());
/// assert_eq!(budget.connect, Duration::from_secs(10));
/// assert_eq!(budget.buffer_capacity(Some(512))?, 512);
/// # Ok::<(), classify_client::classify_proto::Failure>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// The time for the whole attempt, until the last byte of the response.
    pub total: Duration,
    /// The time for name lookup, connecting and the TLS handshake together.
    pub connect: Duration,
    /// The time from the end of the request to the head of the response.
    pub response: Duration,
    /// The largest response body in bytes, after decompression.
    pub response_bytes: u64,
}

impl Budget {
    /// Returns the limits of an attempt that sends `length` bytes and starts at `now`.
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

    /// Returns the number of bytes to allocate for a response body whose head announces `length`: at most 1 MiB,
    /// because the server may announce a body and never send it.
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
