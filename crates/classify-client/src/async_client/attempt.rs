//! One attempt: opens the body and sends the request, within the time for both.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use classify_proto::machine::{ResponseDeadline, Ticket};
use classify_proto::{Body, Failure, Reply, Time, http};

use super::body::Opening;
use super::time_limit::TimeLimit;
use super::transport::Transport;
use crate::body::{BodyState, check_reply, no_time_left, panic_failure};
use crate::budget::Budget;
use crate::observe::AttemptReport;
use crate::settings::Settings;

/// The future of one attempt. Its output is the ticket and the reply. It always ends, also if the transport panics.
pub(crate) struct Attempt<T: Transport> {
    transport: Arc<T>,
    settings: Arc<Settings>,
    ticket: Ticket,
    started: Time,
    report: AttemptReport,
    stage: Stage<T>,
    limit: TimeLimit<T>,
    runs_in_background: bool,
}

enum Stage<T: Transport> {
    Open {
        parts: Option<Box<http::request::Parts>>,
        opening: Opening,
    },
    Send {
        exchange: Pin<Box<T::Exchange>>,
        budget: Budget,
        length: u64,
        body: BodyState,
    },
}

// The transport's futures are boxed.
impl<T: Transport> Unpin for Attempt<T> {}

impl<T: Transport> Attempt<T> {
    pub(crate) fn new(
        transport: Arc<T>,
        settings: Arc<Settings>,
        ticket: Ticket,
        request: http::Request<Body>,
        started: Time,
        runs_in_background: bool,
    ) -> Self {
        let report = AttemptReport::start(&settings, &request, started);
        let (parts, body) = request.into_parts();
        let opening = match transport.check() {
            Ok(()) => Opening::start(body, || transport.blocking_executor()),
            Err(failure) => Opening::Opened(Some(Err(failure))),
        };
        let mut attempt = Self {
            transport,
            settings,
            ticket,
            started,
            report,
            stage: Stage::Open {
                parts: Some(Box::new(parts)),
                opening,
            },
            limit: TimeLimit::none(),
            runs_in_background,
        };
        if let Stage::Open { parts, opening } = &attempt.stage {
            // Opening a file may take long, for example on a network share.
            if opening.is_pending() {
                let deadline = parts
                    .as_ref()
                    .and_then(|parts| parts.extensions.get::<ResponseDeadline>().copied());
                let budget = Budget::new(&attempt.settings.limits, 0, deadline, started);
                attempt.limit.set(&attempt.transport, started, budget.total);
            }
        }
        attempt
    }

    /// Returns the latest time at which the attempt wakes its task; `None` before it was polled.
    pub(crate) fn ends_by(&self) -> Option<Time> {
        self.limit.ends_by()
    }

    /// Extends the limits of this attempt by a time in which the caller did not poll.
    pub(crate) fn extend(&mut self, pause: Duration) {
        self.started = self.started + pause;
        self.limit.extend(pause);
        if let Stage::Send { body, .. } = &self.stage {
            body.add_pause(pause);
        }
    }

    fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<Reply> {
        loop {
            match &mut self.stage {
                Stage::Open { parts, opening } => {
                    let Poll::Ready(opened) = opening.poll(cx) else {
                        let renewal = self.settings.limits.response;
                        let late = self.limit.poll_is_over(&self.transport, cx, renewal);
                        return if late {
                            let failure =
                                Failure::timeout("opening the document exceeded the time limit");
                            Poll::Ready(Err(failure.before_sending().attempted(false)))
                        } else {
                            Poll::Pending
                        };
                    };
                    let parts = parts.take();
                    self.limit = TimeLimit::none();
                    match (opened, parts) {
                        (Ok(body), Some(parts)) => {
                            if let Err(failure) = self.send(*parts, body) {
                                return Poll::Ready(Err(failure));
                            }
                        }
                        (Err(failure), _) => return Poll::Ready(Err(failure)),
                        (Ok(_), None) => return Poll::Pending,
                    }
                }
                Stage::Send {
                    exchange,
                    budget,
                    length,
                    body,
                } => {
                    let (length, body, budget) = (*length, body.clone(), *budget);
                    let polled = catch_unwind(AssertUnwindSafe(|| exchange.as_mut().poll(cx)));
                    let reply = match polled {
                        Ok(Poll::Ready(reply)) => reply,
                        Err(_) => Err(panic_failure()),
                        Ok(Poll::Pending) => {
                            let transport = &self.transport;
                            if !self.limit.poll_is_over(transport, cx, budget.response) {
                                return Poll::Pending;
                            }
                            Err(Failure::timeout(
                                "the attempt exceeded its total time limit",
                            ))
                        }
                    };
                    let reply = check_reply(reply, length, &body, budget.response_bytes);
                    return Poll::Ready(reply);
                }
            }
        }
    }

    fn send(
        &mut self,
        parts: http::request::Parts,
        mut body: crate::body::RequestBody,
    ) -> Result<(), Failure> {
        if body.has_reader() {
            body.executor = Some(self.transport.blocking_executor());
        }
        let now = self.transport.now();
        let (length, state) = (body.length(), body.state());
        let deadline = parts.extensions.get::<ResponseDeadline>().copied();
        let budget = Budget::new(&self.settings.limits, length, deadline, self.started)
            .less(now.since(self.started));
        if budget.total.is_zero() {
            return Err(no_time_left());
        }
        let request = http::Request::from_parts(parts, body);
        let transport = &self.transport;
        let in_background = self.runs_in_background;
        let exchange = catch_unwind(AssertUnwindSafe(|| {
            let exchange = transport.send(request, budget);
            if in_background {
                transport.background(exchange)
            } else {
                exchange
            }
        }))
        .map_err(|_| panic_failure())
        .map_err(|failure| {
            if length > 0 && !state.is_started() {
                failure.before_sending()
            } else {
                failure
            }
        })?;
        self.stage = Stage::Send {
            exchange: Box::pin(exchange),
            budget,
            length,
            body: state,
        };
        self.limit.set(&self.transport, now, budget.total);
        Ok(())
    }
}

impl<T: Transport> Future for Attempt<T> {
    type Output = (Ticket, Reply);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        #[cfg(feature = "tracing")]
        let span = this.report.span();
        #[cfg(feature = "tracing")]
        let _entered = span.enter();
        let Poll::Ready(reply) = this.poll_reply(cx) else {
            return Poll::Pending;
        };
        this.report
            .end(&this.settings, &reply, || this.transport.now());
        Poll::Ready((this.ticket, reply))
    }
}
