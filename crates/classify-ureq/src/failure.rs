//! What ureq's errors mean: what happened, and whether the service may have acted.

use std::io;

use classify_proto::{Failure, Limits};
use ureq::{Error, Timeout};

/// The failure of a request that was not answered. `untouched` says that it has a body of which nothing was sent.
pub(crate) fn on_sending(error: Error, untouched: bool, limits: &Limits) -> Failure {
    let failure = judge(error, limits);
    // Nobody can have acted upon a request without its body.
    if untouched {
        failure.before_sending()
    } else {
        failure
    }
}

/// The failure of a response whose body did not come in full.
pub(crate) fn on_reading(error: io::Error, limits: &Limits) -> Failure {
    match judge(error.into(), limits) {
        // Whatever it looks like, the request was answered.
        failure if !failure.may_have_been_sent() => failure.after_sending(),
        failure => failure,
    }
}

fn judge(error: Error, limits: &Limits) -> Failure {
    match error {
        Error::Timeout(which) => timed_out(which, limits),
        Error::HostNotFound => Failure::connect("the host's name is not known"),
        Error::ConnectionFailed => Failure::connect("no address of the host could be reached"),
        Error::ConnectProxyFailed(why) => Failure::connect(format!("the proxy refused: {why}")),
        Error::Tls(why) => Failure::connect(format!("TLS: {why}")),
        #[cfg(feature = "_rustls")]
        Error::Rustls(error @ rustls::Error::InvalidCertificate(_)) => {
            Failure::refused(format!("TLS: {error}"))
        }
        #[cfg(feature = "_rustls")]
        Error::Rustls(error) => Failure::connect(format!("TLS: {error}")),
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

/// Says why an https URL cannot be reached by this build.
pub(crate) fn no_tls() -> Failure {
    Failure::refused(
        "https needs TLS, and this build has none; turn on one of classify-ureq's features rustls, aws-lc, native-tls",
    )
}

fn timed_out(which: Timeout, limits: &Limits) -> Failure {
    match which {
        Timeout::Resolve => Failure::timeout(format!(
            "the host's name was not found within {:?}",
            limits.connect
        ))
        .before_sending(),
        Timeout::Connect => {
            Failure::timeout(format!("no connection within {:?}", limits.connect)).before_sending()
        }
        Timeout::RecvResponse => {
            Failure::timeout(format!("no response within {:?}", limits.response))
        }
        _ => Failure::timeout("the time for the whole attempt is up"),
    }
}

fn broken(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::connect(error.to_string()),
        io::ErrorKind::TimedOut => Failure::timeout(error.to_string()),
        _ if is_bad_certificate(error) => Failure::refused(format!("TLS: {error}")),
        _ => Failure::broken(error.to_string()),
    }
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
