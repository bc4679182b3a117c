//! A machine that runs: its requests as futures, its events to the caller.

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

/// A machine that runs. Made by [`Client::start`](super::Client::start).
///
/// [`next`](Self::next) returns the machine's events, and the [`Stream`] too. Between events the caller has the
/// [`machine`](Self::machine) and may stop it, push to it, await a database, or do nothing for a while: requests in flight
/// go on if the transport runs them in the [background](super::Transport::background), and time in which nobody polls is
/// not held against them. After the last event, [`output`](Self::output) has the result.
///
/// Dropping it ends its requests.
pub struct Running<T: Transport, M: Machine> {
    transport: Result<Arc<T>, Arc<str>>,
    settings: Arc<Settings>,
    machine: M,
    queue: SendQueue,
    /// The attempt in flight, while there is only one: most operations send one request at a time. A set of futures
    /// would be an allocation and a further wake-up for each.
    only: Option<Attempt<T>>,
    /// The attempts in flight, while there are several.
    attempts: FuturesUnordered<Attempt<T>>,
    timer: Option<(Time, Pin<Box<T::Sleep>>)>,
    span: OperationSpan,
    runs_in_background: bool,
    stop: StopHandle,
    /// The time at least: waits are skipped if there is nothing to wait with.
    skipped_to: Time,
    /// Since when nobody polls.
    idle_since: Option<Time>,
    /// Every attempt was polled since the caller polled, and none has ended.
    is_polled: bool,
    output: Option<M::Output>,
}

// Futures of the transport are pinned in boxes of their own; a machine is plain data.
impl<T: Transport, M: Machine> Unpin for Running<T, M> {}

impl<T: Transport, M: Machine> Running<T, M> {
    pub(crate) fn new(
        transport: Result<Arc<T>, Arc<str>>,
        settings: Arc<Settings>,
        mut machine: M,
        span: OperationSpan,
        runs_in_background: bool,
    ) -> Self {
        // No reply can be on its way to a run that starts.
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

    /// Returns the next event. `None` if the machine has ended, or if a [`StopHandle`] was used.
    ///
    /// [`is_finished`](Self::is_finished) tells the two apart. After a stop the run can continue: call `next` again. Dropping
    /// the returned future loses nothing.
    pub async fn next(&mut self) -> Option<M::Event> {
        /// Notes the time at which the caller stops polling, also if it drops the future.
        struct Next<'a, T: Transport, M: Machine>(&'a mut Running<T, M>);

        impl<T: Transport, M: Machine> Drop for Next<'_, T, M> {
            fn drop(&mut self) {
                self.0.pause(self.0.now());
            }
        }

        let next = Next(self);
        poll_fn(|cx| next.0.poll_event(cx)).await
    }

    /// Whether a [`StopHandle`] was used; forgets it.
    pub(crate) fn take_stop(&self, cx: &Context<'_>) -> bool {
        self.stop.take(cx)
    }

    /// Runs the machine to its end, discards its events, and returns its output.
    ///
    /// Returns `None` if a [`StopHandle`] was used.
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

    /// Notes that nobody polls from now on.
    pub(crate) fn pause(&mut self, now: Time) {
        if self.output.is_none() {
            self.idle_since.get_or_insert(now);
        }
    }

    /// Extends the limits of the attempts by the time in which nobody polled.
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

    /// `now` is read once for each wait, since a step takes no time to speak of.
    fn step(&mut self, cx: &mut Context<'_>, now: &mut Time) -> Poll<Option<M::Event>> {
        // Replies that came while nobody polled are handled first: a machine that looked at the clock before them would
        // give up requests that were answered in time.
        while self.poll_reply(cx, *now) {}
        loop {
            match self.machine.poll(self.settings.context(*now)) {
                Step::Send(ticket, request) => {
                    self.queue.push(ticket, request);
                    // Before the event that may come next: a prefetch is under way while the caller has the event.
                    self.send_queued(*now);
                }
                Step::Event(event) => {
                    if self.runs_in_background {
                        // Starts what was queued by this poll.
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

    /// Passes a reply to the machine, if one has come.
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

    /// Whether the time is reached.
    fn poll_timer(&mut self, cx: &mut Context<'_>, until: Option<Time>, now: Time) -> bool {
        let Some(until) = until else {
            self.timer = None;
            return false;
        };
        let transport = match &self.transport {
            // A timer may need the runtime that is missing. The wait is skipped; the request after it says what is wrong.
            Ok(transport) if transport.check().is_ok() => transport,
            _ => {
                self.skipped_to = until;
                return true;
            }
        };
        // The attempt ends and wakes this task before: the machine waits for nothing else.
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

    /// Returns the machine.
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// Returns the machine, to stop it or to push to it between events.
    pub fn machine_mut(&mut self) -> &mut M {
        &mut self.machine
    }

    /// Whether the machine has ended.
    pub fn is_finished(&self) -> bool {
        self.output.is_some()
    }

    /// Returns the machine's output once it has ended.
    pub fn output(&self) -> Option<&M::Output> {
        self.output.as_ref()
    }

    /// Returns a handle that makes a waiting [`next`](Self::next) return `None`.
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Takes the machine out and ends its requests. [`Machine::resume`] lets it continue.
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

/// Stops a [`Running`] from another task or a signal handler. Made by [`Running::stop_handle`].
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

    /// Whether it was used; forgets it.
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
