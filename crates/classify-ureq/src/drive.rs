//! The loop that runs a machine: its requests on threads, its events on the caller's.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope};

use classify_proto::http;
use classify_proto::machine::{Context, Limiter, Machine, ResponseDeadline, Step, Ticket};
use classify_proto::{Api, Body, Reply, Time};

use crate::clock::Clock;
use crate::failure::{self, Sent};
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
    fn cx(&self) -> Context<'_> {
        Context::new(self.api, self.clock.now()).limiter(self.limiter)
    }

    /// Runs a machine that has one request out at a time until it tells something.
    pub(crate) fn next<M: Machine>(&self, machine: &mut M) -> Told<M::Event, M::Output> {
        loop {
            match machine.poll(self.cx()) {
                Step::Send(ticket, request) => {
                    let reply = self.exchange(request);
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

    /// One exchange that always ends in a reply, so that no ticket is owed for ever: also where what panics is a
    /// subscriber of the caller's.
    fn exchange(&self, request: http::Request<Body>) -> Reply {
        catch_unwind(AssertUnwindSafe(|| {
            self.transport.send(request, self.clock.now())
        }))
        .unwrap_or_else(|_| Err(failure::on_panic(Sent::Whole)))
    }

    fn rest(&self, until: Time) {
        let left = until.since(self.clock.now());
        if !left.is_zero() {
            thread::sleep(left);
        }
    }
}

type Parcel = (Ticket, http::Request<Body>);

/// The requests that wait to be sent, and the threads of those that are out.
struct Wire<'scope, 'env> {
    driver: &'scope Driver<'env>,
    scope: &'scope Scope<'scope, 'env>,
    queue: VecDeque<Parcel>,
    out: usize,
    /// Those of them that are uploads.
    uploads: BTreeSet<Ticket>,
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
            uploads: BTreeSet::new(),
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
            // No thread is to be had, not even one: this one sends.
            if let Some((ticket, request)) = self.queue.pop_front() {
                return Some((ticket, self.driver.exchange(request)));
            }
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
        if let Some((ticket, _)) = &received {
            self.out -= 1;
            self.uploads.remove(ticket);
        }
        received
    }

    /// The only request there is, if nothing needs to be done before it has ended: it takes no thread of its own.
    fn take_lone(&mut self, until: Option<Time>) -> Option<Parcel> {
        let [(_, request)] = self.queue.make_contiguous() else {
            return None;
        };
        let ends = request
            .extensions()
            .get::<ResponseDeadline>()
            .map(|by| by.0);
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
        while let Some(place) = self.next_to_send() {
            let Some((ticket, request)) = self.queue.remove(place) else {
                return;
            };
            let is_upload = is_upload(&request);
            if let Some(parcel) = self.send(ticket, request) {
                // The system gives no more threads: it waits until one that is there has ended.
                self.queue.insert(place, parcel);
                return;
            }
            self.out += 1;
            if is_upload {
                self.uploads.insert(ticket);
            }
        }
    }

    /// The place in the queue of the request that may go out next. An upload may take hours; it leaves one way free for
    /// those that do not.
    fn next_to_send(&self) -> Option<usize> {
        let max_concurrency = self.driver.transport.limits().max_concurrency.max(1);
        if self.out >= max_concurrency {
            return None;
        }
        let room = self.uploads.len() < max_concurrency.saturating_sub(1).max(1);
        let may_go = |parcel: &Parcel| room || !is_upload(&parcel.1);
        self.queue.iter().position(may_go)
    }

    /// Sends a request on a thread of its own, or gives it back where there is none.
    fn send(&self, ticket: Ticket, request: http::Request<Body>) -> Option<Parcel> {
        let (driver, sender) = (self.driver, self.sender.clone());
        #[cfg(feature = "tracing")]
        let span = tracing::Span::current();
        // A thread that cannot be started takes along what it was given.
        let parcel = Arc::new(Mutex::new(Some((ticket, request))));
        let given = Arc::clone(&parcel);
        let work = move || {
            #[cfg(feature = "tracing")]
            let _entered = span.entered();
            if let Some((ticket, request)) = take(&given) {
                // The receiver is gone when the machine has ended without this reply.
                let _ = sender.send((ticket, driver.exchange(request)));
            }
        };
        match start(self.scope, work) {
            Ok(()) => None,
            Err(_) => take(&parcel),
        }
    }
}

fn is_upload(request: &http::Request<Body>) -> bool {
    matches!(request.body(), Body::Multipart(_))
}

fn take(parcel: &Mutex<Option<Parcel>>) -> Option<Parcel> {
    parcel.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() + Send + 'scope,
) -> io::Result<()> {
    #[cfg(test)]
    tests::a_thread()?;
    thread::Builder::new().spawn_scoped(scope, work).map(drop)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use classify_proto::machine::{Call, Concurrent, ConcurrentEvent, Limiter};
    use classify_proto::v2::GetJob;
    use classify_proto::{Seed, TransportLimits};
    use classify_scenarios::{ResponseScript, ScriptedServer, api, response};

    use super::*;

    thread_local! {
        /// How many threads this one may still start.
        static THREADS: Cell<u32> = const { Cell::new(u32::MAX) };
    }

    pub(super) fn a_thread() -> io::Result<()> {
        let left = THREADS.get().checked_sub(1);
        THREADS.set(left.ok_or(io::ErrorKind::WouldBlock)?);
        Ok(())
    }

    /// A system out of threads makes a run slower and no worse.
    #[test]
    fn thread_spawn_failure_does_not_lose_requests() {
        let job = br#"{"id": "clj-1", "status": "RUNNING"}"#;
        let listener =
            ScriptedServer::start(|_, _| ResponseScript::Respond(response(200, &[], job)));
        let (api, limiter) = (
            api(&listener.base_url(), "llx-key"),
            Mutex::new(Limiter::unlimited()),
        );
        let transport = Transport::new(Ok(None), TransportLimits::default());
        let driver = Driver {
            api: &api,
            transport: &transport,
            clock: Clock::start(),
            limiter: &limiter,
        };
        for threads in [0, 1, 2] {
            THREADS.set(threads);
            let calls = (0..6).map(|n| Call::new(GetJob::new("clj-1"), Seed::new([n; 16])));
            let mut ended = 0;
            driver.drive(&mut Concurrent::new(calls, 6), |event| {
                let ConcurrentEvent::Finished(_, result) = event;
                assert_eq!(result.expect("a job").id, "clj-1");
                ended += 1;
            });
            assert_eq!(ended, 6);
        }
        assert_eq!(listener.requests().len(), 18);
    }
}
