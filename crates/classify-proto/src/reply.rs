//! The reply of a driver to a request: a response, or the transport's failure.

use std::fmt;
use std::io;

use bytes::Bytes;

use crate::proxy::Proxy;

/// The reply to one [`Step::Send`](crate::machine::Step::Send).
///
/// A response of any status is `Ok`: machines decide about a 404 or a 503, drivers do not.
pub type Reply = Result<http::Response<Bytes>, Failure>;

/// The reason why there is no complete response. Created by a driver and evaluated by a machine.
///
/// Whether a request is sent again depends on whether it may have reached the service. The constructors decide that; if
/// it is not certain, it may have.
///
/// ```
/// use classify_proto::Failure;
///
/// assert!(!Failure::connect("connection refused").may_have_been_sent());
/// assert!(Failure::timeout("60 s passed").may_have_been_sent());
/// assert!(!Failure::timeout("10 s passed").before_sending().may_have_been_sent());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    kind: FailureKind,
    attempted: bool,
    sent: bool,
    io_kind: Option<io::ErrorKind>,
    is_source_lost: bool,
    /// The proxy that the request was sent through, without user name and password.
    proxy: Option<Box<str>>,
    /// The status of the proxy's response to `CONNECT`.
    proxy_status: Option<u16>,
    message: String,
}

/// The reason that a request failed without a usable response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// No connection: DNS lookup, connection refused, host unreachable, TLS handshake.
    Connect,
    /// A time limit was reached.
    Timeout,
    /// The connection broke, the response was not HTTP, or its body was cut short.
    Broken,
    /// The response exceeded the driver's size limit.
    TooLarge,
    /// The request's content could not be read: the file is missing, unreadable, or changed during the upload.
    Content,
    /// The transport would refuse this request every time: an unsupported URL, a build without TLS, a proxy that does
    /// not connect.
    Refused,
}

impl Failure {
    /// Creates a failure to connect. Nothing was sent.
    #[must_use]
    pub fn connect(message: impl Into<String>) -> Self {
        let mut message = message.into();
        // The messages of rustls, OpenSSL and GnuTLS if the server's first bytes are not TLS.
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

    /// Creates the failure of a proxy that answered `CONNECT` with this status. Nothing was sent to the service.
    ///
    /// A status of 4xx, such as 407 or 403, would be the same at every attempt and counts as [refused](Self::refused),
    /// except 408 and 429. After any other status the request may be sent again.
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

    /// Sets the proxy that the request was sent through. The error names it and its variable.
    #[must_use]
    pub fn through(mut self, proxy: &Proxy) -> Self {
        self.proxy = Some(format!("{proxy} ({})", proxy.variable()).into());
        self
    }

    /// Creates a timeout. The request may have had an effect.
    #[must_use]
    pub fn timeout(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Timeout, true, message)
    }

    /// Creates the failure of a connection that broke after something was sent. The request may have had an effect.
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

    /// Creates the failure of a request whose content could not be read in full. No complete request was sent.
    #[must_use]
    pub fn content(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Content, false, message)
    }

    /// Creates the failure of a request that the transport will never send.
    #[must_use]
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Refused, false, message)
    }

    /// Sets whether the failure to read the [content](Self::content) concerns more than one document, because their folder
    /// or network share cannot be read. A bulk run stops after several of them.
    #[must_use]
    pub fn source_lost(mut self, is_lost: bool) -> Self {
        self.is_source_lost = is_lost;
        self
    }

    /// Returns `true` if the source of the document cannot be read, and not only the document.
    #[must_use]
    pub fn is_source_lost(&self) -> bool {
        self.is_source_lost
    }

    /// Sets that the failure occurred before anything was sent, such as a connect timeout.
    #[must_use]
    pub fn before_sending(mut self) -> Self {
        self.sent = false;
        self
    }

    /// Sets that the failure occurred after something was sent, such as a redirect that was followed.
    #[must_use]
    pub fn after_sending(mut self) -> Self {
        self.sent = true;
        self.attempted = true;
        self
    }

    /// Sets the kind of the IO error that caused the failure. [`Error::io_kind`](crate::Error::io_kind) returns it.
    #[must_use]
    pub fn with_io_kind(mut self, kind: io::ErrorKind) -> Self {
        self.io_kind = Some(kind);
        self
    }

    /// Sets whether the transport began to send the request; connecting is part of sending.
    /// [`Error::attempts`](crate::Error::attempts) counts only requests that were begun.
    ///
    /// By default, a [refused](Self::refused) request and one with [unreadable content](Self::content) count as not
    /// begun, and all others as begun.
    #[must_use]
    pub fn attempted(mut self, attempted: bool) -> Self {
        self.attempted = attempted;
        self
    }

    /// Returns the kind of the failure.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// Returns `true` if the service may have received the request and so may have acted.
    #[must_use]
    pub fn may_have_been_sent(&self) -> bool {
        self.sent
    }

    /// Returns the kind of the IO error that caused the failure; `None` if the driver did not set it.
    #[must_use]
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        self.io_kind
    }

    /// Returns the proxy and the variable that set it, without user name and password; `None` if there was no proxy.
    #[must_use]
    pub fn proxy(&self) -> Option<&str> {
        self.proxy.as_deref()
    }

    /// Returns the status of the proxy's response to `CONNECT`; `None` if the proxy did not refuse.
    #[must_use]
    pub fn proxy_status(&self) -> Option<u16> {
        self.proxy_status
    }

    /// Returns `true` if the transport began to send the request, even if it only tried to connect.
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
            is_source_lost: false,
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
