//! The error type of all commands.

use std::io;
use std::path::Path;

use classify_proto::Error;

use crate::connection_hint::connection_hint;
use crate::error_report::ErrorReport;
use crate::exit_code::ExitCode;
use crate::path_hint::path_hint;

/// The error of a command.
#[derive(Debug)]
pub(crate) enum CliError {
    /// The reader of stdout closed the pipe. Nothing is reported, and the exit code is 0.
    BrokenPipe,
    Report(Box<ErrorReport>),
}

impl CliError {
    pub(crate) fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self::Report(Box::new(ErrorReport::new(code, message)))
    }

    /// Returns an error for invalid usage: a flag or a file that must be corrected.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, message)
    }

    /// Adds a hint: the remedy.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Report(report) = &mut self {
            report.hint = Some(hint.into());
        }
        self
    }

    /// Returns whether the error has a hint.
    pub(crate) fn has_hint(&self) -> bool {
        let hint_of_source = |report: &ErrorReport| {
            let source = report.source.as_ref();
            source.is_some_and(|error| error.hints().next().is_some())
        };
        self.report()
            .is_some_and(|report| report.hint.is_some() || hint_of_source(report))
    }

    /// Adds a hint if the missing path is a URL or begins with `~/`.
    pub(crate) fn path_hint(self, path: &Path) -> Self {
        match path_hint(path) {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// Adds the command that resumes the run, and the open jobs.
    pub(crate) fn resumable(mut self, command: Option<String>, open_jobs: Vec<String>) -> Self {
        if let Self::Report(report) = &mut self {
            report.resume = command;
            report.open_jobs = open_jobs;
        }
        self
    }

    /// Adds the ids of objects that were created before the error.
    pub(crate) fn created(mut self, created: Vec<(&'static str, String)>) -> Self {
        if let Self::Report(report) = &mut self {
            report.created = created;
        }
        self
    }

    /// Returns the report; `None` if nothing is reported.
    pub(crate) fn report(&self) -> Option<&ErrorReport> {
        match self {
            Self::BrokenPipe => None,
            Self::Report(report) => Some(report),
        }
    }

    pub(crate) fn code(&self) -> Option<ExitCode> {
        self.report().map(|report| report.code)
    }
}

impl From<Error> for CliError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let hint = error.is_transport().then(|| connection_hint(&message));
        let code = ExitCode::of(&error);
        Self::Report(Box::new(ErrorReport {
            hint: hint.flatten().map(str::to_owned),
            source: Some(error),
            ..ErrorReport::new(code, message)
        }))
    }
}

/// An error of writing the results.
impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::BrokenPipe
        } else {
            Self::new(
                ExitCode::Unexpected,
                format!("the output cannot be written: {error}"),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use classify_proto::{Bytes, Operation as _, http, v2};

    fn not_found(body: &'static str) -> Error {
        let response = http::Response::builder()
            .status(404)
            .body(Bytes::from(body))
            .unwrap();
        v2::GetJob::new("clj-1").parse(response).unwrap_err()
    }

    #[test]
    fn error_json_has_kind_status_job_id_hint_and_resume() {
        let error = CliError::from(not_found(r#"{"detail":"no such job"}"#))
            .hint("look")
            .resumable(Some("again".into()), vec!["clj-2".into()]);
        let json = error.report().unwrap().to_json();
        assert_eq!(json["error"]["kind"], "not_found");
        assert_eq!(json["error"]["code"], "not_found");
        assert_eq!(json["error"]["exit_code"], 6);
        assert_eq!(json["error"]["status"], 404);
        assert_eq!(json["error"]["job_id"], "clj-1");
        assert_eq!(json["error"]["hint"], "look");
        assert_eq!(json["error"]["resume"], "again");
        assert_eq!(json["error"]["open_jobs"][0], "clj-2");
    }

    /// The error of a wait that reached its deadline contains the error of its last poll once.
    #[test]
    fn error_text_and_json_have_cause_that_message_leaves_out() {
        use classify_proto::machine::{Context, Machine as _, Retry, Step, Waiter};
        use classify_proto::{Api, Seed, Time};

        let api = Api::builder("llx-key").build().unwrap();
        let mut waiter = Waiter::<v2::GetJob>::new("clj-1", Seed::new([1; 16]))
            .retry(Retry::never())
            .timeout(std::time::Duration::from_secs(5));
        let mut now = Time::from_millis(0);
        let error = loop {
            match waiter.poll(Context::new(&api, now)) {
                Step::Send(ticket, _) => {
                    let response = http::Response::builder().status(503);
                    let reply = Ok(response.body(Bytes::new()).unwrap());
                    waiter.handle(Context::new(&api, now), ticket, reply);
                }
                Step::Wait(until) => now = until.unwrap(),
                Step::Event(_) => {}
                Step::Done(result) => break CliError::from(result.unwrap_err()),
            }
        };
        let report = error.report().unwrap();
        assert!(!report.message.contains("503"), "{}", report.message);
        let text = report.to_text();
        assert_eq!(text.matches("503").count(), 1, "{text}");
        assert!(text.contains("\n  cause: classify.get: 503"), "{text}");
        let json = report.to_json();
        assert_eq!(json["error"]["code"], "deadline");
        let cause = json["error"]["cause"].as_str().unwrap();
        assert!(cause.starts_with("classify.get: 503"), "{cause}");
    }

    #[test]
    fn broken_pipe_has_no_exit_code() {
        let closed = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(matches!(CliError::from(closed), CliError::BrokenPipe));
        assert_eq!(CliError::BrokenPipe.code(), None);
    }
}
