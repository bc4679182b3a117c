//! Runs a machine: polls its requests as futures and returns its events to the caller.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use classify_proto::machine::{Machine, Step, Ticket};
use classify_proto::{Failure, Reply, Time};
use futures_core::Stream;
use futures_core::stream::FusedStream;
use futures_util::stream::FuturesUnordered;
use futures_util::task::AtomicWaker;

use super::attempt::Attempt;
use super::transport::Transport;
use crate::observe::OperationSpan;
use crate::send_queue::SendQueue;
use crate::settings::Settings;

/// A running machine, as a [`Stream`] of its events. Made by [`Client::start`](super::Client::start).
///
/// Between events you may use the [`machine`](Self::machine): stop it, push documents, store records, await a database.
/// Requests in flight continue meanwhile if the transport runs them in the [background](super::Transport::background).
/// Time between polls does not count against their limits. After the last event, [`output`](Self::output) returns the
/// result:
///
/// ```no_run
/// # use classify_client::{Client, Transport};
/// # use classify_client::classify_proto::Error;
/// # async fn example<T: Transport>(client: &Client<T>) -> Result<(), Error> {
/// let mut running = client.start(client.waiter("clj-1")?);
/// while let Some(progress) = running.next().await {
///     println!("{progress:?}");
/// }
/// println!("{:?}", running.output());
/// # Ok(())
/// # }
/// ```
///
/// If you drop it, its requests end.
pub struct Running<T: Transport, M: Machine> {
    transport: Result<Arc<T>, Arc<str>>,
    settings: Arc<Settings>,
    machine: M,
    queue: SendQueue,
    /// The attempt in flight if there is only one, as in most operations. A set of futures would need an allocation and
    /// a further wake-up for each.
    only: Option<Attempt<T>>,
    /// The attempts in flight if there are several.
    attempts: FuturesUnordered<Attempt<T>>,
    timer: Option<(Time, Pin<Box<T::Sleep>>)>,
    span: OperationSpan,
    runs_in_background: bool,
    stop: StopHandle,
    /// A lower bound of the current time: waits are skipped if there is no timer.
    skipped_to: Time,
    /// The time at which polling paused; `None` while polled.
    idle_since: Option<Time>,
    /// Whether every attempt was polled since the last call, and none has ended.
    is_polled: bool,
    output: Option<M::Output>,
}

// The transport's futures are boxed, and a machine is plain data.
impl<T: Transport, M: Machine> Unpin for Running<T, M> {}

impl<T: Transport, M: Machine> Running<T, M> {
    pub(crate) fn new(
        transport: Result<Arc<T>, Arc<str>>,
        settings: Arc<Settings>,
        mut machine: M,
        span: OperationSpan,
        runs_in_background: bool,
    ) -> Self {
        // Requests of an earlier run are lost, so the machine must send them again.
        machine.resume();
        Self {
            transport,
            settings,
            machine,
            queue: SendQueue::default(),
            only: None,
            attempts: FuturesUnordered::new(),
            timer: None,
            span,
            runs_in_background,
            stop: StopHandle::default(),
            skipped_to: Time::from_millis(0),
            idle_since: None,
            is_polled: false,
            output: None,
        }
    }

    /// Returns the next event; `None` if the machine has ended or a [`StopHandle`] was used.
    ///
    /// [`is_finished`](Self::is_finished) returns `true` only if the machine has ended. After a stop, call `next` again
    /// to continue. Cancel safe: dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<M::Event> {
        /// Records the time at which the caller stops polling, also if it drops the future.
        struct Next<'a, T: Transport, M: Machine>(&'a mut Running<T, M>);

        impl<T: Transport, M: Machine> Drop for Next<'_, T, M> {
            fn drop(&mut self) {
                self.0.pause(self.0.now());
            }
        }

        let next = Next(self);
        poll_fn(|cx| next.0.poll_event(cx)).await
    }

    /// Returns whether a [`StopHandle`] was used, and resets it.
    pub(crate) fn take_stop(&self, cx: &Context<'_>) -> bool {
        self.stop.take(cx)
    }

    /// Runs the machine to its end, discards its events, and returns its output; `None` if a [`StopHandle`] was used.
    pub async fn finish(mut self) -> Option<M::Output> {
        while self.next().await.is_some() {}
        self.output
    }

    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<M::Event>> {
        if self.output.is_some() || self.stop.take(cx) {
            return Poll::Ready(None);
        }
        let mut now = self.now();
        self.end_pause(now);
        self.is_polled = false;
        let span = self.span.clone();
        let event = span.within(|| self.step(cx, &mut now));
        if event.is_ready() {
            self.pause(now);
        }
        event
    }

    /// Records that polling pauses.
    pub(crate) fn pause(&mut self, now: Time) {
        if self.output.is_none() {
            self.idle_since.get_or_insert(now);
        }
    }

    /// Extends the limits of the attempts by the time of the pause.
    fn end_pause(&mut self, now: Time) {
        let Some(since) = self.idle_since.take() else {
            return;
        };
        let pause = now.since(since);
        if !pause.is_zero() {
            for attempt in self.only.iter_mut().chain(&mut self.attempts) {
                attempt.extend(pause);
            }
        }
    }

    /// `now` is read once for each wait, because a step takes almost no time.
    fn step(&mut self, cx: &mut Context<'_>, now: &mut Time) -> Poll<Option<M::Event>> {
        // Replies that came during a pause are handled first. Otherwise the machine would read the clock and give up
        // requests that were answered in time.
        while self.poll_reply(cx, *now) {}
        loop {
            match self.machine.poll(self.settings.context(*now)) {
                Step::Send(ticket, request) => {
                    self.queue.push(ticket, request);
                    // Sends requests before the next event is returned, so that a prefetch runs while the caller
                    // handles the event.
                    self.send_queued(*now);
                }
                Step::Event(event) => {
                    if self.runs_in_background {
                        // Starts the requests that this poll has queued.
                        while self.poll_reply(cx, *now) {}
                    }
                    return Poll::Ready(Some(event));
                }
                Step::Done(output) => {
                    self.output = Some(output);
                    return Poll::Ready(None);
                }
                Step::Wait(until) => {
                    if self.poll_reply(cx, *now) {
                        continue;
                    }
                    if !self.poll_timer(cx, until, *now) {
                        return Poll::Pending;
                    }
                    *now = self.now();
                }
            }
        }
    }

    /// Passes a reply to the machine, if there is one. Returns whether there was.
    fn poll_reply(&mut self, cx: &mut Context<'_>, now: Time) -> bool {
        if self.is_polled {
            return false;
        }
        let polled = match &mut self.only {
            Some(attempt) => Pin::new(attempt).poll(cx).map(Some),
            None => Pin::new(&mut self.attempts).poll_next(cx),
        };
        let Poll::Ready(Some((ticket, reply))) = polled else {
            self.is_polled = true;
            return false;
        };
        self.only = None;
        self.handle(ticket, reply, now);
        self.send_queued(now);
        true
    }

    fn handle(&mut self, ticket: Ticket, reply: Reply, now: Time) {
        self.queue.finish(ticket);
        self.machine
            .handle(self.settings.context(now), ticket, reply);
    }

    /// Returns whether the time is reached.
    fn poll_timer(&mut self, cx: &mut Context<'_>, until: Option<Time>, now: Time) -> bool {
        let Some(until) = until else {
            self.timer = None;
            return false;
        };
        let transport = match &self.transport {
            // A timer may need a runtime that is missing. The wait is skipped, and the next request fails with the
            // reason.
            Ok(transport) if transport.check().is_ok() => transport,
            _ => {
                self.skipped_to = until;
                return true;
            }
        };
        // The attempt ends before and wakes this task, and the machine waits for nothing else.
        let ends_by = self.only.as_ref().and_then(Attempt::ends_by);
        if ends_by.is_some_and(|ends_by| ends_by <= until) && until > now {
            self.timer = None;
            return false;
        }
        if self.timer.as_ref().is_none_or(|(set, _)| *set != until) {
            let left = until.since(now);
            self.timer = Some((until, Box::pin(transport.sleep(left))));
        }
        let is_reached = self
            .timer
            .as_mut()
            .is_some_and(|(_, sleep)| sleep.as_mut().poll(cx).is_ready());
        if is_reached {
            self.timer = None;
        }
        is_reached
    }

    fn send_queued(&mut self, now: Time) {
        while let Some((ticket, request)) = self.queue.next(self.settings.limits.max_concurrency) {
            match &self.transport {
                Ok(transport) => {
                    let attempt = Attempt::new(
                        Arc::clone(transport),
                        Arc::clone(&self.settings),
                        ticket,
                        request,
                        now,
                        self.runs_in_background,
                    );
                    self.is_polled = false;
                    if self.only.is_none() && self.attempts.is_empty() {
                        self.only = Some(attempt);
                    } else {
                        self.attempts.extend(self.only.take());
                        self.attempts.push(attempt);
                    }
                }
                Err(reason) => {
                    let failure = Failure::refused(&**reason);
                    self.handle(ticket, Err(failure), now);
                }
            }
        }
    }

    pub(crate) fn now(&self) -> Time {
        match &self.transport {
            Ok(transport) => transport.now().max(self.skipped_to),
            Err(_) => self.skipped_to,
        }
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

    /// Returns a handle that makes a waiting [`next`](Self::next) return `None`.
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Returns the machine and ends its requests. Start it again to continue.
    pub fn into_machine(self) -> M {
        self.machine
    }

    pub(crate) fn into_output(self) -> Option<M::Output> {
        self.output
    }
}

impl<T: Transport, M: Machine> Stream for Running<T, M> {
    type Item = M::Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<M::Event>> {
        self.get_mut().poll_event(cx)
    }
}

impl<T: Transport, M: Machine> FusedStream for Running<T, M> {
    fn is_terminated(&self) -> bool {
        self.output.is_some()
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

/// Stops a [`Running`] from another task or a signal handler. Made by [`Running::stop_handle`]. Clones stop the same
/// run.
///
/// ```
/// use classify_client::classify_proto::machine::Machine;
/// use classify_client::{Running, Transport};
///
/// async fn first_event<T: Transport, M: Machine>(running: &mut Running<T, M>) -> Option<M::Event> {
///     let stop = running.stop_handle();
///     let event = running.next().await;
///     stop.stop(); // The next call of `next` returns `None`.
///     event
/// }
/// ```
#[derive(Clone, Default)]
pub struct StopHandle(Arc<StopState>);

#[derive(Default)]
struct StopState {
    is_set: AtomicBool,
    waker: AtomicWaker,
}

impl StopHandle {
    /// Makes the current or the next call of [`Running::next`] return `None`.
    pub fn stop(&self) {
        self.0.is_set.store(true, Ordering::Release);
        self.0.waker.wake();
    }

    /// Returns whether the handle was used, and resets it.
    fn take(&self, cx: &Context<'_>) -> bool {
        self.0.waker.register(cx.waker());
        self.0.is_set.swap(false, Ordering::AcqRel)
    }
}

impl fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StopHandle")
    }
}
