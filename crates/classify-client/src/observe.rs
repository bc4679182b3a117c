//! Reports attempts to the observer and to tracing.

use std::time::Duration;

use classify_proto::machine::{AttemptInfo, AttemptOutcome};
use classify_proto::{Body, Reply, Time, http};

use crate::settings::Settings;

/// One attempt, from its start to its end.
pub(crate) struct AttemptReport {
    info: Option<AttemptInfo>,
    job_id: Option<String>,
    started: Time,
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl AttemptReport {
    pub(crate) fn start(settings: &Settings, request: &http::Request<Body>, now: Time) -> Self {
        let info = request.extensions().get::<AttemptInfo>().copied();
        let observer = settings.observer.as_ref();
        if let (Some(observer), Some(info)) = (observer, &info) {
            observer.attempt_started(info);
        }
        Self {
            info,
            job_id: observer.and_then(|_| job_id(request.uri().path())),
            started: now,
            #[cfg(feature = "tracing")]
            span: tracing::debug_span!(
                "attempt",
                operation = info.map(|info| info.operation),
                number = info.map(|info| info.number),
                method = %request.method(),
                path = request.uri().path(),
                status = tracing::field::Empty,
                failure = tracing::field::Empty,
            ),
        }
    }

    /// Runs the attempt within its span.
    #[cfg(feature = "blocking")]
    #[cfg_attr(
        not(feature = "tracing"),
        expect(clippy::unused_self, reason = "there is a span with the feature only")
    )]
    pub(crate) fn within<R>(&self, run: impl FnOnce() -> R) -> R {
        #[cfg(feature = "tracing")]
        let _entered = self.span.enter();
        run()
    }

    #[cfg(all(feature = "tracing", feature = "async"))]
    pub(crate) fn span(&self) -> tracing::Span {
        self.span.clone()
    }

    /// Reports the end of the attempt. `now` is called only if there is an observer.
    pub(crate) fn end(&self, settings: &Settings, reply: &Reply, now: impl FnOnce() -> Time) {
        #[cfg(feature = "tracing")]
        match reply {
            Ok(response) => self.span.record("status", response.status().as_u16()),
            Err(failure) => self
                .span
                .record("failure", tracing::field::display(failure)),
        };
        let (Some(observer), Some(info)) = (&settings.observer, &self.info) else {
            return;
        };
        let duration: Duration = now().since(self.started);
        let result = reply.as_ref().map(http::Response::status);
        let request_id = reply
            .as_ref()
            .ok()
            .and_then(|response| response.headers().get("x-request-id"))
            .and_then(|id| id.to_str().ok());
        let outcome = AttemptOutcome::new(result, duration)
            .request_id(request_id)
            .job_id(self.job_id.as_deref());
        observer.attempt_ended(info, &outcome);
    }
}

/// Returns the id of the job in a path, if it has one.
fn job_id(path: &str) -> Option<String> {
    ["/api/v2/classify/", "/api/v1/classifier/jobs/"]
        .iter()
        .find_map(|route| path.split_once(route))
        .and_then(|(_, rest)| rest.split('/').next())
        .filter(|id| !id.is_empty())
        .map(str::to_owned)
}

/// The span of an operation, entered while its machine runs.
#[derive(Clone)]
pub(crate) struct OperationSpan {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl OperationSpan {
    /// Starts the span of one operation.
    pub(crate) fn new(operation: &'static str) -> Self {
        #[cfg(not(feature = "tracing"))]
        let _ = operation;
        Self {
            #[cfg(feature = "tracing")]
            span: tracing::debug_span!("operation", operation),
        }
    }

    /// Returns the caller's current span, without starting one.
    pub(crate) fn current() -> Self {
        Self {
            #[cfg(feature = "tracing")]
            span: tracing::Span::current(),
        }
    }

    #[cfg_attr(
        not(feature = "tracing"),
        expect(clippy::unused_self, reason = "there is a span with the feature only")
    )]
    pub(crate) fn within<R>(&self, run: impl FnOnce() -> R) -> R {
        #[cfg(feature = "tracing")]
        let _entered = self.span.enter();
        run()
    }
}
