//! An HTTP response together with the value that was parsed from it.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::error::request_id;

/// A parsed value with the HTTP response that it was parsed from: the output of a
/// [`RawCall`](crate::machine::RawCall).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawResponse<T> {
    /// The parsed value.
    pub value: T,
    /// The response's status.
    pub status: StatusCode,
    /// The response's headers.
    pub headers: HeaderMap,
    /// The response's body, unparsed.
    pub body: Bytes,
    /// The number of requests that were sent.
    pub attempts: u32,
}

impl<T> RawResponse<T> {
    /// Returns the request id from the response's headers. Include it in a report to the service's support.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        request_id(&self.headers)
    }

    pub(crate) fn new(value: T, response: http::Response<Bytes>, attempts: u32) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            value,
            status: parts.status,
            headers: parts.headers,
            body,
            attempts,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for RawResponse<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only header names and the body's size: cookies, presigned URLs and document text do not belong in a log.
        f.debug_struct("RawResponse")
            .field("value", &self.value)
            .field("status", &self.status)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("attempts", &self.attempts)
            .finish()
    }
}
