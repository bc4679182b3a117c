//! The trait of blocking transports.

use classify_proto::{Error, Proxy, Reply, Seed, Time, TransportLimits, http};

use crate::body::RequestBody;
use crate::budget::Budget;

/// Sends requests on the calling thread. "Writing a transport" in [`blocking`](crate::blocking) lists the obligations.
/// A closure is a transport:
///
/// ```
/// use classify_client::blocking::Client;
/// use classify_client::{Budget, RequestBody};
/// use classify_proto::{Api, Reply, http, v2};
///
/// let send = |request: http::Request<RequestBody>, _: Budget| -> Reply {
///     assert_eq!(request.uri().path(), "/api/v2/classify/clj-1");
///     Ok(http::Response::new(r#"{"id": "clj-1", "status": "RUNNING"}"#.into()))
/// };
/// let client = Client::with_transport(send, Api::builder("llx-key").build()?);
/// assert_eq!(client.call(v2::GetJob::new("clj-1"))?.id, "clj-1");
/// # Ok::<(), classify_proto::Error>(())
/// ```
pub trait Transport: Send + Sync + 'static {
    /// Sends a request and returns its response, with any status, within the limits of `budget`. Does not retry.
    ///
    /// # Errors
    ///
    /// A [`Failure`](classify_proto::Failure), whose kind says whether the service may have received the request.
    fn send(&self, request: http::Request<RequestBody>, budget: Budget) -> Reply;

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

    /// Returns the current time; [`now`](crate::now) by default.
    fn now(&self) -> Time {
        crate::clock::now()
    }

    /// Returns 16 random bytes; from the operating system by default.
    ///
    /// # Errors
    ///
    /// [`is_transport`](Error::is_transport) if there are none.
    fn seed(&self) -> Result<Seed, Error> {
        crate::seed::random_seed()
    }
}

impl<F> Transport for F
where
    F: Fn(http::Request<RequestBody>, Budget) -> Reply + Send + Sync + 'static,
{
    fn send(&self, request: http::Request<RequestBody>, budget: Budget) -> Reply {
        self(request, budget)
    }
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
