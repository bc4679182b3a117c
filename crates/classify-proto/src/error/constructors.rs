//! Constructors of errors.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;

use super::{Error, ErrorKind, Inner};
use crate::api::Api;
use crate::reply::{Failure, FailureKind};
use crate::text::error_body::{self, FieldError};
use crate::text::url_parts::{self, UrlParts};
use crate::v1;
use crate::v2::Job;

/// Number of invalid fields in the message. [`Error::field_errors`] returns all of them.
const MAX_LISTED_FIELDS: usize = 20;

impl Error {
    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            operation: None,
            message: message.into(),
            fields: Vec::new(),
            attempts: 0,
            ambiguous: false,
            is_edited: false,
            io_kind: None,
            malformed: false,
            retry_after: None,
            response: None,
            job_id: None,
            job: None,
            v1_job: None,
            file_id: None,
            transaction_id: None,
            repeatable: false,
            subject: None,
            failure: None,
            source: None,
        }))
    }

    /// Creates the error of a value that failed validation before anything was sent. `field` names the value.
    #[must_use]
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldError::new(field, message)])
    }

    pub(crate) fn invalid_fields(fields: Vec<FieldError>) -> Self {
        let mut message = fields
            .iter()
            .take(MAX_LISTED_FIELDS)
            .map(|f| format!("{} {}", f.field, f.message))
            .collect::<Vec<_>>()
            .join("; ");
        if let Some(more) = fields
            .len()
            .checked_sub(MAX_LISTED_FIELDS)
            .filter(|more| *more > 0)
        {
            // Writing to a String cannot fail.
            let _ = write!(message, "; and {more} more");
        }
        let mut error = Self::new(ErrorKind::Invalid, message);
        error.0.fields = fields;
        error
    }

    /// A response whose status is not 2xx.
    pub(crate) fn from_response(response: http::Response<Bytes>) -> Self {
        let words = error_body::read(response.body());
        let mut message = words.message;
        if response.status().is_redirection() {
            // A redirect is not followed: it could carry the key or the document to another host.
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

    /// A 2xx response that could not be parsed, although it may be JSON.
    pub(crate) fn decode(
        response: http::Response<Bytes>,
        message: impl Into<String>,
        is_json: bool,
    ) -> Self {
        let mut error = Self::new(ErrorKind::Decode, message);
        error.0.response = Some(response);
        error.0.malformed = !is_json;
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
        error.0.failure = Some(failure);
        error
    }

    /// Adds the request's host and port, and the proxy, to the message.
    pub(crate) fn on_the_way_to(mut self, api: &Api) -> Self {
        let Some(failure) = &self.0.failure else {
            return self;
        };
        let uri = api.base_uri();
        let port = match uri.port_u16() {
            Some(port) => port,
            None if uri.scheme_str() == Some("http") => 80,
            None => 443,
        };
        let mut to = format!("{}:{port}", uri.host().unwrap_or_default());
        if let Some(proxy) = failure.proxy() {
            to.push_str(" through the proxy ");
            to.push_str(proxy);
        }
        self.0.message = match failure.kind() {
            FailureKind::Connect => format!("no connection to {to}"),
            FailureKind::Timeout => format!("no response in time from {to}"),
            FailureKind::Broken => format!("the connection to {to} broke"),
            FailureKind::Refused => format!("the transport refuses the request to {to}"),
            FailureKind::TooLarge | FailureKind::Content => return self,
        };
        self
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

    /// A create returned a job of a saved configuration that was edited since.
    pub(crate) fn edited_configuration(field: &str, job: Job) -> Self {
        let message = format!(
            "the saved configuration was edited after this job was created: {field} differs"
        );
        let mut error = Self::conflict(message, job);
        error.0.is_edited = true;
        error
    }

    pub(crate) fn v1_conflict(message: impl Into<String>, job: v1::Job) -> Self {
        Self::new(ErrorKind::Conflict, message).with_v1_job(job)
    }

    /// A 2xx response that does not match the request and shows no job.
    pub(crate) fn unexpected_result(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    pub(crate) fn deadline(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Deadline, message)
    }

    pub(crate) fn job_failed(job: Job) -> Self {
        let message = job
            .error_message
            .as_deref()
            .map_or_else(String::new, error_body::one_line);
        Self::new(ErrorKind::JobFailed, message).with_job(job)
    }

    pub(crate) fn job_cancelled(job: Job) -> Self {
        Self::new(ErrorKind::JobCancelled, "").with_job(job)
    }

    /// A v1 job that failed, with all of its files.
    pub(crate) fn v1_job_failed(job: v1::Job) -> Self {
        let message = job
            .error_message
            .as_deref()
            .map_or_else(String::new, error_body::one_line);
        Self::new(ErrorKind::JobFailed, message).with_v1_job(job)
    }

    pub(crate) fn v1_job_cancelled(job: v1::Job) -> Self {
        Self::new(ErrorKind::JobCancelled, "").with_v1_job(job)
    }

    /// Received data that is not a response: the delivery of a webhook.
    pub(crate) fn unreadable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Decode, message)
    }

    pub(crate) fn rate_limit_delay(delay: Duration) -> Self {
        Self::new(
            ErrorKind::RateLimit,
            "the rate limit allows no request within the time that the call may wait",
        )
        .with_retry_after(Some(delay))
    }

    pub(crate) fn paging(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Paging, message)
    }

    /// Creates the error of a saved state or a journal that cannot be used. For drivers that store them.
    #[must_use]
    pub fn state(message: impl Into<String>) -> Self {
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

    /// Sets the job that the error is about.
    pub(crate) fn about_job(mut self, id: &str) -> Self {
        self.0.job_id = Some(id.to_owned());
        self
    }

    pub(crate) fn with_job(mut self, job: Job) -> Self {
        self.0.job_id = Some(job.id.clone());
        self.0.job = Some(Box::new(job));
        self
    }

    pub(crate) fn with_v1_job(mut self, job: v1::Job) -> Self {
        self.0.job_id = Some(job.id.clone());
        self.0.v1_job = Some(Box::new(job));
        self
    }

    /// Sets the file that was uploaded for the create.
    pub(crate) fn with_file_id(mut self, id: Option<&str>) -> Self {
        self.0.file_id = id.map(str::to_owned).or(self.0.file_id);
        self
    }

    /// Sets whether classifying the same content again returns the same job: if the transaction id is derived from the
    /// content and the options do not ask for another paid run.
    pub(crate) fn with_repeatable(mut self, is_repeatable: bool) -> Self {
        self.0.repeatable = is_repeatable;
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

    /// Copies the error for a report while the original is returned elsewhere. Keeps only the transport's cause.
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
            is_edited: inner.is_edited,
            io_kind: inner.io_kind,
            malformed: inner.malformed,
            retry_after: inner.retry_after,
            response,
            job_id: None,
            job: None,
            v1_job: None,
            file_id: None,
            transaction_id: None,
            repeatable: false,
            subject: None,
            failure: inner.failure.clone(),
            source: None,
        }))
    }
}

/// Describes the target of a redirect without its path and query, which may contain secrets.
fn origin(location: &str) -> String {
    url_parts::origin(location).unwrap_or_else(|| match UrlParts::split(location) {
        Some(_) => "an invalid URL".to_owned(),
        None => "another path".to_owned(),
    })
}

/// For a driver that fails before it has a machine: it could not get random bytes or set up its transport.
impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::from_failure(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redact_redirect_path_and_query_in_error() {
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
}
