//! The stable code of an error.

use super::{Error, ErrorKind};
use crate::reply::{Failure, FailureKind};
use crate::text::open_enum::open_enum;

open_enum! {
    /// The code of an [`Error`]: one value of a closed list, for logs, metrics, rows and journals.
    ///
    /// A code keeps its meaning. A later version may add codes; this version reads them as `Unknown`.
    /// [`KNOWN`](Self::KNOWN) lists all codes and `docs/errors.md` relates them to the predicates of [`Error`]. The
    /// code says why the last attempt failed. Whether the service may have acted is a separate question: see
    /// [`Error::is_ambiguous`] and [`DocumentStatus`](crate::machine::DocumentStatus).
    ///
    /// ```
    /// use classify_proto::ErrorCode;
    ///
    /// assert_eq!(ErrorCode::RateLimited.as_str(), "rate_limited");
    /// assert_eq!(ErrorCode::from("bad_request"), ErrorCode::BadRequest);
    /// ```
    pub enum ErrorCode {
        /// Client-side validation failed; nothing was sent.
        Invalid = "invalid",
        /// The service rejected the request: 400, 422.
        BadRequest = "bad_request",
        /// The key is missing, wrong, of another region, or lacks the right: 401, 403.
        Auth = "auth",
        /// The plan has no credits or no quota left: 402, or a 429 about a quota.
        Quota = "quota",
        /// Too many requests: 429, or the client's own rate limit.
        RateLimited = "rate_limited",
        /// The job, file or configuration does not exist: 404.
        NotFound = "not_found",
        /// A create was answered with the job of another request, or with 409.
        Conflict = "conflict",
        /// A document, response or expansion exceeds a limit, or the status is 413.
        TooLarge = "too_large",
        /// The service answered with a redirect, which is not followed: 3xx.
        Redirect = "redirect",
        /// The service failed: 5xx, except 504.
        Server = "server",
        /// Any other status that is not a success.
        Status = "status",
        /// No response before the time limit, or the status is 408 or 504.
        Timeout = "timeout",
        /// No connection: DNS lookup, connection refused, host unreachable, TLS handshake.
        Connect = "connect",
        /// The connection broke, or the response was not HTTP.
        Broken = "broken",
        /// The transport refuses the request: an untrusted certificate, an unsupported URL, no TLS.
        Refused = "refused",
        /// The document's content could not be read, or is missing.
        Content = "content",
        /// A 2xx response could not be parsed.
        Decode = "decode",
        /// The response was lost with the process that sent a request which must not be repeated.
        Ambiguous = "ambiguous",
        /// A wait or a run reached its deadline.
        Deadline = "deadline",
        /// The job ended with an error of the service.
        JobFailed = "job_failed",
        /// The job was cancelled.
        JobCancelled = "job_cancelled",
        /// The job completed without a result. Only in reports.
        NoResult = "no_result",
        /// The run stopped before the document had a result. Only in reports.
        Stopped = "stopped",
        /// A list repeated a page token, or reached the limit on pages.
        Paging = "paging",
        /// A saved state or a journal could not be written or read.
        State = "state",
    }
}

impl Error {
    /// Returns the stable code of the error. Each error has exactly one code; the predicates may overlap.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self.0.kind {
            ErrorKind::Invalid => ErrorCode::Invalid,
            ErrorKind::Status => self.code_of_status(),
            ErrorKind::Transport => match self.failure().map(Failure::kind) {
                Some(FailureKind::Connect) => ErrorCode::Connect,
                Some(FailureKind::Refused) => ErrorCode::Refused,
                _ => ErrorCode::Broken,
            },
            ErrorKind::Timeout => ErrorCode::Timeout,
            ErrorKind::Decode => ErrorCode::Decode,
            ErrorKind::TooLarge => ErrorCode::TooLarge,
            ErrorKind::Content => ErrorCode::Content,
            ErrorKind::Conflict => ErrorCode::Conflict,
            ErrorKind::Deadline => ErrorCode::Deadline,
            ErrorKind::JobFailed => ErrorCode::JobFailed,
            ErrorKind::JobCancelled => ErrorCode::JobCancelled,
            ErrorKind::RateLimit => ErrorCode::RateLimited,
            ErrorKind::Paging => ErrorCode::Paging,
            ErrorKind::State => ErrorCode::State,
            ErrorKind::Ambiguous => ErrorCode::Ambiguous,
        }
    }

    fn code_of_status(&self) -> ErrorCode {
        if self.is_quota() {
            return ErrorCode::Quota;
        }
        match self.status().map_or(0, |status| status.as_u16()) {
            300..=399 => ErrorCode::Redirect,
            400 | 422 => ErrorCode::BadRequest,
            401 | 403 => ErrorCode::Auth,
            404 => ErrorCode::NotFound,
            408 | 504 => ErrorCode::Timeout,
            409 => ErrorCode::Conflict,
            413 => ErrorCode::TooLarge,
            429 => ErrorCode::RateLimited,
            500..=599 => ErrorCode::Server,
            _ => ErrorCode::Status,
        }
    }
}
