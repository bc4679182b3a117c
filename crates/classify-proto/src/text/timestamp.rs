//! Timestamps of the service.

use std::fmt;
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Error;
use crate::text::quoted;

/// An instant in UTC, to the microsecond.
///
/// Parsed leniently: with `Z`, with an offset, with any number of fractional digits (digits after the microseconds are
/// cut), or without a zone, which means UTC. Formatted as RFC 3339 with `Z`.
///
/// The crate features `jiff-0_2`, `chrono-0_4` and `time-0_3` add conversions to and from those libraries.
///
/// ```
/// use classify_proto::Timestamp;
///
/// let given: Timestamp = "2019-12-27T19:11:19.117+01:00".parse()?;
/// assert_eq!(given.to_string(), "2019-12-27T18:11:19.117Z");
/// assert_eq!("2019-12-27T18:11:19.117".parse::<Timestamp>()?, given);
/// # Ok::<(), classify_proto::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Returns the instant `micros` microseconds after the Unix epoch; `None` outside the years -9999 to 9999 (the last
    /// day of which is incomplete).
    #[must_use]
    pub fn from_unix_micros(micros: i64) -> Option<Self> {
        jiff::Timestamp::from_microsecond(micros)
            .ok()
            .map(Self::from_inner)
    }

    /// Returns the microseconds since the Unix epoch.
    #[must_use]
    pub const fn as_unix_micros(self) -> i64 {
        self.0
    }

    fn from_inner(inner: jiff::Timestamp) -> Self {
        // Rounded towards the past, as the digits are cut; jiff's own conversion rounds towards 1970.
        let micros = inner.as_nanosecond().div_euclid(1_000);
        Self(i64::try_from(micros).unwrap_or_default())
    }

    fn inner(self) -> jiff::Timestamp {
        // All constructors check the same range.
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
            return Ok(Self::from_inner(timestamp));
        }
        // jiff accepts at most nine fractional digits.
        let cut = cut_fraction(text);
        let text = cut.as_deref().unwrap_or(text);
        if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
            return Ok(Self::from_inner(timestamp));
        }
        text.parse::<DateTime>()
            .and_then(|naive| naive.to_zoned(TimeZone::UTC))
            .map(|zoned| Self::from_inner(zoned.timestamp()))
            .map_err(|_| {
                Error::invalid(
                    "timestamp",
                    format!(
                        "{} is not a date and time such as 2026-01-02T03:04:05Z",
                        quoted(text)
                    ),
                )
            })
    }
}

/// The text with its fraction cut to nine digits; `None` if it has no more than that.
fn cut_fraction(text: &str) -> Option<String> {
    let start = text.find('.')? + 1;
    let digits = text[start..].bytes().take_while(u8::is_ascii_digit).count();
    (digits > 9).then(|| format!("{}{}", &text[..start + 9], &text[start + digits..]))
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner().fmt(f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse()
            .map_err(|_| serde::de::Error::custom(format!("{} is not a timestamp", quoted(&text))))
    }
}

#[cfg(feature = "jiff-0_2")]
mod jiff_0_2 {
    use super::Timestamp;

    impl From<jiff::Timestamp> for Timestamp {
        fn from(timestamp: jiff::Timestamp) -> Self {
            Self::from_inner(timestamp)
        }
    }

    impl From<Timestamp> for jiff::Timestamp {
        fn from(timestamp: Timestamp) -> Self {
            timestamp.inner()
        }
    }
}

#[cfg(feature = "chrono-0_4")]
mod chrono_0_4 {
    use super::Timestamp;

    impl TryFrom<chrono::DateTime<chrono::Utc>> for Timestamp {
        type Error = crate::Error;

        /// Fails outside the years -9999 to 9999.
        fn try_from(given: chrono::DateTime<chrono::Utc>) -> Result<Self, Self::Error> {
            Self::from_unix_micros(given.timestamp_micros()).ok_or_else(|| {
                crate::Error::invalid("timestamp", "is outside of the years -9999 to 9999")
            })
        }
    }

    impl From<Timestamp> for chrono::DateTime<chrono::Utc> {
        fn from(timestamp: Timestamp) -> Self {
            // chrono's range includes this one.
            Self::from_timestamp_micros(timestamp.0).unwrap_or_default()
        }
    }
}

#[cfg(feature = "time-0_3")]
mod time_0_3 {
    use super::Timestamp;

    impl From<time::OffsetDateTime> for Timestamp {
        fn from(given: time::OffsetDateTime) -> Self {
            let micros = given.unix_timestamp_nanos().div_euclid(1_000);
            // Without its feature `large-dates`, the crate's range is smaller; then the nearest end is used.
            let micros =
                i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX });
            let clamped = micros.clamp(
                jiff::Timestamp::MIN.as_microsecond(),
                jiff::Timestamp::MAX.as_microsecond(),
            );
            Self(clamped)
        }
    }

    impl TryFrom<Timestamp> for time::OffsetDateTime {
        type Error = crate::Error;

        /// Fails outside of the years that the `time` crate was built for.
        fn try_from(timestamp: Timestamp) -> Result<Self, Self::Error> {
            Self::from_unix_timestamp_nanos(i128::from(timestamp.0) * 1_000).map_err(|_| {
                crate::Error::invalid("timestamp", "is outside of the range of the time crate")
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn timestamp_parses_every_supported_format() {
        let expected = 1_577_470_279_117_000;
        for text in [
            "2019-12-27T18:11:19.117Z",
            "2019-12-27T18:11:19.117000Z",
            "2019-12-27T18:11:19.117000000Z",
            "2019-12-27T18:11:19.117000000999999Z",
            "2019-12-27T18:11:19.117+00:00",
            "2019-12-27T23:41:19.117+05:30",
            "2019-12-27T10:11:19.117-08:00",
            "2019-12-27T18:11:19.117",
            "2019-12-27 18:11:19.117",
            "2019-12-27t18:11:19.117z",
            " 2019-12-27T18:11:19.117Z ",
        ] {
            assert_eq!(
                text.parse::<Timestamp>().unwrap().as_unix_micros(),
                expected,
                "{text}"
            );
        }
        assert_eq!(
            "1969-12-31T23:59:59Z"
                .parse::<Timestamp>()
                .unwrap()
                .as_unix_micros(),
            -1_000_000
        );
    }

    #[test]
    fn timestamp_below_microsecond_is_truncated_before_1970() {
        let read: Timestamp = "1969-12-31T23:59:59.9999999Z".parse().unwrap();
        assert_eq!(read.to_string(), "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn timestamp_parse_error_shows_example() {
        for text in [
            "",
            "yesterday",
            "2019-13-01T00:00:00Z",
            "1577470279",
            "2019-12-27T18:11:19.Z",
        ] {
            let error = text.parse::<Timestamp>().unwrap_err();
            assert!(
                error.to_string().contains("2026-01-02T03:04:05Z"),
                "{error}"
            );
        }
    }

    proptest! {
        #[test]
        fn timestamp_round_trips(micros in any::<i64>()) {
            if let Some(timestamp) = Timestamp::from_unix_micros(micros) {
                prop_assert_eq!(timestamp.to_string().parse::<Timestamp>().unwrap(), timestamp);
                let json = serde_json::to_string(&timestamp).unwrap();
                prop_assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), timestamp);
            }
        }

        #[test]
        fn timestamp_parse_of_any_text_does_not_panic(text in ".{0,40}") {
            let _ = text.parse::<Timestamp>();
        }
    }
}
