//! A timer for transports whose HTTP stack has none.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_timer::Delay;

/// A timer for [`Transport::Sleep`](super::Transport::Sleep) on native targets that needs no runtime. One thread serves
/// all timers.
///
/// ```
/// use std::time::Duration;
///
/// use classify_client::Timer;
///
/// # struct MyTransport;
/// # impl MyTransport {
/// // In an implementation of `Transport`, with `type Sleep = Timer`:
/// fn sleep(&self, duration: Duration) -> Timer {
///     Timer::new(duration)
/// }
/// # }
/// ```
#[must_use = "a timer does nothing unless it is polled"]
pub struct Timer(Delay);

impl Timer {
    /// Returns a timer that ends after `duration`.
    pub fn new(duration: Duration) -> Self {
        Self(Delay::new(duration))
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Timer")
    }
}
