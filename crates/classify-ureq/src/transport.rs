//! ureq as a transport.

use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use classify_client::blocking::{DefaultTransport, Transport as BlockingTransport};
use classify_client::{Budget, RequestBody};
use classify_proto::http::header::{CONTENT_LENGTH, EXPECT};
use classify_proto::http::{self, HeaderValue, Method, StatusCode};
use classify_proto::{Bytes, Error, Failure, Proxy, Reply, TransportLimits};
use ureq::{Agent, SendBody};

use crate::connect_tracker;
use crate::default_transport::{HAS_TLS, default_agent};
use crate::failure::{self, Sent};

/// A larger body waits until the service says that it wants it, a second at most.
///
/// ureq reads nothing while it writes. Without this, a service that rejects a large document after its head and reads no
/// further would leave ureq writing until the time is up, and its response would be lost.
const EXPECT_CONTINUE_FROM: u64 = 1 << 20;

/// The longest limit that is set on an agent. A longer one could not be added to the current time.
const MAX_LIMIT: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Sends requests through a [`ureq::Agent`].
#[derive(Clone, Debug)]
pub struct Transport {
    agent: Agent,
    /// What the agent was built for, unless the caller built it.
    default: Option<Default>,
    /// The proxy that errors name.
    proxy: Option<Proxy>,
}

/// The settings of an agent that this crate built. They are those of an ordinary request.
#[derive(Clone, Debug)]
struct Default {
    limits: TransportLimits,
}

impl Transport {
    /// Uses the caller's own agent: its proxy, its root certificates, its pool.
    ///
    /// Whatever the agent is set to, a status is never an error of the transport, no redirect is followed, and a time limit
    /// is the shorter of the agent's and the client's.
    ///
    /// Whether a failed request had a connection is known only of the default agent. With a caller-supplied agent it is
    /// inferred from the error; if unclear, the request counts as sent.
    ///
    /// With this crate's TLS features alone, ureq has no TLS provider to fall back on: set one in the agent's
    /// [`TlsConfig`](ureq::tls::TlsConfig), as the process-wide default of rustls, or by ureq's own feature `rustls`. An
    /// agent without one panics on its first https request; the client turns that into an error.
    #[must_use]
    pub fn from_agent(agent: Agent) -> Self {
        Self {
            agent,
            default: None,
            proxy: None,
        }
    }

    /// Names the proxy that the caller's agent uses, so that errors tell where it comes from. Does not set a proxy.
    #[must_use]
    pub fn named_proxy(mut self, proxy: Option<Proxy>) -> Self {
        self.proxy = proxy;
        self
    }

    fn exchange(
        &self,
        parts: http::request::Parts,
        mut body: RequestBody,
        budget: Budget,
    ) -> Result<http::Response<ureq::Body>, Failure> {
        let started = Instant::now();
        let length = body.length();
        let state = body.state();
        let has_body = length > 0 || parts.method == Method::POST;
        let mut request = http::Request::new(());
        *request.method_mut() = parts.method;
        *request.uri_mut() = parts.uri;
        *request.headers_mut() = parts.headers;
        if has_body {
            let headers = request.headers_mut();
            headers.insert(CONTENT_LENGTH, length.into());
            if length > EXPECT_CONTINUE_FROM {
                headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
            }
        }
        connect_tracker::begin();
        let result = catch_unwind(AssertUnwindSafe(|| {
            if has_body {
                self.send_body(request, &mut body, budget, started)
            } else {
                self.run(request, SendBody::none(), budget)
            }
        }));
        let failed_before_connect = connect_tracker::failed_before_connect();
        let sent = if failed_before_connect {
            Sent::Nothing
        } else if state.is_started() {
            Sent::Body
        } else if length > 0 {
            Sent::Head
        } else if self.default.is_some() {
            Sent::Whole
        } else {
            Sent::Unknown
        };
        match result {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(failure::on_sending(error, sent, budget)),
            Err(_) if failed_before_connect => Err(failure::on_connect_panic()),
            Err(panic) => resume_unwind(panic),
        }
    }

    fn send_body(
        &self,
        mut request: http::Request<()>,
        body: &mut RequestBody,
        budget: Budget,
        started: Instant,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        let state = body.state();
        let first = self.run(request.clone(), SendBody::from_reader(body), budget);
        match first {
            // A gateway that does not know `expect: 100-continue`; nothing of the body was sent.
            Ok(response)
                if response.status() == StatusCode::EXPECTATION_FAILED
                    && request.headers_mut().remove(EXPECT).is_some()
                    && !state.is_started() =>
            {
                let mut left = budget;
                left.total = budget.total.saturating_sub(started.elapsed());
                if left.total.is_zero() {
                    return Ok(response);
                }
                self.run(request, SendBody::from_reader(body), left)
            }
            first => first,
        }
    }

    fn run(
        &self,
        request: http::Request<()>,
        body: SendBody<'_>,
        budget: Budget,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        let request = request.map(|()| body);
        // ureq keeps a TLS configuration only for requests that are sent with the agent's own settings.
        if let Some(default) = &self.default {
            if budget.total == default.limits.attempt {
                return self.agent.run(request);
            }
        }
        let set = self.agent.config().timeouts();
        // A caller's agent may be stricter than the client.
        let shorter = |theirs: Option<Duration>, ours| Some(theirs.map_or(ours, |t| t.min(ours)));
        let global = if self.default.is_some() {
            Some(budget.total)
        } else {
            shorter(set.global, budget.total)
        };
        let request = self
            .agent
            .configure_request(request)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(global)
            .timeout_resolve(shorter(set.resolve, budget.connect))
            .timeout_connect(shorter(set.connect, budget.connect))
            .timeout_recv_response(shorter(set.recv_response, budget.response))
            .build();
        self.agent.run(request)
    }
}

impl BlockingTransport for Transport {
    fn send(&self, request: http::Request<RequestBody>, budget: Budget) -> Reply {
        let (parts, body) = request.into_parts();
        if self.default.is_some()
            && !HAS_TLS
            && parts.uri.scheme() == Some(&http::uri::Scheme::HTTPS)
        {
            return Err(failure::no_tls());
        }
        let reply = self
            .exchange(parts, body, budget)
            .and_then(|response| read(response, budget));
        match &self.proxy {
            Some(proxy) => reply.map_err(|failure| failure.through(proxy)),
            None => reply,
        }
    }

    fn rebuild(&self, limits: &TransportLimits) -> Option<Result<Self, Error>> {
        self.default.as_ref()?;
        Some(Self::build(limits, self.proxy.as_ref()))
    }
}

impl DefaultTransport for Transport {
    fn build(limits: &TransportLimits, proxy: Option<&Proxy>) -> Result<Self, Error> {
        let limits = limits
            .connect(limits.connect.min(MAX_LIMIT))
            .response(limits.response.min(MAX_LIMIT))
            .attempt(limits.attempt.min(MAX_LIMIT));
        let agent = default_agent(&limits, proxy).map_err(Failure::refused)?;
        Ok(Self {
            agent,
            default: Some(Default { limits }),
            proxy: proxy.cloned(),
        })
    }
}

fn read(response: http::Response<ureq::Body>, budget: Budget) -> Reply {
    let limit = budget.response_bytes;
    let (parts, body) = response.into_parts();
    let mut bytes = Vec::with_capacity(budget.buffer_capacity(body.content_length())?);
    body.into_reader()
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| failure::on_reading(error, budget))?;
    if bytes.len() as u64 > limit {
        return Err(Failure::too_large(limit));
    }
    let mut response = http::Response::new(Bytes::from(bytes));
    *response.status_mut() = parts.status;
    *response.headers_mut() = parts.headers;
    Ok(response)
}
