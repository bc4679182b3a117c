//! The requests a run has under way, each a small machine of its own.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::Time;
use crate::body::Body;
use crate::error::Error;
use crate::files::{File, Upload};
use crate::machine::call::Call;
use crate::machine::pager::Pager;
use crate::machine::step::{Cx, Machine, Step, Ticket};
use crate::machine::tickets::Tickets;
use crate::page::Page;
use crate::reply::Reply;
use crate::v2::{Cancel, Create, Get, Job, List};

/// A document's place in the run, in the order it was taken in.
pub(super) type Place = u64;

/// One thing under way.
pub(super) enum Work {
    Upload(Place, Box<Call<Upload>>),
    Create(Place, Box<Call<Create>>),
    Look(Place, Box<Call<Get>>),
    Cancel(Place, Box<Call<Cancel>>),
    Round(Box<Pager<List>>),
}

/// What came of it.
pub(super) enum Did {
    Send(Ticket, http::Request<Body>),
    Uploaded(Place, Result<File, Error>),
    /// And whether an earlier answer to this create was lost, so that the job may be its own.
    Created(Place, Result<Job, Error>, bool),
    Looked(Place, Result<Job, Error>),
    Cancelled(Place, Result<Job, Error>),
    Page(Page<Job>),
    RoundEnded(Result<(), Error>),
}

/// Everything under way. What rests costs nothing until its time or its reply comes.
#[derive(Default)]
pub(super) struct Works {
    slots: BTreeMap<usize, Slot>,
    next_slot: usize,
    due: VecDeque<usize>,
    resting: BTreeSet<(Time, usize)>,
    tickets: Tickets,
    buying: usize,
    /// How long rounds have rested with nothing on the wire.
    held_back: Duration,
}

struct Slot {
    work: Work,
    wakes: Option<Time>,
    /// Requests on the wire.
    out: u32,
    /// Since when it rests with nothing on the wire.
    idle: Option<Time>,
}

impl Work {
    /// Whether it leads to a job that is not there yet.
    fn is_buying(&self) -> bool {
        matches!(self, Work::Upload(..) | Work::Create(..))
    }

    fn poll(&mut self, cx: Cx<'_>) -> Result<Did, Option<Time>> {
        /// Polls a call, which has no events.
        fn call<M: Machine<Event = std::convert::Infallible>>(
            machine: &mut M,
            cx: Cx<'_>,
            done: impl FnOnce(M::Output) -> Did,
        ) -> Result<Did, Option<Time>> {
            match machine.poll(cx) {
                Step::Send(ticket, request) => Ok(Did::Send(ticket, request)),
                Step::Wait(until) => Err(until),
                Step::Event(never) => match never {},
                Step::Done(output) => Ok(done(output)),
            }
        }
        match self {
            Work::Upload(place, machine) => {
                call(&mut **machine, cx, |result| Did::Uploaded(*place, result))
            }
            Work::Create(place, machine) => {
                let asked_before = machine.may_have_acted();
                call(&mut **machine, cx, |result| {
                    Did::Created(*place, result, asked_before)
                })
            }
            Work::Look(place, machine) => {
                call(&mut **machine, cx, |result| Did::Looked(*place, result))
            }
            Work::Cancel(place, machine) => {
                call(&mut **machine, cx, |result| Did::Cancelled(*place, result))
            }
            Work::Round(pager) => match pager.poll(cx) {
                Step::Send(ticket, request) => Ok(Did::Send(ticket, request)),
                Step::Wait(until) => Err(until),
                Step::Event(page) => Ok(Did::Page(page)),
                Step::Done(result) => Ok(Did::RoundEnded(result)),
            },
        }
    }

    fn machine(&mut self) -> &mut dyn Told {
        match self {
            Work::Upload(_, machine) => &mut **machine,
            Work::Create(_, machine) => &mut **machine,
            Work::Look(_, machine) => &mut **machine,
            Work::Cancel(_, machine) => &mut **machine,
            Work::Round(machine) => &mut **machine,
        }
    }
}

/// The part of a machine that does not depend on what it is about.
trait Told {
    fn take(&mut self, cx: Cx<'_>, ticket: Ticket, reply: Reply);
    fn again(&mut self);
}

impl<M: Machine> Told for M {
    fn take(&mut self, cx: Cx<'_>, ticket: Ticket, reply: Reply) {
        self.handle(cx, ticket, reply);
    }

    fn again(&mut self) {
        self.resume();
    }
}

impl Works {
    pub(super) fn begin(&mut self, work: Work) {
        let slot = self.next_slot;
        self.next_slot += 1;
        self.buying += usize::from(work.is_buying());
        self.slots.insert(
            slot,
            Slot {
                work,
                wakes: None,
                out: 0,
                idle: None,
            },
        );
        self.due.push_back(slot);
    }

    /// How many uploads and creates are under way.
    pub(super) fn buying(&self) -> usize {
        self.buying
    }

    /// How many are under way, and not fewer than the requests on the wire whose replies are awaited.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slots
            .len()
            .max(self.tickets.len())
            .max(self.resting.len())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The next thing that one of them does; `None` when all of them rest.
    pub(super) fn poll(&mut self, cx: Cx<'_>) -> Option<Did> {
        while let Some((time, slot)) = self.resting.first().copied() {
            if time > cx.now {
                break;
            }
            self.resting.pop_first();
            self.due.push_back(slot);
        }
        while let Some(slot) = self.due.pop_front() {
            let Some(held) = self.slots.get_mut(&slot) else {
                continue;
            };
            if let (Work::Round(_), Some(since)) = (&held.work, held.idle.take()) {
                self.held_back = self.held_back.saturating_add(cx.now.since(since));
            }
            match held.work.poll(cx) {
                Ok(Did::Send(theirs, request)) => {
                    held.out += 1;
                    self.due.push_front(slot);
                    return Some(Did::Send(self.tickets.issue(slot, theirs), request));
                }
                Ok(Did::Page(page)) => {
                    self.due.push_front(slot);
                    return Some(Did::Page(page));
                }
                Ok(end) => {
                    self.remove(slot);
                    return Some(end);
                }
                Err(until) => {
                    held.wakes = until;
                    held.idle = (held.out == 0).then_some(cx.now);
                    self.resting.extend(until.map(|until| (until, slot)));
                }
            }
        }
        None
    }

    /// How long rounds were held back since this was last asked.
    pub(super) fn take_held_back(&mut self) -> Duration {
        std::mem::take(&mut self.held_back)
    }

    /// When the next of them wakes by itself.
    pub(super) fn wakes(&self) -> Option<Time> {
        self.resting.first().map(|(time, _)| *time)
    }

    pub(super) fn handle(&mut self, cx: Cx<'_>, ticket: Ticket, reply: Reply) {
        let Some((slot, theirs)) = self.tickets.redeem(ticket) else {
            return;
        };
        let Some(held) = self.slots.get_mut(&slot) else {
            return;
        };
        held.out = held.out.saturating_sub(1);
        held.work.machine().take(cx, theirs, reply);
        if let Some(time) = held.wakes.take() {
            self.resting.remove(&(time, slot));
        }
        self.due.push_back(slot);
    }

    pub(super) fn resume(&mut self) {
        self.tickets.forget_all();
        self.resting.clear();
        self.due = self.slots.keys().copied().collect();
        for held in self.slots.values_mut() {
            held.wakes = None;
            held.out = 0;
            held.work.machine().again();
        }
    }

    /// To be called when all of them rest, so that no answer is thrown away. Drops the uploads and creates that have
    /// nothing on the wire, and says whose they were and whether one may
    /// have been acted upon.
    pub(super) fn drop_idle_buying(&mut self) -> Vec<(Place, bool)> {
        let idle: Vec<_> = self
            .slots
            .iter()
            .filter(|(_, held)| held.out == 0)
            .filter_map(|(slot, held)| match &held.work {
                Work::Upload(place, _) => Some((*slot, *place, false)),
                Work::Create(place, call) => Some((*slot, *place, call.may_have_acted())),
                _ => None,
            })
            .collect();
        idle.into_iter()
            .map(|(slot, place, may_have_acted)| {
                self.remove(slot);
                (place, may_have_acted)
            })
            .collect()
    }

    /// Drops every look and every round, on the wire or not: they only read.
    pub(super) fn drop_reading(&mut self) {
        let reading: Vec<_> = self
            .slots
            .iter()
            .filter(|(_, held)| matches!(held.work, Work::Look(..) | Work::Round(_)))
            .map(|(slot, _)| *slot)
            .collect();
        for slot in reading {
            self.remove(slot);
        }
    }

    fn remove(&mut self, slot: usize) {
        let Some(held) = self.slots.remove(&slot) else {
            return;
        };
        self.buying -= usize::from(held.work.is_buying());
        if let Some(time) = held.wakes {
            self.resting.remove(&(time, slot));
        }
        self.tickets.forget(slot);
    }
}
