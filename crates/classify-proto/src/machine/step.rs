//! The trait that every machine implements, and the steps that it asks a driver to take.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::context::Context;
use crate::Time;
use crate::body::Body;
use crate::reply::Reply;

/// Tells one machine's requests apart. It means nothing to another machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticket(pub(crate) u64);

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

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
