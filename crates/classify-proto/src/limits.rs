//! What a transport allows one attempt: time, bytes, and how many at once.

use std::time::Duration;

use crate::Time;
use crate::machine::ReplyBy;
use crate::reply::Failure;

/// The most memory that is taken on a mere announcement.
const MOST_ROOM: usize = 1 << 20;

/// What a driver allows one attempt at a request, and how many it sends at once.
///
/// These are the transport's limits; how often an attempt is made is [`Retry`](crate::machine::Retry). Every one of
/// them is on by default, so that nothing waits for ever and no answer fills the memory. One that is to be none is set
/// to `Duration::MAX`.
///
/// ```
/// use std::time::Duration;
/// use classify_proto::Limits;
///
/// let limits = Limits::default().response(Duration::from_secs(20)).response_bytes(1 << 20);
/// assert_eq!(limits.connect, Duration::from_secs(10));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How long a connection may take to come about, with TLS: 10 s. Looking the name up counts towards it or has as
    /// long of its own, by what the driver's transport can tell apart.
    pub connect: Duration,
    /// How long the head of the response may take once the request is written: 60 s.
    pub response: Duration,
    /// How long an attempt may take from its first step to the last byte of the response: 120 s, and more for a large
    /// request; see [`upload_rate`](Self::upload_rate).
    pub attempt: Duration,
    /// The slowest way up that is reckoned with, in bytes a second: 65,536. An attempt that sends `n` bytes gets
    /// `n / upload_rate` seconds more. Zero counts as one.
    pub upload_rate: u64,
    /// The largest response body, in bytes after decompression: 64 MiB.
    pub response_bytes: u64,
    /// How many requests of one machine are on the wire at once: 16. Zero counts as one. An upload, which may take hours,
    /// leaves one of them to requests that are none.
    pub at_once: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            response: Duration::from_secs(60),
            attempt: Duration::from_secs(120),
            upload_rate: 64 * 1024,
            response_bytes: 64 * 1024 * 1024,
            at_once: 16,
        }
    }
}

impl Limits {
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
    pub fn upload_rate(mut self, bytes_a_second: u64) -> Self {
        self.upload_rate = bytes_a_second;
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
    pub fn at_once(mut self, requests: usize) -> Self {
        self.at_once = requests;
        self
    }

    /// How long an attempt may take that sends `bytes` and begins at `now`: the limit for its size, cut at the time
    /// when its machine stops waiting. Zero says that there is no use in sending it.
    #[must_use]
    pub fn time_for(&self, bytes: u64, reply_by: Option<ReplyBy>, now: Time) -> Duration {
        let allowance = Duration::from_secs(bytes / self.upload_rate.max(1));
        let whole = self.attempt.saturating_add(allowance);
        reply_by.map_or(whole, |ReplyBy(end)| whole.min(end.since(now)))
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
    pub fn room_for(&self, length: Option<u64>) -> Result<usize, Failure> {
        let length = length.unwrap_or_default();
        if length > self.response_bytes {
            return Err(Failure::too_large(self.response_bytes));
        }
        Ok(usize::try_from(length).unwrap_or(MOST_ROOM).min(MOST_ROOM))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_gets_time_by_its_size_but_never_beyond_its_machine() {
        let limits = Limits::default();
        let now = Time::from_millis(5_000);
        assert_eq!(limits.time_for(100, None, now), Duration::from_secs(120));
        let large = 100 * 64 * 1024;
        assert_eq!(limits.time_for(large, None, now), Duration::from_secs(220));
        let soon = ReplyBy(Time::from_millis(5_250));
        assert_eq!(
            limits.time_for(large, Some(soon), now),
            Duration::from_millis(250)
        );
        let past = ReplyBy(Time::from_millis(4_000));
        assert_eq!(limits.time_for(0, Some(past), now), Duration::ZERO);
        assert!(limits.upload_rate(0).time_for(u64::MAX, None, now) > Duration::from_secs(1 << 40));
    }
    #[test]
    fn an_announcement_is_believed_up_to_a_mebibyte() {
        let limits = Limits::default().response_bytes(3 << 20);
        assert_eq!(limits.room_for(None), Ok(0));
        assert_eq!(limits.room_for(Some(150_000)), Ok(150_000));
        assert_eq!(limits.room_for(Some(3 << 20)), Ok(1 << 20));
        let refused = limits.room_for(Some((3 << 20) + 1)).unwrap_err();
        assert_eq!(refused.kind(), crate::FailureKind::TooLarge);
    }
}
