//! Permits for requests.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::limiter::Limiter;
use crate::Time;
use crate::error::Error;
use crate::semantics::RateClass;

/// Grants permits for requests, so that a rate limit is not exceeded.
///
/// A driver passes one to every machine in [`Context`](super::Context). A machine takes a permit before it hands out a
/// request, so no response deadline runs while it waits. `Mutex<Limiter>` implements this for the limits of one process;
/// implement it yourself if permits come from elsewhere, such as a limiter that several machines share.
///
/// The methods are called often and must not block.
pub trait RateLimits {
    /// Returns the time at which the next request of a class may be sent: `now` or later. Takes no permit.
    fn available_at(&self, class: RateClass, now: Time) -> Time;

    /// Takes a permit for a request that is sent now.
    ///
    /// # Errors
    ///
    /// The time at which to ask again, if there is no permit now. A time that is not after `now` counts as one millisecond
    /// later.
    fn admit(&self, class: RateClass, now: Time) -> Result<(), Time>;

    /// Notes the outcome of a request, so that the rate can adapt. Ignored by default.
    fn answered(&self, class: RateClass, now: Time, feedback: RateFeedback) {
        let _ = (class, now, feedback);
    }

    /// Returns the rate of a class if it is reduced at present, for a notice to the user. `None` by default.
    fn reduced_rate(&self, class: RateClass) -> Option<ReducedRate> {
        let _ = class;
        None
    }
}

/// A rate that 429s have reduced: a number of requests per window.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ReducedRate {
    /// The number of requests in a window.
    pub requests: usize,
    /// The length of the window.
    pub window: Duration,
}

impl ReducedRate {
    /// Creates a reduced rate.
    #[must_use]
    pub fn new(requests: usize, window: Duration) -> Self {
        Self { requests, window }
    }

    pub(crate) fn per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "it is compared and shown")]
        let requests = self.requests as f64;
        requests / self.window.as_secs_f64().max(0.001)
    }
}

/// For example `20 in 1 s`.
impl fmt::Display for ReducedRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {} s", self.requests, self.window.as_secs_f64())
    }
}

/// The effect of a response on the rate of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RateFeedback {
    /// The service responded and accepts this rate.
    Accepted,
    /// The service rejected the request with 429 and asked for this delay, if any.
    Limited(Option<Duration>),
    /// There was no response, or a server error: nothing is known about the rate.
    Unknown,
}

impl RateFeedback {
    /// Returns the feedback of a response that was parsed with this error, or without one.
    pub(crate) fn of(error: Option<&Error>, delay: Option<Duration>) -> Self {
        let Some(error) = error else {
            return Self::Accepted;
        };
        let is_server_error = error
            .status()
            .is_some_and(|status| status.is_server_error());
        if error.is_rate_limited() {
            Self::Limited(delay)
        } else if error.failure().is_some() || is_server_error {
            Self::Unknown
        } else {
            Self::Accepted
        }
    }
}

/// The limits of one process. A poisoned lock is used nevertheless: a panic in another thread leaves the limiter valid.
impl RateLimits for Mutex<Limiter> {
    fn available_at(&self, class: RateClass, now: Time) -> Time {
        let limiter = self.lock().unwrap_or_else(PoisonError::into_inner);
        limiter.available_at(class, now)
    }

    fn admit(&self, class: RateClass, now: Time) -> Result<(), Time> {
        // One lock for both steps, because other threads share the limiter.
        let mut limiter = self.lock().unwrap_or_else(PoisonError::into_inner);
        let available = limiter.available_at(class, now);
        if available > now {
            return Err(available);
        }
        limiter.sent(class, now);
        Ok(())
    }

    fn answered(&self, class: RateClass, now: Time, feedback: RateFeedback) {
        let mut limiter = self.lock().unwrap_or_else(PoisonError::into_inner);
        limiter.answered(class, now, feedback);
    }

    fn reduced_rate(&self, class: RateClass) -> Option<ReducedRate> {
        let limiter = self.lock().unwrap_or_else(PoisonError::into_inner);
        limiter.reduced_rate(class)
    }
}
