//! One opaque error with predicates.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::reply::{Failure, FailureKind};
use crate::text::retry_after::retry_after_without_clock;
use crate::text::service_words::{self, FieldError};
use crate::v1;
use crate::v2::Job;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What went wrong, where, and what to do about it.
///
/// Ask it with the `is_…` predicates; they may overlap (a timed-out create is both [`is_timeout`](Self::is_timeout)
/// and [`is_ambiguous`](Self::is_ambiguous)). `Display` is one line: the operation, the status, the service's own
/// words, the attempts made and a hint. [`source`](std::error::Error::source) is the cause where there is one.
///
/// Neither `Display`, `Debug` nor a cause shows a secret, a request's body, or more of a response's body than the words
/// in which the service says what is wrong; the body is at hand as [`raw_body`](Self::raw_body). Should those words
/// repeat the key, a [`Call`](crate::machine::Call) takes it out before they are read; one who parses responses without
/// a `Call` hands them to [`Api::clean`](crate::Api::clean) first.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: Option<&'static str>,
    message: String,
    fields: Vec<FieldError>,
    attempts: u32,
    ambiguous: bool,
    /// What came is not even JSON.
    garbled: bool,
    retry_after: Option<Duration>,
    response: Option<http::Response<Bytes>>,
    job_id: Option<String>,
    job: Option<Job>,
    v1_job: Option<v1::Job>,
    transaction_id: Option<String>,
    subject: Option<String>,
    source: Option<Cause>,
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
    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            operation: None,
            message: message.into(),
            fields: Vec::new(),
            attempts: 0,
            ambiguous: false,
            garbled: false,
            retry_after: None,
            response: None,
            job_id: None,
            job: None,
            v1_job: None,
            transaction_id: None,
            subject: None,
            source: None,
        }))
    }

    /// A value that was refused before anything was sent; `field` says which.
    pub(crate) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldError::new(field, message)])
    }

    pub(crate) fn invalid_fields(fields: Vec<FieldError>) -> Self {
        let message = fields
            .iter()
            .map(|f| format!("{} {}", f.field, f.message))
            .collect::<Vec<_>>()
            .join("; ");
        let mut error = Self::new(ErrorKind::Invalid, message);
        error.0.fields = fields;
        error
    }

    /// A response whose status is not success.
    pub(crate) fn from_response(response: http::Response<Bytes>) -> Self {
        let words = service_words::read(response.body());
        let mut message = words.message;
        if response.status().is_redirection() {
            // A redirect is never followed: it would carry the key, or the document, somewhere else.
            message = match response
                .headers()
                .get(http::header::LOCATION)
                .and_then(|value| value.to_str().ok())
            {
                Some(location) => format!("redirects to {} are not followed", origin(location)),
                None => "redirects are not followed".to_owned(),
            };
        }
        let mut error = Self::new(ErrorKind::Status, message);
        error.0.fields = words.fields;
        error.0.response = Some(response);
        error
    }

    /// A successful response that could not be read, although it may be JSON.
    pub(crate) fn decode(
        response: http::Response<Bytes>,
        message: impl Into<String>,
        is_json: bool,
    ) -> Self {
        let mut error = Self::new(ErrorKind::Decode, message);
        error.0.response = Some(response);
        error.0.garbled = !is_json;
        error
    }

    pub(crate) fn from_failure(failure: Failure) -> Self {
        let (kind, message) = match failure.kind() {
            FailureKind::Connect => (ErrorKind::Transport, "no connection"),
            FailureKind::Timeout => (ErrorKind::Timeout, "no response in time"),
            FailureKind::Broken => (ErrorKind::Transport, "the connection broke"),
            FailureKind::TooLarge => (ErrorKind::TooLarge, "the response is too large"),
            FailureKind::Content => (ErrorKind::Content, "the document could not be read"),
            FailureKind::Refused => (ErrorKind::Transport, "the transport refuses the request"),
        };
        let mut error = Self::new(kind, message);
        error.0.source = Some(Box::new(failure));
        error
    }

    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::TooLarge, message)
    }

    pub(crate) fn timeout(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Timeout, message)
    }

    pub(crate) fn ambiguous(message: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::Ambiguous, message);
        error.0.ambiguous = true;
        error
    }

    pub(crate) fn conflict(message: impl Into<String>, job: Job) -> Self {
        Self::new(ErrorKind::Conflict, message).with_job(job)
    }

    pub(crate) fn v1_conflict(message: impl Into<String>, job: v1::Job) -> Self {
        Self::new(ErrorKind::Conflict, message).with_v1_job(job)
    }

    /// An answer to another question, without a job to show for it.
    pub(crate) fn stray(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    pub(crate) fn deadline(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Deadline, message)
    }

    pub(crate) fn job_failed(job: Job) -> Self {
        let message = job
            .error_message
            .as_deref()
            .map_or_else(String::new, service_words::one_line);
        Self::new(ErrorKind::JobFailed, message).with_job(job)
    }

    pub(crate) fn job_cancelled(job: Job) -> Self {
        Self::new(ErrorKind::JobCancelled, "").with_job(job)
    }

    /// A v1 job that ended as failed, with all of its files.
    pub(crate) fn v1_job_failed(job: v1::Job) -> Self {
        let message = job
            .error_message
            .as_deref()
            .map_or_else(String::new, service_words::one_line);
        Self::new(ErrorKind::JobFailed, message).with_v1_job(job)
    }

    pub(crate) fn v1_job_cancelled(job: v1::Job) -> Self {
        Self::new(ErrorKind::JobCancelled, "").with_v1_job(job)
    }

    /// Something that was received and is not a response: a webhook's delivery.
    pub(crate) fn unreadable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Decode, message)
    }

    pub(crate) fn held_back(delay: Duration) -> Self {
        Self::new(
            ErrorKind::RateLimit,
            "the rate limit lets nothing through for now",
        )
        .with_retry_after(Some(delay))
    }

    pub(crate) fn paging(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Paging, message)
    }

    pub(crate) fn state(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::State, message)
    }

    pub(crate) fn with_operation(mut self, operation: &'static str) -> Self {
        self.0.operation.get_or_insert(operation);
        self
    }

    pub(crate) fn with_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    pub(crate) fn with_ambiguity(mut self, ambiguous: bool) -> Self {
        self.0.ambiguous |= ambiguous;
        self
    }

    pub(crate) fn with_retry_after(mut self, delay: Option<Duration>) -> Self {
        self.0.retry_after = delay.or(self.0.retry_after);
        self
    }

    pub(crate) fn with_job_id(mut self, id: impl Into<String>) -> Self {
        self.0.job_id.get_or_insert_with(|| id.into());
        self
    }

    /// The same error, about this job and no other.
    pub(crate) fn about_job(mut self, id: &str) -> Self {
        self.0.job_id = Some(id.to_owned());
        self
    }

    pub(crate) fn with_job(mut self, job: Job) -> Self {
        self.0.job_id = Some(job.id.clone());
        self.0.job = Some(job);
        self
    }

    pub(crate) fn with_v1_job(mut self, job: v1::Job) -> Self {
        self.0.job_id = Some(job.id.clone());
        self.0.v1_job = Some(job);
        self
    }

    pub(crate) fn with_transaction_id(mut self, id: Option<&str>) -> Self {
        self.0.transaction_id = id.map(str::to_owned).or(self.0.transaction_id);
        self
    }

    pub(crate) fn with_source(mut self, source: Error) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// The same error without its cause, for a report beside the one that has it.
    pub(crate) fn duplicate(&self) -> Self {
        let inner = &*self.0;
        let response = inner.response.as_ref().map(|response| {
            let mut copy = http::Response::new(response.body().clone());
            *copy.status_mut() = response.status();
            *copy.headers_mut() = response.headers().clone();
            copy
        });
        Self(Box::new(Inner {
            kind: inner.kind,
            operation: inner.operation,
            message: inner.message.clone(),
            fields: inner.fields.clone(),
            attempts: inner.attempts,
            ambiguous: inner.ambiguous,
            garbled: inner.garbled,
            retry_after: inner.retry_after,
            response,
            job_id: None,
            job: None,
            v1_job: None,
            transaction_id: None,
            subject: None,
            source: None,
        }))
    }

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

    /// How many requests were sent for the operation; zero when it was refused before sending.
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
        self.0.job.as_ref()
    }

    /// The v1 job as last seen: of a failed or cancelled job, or of a wait that reached its deadline.
    #[must_use]
    pub fn v1_job(&self) -> Option<&v1::Job> {
        self.0.v1_job.as_ref()
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

    /// The connection could not be made, or broke.
    #[must_use]
    pub fn is_transport(&self) -> bool {
        self.0.kind == ErrorKind::Transport
    }

    /// Too many requests in too short a time: waiting helps.
    #[must_use]
    pub fn is_rate_limited(&self) -> bool {
        self.0.kind == ErrorKind::RateLimit
            || (self.has_status(&[StatusCode::TOO_MANY_REQUESTS]) && !self.is_quota())
    }

    /// The key is missing, wrong, of another region, or lacks the right (401, 403).
    #[must_use]
    pub fn is_auth(&self) -> bool {
        self.has_status(&[StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN])
    }

    /// The plan has no credits or no room left: 402, or a 429 whose words speak of a quota. Waiting does not help.
    #[must_use]
    pub fn is_quota(&self) -> bool {
        self.has_status(&[StatusCode::PAYMENT_REQUIRED])
            || (self.has_status(&[StatusCode::TOO_MANY_REQUESTS])
                && speaks_of_quota(&self.0.message))
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
            ErrorKind::Decode => self.is_garbled(),
            ErrorKind::Status => {
                !self.is_quota()
                    && self.status().is_some_and(|status| {
                        matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
                    })
            }
            _ => false,
        }
    }

    /// A successful response that is not even JSON: cut short, or a gateway's page.
    pub(crate) fn is_garbled(&self) -> bool {
        self.0.kind == ErrorKind::Decode && self.0.garbled
    }

    /// The driver's failure, where there was no response.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.0.source.as_ref()?.downcast_ref()
    }

    fn has_status(&self, statuses: &[StatusCode]) -> bool {
        self.0.kind == ErrorKind::Status
            && self
                .status()
                .is_some_and(|status| statuses.contains(&status))
    }

    /// What to do where the service may have acted, whatever it was that went wrong.
    fn hint_of_ambiguity(&self) -> Option<&'static str> {
        self.0.ambiguous.then_some(match self.0.transaction_id {
            Some(_) => "send it again under the same transaction id: that cannot make a second job",
            None => "it may have been acted upon; look for its effect before sending it again",
        })
    }

    fn hint(&self) -> Option<&'static str> {
        if self.is_quota() {
            return Some(
                "the plan has no credits or room left; more requests cannot help until it has",
            );
        }
        match self.0.kind {
            ErrorKind::Deadline => Some("the job goes on; wait for it again by its id"),
            ErrorKind::Conflict if self.0.transaction_id.is_some() => {
                Some("use another transaction id for another request")
            }
            ErrorKind::Status => match self.status()?.as_u16() {
                401 => Some(
                    "check the key, and that it is of this region: a key is valid in one region only",
                ),
                403 => Some("the key has no right to this project or organization"),
                404 if self
                    .0
                    .operation
                    .is_some_and(|name| name.starts_with("classifier.jobs")) =>
                {
                    Some(
                        "check the id, and that it belongs to the key's project; v1 has left the published interface and may have been withdrawn",
                    )
                }
                404 => Some("check the id, and that it belongs to the key's project"),
                410 => {
                    Some("the service has withdrawn this endpoint; v1 left its published interface")
                }
                413 => Some("the document is over the service's size limit"),
                422 => Some("correct the named field"),
                429 => Some("slow down"),
                300..=399 => Some("check the base URL"),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The id that a service or a gateway gave to a request.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<&str> {
    ["x-request-id", "x-correlation-id", "x-trace-id", "cf-ray"]
        .iter()
        .find_map(|name| headers.get(*name))
        .and_then(|value| value.to_str().ok())
}

/// Whether a 429 speaks of a plan's cap rather than of requests coming too fast. The body is all there is to go by.
fn speaks_of_quota(message: &str) -> bool {
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

/// A URL without what may be secret in it: its scheme and host.
fn origin(location: &str) -> String {
    match location.parse::<http::Uri>() {
        Ok(uri) => match (uri.scheme_str(), uri.host()) {
            (Some(scheme), Some(host)) => format!("{scheme}://{host}"),
            _ => "another path".to_owned(),
        },
        Err(_) => "an unreadable place".to_owned(),
    }
}

/// For a driver that fails before it has a machine to tell: it could not draw a seed, or set up its transport.
impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::from_failure(failure)
    }
}

/// Writes a line break, and any other control character, as a space: much of an error is somebody else's words.
struct OneLine<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (place, piece) in text.split(char::is_control).enumerate() {
            if place > 0 {
                self.0.write_str(" ")?;
            }
            self.0.write_str(piece)?;
        }
        Ok(())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        let f = &mut OneLine(f);
        let inner = &*self.0;
        let mut parts: Vec<String> = Vec::new();
        if let Some(subject) = &inner.subject {
            parts.push(service_words::one_line(subject));
        }
        parts.extend(inner.operation.map(str::to_owned));
        match inner.kind {
            ErrorKind::Status => parts.extend(self.status().map(|status| status.to_string())),
            ErrorKind::Decode => {
                parts.extend(
                    self.status()
                        .map(|status| format!("{status}, but the response could not be read")),
                );
            }
            ErrorKind::JobFailed | ErrorKind::JobCancelled => {
                let verb = if inner.kind == ErrorKind::JobFailed {
                    "failed"
                } else {
                    "was cancelled"
                };
                parts.push(format!(
                    "job {} {verb}",
                    inner.job_id.as_deref().unwrap_or("(no id)")
                ));
            }
            _ => {}
        }
        if !inner.message.is_empty() {
            parts.push(inner.message.clone());
        }
        if let Some(failure) = self.failure() {
            parts.push(service_words::one_line(&failure.to_string()));
        }
        f.write_str(&parts.join(": "))?;

        let mut notes: Vec<String> = Vec::new();
        if inner.attempts > 1 {
            notes.push(format!("{} attempts", inner.attempts));
        }
        if let Some(delay) = self.retry_after() {
            notes.push(format!(
                "the service asks to wait {} s",
                delay.as_secs_f64().ceil()
            ));
        }
        if inner.ambiguous || inner.kind == ErrorKind::Conflict {
            notes.extend(
                inner
                    .transaction_id
                    .as_deref()
                    .map(|id| format!("transaction id {id}")),
            );
        }
        if !matches!(inner.kind, ErrorKind::JobFailed | ErrorKind::JobCancelled) {
            notes.extend(inner.job_id.as_deref().map(|id| format!("job {id}")));
        }
        notes.extend(
            self.request_id()
                .map(|id| format!("request id {}", service_words::one_line(id))),
        );
        if !notes.is_empty() {
            write!(f, " ({})", notes.join(", "))?;
        }
        for hint in [self.hint_of_ambiguity(), self.hint()]
            .into_iter()
            .flatten()
        {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.to_string())
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0
            .source
            .as_ref()
            .map(|cause| &**cause as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, body: &'static str) -> Error {
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
    fn display_says_operation_status_words_and_hint_in_one_line() {
        assert_eq!(
            status(404, r#"{"detail":"Job\nnot found"}"#).to_string(),
            "classify.get: 404 Not Found: Job not found (request id req-7); check the id, and that it belongs to the key's project"
        );
        let error = Error::from_failure(Failure::timeout("60 s passed"))
            .with_operation("classify.create")
            .with_attempts(6)
            .with_ambiguity(true)
            .with_transaction_id(Some("tx-1"));
        assert_eq!(
            error.to_string(),
            "classify.create: no response in time: 60 s passed (6 attempts, transaction id tx-1); send it again under the same transaction id: that cannot make a second job"
        );
        assert!(error.is_timeout() && error.is_ambiguous() && !error.is_auth());
    }

    #[test]
    fn every_status_with_a_remedy_has_a_hint() {
        for (code, word) in [
            (401, "region"),
            (402, "credits"),
            (403, "right"),
            (404, "project"),
            (410, "withdrawn"),
            (413, "size"),
            (422, "field"),
            (429, "slow"),
            (307, "base URL"),
        ] {
            let text = status(code, "").to_string();
            assert!(text.contains(word), "{code}: {text}");
        }
    }

    /// What may have been acted upon is not sent again unseen, whatever it is that went wrong.
    #[test]
    fn every_ambiguous_error_says_to_look_first() {
        let response = || http::Response::new(Bytes::from_static(b"{"));
        for error in [
            status(500, ""),
            status(504, ""),
            status(401, ""),
            status(402, ""),
            Error::decode(response(), "the JSON ends too early", false),
            Error::too_large("the response is too large"),
            Error::from_failure(Failure::too_large(1)),
            Error::from_failure(Failure::broken("reset")),
            Error::timeout("no reply"),
            Error::ambiguous("the reply was lost"),
        ] {
            let shown = error.duplicate().with_ambiguity(true).to_string();
            assert!(shown.contains("look for its effect"), "{shown}");
            let keyed = error.with_ambiguity(true).with_transaction_id(Some("t"));
            let shown = keyed.to_string();
            assert!(shown.contains("same transaction id"), "{shown}");
        }
        // The remedy of the refusal is said as well.
        let shown = status(401, "").with_ambiguity(true).to_string();
        assert!(shown.contains("region"), "{shown}");
    }

    #[test]
    fn a_404_of_v1_may_be_the_end_of_v1() {
        let of = |operation: &'static str| {
            let response = http::Response::builder().status(404).body(Bytes::new());
            let error = Error::from_response(response.unwrap()).with_operation(operation);
            error.to_string()
        };
        for operation in ["classifier.jobs.create", "classifier.jobs.wait"] {
            let shown = of(operation);
            assert!(
                shown.contains("withdrawn") && shown.contains("id"),
                "{shown}"
            );
        }
        assert!(!of("classify.get").contains("withdrawn"));
    }

    #[test]
    fn the_delay_that_is_asked_for_is_known_without_a_call() {
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
    fn a_429_is_read_before_it_is_believed() {
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
    fn a_redirect_names_the_host_and_not_the_path() {
        let response = http::Response::builder()
            .status(302)
            .header("location", "https://evil.example/x?token=canary")
            .body(Bytes::new())
            .unwrap();
        let text = Error::from_response(response).to_string();
        assert!(
            text.contains("https://evil.example") && !text.contains("canary"),
            "{text}"
        );
    }

    #[test]
    fn bodies_stay_out_of_display_and_debug() {
        let error = status(500, r#"{"unknown":"canary"}"#);
        assert!(!format!("{error} {error:?}").contains("canary"));
        assert_eq!(&error.raw_body().unwrap()[..], br#"{"unknown":"canary"}"#);
        assert_eq!(error.request_id(), Some("req-7"));
    }

    #[test]
    fn it_can_cross_threads() {
        fn assert_send_sync<T: Send + Sync + 'static>() {}
        assert_send_sync::<Error>();
    }
}
