//! The values that a driver passes to each step of a machine.

use std::time::Duration;

use super::observer::{Observer, WaitInfo, WaitReason};
use super::rate_limits::{RateFeedback, RateLimits};
use crate::Time;
use crate::api::Api;
use crate::semantics::RateClass;

/// The values that a driver passes to each step of a machine: the base URL and key, the current time, rate limits and
/// an observer. Machines do not keep it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Context<'a> {
    /// The base URL, the key, and the default project and organization.
    pub api: &'a Api,
    /// The current time.
    pub now: Time,
    /// Grants permits for requests. If `None`, every request is sent at once.
    ///
    /// All machines of a client share it. It is called while a machine runs and never while user code runs, so callbacks
    /// may use the same client.
    pub rate_limits: Option<&'a dyn RateLimits>,
    /// Receives an event for each wait. If `None`, events are discarded.
    pub observer: Option<&'a dyn Observer>,
}

impl<'a> Context<'a> {
    /// Creates a context without rate limits and observer.
    #[must_use]
    pub fn new(api: &'a Api, now: Time) -> Self {
        Self {
            api,
            now,
            rate_limits: None,
            observer: None,
        }
    }

    /// Sets the rate limits that every request waits for.
    #[must_use]
    pub fn rate_limits(mut self, rate_limits: &'a dyn RateLimits) -> Self {
        self.rate_limits = Some(rate_limits);
        self
    }

    /// Sets the observer that receives an event for each wait.
    #[must_use]
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The time at which the next request of a class may be sent.
    pub(crate) fn available_at(&self, class: RateClass) -> Time {
        self.rate_limits
            .map_or(self.now, |limits| limits.available_at(class, self.now))
    }

    /// Takes a permit for a request that is sent now. Fails with the time of the next try.
    pub(crate) fn admit(&self, class: RateClass) -> Result<(), Time> {
        let Some(limits) = self.rate_limits else {
            return Ok(());
        };
        // A wait of zero would poll the machine in a busy loop.
        let next = self.now + Duration::from_millis(1);
        limits
            .admit(class, self.now)
            .map_err(|available| available.max(next))
    }

    pub(crate) fn answered(&self, class: RateClass, feedback: RateFeedback) {
        if let Some(limits) = self.rate_limits {
            limits.answered(class, self.now, feedback);
        }
    }

    pub(crate) fn waiting(&self, operation: &'static str, reason: WaitReason<'_>, until: Time) {
        if let Some(observer) = self.observer {
            observer.waiting(&WaitInfo {
                operation,
                reason,
                until,
                duration: until.since(self.now),
            });
        }
    }
}
