//! The seam between a machine and its driver.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::limiter::Limiter;
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
    /// What holds requests back, shared by all machines of a client; `None` holds nothing back.
    ///
    /// It is locked for moments only and never while anything of the caller's runs, so that whoever a machine calls, such
    /// as the documents and the store of a [`Fed`](super::Fed), may use the same client.
    pub limiter: Option<&'a Mutex<Limiter>>,
}

impl<'a> Context<'a> {
    /// Lends an [`Api`] and the present time.
    #[must_use]
    pub fn new(api: &'a Api, now: Time) -> Self {
        Self {
            api,
            now,
            limiter: None,
        }
    }

    /// Lends a limiter too, which every request then waits for.
    #[must_use]
    pub fn limiter(mut self, limiter: &'a Mutex<Limiter>) -> Self {
        self.limiter = Some(limiter);
        self
    }

    /// When the limiter lets the next request of a class through.
    pub(crate) fn available_at(&self, class: RateClass) -> Time {
        self.lock_limiter()
            .map_or(self.now, |limiter| limiter.available_at(class, self.now))
    }

    /// Takes note of a request of a class that is sent now, or says when it may be: one step, since others share the
    /// limiter.
    pub(crate) fn admit(&self, class: RateClass) -> Result<(), Time> {
        let Some(mut limiter) = self.lock_limiter() else {
            return Ok(());
        };
        let free = limiter.available_at(class, self.now);
        if free > self.now {
            return Err(free);
        }
        limiter.sent(class, self.now);
        Ok(())
    }

    /// The limiter, for a moment. It is sound whatever happened to the thread that held it last.
    pub(crate) fn lock_limiter(&self) -> Option<MutexGuard<'a, Limiter>> {
        self.limiter
            .map(|limiter| limiter.lock().unwrap_or_else(PoisonError::into_inner))
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
