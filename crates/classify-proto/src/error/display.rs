//! `Display` of errors: one line, with the hints.

use std::fmt;

use super::{Error, ErrorKind};
use crate::text::error_body;

/// Writes line breaks and other control characters as spaces: much of an error's text comes from the service.
struct SingleLineWriter<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for SingleLineWriter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (index, piece) in text.split(char::is_control).enumerate() {
            if index > 0 {
                self.0.write_str(" ")?;
            }
            self.0.write_str(piece)?;
        }
        Ok(())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        let f = &mut SingleLineWriter(f);
        let inner = &*self.0;
        let mut parts: Vec<String> = Vec::new();
        if let Some(subject) = &inner.subject {
            parts.push(error_body::one_line(subject));
        }
        parts.extend(inner.operation.map(str::to_owned));
        match inner.kind {
            ErrorKind::Status => parts.extend(self.status().map(|status| status.to_string())),
            ErrorKind::Decode => {
                parts.extend(
                    self.status()
                        .map(|status| format!("{status}, but the response could not be read")),
                );
            }
            ErrorKind::JobFailed | ErrorKind::JobCancelled => {
                let verb = if inner.kind == ErrorKind::JobFailed {
                    "failed"
                } else {
                    "was cancelled"
                };
                parts.push(format!(
                    "job {} {verb}",
                    inner.job_id.as_deref().unwrap_or("(no id)")
                ));
            }
            _ => {}
        }
        if !inner.message.is_empty() {
            parts.push(inner.message.clone());
        }
        // Not also a `source()`: a program that prints the chain would print it twice.
        if let Some(failure) = self.failure() {
            parts.push(error_body::one_line(&failure.to_string()));
        }
        f.write_str(&parts.join(": "))?;

        let mut notes: Vec<String> = Vec::new();
        if inner.attempts > 1 {
            notes.push(format!("{} attempts", inner.attempts));
        }
        if let Some(delay) = self.retry_after() {
            notes.push(format!(
                "the service asks to wait {} s",
                delay.as_secs_f64().ceil()
            ));
        }
        if inner.ambiguous || inner.kind == ErrorKind::Conflict {
            notes.extend(
                inner
                    .file_id
                    .as_deref()
                    .map(|id| format!("file {}", error_body::one_line(id))),
            );
            notes.extend(
                inner
                    .transaction_id
                    .as_deref()
                    .map(|id| format!("transaction id {id}")),
            );
        }
        if !matches!(inner.kind, ErrorKind::JobFailed | ErrorKind::JobCancelled) {
            notes.extend(inner.job_id.as_deref().map(|id| format!("job {id}")));
        }
        notes.extend(
            self.request_id()
                .map(|id| format!("request id {}", error_body::one_line(id))),
        );
        if !notes.is_empty() {
            write!(f, " ({})", notes.join(", "))?;
        }
        for hint in self.hints() {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.to_string())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::tests::status;
    use super::*;
    use crate::reply::Failure;

    #[test]
    fn error_display_is_one_line_with_operation_status_message_and_hint() {
        assert_eq!(
            status(404, r#"{"detail":"Job\nnot found"}"#).to_string(),
            "classify.get: 404 Not Found: Job not found (request id req-7); check the id, and that it belongs to the key's project"
        );
        let error = Error::from_failure(Failure::timeout("60 s passed"))
            .with_operation("classify.create")
            .with_attempts(6)
            .with_ambiguity(true)
            .with_transaction_id(Some("tx-1"));
        assert_eq!(
            error.to_string(),
            "classify.create: no response in time: 60 s passed (6 attempts, transaction id tx-1); send the same create (same file_input, same rules) again under the same transaction id, without another upload: that cannot make a second job"
        );
        assert!(error.is_timeout() && error.is_ambiguous() && !error.is_auth());
    }

    #[test]
    fn error_display_has_hint_for_each_actionable_status() {
        for (code, word) in [
            (401, "region"),
            (402, "credits"),
            (403, "right"),
            (404, "project"),
            (410, "withdrawn"),
            (413, "size"),
            (422, "field"),
            (429, "slow"),
            (307, "base URL"),
        ] {
            let text = status(code, "").to_string();
            assert!(text.contains(word), "{code}: {text}");
        }
    }

    /// A request that may have had an effect is not sent again unverified, after any kind of error.
    #[test]
    fn ambiguous_error_display_advises_verification_or_same_transaction_id() {
        let response = || http::Response::new(Bytes::from_static(b"{"));
        for error in [
            status(500, ""),
            status(504, ""),
            status(401, ""),
            status(402, ""),
            Error::decode(response(), "the JSON ends too early", false),
            Error::too_large("the response is too large"),
            Error::from_failure(Failure::too_large(1)),
            Error::from_failure(Failure::broken("reset")),
            Error::timeout("no reply"),
            Error::ambiguous("the reply was lost"),
        ] {
            let shown = error.duplicate().with_ambiguity(true).to_string();
            assert!(shown.contains("look for its effect"), "{shown}");
            let keyed = error.with_ambiguity(true).with_transaction_id(Some("t"));
            let shown = keyed.to_string();
            assert!(shown.contains("same transaction id"), "{shown}");
        }
        // The hint of the status follows.
        let shown = status(401, "").with_ambiguity(true).to_string();
        assert!(shown.contains("region"), "{shown}");
    }

    #[test]
    fn error_display_404_of_v1_mentions_withdrawal() {
        let of = |operation: &'static str| {
            let response = http::Response::builder().status(404).body(Bytes::new());
            let error = Error::from_response(response.unwrap()).with_operation(operation);
            error.to_string()
        };
        for operation in ["classifier.jobs.create", "classifier.jobs.wait"] {
            let shown = of(operation);
            assert!(
                shown.contains("withdrawn") && shown.contains("id"),
                "{shown}"
            );
        }
        assert!(!of("classify.get").contains("withdrawn"));
    }

    #[test]
    fn redact_response_body_in_error_display_and_debug() {
        let error = status(500, r#"{"unknown":"canary"}"#);
        assert!(!format!("{error} {error:?}").contains("canary"));
        assert_eq!(&error.raw_body().unwrap()[..], br#"{"unknown":"canary"}"#);
        assert_eq!(error.request_id(), Some("req-7"));
    }
}
