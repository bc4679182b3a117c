//! Runs a machine: sends its requests on threads and returns its events to the caller.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use classify_proto::machine::{Machine, ResponseDeadline, Step, Ticket};
use classify_proto::{Body, Content, Failure, Reply, Time, http};

use super::threads::{Threads, Wake, Wakeup, attempt};
use super::transport::Transport;
use crate::budget::Budget;
use crate::observe::OperationSpan;
use crate::send_queue::SendQueue;
use crate::settings::Settings;

/// The time that an attempt may take beyond its budget before the run stops waiting for it.
const GRACE: Duration = Duration::from_secs(2);

/// A running machine, as an iterator of its events. Made by [`Client::start`](super::Client::start).
///
/// Between events you may use the [`machine`](Self::machine): stop it, push documents, store records. Requests in
/// flight continue on their threads meanwhile. After the last event, [`output`](Self::output) returns the result:
///
/// ```no_run
/// # use classify_client::blocking::{Client, Transport};
/// # use classify_client::classify_proto::Error;
/// # fn example<T: Transport>(client: &Client<T>) -> Result<(), Error> {
/// let mut running = client.start(client.waiter("clj-1")?);
/// while let Some(progress) = running.next() {
///     println!("{progress:?}");
/// }
/// println!("{:?}", running.output());
/// # Ok(())
/// # }
/// ```
///
/// If you drop it, requests in flight end on their threads, and their replies are discarded.
pub struct Running<T: Transport, M: Machine> {
    transport: Result<Arc<T>, Arc<str>>,
    settings: Settings,
    machine: M,
    queue: SendQueue,
    threads: Option<Threads<T>>,
    span: OperationSpan,
    /// The time at which the run stops waiting for each request in flight.
    expires: BTreeMap<Ticket, Time>,
    /// Whether a single request may be sent on the caller's thread, which a stop handle cannot interrupt.
    allows_inline: bool,
    output: Option<M::Output>,
}

impl<T: Transport, M: Machine> Running<T, M> {
    pub(crate) fn new(
        transport: Result<Arc<T>, Arc<str>>,
        settings: Settings,
        mut machine: M,
        span: OperationSpan,
    ) -> Self {
        // Requests of an earlier run are lost, so the machine must send them again.
        machine.resume();
        Self {
            transport,
            settings,
            machine,
            queue: SendQueue::default(),
            threads: None,
            span,
            expires: BTreeMap::new(),
            allows_inline: true,
            output: None,
        }
    }

    /// Returns the next event; `None` if the machine has ended or a [`StopHandle`] was used.
    ///
    /// [`is_finished`](Self::is_finished) returns `true` only if the machine has ended. After a stop, call `next` again
    /// to continue.
    #[expect(
        clippy::should_implement_trait,
        reason = "the iterator calls it; a method needs no import"
    )]
    pub fn next(&mut self) -> Option<M::Event> {
        if self.output.is_some() {
            return None;
        }
        if self.take_stop() {
            return None;
        }
        let span = self.span.clone();
        span.within(|| self.step())
    }

    /// Whether a [`StopHandle`] was used; forgets it.
    pub(crate) fn take_stop(&self) -> bool {
        self.threads.as_ref().is_some_and(Threads::take_stop)
    }

    fn step(&mut self) -> Option<M::Event> {
        // Replies that came while the caller was busy are handled first. Otherwise the machine would read the clock and
        // give up requests that were answered in time.
        while let Some((ticket, reply)) = self.threads.as_ref().and_then(Threads::take_reply) {
            self.handle(ticket, reply);
        }
        loop {
            let now = self.now();
            match self.machine.poll(self.settings.context(now)) {
                Step::Send(ticket, request) => {
                    self.queue.push(ticket, request);
                }
                Step::Event(event) => {
                    // Sends the requests that came before the event, so that they run while the caller handles the
                    // event.
                    self.send_queued();
                    return Some(event);
                }
                Step::Done(output) => {
                    self.output = Some(output);
                    return None;
                }
                Step::Wait(until) => {
                    if self.send_inline(until) || self.send_queued() {
                        continue;
                    }
                    if !self.wait(until) {
                        return None;
                    }
                }
            }
        }
    }

    /// Sends the only request on this thread if nothing else is due before it ends. Returns whether it was sent.
    fn send_inline(&mut self, until: Option<Time>) -> bool {
        if !self.allows_inline || !self.expires.is_empty() {
            return false;
        }
        let Some(request) = self.queue.single() else {
            return false;
        };
        let deadline = request.extensions().get::<ResponseDeadline>().copied();
        let is_undisturbed = match (deadline, until) {
            (_, None) => true,
            (Some(ResponseDeadline(deadline)), Some(until)) => deadline <= until,
            (None, Some(_)) => false,
        };
        is_undisturbed && self.send_here()
    }

    /// Sends the next request on this thread. Returns whether there was one.
    fn send_here(&mut self) -> bool {
        let Some((ticket, request)) = self.queue.next(self.settings.limits.max_concurrency) else {
            return false;
        };
        let reply = match &self.transport {
            Ok(transport) => attempt(&**transport, &self.settings, request, drop),
            Err(reason) => Err(Failure::refused(&**reason)),
        };
        self.handle(ticket, reply);
        true
    }

    /// Passes queued requests to threads. Returns whether a reply was handled, so that the machine has more to do.
    fn send_queued(&mut self) -> bool {
        let mut has_handled = false;
        let transport = match &self.transport {
            Ok(transport) => Arc::clone(transport),
            Err(reason) => {
                let reason = Arc::clone(reason);
                while let Some((ticket, _)) = self.queue.next(usize::MAX) {
                    self.handle(ticket, Err(Failure::refused(&*reason)));
                    has_handled = true;
                }
                return has_handled;
            }
        };
        while let Some((ticket, request)) = self.queue.next(self.settings.limits.max_concurrency) {
            let expires = transport.now() + self.patience(&request) + GRACE;
            let settings = &self.settings;
            let span = &self.span;
            let threads = self.threads.get_or_insert_with(|| {
                Threads::new(Arc::clone(&transport), settings.clone(), span.clone())
            });
            match threads.send(ticket, request) {
                None => {
                    self.expires.insert(ticket, expires);
                }
                Some((ticket, request)) => {
                    self.queue.put_back(ticket, request);
                    // No thread can be started, so the request is sent on this one.
                    has_handled |= self.send_here();
                }
            }
        }
        has_handled
    }

    /// Returns the longest time that an attempt may take. For a file it is the time to open it, because its length is
    /// unknown before.
    fn patience(&self, request: &http::Request<Body>) -> Duration {
        let length = match request.body() {
            Body::Multipart(multipart) => match &multipart.content {
                Content::Bytes(content) => {
                    multipart.head.len() + content.len() + multipart.tail.len()
                }
                _ => 0,
            },
            _ => 0,
        };
        // Bodies without a document are small.
        Budget::new(&self.settings.limits, length as u64, None, self.now()).total
    }

    /// Waits for a reply or until a time. Returns `false` if the run was stopped.
    fn wait(&mut self, until: Option<Time>) -> bool {
        let now = self.now();
        let expiry = self.expires.values().min().copied();
        let wake = [until, expiry].into_iter().flatten().min();
        let timeout = wake.map(|wake| wake.since(now));
        let Some(threads) = &self.threads else {
            // Nothing is in flight, so the machine has set `until`, unless it has ended.
            thread::sleep(timeout.unwrap_or_default());
            return true;
        };
        match threads.wait(timeout) {
            Wakeup::Reply(ticket, reply) => self.handle(ticket, reply),
            Wakeup::Opened(ticket, total) => {
                let until = self.now() + total + GRACE;
                if let Some(expires) = self.expires.get_mut(&ticket) {
                    *expires = until;
                }
            }
            Wakeup::Stopped => return false,
            Wakeup::TimedOut => self.expire(),
        }
        true
    }

    /// Gives up requests whose transport has exceeded its time limit. Late replies are discarded.
    fn expire(&mut self) {
        let now = self.now();
        let expired: Vec<_> = self
            .expires
            .iter()
            .filter(|(_, expires)| **expires <= now)
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in expired {
            let mut failure =
                Failure::timeout("the transport did not return within its time limit");
            if self
                .threads
                .as_ref()
                .is_some_and(|threads| threads.cancel(ticket))
            {
                failure = failure.before_sending().attempted(false);
            }
            self.handle(ticket, Err(failure));
        }
    }

    fn handle(&mut self, ticket: Ticket, reply: Reply) {
        self.expires.remove(&ticket);
        self.queue.finish(ticket);
        let now = self.now();
        self.machine
            .handle(self.settings.context(now), ticket, reply);
    }

    fn now(&self) -> Time {
        self.transport
            .as_ref()
            .map_or_else(|_| crate::clock::now(), |transport| transport.now())
    }

    /// Returns the machine, to read its state.
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// Returns the machine, to stop it or to push to it between events.
    pub fn machine_mut(&mut self) -> &mut M {
        &mut self.machine
    }

    /// Returns whether the machine has ended.
    pub fn is_finished(&self) -> bool {
        self.output.is_some()
    }

    /// Returns the machine's output; `None` before it has ended.
    pub fn output(&self) -> Option<&M::Output> {
        self.output.as_ref()
    }

    /// Returns a handle that makes a blocked [`next`](Self::next) return `None`.
    pub fn stop_handle(&mut self) -> StopHandle {
        self.allows_inline = false;
        let threads = match (&self.threads, &self.transport) {
            (Some(threads), _) => threads,
            (None, Ok(transport)) => self.threads.insert(Threads::new(
                Arc::clone(transport),
                self.settings.clone(),
                self.span.clone(),
            )),
            (None, Err(_)) => return StopHandle(None),
        };
        StopHandle(Some(threads.waker()))
    }

    /// Runs the machine to its end, discards its events, and returns its output; `None` if a [`StopHandle`] was used.
    pub fn finish(mut self) -> Option<M::Output> {
        while self.next().is_some() {}
        self.output
    }

    /// Returns the machine. Replies to its requests in flight are lost. Start it again to continue.
    pub fn into_machine(self) -> M {
        self.machine
    }

    pub(crate) fn into_output(self) -> Option<M::Output> {
        self.output
    }
}

impl<T: Transport, M: Machine> Iterator for Running<T, M> {
    type Item = M::Event;

    fn next(&mut self) -> Option<M::Event> {
        Running::next(self)
    }
}

impl<T: Transport, M: Machine + fmt::Debug> fmt::Debug for Running<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("machine", &self.machine)
            .field("in_flight", &self.queue.in_flight())
            .field("is_finished", &self.output.is_some())
            .finish_non_exhaustive()
    }
}

/// Stops a [`Running`] from another thread or a signal handler. Made by [`Running::stop_handle`]. Clones stop the same
/// run.
///
/// ```
/// use classify_client::Document;
/// use classify_client::blocking::{BulkRun, Transport};
///
/// fn run_for<T: Transport>(mut run: BulkRun<T, std::vec::IntoIter<Document>>, time: std::time::Duration) {
///     let stop = run.stop_handle();
///     std::thread::spawn(move || {
///         std::thread::sleep(time);
///         stop.stop();
///     });
///     for finished in &mut run {
///         println!("{}: {:?}", finished.name(), finished.outcome());
///     }
/// }
/// ```
#[derive(Clone)]
pub struct StopHandle(Option<Arc<dyn Wake>>);

impl StopHandle {
    /// Makes the current or the next call of [`Running::next`] return `None`.
    pub fn stop(&self) {
        if let Some(waker) = &self.0 {
            waker.stop();
        }
    }
}

impl fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StopHandle")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use classify_proto::machine::{Call, Concurrent, ConcurrentEvent, Limiter};
    use classify_proto::v2::GetJob;
    use classify_proto::{Api, Reply, Seed, http};

    use crate::blocking::Client;
    use crate::{Budget, RequestBody};

    thread_local! {
        /// The number of threads that this thread may still start.
        static THREADS: Cell<u32> = const { Cell::new(u32::MAX) };
    }

    pub(in crate::blocking) fn take_thread() -> io::Result<()> {
        let left = THREADS.get().checked_sub(1);
        THREADS.set(left.ok_or(io::ErrorKind::WouldBlock)?);
        Ok(())
    }

    /// Without threads, a run is slower and loses nothing.
    #[test]
    fn thread_spawn_failure_does_not_lose_requests() {
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        let transport = move |_: http::Request<RequestBody>, _: Budget| -> Reply {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(http::Response::new(
                r#"{"id": "clj-1", "status": "RUNNING"}"#.into(),
            ))
        };
        let api = Api::builder("llx-key").build().unwrap();
        let client = Client::with_transport(transport, api).limiter(Limiter::unlimited());
        for threads in [0, 1, 2] {
            THREADS.set(threads);
            let calls = (0..6).map(|n| Call::new(GetJob::new("clj-1"), Seed::new([n; 16])));
            let mut ended = 0;
            client.drive(Concurrent::new(calls, 6), |event| {
                let ConcurrentEvent::Finished(_, result) = event;
                assert_eq!(result.expect("a job").id, "clj-1");
                ended += 1;
            });
            assert_eq!(ended, 6);
        }
        assert_eq!(sent.load(Ordering::Relaxed), 18);
    }
}
