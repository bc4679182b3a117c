//! Messages on stderr.
//!
//! Nothing here fails if stderr is closed.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};

use clap::ValueEnum as _;
use serde_json::{Value, json};

use crate::error::CliError;
use crate::output::format::Format;
use crate::output::transform;
use crate::terminal::write_stderr;

/// Returns a number and a noun in the singular or plural: `1 document was`, `2 documents were`.
pub(crate) fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// How important a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Always printed.
    Warning,
    /// Printed unless `--quiet` is set.
    Note,
    /// Printed for people: on a terminal, unless `--quiet` is set.
    Status,
}

/// The settings of the flags for messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PrinterSettings {
    pub(crate) quiet: bool,
    /// The value of `--format-error`, or of `--format` if it is absent.
    pub(crate) error_format: Format,
}

/// Prints messages to stderr.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    quiet: bool,
    is_terminal: bool,
    /// Whether every line is a JSON object, so that a program can parse all of stderr.
    json: bool,
}

impl Printer {
    pub(crate) fn new(settings: PrinterSettings) -> Self {
        Self {
            quiet: settings.quiet,
            is_terminal: io::stderr().is_terminal(),
            json: settings.error_format.has_json_errors(),
        }
    }

    /// A printer for a command line that cannot be parsed: looks for the format in the unparsed arguments.
    pub(crate) fn from_raw_args(args: &[OsString]) -> Self {
        let args: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
        let value_of = |flag: &str| {
            let next = args.windows(2).find(|pair| pair[0] == flag);
            let next = next.map(|pair| pair[1].as_ref());
            let inline = |arg: &'_ std::borrow::Cow<'_, str>| {
                let value = arg.strip_prefix(flag)?.strip_prefix('=')?;
                Some(value.to_owned())
            };
            next.map(str::to_owned)
                .or_else(|| args.iter().find_map(inline))
        };
        let format = value_of("--format-error").or_else(|| value_of("--format"));
        let format = format.and_then(|format| Format::from_str(&format, true).ok());
        Self {
            quiet: false,
            is_terminal: false,
            json: format.is_some_and(Format::has_json_errors),
        }
    }

    /// Whether errors are JSON objects.
    pub(crate) fn has_json_errors(self) -> bool {
        self.json
    }

    /// Whether messages of a level are printed.
    pub(crate) fn prints(self, level: Level) -> bool {
        match level {
            Level::Warning => true,
            Level::Note => !self.quiet,
            Level::Status => !self.quiet && self.is_terminal,
        }
    }

    pub(crate) fn warning(self, text: &str) {
        self.print(Level::Warning, text);
    }

    pub(crate) fn note(self, text: &str) {
        self.print(Level::Note, text);
    }

    pub(crate) fn status(self, text: &str) {
        self.print(Level::Status, text);
    }

    fn print(self, level: Level, text: &str) {
        if !self.prints(level) {
            return;
        }
        let key = match level {
            Level::Warning => "warning",
            Level::Note => "note",
            Level::Status => return write_stderr(text),
        };
        if self.json {
            write_stderr(&json!({ key: text }).to_string());
        } else {
            write_stderr(&format!("{key}: {text}"));
        }
    }

    /// Prints a longer note: as text, or in JSON mode as an object on one line.
    pub(crate) fn section(
        self,
        key: &str,
        text: impl FnOnce() -> String,
        json: impl FnOnce() -> Value,
    ) {
        if !self.prints(Level::Note) {
            return;
        }
        if self.json {
            write_stderr(&json!({ key: json() }).to_string());
        } else {
            write_stderr(&text());
        }
    }

    pub(crate) fn error(self, error: &CliError) {
        self.error_part(error, None);
    }

    /// Prints an error. In JSON mode a GJSON path may select a part; a path that matches nothing prints all of it.
    pub(crate) fn error_part(self, error: &CliError, path: Option<&str>) {
        let Some(report) = error.report() else {
            return;
        };
        if self.json {
            let json = report.to_json().to_string();
            let part = path.and_then(|path| transform::apply(&json, path).ok());
            write_stderr(&part.filter(|text| text != "null").unwrap_or(json));
        } else {
            write_stderr(&report.to_text());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_one_is_singular() {
        for (number, text) in [(0, "0 files are"), (1, "1 file is"), (2, "2 files are")] {
            assert_eq!(counted(number, "file is", "files are"), text);
        }
    }
}
