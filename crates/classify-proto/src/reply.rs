//! What a driver hands back for a request: a response, or what went wrong on the way.

use std::fmt;
use std::io;

use bytes::Bytes;

use crate::proxy::Proxy;

/// A driver's answer to one [`Step::Send`](crate::machine::Step::Send).
///
/// A response of any status is `Ok`: what a 404 or a 503 means is decided here, not in a driver.
pub type Reply = Result<http::Response<Bytes>, Failure>;

/// Why no whole response arrived. Plain data, made by a driver, judged by a machine.
///
/// The one question that decides about money is whether the request may have reached the service. A constructor
/// answers it; when in doubt the answer is "it may have".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    kind: FailureKind,
    attempted: bool,
    sent: bool,
    io_kind: Option<io::ErrorKind>,
    /// The proxy that the request went through, without its user name and password.
    proxy: Option<Box<str>>,
    /// What that proxy answered in place of opening a connection.
    proxy_status: Option<u16>,
    message: String,
}

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// No connection came about: name look-up, refused, unreachable, TLS handshake.
    Connect,
    /// A time limit ran out.
    Timeout,
    /// The connection broke, or what came over it was not HTTP, or the body was cut short.
    Broken,
    /// The response was larger than the driver's limit.
    TooLarge,
    /// The request's own content could not be read: the file is gone, unreadable, or changed while it was sent.
    Content,
    /// The transport refuses this request whenever it is asked: a URL it cannot take, no TLS compiled in, a proxy that does
    /// not connect.
    Refused,
}

impl Failure {
    /// No connection came about, so nothing was sent.
    #[must_use]
    pub fn connect(message: impl Into<String>) -> Self {
        let mut message = message.into();
        // How rustls, OpenSSL and GnuTLS say that the first bytes of the server are not TLS.
        let words = [
            "InvalidContentType",
            "wrong version number",
            "unexpected TLS packet",
        ];
        if words.iter().any(|words| message.contains(words)) {
            message.push_str(": the server does not speak TLS on this port; check the port and the scheme of the base URL");
        }
        Self::new(FailureKind::Connect, false, message)
    }

    /// A proxy answered `CONNECT` with this status and opened no connection, so nothing was sent.
    ///
    /// A status of 4xx, such as 407 or 403, is given at every attempt and counts as [refused](Self::refused), except 408 and
    /// 429; after any other the request may be sent again.
    #[must_use]
    pub fn proxy_refused(status: u16) -> Self {
        let is_final = (400..500).contains(&status) && !matches!(status, 408 | 429);
        let kind = if is_final {
            FailureKind::Refused
        } else {
            FailureKind::Connect
        };
        let message = format!("the proxy answered CONNECT with {status}");
        Self {
            proxy_status: Some(status),
            attempted: true,
            ..Self::new(kind, false, message)
        }
    }

    /// The same failure, of a request that went through this proxy; the error names it and its variable.
    #[must_use]
    pub fn through(mut self, proxy: &Proxy) -> Self {
        self.proxy = Some(format!("{proxy} ({})", proxy.variable()).into());
        self
    }

    /// A time limit ran out; the request may have been acted upon.
    #[must_use]
    pub fn timeout(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Timeout, true, message)
    }

    /// The connection broke after something was sent; the request may have been acted upon.
    #[must_use]
    pub fn broken(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Broken, true, message)
    }

    /// The response exceeded the driver's limit of `limit` bytes.
    #[must_use]
    pub fn too_large(limit: u64) -> Self {
        Self::new(
            FailureKind::TooLarge,
            true,
            format!("the response is larger than the limit of {limit} bytes"),
        )
    }

    /// The request's content could not be read in full, so no whole request was sent.
    #[must_use]
    pub fn content(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Content, false, message)
    }

    /// The transport will never send this request.
    #[must_use]
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Refused, false, message)
    }

    /// The same failure, known to have happened before anything was sent (a connect timeout, for example).
    #[must_use]
    pub fn before_sending(mut self) -> Self {
        self.sent = false;
        self
    }

    /// The same failure, known to have happened after something was sent (a redirect that was followed, for example).
    #[must_use]
    pub fn after_sending(mut self) -> Self {
        self.sent = true;
        self.attempted = true;
        self
    }

    /// The same failure, with the kind of the IO error that caused it; [`Error::io_kind`](crate::Error::io_kind) returns it.
    #[must_use]
    pub fn with_io_kind(mut self, kind: io::ErrorKind) -> Self {
        self.io_kind = Some(kind);
        self
    }

    /// The same failure, known to have happened before (`false`) or after (`true`) the transport began to send the request;
    /// connecting is part of sending. [`Error::attempts`](crate::Error::attempts) counts only requests that were begun.
    ///
    /// A [refused](Self::refused) request and one with [unreadable content](Self::content) were not begun, all others were,
    /// unless this says otherwise.
    #[must_use]
    pub fn attempted(mut self, attempted: bool) -> Self {
        self.attempted = attempted;
        self
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// Whether the service may have received the request, and so may have acted upon it.
    #[must_use]
    pub fn may_have_been_sent(&self) -> bool {
        self.sent
    }

    /// The kind of the IO error that caused the failure; `None` if the driver did not tell it.
    #[must_use]
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        self.io_kind
    }

    /// The proxy that the request went through and the variable that names it, without user name and password.
    #[must_use]
    pub fn proxy(&self) -> Option<&str> {
        self.proxy.as_deref()
    }

    /// The status with which the proxy refused to connect to the service.
    #[must_use]
    pub fn proxy_status(&self) -> Option<u16> {
        self.proxy_status
    }

    /// Whether the transport began to send the request, even if it only tried to connect.
    #[must_use]
    pub fn was_attempted(&self) -> bool {
        self.attempted
    }

    fn new(kind: FailureKind, sent: bool, message: impl Into<String>) -> Self {
        Self {
            kind,
            attempted: !matches!(kind, FailureKind::Content | FailureKind::Refused),
            sent,
            io_kind: None,
            proxy: None,
            proxy_status: None,
            message: message.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
