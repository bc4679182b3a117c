//! Messages on stderr.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// How often progress is printed if stderr is not a terminal.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Prints messages to stderr.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    quiet: bool,
}

impl Printer {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// Prints a warning, also with `--quiet`.
    #[expect(
        clippy::unused_self,
        reason = "files of classify-cli call it as a method"
    )]
    pub(crate) fn warning(self, message: &str) {
        eprintln!("warning: {message}");
    }

    /// Prints a note.
    pub(crate) fn note(self, message: &str) {
        if !self.quiet {
            eprintln!("{message}");
        }
    }
}

/// A line of progress that is replaced on a terminal and repeated in a log.
#[derive(Debug)]
pub(crate) struct Progress {
    quiet: bool,
    is_terminal: bool,
    printed_at: Option<Instant>,
}

impl Progress {
    pub(crate) fn new(printer: Printer) -> Self {
        Self {
            quiet: printer.quiet,
            is_terminal: std::io::stderr().is_terminal(),
            printed_at: None,
        }
    }

    pub(crate) fn show(&mut self, line: &str) {
        let interval = if self.is_terminal {
            Duration::from_millis(100)
        } else {
            LOG_INTERVAL
        };
        if self.quiet || self.printed_at.is_some_and(|at| at.elapsed() < interval) {
            return;
        }
        self.printed_at = Some(Instant::now());
        if self.is_terminal {
            eprint!("\r\x1b[K{line}");
            let _ = std::io::stderr().flush();
        } else {
            eprintln!("{line}");
        }
    }

    /// Removes the line, so that other messages can follow.
    pub(crate) fn clear(&mut self) {
        if self.is_terminal && !self.quiet && self.printed_at.take().is_some() {
            eprint!("\r\x1b[K");
        }
    }
}
