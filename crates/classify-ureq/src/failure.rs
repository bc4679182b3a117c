//! Converts errors of ureq to failures, which say whether the service may have received the request.

use std::io;

use classify_client::Budget;
use classify_proto::Failure;
use ureq::{Error, Timeout};

/// The part of a request that may have been sent when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Nothing, because there was no connection.
    Nothing,
    /// At most the head. A server cannot process a request without its body.
    Head,
    /// Perhaps the whole request, which has no body. Whether there was a connection is unknown.
    Unknown,
    /// Perhaps the whole request, which has no body. There was a connection.
    Whole,
    /// Part of the body.
    Body,
}

/// Returns the failure of a request without a response.
pub(crate) fn on_sending(error: Error, sent: Sent, budget: Budget) -> Failure {
    match error {
        Error::Io(error) if sent == Sent::Nothing && !is_bad_certificate(&error) => {
            unconnected(&error)
        }
        // Not if there was a connection: an open connection that loses its route reports the same error.
        Error::Io(error)
            if matches!(sent, Sent::Unknown | Sent::Head) && is_of_connecting(&error) =>
        {
            unconnected(&error)
        }
        error => {
            let failure = classify_error(error, budget);
            if matches!(sent, Sent::Nothing | Sent::Head) {
                failure.before_sending()
            } else {
                failure
            }
        }
    }
}

/// Returns the failure of a request in which ureq panicked before it had a connection.
pub(crate) fn on_connect_panic() -> Failure {
    Failure::connect("the transport panicked while it connected")
}

/// Returns the failure of a response whose body is incomplete.
pub(crate) fn on_reading(error: io::Error, budget: Budget) -> Failure {
    match classify_error(error.into(), budget) {
        // The head of the response came, so the request was sent.
        failure if !failure.may_have_been_sent() => failure.after_sending(),
        failure => failure,
    }
}

fn classify_error(error: Error, budget: Budget) -> Failure {
    match error {
        Error::Timeout(which) => timed_out(which, budget),
        Error::HostNotFound => Failure::connect("cannot resolve the host name"),
        Error::ConnectionFailed => Failure::connect("cannot connect to any address of the host"),
        Error::ConnectProxyFailed(why) => match proxy_status(&why) {
            Some(status) => Failure::proxy_refused(status),
            None => Failure::connect(format!("the proxy rejected the connection: {why}")),
        },
        Error::Tls(why) => Failure::connect(format!("TLS: {why}")),
        #[cfg(feature = "_rustls")]
        Error::Rustls(error @ rustls::Error::InvalidCertificate(_)) => {
            Failure::refused(format!("TLS: {error}")).attempted(true)
        }
        #[cfg(feature = "_rustls")]
        Error::Rustls(error) => Failure::connect(format!("TLS: {error}")),
        #[cfg(feature = "native-tls")]
        Error::NativeTls(error) if speaks_of_certificates(&error.to_string()) => {
            Failure::refused(format!("TLS: {error}")).attempted(true)
        }
        #[cfg(feature = "native-tls")]
        Error::NativeTls(error) => Failure::connect(format!("TLS: {error}")),
        Error::TlsRequired => no_tls(),
        // These do not quote the URL, because its query may contain private data.
        Error::BadUri(_) => Failure::refused("ureq rejects the URL"),
        Error::RequireHttpsOnly(_) => Failure::refused("the ureq agent allows only https"),
        Error::InvalidProxyUrl => Failure::refused("the proxy URL of the ureq agent is invalid"),
        Error::LargeResponseHeader(_, limit) => Failure::too_large(limit as u64),
        Error::Io(error) => broken(&error),
        other => Failure::broken(other.to_string()),
    }
}

/// Returns the status in ureq's text for a response to `CONNECT`, such as "proxy server responded 407/407".
fn proxy_status(why: &str) -> Option<u16> {
    let digits = |c: char| c.is_ascii_digit();
    let start = why.find(digits)?;
    why[start..].split(|c| !digits(c)).next()?.parse().ok()
}

/// Returns the failure of an https request in a build without TLS.
pub(crate) fn no_tls() -> Failure {
    Failure::refused(
        "this build has no TLS, which https needs; enable one of the features rustls, aws-lc, native-tls of classify-ureq",
    )
}

fn timed_out(which: Timeout, budget: Budget) -> Failure {
    match which {
        Timeout::Resolve => Failure::timeout(format!(
            "the host name was not resolved within {:?}",
            budget.connect
        ))
        .before_sending(),
        Timeout::Connect => {
            Failure::timeout(format!("no connection within {:?}", budget.connect)).before_sending()
        }
        Timeout::RecvResponse => {
            Failure::timeout(format!("no response within {:?}", budget.response))
        }
        _ => Failure::timeout("the attempt exceeded its total time limit"),
    }
}

fn broken(error: &io::Error) -> Failure {
    let failure = match error.kind() {
        io::ErrorKind::TimedOut => Failure::timeout(error.to_string()),
        _ if is_bad_certificate(error) => Failure::refused(format!("TLS: {error}")).attempted(true),
        _ => Failure::broken(error.to_string()),
    };
    failure.with_io_kind(error.kind())
}

fn unconnected(error: &io::Error) -> Failure {
    let failure = if error.kind() == io::ErrorKind::TimedOut {
        Failure::timeout(error.to_string()).before_sending()
    } else {
        Failure::connect(error.to_string())
    };
    failure.with_io_kind(error.kind())
}

/// Returns whether an error is, by its kind or text, one of name lookup or connecting. For a caller-supplied agent, the
/// time of the error is unknown.
fn is_of_connecting(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable
    ) || error.to_string().starts_with(LOOKUP)
        || (cfg!(windows) && matches!(error.raw_os_error(), Some(11_001..=11_004)))
}

/// The beginning of every name lookup error of the standard library, which has no error kind for it. On Windows, the
/// error number is used.
const LOOKUP: &str = "failed to lookup address information";

/// Returns whether a message is about a certificate. native-tls has no error kind for it, and the text depends on the
/// system.
#[cfg(feature = "native-tls")]
fn speaks_of_certificates(message: &str) -> bool {
    message.to_ascii_lowercase().contains("certificate")
}

/// Returns whether the certificate is invalid. It is checked during the handshake, so nothing was sent, and a retry
/// would get the same certificate.
#[cfg(feature = "_rustls")]
fn is_bad_certificate(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(inner, Some(rustls::Error::InvalidCertificate(_)))
}

#[cfg(not(feature = "_rustls"))]
fn is_bad_certificate(_: &io::Error) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use classify_proto::TransportLimits;

    use super::*;

    fn sent_after(error: Error, sent: Sent) -> bool {
        on_sending(error, sent, Budget::from(&TransportLimits::default())).may_have_been_sent()
    }

    #[test]
    fn ambiguous_failure_depends_on_send_progress_then_on_error_kind() {
        let lookup = || io::Error::other(format!("{LOOKUP}: no such host"));
        let of_kind = io::Error::from;
        for (sent, by_kind, by_reset, by_time) in [
            (Sent::Nothing, false, false, false),
            (Sent::Head, false, false, false),
            (Sent::Unknown, false, true, true),
            (Sent::Whole, true, true, true),
            (Sent::Body, true, true, true),
        ] {
            for error in [
                lookup(),
                of_kind(io::ErrorKind::HostUnreachable),
                of_kind(io::ErrorKind::NetworkUnreachable),
                of_kind(io::ErrorKind::NetworkDown),
                of_kind(io::ErrorKind::AddrNotAvailable),
                of_kind(io::ErrorKind::ConnectionRefused),
            ] {
                let message = error.to_string();
                assert_eq!(
                    sent_after(Error::Io(error), sent),
                    by_kind,
                    "{sent:?} {message}"
                );
            }
            for kind in [
                io::ErrorKind::ConnectionReset,
                io::ErrorKind::UnexpectedEof,
                io::ErrorKind::TimedOut,
            ] {
                let error = Error::Io(of_kind(kind));
                assert_eq!(sent_after(error, sent), by_reset, "{sent:?} {kind}");
            }
            for which in [Timeout::Global, Timeout::RecvResponse] {
                assert_eq!(sent_after(Error::Timeout(which), sent), by_time, "{sent:?}");
            }
            for which in [Timeout::Resolve, Timeout::Connect] {
                assert!(!sent_after(Error::Timeout(which), sent), "{sent:?}");
            }
        }
    }
}
