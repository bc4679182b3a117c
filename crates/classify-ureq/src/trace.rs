//! A span for each attempt. It holds the path but no query, no header and no body.

use classify_proto::http;
use classify_proto::{Body, Reply};
use tracing::Span;
use tracing::field::{Empty, display};

/// Begins the span of an attempt.
pub(crate) fn attempt(request: &http::Request<Body>) -> Span {
    tracing::debug_span!(
        "attempt",
        method = %request.method(),
        path = request.uri().path(),
        status = Empty,
        failure = Empty,
    )
}

/// Notes how an attempt ended.
pub(crate) fn end(span: &Span, reply: &Reply) {
    match reply {
        Ok(response) => span.record("status", response.status().as_u16()),
        Err(failure) => span.record("failure", display(failure)),
    };
}
