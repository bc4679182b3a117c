//! Delays of retries and polls, as pure functions of a seed and a count.

use crate::seed::Seed;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Minimum delay before a retry. Full jitter alone could return zero.
pub(crate) const MIN_BACKOFF: Duration = Duration::from_millis(20);

/// Exponential backoff with full jitter: random up to `initial · 2^retry`, at most `max`.
pub(crate) fn backoff(seed: Seed, retry: u32, initial: Duration, max: Duration) -> Duration {
    let ceiling = initial.saturating_mul(2u32.saturating_pow(retry)).min(max);
    scale(ceiling, fraction(seed, u64::from(retry))).max(MIN_BACKOFF)
}

/// Upper bound of the poll interval: 24 hours.
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// A random number in [0, 1), in units of 2^-32.
fn fraction(seed: Seed, step: u64) -> u64 {
    seed.number(step) >> 32
}

/// The duration times `fraction / 2^32`, in integer arithmetic.
fn scale(duration: Duration, fraction: u64) -> Duration {
    let nanos = (duration.as_nanos() * u128::from(fraction)) >> 32;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// How often a pending job is polled.
///
/// The first poll is sent at once, the second after `initial`; after that each delay is half as long again, up to
/// `max`. Each delay is shortened at random by up to a fifth, so that jobs created together are not polled together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PollInterval {
    /// The delay after the first poll. Default: 1 s.
    pub initial: Duration,
    /// The maximum delay. Default: 10 s.
    pub max: Duration,
}

impl Default for PollInterval {
    /// `initial` of one second and `max` of ten.
    fn default() -> Self {
        Self::new(Duration::from_secs(1), Duration::from_secs(10))
    }
}

impl PollInterval {
    /// Creates an interval that grows from `initial` to `max`. Both are clamped to 10 ms and 24 hours.
    #[must_use]
    pub fn new(initial: Duration, max: Duration) -> Self {
        let initial = initial.clamp(Duration::from_millis(10), MAX_POLL_INTERVAL);
        Self {
            initial,
            max: max.clamp(initial, MAX_POLL_INTERVAL),
        }
    }

    /// Clamps the fields, which are public.
    pub(crate) fn within_bounds(self) -> Self {
        Self::new(self.initial, self.max)
    }

    /// The delay after poll number `polls`, counted from zero.
    pub(crate) fn delay(&self, seed: Seed, polls: u32) -> Duration {
        let Self { initial, max } = self.within_bounds();
        let mut delay = initial;
        for _ in 0..polls {
            delay = delay.saturating_add(delay / 2).min(max);
            if delay == max {
                break;
            }
        }
        self.jittered(seed, polls, delay)
    }

    /// Shortens the delay by up to a fifth.
    #[expect(
        clippy::unused_self,
        reason = "how far a delay is shortened is a property of the poll interval"
    )]
    pub(crate) fn jittered(&self, seed: Seed, polls: u32, delay: Duration) -> Duration {
        let delay = delay.max(Duration::from_millis(2));
        delay.saturating_sub(scale(delay / 5, fraction(seed, u64::from(polls))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn poll_interval_grows_to_maximum() {
        let poll_interval = PollInterval::default();
        let seed = Seed::new([0; 16]);
        assert!(poll_interval.delay(seed, 0) <= Duration::from_secs(1));
        assert!(poll_interval.delay(seed, 100) >= Duration::from_secs(8));
        // Half as long again each time, less a fifth at most.
        let fourth = poll_interval.delay(seed, 3);
        assert!((2_700..=3_375).contains(&fourth.as_millis()), "{fourth:?}");
        assert_eq!(
            PollInterval::new(Duration::ZERO, Duration::ZERO).initial,
            Duration::from_millis(10)
        );
    }

    #[test]
    fn poll_interval_is_capped_at_one_day() {
        let day = Duration::from_secs(24 * 60 * 60);
        let endless = PollInterval::new(Duration::MAX, Duration::MAX);
        assert_eq!((endless.initial, endless.max), (day, day));
        // With any values of its fields.
        for (initial, max, polls) in [
            (Duration::MAX, Duration::MAX, 1),
            (Duration::MAX, Duration::ZERO, 1),
            (day, Duration::from_secs(1), 9),
        ] {
            let delay = PollInterval { initial, max }.delay(Seed::new([0; 16]), polls);
            assert!(delay <= day && delay >= day * 4 / 5, "{delay:?}");
        }
    }

    proptest! {
        #[test]
        fn backoff_is_bounded_deterministic_and_never_zero(bytes in any::<[u8; 16]>(), retry in 0u32..2000) {
            let seed = Seed::new(bytes);
            let (initial, max) = (Duration::from_millis(500), Duration::from_secs(8));
            let delay = backoff(seed, retry, initial, max);
            prop_assert!(delay >= MIN_BACKOFF && delay <= max);
            prop_assert!(delay <= initial.saturating_mul(2u32.saturating_pow(retry)).max(MIN_BACKOFF));
            prop_assert_eq!(delay, backoff(seed, retry, initial, max));
        }

        #[test]
        fn poll_interval_jitter_only_shortens(bytes in any::<[u8; 16]>(), polls in 0u32..5000, initial in 0u64..100_000, max in 0u64..100_000) {
            let poll_interval = PollInterval::new(Duration::from_millis(initial), Duration::from_millis(max));
            let delay = poll_interval.delay(Seed::new(bytes), polls);
            prop_assert!(delay <= poll_interval.max && delay >= poll_interval.initial * 4 / 5);
        }
    }

    #[test]
    fn backoff_jitter_spreads_over_whole_range() {
        let delays: Vec<_> = (0..200u8)
            .map(|n| {
                backoff(
                    Seed::new([n; 16]),
                    4,
                    Duration::from_millis(500),
                    Duration::from_secs(8),
                )
            })
            .collect();
        assert!(delays.iter().any(|delay| *delay < Duration::from_secs(1)));
        assert!(delays.iter().any(|delay| *delay > Duration::from_secs(7)));
    }
}
