//! Instants, as passed by a driver.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant in milliseconds since the Unix epoch, passed by the driver.
///
/// A driver reads the wall clock once and adds the progress of a monotonic clock, so that setting the clock while the
/// program runs does not move any deadline. Arithmetic saturates and never panics.
///
/// ```
/// use std::time::Duration;
/// use classify_proto::Time;
///
/// let start = Time::from_millis(1_000);
/// let end = start + Duration::from_secs(2);
/// assert_eq!(end.as_millis(), 3_000);
/// assert_eq!(end.since(start), Duration::from_secs(2));
/// assert_eq!(start.since(end), Duration::ZERO);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(u64);

impl Time {
    /// Returns the instant `millis` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Returns the milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns the time from `earlier` to this instant; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    /// Rounds up to a whole millisecond, so that no wait becomes zero.
    fn add(self, duration: Duration) -> Time {
        let millis = duration.as_nanos().div_ceil(1_000_000);
        Time(
            self.0
                .saturating_add(u64::try_from(millis).unwrap_or(u64::MAX)),
        )
    }
}

impl Sub<Time> for Time {
    type Output = Duration;

    fn sub(self, earlier: Time) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_addition_rounds_up_to_milliseconds() {
        let start = Time::from_millis(5);
        assert_eq!(start + Duration::from_nanos(1), Time::from_millis(6));
        assert_eq!(start + Duration::from_millis(3), Time::from_millis(8));
        assert_eq!(start + Duration::ZERO, start);
    }

    #[test]
    fn time_arithmetic_saturates() {
        let late = Time::from_millis(u64::MAX - 1);
        assert_eq!(late + Duration::MAX, Time::from_millis(u64::MAX));
        assert_eq!(Time::from_millis(1) - late, Duration::ZERO);
    }
}
