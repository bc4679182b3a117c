//! The emulator's clock: the machine's, or a virtual one.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Milliseconds since the Unix epoch.
pub(crate) type Millis = i64;

#[derive(Debug)]
pub(crate) enum Clock {
    Real,
    Virtual(AtomicI64),
}

impl Clock {
    pub(crate) fn real() -> Self {
        Self::Real
    }

    pub(crate) fn virtual_at(now: Millis) -> Self {
        Self::Virtual(AtomicI64::new(now))
    }

    pub(crate) fn now(&self) -> Millis {
        match self {
            Self::Real => system_now(),
            Self::Virtual(now) => now.load(Ordering::SeqCst),
        }
    }

    pub(crate) fn is_virtual(&self) -> bool {
        matches!(self, Self::Virtual(_))
    }

    /// Moves a virtual clock forward. A real clock does not move, and no clock moves back. Returns whether the clock
    /// shows the requested time.
    pub(crate) fn advance(&self, to: ClockChange) -> bool {
        let Self::Virtual(now) = self else {
            return false;
        };
        // Atomic: if two callers move it at once, both take effect.
        let moved = now.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| match to {
            // Saturating, and at most the last timestamp.
            ClockChange::By(by) => Some(now.saturating_add(millis(by)).min(MAX_TIMESTAMP)),
            ClockChange::To(to) => Some(to.min(MAX_TIMESTAMP)).filter(|to| *to >= now),
        });
        moved.is_ok()
    }
}

/// A move of a virtual clock.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ClockChange {
    By(Duration),
    /// To this time, unless it has passed.
    To(Millis),
}

/// The end of the year 9998; later timestamps are clamped to it.
const MAX_TIMESTAMP: Millis = 253_370_764_800_000;

pub(crate) fn system_now() -> Millis {
    jiff::Timestamp::now().as_millisecond()
}

/// A duration in whole milliseconds, saturating.
pub(crate) fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis())
        .unwrap_or(MAX_TIMESTAMP)
        .min(MAX_TIMESTAMP)
}

/// A timestamp in the service's format: UTC, three digits of fraction, `Z`.
pub(crate) fn format_timestamp(at: Millis) -> String {
    let at = jiff::Timestamp::from_millisecond(at.clamp(0, MAX_TIMESTAMP))
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{at:.3}")
}

/// Parses a date-time in a query; without an offset it is UTC.
pub(crate) fn parse_timestamp(text: &str) -> Option<Millis> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(at.as_millisecond());
    }
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    Some(
        civil
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()?
            .timestamp()
            .as_millisecond(),
    )
}

/// Formats an HTTP date for `Retry-After`.
pub(crate) fn http_date(at: Millis) -> String {
    let at = jiff::Timestamp::from_millisecond(at.clamp(0, MAX_TIMESTAMP))
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&at)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamp_formats_match_the_service() {
        assert_eq!(
            format_timestamp(1_767_323_045_678),
            "2026-01-02T03:04:05.678Z"
        );
        assert_eq!(
            format_timestamp(1_767_323_045_000),
            "2026-01-02T03:04:05.000Z"
        );
        assert_eq!(
            parse_timestamp("2026-01-02T03:04:05.678Z"),
            Some(1_767_323_045_678)
        );
        assert_eq!(
            parse_timestamp("2026-01-02T05:04:05.678123+02:00"),
            Some(1_767_323_045_678)
        );
        assert_eq!(
            parse_timestamp("2026-01-02T03:04:05"),
            Some(1_767_323_045_000)
        );
        assert_eq!(parse_timestamp("yesterday"), None);
        assert_eq!(
            http_date(1_767_323_045_000),
            "Fri, 02 Jan 2026 03:04:05 GMT"
        );
    }

    #[test]
    fn virtual_clock_saturates_at_last_timestamp() {
        let clock = Clock::virtual_at(5);
        assert!(clock.advance(ClockChange::By(Duration::from_millis(7))));
        assert_eq!(clock.now(), 12);
        assert!(clock.advance(ClockChange::By(Duration::MAX)));
        assert!(clock.advance(ClockChange::By(Duration::MAX)));
        assert_eq!(
            format_timestamp(clock.now()),
            format_timestamp(MAX_TIMESTAMP)
        );
    }

    #[test]
    fn virtual_clock_keeps_concurrent_advances_and_never_goes_back() {
        let clock = Clock::virtual_at(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        clock.advance(ClockChange::By(Duration::from_millis(1)));
                    }
                });
            }
        });
        assert_eq!(clock.now(), 80_000);
        assert!(!clock.advance(ClockChange::To(79_999)));
        assert!(clock.advance(ClockChange::To(80_000)));
        assert!(clock.advance(ClockChange::To(90_000)));
        assert_eq!(clock.now(), 90_000);
    }
}
