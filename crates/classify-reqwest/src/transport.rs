//! reqwest as a transport.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use classify_client::{
    BlockingExecutor, BodyState, Budget, DefaultTransport, RequestBody, Transport as AsyncTransport,
};
use classify_proto::http::header::CONTENT_LENGTH;
use classify_proto::http::{self, Method};
use classify_proto::{Bytes, Error, Failure, Proxy, Reply, Time, TransportLimits};
use reqwest::Url;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep};

use crate::default_transport::{HAS_TLS, default_client};
use crate::failure;

/// Sends requests through a [`reqwest::Client`], in a tokio runtime with its timer enabled.
#[derive(Clone, Debug)]
pub struct Transport {
    client: reqwest::Client,
    origin: Origin,
}

/// Who built the client.
#[derive(Clone, Debug)]
enum Origin {
    Caller,
    /// This crate, for this proxy.
    Default(Option<Proxy>),
}

impl Transport {
    /// Uses the caller's own reqwest client: its proxy, its root certificates, its pool.
    ///
    /// Build it with [`reqwest::redirect::Policy::none`]. A client that follows redirects cannot be stopped from here: its
    /// response is rejected if it came from another URL, but by then the request has gone there, without `Authorization`
    /// if the host differs, and with any [extra header](classify_proto::ApiBuilder::header).
    ///
    /// With this crate's TLS features, `reqwest::Client::new()` may look for a process-wide provider and panic if there is
    /// none; pass the builder a TLS configuration, or enable a feature of reqwest that brings one.
    ///
    /// The connect limit is the reqwest client's own; the client's other limits hold beside its own.
    #[must_use]
    pub fn from_client(client: reqwest::Client) -> Self {
        Self {
            client,
            origin: Origin::Caller,
        }
    }
}

/// A request on its way: polled by its owner, or a task that goes on by itself.
pub struct Exchange(State);

enum State {
    Polled(Pin<Box<dyn Future<Output = Reply> + Send>>),
    Spawned(JoinHandle<Reply>),
}

impl Future for Exchange {
    type Output = Reply;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        match &mut self.get_mut().0 {
            State::Polled(exchange) => exchange.as_mut().poll(cx),
            State::Spawned(task) => Pin::new(task).poll(cx).map(|joined| match joined {
                Ok(reply) => reply,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => Err(Failure::broken("the runtime shut down during the request")),
            }),
        }
    }
}

/// Ends the request.
impl Drop for Exchange {
    fn drop(&mut self) {
        if let State::Spawned(task) = &self.0 {
            task.abort();
        }
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exchange")
    }
}

impl AsyncTransport for Transport {
    type Exchange = Exchange;
    type Sleep = Sleep;

    fn send(&self, request: http::Request<RequestBody>, budget: Budget) -> Exchange {
        let client = self.client.clone();
        let is_default = matches!(self.origin, Origin::Default(_));
        Exchange(State::Polled(Box::pin(exchange(
            client, is_default, request, budget,
        ))))
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        sleep(duration)
    }

    fn background(&self, mut exchange: Exchange) -> Exchange {
        let State::Polled(polled) = &mut exchange.0 else {
            return exchange;
        };
        let polled = std::mem::replace(polled, Box::pin(std::future::pending()));
        Exchange(State::Spawned(tokio::spawn(polled)))
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Result<(), Failure> {
        self.check()?;
        drop(tokio::spawn(future));
        Ok(())
    }

    fn blocking_executor(&self) -> BlockingExecutor {
        BlockingExecutor::new(|work| {
            tokio::task::spawn_blocking(work);
        })
    }

    fn check(&self) -> Result<(), Failure> {
        Handle::try_current()
            .map(drop)
            .map_err(|_| Failure::refused("there is no Tokio runtime on this thread"))
    }

    fn rebuild(&self, limits: &TransportLimits) -> Option<Result<Self, Error>> {
        match &self.origin {
            Origin::Caller => None,
            Origin::Default(proxy) => Some(Self::build(limits, proxy.as_ref())),
        }
    }

    /// Returns the time of tokio's clock, so that a test that pauses tokio's time pauses this one too.
    fn now(&self) -> Time {
        use std::sync::OnceLock;

        static START: OnceLock<(Time, Instant)> = OnceLock::new();
        let (start, started) = *START.get_or_init(|| (classify_client::now(), Instant::now()));
        let elapsed = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        start + Duration::from_millis(elapsed)
    }
}

impl DefaultTransport for Transport {
    fn build(limits: &TransportLimits, proxy: Option<&Proxy>) -> Result<Self, Error> {
        let client = default_client(limits, proxy).map_err(Failure::refused)?;
        Ok(Self {
            client,
            origin: Origin::Default(proxy.cloned()),
        })
    }
}

async fn exchange(
    client: reqwest::Client,
    is_default: bool,
    request: http::Request<RequestBody>,
    budget: Budget,
) -> Reply {
    let (parts, body) = request.into_parts();
    if is_default && !HAS_TLS && parts.uri.scheme() == Some(&http::uri::Scheme::HTTPS) {
        return Err(failure::no_tls());
    }
    let url = Url::parse(&parts.uri.to_string())
        .map_err(|error| Failure::refused(format!("reqwest rejects the URL: {error}")))?;
    let (length, state) = (body.length(), body.state());
    let has_body = length > 0 || parts.method == Method::POST;
    let mut request = reqwest::Request::new(parts.method, url.clone());
    *request.headers_mut() = parts.headers;
    if has_body {
        request.headers_mut().insert(CONTENT_LENGTH, length.into());
        *request.body_mut() = Some(reqwest::Body::wrap(body));
    }
    let response = head(&client, request, length, &state, budget).await?;
    if response.url() != &url {
        return Err(followed(response.url()));
    }
    read(response, budget).await
}

/// Returns the response's head, within its time limit once the request is written.
async fn head(
    client: &reqwest::Client,
    request: reqwest::Request,
    length: u64,
    state: &BodyState,
    budget: Budget,
) -> Result<reqwest::Response, Failure> {
    let mut response = pin!(client.execute(request));
    let mut late = pin!(async {
        let connect = if length > 0 {
            state.ended().await;
            Duration::ZERO
        } else {
            // Nothing tells when a request without a body is written, so a connection has its time too.
            budget.connect
        };
        sleep(budget.response.saturating_add(connect)).await;
    });
    poll_fn(|cx| {
        if let Poll::Ready(sent) = response.as_mut().poll(cx) {
            let not_started = length > 0 && !state.is_started();
            return Poll::Ready(sent.map_err(|error| failure::on_sending(error, not_started)));
        }
        late.as_mut().poll(cx).map(|()| {
            let limit = budget.response;
            Err(Failure::timeout(format!("no response within {limit:?}")))
        })
    })
    .await
}

async fn read(mut response: reqwest::Response, budget: Budget) -> Reply {
    let limit = budget.response_bytes;
    let mut bytes = Vec::with_capacity(budget.buffer_capacity(response.content_length())?);
    while let Some(chunk) = response.chunk().await.map_err(failure::on_reading)? {
        if (bytes.len() as u64).saturating_add(chunk.len() as u64) > limit {
            return Err(Failure::too_large(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    let mut whole = http::Response::new(Bytes::from(bytes));
    *whole.status_mut() = response.status();
    *whole.headers_mut() = std::mem::take(response.headers_mut());
    Ok(whole)
}

/// A caller's client followed a redirect. What it received there is not the service's response.
fn followed(to: &Url) -> Failure {
    Failure::refused(format!(
        "the reqwest client followed a redirect to {}; build it with redirect::Policy::none()",
        to.origin().ascii_serialization()
    ))
    .after_sending()
}
