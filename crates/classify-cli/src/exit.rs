//! What the process ends with: the exit codes, as `--help` and the README list them, and the errors that lead there.

use std::io;
use std::process::ExitCode;

use classify_proto::Error;
use serde_json::{Map, Value, json};

/// Why the process ends, as a number and as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Code {
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

/// With these the service refuses a value: what is asked again in the same words is refused again.
const REFUSED: [u16; 3] = [400, 413, 422];

impl Code {
    /// The word that stands for the code in an error's JSON.
    fn word(self) -> &'static str {
        match self {
            Code::Unexpected => "unexpected",
            Code::Usage => "usage",
            Code::Partial => "partial",
            Code::Auth => "auth",
            Code::Quota => "quota",
            Code::NotFound => "not_found",
            Code::RateLimited => "rate_limited",
            Code::Timeout => "timeout",
            Code::JobEnded => "job_ended",
            Code::Interrupted => "interrupted",
        }
    }

    /// The code that an error of the core leads to.
    pub(crate) fn of(error: &Error) -> Self {
        if error.is_job_failed() || error.is_cancelled() {
            Code::JobEnded
        } else if error.is_invalid()
            || error
                .status()
                .is_some_and(|status| REFUSED.contains(&status.as_u16()))
        {
            Code::Usage
        } else if error.is_quota() {
            Code::Quota
        } else if error.is_auth() {
            Code::Auth
        } else if error.is_not_found() {
            Code::NotFound
        } else if error.is_rate_limited() {
            Code::RateLimited
        } else if error.is_deadline() || error.is_timeout() {
            Code::Timeout
        } else {
            Code::Unexpected
        }
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        ExitCode::from(code as u8)
    }
}

/// Why a command ended without success.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The reader of stdout has gone: nothing is wrong, and there is nobody to tell.
    Pipe,
    /// Something to say, on one line or a few.
    Told(Box<Told>),
}

/// What is said of a problem.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// How to go on, where there is a way.
    pub(crate) hint: Option<String>,
    /// The command that goes on with a run.
    pub(crate) resume: Option<String>,
    /// Jobs that go on without the run.
    pub(crate) open_jobs: Vec<String>,
    /// What the service has made all the same, by the names of errors' JSON.
    pub(crate) made: Vec<(&'static str, String)>,
    /// The core's error, for its details.
    pub(crate) error: Option<Error>,
}

impl Problem {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self::Told(Box::new(Told {
            code,
            message: message.into(),
            hint: None,
            resume: None,
            open_jobs: Vec::new(),
            made: Vec::new(),
            error: None,
        }))
    }

    /// Wrong usage: a flag or a file that must be corrected.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }

    /// The same problem, with a way to go on.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Told(told) = &mut self {
            told.hint = Some(hint.into());
        }
        self
    }

    /// The same problem, with the command that goes on with the run and the jobs that are open meanwhile.
    pub(crate) fn resumable(mut self, command: Option<String>, open_jobs: Vec<String>) -> Self {
        if let Self::Told(told) = &mut self {
            told.resume = command;
            told.open_jobs = open_jobs;
        }
        self
    }

    /// The same problem, with what the service has made before it.
    pub(crate) fn made(mut self, made: Vec<(&'static str, String)>) -> Self {
        if let Self::Told(told) = &mut self {
            told.made = made;
        }
        self
    }

    /// What is said of it, if anything is.
    pub(crate) fn told(&self) -> Option<&Told> {
        match self {
            Problem::Pipe => None,
            Problem::Told(told) => Some(told),
        }
    }

    pub(crate) fn code(&self) -> Option<Code> {
        match self {
            Problem::Pipe => None,
            Problem::Told(told) => Some(told.code),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Told(Box::new(Told {
            code: Code::of(&error),
            message: error.to_string(),
            hint: error
                .is_transport()
                .then(|| crate::network::remedy(&error.to_string()).map(str::to_owned))
                .flatten(),
            resume: None,
            open_jobs: Vec::new(),
            made: Vec::new(),
            error: Some(error),
        }))
    }
}

/// What went wrong while writing the results.
impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::Pipe
        } else {
            Self::new(
                Code::Unexpected,
                format!("the output cannot be written: {error}"),
            )
        }
    }
}

impl Told {
    /// The problem as one JSON object.
    pub(crate) fn to_json(&self) -> Value {
        let mut fields = Map::new();
        fields.insert("kind".into(), self.code.word().into());
        fields.insert("exit_code".into(), (self.code as u8).into());
        fields.insert("message".into(), self.message.as_str().into());
        if let Some(hint) = &self.hint {
            fields.insert("hint".into(), hint.as_str().into());
        }
        if let Some(command) = &self.resume {
            fields.insert("resume".into(), command.as_str().into());
        }
        if !self.open_jobs.is_empty() {
            fields.insert("open_jobs".into(), self.open_jobs.clone().into());
        }
        for (name, value) in &self.made {
            fields.insert((*name).into(), value.as_str().into());
        }
        if let Some(error) = &self.error {
            let mut add = |name: &str, value: Option<Value>| {
                if let Some(value) = value {
                    fields.insert(name.into(), value);
                }
            };
            add("operation", error.operation().map(Value::from));
            add(
                "status",
                error.status().map(|status| status.as_u16().into()),
            );
            add("job_id", error.job_id().map(Value::from));
            add("transaction_id", error.transaction_id().map(Value::from));
            add("request_id", error.request_id().map(Value::from));
            add(
                "retry_after_seconds",
                error.retry_after().map(|delay| delay.as_secs_f64().into()),
            );
            let refused: Vec<_> = error
                .field_errors()
                .iter()
                .map(|found| json!({"field": found.field, "message": found.message}))
                .collect();
            add("fields", (!refused.is_empty()).then(|| refused.into()));
        }
        json!({ "error": fields })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;
    use classify_proto::{Api, Bytes, Operation as _, http, v2};

    fn answered(status: u16, body: &'static str) -> Error {
        let response = http::Response::builder()
            .status(status)
            .body(Bytes::from(body))
            .unwrap();
        v2::GetJob::new("clj-1").parse(response).unwrap_err()
    }

    #[test]
    fn each_status_has_the_code_of_the_table() {
        for (status, code) in [
            (401, Code::Auth),
            (403, Code::Auth),
            (402, Code::Quota),
            (404, Code::NotFound),
            (400, Code::Usage),
            (413, Code::Usage),
            (422, Code::Usage),
            (429, Code::RateLimited),
            (504, Code::Timeout),
            (500, Code::Unexpected),
        ] {
            assert_eq!(Code::of(&answered(status, "")), code, "{status}");
        }
        assert_eq!(
            Code::of(&Api::builder("").build().unwrap_err()),
            Code::Usage
        );
    }

    #[test]
    fn every_code_stands_in_the_help() {
        let help = crate::args::Cli::command().render_help().to_string();
        for code in [
            Code::Unexpected,
            Code::Usage,
            Code::Partial,
            Code::Auth,
            Code::Quota,
            Code::NotFound,
            Code::RateLimited,
            Code::Timeout,
            Code::JobEnded,
            Code::Interrupted,
        ] {
            let start = format!("\n  {:<5}", code as u8);
            assert!(help.contains(&start), "{code:?}");
        }
    }

    #[test]
    fn an_error_as_json_says_what_the_core_knows() {
        let problem = Problem::from(answered(404, r#"{"detail":"no such job"}"#))
            .hint("look")
            .resumable(Some("again".into()), vec!["clj-2".into()]);
        let Problem::Told(told) = problem else {
            panic!("it is told")
        };
        let json = told.to_json();
        assert_eq!(json["error"]["kind"], "not_found");
        assert_eq!(json["error"]["exit_code"], 6);
        assert_eq!(json["error"]["status"], 404);
        assert_eq!(json["error"]["job_id"], "clj-1");
        assert_eq!(json["error"]["hint"], "look");
        assert_eq!(json["error"]["resume"], "again");
        assert_eq!(json["error"]["open_jobs"][0], "clj-2");
    }

    #[test]
    fn a_broken_pipe_is_no_error() {
        let gone = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(matches!(Problem::from(gone), Problem::Pipe));
        assert_eq!(Problem::Pipe.code(), None);
    }
}
