//! One request, one reply.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use classify_proto::http::header::CONTENT_LENGTH;
use classify_proto::http::{self, Method};
use classify_proto::machine::ResponseDeadline;
use classify_proto::{Body, Bytes, Failure, Proxy, Reply, Time, TransportLimits};
use reqwest::Url;
use tokio::time::{Instant, sleep, timeout};

use crate::failure;
use crate::outgoing::{Meter, Outgoing};
use crate::own::{self, HAS_TLS};

/// A reqwest client, and what one attempt may take.
#[derive(Clone)]
pub(crate) struct Transport {
    /// Where our own could not be made, the reason: every request is refused with it, and none panics.
    client: Result<reqwest::Client, Arc<str>>,
    /// The way of a client that was made by us.
    own: Option<Route>,
    limits: TransportLimits,
}

/// The proxy on the way to the service, or why it cannot be told.
pub(crate) type Route = Result<Option<Proxy>, Arc<str>>;

impl Transport {
    pub(crate) fn new(route: Route, limits: TransportLimits) -> Self {
        let client = route
            .as_ref()
            .map_err(Arc::clone)
            .and_then(|proxy| own::build(&limits, proxy.as_ref()).map_err(Into::into));
        Self {
            client,
            own: Some(route),
            limits,
        }
    }

    pub(crate) fn with_client(client: reqwest::Client, limits: TransportLimits) -> Self {
        Self {
            client: Ok(client),
            own: None,
            limits,
        }
    }

    pub(crate) fn with_limits(self, limits: TransportLimits) -> Self {
        match self.own {
            Some(route) => Self::new(route, limits),
            None => Self { limits, ..self },
        }
    }

    pub(crate) fn limits(&self) -> &TransportLimits {
        &self.limits
    }

    /// Sends a request and reads its response, of whatever status.
    pub(crate) async fn send(&self, request: http::Request<Body>, now: Time) -> Reply {
        #[cfg(feature = "tracing")]
        {
            use tracing::Instrument as _;

            let span = crate::trace::attempt(&request);
            let reply = self.attempt(request, now).instrument(span.clone()).await;
            crate::trace::end(&span, &reply);
            reply
        }
        #[cfg(not(feature = "tracing"))]
        self.attempt(request, now).await
    }

    async fn attempt(&self, request: http::Request<Body>, now: Time) -> Reply {
        let (parts, body) = request.into_parts();
        let client = match &self.client {
            Ok(client) => client,
            Err(why) => return Err(Failure::refused(&**why)),
        };
        if self.own.is_some() && !HAS_TLS && parts.uri.scheme() == Some(&http::uri::Scheme::HTTPS) {
            return Err(failure::no_tls());
        }
        let url = Url::parse(&parts.uri.to_string()).map_err(|error| {
            Failure::refused(format!("the transport cannot take the URL: {error}"))
        })?;
        let begun = Instant::now();
        let response_deadline = parts.extensions.get::<ResponseDeadline>().copied();
        // A share of the network opens a file when it likes.
        let opening = self.limits.attempt_timeout(0, response_deadline, now);
        let outgoing = timeout(opening, Outgoing::open(body))
            .await
            .unwrap_or_else(|_| {
                Err(Failure::timeout("the document could not be opened in time").before_sending())
            })?;
        let (length, meter) = (outgoing.length(), outgoing.meter());
        let time = self.limits.attempt_timeout(length, response_deadline, now);
        let time = time.saturating_sub(begun.elapsed());
        if time.is_zero() {
            return Err(Failure::timeout("no time was left to send it").before_sending());
        }

        let has_body = length > 0 || parts.method == Method::POST;
        let mut request = reqwest::Request::new(parts.method, url.clone());
        *request.headers_mut() = parts.headers;
        if has_body {
            request.headers_mut().insert(CONTENT_LENGTH, length.into());
            *request.body_mut() = Some(reqwest::Body::wrap(outgoing));
        }
        let exchange = async {
            let response = self.head(client, request, length, &meter).await?;
            if response.url() != &url {
                return Err(followed(response.url()));
            }
            self.read(response).await
        };
        let reply = timeout(time, exchange).await.unwrap_or_else(|_| {
            let failure = Failure::timeout("the time for the whole attempt is up");
            Err(if length > 0 && !meter.touched() {
                failure.before_sending()
            } else {
                failure
            })
        });
        match meter.trouble() {
            Some(trouble) if reply.is_err() => Err(Failure::content(trouble)),
            _ => reply,
        }
    }

    /// The response's head, within the time that it has once the request is written.
    async fn head(
        &self,
        client: &reqwest::Client,
        request: reqwest::Request,
        length: u64,
        meter: &Meter,
    ) -> Result<reqwest::Response, Failure> {
        let mut response = pin!(client.execute(request));
        let mut late = pin!(async {
            let connect = if length > 0 {
                meter.ended().await;
                Duration::ZERO
            } else {
                // Nothing tells when a request without a body is written, so that a connection has its time too.
                self.limits.connect
            };
            sleep(self.limits.response.saturating_add(connect)).await;
        });
        poll_fn(|cx| {
            if let Poll::Ready(sent) = response.as_mut().poll(cx) {
                let untouched = length > 0 && !meter.touched();
                return Poll::Ready(sent.map_err(|error| failure::on_sending(error, untouched)));
            }
            late.as_mut().poll(cx).map(|()| {
                let limit = self.limits.response;
                Err(Failure::timeout(format!("no response within {limit:?}")))
            })
        })
        .await
    }

    async fn read(&self, mut response: reqwest::Response) -> Reply {
        let limit = self.limits.response_bytes;
        let mut bytes = Vec::with_capacity(self.limits.buffer_capacity(response.content_length())?);
        while let Some(piece) = response.chunk().await.map_err(failure::on_reading)? {
            if (bytes.len() as u64).saturating_add(piece.len() as u64) > limit {
                return Err(Failure::too_large(limit));
            }
            bytes.extend_from_slice(&piece);
        }
        let mut whole = http::Response::new(Bytes::from(bytes));
        *whole.status_mut() = response.status();
        *whole.headers_mut() = std::mem::take(response.headers_mut());
        Ok(whole)
    }
}

/// A caller's client went where it was not sent. What it was told there is nobody's answer.
fn followed(to: &Url) -> Failure {
    Failure::refused(format!(
        "the reqwest client followed a redirect to {}; build it with redirect::Policy::none()",
        to.origin().ascii_serialization()
    ))
    .after_sending()
}
