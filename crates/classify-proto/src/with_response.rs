//! The raw response beside what was read from it.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use crate::api::Api;
use crate::body::Body;
use crate::error::{Error, request_id};
use crate::machine::Attempts;
use crate::operation::{Idempotency, Operation, RateClass, Recovery, Seed};

/// An operation whose output comes with the response it was read from.
///
/// ```
/// use classify_proto::{Operation, WithResponse, http, v2};
///
/// let get = WithResponse::new(v2::GetJob::new("clj-1"));
/// let response = http::Response::builder()
///     .header("x-request-id", "req-7")
///     .body(r#"{"id": "clj-1", "status": "RUNNING"}"#.into())?;
/// let answer = get.parse(response)?;
/// assert_eq!(answer.value.id, "clj-1");
/// assert_eq!(answer.request_id(), Some("req-7"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A list's pages come with their responses when it is called page by page; a [`Pager`](crate::machine::Pager) takes
/// plain pages only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WithResponse<O>(O);

/// What was read, and the response it was read from.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer<T> {
    /// What was read.
    pub value: T,
    /// The response's status.
    pub status: StatusCode,
    /// The response's headers.
    pub headers: HeaderMap,
    /// The response's body, as it came.
    pub body: Bytes,
    /// How many requests were sent for it.
    pub attempts: u32,
}

impl<T> Answer<T> {
    /// The id that the service gave to the request, for a report to its operators.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        request_id(&self.headers)
    }

    fn new(value: T, response: &http::Response<Bytes>) -> Self {
        Self {
            value,
            status: response.status(),
            headers: response.headers().clone(),
            body: response.body().clone(),
            attempts: response
                .extensions()
                .get::<Attempts>()
                .map_or(1, |attempts| attempts.0),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers by name, the body by size: a cookie, a presigned URL or a document's words have no place in a log.
        f.debug_struct("Answer")
            .field("value", &self.value)
            .field("status", &self.status)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("attempts", &self.attempts)
            .finish()
    }
}

impl<O: Operation> WithResponse<O> {
    /// The operation, with its responses.
    #[must_use]
    pub fn new(operation: O) -> Self {
        Self(operation)
    }

    /// The operation itself.
    #[must_use]
    pub fn inner(&self) -> &O {
        &self.0
    }
}

impl<O: Operation> Operation for WithResponse<O> {
    type Output = Answer<O::Output>;

    const NAME: &'static str = O::NAME;

    fn idempotency(&self) -> Idempotency {
        self.0.idempotency()
    }

    fn rate_class(&self) -> RateClass {
        self.0.rate_class()
    }

    fn prepare(&mut self, seed: Seed) {
        self.0.prepare(seed);
    }

    fn reserved_fields(&self) -> &'static [(&'static str, &'static str)] {
        self.0.reserved_fields()
    }

    fn secrets(&self) -> Vec<String> {
        self.0.secrets()
    }

    fn validate(&self) -> Result<(), Error> {
        self.0.validate()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        self.0.build_request_unvalidated(api)
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<Self::Output, Error> {
        // ConfigInterner the body costs nothing, and the parts are small.
        let value = self.0.parse_success(response.clone())?;
        Ok(Answer::new(value, &response))
    }

    fn parse(&self, response: http::Response<Bytes>) -> Result<Self::Output, Error> {
        // As the operation itself parses: it may have a way of its own.
        let value = self.0.parse(response.clone())?;
        Ok(Answer::new(value, &response))
    }

    fn recover(&self, refusal: &Error) -> Recovery<Self::Output> {
        match (self.0.recover(refusal), refusal.response()) {
            // The refusal is the response there is.
            (Recovery::FinishedDocument(value), Some(response)) => {
                Recovery::FinishedDocument(Answer::new(value, response))
            }
            (Recovery::Verify, _) => Recovery::Verify,
            _ => Recovery::Failed,
        }
    }

    fn look(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        self.0.look(api)
    }

    fn is_brought_about(&self, found: &Self::Output) -> bool {
        self.0.is_brought_about(&found.value)
    }

    fn annotate(&self, error: Error) -> Error {
        self.0.annotate(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Call, Context, Machine as _, Step};
    use crate::v2::examples::api;
    use crate::{Time, files, v2};

    /// Calls with these answers, one after the other.
    fn call<O: Operation>(
        operation: O,
        answers: &[(u16, &'static str)],
    ) -> Result<O::Output, Error> {
        let api = api();
        let mut call = Call::new(operation, Seed::new([0; 16]));
        let mut now = Time::from_millis(0);
        let mut answers = answers.iter();
        loop {
            match call.poll(Context::new(&api, now)) {
                Step::Send(ticket, _) => {
                    let (status, body) = answers.next().unwrap();
                    let response = http::Response::builder()
                        .status(*status)
                        .header("x-request-id", "req-7")
                        .header("set-cookie", "canary")
                        .body(Bytes::from(*body))
                        .unwrap();
                    call.handle(Context::new(&api, now), ticket, Ok(response));
                }
                Step::Wait(until) => now = until.unwrap(),
                Step::Event(never) => match never {},
                Step::Done(result) => return result,
            }
        }
    }

    #[test]
    fn the_response_comes_with_the_value_and_the_attempts_it_took() {
        let body = r#"{"id":"1","status":"COMPLETED"}"#;
        let answer = call(
            WithResponse::new(v2::GetJob::new("1")),
            &[(503, ""), (500, ""), (200, body)],
        )
        .unwrap();
        assert_eq!(answer.value.id, "1");
        assert_eq!((answer.status.as_u16(), answer.attempts), (200, 3));
        assert_eq!(answer.request_id(), Some("req-7"));
        assert_eq!(answer.body, body);
        assert!(!format!("{answer:?}").contains("canary"));
    }

    #[test]
    fn a_refusal_that_settles_it_is_the_response() {
        let answer = call(
            WithResponse::new(files::DeleteFile::new("dfl-1")),
            &[(500, ""), (404, "{}")],
        )
        .unwrap();
        assert_eq!((answer.status.as_u16(), answer.attempts), (404, 2));

        let cancelled = r#"{"id":"1","status":"CANCELLED"}"#;
        let answer = call(
            WithResponse::new(v2::CancelJob::new("1")),
            &[(502, ""), (409, ""), (200, cancelled)],
        )
        .unwrap();
        assert_eq!(answer.value.status, v2::JobStatus::Cancelled);
    }

    #[test]
    fn a_refusal_is_an_error_all_the_same() {
        let error = call(WithResponse::new(v2::GetJob::new("1")), &[(404, "")]).unwrap_err();
        assert!(error.is_not_found());
        assert_eq!(error.job_id(), Some("1"));
    }

    #[test]
    fn without_a_call_it_is_the_first_attempt() {
        let answer = WithResponse::new(v2::GetJob::new("1"))
            .parse(crate::v2::examples::ok(r#"{"id":"1","status":"X"}"#))
            .unwrap();
        assert_eq!(answer.attempts, 1);
    }
}
