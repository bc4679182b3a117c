//! Converts errors of reqwest to failures, which say whether the service may have received the request.

use std::error::Error as _;

use classify_proto::Failure;

/// Returns the failure of a request without a response. `untouched` is `true` if it has a body and none of it was sent.
pub(crate) fn on_sending(error: reqwest::Error, untouched: bool) -> Failure {
    // The query of the URL may contain private data.
    let error = error.without_url();
    let failure = classify_error(&error);
    // A server cannot process a request without its body.
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
            Failure::timeout(format!("cannot connect within the time limit: {message}"))
                .before_sending()
        } else if message.contains("scheme is not http") {
            no_tls()
        } else if message.contains("proxy authorization required") {
            Failure::proxy_refused(407)
        } else if is_bad_certificate(error) || speaks_of_certificates(&message) {
            // Checked during the handshake, so nothing was sent, and a retry would get the same certificate.
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

/// Returns the failure of a response whose body is incomplete.
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

/// Adds the kind of the first IO error among the causes.
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

/// Returns the failure of an https request in a build without TLS.
pub(crate) fn no_tls() -> Failure {
    Failure::refused(
        "this build has no TLS, which https needs; enable one of the features rustls, aws-lc, native-tls of classify-reqwest",
    )
}

/// Returns whether the server's certificate is invalid.
#[cfg(feature = "_rustls")]
fn is_bad_certificate(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return true;
        }
        // The inner error of an `io::Error` is not its `source()`.
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

/// Returns whether a message is about a certificate. native-tls has no error kind for it, and the text depends on the
/// system.
fn speaks_of_certificates(message: &str) -> bool {
    cfg!(feature = "native-tls") && message.to_ascii_lowercase().contains("certificate")
}

/// Returns the error and its causes in one line. The error's own text does not contain the cause.
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
