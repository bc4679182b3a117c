//! Scope of an error: one document, the whole run, or a transient failure.

use crate::error::{Error, ErrorKind};
use crate::reply::FailureKind;

/// The documents that an error affects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorScope {
    /// One document. Others may succeed.
    Document,
    /// Every document: the key, the plan, the base URL, TLS, or a run that was stopped.
    Run,
    /// The service or the connection. The same request may succeed later.
    Transient,
}

impl ErrorScope {
    /// The list of errors that affect a single document is closed, because they finish it for good: if an error of the
    /// whole run were counted among them, a whole folder would be reported as failed.
    pub(super) fn of(error: &Error) -> Self {
        if error.is_auth() || error.is_quota() {
            return Self::Run;
        }
        // Only the service can reject a document; a page of a gateway or portal cannot.
        if error.kind() == ErrorKind::Status && error.is_intercepted() {
            return Self::Run;
        }
        if error.is_transient() {
            return Self::Transient;
        }
        if let Some(failure) = error.failure() {
            return match failure.kind() {
                FailureKind::Content => Self::Document,
                FailureKind::Refused => Self::Run,
                _ => Self::Transient,
            };
        }
        match (error.kind(), error.status().map(|status| status.as_u16())) {
            (ErrorKind::Invalid | ErrorKind::Conflict, _)
            | (ErrorKind::Status, Some(400 | 404 | 409 | 413 | 415 | 422 | 451)) => Self::Document,
            // Not implemented, and unsupported HTTP version; all other 5xx are transient.
            (ErrorKind::Status, Some(501 | 505)) => Self::Run,
            (ErrorKind::Status, Some(500..)) | (ErrorKind::Decode | ErrorKind::TooLarge, _) => {
                Self::Transient
            }
            _ => Self::Run,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Failure;
    use bytes::Bytes;

    fn of_status(status: u16) -> ErrorScope {
        let response = http::Response::builder().status(status);
        ErrorScope::of(&Error::from_response(response.body(Bytes::new()).unwrap()))
    }

    #[test]
    fn error_scope_of_every_status() {
        for status in [400, 404, 409, 413, 415, 422, 451] {
            assert_eq!(of_status(status), ErrorScope::Document, "{status}");
        }
        for status in [
            301, 302, 307, 308, 401, 402, 403, 405, 406, 407, 410, 411, 414, 418, 431, 501, 505,
        ] {
            assert_eq!(of_status(status), ErrorScope::Run, "{status}");
        }
        for status in [408, 429, 500, 502, 503, 504, 507, 520, 524, 529, 599] {
            assert_eq!(of_status(status), ErrorScope::Transient, "{status}");
        }
    }

    #[test]
    fn error_scope_of_html_in_place_of_json_is_never_a_document() {
        for status in [400, 401, 403, 404, 409, 415, 422, 451] {
            let response = http::Response::builder().status(status);
            let page = Bytes::from_static(b"<html><title>Blocked</title>");
            let error = Error::from_response(response.body(page).unwrap());
            assert_eq!(ErrorScope::of(&error), ErrorScope::Run, "{status}");
        }
    }

    #[test]
    fn error_scope_of_every_transport_failure() {
        for (failure, scope) in [
            (Failure::connect("refused"), ErrorScope::Transient),
            (Failure::timeout("60 s"), ErrorScope::Transient),
            (Failure::broken("reset"), ErrorScope::Transient),
            (Failure::too_large(1), ErrorScope::Transient),
            (Failure::content("gone"), ErrorScope::Document),
            (Failure::refused("no threads left"), ErrorScope::Run),
        ] {
            let name = format!("{failure:?}");
            assert_eq!(
                ErrorScope::of(&Error::from_failure(failure)),
                scope,
                "{name}"
            );
        }
        let invalid = Error::invalid("file_input", "is empty");
        assert_eq!(ErrorScope::of(&invalid), ErrorScope::Document);
    }
}
