//! The exit codes of the program. `--help` and the README list them with their descriptions.

use classify_proto::Error;

/// An exit code other than 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ExitCode {
    Unexpected = 1,
    Usage = 2,
    Partial = 3,
    Auth = 4,
    Quota = 5,
    NotFound = 6,
    RateLimited = 7,
    Timeout = 8,
    JobEnded = 9,
    Interrupted = 130,
}

/// Statuses with which the service rejects a value. The same request is rejected again.
const INVALID_VALUE: [u16; 3] = [400, 413, 422];

impl ExitCode {
    pub(crate) const ALL: [Self; 10] = [
        Self::Unexpected,
        Self::Usage,
        Self::Partial,
        Self::Auth,
        Self::Quota,
        Self::NotFound,
        Self::RateLimited,
        Self::Timeout,
        Self::JobEnded,
        Self::Interrupted,
    ];

    /// Returns the `kind` of the code in an error's JSON.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Unexpected => "unexpected",
            Self::Usage => "usage",
            Self::Partial => "partial",
            Self::Auth => "auth",
            Self::Quota => "quota",
            Self::NotFound => "not_found",
            Self::RateLimited => "rate_limited",
            Self::Timeout => "timeout",
            Self::JobEnded => "job_ended",
            Self::Interrupted => "interrupted",
        }
    }

    /// Returns the meaning of the code, as `--help` and the README list it.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Unexpected => "an error that has no code of its own",
            Self::Usage => {
                "invalid usage: a flag, a rules file, or a value that the service rejects"
            }
            Self::Partial => {
                "some documents were not classified or not moved; the others have a result"
            }
            Self::Auth => {
                "the API key is missing, invalid, from another region, or has no permission"
            }
            Self::Quota => "the plan has no credits or no quota left",
            Self::NotFound => "the job, file or configuration does not exist",
            Self::RateLimited => {
                "too many requests, even after waiting as long as the service asked"
            }
            Self::Timeout => "a timeout or a deadline was reached",
            Self::JobEnded => "the job failed or was cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    /// Returns the code for an error of the core.
    pub(crate) fn of(error: &Error) -> Self {
        if error.is_job_failed() || error.is_cancelled() {
            Self::JobEnded
        } else if error.is_quota() {
            // Also with a status that else rejects a value: that of a credit cap is not published.
            Self::Quota
        } else if error.is_invalid()
            || error
                .status()
                .is_some_and(|status| INVALID_VALUE.contains(&status.as_u16()))
        {
            Self::Usage
        } else if error.is_auth() {
            Self::Auth
        } else if error.is_not_found() {
            Self::NotFound
        } else if error.is_rate_limited() {
            Self::RateLimited
        } else if error.is_deadline() || error.is_timeout() {
            Self::Timeout
        } else {
            Self::Unexpected
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use classify_proto::{Api, Bytes, Operation as _, http, v2};

    #[test]
    fn exit_code_of_each_http_status() {
        for (status, code) in [
            (401, ExitCode::Auth),
            (403, ExitCode::Auth),
            (402, ExitCode::Quota),
            (404, ExitCode::NotFound),
            (400, ExitCode::Usage),
            (413, ExitCode::Usage),
            (422, ExitCode::Usage),
            (429, ExitCode::RateLimited),
            (504, ExitCode::Timeout),
            (500, ExitCode::Unexpected),
        ] {
            let response = http::Response::builder()
                .status(status)
                .body(Bytes::new())
                .unwrap();
            let error = v2::GetJob::new("clj-1").parse(response).unwrap_err();
            assert_eq!(ExitCode::of(&error), code, "{status}");
        }
        assert_eq!(
            ExitCode::of(&Api::builder("").build().unwrap_err()),
            ExitCode::Usage
        );
    }
}
