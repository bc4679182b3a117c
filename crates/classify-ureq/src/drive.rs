//! The loop that runs a machine: its requests on threads, its events on the caller's.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, Scope};

use classify_proto::http;
use classify_proto::machine::{Cx, Limiter, Machine, ReplyBy, Step, Ticket};
use classify_proto::{Api, Body, Failure, Reply, Time};

use crate::clock::Clock;
use crate::transport::Transport;

/// What a loop needs from a client.
#[derive(Clone, Copy)]
pub(crate) struct Driver<'a> {
    pub(crate) api: &'a Api,
    pub(crate) transport: &'a Transport,
    pub(crate) clock: Clock,
    pub(crate) limiter: &'a Mutex<Limiter>,
}

/// The next thing that a machine tells.
pub(crate) enum Told<E, O> {
    Event(E),
    Done(O),
}

// A machine that waits for nothing has ended, by rule 1 of every machine, and it is not driven past its end here: no input
// of the service leads there.
const ENDED: &str = "a machine that has ended was driven again";

impl Driver<'_> {
    /// What a machine needs for one step.
    fn cx(&self) -> Cx<'_> {
        Cx::new(self.api, self.clock.now()).limiter(self.limiter)
    }

    /// Runs a machine that has one request out at a time until it tells something.
    pub(crate) fn next<M: Machine>(&self, machine: &mut M) -> Told<M::Event, M::Output> {
        loop {
            match machine.poll(self.cx()) {
                Step::Send(ticket, request) => {
                    let reply = self.transport.send(request, self.clock.now());
                    machine.handle(self.cx(), ticket, reply);
                }
                Step::Wait(until) => self.rest(until.expect(ENDED)),
                Step::Event(event) => return Told::Event(event),
                Step::Done(output) => return Told::Done(output),
            }
        }
    }

    /// Runs any machine to its end.
    pub(crate) fn drive<M: Machine>(
        &self,
        machine: &mut M,
        mut on_event: impl FnMut(M::Event),
    ) -> M::Output {
        // No reply can be on its way to a loop that begins.
        machine.resume();
        thread::scope(|scope| {
            let mut wire = Wire::new(self, scope);
            loop {
                match machine.poll(self.cx()) {
                    Step::Send(ticket, request) => wire.queue.push_back((ticket, request)),
                    Step::Wait(until) => {
                        if let Some((ticket, reply)) = wire.reply_before(until) {
                            machine.handle(self.cx(), ticket, reply);
                        }
                    }
                    Step::Event(event) => on_event(event),
                    Step::Done(output) => return output,
                }
            }
        })
    }

    fn rest(&self, until: Time) {
        let left = until.since(self.clock.now());
        if !left.is_zero() {
            thread::sleep(left);
        }
    }
}

/// The requests that wait to be sent, and the threads of those that are out.
struct Wire<'scope, 'env> {
    driver: &'scope Driver<'env>,
    scope: &'scope Scope<'scope, 'env>,
    queue: VecDeque<(Ticket, http::Request<Body>)>,
    out: usize,
    sender: Sender<(Ticket, Reply)>,
    receiver: Receiver<(Ticket, Reply)>,
}

impl<'scope, 'env> Wire<'scope, 'env> {
    fn new(driver: &'scope Driver<'env>, scope: &'scope Scope<'scope, 'env>) -> Self {
        let (sender, receiver) = channel();
        Self {
            driver,
            scope,
            queue: VecDeque::new(),
            out: 0,
            sender,
            receiver,
        }
    }

    /// The next reply, or nothing if `until` comes first.
    fn reply_before(&mut self, until: Option<Time>) -> Option<(Ticket, Reply)> {
        if let Some((ticket, request)) = self.take_lone(until) {
            return Some((ticket, self.driver.exchange(request)));
        }
        self.send_queued();
        if self.out == 0 {
            self.driver.rest(until.expect(ENDED));
            return None;
        }
        let received = match until {
            None => self.receiver.recv().ok(),
            Some(until) => {
                let left = until.since(self.driver.clock.now());
                self.receiver.recv_timeout(left).ok()
            }
        };
        self.out -= usize::from(received.is_some());
        received
    }

    /// The only request there is, if nothing needs to be done before it has ended: it takes no thread of its own.
    fn take_lone(&mut self, until: Option<Time>) -> Option<(Ticket, http::Request<Body>)> {
        let [(_, request)] = self.queue.make_contiguous() else {
            return None;
        };
        let ends = request.extensions().get::<ReplyBy>().map(|by| by.0);
        let undisturbed = match (ends, until) {
            (_, None) => true,
            (Some(ends), Some(until)) => ends <= until,
            (None, Some(_)) => false,
        };
        if self.out == 0 && undisturbed {
            self.queue.pop_front()
        } else {
            None
        }
    }

    fn send_queued(&mut self) {
        while self.out < self.driver.transport.limits().at_once.max(1) {
            let Some((ticket, request)) = self.queue.pop_front() else {
                return;
            };
            let (driver, sender) = (self.driver, self.sender.clone());
            #[cfg(feature = "tracing")]
            let span = tracing::Span::current();
            let work = move || {
                #[cfg(feature = "tracing")]
                let _entered = span.entered();
                // The receiver is gone when the machine has ended without this reply.
                let _ = sender.send((ticket, driver.exchange(request)));
            };
            self.out += 1;
            if thread::Builder::new()
                .spawn_scoped(self.scope, work)
                .is_err()
            {
                let failure = Failure::refused("the system gives no more threads");
                let _ = self.sender.send((ticket, Err(failure)));
            }
        }
    }
}

impl Driver<'_> {
    /// One exchange that always ends in a reply, so that no ticket is owed for ever.
    fn exchange(&self, request: http::Request<Body>) -> Reply {
        catch_unwind(AssertUnwindSafe(|| {
            self.transport.send(request, self.clock.now())
        }))
        .unwrap_or_else(|_| Err(Failure::broken("the transport panicked")))
    }
}
