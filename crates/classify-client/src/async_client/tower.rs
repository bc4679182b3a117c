//! A `tower` service as a transport.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use classify_proto::{Bytes, Failure, Reply, http};
use http_body::Body as _;
use tower_service::Service;

use super::time_limit::TimeLimit;
use super::timer::Timer;
use super::transport::Transport;
use crate::body::RequestBody;
use crate::budget::Budget;

/// A transport that sends requests through a [`tower_service::Service`] from `http::Request` to `http::Response`, with
/// its layers.
///
/// The service is cloned for each request and awaited until it is ready, so layers that limit concurrency or rate delay
/// the request, within the time of its attempt. An error of the service counts as a broken connection, so that a create
/// is retried with its transaction id. Set [`failure`](Self::failure) to recognize errors that prove that nothing was
/// sent. The service must not follow redirects.
///
/// Timers need no runtime; they run on a separate thread. Time in which you pause between events does not count against
/// [`Budget::response`], because a service may make progress only while it is polled.
///
/// ```
/// use std::convert::Infallible;
/// use std::future::{Ready, ready};
/// use std::task::{Context, Poll};
///
/// use classify_client::classify_proto::{Api, http};
/// use classify_client::{Client, RequestBody, TowerTransport};
///
/// /// A service with a fixed response.
/// #[derive(Clone)]
/// struct Fixed;
///
/// impl tower_service::Service<http::Request<RequestBody>> for Fixed {
///     type Response = http::Response<String>;
///     type Error = Infallible;
///     type Future = Ready<Result<Self::Response, Infallible>>;
///
///     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
///         Poll::Ready(Ok(()))
///     }
///
///     fn call(&mut self, _: http::Request<RequestBody>) -> Self::Future {
///         ready(Ok(http::Response::new(r#"{"items": []}"#.to_owned())))
///     }
/// }
///
/// let client = Client::with_transport(TowerTransport::new(Fixed), Api::builder("llx-key").build()?);
/// # let _ = client;
/// # Ok::<(), classify_client::classify_proto::Error>(())
/// ```
pub struct TowerTransport<S, E> {
    service: S,
    failure: fn(E) -> Failure,
}

impl<S, E: fmt::Display> TowerTransport<S, E> {
    /// Returns a transport that sends requests through `service`.
    pub fn new(service: S) -> Self {
        Self {
            service,
            failure: |error| Failure::broken(error.to_string()),
        }
    }

    /// Sets the function that converts an error of the service to a failure; [`Failure::broken`] by default. Use
    /// [`Failure::connect`] only for errors that prove that the request was not sent.
    #[must_use]
    pub fn failure(mut self, failure: fn(E) -> Failure) -> Self {
        self.failure = failure;
        self
    }
}

impl<S: Clone, E> Clone for TowerTransport<S, E> {
    fn clone(&self) -> Self {
        Self {
            service: self.service.clone(),
            failure: self.failure,
        }
    }
}

impl<S, E> fmt::Debug for TowerTransport<S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TowerTransport")
    }
}

impl<S, B, E> Transport for TowerTransport<S, E>
where
    S: Service<http::Request<RequestBody>, Response = http::Response<B>, Error = E>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
    B: http_body::Body<Data: Send, Error: fmt::Display> + Send + 'static,
    E: Send + 'static,
{
    type Exchange = Pin<Box<dyn Future<Output = Reply> + Send>>;
    type Sleep = Timer;

    fn send(&self, request: http::Request<RequestBody>, budget: Budget) -> Self::Exchange {
        Box::pin(exchange(self.clone(), request, budget))
    }

    fn sleep(&self, duration: Duration) -> Timer {
        Timer::new(duration)
    }
}

async fn exchange<S, B, E>(
    transport: TowerTransport<S, E>,
    mut request: http::Request<RequestBody>,
    budget: Budget,
) -> Reply
where
    TowerTransport<S, E>: Transport<Sleep = Timer>,
    S: Service<http::Request<RequestBody>, Response = http::Response<B>, Error = E> + Clone,
    B: http_body::Body<Error: fmt::Display>,
{
    let length = request.body().length();
    if length > 0 || request.method() == http::Method::POST {
        let headers = request.headers_mut();
        headers.insert(http::header::CONTENT_LENGTH, length.into());
    }
    let (mut service, failure) = (transport.service.clone(), transport.failure);
    poll_fn(|cx| service.poll_ready(cx))
        .await
        .map_err(|error| failure(error).before_sending())?;
    let state = request.body().state();
    let response = {
        let mut call = pin!(service.call(request));
        let mut sent = pin!(state.ended());
        let mut is_sent = false;
        let mut limit = TimeLimit::none();
        let mut paused = Duration::ZERO;
        poll_fn(|cx| {
            if let Poll::Ready(response) = call.as_mut().poll(cx) {
                return Poll::Ready(response.map_err(failure));
            }
            if !is_sent {
                if sent.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                is_sent = true;
                paused = state.paused();
                // The end of a request without a body is unknown, so the limit includes the time to connect.
                let connect = if length > 0 {
                    Duration::ZERO
                } else {
                    budget.connect
                };
                limit.set(
                    &transport,
                    transport.now(),
                    budget.response.saturating_add(connect),
                );
            }
            let paused_before = std::mem::replace(&mut paused, state.paused());
            limit.extend(paused.saturating_sub(paused_before));
            if !limit.poll_is_over(&transport, cx, budget.response) {
                return Poll::Pending;
            }
            let limit = budget.response;
            Poll::Ready(Err(Failure::timeout(format!(
                "no response within {limit:?}"
            ))))
        })
        .await?
    };
    let (parts, body) = response.into_parts();
    let bytes = read(body, budget).await?;
    Ok(http::Response::from_parts(parts, bytes))
}

/// Reads a response body within its limit.
async fn read<B: http_body::Body<Error: fmt::Display>>(
    body: B,
    budget: Budget,
) -> Result<Bytes, Failure> {
    use bytes::Buf as _;

    let mut body = pin!(body);
    let mut bytes = Vec::with_capacity(budget.buffer_capacity(body.size_hint().exact())?);
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|error| Failure::broken(error.to_string()))?;
        let Ok(mut data) = frame.into_data() else {
            continue;
        };
        let length = (bytes.len() as u64).saturating_add(data.remaining() as u64);
        if length > budget.response_bytes {
            return Err(Failure::too_large(budget.response_bytes));
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            bytes.extend_from_slice(chunk);
            let read = chunk.len();
            data.advance(read);
        }
    }
    Ok(bytes.into())
}
