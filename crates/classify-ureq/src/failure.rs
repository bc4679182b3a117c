//! What ureq's errors mean: what happened, and whether the service may have acted.

use std::io;

use classify_client::Budget;
use classify_proto::Failure;
use ureq::{Error, Timeout};

/// How much of a request can have been sent when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Nothing: there was no connection.
    Nothing,
    /// At most its head. Nobody can have acted upon a request that lacks its body.
    Head,
    /// Perhaps all of a request that has no body, and perhaps there was no connection: nobody tells.
    Unknown,
    /// Perhaps all of a request that has no body. There was a connection.
    Whole,
    /// Some of its body.
    Body,
}

/// The failure of a request that was not answered.
pub(crate) fn on_sending(error: Error, sent: Sent, budget: Budget) -> Failure {
    match error {
        Error::Io(error) if sent == Sent::Nothing && !is_bad_certificate(&error) => {
            unconnected(&error)
        }
        // Not where there was a connection: one that is there may find its route gone in the same words.
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

/// The failure of a request in which ureq panicked before there was a connection.
pub(crate) fn on_connect_panic() -> Failure {
    Failure::connect("the transport panicked while it connected")
}

/// The failure of a response whose body did not come in full.
pub(crate) fn on_reading(error: io::Error, budget: Budget) -> Failure {
    match classify_error(error.into(), budget) {
        // Whatever it looks like, the request was answered.
        failure if !failure.may_have_been_sent() => failure.after_sending(),
        failure => failure,
    }
}

fn classify_error(error: Error, budget: Budget) -> Failure {
    match error {
        Error::Timeout(which) => timed_out(which, budget),
        Error::HostNotFound => Failure::connect("the host's name is not known"),
        Error::ConnectionFailed => Failure::connect("no address of the host could be reached"),
        Error::ConnectProxyFailed(why) => match proxy_status(&why) {
            Some(status) => Failure::proxy_refused(status),
            None => Failure::connect(format!("the proxy refused: {why}")),
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
        // Neither repeats the URL: its query may hold what is nobody's business.
        Error::BadUri(_) => Failure::refused("the transport cannot take the URL"),
        Error::RequireHttpsOnly(_) => Failure::refused("the agent is set to https only"),
        Error::InvalidProxyUrl => Failure::refused("the proxy's URL is no URL"),
        Error::LargeResponseHeader(_, limit) => Failure::too_large(limit as u64),
        Error::Io(error) => broken(&error),
        other => Failure::broken(other.to_string()),
    }
}

/// The status in ureq's text for a response to `CONNECT`, "proxy server responded 407/407".
fn proxy_status(why: &str) -> Option<u16> {
    let digits = |c: char| c.is_ascii_digit();
    let start = why.find(digits)?;
    why[start..].split(|c| !digits(c)).next()?.parse().ok()
}

/// Says why an https URL cannot be reached by this build.
pub(crate) fn no_tls() -> Failure {
    Failure::refused(
        "https needs TLS, and this build has none; turn on one of classify-ureq's features rustls, aws-lc, native-tls",
    )
}

fn timed_out(which: Timeout, budget: Budget) -> Failure {
    match which {
        Timeout::Resolve => Failure::timeout(format!(
            "the host's name was not found within {:?}",
            budget.connect
        ))
        .before_sending(),
        Timeout::Connect => {
            Failure::timeout(format!("no connection within {:?}", budget.connect)).before_sending()
        }
        Timeout::RecvResponse => {
            Failure::timeout(format!("no response within {:?}", budget.response))
        }
        _ => Failure::timeout("the time for the whole attempt is up"),
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

/// Whether an error is one of name look-up or of connecting, going by what it is. Of a caller's own agent nobody tells
/// when it came.
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

/// How the standard library begins every error of a name look-up; they have no kind of their own. On Windows they are
/// told by number.
const LOOKUP: &str = "failed to lookup address information";

/// native-tls has no kind for it either, and each system words it in its own way.
#[cfg(feature = "native-tls")]
fn speaks_of_certificates(message: &str) -> bool {
    message.to_ascii_lowercase().contains("certificate")
}

/// A certificate is looked at during the handshake, so that nothing was sent. The same one comes at every attempt.
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
                let told = error.to_string();
                assert_eq!(
                    sent_after(Error::Io(error), sent),
                    by_kind,
                    "{sent:?} {told}"
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
