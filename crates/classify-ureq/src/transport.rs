//! One request, one reply.

use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use classify_proto::http::header::{CONTENT_LENGTH, EXPECT};
use classify_proto::http::{self, HeaderValue, Method, StatusCode};
use classify_proto::machine::ResponseDeadline;
use classify_proto::{Body, Bytes, Failure, Proxy, Reply, Time, TransportLimits};
use ureq::{Agent, SendBody};

use crate::agent::{self, HAS_TLS};
use crate::failure::{self, Sent};
use crate::outgoing::Outgoing;
use crate::stage;

/// A larger body waits until the service says that it wants it, a second at most.
///
/// ureq reads nothing while it writes. Without this, a service that refuses a large document at its head and reads no
/// further would leave us writing until the time is up, and its answer would be lost.
const ASKED_FIRST: u64 = 1 << 20;

/// Beyond it a limit is none, and the sum of it and the present time none that a clock can hold.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// An agent, and what one attempt may take.
#[derive(Clone)]
pub(crate) struct Transport {
    /// Where our own could not be made, the reason: every request is refused with it.
    agent: Result<Agent, Arc<str>>,
    /// The way of an agent that was made by us, so that its own settings are those of an ordinary request.
    own: Option<Route>,
    limits: TransportLimits,
}

/// The proxy on the way to the service, or why it cannot be told.
pub(crate) type Route = Result<Option<Proxy>, Arc<str>>;

impl Transport {
    pub(crate) fn new(route: Route, limits: TransportLimits) -> Self {
        let limits = bounded(limits);
        let agent = route
            .as_ref()
            .map_err(Arc::clone)
            .and_then(|proxy| agent::own(&limits, proxy.as_ref()).map_err(Into::into));
        Self {
            agent,
            own: Some(route),
            limits,
        }
    }

    pub(crate) fn with_agent(agent: Agent, limits: TransportLimits) -> Self {
        Self {
            agent: Ok(agent),
            own: None,
            limits: bounded(limits),
        }
    }

    pub(crate) fn with_limits(self, limits: TransportLimits) -> Self {
        match self.own {
            Some(route) => Self::new(route, limits),
            None => Self {
                limits: bounded(limits),
                ..self
            },
        }
    }

    pub(crate) fn limits(&self) -> &TransportLimits {
        &self.limits
    }

    /// Sends a request and reads its response, of whatever status.
    pub(crate) fn send(&self, request: http::Request<Body>, now: Time) -> Reply {
        #[cfg(feature = "tracing")]
        let span = crate::trace::attempt(&request).entered();
        let reply = self.exchange(request, now);
        #[cfg(feature = "tracing")]
        crate::trace::end(&span, &reply);
        reply
    }

    fn exchange(&self, request: http::Request<Body>, now: Time) -> Reply {
        let begun = Instant::now();
        let (parts, body) = request.into_parts();
        let agent = match &self.agent {
            Ok(agent) => agent,
            Err(why) => return Err(Failure::refused(&**why)),
        };
        if self.own.is_some() && !HAS_TLS && parts.uri.scheme() == Some(&http::uri::Scheme::HTTPS) {
            return Err(failure::no_tls());
        }
        let mut outgoing = Outgoing::open(body)?;
        let length = outgoing.length();
        let response_deadline = parts.extensions.get::<ResponseDeadline>().copied();
        let time = self
            .limits
            .attempt_timeout(length, response_deadline, now)
            .min(LONGEST);
        // Opening a file may have taken some of it: a share of the network answers when it likes. In whole milliseconds,
        // so that what took no time leaves the time that the agent is set to.
        let left = || time.saturating_sub(whole_millis(begun.elapsed()));
        if left().is_zero() {
            return Err(Failure::timeout("no time was left to send it").before_sending());
        }

        let has_body = length > 0 || parts.method == Method::POST;
        let mut request = http::Request::new(());
        *request.method_mut() = parts.method;
        *request.uri_mut() = parts.uri;
        *request.headers_mut() = parts.headers;
        if has_body {
            let headers = request.headers_mut();
            headers.insert(CONTENT_LENGTH, length.into());
            if length > ASKED_FIRST {
                headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
            }
        }
        stage::begin();
        let ran = catch_unwind(AssertUnwindSafe(|| {
            if !has_body {
                return self.run(agent, request, SendBody::none(), left());
            }
            self.send_body(agent, request, &mut outgoing, left)
        }));
        let failed = match ran {
            Ok(Ok(response)) => return self.read(response),
            Ok(Err(error)) => Some(error),
            Err(_panic) => None,
        };
        if let Some(trouble) = outgoing.trouble() {
            return Err(Failure::content(trouble));
        }
        let sent = if stage::was_unconnected() {
            Sent::Nothing
        } else if outgoing.touched() {
            Sent::Body
        } else if length > 0 {
            Sent::Head
        } else if self.own.is_some() {
            Sent::Whole
        } else {
            Sent::Unknown
        };
        Err(match failed {
            Some(error) => failure::on_sending(error, sent, &self.limits),
            None => failure::on_panic(sent),
        })
    }

    fn send_body(
        &self,
        agent: &Agent,
        mut request: http::Request<()>,
        body: &mut Outgoing,
        left: impl Fn() -> Duration,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        let first = self.run(agent, request.clone(), SendBody::from_reader(body), left());
        match first {
            // A gateway that does not know what it is to say; the body is still whole.
            Ok(response)
                if response.status() == StatusCode::EXPECTATION_FAILED
                    && request.headers_mut().remove(EXPECT).is_some()
                    && !body.touched()
                    && !left().is_zero() =>
            {
                self.run(agent, request, SendBody::from_reader(body), left())
            }
            first => first,
        }
    }

    fn run(
        &self,
        agent: &Agent,
        request: http::Request<()>,
        body: SendBody<'_>,
        time: Duration,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        let request = request.map(|()| body);
        if self.own.is_some() && time == self.limits.attempt {
            return agent.run(request);
        }
        let set = agent.config().timeouts();
        // A caller's agent may be stricter than we are.
        let shorter = |theirs: Option<Duration>, ours| Some(theirs.map_or(ours, |t| t.min(ours)));
        let global = if self.own.is_some() {
            Some(time)
        } else {
            shorter(set.global, time)
        };
        let request = agent
            .configure_request(request)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(global)
            .timeout_resolve(shorter(set.resolve, self.limits.connect))
            .timeout_connect(shorter(set.connect, self.limits.connect))
            .timeout_recv_response(shorter(set.recv_response, self.limits.response))
            .build();
        agent.run(request)
    }

    fn read(&self, response: http::Response<ureq::Body>) -> Reply {
        let limit = self.limits.response_bytes;
        let (parts, body) = response.into_parts();
        let mut bytes = Vec::with_capacity(self.limits.buffer_capacity(body.content_length())?);
        body.into_reader()
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| failure::on_reading(error, &self.limits))?;
        if bytes.len() as u64 > limit {
            return Err(Failure::too_large(limit));
        }
        let mut response = http::Response::new(Bytes::from(bytes));
        *response.status_mut() = parts.status;
        *response.headers_mut() = parts.headers;
        Ok(response)
    }
}

/// The limits, none of them longer than a clock can hold.
fn bounded(limits: TransportLimits) -> TransportLimits {
    limits
        .connect(limits.connect.min(LONGEST))
        .response(limits.response.min(LONGEST))
        .attempt(limits.attempt.min(LONGEST))
}

fn whole_millis(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
