//! The seam between a machine and its driver.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::observer::{Observer, WaitInfo, WaitReason};
use super::rate_limits::{RateFeedback, RateLimits};
use crate::Time;
use crate::api::Api;
use crate::body::Body;
use crate::reply::Reply;
use crate::semantics::RateClass;

/// What a driver lends a machine at every step and no machine keeps: where requests go, in whose name, and the time.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Context<'a> {
    /// Where requests go and in whose name.
    pub api: &'a Api,
    /// The present time.
    pub now: Time,
    /// Grants permits for requests; `None` admits every request.
    ///
    /// All machines of a client share it. It is called while a machine runs and never while user code runs, so callbacks
    /// may use the same client.
    pub rate_limits: Option<&'a dyn RateLimits>,
    /// Receives an event for each wait; `None` discards them.
    pub observer: Option<&'a dyn Observer>,
}

impl<'a> Context<'a> {
    /// Passes an [`Api`] and the current time.
    #[must_use]
    pub fn new(api: &'a Api, now: Time) -> Self {
        Self {
            api,
            now,
            rate_limits: None,
            observer: None,
        }
    }

    /// Passes rate limits too, which every request then waits for.
    #[must_use]
    pub fn rate_limits(mut self, rate_limits: &'a dyn RateLimits) -> Self {
        self.rate_limits = Some(rate_limits);
        self
    }

    /// Passes an observer too, which receives an event for each wait.
    #[must_use]
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Returns the time at which the next request of a class may be sent.
    pub(crate) fn available_at(&self, class: RateClass) -> Time {
        self.rate_limits
            .map_or(self.now, |limits| limits.available_at(class, self.now))
    }

    /// Takes a permit for a request that is sent now, or returns the time to ask again.
    pub(crate) fn admit(&self, class: RateClass) -> Result<(), Time> {
        let Some(limits) = self.rate_limits else {
            return Ok(());
        };
        // A wait of no time would poll the machine in a busy loop.
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

/// Tells one machine's requests apart. It means nothing to another machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticket(pub(crate) u64);

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// When the machine stops waiting for a reply: an extension of every request that a machine sends.
///
/// A driver gives the request no more time than that. One that cannot still ends, because the machine gives up by
/// itself when it is polled then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseDeadline(pub Time);

/// What a machine wants done next.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a driver must handle every step; a new one would be another protocol"
)]
#[expect(
    clippy::large_enum_variant,
    reason = "a step is moved once, from a machine to its driver; a box would cost more than the move"
)]
pub enum Step<E, O> {
    /// Put this request on the wire, then poll again. Several may be out at once.
    Send(Ticket, http::Request<Body>),
    /// Nothing to do before a reply comes or this time is reached; with `None`, before a reply comes.
    Wait(Option<Time>),
    /// Something to tell the caller; then poll again.
    Event(E),
    /// The end. A machine that is polled after its end waits for ever.
    Done(O),
}

/// Something that takes more than one request or more than one try; see the [module](self::super) for the loop.
///
/// What every machine here holds to:
///
/// - `Wait(Some(t))` has `t` in the future; `Wait(None)` comes only while a ticket is out.
/// - Polling again at the same time changes nothing.
/// - A ticket that is not out is ignored.
/// - No secret is in the state or in `Debug`.
/// - Saving, loading and [`resume`](Self::resume) at any point leads to the same events.
pub trait Machine {
    /// What it tells on the way.
    type Event;
    /// What it ends with.
    type Output;

    /// What to do next.
    fn poll(&mut self, cx: Context<'_>) -> Step<Self::Event, Self::Output>;

    /// Takes the reply to a request that was sent under `ticket`.
    fn handle(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply);

    /// Says that no reply still owed will come: the process is new, or a future was dropped. What was asked is asked
    /// again, where that is safe.
    fn resume(&mut self);
}

impl<M: Machine + ?Sized> Machine for &mut M {
    type Event = M::Event;
    type Output = M::Output;

    fn poll(&mut self, cx: Context<'_>) -> Step<Self::Event, Self::Output> {
        (**self).poll(cx)
    }

    fn handle(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply) {
        (**self).handle(cx, ticket, reply);
    }

    fn resume(&mut self) {
        (**self).resume();
    }
}
