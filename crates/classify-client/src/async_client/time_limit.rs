//! A time limit that does not count the time in which the caller did not poll.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use classify_proto::Time;

use super::transport::Transport;

/// If a timer fires later than this, the caller did not poll, and the exchange gets more time.
const POLL_DELAY: Duration = Duration::from_secs(1);

/// A time limit, or none.
pub(crate) struct TimeLimit<T: Transport> {
    timer: Option<(Time, Pin<Box<T::Sleep>>)>,
    /// The time in which the caller did not poll. The timer fires earlier by this time.
    extension: Duration,
}

impl<T: Transport> TimeLimit<T> {
    pub(crate) fn none() -> Self {
        Self {
            timer: None,
            extension: Duration::ZERO,
        }
    }

    /// Returns the latest time at which the timer wakes its task; `None` without a limit.
    pub(crate) fn ends_by(&self) -> Option<Time> {
        self.timer
            .as_ref()
            .map(|(until, _)| *until + self.extension)
    }

    /// Starts a limit of `duration`.
    pub(crate) fn set(&mut self, transport: &T, now: Time, duration: Duration) {
        let until = now + duration;
        self.extension = Duration::ZERO;
        self.timer = Some((until, Box::pin(transport.sleep(duration))));
    }

    /// Extends the limit by a time in which the caller did not poll.
    pub(crate) fn extend(&mut self, pause: Duration) {
        if self.timer.is_some() {
            self.extension += pause;
        }
    }

    /// Returns whether the limit has passed. Starts a limit of `renewal` if the timer was not polled when it fired.
    pub(crate) fn poll_is_over(
        &mut self,
        transport: &T,
        cx: &mut Context<'_>,
        renewal: Duration,
    ) -> bool {
        loop {
            let Some((until, sleep)) = &mut self.timer else {
                return false;
            };
            if sleep.as_mut().poll(cx).is_pending() {
                return false;
            }
            let now = transport.now();
            let is_extended = !self.extension.is_zero();
            let until = *until + std::mem::take(&mut self.extension);
            let left = until.since(now);
            if is_extended && !left.is_zero() {
                self.set(transport, now, left);
            } else if now.since(until) < POLL_DELAY {
                return true;
            } else {
                self.set(transport, now, renewal);
            }
        }
    }
}
