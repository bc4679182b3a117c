//! The trait of async transports.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use classify_proto::{Error, Failure, Proxy, Reply, Seed, Time, TransportLimits, http};

use super::executor::BlockingExecutor;
use crate::body::RequestBody;
use crate::budget::Budget;

/// Sends requests as futures.
///
/// The client's futures are `Send` if [`Exchange`](Self::Exchange) and [`Sleep`](Self::Sleep) are: native programs can
/// spawn them, and transports for wasm need not be `Send`. "Writing a transport" in [`blocking`](crate::blocking) lists
/// the obligations, which are the same for both traits.
///
/// ```
/// # #[cfg(feature = "timer")]
/// # mod example {
/// use std::future::{Ready, ready};
/// use std::time::Duration;
///
/// use classify_client::classify_proto::{Failure, Reply, http};
/// use classify_client::{Budget, RequestBody, Timer, Transport};
///
/// struct Offline;
///
/// impl Transport for Offline {
///     type Exchange = Ready<Reply>;
///     type Sleep = Timer;
///
///     fn send(&self, _: http::Request<RequestBody>, _: Budget) -> Self::Exchange {
///         ready(Err(Failure::connect("offline")))
///     }
///
///     fn sleep(&self, duration: Duration) -> Timer {
///         Timer::new(duration)
///     }
/// }
/// # }
/// ```
pub trait Transport: 'static {
    /// The future of one exchange. Its output is the response or a failure.
    type Exchange: Future<Output = Reply> + 'static;

    /// A timer. If your HTTP stack has none, use `classify_client::Timer` (feature `timer`) on native targets.
    type Sleep: Future<Output = ()> + 'static;

    /// Returns a future that sends a request and ends with its response, with any status. Dropping the future ends the
    /// request.
    fn send(&self, request: http::Request<RequestBody>, budget: Budget) -> Self::Exchange;

    /// Returns a future that ends after `duration`.
    fn sleep(&self, duration: Duration) -> Self::Sleep;

    /// Returns an exchange that continues while it is not polled, for example because it is spawned. By default,
    /// returns `exchange` unchanged.
    ///
    /// The client calls this for lists, bulk runs and [`Running`](super::Running), not for single calls. Dropping the
    /// returned future must end the request.
    fn background(&self, exchange: Self::Exchange) -> Self::Exchange {
        exchange
    }

    /// Spawns a future, as the driver of a [`Pool`](super::Pool) needs. Returns an error by default.
    ///
    /// # Errors
    ///
    /// [`Failure::refused`] if the transport has no runtime to spawn on.
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Result<(), Failure> {
        drop(future);
        Err(Failure::refused(
            "this transport cannot spawn futures; call `pool_with_driver` and poll the driver",
        ))
    }

    /// Returns the executor for blocking work, such as reading files; [`BlockingExecutor::default`] by default.
    fn blocking_executor(&self) -> BlockingExecutor {
        BlockingExecutor::default()
    }

    /// Returns an error if the transport cannot be used on the current thread, for example because there is no runtime.
    /// `Ok` by default.
    ///
    /// # Errors
    ///
    /// [`Failure::refused`] with the reason; every request then fails with it.
    fn check(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// Returns a new transport for these limits, or `None` if the transport takes all limits from [`Budget`], as by
    /// default.
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

    /// Returns the current time; [`now`](crate::now) by default on native targets.
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    fn now(&self) -> Time {
        crate::clock::now()
    }

    /// Returns the current time.
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    fn now(&self) -> Time;

    /// Returns 16 random bytes; from the operating system by default on native targets.
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

/// A transport with a default configuration. It enables [`Client::new`](super::Client::new) and
/// [`Client::from_env`](super::Client::from_env).
pub trait DefaultTransport: Transport + Sized {
    /// Returns a transport for these limits, which sends requests through `proxy` if there is one.
    ///
    /// # Errors
    ///
    /// [`is_transport`](Error::is_transport) or [`is_invalid`](Error::is_invalid) if it cannot be built.
    fn build(limits: &TransportLimits, proxy: Option<&Proxy>) -> Result<Self, Error>;
}
