//! The trait of all machines, and the steps that a driver takes for them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::context::Context;
use crate::Time;
use crate::body::Body;
use crate::reply::Reply;

/// Identifies one request of a machine. It is only valid for that machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticket(pub(crate) u64);

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// The next step of a machine.
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
    /// Send this request and poll again without waiting for its reply. Several requests may be on the wire at once.
    Send(Ticket, http::Request<Body>),
    /// Wait for a reply, or until this time if there is one.
    Wait(Option<Time>),
    /// An event for the caller. Then poll again.
    Event(E),
    /// The end, with the output. A machine that is polled after its end waits for ever.
    Done(O),
}

/// A state machine without IO for several requests or attempts; see the [module](self::super) for its run loop.
///
/// All machines of this crate guarantee:
///
/// - The time of `Wait(Some(t))` is in the future; `Wait(None)` is returned only while a reply is outstanding.
/// - Polling again at the same time changes nothing.
/// - A ticket without an outstanding request is ignored.
/// - The state and `Debug` contain no secret.
/// - Saving, loading and [`resume`](Self::resume) at any point leads to the same events.
pub trait Machine {
    /// The type of the events before the end.
    type Event;
    /// The type of the output at the end.
    type Output;

    /// Returns the next step.
    fn poll(&mut self, cx: Context<'_>) -> Step<Self::Event, Self::Output>;

    /// Handles the reply to the request with this ticket.
    fn handle(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply);

    /// Tells the machine that outstanding replies will not arrive, because the process is new or a future was dropped.
    /// Requests are sent again if that is safe.
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
