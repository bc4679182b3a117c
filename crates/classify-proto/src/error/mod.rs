//! The crate's error: one opaque type with predicates. `constructors` creates it and `display` formats it.

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

/// The error of every operation, machine and client of this project.
///
/// Test it with the `is_…` predicates. They may overlap: a timed-out create is both [`is_timeout`](Self::is_timeout)
/// and [`is_ambiguous`](Self::is_ambiguous). [`code`](Self::code) is one stable value for logs and metrics.
///
/// `Display` writes one line: the operation, the status, the service's message or the transport's failure, the number
/// of attempts and the [`hints`](Self::hints). [`source`](std::error::Error::source) returns a cause that `Display`
/// does not repeat, such as the last failed poll before a wait reached its deadline, so printing the whole chain prints
/// nothing twice.
///
/// `Display`, `Debug` and the causes contain no secret, no request body, and no part of a response's body except the
/// service's error message; [`raw_body`](Self::raw_body) returns the body. If that message repeats the key, a
/// [`Call`](crate::machine::Call) redacts it before it returns the error. A program that parses responses without a
/// `Call` passes them to [`Api::redact`](crate::Api::redact) first.
///
/// ```
/// use classify_proto::Error;
///
/// let error = Error::invalid("page_size", "is 0");
/// assert!(error.is_invalid() && !error.is_transient());
/// assert_eq!(error.code().as_str(), "invalid");
/// assert_eq!(error.attempts(), 0); // nothing was sent
/// ```
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
    /// The saved configuration was edited after the job was created.
    is_edited: bool,
    io_kind: Option<io::ErrorKind>,
    /// The body of a successful response is not JSON.
    malformed: bool,
    retry_after: Option<Duration>,
    response: Option<http::Response<Bytes>>,
    job_id: Option<String>,
    // Boxed, since most errors have none: an allocation of a kilobyte makes the allocator tidy its heap.
    job: Option<Box<Job>>,
    v1_job: Option<Box<v1::Job>>,
    file_id: Option<String>,
    transaction_id: Option<String>,
    /// Classifying the same content again returns the same job, so it is not charged a second time.
    repeatable: bool,
    subject: Option<String>,
    /// The driver's failure, if there was no response. `Display` contains it.
    failure: Option<Failure>,
    source: Option<Box<Error>>,
}

/// The class of an [`Error`]. Each error has exactly one; the predicates of [`Error`] are finer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument, a setting or a document breaks a limit. Nothing was sent.
    Invalid,
    /// The service answered with a status that is not 2xx.
    Status,
    /// No response: the connection could not be made, or it broke.
    Transport,
    /// No response before the time limit.
    Timeout,
    /// A 2xx response could not be parsed.
    Decode,
    /// A response or an expansion exceeds a size limit of this client.
    TooLarge,
    /// The document's content could not be read.
    Content,
    /// The response to a create shows a job of another request.
    Conflict,
    /// A wait or a run reached its deadline.
    Deadline,
    /// The job ended with the status `FAILED` or `ERROR`.
    JobFailed,
    /// The job ended with the status `CANCELLED`.
    JobCancelled,
    /// The next permit of the rate limit is further away than a call may wait.
    RateLimit,
    /// A list repeated a page token, or exceeded the limit on pages.
    Paging,
    /// A saved state or a journal could not be read or written.
    State,
    /// The response was lost and cannot be recovered: the service may or may not have acted.
    Ambiguous,
}

impl Error {
    /// Names the subject of the error, such as the path of a document. `Display` includes it.
    #[must_use]
    pub fn with_subject(mut self, subject: impl Into<String>) -> Self {
        self.0.subject = Some(subject.into());
        self
    }

    /// Returns the class of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the name of the operation that failed, such as `classify.create`; `None` if no operation was involved.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// Returns the message without the operation, the status and the hints: the service's own message if the response
    /// has one.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns how many requests were sent for the operation, including those for which no connection was made. Zero if
    /// validation failed, the rate limit granted no permit, the content could not be opened or the transport refused
    /// the request.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Returns the status of the response; `None` if there was no response.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.response.as_ref().map(http::Response::status)
    }

    /// Returns the headers of the response; `None` if there was no response.
    #[must_use]
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.0.response.as_ref().map(http::Response::headers)
    }

    /// Returns the body of the response, unredacted; `None` if there was no response.
    #[must_use]
    pub fn raw_body(&self) -> Option<&Bytes> {
        self.0.response.as_ref().map(http::Response::body)
    }

    /// Returns the request id that the service or a gateway put into the response's headers. Include it in a report to
    /// the service's support.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        request_id(self.headers()?)
    }

    /// Returns how long the service asks to wait: from the headers of a 408, 429 or 5xx response, or from an earlier
    /// response to another call of the same client. `None` if it did not ask.
    ///
    /// A [`Call`](crate::machine::Call) waits by itself. It returns an error if the delay exceeds the retry policy's
    /// maximum, if all attempts are used up, or if the request must not be sent again.
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

    /// Returns the id of the job that the error is about; `None` if no job is known.
    #[must_use]
    pub fn job_id(&self) -> Option<&str> {
        self.0.job_id.as_deref()
    }

    /// Returns the last known state of the job, if the job failed or was cancelled, if a create returned another
    /// request's job, or if a wait reached its deadline.
    #[must_use]
    pub fn job(&self) -> Option<&Job> {
        self.0.job.as_deref()
    }

    /// Returns the last known state of the v1 job, if it failed or was cancelled, or if a wait reached its deadline.
    #[must_use]
    pub fn v1_job(&self) -> Option<&v1::Job> {
        self.0.v1_job.as_deref()
    }

    /// Returns the uploaded file (`dfl-…`) of a failed create or of the job that the error is about. Retry a create
    /// with the same file: a second upload gets another id.
    #[must_use]
    pub fn file_id(&self) -> Option<&str> {
        let of_job = || self.job()?.file_input.as_deref();
        self.0
            .file_id
            .as_deref()
            .or_else(|| of_job().filter(|id| is_file_id(id)))
    }

    /// The response, if there was one.
    pub(crate) fn response(&self) -> Option<&http::Response<Bytes>> {
        self.0.response.as_ref()
    }

    /// Returns the transaction id of a create. Sending the same create with the same id again cannot create a second
    /// job.
    #[must_use]
    pub fn transaction_id(&self) -> Option<&str> {
        self.0.transaction_id.as_deref()
    }

    /// Returns the invalid fields, named by client-side validation or by the service. Empty if there are none.
    #[must_use]
    pub fn field_errors(&self) -> &[FieldError] {
        &self.0.fields
    }

    /// Returns the subject set by [`with_subject`](Self::with_subject).
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
    }

    /// Returns the kind of the IO error that caused this error: of the connection, of the document's content, or of a
    /// journal. `None` if there was no IO error or the transport did not report its kind.
    #[must_use]
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        let of_failure = || self.failure()?.io_kind();
        self.0.io_kind.or_else(of_failure)
    }

    /// Sets the kind of the IO error that caused this error. For drivers that store states and journals.
    #[must_use]
    pub fn with_io_kind(mut self, kind: io::ErrorKind) -> Self {
        self.0.io_kind = Some(kind);
        self
    }

    /// Returns `true` if client-side validation failed and nothing was sent.
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        self.0.kind == ErrorKind::Invalid
    }

    /// Returns `true` if no response arrived in time, or the status is 408 or 504.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::Timeout
            || self.has_status(&[StatusCode::REQUEST_TIMEOUT, StatusCode::GATEWAY_TIMEOUT])
    }

    /// Returns `true` if the connection could not be made or broke. Includes [`is_refused`](Self::is_refused).
    #[must_use]
    pub fn is_transport(&self) -> bool {
        self.0.kind == ErrorKind::Transport
    }

    /// Returns `true` if the transport would refuse this request every time: an untrusted certificate, an unsupported
    /// URL, a build without TLS, or a proxy that answers `CONNECT` with 4xx.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.failure()
            .is_some_and(|failure| failure.kind() == FailureKind::Refused)
    }

    /// Returns `true` if the document's content could not be read: the file is missing, unreadable, or changed during
    /// the upload.
    #[must_use]
    pub fn is_content(&self) -> bool {
        self.0.kind == ErrorKind::Content
    }

    /// Returns `true` if a document exceeds the service's size limit (413), or a response or an expansion exceeds a
    /// limit of this client.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.0.kind == ErrorKind::TooLarge || self.has_status(&[StatusCode::PAYLOAD_TOO_LARGE])
    }

    /// Returns `true` if the service rejected the request (400, 422). [`field_errors`](Self::field_errors) returns the
    /// fields it named.
    #[must_use]
    pub fn is_bad_request(&self) -> bool {
        self.has_status(&[StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY])
    }

    /// Returns `true` if the service answered with a redirect (3xx). Redirects are not followed.
    #[must_use]
    pub fn is_redirect(&self) -> bool {
        self.has_status_of(StatusCode::is_redirection)
    }

    /// Returns `true` if the status is 5xx.
    #[must_use]
    pub fn is_server(&self) -> bool {
        self.has_status_of(StatusCode::is_server_error)
    }

    /// Returns `true` if requests came too fast (429, or this client's own rate limit). Retry after a delay.
    #[must_use]
    pub fn is_rate_limited(&self) -> bool {
        self.0.kind == ErrorKind::RateLimit
            || (self.has_status(&[StatusCode::TOO_MANY_REQUESTS]) && !self.is_quota())
    }

    /// Returns `true` if something between client and service sent the response: it is an HTML page, such as that of a
    /// captive portal, a firewall or another server. The service answers with JSON.
    ///
    /// HTML pages of gateways do not count: those with the status 3xx, 5xx, 408, 413 or 429.
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

    /// Returns `true` if the key is missing, wrong, expired or of another region, or lacks a permission (401, 403).
    #[must_use]
    pub fn is_auth(&self) -> bool {
        self.has_status(&[StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN])
    }

    /// Returns `true` if the plan has no credits or no quota left, or the project has reached its credit cap: 402, a
    /// 429 whose message mentions a quota, or any 4xx whose message mentions a credit cap. A retry within minutes does
    /// not help.
    #[must_use]
    pub fn is_quota(&self) -> bool {
        self.has_status(&[StatusCode::PAYMENT_REQUIRED])
            || (self.has_status(&[StatusCode::TOO_MANY_REQUESTS])
                && mentions_quota(&self.0.message))
            || self.is_credit_cap()
    }

    /// The project has spent its daily or monthly credits. The API's documentation does not say which status that has.
    pub(crate) fn is_credit_cap(&self) -> bool {
        // The message of an invalid field is about a value in the request, not about credits.
        self.has_status_of(StatusCode::is_client_error)
            && self.0.fields.is_empty()
            && mentions_credit_cap(&self.0.message)
    }

    /// The key has expired.
    pub(crate) fn is_expired_key(&self) -> bool {
        self.has_status(&[StatusCode::UNAUTHORIZED])
            && self.0.message.to_ascii_lowercase().contains("expired")
    }

    /// Returns `true` if the job, file or configuration does not exist in this project (404).
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.has_status(&[StatusCode::NOT_FOUND])
    }

    /// Returns `true` if the status is 409, or a create returned the job of another request.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.0.kind == ErrorKind::Conflict || self.has_status(&[StatusCode::CONFLICT])
    }

    /// Returns `true` if the service may or may not have acted. If there is a [`transaction_id`](Self::transaction_id),
    /// sending the same create again is safe. If there is none, list the jobs before sending again.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        self.0.ambiguous
    }

    /// Returns `true` if a 2xx response could not be parsed.
    #[must_use]
    pub fn is_decode(&self) -> bool {
        self.0.kind == ErrorKind::Decode
    }

    /// Returns `true` if a list repeated a page token or exceeded the limit on pages.
    #[must_use]
    pub fn is_paging(&self) -> bool {
        self.0.kind == ErrorKind::Paging
    }

    /// Returns `true` if a saved state or a journal could not be read or written, or belongs to another machine or run.
    #[must_use]
    pub fn is_state(&self) -> bool {
        self.0.kind == ErrorKind::State
    }

    /// Returns `true` if a wait reached its deadline. [`job`](Self::job) returns the job's last known state; the wait
    /// can be resumed.
    #[must_use]
    pub fn is_deadline(&self) -> bool {
        self.0.kind == ErrorKind::Deadline
    }

    /// Returns `true` if the job ended with the status `FAILED` or `ERROR`.
    #[must_use]
    pub fn is_job_failed(&self) -> bool {
        self.0.kind == ErrorKind::JobFailed
    }

    /// Returns `true` if the job was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.kind == ErrorKind::JobCancelled
    }

    /// Returns `true` if the service or the connection failed, so that the same request may succeed later.
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

    /// Whether the response shows the job that has the create's transaction id. Then the create made no other job, even
    /// if earlier responses were lost.
    ///
    /// A local error (`is_invalid`) proves nothing: an earlier attempt may have created a job. A v1 conflict shows an
    /// unrelated job, since v1 has no transaction ids.
    pub(crate) fn shows_job_of_create(&self) -> bool {
        self.is_conflict() && self.job().is_some()
    }

    /// Whether the body of a successful response is not JSON: it was cut short, or is a gateway's page.
    pub(crate) fn is_malformed(&self) -> bool {
        self.0.kind == ErrorKind::Decode && self.0.malformed
    }

    /// Returns the transport's failure; `None` if there was a response or no attempt.
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

/// The request id in the headers of the service or of a gateway.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<&str> {
    ["x-request-id", "x-correlation-id", "x-trace-id", "cf-ray"]
        .iter()
        .find_map(|name| headers.get(*name))
        .and_then(|value| value.to_str().ok())
}

/// Whether an input is the id of an uploaded file and not of a parse job.
pub(crate) fn is_file_id(input: &str) -> bool {
    input.starts_with("dfl-")
}

/// Whether the message of a 429 is about a plan's quota and not about the request rate. Status and headers do not tell.
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

/// Whether the message of a rejection is about the credits that a project may spend in a period.
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
        // Without a clock, a date is ignored.
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

    /// The hint is about the network, and not about the key, the id or the document.
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
