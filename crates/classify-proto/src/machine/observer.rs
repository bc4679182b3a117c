//! Events of attempts and waits, for logs and metrics.

use std::fmt;
use std::time::Duration;

use crate::Time;
use crate::error::Error;
use crate::reply::Failure;
use crate::semantics::RateClass;

/// Receives an event for each attempt and each wait.
///
/// Machines report waits and the circuit breaker's state; the client reports attempts. The methods are called while
/// machines run and must not block. Every method does nothing by default.
///
/// Names of operations, rate classes and reasons have few values and are suited as metric labels; ids are not.
pub trait Observer {
    /// An attempt starts: one HTTP request of an operation.
    fn attempt_started(&self, attempt: &AttemptInfo) {
        let _ = attempt;
    }

    /// An attempt ended with a response of any status, or failed.
    fn attempt_ended(&self, attempt: &AttemptInfo, outcome: &AttemptOutcome<'_>) {
        let _ = (attempt, outcome);
    }

    /// A call waits before it sends its next request.
    fn waiting(&self, wait: &WaitInfo<'_>) {
        let _ = wait;
    }

    /// The circuit breaker of a bulk run changed its state.
    fn circuit_breaker(&self, state: CircuitState) {
        let _ = state;
    }
}

/// Identifies an attempt. Every request of a machine has it among its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptInfo {
    /// The operation's name, such as `classify.create`.
    pub operation: &'static str,
    /// The number of the attempt within its call, from 1.
    pub number: u32,
    /// The rate limit that the request counts against.
    pub rate_class: RateClass,
}

impl AttemptInfo {
    pub(crate) fn new(operation: &'static str, number: u32, rate_class: RateClass) -> Self {
        Self {
            operation,
            number,
            rate_class,
        }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AttemptOutcome<'a> {
    /// The response's status, or the transport's failure.
    pub result: Result<http::StatusCode, &'a Failure>,
    /// The time from the start of the attempt to its end.
    pub duration: Duration,
    /// The request id from the response. Not suited as a metric label.
    pub request_id: Option<&'a str>,
    /// The id of the job in the request's path. Not suited as a metric label.
    pub job_id: Option<&'a str>,
}

impl<'a> AttemptOutcome<'a> {
    /// Creates an outcome without ids.
    #[must_use]
    pub fn new(result: Result<http::StatusCode, &'a Failure>, duration: Duration) -> Self {
        Self {
            result,
            duration,
            request_id: None,
            job_id: None,
        }
    }

    /// Sets the request id from the response.
    #[must_use]
    pub fn request_id(mut self, id: Option<&'a str>) -> Self {
        self.request_id = id;
        self
    }

    /// Sets the id of the job in the request's path.
    #[must_use]
    pub fn job_id(mut self, id: Option<&'a str>) -> Self {
        self.job_id = id;
        self
    }
}

/// A wait of a call before its next request.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct WaitInfo<'a> {
    /// The operation's name.
    pub operation: &'static str,
    /// The reason of the wait, with the error that caused it if there was one.
    pub reason: WaitReason<'a>,
    /// The end of the wait.
    pub until: Time,
    /// The length of the wait.
    pub duration: Duration,
}

/// Why a call waits.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum WaitReason<'a> {
    /// The previous attempt failed with this error, and the call backs off before it retries.
    Backoff(&'a Error),
    /// The service asked for this delay (`Retry-After`) with this error.
    RetryAfter(&'a Error),
    /// The client's rate limit has no permit.
    RateLimit(RateClass),
}

impl WaitReason<'_> {
    /// Returns the reason as a metric label: `backoff`, `retry_after` or `rate_limit`.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Backoff(_) => "backoff",
            Self::RetryAfter(_) => "retry_after",
            Self::RateLimit(_) => "rate_limit",
        }
    }
}

impl fmt::Display for WaitReason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backoff(error) => write!(f, "backing off after: {error}"),
            Self::RetryAfter(error) => write!(f, "the service asked for a delay: {error}"),
            Self::RateLimit(class) => write!(f, "rate limit of {class:?}"),
        }
    }
}

/// The state of a circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CircuitState {
    /// Requests are sent.
    Closed,
    /// No new document is started until this time, because the service failed repeatedly.
    Open(Time),
    /// One document is tried.
    HalfOpen,
}

impl fmt::Debug for dyn Observer + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

impl fmt::Debug for dyn super::rate_limits::RateLimits + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RateLimits")
    }
}
