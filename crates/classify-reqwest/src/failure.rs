//! What reqwest's errors mean: what happened, and whether the service may have acted.

use std::error::Error as _;

use classify_proto::Failure;

/// The failure of a request that was not answered. `untouched` says that it has a body of which nothing was sent.
pub(crate) fn on_sending(error: reqwest::Error, untouched: bool) -> Failure {
    // The URL's query may hold what is nobody's business.
    let error = error.without_url();
    let failure = classify_error(&error);
    // Nobody can have acted upon a request without its body.
    if untouched {
        failure.before_sending()
    } else {
        failure
    }
}

fn classify_error(error: &reqwest::Error) -> Failure {
    let message = describe(error);
    let failure = if error.is_connect() {
        if error.is_timeout() {
            Failure::timeout(format!("no connection in time: {message}")).before_sending()
        } else if message.contains("scheme is not http") {
            no_tls()
        } else if message.contains("proxy authorization required") {
            Failure::proxy_refused(407)
        } else if is_bad_certificate(error) || speaks_of_certificates(&message) {
            // Looked at during the handshake, so that nothing was sent; the same one comes at every attempt.
            Failure::refused(message).attempted(true)
        } else {
            Failure::connect(message)
        }
    } else if error.is_timeout() {
        Failure::timeout(message)
    } else if error.is_builder() {
        Failure::refused(message)
    } else if error.is_redirect() {
        Failure::refused(message).after_sending()
    } else {
        Failure::broken(message)
    };
    with_io_kind(failure, error)
}

/// The failure of a response whose body did not come in full.
pub(crate) fn on_reading(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let message = describe(&error);
    let failure = if error.is_timeout() {
        Failure::timeout(message)
    } else {
        Failure::broken(message)
    };
    with_io_kind(failure, &error)
}

/// Adds the kind of the IO error among the causes.
fn with_io_kind(failure: Failure, error: &reqwest::Error) -> Failure {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return failure.with_io_kind(error.kind());
        }
        cause = error.source();
    }
    failure
}

/// Says why an https URL cannot be reached by this build.
pub(crate) fn no_tls() -> Failure {
    Failure::refused(
        "https needs TLS, and this build has none; turn on one of classify-reqwest's features rustls, aws-lc, native-tls",
    )
}

/// Whether the server's certificate is what is wrong.
#[cfg(feature = "_rustls")]
fn is_bad_certificate(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return true;
        }
        // The error inside an `io::Error` is not its cause; it has to be asked for.
        cause = match error.downcast_ref::<std::io::Error>() {
            Some(error) => error.get_ref().map(|inner| inner as _),
            None => error.source(),
        };
    }
    false
}

#[cfg(not(feature = "_rustls"))]
fn is_bad_certificate(_: &reqwest::Error) -> bool {
    false
}

/// native-tls has no kind of error for it, and each system words it in its own way.
fn speaks_of_certificates(message: &str) -> bool {
    cfg!(feature = "native-tls") && message.to_ascii_lowercase().contains("certificate")
}

/// The error and its causes in one line: reqwest's own text says only that something went wrong.
pub(crate) fn describe(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
