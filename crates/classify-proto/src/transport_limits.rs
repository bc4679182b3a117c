//! Limits of a transport: time, size and number of requests.

use std::time::Duration;

use crate::Time;
use crate::machine::ResponseDeadline;
use crate::reply::Failure;

/// Maximum memory in bytes that is reserved for an announced length.
const MAX_PREALLOCATION: usize = 1 << 20;

/// Limits of one attempt, and of the number of concurrent requests.
///
/// The number of attempts is set by [`Retry`](crate::machine::Retry). All limits are on by default, so that nothing
/// waits for ever and no response fills the memory. `Duration::MAX` disables a time limit.
///
/// ```
/// use std::time::Duration;
/// use classify_proto::TransportLimits;
///
/// let limits = TransportLimits::default().response(Duration::from_secs(20)).response_bytes(1 << 20);
/// assert_eq!(limits.connect, Duration::from_secs(10));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportLimits {
    /// Maximum time to connect, including TLS. Default: 10 s. Depending on the transport, the DNS lookup is included or
    /// may take as long in addition.
    pub connect: Duration,
    /// Maximum time from the end of the request to the head of the response. Default: 60 s.
    pub response: Duration,
    /// Maximum time of an attempt, from its start to the last byte of the response. Default: 120 s, and more for a
    /// large request; see [`min_upload_rate`](Self::min_upload_rate).
    pub attempt: Duration,
    /// Minimum upload rate in bytes per second. Default: 65,536. An attempt that sends `n` bytes may take
    /// `n / min_upload_rate` seconds longer. Zero counts as 1.
    pub min_upload_rate: u64,
    /// Maximum size of a response body in bytes, after decompression. Default: 64 MiB.
    pub response_bytes: u64,
    /// Maximum number of concurrent requests of one machine. Default: 16. Zero counts as 1. Uploads, which may take
    /// long, leave one of them to other requests.
    pub max_concurrency: usize,
}

impl Default for TransportLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            response: Duration::from_secs(60),
            attempt: Duration::from_secs(120),
            min_upload_rate: 64 * 1024,
            response_bytes: 64 * 1024 * 1024,
            max_concurrency: 16,
        }
    }
}

impl TransportLimits {
    /// Sets the maximum time to connect.
    #[must_use]
    pub fn connect(mut self, limit: Duration) -> Self {
        self.connect = limit;
        self
    }

    /// Sets the maximum time from the end of the request to the head of the response.
    #[must_use]
    pub fn response(mut self, limit: Duration) -> Self {
        self.response = limit;
        self
    }

    /// Sets the maximum time of an attempt. A large request may take longer.
    #[must_use]
    pub fn attempt(mut self, limit: Duration) -> Self {
        self.attempt = limit;
        self
    }

    /// Sets the minimum upload rate in bytes per second.
    #[must_use]
    pub fn min_upload_rate(mut self, bytes_a_second: u64) -> Self {
        self.min_upload_rate = bytes_a_second;
        self
    }

    /// Sets the maximum size of a response body in bytes.
    #[must_use]
    pub fn response_bytes(mut self, bytes: u64) -> Self {
        self.response_bytes = bytes;
        self
    }

    /// Sets the maximum number of concurrent requests of one machine.
    #[must_use]
    pub fn max_concurrency(mut self, requests: usize) -> Self {
        self.max_concurrency = requests;
        self
    }

    /// Returns how long an attempt may take that sends `bytes` and begins at `now`: the limit for its size, but not
    /// beyond `response_deadline`, when its machine stops waiting. If the result is zero, do not send the request.
    #[must_use]
    pub fn attempt_timeout(
        &self,
        bytes: u64,
        response_deadline: Option<ResponseDeadline>,
        now: Time,
    ) -> Duration {
        let allowance = Duration::from_secs(bytes / self.min_upload_rate.max(1));
        let whole = self.attempt.saturating_add(allowance);
        response_deadline.map_or(whole, |ResponseDeadline(end)| whole.min(end.since(now)))
    }

    /// Returns how many bytes to reserve for a response body whose head announces `length`.
    ///
    /// That is enough for a page of jobs, so that reading one copies nothing, and at most a mebibyte: the announced
    /// bytes may never arrive.
    ///
    /// # Errors
    ///
    /// [`FailureKind::TooLarge`](crate::FailureKind::TooLarge) if `length` exceeds
    /// [`response_bytes`](Self::response_bytes).
    pub fn buffer_capacity(&self, length: Option<u64>) -> Result<usize, Failure> {
        let length = length.unwrap_or_default();
        if length > self.response_bytes {
            return Err(Failure::too_large(self.response_bytes));
        }
        Ok(usize::try_from(length)
            .unwrap_or(MAX_PREALLOCATION)
            .min(MAX_PREALLOCATION))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeout_of_attempt_grows_with_size_up_to_response_deadline() {
        let limits = TransportLimits::default();
        let now = Time::from_millis(5_000);
        assert_eq!(
            limits.attempt_timeout(100, None, now),
            Duration::from_secs(120)
        );
        let large = 100 * 64 * 1024;
        assert_eq!(
            limits.attempt_timeout(large, None, now),
            Duration::from_secs(220)
        );
        let soon = ResponseDeadline(Time::from_millis(5_250));
        assert_eq!(
            limits.attempt_timeout(large, Some(soon), now),
            Duration::from_millis(250)
        );
        let past = ResponseDeadline(Time::from_millis(4_000));
        assert_eq!(limits.attempt_timeout(0, Some(past), now), Duration::ZERO);
        assert!(
            limits
                .min_upload_rate(0)
                .attempt_timeout(u64::MAX, None, now)
                > Duration::from_secs(1 << 40)
        );
    }
    #[test]
    fn response_limit_content_length_preallocates_at_most_1_mib() {
        let limits = TransportLimits::default().response_bytes(3 << 20);
        assert_eq!(limits.buffer_capacity(None), Ok(0));
        assert_eq!(limits.buffer_capacity(Some(150_000)), Ok(150_000));
        assert_eq!(limits.buffer_capacity(Some(3 << 20)), Ok(1 << 20));
        let refused = limits.buffer_capacity(Some((3 << 20) + 1)).unwrap_err();
        assert_eq!(refused.kind(), crate::FailureKind::TooLarge);
    }
}
