//! Retry policy.

use std::time::Duration;

use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::backoff::MIN_BACKOFF;
use crate::Time;
use crate::error::{Error, ErrorKind};
use crate::reply::FailureKind;
use crate::semantics::Idempotency;
use crate::text::retry_after::retry_after;

/// When and how often a request is sent again. A plain value, so that it can be part of a saved state.
///
/// ```
/// use std::time::Duration;
/// use classify_proto::machine::Retry;
///
/// let retry = Retry::default()
///     .max_retries(8)
///     .backoff(Duration::from_secs(1), Duration::from_secs(30));
/// # let _ = retry;
/// ```
///
/// | result of an attempt | may be repeated | must not be repeated |
/// | --- | --- | --- |
/// | no connection | retry | retry |
/// | connection broken, no response in time | retry | [`is_ambiguous`](Error::is_ambiguous) |
/// | 408, 500, 502, 503, 504 | retry | [`is_ambiguous`](Error::is_ambiguous); a 503 with `x-should-retry: true`: retry |
/// | 429 | retry, unless it is about a quota | the same |
/// | `x-should-retry` | decides, except on a 402 | `false` decides |
/// | 2xx, not JSON | retry | [`is_ambiguous`](Error::is_ambiguous) |
/// | 2xx, JSON of an unexpected shape | retry if it may have had an effect, else an error | [`is_ambiguous`](Error::is_ambiguous) |
/// | any other status | error | error |
///
/// An upload whose response is an HTML page ([`is_intercepted`](Error::is_intercepted)) is not retried.
///
/// Between attempts, the call waits as long as `retry-after-ms` or `retry-after` asks, up to `max_retry_after`; if the
/// delay is longer, the error is returned at once and contains it. Without these headers, the call backs off
/// exponentially with full jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Retry {
    /// Maximum number of retries. Default: 5. Zero disables retries.
    pub max_retries: u32,
    /// Upper bound of the first backoff. It doubles with each retry. Default: 0.5 s.
    pub initial_backoff: Duration,
    /// Upper bound of all backoffs. Default: 8 s.
    pub max_backoff: Duration,
    /// Maximum delay that the service may ask for. Default: 120 s.
    pub max_retry_after: Duration,
    /// Maximum duration of a call with all its attempts and delays. If `None`: two and a half hours for an upload, 15
    /// minutes for other calls.
    pub total_timeout: Option<Duration>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_retries: 5,
            initial_backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(8),
            max_retry_after: Duration::from_secs(120),
            total_timeout: None,
        }
    }
}

impl Retry {
    /// Creates a policy without retries.
    #[must_use]
    pub fn never() -> Self {
        Self::default().max_retries(0)
    }

    /// Sets the maximum number of retries.
    #[must_use]
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = retries;
        self
    }

    /// Sets the upper bounds of the first backoff and of all backoffs.
    #[must_use]
    pub fn backoff(mut self, initial: Duration, max: Duration) -> Self {
        self.initial_backoff = initial;
        self.max_backoff = max;
        self
    }

    /// Sets the maximum delay that the service may ask for.
    #[must_use]
    pub fn max_retry_after(mut self, max: Duration) -> Self {
        self.max_retry_after = max;
        self
    }

    /// Sets the maximum duration of a call with all its attempts and delays.
    #[must_use]
    pub fn total_timeout(mut self, timeout: Duration) -> Self {
        self.total_timeout = Some(timeout);
        self
    }

    /// The longest delay between two attempts.
    pub(crate) fn max_delay(&self) -> Duration {
        self.max_backoff.max(self.max_retry_after).max(MIN_BACKOFF)
    }
}

/// The decision about a failed attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RetryDecision {
    /// Whether to send the request again.
    pub(crate) retry: bool,
    /// Whether the attempt may have had an effect.
    pub(crate) may_have_acted: bool,
    /// The delay that the service asked for.
    pub(crate) delay: Option<Duration>,
}

/// The table in [`Retry`], as code.
pub(crate) fn classify_error(error: &Error, idempotency: Idempotency, now: Time) -> RetryDecision {
    let may_repeat = idempotency != Idempotency::NonIdempotent;
    let delay = error
        .headers()
        .and_then(|headers| retry_after(headers, now));
    let decision = |retry, may_have_acted| RetryDecision {
        retry,
        may_have_acted,
        delay,
    };

    if let Some(failure) = error.failure() {
        let is_transient = matches!(
            failure.kind(),
            FailureKind::Connect | FailureKind::Timeout | FailureKind::Broken
        );
        let may_have_been_sent = failure.may_have_been_sent();
        return decision(
            is_transient && (may_repeat || !may_have_been_sent),
            may_have_been_sent,
        );
    }
    match (error.kind(), error.status().map(|status| status.as_u16())) {
        (ErrorKind::Decode, _) => {
            // A read would get the same response again; the response to a write may have been meant for another
            // request.
            decision(
                may_repeat && (error.is_malformed() || idempotency != Idempotency::Safe),
                true,
            )
        }
        (ErrorKind::Status, Some(status)) => {
            let may_have_acted = !is_rejection(status);
            if status == 402 {
                return decision(false, false);
            }
            match error.headers().and_then(should_retry) {
                Some(false) => decision(false, may_have_acted),
                Some(true) if may_repeat => decision(true, may_have_acted),
                // With a 503 it means that the request was rejected; with other 5xx it does not.
                Some(true) if matches!(status, 429 | 503) => decision(true, false),
                _ => match status {
                    429 => decision(!error.is_quota(), false),
                    408 | 500 | 502 | 503 | 504 => decision(may_repeat, true),
                    _ => decision(false, may_have_acted),
                },
            }
        }
        _ => decision(false, error.kind() == ErrorKind::Conflict),
    }
}

/// Whether a status means that the service rejected the request and did not act.
fn is_rejection(status: u16) -> bool {
    (300..500).contains(&status) && status != 408
}

fn should_retry(headers: &HeaderMap) -> Option<bool> {
    match headers.get("x-should-retry")?.as_bytes() {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Failure;
    use bytes::Bytes;

    const NOW: Time = Time::from_millis(0);

    fn status(
        code: u16,
        header: Option<(&'static str, &'static str)>,
        body: &'static str,
    ) -> Error {
        let mut response = http::Response::builder().status(code);
        if let Some((name, value)) = header {
            response = response.header(name, value);
        }
        Error::from_response(response.body(Bytes::from(body)).unwrap())
    }

    fn again(error: &Error) -> (bool, bool) {
        (
            classify_error(error, Idempotency::Idempotent, NOW).retry,
            classify_error(error, Idempotency::NonIdempotent, NOW).retry,
        )
    }

    #[test]
    fn retry_decision_by_status_and_idempotency() {
        for code in [408, 500, 502, 503, 504] {
            assert_eq!(again(&status(code, None, "")), (true, false), "{code}");
            assert!(
                classify_error(&status(code, None, ""), Idempotency::NonIdempotent, NOW)
                    .may_have_acted,
                "{code}"
            );
        }
        assert_eq!(again(&status(429, None, "")), (true, true));
        for code in [400, 401, 402, 403, 404, 409, 413, 418, 422, 302, 501] {
            assert_eq!(again(&status(code, None, "")), (false, false), "{code}");
            // A rejection (4xx) proves that the service did not act; a 5xx does not.
            let decision = classify_error(&status(code, None, ""), Idempotency::NonIdempotent, NOW);
            assert_eq!(decision.may_have_acted, code >= 500, "{code}");
        }
    }

    #[test]
    fn retry_never_after_conflict_or_invalid_request() {
        let job = serde_json::from_str(r#"{"id": "clj-1", "status": "PENDING"}"#).unwrap();
        for (error, acted) in [
            (Error::conflict("another job", job), true),
            (Error::invalid("file_input", "is empty"), false),
        ] {
            let decision = classify_error(&error, Idempotency::NonIdempotent, NOW);
            assert_eq!((decision.retry, decision.may_have_acted), (false, acted));
        }
    }

    #[test]
    fn retry_x_should_retry_header_never_overrides_idempotency_or_402() {
        let yes = Some(("x-should-retry", "true"));
        let no = Some(("x-should-retry", "false"));
        assert_eq!(again(&status(400, yes, "")), (true, false));
        assert_eq!(again(&status(500, yes, "")), (true, false));
        assert_eq!(again(&status(503, yes, "")), (true, true));
        assert_eq!(again(&status(429, yes, "")), (true, true));
        assert_eq!(again(&status(402, yes, "")), (false, false));
        assert_eq!(again(&status(503, no, "")), (false, false));
        assert_eq!(again(&status(429, no, "")), (false, false));
    }

    #[test]
    fn retry_never_after_429_about_quota() {
        assert_eq!(
            again(&status(
                429,
                None,
                r#"{"detail":"monthly quota exhausted"}"#
            )),
            (false, false)
        );
    }

    #[test]
    fn retry_decision_by_transport_failure() {
        assert_eq!(
            again(&Error::from_failure(Failure::connect("refused"))),
            (true, true)
        );
        assert_eq!(
            again(&Error::from_failure(Failure::timeout("60 s"))),
            (true, false)
        );
        assert_eq!(
            again(&Error::from_failure(
                Failure::timeout("connect").before_sending()
            )),
            (true, true)
        );
        assert_eq!(
            again(&Error::from_failure(Failure::broken("reset"))),
            (true, false)
        );
        for failure in [
            Failure::too_large(1),
            Failure::content("gone"),
            Failure::refused("no TLS"),
        ] {
            assert_eq!(again(&Error::from_failure(failure)), (false, false));
        }
    }

    #[test]
    fn retry_decision_for_unparsable_response() {
        let unread = |body: &'static str, idempotency| {
            let response = http::Response::new(Bytes::from(body));
            let error = crate::text::json::read_json::<Vec<u8>>(response).unwrap_err();
            let decision = classify_error(&error, idempotency, NOW);
            assert!(decision.may_have_acted);
            decision.retry
        };
        for (body, of_a_read) in [("[1, ", true), ("{}", false)] {
            assert_eq!(unread(body, Idempotency::Safe), of_a_read, "{body}");
            assert!(unread(body, Idempotency::Idempotent), "{body}");
            assert!(!unread(body, Idempotency::NonIdempotent), "{body}");
        }
    }

    #[test]
    fn retry_policy_setters() {
        let (initial, max) = (Duration::from_secs(1), Duration::from_secs(2));
        let retry = Retry::never()
            .backoff(initial, max)
            .max_retry_after(Duration::from_secs(3))
            .total_timeout(Duration::from_secs(4));
        assert_eq!(retry.max_retries, 0);
        assert_eq!((retry.initial_backoff, retry.max_backoff), (initial, max));
        assert_eq!(retry.max_retry_after, Duration::from_secs(3));
        assert_eq!(retry.total_timeout, Some(Duration::from_secs(4)));
    }

    #[test]
    fn retry_after_is_passed_on_in_decision() {
        let error = status(429, Some(("retry-after", "86400")), "");
        assert_eq!(
            classify_error(&error, Idempotency::Safe, NOW).delay,
            Some(Duration::from_secs(86400))
        );
    }
}
