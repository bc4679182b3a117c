//! What an async transport brings.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use classify_proto::{Error, Failure, Proxy, Reply, Seed, Time, TransportLimits, http};

use super::executor::BlockingExecutor;
use crate::body::RequestBody;
use crate::budget::Budget;

/// Sends requests.
///
/// The client's futures are `Send` exactly if [`Exchange`](Self::Exchange) and [`Sleep`](Self::Sleep) are, so that native
/// programs can spawn them and wasm programs need not. "Writing a transport" in [`blocking`](crate::blocking) lists the
/// obligations; they are the same here.
pub trait Transport: 'static {
    /// One exchange: a request on its way, or its response.
    type Exchange: Future<Output = Reply> + 'static;

    /// A timer. `classify_client::Timer` (feature `timer`) is one for native targets, if your HTTP stack has none.
    type Sleep: Future<Output = ()> + 'static;

    /// Sends a request. The future ends with its response, of whatever status. Dropping the future ends the request.
    fn send(&self, request: http::Request<RequestBody>, budget: Budget) -> Self::Exchange;

    /// Returns a future that ends after `duration`.
    fn sleep(&self, duration: Duration) -> Self::Sleep;

    /// Lets an exchange go on while nobody polls it, for example by spawning it. Returns it unchanged by default.
    ///
    /// The client calls this for lists, bulk runs and [`Running`](super::Running), not for single calls. Dropping the
    /// returned future must end the request.
    fn background(&self, exchange: Self::Exchange) -> Self::Exchange {
        exchange
    }

    /// Runs a future to its end while nobody polls it, as the driver of a [`Pool`](super::Pool) needs. An error by default.
    ///
    /// # Errors
    ///
    /// [`Failure::refused`] if the transport has no runtime to spawn on.
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Result<(), Failure> {
        drop(future);
        Err(Failure::refused(
            "this transport cannot spawn futures; use `pool_with_driver`, and poll the driver",
        ))
    }

    /// Returns the executor of blocking work, such as reading files. [`BlockingExecutor::default`] by default.
    fn blocking_executor(&self) -> BlockingExecutor {
        BlockingExecutor::default()
    }

    /// Checks that the transport can be used on the current thread, for example that there is a runtime. Always `Ok` by
    /// default.
    ///
    /// # Errors
    ///
    /// [`Failure::refused`] with the reason; every request then fails with it.
    fn check(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// Returns the transport for other limits, or `None` if it needs no change because [`Budget`] has all it needs.
    ///
    /// # Errors
    ///
    /// [`is_transport`](Error::is_transport) if it cannot be built.
    fn rebuild(&self, limits: &TransportLimits) -> Option<Result<Self, Error>>
    where
        Self: Sized,
    {
        let _ = limits;
        None
    }

    /// Returns the current time. The clock of [`now`](crate::now) by default on native targets.
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    fn now(&self) -> Time {
        crate::clock::now()
    }

    /// Returns the current time.
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    fn now(&self) -> Time;

    /// Returns 16 random bytes. The operating system's by default on native targets.
    ///
    /// # Errors
    ///
    /// [`is_transport`](Error::is_transport) if there are none.
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    fn seed(&self) -> Result<Seed, Error> {
        crate::seed::random_seed()
    }

    /// Returns 16 random bytes.
    ///
    /// # Errors
    ///
    /// [`is_transport`](Error::is_transport) if there are none.
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    fn seed(&self) -> Result<Seed, Error>;
}

/// A transport that can build itself, so that [`Client::new`](super::Client::new) and
/// [`Client::from_env`](super::Client::from_env) exist.
pub trait DefaultTransport: Transport + Sized {
    /// Builds the transport.
    ///
    /// # Errors
    ///
    /// [`is_transport`](Error::is_transport) or [`is_invalid`](Error::is_invalid) if it cannot be built.
    fn build(limits: &TransportLimits, proxy: Option<&Proxy>) -> Result<Self, Error>;
}
