//! The transport over reqwest.

use std::future::{Future, poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
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

/// Sends requests through a [`reqwest::Client`]. Needs a tokio runtime with its timer enabled; without one, every
/// request fails.
///
/// [`Client::new`](crate::Client::new) uses the default transport. To use a reqwest client of your own:
///
/// ```no_run
/// use classify_reqwest::{Api, Client, Transport};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let http = reqwest::Client::builder()
///     .redirect(reqwest::redirect::Policy::none())
///     .user_agent("my-program/1.0")
///     .build()?;
/// let api = Api::builder("llx-key").build()?;
/// let client = Client::with_transport(Transport::from_client(http), api);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Transport {
    client: reqwest::Client,
    origin: Origin,
    /// The proxy that errors name.
    proxy: Option<Arc<Proxy>>,
    server: Arc<OnceLock<Server>>,
}

/// The scheme, host and port of the first request, and the URL of its root. It is parsed once, because all requests of
/// a client go to one server.
#[derive(Debug)]
struct Server {
    scheme: http::uri::Scheme,
    authority: http::uri::Authority,
    root: Url,
}

/// The origin of the reqwest client.
#[derive(Clone, Debug)]
enum Origin {
    Caller,
    /// Built by this crate.
    Default,
}

impl Transport {
    /// Returns a transport that sends requests through `client`, with its proxy, root certificates and connection pool.
    ///
    /// Build `client` with [`reqwest::redirect::Policy::none`]. If it follows a redirect, the response is rejected, but
    /// the request has already been sent to the other URL: without `Authorization` if the host differs, and with every
    /// [extra header](classify_proto::ApiBuilder::header).
    ///
    /// With the TLS features of this crate, `reqwest::Client::new()` may use the process-wide TLS provider and panic
    /// without one. Pass a TLS configuration to the builder, or enable a TLS feature of reqwest.
    ///
    /// The time limit for connecting is that of `client`. Of all other limits, the shorter of both applies.
    #[must_use]
    pub fn from_client(client: reqwest::Client) -> Self {
        Self {
            client,
            origin: Origin::Caller,
            proxy: None,
            server: Arc::default(),
        }
    }

    /// Names the proxy that the caller's client uses, so that errors tell where it comes from. Does not set a proxy.
    #[must_use]
    pub fn named_proxy(mut self, proxy: Option<Proxy>) -> Self {
        self.proxy = proxy.map(Arc::new);
        self
    }

    fn prepare(&self, request: http::Request<RequestBody>) -> Result<Prepared, Failure> {
        let (parts, body) = request.into_parts();
        let is_default = matches!(self.origin, Origin::Default);
        if is_default && !HAS_TLS && parts.uri.scheme() == Some(&http::uri::Scheme::HTTPS) {
            return Err(failure::no_tls());
        }
        let url = self.url(&parts.uri)?;
        // The default client does not follow redirects.
        let requested = (!is_default).then(|| url.clone());
        let (length, state) = (body.length(), body.state());
        let has_body = length > 0 || parts.method == Method::POST;
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        if has_body {
            request.headers_mut().insert(CONTENT_LENGTH, length.into());
            *request.body_mut() = Some(reqwest::Body::wrap(body));
        }
        Ok(Prepared {
            request,
            length,
            state,
            url: requested,
        })
    }

    /// Returns the URL of a request, as [`Url::parse`] reads it.
    fn url(&self, uri: &http::Uri) -> Result<Url, Failure> {
        let parse = |text: &str| {
            Url::parse(text)
                .map_err(|error| Failure::refused(format!("reqwest rejects the URL: {error}")))
        };
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return parse(&uri.to_string());
        };
        let server = if let Some(server) = self.server.get() {
            server
        } else {
            let root = parse(&format!("{scheme}://{authority}/"))?;
            self.server.get_or_init(|| Server {
                scheme: scheme.clone(),
                authority: authority.clone(),
                root,
            })
        };
        if server.scheme != *scheme || server.authority.as_str() != authority.as_str() {
            return parse(&uri.to_string());
        }
        let mut url = server.root.clone();
        url.set_path(uri.path());
        url.set_query(uri.query());
        Ok(url)
    }
}

/// The future of one request: polled by its owner, or a spawned task.
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

/// Ends the request: a spawned task is aborted.
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
        Exchange(State::Polled(match self.prepare(request) {
            Ok(prepared) => {
                let exchange = prepared.exchange(&self.client, budget);
                match self.proxy.clone() {
                    None => Box::pin(exchange),
                    Some(proxy) => Box::pin(async move {
                        let reply = exchange.await;
                        reply.map_err(|failure| failure.through(&proxy))
                    }),
                }
            }
            Err(failure) => Box::pin(ready(Err(failure))),
        }))
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
            .map_err(|_| Failure::refused("there is no Tokio runtime on this thread; call the client within a runtime whose timer is enabled"))
    }

    fn rebuild(&self, limits: &TransportLimits) -> Option<Result<Self, Error>> {
        match &self.origin {
            Origin::Caller => None,
            Origin::Default => Some(Self::build(limits, self.proxy.as_deref())),
        }
    }

    /// Returns the time of tokio's clock, which tests can pause.
    fn now(&self) -> Time {
        static START: OnceLock<(Time, Instant)> = OnceLock::new();
        let (start, started) = *START.get_or_init(|| (classify_client::now(), Instant::now()));
        let elapsed = started.elapsed();
        // `as_millis` would divide a 128-bit number.
        let millis = elapsed
            .as_secs()
            .saturating_mul(1_000)
            .saturating_add(elapsed.subsec_millis().into());
        start + Duration::from_millis(millis)
    }
}

impl DefaultTransport for Transport {
    fn build(limits: &TransportLimits, proxy: Option<&Proxy>) -> Result<Self, Error> {
        let client = default_client(limits, proxy).map_err(Failure::refused)?;
        Ok(Self {
            client,
            origin: Origin::Default,
            proxy: proxy.cloned().map(Arc::new),
            server: Arc::default(),
        })
    }
}

/// A reqwest request, with the length and the state of its body.
struct Prepared {
    request: reqwest::Request,
    length: u64,
    state: BodyState,
    /// The URL, if the client may follow redirects.
    url: Option<Url>,
}

impl Prepared {
    fn exchange(
        self,
        client: &reqwest::Client,
        budget: Budget,
    ) -> impl Future<Output = Reply> + Send + use<> {
        let Self {
            request,
            length,
            state,
            url,
        } = self;
        // Outside of the future, which would otherwise hold two copies of the request.
        let mut response = client.execute(request);
        async move {
            let response = head(&mut response, length, &state, budget).await?;
            if url.is_some_and(|url| response.url() != &url) {
                return Err(followed(response.url()));
            }
            read(response, budget).await
        }
    }
}

/// Returns the head of the response. Its time limit begins when the request is written.
async fn head(
    response: &mut (impl Future<Output = reqwest::Result<reqwest::Response>> + Unpin),
    length: u64,
    state: &BodyState,
    budget: Budget,
) -> Result<reqwest::Response, Failure> {
    let mut late = pin!(async {
        let connect = if length > 0 {
            state.ended().await;
            Duration::ZERO
        } else {
            // The end of a request without a body is unknown, so the limit includes the time to connect.
            budget.connect
        };
        sleep(budget.response.saturating_add(connect)).await;
    });
    poll_fn(|cx| {
        if let Poll::Ready(sent) = Pin::new(&mut *response).poll(cx) {
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
    let capacity = budget.buffer_capacity(response.content_length())?;
    // A body that comes in one chunk is not copied.
    let mut first = Bytes::new();
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failure::on_reading)? {
        let length = (first.len() + bytes.len()) as u64;
        if length.saturating_add(chunk.len() as u64) > limit {
            return Err(Failure::too_large(limit));
        }
        if length == 0 {
            first = chunk;
            continue;
        }
        if bytes.is_empty() {
            bytes.reserve(capacity.max(first.len() + chunk.len()));
            bytes.extend_from_slice(&std::mem::take(&mut first));
        }
        bytes.extend_from_slice(&chunk);
    }
    let body = if bytes.is_empty() {
        first
    } else {
        Bytes::from(bytes)
    };
    let mut whole = http::Response::new(body);
    *whole.status_mut() = response.status();
    *whole.headers_mut() = std::mem::take(response.headers_mut());
    Ok(whole)
}

/// Returns the failure of a response that came after a redirect, which is not the service's response.
fn followed(to: &Url) -> Failure {
    Failure::refused(format!(
        "the reqwest client followed a redirect to {}; build the client with redirect::Policy::none()",
        to.origin().ascii_serialization()
    ))
    .after_sending()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The root's URL is parsed once; every request's URL equals the URL that parsing the complete text gives.
    #[test]
    fn url_of_request_is_read_like_its_text() {
        let build = || Transport::build(&TransportLimits::default(), None).unwrap();
        let shared = build();
        for server in [
            "http://127.0.0.1:8080",
            "http://[::1]:80",
            "https://xn--bcher-kva.example",
        ] {
            for path in [
                "",
                "/",
                "/api/v2/classify",
                "/api/v2/classify?page_size=100&page_token=a%2Bb%3D",
                "/api/v2/classify/clj%2F1%20%25?",
                "/base/../v2//classify/.%2e/x;y=1|{}?q='{}|^`",
                "/%E4%BA%BA?%F0%9F%98%80=~!*()",
            ] {
                let text = format!("{server}{path}");
                let uri: http::Uri = text.parse().unwrap();
                let expected = Url::parse(&uri.to_string()).unwrap();
                // A transport that knows this server or another one, and a new transport.
                for transport in [&shared, &build()] {
                    assert_eq!(transport.url(&uri).unwrap(), expected, "{text}");
                }
            }
        }
    }
}
