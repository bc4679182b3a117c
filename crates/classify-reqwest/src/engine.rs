//! The loop that runs a machine: its requests as tasks, its events to whoever polls.

use std::collections::{HashMap, HashSet, VecDeque};
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
    /// Those of them that are uploads.
    uploads: HashSet<task::Id>,
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
            uploads: HashSet::new(),
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
        self.uploads.remove(&id);
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
        while let Some((ticket, request)) = self
            .next_to_send()
            .and_then(|place| self.queue.remove(place))
        {
            if Handle::try_current().is_err() {
                let failure = Failure::refused("there is no Tokio runtime here");
                self.machine.handle(self.client.cx(), ticket, Err(failure));
                continue;
            }
            let is_upload = is_upload(&request);
            let client = self.client.clone();
            let send = async move { client.send(request).await };
            #[cfg(feature = "tracing")]
            let send = tracing::Instrument::in_current_span(send);
            let task = self.out.spawn(send).id();
            self.tickets.insert(task, ticket);
            if is_upload {
                self.uploads.insert(task);
            }
        }
    }

    /// The place in the queue of the request that may go out next. An upload may take hours; it leaves one way free for
    /// those that do not.
    fn next_to_send(&self) -> Option<usize> {
        let max_concurrency = self.client.limits_in_force().max_concurrency.max(1);
        if self.out.len() >= max_concurrency {
            return None;
        }
        let room = self.uploads.len() < max_concurrency.saturating_sub(1).max(1);
        self.queue
            .iter()
            .position(|(_, request)| room || !is_upload(request))
    }
}

fn is_upload(request: &http::Request<Body>) -> bool {
    matches!(request.body(), Body::Multipart(_))
}
