//! One operation with its retries, which returns the HTTP response as well.

use std::convert::Infallible;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::call::Call;
use super::context::Context;
use super::saved::Saved;
use super::step::{Machine, Step, Ticket};
use crate::error::Error;
use crate::operation::Operation;
use crate::raw_response::RawResponse;
use crate::reply::Reply;

/// A [`Call`] that returns the HTTP response together with the parsed value. Created by [`Call::with_raw_response`].
#[derive(Serialize, Deserialize)]
#[serde(
    transparent,
    bound(serialize = "O: Serialize", deserialize = "O: Deserialize<'de>")
)]
pub struct RawCall<O: Operation>(pub(super) Call<O>);

impl<O: Operation + fmt::Debug> fmt::Debug for RawCall<O>
where
    O::Output: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RawCall").field(&self.0).finish()
    }
}

impl<O: Operation> Machine for RawCall<O> {
    type Event = Infallible;
    type Output = Result<RawResponse<O::Output>, Error>;

    fn poll(&mut self, cx: Context<'_>) -> Step<Infallible, Self::Output> {
        match self.0.poll(cx) {
            Step::Send(ticket, request) => Step::Send(ticket, request),
            Step::Wait(until) => Step::Wait(until),
            Step::Event(never) => match never {},
            Step::Done(result) => Step::Done(result.map(|value| self.0.raw_response(value))),
        }
    }

    fn handle(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply) {
        self.0.handle(cx, ticket, reply);
    }

    fn resume(&mut self) {
        self.0.resume();
    }
}

impl<O: Operation + Serialize + DeserializeOwned> Saved for RawCall<O> {
    fn kind(&self) -> String {
        self.0.kind()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Call, Context, Step};
    use crate::v2::examples::api;
    use crate::{Seed, Time, files, v2};
    use bytes::Bytes;

    /// Calls with these responses, one after the other.
    fn call<O: Operation>(
        operation: O,
        answers: &[(u16, &'static str)],
    ) -> Result<RawResponse<O::Output>, Error> {
        let api = api();
        let mut call = Call::new(operation, Seed::new([0; 16])).with_raw_response();
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
    fn raw_response_includes_value_and_attempt_count() {
        let body = r#"{"id":"1","status":"COMPLETED"}"#;
        let answer = call(v2::GetJob::new("1"), &[(503, ""), (500, ""), (200, body)]).unwrap();
        assert_eq!(answer.value.id, "1");
        assert_eq!((answer.status.as_u16(), answer.attempts), (200, 3));
        assert_eq!(answer.request_id(), Some("req-7"));
        assert_eq!(answer.body, body);
        assert!(!format!("{answer:?}").contains("canary"));
    }

    #[test]
    fn raw_response_after_recovery_from_error_status() {
        let answer = call(files::DeleteFile::new("dfl-1"), &[(500, ""), (404, "{}")]).unwrap();
        assert_eq!((answer.status.as_u16(), answer.attempts), (404, 2));

        let cancelled = r#"{"id":"1","status":"CANCELLED"}"#;
        let answer = call(
            v2::CancelJob::new("1"),
            &[(502, ""), (409, ""), (200, cancelled)],
        )
        .unwrap();
        assert_eq!(answer.value.status, v2::JobStatus::Cancelled);
    }

    #[test]
    fn raw_response_error_status_is_returned_as_error() {
        let error = call(v2::GetJob::new("1"), &[(404, "")]).unwrap_err();
        assert!(error.is_not_found());
        assert_eq!(error.job_id(), Some("1"));
    }

    #[test]
    fn raw_response_parsed_without_call_counts_one_attempt() {
        let body = r#"{"id":"1","status":"X"}"#;
        let answer = call(v2::GetJob::new("1"), &[(200, body)]).unwrap();
        assert_eq!(answer.attempts, 1);
    }
}
