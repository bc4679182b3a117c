//! The error of a command.
//!
//! It has the shape of the command line's error, because files of `classify-cli` that are compiled into this crate
//! create it.

use std::io;
use std::process::ExitCode;

use classify_proto::Error;

/// The error of a command.
#[derive(Debug)]
pub(crate) enum CliError {
    /// The reader of stdout closed the pipe. Nothing is reported, and the exit code is 0.
    BrokenPipe,
    Report(Box<ErrorReport>),
}

/// A message, and the remedy if there is one.
#[derive(Debug)]
pub(crate) struct ErrorReport {
    code: Code,
    message: String,
    pub(crate) hint: Option<String>,
}

/// Exit codes, as those of `llamacloud-prod`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// The engine cannot be reached, or a file cannot be written.
    Unexpected = 1,
    /// The command line, or a file that it names, is invalid.
    Usage = 2,
    /// Some documents were not classified.
    Documents = 3,
}

impl CliError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self::Report(Box::new(ErrorReport {
            code,
            message: message.into(),
            hint: None,
        }))
    }

    /// Returns an error for invalid usage: a flag or a file that must be corrected.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }

    pub(crate) fn unexpected(message: impl Into<String>) -> Self {
        Self::new(Code::Unexpected, message)
    }

    /// Adds a hint: the remedy.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Report(report) = &mut self {
            report.hint = Some(hint.into());
        }
        self
    }

    /// Prints the error to stderr and returns the exit code.
    pub(crate) fn exit(&self) -> ExitCode {
        let Self::Report(report) = self else {
            return ExitCode::SUCCESS;
        };
        eprintln!("error: {}", report.message);
        if let Some(hint) = &report.hint {
            eprintln!("  hint: {hint}");
        }
        ExitCode::from(report.code as u8)
    }
}

impl From<Error> for CliError {
    fn from(error: Error) -> Self {
        let code = if error.is_invalid() {
            Code::Usage
        } else {
            Code::Unexpected
        };
        Self::new(code, error.to_string())
    }
}

/// An error of writing the results.
impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::BrokenPipe
        } else {
            Self::unexpected(format!("the output cannot be written: {error}"))
        }
    }
}
