//! The log of `--debug`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use ureq::middleware::{Middleware, MiddlewareNext};

use crate::terminal::write_stderr;

/// Logs method, path, status, attempt and time of every request, but no header, query or body.
#[derive(Default)]
pub(super) struct RequestLog {
    /// The consecutive failed attempts, by method and path.
    failed_attempts: Mutex<HashMap<String, u32>>,
}

impl Middleware for RequestLog {
    fn handle(
        &self,
        request: ureq::http::Request<ureq::SendBody<'_>>,
        next: MiddlewareNext<'_>,
    ) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        let request_line = format!("{} {}", request.method(), request.uri().path());
        let started = Instant::now();
        let result = next.handle(request);
        let time = started.elapsed().as_millis();
        let (status, is_success) = match &result {
            Ok(response) => (
                response.status().as_u16().to_string(),
                response.status().is_success(),
            ),
            Err(error) => (format!("no response ({})", error_kind(error)), false),
        };
        let mut failed_attempts = self
            .failed_attempts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let previous = failed_attempts.get(&request_line).copied().unwrap_or(0);
        if is_success {
            failed_attempts.remove(&request_line);
        } else {
            failed_attempts.insert(request_line.clone(), previous + 1);
        }
        drop(failed_attempts);
        write_stderr(&format!(
            "debug: {request_line} -> {status}, attempt {}, {time} ms",
            previous + 1
        ));
        result
    }
}

/// Names the kind of an error. Its text is not logged, since it may contain anything.
fn error_kind(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::Timeout(_) => "timeout",
        ureq::Error::HostNotFound => "unknown host",
        ureq::Error::ConnectionFailed => "no connection",
        ureq::Error::Io(_) => "connection lost",
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::Pem(_) => "TLS",
        ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => "proxy error",
        _ => "other",
    }
}
