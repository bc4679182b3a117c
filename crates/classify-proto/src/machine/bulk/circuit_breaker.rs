//! Circuit breaker: pauses a run while the service fails.

use std::time::Duration;

use crate::Time;
use crate::machine::observer::CircuitState;

/// Number of documents in a row that must meet a failing service before the breaker opens.
const FAILURE_THRESHOLD: u32 = 5;
/// Duration of the first pause.
const INITIAL_BACKOFF: Duration = Duration::from_secs(15);
/// Maximum duration of a pause, unless the service asks for longer.
const MAX_BACKOFF: Duration = Duration::from_secs(5 * 60);
/// Maximum delay requested by the service that a run waits for.
const MAX_DELAY: Duration = Duration::from_secs(60 * 60);
/// Maximum number of openings in a row. With the pauses between, that is about an hour and a half of failures.
const MAX_OPENINGS: u32 = 20;
/// The same if the service was never reached: waiting for hours does not help against a wrong address or a closed
/// network.
const MAX_OPENINGS_UNREACHED: u32 = 2;

/// After repeated failures of the service, or one with `Retry-After`, no upload or create starts; after a pause, one is
/// sent as a test.
#[derive(Debug, Default)]
pub(super) struct CircuitBreaker {
    failures: u32,
    openings: u32,
    state: BreakerState,
    /// At least one request of this run may have arrived.
    is_reached: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum BreakerState {
    #[default]
    Closed,
    Open(Time),
    /// One request is in progress as a test.
    HalfOpen,
}

/// Whether an upload or a create may start.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Permit {
    Granted,
    /// Not before this time.
    At(Time),
    /// Not before the test request has returned.
    Denied,
}

impl CircuitBreaker {
    /// The state reported to an observer.
    pub(super) fn state(&self) -> CircuitState {
        match self.state {
            BreakerState::Closed => CircuitState::Closed,
            BreakerState::Open(until) => CircuitState::Open(until),
            BreakerState::HalfOpen => CircuitState::HalfOpen,
        }
    }

    pub(super) fn permit(&self, now: Time) -> Permit {
        match self.state {
            BreakerState::Open(until) if now < until => Permit::At(until),
            BreakerState::Closed | BreakerState::Open(_) => Permit::Granted,
            BreakerState::HalfOpen => Permit::Denied,
        }
    }

    /// Notes that an upload or a create starts.
    pub(super) fn begin(&mut self) {
        if matches!(self.state, BreakerState::Open(_)) {
            self.state = BreakerState::HalfOpen;
        }
    }

    /// Notes a success. If the breaker is open, the request was started before, and says nothing about the pause that
    /// the service asked for since.
    pub(super) fn on_success(&mut self) {
        self.is_reached = true;
        if !matches!(self.state, BreakerState::Open(_)) {
            *self = Self {
                is_reached: true,
                ..Self::default()
            };
        }
    }

    /// Notes that the test request ended without a result, such as a cancelled one.
    pub(super) fn on_abandoned(&mut self, now: Time) {
        if self.state == BreakerState::HalfOpen {
            self.state = BreakerState::Open(now);
        }
    }

    /// Whether waiting on is pointless: the service asks for a longer pause than `MAX_DELAY`, or has failed for too
    /// long. A run does not wait for ever.
    pub(super) fn is_exhausted(&self, backoff: Duration) -> bool {
        let max_openings = if self.is_reached {
            MAX_OPENINGS
        } else {
            MAX_OPENINGS_UNREACHED
        };
        backoff > MAX_DELAY || self.openings > max_openings
    }

    /// Notes that a request may have arrived, with any result.
    pub(super) fn on_reached(&mut self) {
        self.is_reached = true;
    }

    /// Notes a failure of the service. Returns how long the breaker opens, or how much longer it stays open; `None` if
    /// neither.
    pub(super) fn on_failure(
        &mut self,
        now: Time,
        retry_after: Option<Duration>,
    ) -> Option<Duration> {
        self.failures += 1;
        let opens = match self.state {
            BreakerState::Closed => self.failures >= FAILURE_THRESHOLD || retry_after.is_some(),
            BreakerState::HalfOpen => true,
            BreakerState::Open(until) => {
                // Requests that were already in progress prove nothing new, unless the service asks for a longer pause
                // than before.
                let longer = retry_after.filter(|retry_after| now + *retry_after > until)?;
                self.state = BreakerState::Open(now + longer);
                return Some(longer);
            }
        };
        if !opens {
            return None;
        }
        let backoff = INITIAL_BACKOFF
            .saturating_mul(2u32.saturating_pow(self.openings))
            .min(MAX_BACKOFF)
            .max(retry_after.unwrap_or_default());
        self.openings += 1;
        self.state = BreakerState::Open(now + backoff);
        Some(backoff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1000)
    }

    #[test]
    fn circuit_breaker_opens_half_opens_and_closes_on_success() {
        let mut circuit_breaker = CircuitBreaker::default();
        for _ in 1..FAILURE_THRESHOLD {
            assert_eq!(circuit_breaker.on_failure(at(0), None), None);
        }
        assert_eq!(
            circuit_breaker.on_failure(at(0), None),
            Some(INITIAL_BACKOFF)
        );
        assert_eq!(circuit_breaker.permit(at(14)), Permit::At(at(15)));
        assert_eq!(
            circuit_breaker.on_failure(at(1), None),
            None,
            "what was under way says nothing new"
        );
        assert_eq!(circuit_breaker.permit(at(15)), Permit::Granted);
        circuit_breaker.begin();
        assert_eq!(circuit_breaker.permit(at(15)), Permit::Denied);
        assert_eq!(
            circuit_breaker.on_failure(at(16), None),
            Some(INITIAL_BACKOFF * 2)
        );
        assert_eq!(circuit_breaker.permit(at(46)), Permit::Granted);
        circuit_breaker.begin();
        circuit_breaker.on_success();
        assert_eq!(circuit_breaker.permit(at(46)), Permit::Granted);
        assert_eq!(circuit_breaker.on_failure(at(47), None), None);
    }

    #[test]
    fn circuit_breaker_backoff_doubles_from_15_s_to_5_min() {
        let mut circuit_breaker = CircuitBreaker::default();
        circuit_breaker.on_reached();
        let mut now = at(0);
        let mut backoffs = Vec::new();
        while backoffs.len() < 7 {
            if let Some(backoff) = circuit_breaker.on_failure(now, None) {
                backoffs.push(backoff.as_secs());
                now = now + backoff;
                circuit_breaker.begin();
            }
        }
        assert_eq!(backoffs, [15, 30, 60, 120, 240, 300, 300]);
        let hour = Duration::from_secs(3_600);
        assert!(
            !circuit_breaker.is_exhausted(hour)
                && circuit_breaker.is_exhausted(hour + INITIAL_BACKOFF)
        );
    }

    #[test]
    fn circuit_breaker_abandoned_probe_frees_half_open_permit() {
        let mut circuit_breaker = CircuitBreaker::default();
        for _ in 0..FAILURE_THRESHOLD {
            circuit_breaker.on_failure(at(0), None);
        }
        circuit_breaker.begin();
        assert_eq!(circuit_breaker.permit(at(20)), Permit::Denied);
        circuit_breaker.on_abandoned(at(20));
        assert_eq!(circuit_breaker.permit(at(20)), Permit::Granted);
        // It is closed now: again, only the full number of failures opens it.
        circuit_breaker.begin();
        circuit_breaker.on_success();
        circuit_breaker.on_abandoned(at(21));
        let opened =
            (0..FAILURE_THRESHOLD).filter_map(|_| circuit_breaker.on_failure(at(21), None));
        assert_eq!(opened.count(), 1);
    }

    #[test]
    fn circuit_breaker_success_resets_failure_count() {
        let mut circuit_breaker = CircuitBreaker::default();
        for _ in 0..100 {
            assert_eq!(circuit_breaker.on_failure(at(0), None), None);
            circuit_breaker.on_success();
        }
    }

    #[test]
    fn circuit_breaker_retry_after_opens_immediately() {
        let mut circuit_breaker = CircuitBreaker::default();
        assert_eq!(
            circuit_breaker.on_failure(at(0), Some(Duration::from_secs(3600))),
            Some(Duration::from_secs(3600))
        );
    }

    #[test]
    fn circuit_breaker_success_begun_before_opening_does_not_close() {
        let mut circuit_breaker = CircuitBreaker::default();
        let (short, long) = (Duration::from_secs(60), Duration::from_secs(600));
        assert_eq!(circuit_breaker.on_failure(at(0), Some(short)), Some(short));
        circuit_breaker.on_success();
        assert_eq!(circuit_breaker.permit(at(1)), Permit::At(at(60)));
        // A later failure may keep it open for longer, and never for less.
        assert_eq!(circuit_breaker.on_failure(at(1), Some(long)), Some(long));
        assert_eq!(circuit_breaker.on_failure(at(2), Some(short)), None);
        assert_eq!(circuit_breaker.permit(at(3)), Permit::At(at(601)));
    }

    #[test]
    fn circuit_breaker_is_hopeless_after_long_delay_or_many_openings() {
        let mut circuit_breaker = CircuitBreaker::default();
        let backoff = circuit_breaker
            .on_failure(at(0), Some(Duration::MAX))
            .unwrap();
        assert!(circuit_breaker.is_exhausted(backoff));
        let mut circuit_breaker = CircuitBreaker::default();
        let backoff = circuit_breaker.on_failure(at(0), Some(MAX_DELAY)).unwrap();
        assert!(!circuit_breaker.is_exhausted(backoff));

        for (is_reached, most) in [(true, MAX_OPENINGS), (false, MAX_OPENINGS_UNREACHED)] {
            let (mut circuit_breaker, mut now, mut openings) =
                (CircuitBreaker::default(), at(0), 0);
            if is_reached {
                circuit_breaker.on_success();
            }
            loop {
                if let Some(backoff) = circuit_breaker.on_failure(now, None) {
                    openings += 1;
                    if circuit_breaker.is_exhausted(backoff) {
                        break;
                    }
                    now = now + backoff;
                    circuit_breaker.begin();
                }
            }
            assert_eq!(openings, most + 1);
        }
    }

    #[test]
    fn circuit_breaker_backoff_never_exceeds_maximum() {
        let mut circuit_breaker = CircuitBreaker::default();
        let mut now = at(0);
        for _ in 0..200 {
            if let Some(backoff) = circuit_breaker.on_failure(now, None) {
                assert!(backoff <= MAX_BACKOFF);
                now = now + backoff;
                circuit_breaker.begin();
            }
        }
    }
}
