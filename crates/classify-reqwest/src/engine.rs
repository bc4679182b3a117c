//! The loop that runs a machine: its requests as tasks, its events to whoever polls.

use std::collections::{HashMap, VecDeque};
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use classify_proto::http;
use classify_proto::machine::{Machine, Step, Ticket};
use classify_proto::{Body, Failure, Reply, Time};
use tokio::runtime::Handle;
use tokio::task::{self, JoinSet};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::client::Client;

/// A machine with its requests that are on their way.
///
/// Each is a task of its own, so that it gets on while nobody polls. All are ended when this is dropped.
pub(crate) struct Engine<M> {
    client: Client,
    machine: M,
    queue: VecDeque<(Ticket, http::Request<Body>)>,
    out: JoinSet<Reply>,
    tickets: HashMap<task::Id, Ticket>,
    /// When the machine wants to be polled again, and the timer for it.
    alarm: Option<(Time, Pin<Box<Sleep>>)>,
}

/// The next thing that a machine tells.
pub(crate) enum Told<E, O> {
    Event(E),
    Done(O),
}

impl<M: Machine> Engine<M> {
    pub(crate) fn new(client: Client, mut machine: M) -> Self {
        // No reply can be on its way to a loop that begins.
        machine.resume();
        Self {
            client,
            machine,
            queue: VecDeque::new(),
            out: JoinSet::new(),
            tickets: HashMap::new(),
            alarm: None,
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Told<M::Event, M::Output>> {
        loop {
            match self.machine.poll(self.client.cx()) {
                Step::Send(ticket, request) => {
                    self.queue.push_back((ticket, request));
                    // Before the event that may come next: a prefetch is under way while the caller has the event.
                    self.send_queued();
                }
                Step::Event(event) => return Poll::Ready(Told::Event(event)),
                Step::Done(output) => return Poll::Ready(Told::Done(output)),
                Step::Wait(until) => {
                    if self.poll_reply(cx) {
                        continue;
                    }
                    assert!(
                        until.is_some() || !self.out.is_empty(),
                        "a machine that has ended was driven again"
                    );
                    if !self.poll_alarm(cx, until) {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Hands a reply to the machine, where one has come.
    fn poll_reply(&mut self, cx: &mut Context<'_>) -> bool {
        let Poll::Ready(Some(joined)) = self.out.poll_join_next_with_id(cx) else {
            return false;
        };
        let (id, reply) = joined.unwrap_or_else(|error| {
            let failure = Failure::broken("the task that sent the request did not end");
            (error.id(), Err(failure))
        });
        if let Some(ticket) = self.tickets.remove(&id) {
            self.machine.handle(self.client.cx(), ticket, reply);
        }
        self.send_queued();
        true
    }

    /// Whether the time is reached.
    fn poll_alarm(&mut self, cx: &mut Context<'_>, until: Option<Time>) -> bool {
        let Some(until) = until else {
            self.alarm = None;
            return false;
        };
        if self.alarm.as_ref().is_none_or(|(set, _)| *set != until) {
            let left = until.since(self.client.now());
            self.alarm = Some((until, Box::pin(sleep_until(Instant::now() + left))));
        }
        let rung = self
            .alarm
            .as_mut()
            .is_some_and(|(_, sleep)| sleep.as_mut().poll(cx).is_ready());
        if rung {
            self.alarm = None;
        }
        rung
    }

    fn send_queued(&mut self) {
        while self.out.len() < self.client.limits_in_force().at_once.max(1) {
            let Some((ticket, request)) = self.queue.pop_front() else {
                return;
            };
            if Handle::try_current().is_err() {
                let failure = Failure::refused("there is no Tokio runtime here");
                self.machine.handle(self.client.cx(), ticket, Err(failure));
                continue;
            }
            let client = self.client.clone();
            let send = async move { client.send(request).await };
            #[cfg(feature = "tracing")]
            let send = tracing::Instrument::in_current_span(send);
            let task = self.out.spawn(send);
            self.tickets.insert(task.id(), ticket);
        }
    }
}
