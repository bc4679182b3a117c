//! One operation with its retries.

use std::convert::Infallible;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::backoff::backoff;
use super::context::Context;
use super::response_deadline::ResponseDeadline;
use super::retry::{Retry, classify_error};
use super::saved::Saved;
use super::step::{Machine, Step, Ticket};
use crate::operation::Operation;
use crate::seed::Seed;
use crate::semantics::{Idempotency, RateClass, Recovery};
use bytes::Bytes;

use super::observer::{AttemptInfo, WaitReason};
use super::rate_limits::RateFeedback;
use super::raw_call::RawCall;
use crate::Time;
use crate::api::Api;
use crate::body::Body;
use crate::call_options::CallOptions;
use crate::error::Error;
use crate::raw_response::RawResponse;
use crate::reply::Reply;
use crate::text::retry_after::retry_after;

/// One operation with its retries. All other machines consist of calls.
///
/// The operation is prepared once, with the seed, and builds a new request for each attempt. So all attempts of a
/// create have the same transaction id, and each attempt of an upload opens its file again.
///
/// ```
/// use classify_proto::machine::{Call, Context, Machine, Step};
/// use classify_proto::{Api, Seed, Time, v2};
///
/// let api = Api::builder("llx-key").build()?;
/// let mut call = Call::new(v2::GetJob::new("clj-1"), Seed::new([0; 16]));
/// let start = Time::from_millis(0);
///
/// // The service is down for a moment …
/// let Step::Send(ticket, _) = call.poll(Context::new(&api, start)) else { panic!() };
/// let down = http::Response::builder().status(503).body(Default::default())?;
/// call.handle(Context::new(&api, start), ticket, Ok(down));
/// let Step::Wait(Some(later)) = call.poll(Context::new(&api, start)) else { panic!() };
///
/// // … and then answers.
/// let Step::Send(ticket, _) = call.poll(Context::new(&api, later)) else { panic!() };
/// let answer = http::Response::new(r#"{"id": "clj-1", "status": "RUNNING"}"#.into());
/// call.handle(Context::new(&api, later), ticket, Ok(answer));
/// let Step::Done(Ok(job)) = call.poll(Context::new(&api, later)) else { panic!() };
/// assert_eq!(job.id, "clj-1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(serialize = "O: Serialize", deserialize = "O: Deserialize<'de>"))]
pub struct Call<O: Operation> {
    operation: O,
    #[serde(default, skip_serializing_if = "CallOptions::is_empty")]
    options: CallOptions,
    retry: Retry,
    seed: Seed,
    /// Requests sent, without those whose reply can no longer arrive.
    attempts: u32,
    /// The part of `attempts` that the transport did not begin. They count for the retry policy and are not reported.
    #[serde(default, skip_serializing_if = "is_zero")]
    unsent: u32,
    /// An attempt whose response was lost may have had an effect.
    may_have_acted: bool,
    deadline: Option<Time>,
    next_ticket: u64,
    state: CallState,
    /// Reads the state to find out the effect of a lost attempt, instead of sending the request again.
    verifying: bool,
    #[serde(skip)]
    rejection: Option<Error>,
    #[serde(skip)]
    outcome: Option<Result<O::Output, Error>>,
    /// The response of the result, if the caller asked for it.
    #[serde(skip)]
    keeps_response: bool,
    #[serde(skip)]
    response: Option<http::Response<Bytes>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CallState {
    Ready,
    Sent(Ticket),
    BackingOff(Time),
    Answered,
    /// The response to a request that must not be repeated was lost with the process.
    Lost,
    Ended,
}

impl<O: Operation> Call<O> {
    /// Creates a call with the default [`Retry`] policy. `seed` is 16 random bytes from the driver.
    #[must_use]
    pub fn new(mut operation: O, seed: Seed) -> Self {
        operation.prepare(seed);
        Self {
            operation,
            options: CallOptions::default(),
            retry: Retry::default(),
            seed,
            attempts: 0,
            unsent: 0,
            may_have_acted: false,
            deadline: None,
            next_ticket: 0,
            state: CallState::Ready,
            verifying: false,
            rejection: None,
            outcome: None,
            keeps_response: false,
            response: None,
        }
    }

    /// Sets the retry policy.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Adds headers, query parameters and body fields to every request.
    #[must_use]
    pub fn options(mut self, options: CallOptions) -> Self {
        self.options = options;
        self
    }

    /// Returns the HTTP response together with the parsed value.
    #[must_use]
    pub fn with_raw_response(mut self) -> RawCall<O> {
        self.keeps_response = true;
        RawCall(self)
    }

    /// Pairs the call's output with the response that it was parsed from.
    pub(super) fn raw_response(&mut self, value: O::Output) -> RawResponse<O::Output> {
        RawResponse::new(
            value,
            self.response.take().unwrap_or_default(),
            self.sent_attempts().max(1),
        )
    }

    /// Sets the latest end of the call. It applies in addition to the policy's `total_timeout`.
    #[must_use]
    pub fn deadline(mut self, deadline: Time) -> Self {
        self.deadline = Some(self.deadline.map_or(deadline, |given| given.min(deadline)));
        self
    }

    /// Returns the prepared operation, such as to read the transaction id of a create before it is sent.
    #[must_use]
    pub fn operation(&self) -> &O {
        &self.operation
    }

    /// Returns the operation, to set values that a saved state omits: secrets, and documents in memory.
    pub fn operation_mut(&mut self) -> &mut O {
        &mut self.operation
    }

    /// Whether the response to an attempt was lost, so that it may have had an effect.
    pub(crate) fn may_have_acted(&self) -> bool {
        self.may_have_acted
    }

    /// The number of requests that the transport began to send.
    fn sent_attempts(&self) -> u32 {
        self.attempts.saturating_sub(self.unsent)
    }

    fn total_timeout(&self) -> Duration {
        self.retry.total_timeout.unwrap_or(Duration::from_secs(
            match self.operation.semantics().rate_class {
                // Half a gibibyte at the minimum upload rate of drivers takes most of it.
                RateClass::Upload => 150 * 60,
                _ => 15 * 60,
            },
        ))
    }

    /// Sends the request if the limiter grants a permit.
    fn send_if_admitted(
        &mut self,
        cx: Context<'_>,
        deadline: Time,
    ) -> Step<Infallible, Result<O::Output, Error>> {
        // Polled late, or resumed on another day: a response could not arrive before the deadline.
        if cx.now >= deadline {
            self.fail(Error::timeout(
                "the call reached its deadline before a request could be sent",
            ));
            return self.poll(cx);
        }
        let Err(available_at) = cx.admit(self.rate_class()) else {
            return self.send(cx, deadline);
        };
        // The service asked all calls of this client to wait. The same maximum applies as if it had asked this one.
        if available_at < deadline && available_at - cx.now <= self.retry.max_retry_after {
            let reason = WaitReason::RateLimit(self.rate_class());
            cx.waiting(self.operation.name(), reason, available_at);
            return Step::Wait(Some(available_at));
        }
        self.fail(Error::rate_limit_delay(available_at - cx.now));
        self.poll(cx)
    }

    fn rate_class(&self) -> RateClass {
        if self.verifying {
            RateClass::Other
        } else {
            self.operation.semantics().rate_class
        }
    }

    fn request(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        let semantics = self.operation.semantics();
        if let (true, Recovery::Verify(verification)) = (self.verifying, &semantics.recovery) {
            let request = (verification.verification_request)(&self.operation, api)?;
            // The query and the body fields are meant for the operation's own request, not for the verifying read.
            return self.options.apply_headers(request);
        }
        let request = self.operation.build_request(api)?;
        if self.options.is_empty() {
            return Ok(request);
        }
        self.options.apply(request, semantics.reserved_fields)
    }

    fn send(
        &mut self,
        cx: Context<'_>,
        deadline: Time,
    ) -> Step<Infallible, Result<O::Output, Error>> {
        match self.request(cx.api) {
            Ok(mut request) => {
                let attempt = AttemptInfo::new(
                    self.operation.name(),
                    self.attempts.saturating_add(1),
                    self.rate_class(),
                );
                let extensions = request.extensions_mut();
                extensions.insert(ResponseDeadline(deadline));
                extensions.insert(attempt);
                let ticket = Ticket(self.next_ticket);
                self.next_ticket += 1;
                self.attempts += 1;
                self.state = CallState::Sent(ticket);
                Step::Send(ticket, request)
            }
            Err(error) => {
                self.fail(error);
                self.poll(cx)
            }
        }
    }

    fn end(
        &mut self,
        result: Result<O::Output, Error>,
    ) -> Step<Infallible, Result<O::Output, Error>> {
        self.state = CallState::Ended;
        Step::Done(result)
    }

    fn set_outcome(&mut self, result: Result<O::Output, Error>) {
        self.state = CallState::Answered;
        self.outcome = Some(result);
    }

    fn fail(&mut self, error: Error) {
        // A read has no effect, so it is never ambiguous.
        let ambiguous = self.may_have_acted
            && self.operation.semantics().idempotency != Idempotency::Safe
            && !error.shows_job_of_create();
        let error = self
            .operation
            .annotate(error.with_operation(self.operation.name()))
            .with_attempts(self.sent_attempts());
        self.set_outcome(Err(error.with_ambiguity(ambiguous)));
    }

    /// Whether the deadline has passed. At exactly the deadline it has not.
    pub(crate) fn is_late(&self, now: Time) -> bool {
        self.deadline.is_some_and(|deadline| now > deadline)
    }

    fn on_deadline(&mut self) {
        self.may_have_acted = true;
        self.fail(Error::timeout(
            "no response before the deadline of the call",
        ));
    }

    /// Handles a failed attempt: back off and retry, verify its effect by a read, or end.
    fn on_error(&mut self, cx: Context<'_>, error: Error) {
        let idempotency = if self.verifying {
            Idempotency::Safe
        } else {
            self.operation.semantics().idempotency
        };
        let mut decision = classify_error(&error, idempotency, cx.now);
        if self.rate_class() == RateClass::Upload && error.is_intercepted() {
            // The response came from something in between, which must not receive the document again.
            (decision.retry, decision.may_have_acted) = (false, false);
        }
        if !decision.retry {
            return self.on_permanent_error(error, decision.may_have_acted);
        }
        self.may_have_acted |= decision.may_have_acted && !self.verifying;
        let error = error.with_retry_after(decision.delay);
        let retries = self.attempts.saturating_sub(1);
        if retries >= self.retry.max_retries
            || decision
                .delay
                .is_some_and(|delay| delay > self.retry.max_retry_after)
        {
            return self.fail(error);
        }
        let delay = decision.delay.unwrap_or_else(|| {
            backoff(
                self.seed,
                retries,
                self.retry.initial_backoff,
                self.retry.max_backoff,
            )
        });
        // A delay of less than a millisecond would not be in the future.
        let until = cx.now + delay.max(Duration::from_millis(1));
        if self.deadline.is_some_and(|deadline| until >= deadline) {
            return self.fail(error);
        }
        let reason = match decision.delay {
            Some(_) => WaitReason::RetryAfter(&error),
            None => WaitReason::Backoff(&error),
        };
        cx.waiting(self.operation.name(), reason, until);
        self.state = CallState::BackingOff(until);
    }

    fn on_permanent_error(&mut self, error: Error, may_have_acted: bool) {
        if self.verifying {
            return self.fail(error);
        }
        let earlier_may_have_acted = self.may_have_acted;
        self.may_have_acted |= may_have_acted;
        if !earlier_may_have_acted {
            return self.fail(error);
        }
        match self.operation.semantics().recovery {
            Recovery::NotFoundIsSuccess(output) if error.is_not_found() => {
                self.keep_response(error.response());
                self.set_outcome(Ok(output(&self.operation)));
            }
            Recovery::Verify(verification) if (verification.applies_to)(&error) => {
                self.verifying = true;
                (self.attempts, self.unsent) = (0, 0);
                self.rejection = Some(error);
                self.state = CallState::Ready;
            }
            _ => self.fail(error),
        }
    }

    fn keep_response(&mut self, response: Option<&http::Response<Bytes>>) {
        if self.keeps_response {
            self.response = response.cloned();
        }
    }

    fn on_success(&mut self, output: O::Output) {
        let is_satisfied = match self.operation.semantics().recovery {
            Recovery::Verify(verification) => (verification.is_satisfied_by)(&output),
            _ => true,
        };
        if self.verifying && !is_satisfied {
            // This state was not caused by this call, so the rejection stands.
            let rejection = self.rejection.take();
            self.may_have_acted = false;
            return self.fail(
                rejection.unwrap_or_else(|| Error::ambiguous("the error response was lost")),
            );
        }
        self.set_outcome(Ok(output));
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl<O: Operation> Machine for Call<O> {
    type Event = Infallible;
    type Output = Result<O::Output, Error>;

    fn poll(&mut self, cx: Context<'_>) -> Step<Infallible, Self::Output> {
        let total_timeout = self.total_timeout();
        let deadline = *self.deadline.get_or_insert(cx.now + total_timeout);
        if let CallState::BackingOff(until) = self.state {
            // The time may have been saved by a clock that was ahead, and loaded under a correct one.
            self.state = CallState::BackingOff(until.min(cx.now + self.retry.max_delay()));
        }
        match self.state {
            CallState::BackingOff(until) if cx.now < until => Step::Wait(Some(until)),
            CallState::Ready | CallState::BackingOff(_) => self.send_if_admitted(cx, deadline),
            CallState::Sent(_) if cx.now >= deadline => {
                self.on_deadline();
                self.poll(cx)
            }
            CallState::Sent(_) => Step::Wait(Some(deadline)),
            CallState::Answered => {
                if let Some(result) = self.outcome.take() {
                    return self.end(result);
                }
                // Loaded from a state that was saved between the response and its delivery.
                self.resume();
                self.poll(cx)
            }
            CallState::Lost => {
                let error = Error::ambiguous(
                    "the response was lost with the process that sent the request; sending it again could have a second effect",
                );
                let error = self
                    .operation
                    .annotate(error.with_operation(self.operation.name()))
                    .with_attempts(self.sent_attempts());
                self.end(Err(error))
            }
            CallState::Ended => Step::Wait(None),
        }
    }

    fn handle(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply) {
        if self.state != CallState::Sent(ticket) {
            return;
        }
        let parsed = match reply {
            Ok(mut response) => {
                cx.api.redact_key(&mut response);
                self.options.redact(&mut response);
                self.keep_response(Some(&response));
                self.operation.parse(response)
            }
            Err(failure) => {
                self.unsent += u32::from(!failure.was_attempted());
                Err(Error::from_failure(failure).on_the_way_to(cx.api))
            }
        };
        let error = parsed.as_ref().err();
        let delay = error
            .and_then(Error::headers)
            .and_then(|headers| retry_after(headers, cx.now));
        cx.answered(self.rate_class(), RateFeedback::of(error, delay));
        match parsed {
            Ok(output) => self.on_success(output),
            Err(error) => self.on_error(cx, error),
        }
    }

    fn resume(&mut self) {
        if self.state == CallState::Ended || self.outcome.is_some() {
            return;
        }
        if self.verifying && self.rejection.is_none() {
            // Loaded from a state, which contains no errors: send the request again, for the same error.
            self.verifying = false;
            (self.attempts, self.unsent) = (0, 0);
            self.state = CallState::Ready;
        }
        if !matches!(self.state, CallState::Sent(_) | CallState::Answered) {
            return;
        }
        if self.operation.semantics().idempotency == Idempotency::NonIdempotent {
            self.state = CallState::Lost;
        } else {
            self.may_have_acted = true;
            self.attempts = self.attempts.saturating_sub(1);
            self.state = CallState::Ready;
        }
    }
}

impl<O: Operation + Serialize + serde::de::DeserializeOwned> Saved for Call<O> {
    fn kind(&self) -> String {
        format!("call {}", self.operation.name())
    }
}
