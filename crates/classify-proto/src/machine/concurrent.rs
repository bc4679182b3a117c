//! Several machines at once.

use std::collections::VecDeque;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::context::Context;
use super::saved::Saved;
use super::step::{Machine, Step, Ticket};
use super::tickets::Tickets;
use crate::Time;
use crate::reply::Reply;

/// Runs several machines at once, up to a maximum.
///
/// Each machine is identified by its index in the order of insertion. A machine that fails does not stop the others:
/// its output is an event. Machines that have not started cost only their own size. If a limiter grants few permits,
/// the machines get them in turn.
#[derive(Serialize, Deserialize)]
pub struct Concurrent<M> {
    waiting: VecDeque<(usize, M)>,
    running: Vec<(usize, M)>,
    max_concurrency: usize,
    next_index: usize,
    tickets: Tickets,
    ended: bool,
    /// The machine whose request was sent last. The next one in order is polled first.
    #[serde(skip)]
    last_sent: Option<usize>,
}

/// An event of a [`Concurrent`], with the index of its machine.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a machine tells events and ends; there is no third thing"
)]
pub enum ConcurrentEvent<E, O> {
    /// The machine at this index returned an event.
    Progress(usize, E),
    /// The machine at this index ended with this output.
    Finished(usize, O),
}

impl<M: Machine> Concurrent<M> {
    /// Creates a machine that runs `machines`, at most `max_concurrency` of them at once (at least 1).
    ///
    /// A limiter counts a request when the machine returns it. If more machines run than the driver sends requests at
    /// once ([`TransportLimits::max_concurrency`](crate::TransportLimits::max_concurrency)), requests that wait in the
    /// driver's queue are counted too early.
    pub fn new(machines: impl IntoIterator<Item = M>, max_concurrency: usize) -> Self {
        let waiting: VecDeque<_> = machines.into_iter().enumerate().collect();
        Self {
            next_index: waiting.len(),
            waiting,
            running: Vec::new(),
            max_concurrency: max_concurrency.max(1),
            tickets: Tickets::default(),
            ended: false,
            last_sent: None,
        }
    }

    /// Adds a machine and returns its index. If all machines have ended already, the machine is dropped.
    pub fn push(&mut self, machine: M) -> usize {
        let index = self.next_index;
        self.next_index += 1;
        if !self.ended {
            self.waiting.push_back((index, machine));
        }
        index
    }

    /// Drops the machines that have not started and returns their indices. Running machines continue.
    pub fn stop_starting(&mut self) -> Vec<usize> {
        self.waiting.drain(..).map(|(index, _)| index).collect()
    }

    /// Returns the running machines with their indices.
    pub fn running(&self) -> impl Iterator<Item = (usize, &M)> {
        self.running
            .iter()
            .map(|(index, machine)| (*index, machine))
    }
}

impl<M: Machine> Machine for Concurrent<M> {
    type Event = ConcurrentEvent<M::Event, M::Output>;
    type Output = ();

    fn poll(&mut self, cx: Context<'_>) -> Step<Self::Event, ()> {
        while self.running.len() < self.max_concurrency {
            let Some(next) = self.waiting.pop_front() else {
                break;
            };
            self.running.push(next);
        }
        if self.running.is_empty() {
            if self.ended {
                return Step::Wait(None);
            }
            self.ended = true;
            return Step::Done(());
        }
        // In turn: otherwise the permits of a limiter would go to the first machines, and the last would wait for ever.
        // Indices are in order, because machines start in order.
        let next = self
            .running
            .partition_point(|(index, _)| Some(*index) <= self.last_sent);
        let mut next_wake: Option<Time> = None;
        for slot in (next..self.running.len()).chain(0..next) {
            let (index, machine) = &mut self.running[slot];
            let index = *index;
            match machine.poll(cx) {
                Step::Send(inner, request) => {
                    self.last_sent = Some(index);
                    return Step::Send(self.tickets.issue(index, inner), request);
                }
                Step::Event(event) => return Step::Event(ConcurrentEvent::Progress(index, event)),
                Step::Done(output) => {
                    self.running.remove(slot);
                    self.tickets.forget(index);
                    return Step::Event(ConcurrentEvent::Finished(index, output));
                }
                Step::Wait(Some(until)) => {
                    next_wake = Some(next_wake.map_or(until, |earlier| earlier.min(until)));
                }
                Step::Wait(None) => {}
            }
        }
        Step::Wait(next_wake)
    }

    fn handle(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply) {
        let Some((index, inner)) = self.tickets.redeem(ticket) else {
            return;
        };
        if let Some((_, machine)) = self
            .running
            .iter_mut()
            .find(|(running, _)| *running == index)
        {
            machine.handle(cx, inner, reply);
        }
    }

    fn resume(&mut self) {
        self.tickets.forget_all();
        for (_, machine) in &mut self.running {
            machine.resume();
        }
    }
}

impl<M> fmt::Debug for Concurrent<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Concurrent")
            .field("waiting", &self.waiting.len())
            .field("running", &self.running.len())
            .finish_non_exhaustive()
    }
}

impl<M: Saved> Saved for Concurrent<M> {
    fn kind(&self) -> String {
        let first = self.running.first().map(|(_, machine)| machine);
        let machine = first.or(self.waiting.front().map(|(_, machine)| machine));
        machine.map_or_else(
            || "concurrent".to_owned(),
            |machine| format!("concurrent {}", machine.kind()),
        )
    }
}
