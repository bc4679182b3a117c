//! One opaque error with predicates: what it holds and answers here, how it comes about and how it reads apart.

mod code;
mod constructors;
mod display;
mod hint;
#[cfg(test)]
mod kinds_test;

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::reply::{Failure, FailureKind};
use crate::text::error_body::{self, FieldError};
use crate::text::retry_after::retry_after_without_clock;
use crate::v1;
use crate::v2::Job;

pub use code::ErrorCode;
pub use hint::Hint;

/// What went wrong, where, and what to do about it.
///
/// Ask it with the `is_…` predicates; they may overlap (a timed-out create is both [`is_timeout`](Self::is_timeout)
/// and [`is_ambiguous`](Self::is_ambiguous)). [`code`](Self::code) is one stable word for logs and metrics.
///
/// `Display` is one line that needs no other: the operation, the status, the service's own words or the transport's
/// failure, the attempts made and the [`hints`](Self::hints). [`source`](std::error::Error::source) is an error that
/// `Display` does not repeat: the last failed poll before a wait reached its deadline. A program that prints the whole
/// chain prints nothing twice.
///
/// Neither `Display`, `Debug` nor a cause shows a secret, a request's body, or more of a response's body than the words
/// in which the service says what is wrong; the body is at hand as [`raw_body`](Self::raw_body). Should those words
/// repeat the key, a [`Call`](crate::machine::Call) takes it out before they are read; one who parses responses without
/// a `Call` hands them to [`Api::redact`](crate::Api::redact) first.
pub struct Error(Box<Inner>);

#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about one error"
)]
struct Inner {
    kind: ErrorKind,
    operation: Option<&'static str>,
    message: String,
    fields: Vec<FieldError>,
    attempts: u32,
    ambiguous: bool,
    /// The saved configuration of the job was edited since.
    is_edited: bool,
    io_kind: Option<io::ErrorKind>,
    /// What came is not even JSON.
    malformed: bool,
    retry_after: Option<Duration>,
    response: Option<http::Response<Bytes>>,
    job_id: Option<String>,
    // Boxed, since most errors have none: an allocation of a kilobyte makes the allocator tidy its heap.
    job: Option<Box<Job>>,
    v1_job: Option<Box<v1::Job>>,
    file_id: Option<String>,
    transaction_id: Option<String>,
    /// Classifying the same content again is the same paid run.
    repeatable: bool,
    subject: Option<String>,
    /// The driver's failure, if there was no response. `Display` contains it.
    failure: Option<Failure>,
    source: Option<Box<Error>>,
}

/// The one class an [`Error`] belongs to; the predicates are finer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A value was refused before anything was sent: an argument, a setting, a limit of the service.
    Invalid,
    /// The service answered with a status that is not success.
    Status,
    /// No response: connecting failed, or the connection broke.
    Transport,
    /// No response within a time limit.
    Timeout,
    /// A successful response could not be read.
    Decode,
    /// A response or an expansion went over a limit of this client.
    TooLarge,
    /// The content to upload could not be read.
    Content,
    /// A create was answered with a job that is not the one asked for.
    Conflict,
    /// A wait reached its deadline.
    Deadline,
    /// The job ended as failed.
    JobFailed,
    /// The job was cancelled.
    JobCancelled,
    /// The rate limit lets nothing through for longer than a call may wait.
    RateLimit,
    /// A list's page token came a second time, or the limit on pages was reached.
    Paging,
    /// A saved state could not be loaded.
    State,
    /// It is unknown whether the request was acted upon, and nothing can settle it.
    Ambiguous,
}

impl Error {
    /// The same error, naming the document it is about: a path, for example.
    #[must_use]
    pub fn with_subject(mut self, subject: impl Into<String>) -> Self {
        self.0.subject = Some(subject.into());
        self
    }

    /// The class of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation that failed, such as `classify.create`.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// What went wrong, without operation, status and hint; the service's own words where it said any.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// How many requests were sent for the operation, counting those that found no connection. Zero if none was: a value
    /// was rejected, the rate limit let nothing through, the content could not be opened, or the transport refused it.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// The status of the response, where there was one.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.response.as_ref().map(http::Response::status)
    }

    /// The headers of the response, where there was one.
    #[must_use]
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.0.response.as_ref().map(http::Response::headers)
    }

    /// The body of the response as it came, where there was one.
    #[must_use]
    pub fn raw_body(&self) -> Option<&Bytes> {
        self.0.response.as_ref().map(http::Response::body)
    }

    /// The id that the service gave to the request, for a report to its operators.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        request_id(self.headers()?)
    }

    /// How long the service asked to wait: by the response's headers, when it was 408, 429 or a fault of the service's,
    /// or by an earlier answer to another call of the same client.
    ///
    /// A [`Call`](crate::machine::Call) waits by itself; it hands on an error when that was longer than the retry
    /// policy allows, when the attempts were used up, or when the request may not be repeated.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after.or_else(|| {
            let status = self.status().filter(|_| self.0.kind == ErrorKind::Status)?;
            let is_passing = matches!(status.as_u16(), 408 | 429 | 500..=599);
            is_passing
                .then(|| retry_after_without_clock(self.headers()?))
                .flatten()
        })
    }

    /// The job the error is about, where its id is known.
    #[must_use]
    pub fn job_id(&self) -> Option<&str> {
        self.0.job_id.as_deref()
    }

    /// The job as last seen: of a failed or cancelled job, of a conflict, or of a wait that reached its deadline.
    #[must_use]
    pub fn job(&self) -> Option<&Job> {
        self.0.job.as_deref()
    }

    /// The v1 job as last seen: of a failed or cancelled job, or of a wait that reached its deadline.
    #[must_use]
    pub fn v1_job(&self) -> Option<&v1::Job> {
        self.0.v1_job.as_deref()
    }

    /// The uploaded file (`dfl-…`) of a create that failed, or of the job that the error is about. A create that is sent
    /// again must name the same file; another upload has another id.
    #[must_use]
    pub fn file_id(&self) -> Option<&str> {
        let of_job = || self.job()?.file_input.as_deref();
        self.0
            .file_id
            .as_deref()
            .or_else(|| of_job().filter(|id| is_file_id(id)))
    }

    /// The response, where there was one.
    pub(crate) fn response(&self) -> Option<&http::Response<Bytes>> {
        self.0.response.as_ref()
    }

    /// The transaction id of a create. Sending the same create under the same id again can never make a second job.
    #[must_use]
    pub fn transaction_id(&self) -> Option<&str> {
        self.0.transaction_id.as_deref()
    }

    /// The fields that were refused, by a check before sending or by the service.
    #[must_use]
    pub fn field_errors(&self) -> &[FieldError] {
        &self.0.fields
    }

    /// What the error is about, as set by [`with_subject`](Self::with_subject).
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
    }

    /// The kind of the IO error behind a failed attempt, of the document's content or of the connection, or behind a journal
    /// that cannot be used. `None` if the transport did not tell it.
    #[must_use]
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        let of_failure = || self.failure()?.io_kind();
        self.0.io_kind.or_else(of_failure)
    }

    /// The same error, with the kind of the IO error that caused it. For drivers that store states and journals.
    #[must_use]
    pub fn with_io_kind(mut self, kind: io::ErrorKind) -> Self {
        self.0.io_kind = Some(kind);
        self
    }

    /// Refused before anything was sent.
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        self.0.kind == ErrorKind::Invalid
    }

    /// No response within a time limit, or the service said 408 or 504.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::Timeout
            || self.has_status(&[StatusCode::REQUEST_TIMEOUT, StatusCode::GATEWAY_TIMEOUT])
    }

    /// The connection could not be made, or broke; also [`is_refused`](Self::is_refused).
    #[must_use]
    pub fn is_transport(&self) -> bool {
        self.0.kind == ErrorKind::Transport
    }

    /// The transport refuses the request whenever it is asked: a certificate that is not trusted, a URL that it cannot
    /// take, no TLS in this build, a proxy that answers `CONNECT` with 4xx.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.failure()
            .is_some_and(|failure| failure.kind() == FailureKind::Refused)
    }

    /// The content of the document could not be read: the file is gone, unreadable, or changed while it was sent.
    #[must_use]
    pub fn is_content(&self) -> bool {
        self.0.kind == ErrorKind::Content
    }

    /// A document is over the service's size limit (413), or a response or an expansion is over a limit of this client.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.0.kind == ErrorKind::TooLarge || self.has_status(&[StatusCode::PAYLOAD_TOO_LARGE])
    }

    /// The service rejected what was sent (400, 422); [`field_errors`](Self::field_errors) are the fields that it named.
    #[must_use]
    pub fn is_bad_request(&self) -> bool {
        self.has_status(&[StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY])
    }

    /// The service answered with a redirect, which is not followed (3xx).
    #[must_use]
    pub fn is_redirect(&self) -> bool {
        self.has_status_of(StatusCode::is_redirection)
    }

    /// The service failed (5xx).
    #[must_use]
    pub fn is_server(&self) -> bool {
        self.has_status_of(StatusCode::is_server_error)
    }

    /// Too many requests in too short a time: waiting helps.
    #[must_use]
    pub fn is_rate_limited(&self) -> bool {
        self.0.kind == ErrorKind::RateLimit
            || (self.has_status(&[StatusCode::TOO_MANY_REQUESTS]) && !self.is_quota())
    }

    /// Something on the way answered in place of the service: the response is an HTML page, such as that of a captive portal,
    /// a firewall or another server. The service answers with JSON.
    ///
    /// Pages of gateways do not count: those with a status of 3xx or 5xx, and with 408, 413 and 429.
    #[must_use]
    pub fn is_intercepted(&self) -> bool {
        let is_of_gateway = self.0.kind == ErrorKind::Status
            && self.status().is_some_and(
                |status| matches!(status.as_u16(), 300..=399 | 408 | 413 | 429 | 500..),
            );
        matches!(self.0.kind, ErrorKind::Status | ErrorKind::Decode)
            && !is_of_gateway
            && self
                .raw_body()
                .is_some_and(|body| error_body::is_html(body))
    }

    /// The key is missing, wrong, expired, of another region, or lacks the right (401, 403).
    #[must_use]
    pub fn is_auth(&self) -> bool {
        self.has_status(&[StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN])
    }

    /// The plan has no credits or no room left, or the project has reached its credit cap: 402, a 429 whose words speak of a
    /// quota, or any 4xx whose words speak of a credit cap. Waiting for a moment does not help.
    #[must_use]
    pub fn is_quota(&self) -> bool {
        self.has_status(&[StatusCode::PAYMENT_REQUIRED])
            || (self.has_status(&[StatusCode::TOO_MANY_REQUESTS])
                && mentions_quota(&self.0.message))
            || self.is_credit_cap()
    }

    /// The project has reached the credits that it may spend in a day or a month. The status of that is not published.
    pub(crate) fn is_credit_cap(&self) -> bool {
        // The words of a rejected field are about a value of the request.
        self.has_status_of(StatusCode::is_client_error)
            && self.0.fields.is_empty()
            && mentions_credit_cap(&self.0.message)
    }

    /// The key was valid once.
    pub(crate) fn is_expired_key(&self) -> bool {
        self.has_status(&[StatusCode::UNAUTHORIZED])
            && self.0.message.to_ascii_lowercase().contains("expired")
    }

    /// The job, file or configuration does not exist in this project (404).
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.has_status(&[StatusCode::NOT_FOUND])
    }

    /// The service answered 409, or answered a create with a job that is not the one asked for.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.0.kind == ErrorKind::Conflict || self.has_status(&[StatusCode::CONFLICT])
    }

    /// The service may or may not have acted. With a [`transaction_id`](Self::transaction_id) at hand, the same
    /// create can be sent again without risk; without one, look before sending again.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        self.0.ambiguous
    }

    /// A successful response could not be read.
    #[must_use]
    pub fn is_decode(&self) -> bool {
        self.0.kind == ErrorKind::Decode
    }

    /// A list repeated a page token, or reached the limit on pages.
    #[must_use]
    pub fn is_paging(&self) -> bool {
        self.0.kind == ErrorKind::Paging
    }

    /// A saved state or a journal could not be written or read, or belongs to another machine or run.
    #[must_use]
    pub fn is_state(&self) -> bool {
        self.0.kind == ErrorKind::State
    }

    /// A wait reached its deadline; [`job`](Self::job) is the job as last seen and the wait can be taken up again.
    #[must_use]
    pub fn is_deadline(&self) -> bool {
        self.0.kind == ErrorKind::Deadline
    }

    /// The job ended as failed.
    #[must_use]
    pub fn is_job_failed(&self) -> bool {
        self.0.kind == ErrorKind::JobFailed
    }

    /// The job was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.kind == ErrorKind::JobCancelled
    }

    /// The trouble lies with the service or the way to it, and may be gone later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        if let Some(failure) = self.failure() {
            return matches!(
                failure.kind(),
                FailureKind::Connect | FailureKind::Timeout | FailureKind::Broken
            );
        }
        match self.0.kind {
            ErrorKind::Timeout | ErrorKind::RateLimit => true,
            ErrorKind::Decode => self.is_malformed(),
            ErrorKind::Status => {
                !self.is_quota()
                    && self.status().is_some_and(|status| {
                        matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
                    })
            }
            _ => false,
        }
    }

    /// Whether the response settles what became of a v2 create, also after lost responses: it shows the job that has the
    /// transaction id, so the create made no other job.
    ///
    /// A local error (`is_invalid`) settles nothing: an earlier attempt may have created a job. A conflict of v1 shows a
    /// job of somebody else and says nothing about this create, since v1 has no transaction ids.
    pub(crate) fn shows_job_of_create(&self) -> bool {
        self.is_conflict() && self.job().is_some()
    }

    /// A successful response that is not even JSON: cut short, or a gateway's page.
    pub(crate) fn is_malformed(&self) -> bool {
        self.0.kind == ErrorKind::Decode && self.0.malformed
    }

    /// The transport's failure, if there was no response.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.0.failure.as_ref()
    }

    fn has_status_of(&self, is_of_class: fn(&StatusCode) -> bool) -> bool {
        self.0.kind == ErrorKind::Status && self.status().is_some_and(|status| is_of_class(&status))
    }

    fn has_status(&self, statuses: &[StatusCode]) -> bool {
        self.0.kind == ErrorKind::Status
            && self
                .status()
                .is_some_and(|status| statuses.contains(&status))
    }
}

/// The id that a service or a gateway gave to a request.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<&str> {
    ["x-request-id", "x-correlation-id", "x-trace-id", "cf-ray"]
        .iter()
        .find_map(|name| headers.get(*name))
        .and_then(|value| value.to_str().ok())
}

/// Whether an input is an uploaded file, and not a parse job.
pub(crate) fn is_file_id(input: &str) -> bool {
    input.starts_with("dfl-")
}

/// Whether a 429 speaks of a plan's cap rather than of requests coming too fast. The body is all there is to go by.
fn mentions_quota(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    has(&["quota", "credit", "upgrade", "maximum number", "plan limit"])
        && !has(&[
            "rate limit",
            "too many requests",
            "per second",
            "per minute",
            "slow down",
        ])
}

/// Whether a rejection speaks of the credits that a project may spend in a period.
fn mentions_credit_cap(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let is_cap = message
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| matches!(word, "cap" | "caps" | "capped"));
    has(&["credit", "spend"]) && (is_cap || has(&["limit", "daily", "monthly", "budget"]))
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn status(code: u16, body: &'static str) -> Error {
        let response = http::Response::builder()
            .status(code)
            .header("x-request-id", "req-7")
            .body(Bytes::from(body))
            .unwrap();
        Error::from_response(response)
            .with_operation("classify.get")
            .with_attempts(1)
    }

    #[test]
    fn retry_after_is_available_on_error_without_call() {
        let error = |code: u16, name: &'static str, value: &'static str| {
            let response = http::Response::builder()
                .status(code)
                .header(name, value)
                .header("date", "Wed, 21 Oct 2015 07:28:00 GMT")
                .body(Bytes::new());
            Error::from_response(response.unwrap())
        };
        let seconds = Duration::from_secs;
        for (error, delay) in [
            (error(429, "retry-after", "7"), Some(seconds(7))),
            (error(503, "retry-after-ms", "3000"), Some(seconds(3))),
            (
                error(503, "retry-after", "Wed, 21 Oct 2015 07:28:09 GMT"),
                Some(seconds(9)),
            ),
            (error(404, "retry-after", "7"), None),
            (error(503, "retry-after", "soon"), None),
            (
                error(429, "retry-after", "7").with_retry_after(Some(seconds(8))),
                Some(seconds(8)),
            ),
        ] {
            assert_eq!(error.retry_after(), delay, "{error}");
            assert_eq!(error.to_string().contains("asks to wait"), delay.is_some());
        }
        // A date says nothing where the clock is unknown.
        let dateless = http::Response::builder()
            .status(429)
            .header("retry-after", "Wed, 21 Oct 2015 07:28:09 GMT")
            .body(Bytes::new());
        assert_eq!(Error::from_response(dateless.unwrap()).retry_after(), None);
    }

    #[test]
    fn rate_limit_429_about_quota_is_quota_error() {
        assert!(status(429, r#"{"detail":"Too many requests"}"#).is_rate_limited());
        assert!(
            status(
                429,
                r#"{"detail":"Rate limit exceeded for your plan: 20 per minute; upgrade for more"}"#
            )
            .is_rate_limited()
        );
        let capped = status(
            429,
            r#"{"detail":"You have reached the maximum number of projects of your plan"}"#,
        );
        assert!(capped.is_quota() && !capped.is_rate_limited() && !capped.is_transient());
        assert!(status(402, "").is_quota());
    }

    #[test]
    fn credit_cap_of_any_4xx_is_quota_error_with_its_own_hint() {
        for (code, detail) in [
            (402, "Project has reached its daily credit cap"),
            (403, "Monthly credit limit of the project exceeded"),
            (429, "Spending cap reached for this project"),
            (400, "The project's credit cap was reached"),
            (409, "credits capped until 2026-12-01"),
        ] {
            let body = format!(r#"{{"detail":"{detail}"}}"#);
            let error = status(code, Box::leak(body.into_boxed_str()));
            assert!(error.is_quota() && !error.is_transient(), "{error}");
            assert_eq!(error.hints().collect::<Vec<_>>(), [Hint::CreditCap]);
        }
        for (code, body) in [
            (403, r#"{"detail":"no access to this project"}"#),
            (500, r#"{"detail":"credit cap service is down"}"#),
            (
                422,
                r#"{"detail":[{"loc":["body","x"],"msg":"credit limit is no type"}]}"#,
            ),
            (400, r#"{"detail":"the file is a credit note"}"#),
        ] {
            assert!(!status(code, body).is_quota(), "{body}");
        }
        assert_eq!(
            status(402, "").hints().collect::<Vec<_>>(),
            [Hint::CheckPlan]
        );
    }

    #[test]
    fn expired_key_has_its_own_hint() {
        let expired = status(401, r#"{"detail":"API key has expired"}"#);
        assert!(expired.is_auth());
        assert_eq!(expired.hints().collect::<Vec<_>>(), [Hint::ExpiredKey]);
        let wrong = status(401, r#"{"detail":"Invalid API key"}"#);
        assert_eq!(wrong.hints().collect::<Vec<_>>(), [Hint::CheckKey]);
    }

    /// The hint blames the network and not the key, the id or the document.
    #[test]
    fn intercepted_response_is_told_by_its_title() {
        const PAGE: &str = "<!DOCTYPE html><title>Sign in to Wi-Fi</title>";
        for code in [200, 400, 401, 403, 404, 422, 451, 511] {
            let error = status(code, PAGE);
            let is_success = code == 200;
            let error = if is_success {
                crate::text::json::read_json::<Vec<u8>>(http::Response::new(PAGE.into()))
                    .unwrap_err()
            } else {
                error
            };
            assert_eq!(error.is_intercepted(), code != 511, "{code}");
            let text = error.to_string();
            assert!(text.contains("\"Sign in to Wi-Fi\""), "{text}");
            assert!(!text.contains("check the key"), "{text}");
            assert_eq!(text.contains("captive portal"), code != 511, "{text}");
        }
        for code in [302, 408, 413, 429, 500, 502, 503, 504] {
            assert!(!status(code, PAGE).is_intercepted(), "{code}");
        }
        assert!(!status(403, r#"{"detail":"no"}"#).is_intercepted());
    }

    #[test]
    fn error_is_send_and_sync() {
        fn assert_send_sync<T: Send + Sync + 'static>() {}
        assert_send_sync::<Error>();
    }
}
