//! The delay that the service asks for.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

use crate::Time;

/// The delay in `retry-after-ms` or `retry-after`: seconds, fractions of a second, or a date.
///
/// A date counts from the response's own `Date`, so that a client with a wrong clock waits as long as intended; without
/// that header, from `now`. Zero, negative and invalid values are ignored.
pub(crate) fn retry_after(headers: &HeaderMap, now: Time) -> Option<Duration> {
    delay(headers, i64::try_from(now.as_millis()).ok())
}

/// The same without a clock: a date is ignored if the response has no `Date`.
pub(crate) fn retry_after_without_clock(headers: &HeaderMap) -> Option<Duration> {
    delay(headers, None)
}

fn delay(headers: &HeaderMap, now: Option<i64>) -> Option<Duration> {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
    };
    if let Some(delay) = text("retry-after-ms").and_then(|millis| positive(millis, 1e-3)) {
        return Some(delay);
    }
    let asked = text(RETRY_AFTER.as_str())?;
    if let Some(delay) = positive(asked, 1.0) {
        return Some(delay);
    }
    let until = http_date_millis(asked)?;
    let from = text(DATE.as_str()).and_then(http_date_millis).or(now)?;
    let millis = u64::try_from(until.checked_sub(from)?).ok()?;
    (millis > 0).then(|| Duration::from_millis(millis))
}

/// A positive number of `unit` seconds. A number that is too large is the maximum `Duration`.
fn positive(text: &str, unit: f64) -> Option<Duration> {
    let number: f64 = text.parse().ok()?;
    let seconds = number * unit;
    (seconds > 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

fn http_date_millis(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()
        .map(jiff::Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const NOW: Time = Time::from_millis(1_445_412_480_000); // Wed, 21 Oct 2015 07:28:00 GMT

    fn asked(pairs: &[(&'static str, &str)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        retry_after(&headers, NOW)
    }

    #[test]
    fn retry_after_accepts_seconds_fractions_milliseconds_and_dates() {
        assert_eq!(
            asked(&[("retry-after", "20")]),
            Some(Duration::from_secs(20))
        );
        assert_eq!(
            asked(&[("retry-after", "0.25")]),
            Some(Duration::from_millis(250))
        );
        assert_eq!(
            asked(&[("retry-after-ms", "1500")]),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(
            asked(&[("retry-after-ms", "1500"), ("retry-after", "7")]),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(
            asked(&[("retry-after-ms", "x"), ("retry-after", "7")]),
            Some(Duration::from_secs(7))
        );
        assert_eq!(
            asked(&[("retry-after", "Wed, 21 Oct 2015 07:28:20 GMT")]),
            Some(Duration::from_secs(20))
        );
    }

    #[test]
    fn retry_after_date_is_relative_to_server_clock() {
        let headers = [
            ("retry-after", "Wed, 21 Oct 2015 09:00:20 GMT"),
            ("date", "Wed, 21 Oct 2015 09:00:00 GMT"),
        ];
        assert_eq!(asked(&headers), Some(Duration::from_secs(20)));
    }

    #[test]
    fn retry_after_zero_past_or_invalid_is_ignored() {
        for text in [
            "0",
            "-10",
            "",
            "soon",
            "NaN",
            "Wed, 21 Oct 2015 07:28:00 GMT",
            "Wed, 21 Oct 2015 07:27:00 GMT",
            "Wed, 99 Oct 2015 07:28:00 GMT",
        ] {
            assert_eq!(asked(&[("retry-after", text)]), None, "{text}");
        }
    }

    #[test]
    fn retry_after_huge_number_saturates_without_panic() {
        assert_eq!(
            asked(&[("retry-after", "99999999999999999999999999999999999")]),
            Some(Duration::MAX)
        );
        assert_eq!(asked(&[("retry-after", "inf")]), Some(Duration::MAX));
    }
}
