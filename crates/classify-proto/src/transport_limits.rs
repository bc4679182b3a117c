//! What a transport allows one attempt: time, bytes, and how many at once.

use std::time::Duration;

use crate::Time;
use crate::machine::ResponseDeadline;
use crate::reply::Failure;

/// The most memory that is taken on a mere announcement.
const MAX_PREALLOCATION: usize = 1 << 20;

/// What a driver allows one attempt at a request, and how many it sends at once.
///
/// These are the transport's limits; how often an attempt is made is [`Retry`](crate::machine::Retry). Every one of
/// them is on by default, so that nothing waits for ever and no answer fills the memory. One that is to be none is set
/// to `Duration::MAX`.
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
    /// How long a connection may take to come about, with TLS: 10 s. Looking the name up counts towards it or has as
    /// long of its own, by what the driver's transport can tell apart.
    pub connect: Duration,
    /// How long the head of the response may take once the request is written: 60 s.
    pub response: Duration,
    /// How long an attempt may take from its first step to the last byte of the response: 120 s, and more for a large
    /// request; see [`min_upload_rate`](Self::min_upload_rate).
    pub attempt: Duration,
    /// The slowest way up that is reckoned with, in bytes a second: 65,536. An attempt that sends `n` bytes gets
    /// `n / min_upload_rate` seconds more. Zero counts as one.
    pub min_upload_rate: u64,
    /// The largest response body, in bytes after decompression: 64 MiB.
    pub response_bytes: u64,
    /// How many requests of one machine are on the wire at once: 16. Zero counts as one. An upload, which may take hours,
    /// leaves one of them to requests that are none.
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
    /// Gives a connection this long to come about.
    #[must_use]
    pub fn connect(mut self, limit: Duration) -> Self {
        self.connect = limit;
        self
    }

    /// Gives the head of a response this long, once the request is written.
    #[must_use]
    pub fn response(mut self, limit: Duration) -> Self {
        self.response = limit;
        self
    }

    /// Gives an attempt this long in all, and more for a large request.
    #[must_use]
    pub fn attempt(mut self, limit: Duration) -> Self {
        self.attempt = limit;
        self
    }

    /// Reckons with a way up as slow as this, in bytes a second.
    #[must_use]
    pub fn min_upload_rate(mut self, bytes_a_second: u64) -> Self {
        self.min_upload_rate = bytes_a_second;
        self
    }

    /// Reads no response larger than this.
    #[must_use]
    pub fn response_bytes(mut self, bytes: u64) -> Self {
        self.response_bytes = bytes;
        self
    }

    /// Sends at most this many requests of one machine at once.
    #[must_use]
    pub fn max_concurrency(mut self, requests: usize) -> Self {
        self.max_concurrency = requests;
        self
    }

    /// How long an attempt may take that sends `bytes` and begins at `now`: the limit for its size, cut at the time
    /// when its machine stops waiting. Zero says that there is no use in sending it.
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

    /// How many bytes of memory to have ready for a response body whose head announces `length`.
    ///
    /// As much as a page of jobs needs, so that reading one copies nothing, and no more than a mebibyte: what is
    /// announced may never come.
    ///
    /// # Errors
    ///
    /// [`FailureKind::TooLarge`](crate::FailureKind::TooLarge) when more is announced than
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
