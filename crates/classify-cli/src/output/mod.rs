//! Results on stdout and in files: formats, tables and writers.

pub(crate) mod format;
mod jobs;
mod pager;
pub(crate) mod results;
pub(crate) mod sink;
pub(crate) mod table;
pub(crate) mod transform;

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write};

use serde::Serialize;

use self::pager::PagedStdout;
use self::table::RenderTarget;
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::terminal::escape_lines;

/// Writes results. Every method flushes, unless the output may go to a pager, and except between `hold` and `release`.
///
/// Control characters are replaced if the output is a terminal.
#[derive(Debug)]
pub(crate) struct OutputWriter<W: Write = PagedStdout> {
    inner: W,
    target: RenderTarget,
    is_terminal: bool,
    is_held: bool,
}

impl OutputWriter {
    pub(crate) fn stdout() -> Self {
        Self::new(PagedStdout::plain())
    }

    /// Returns a writer that shows a long list in a pager if stdout is a terminal. Call [`finish`](Self::finish) at the
    /// end.
    pub(crate) fn paged() -> Self {
        Self::new(PagedStdout::paged())
    }

    fn new(inner: PagedStdout) -> Self {
        Self {
            inner,
            target: RenderTarget::Stdout,
            is_terminal: io::stdout().is_terminal(),
            is_held: false,
        }
    }

    /// Returns the rows of the screen if the output may go to a pager.
    pub(crate) fn pager_rows(&self) -> Option<usize> {
        self.inner.screen_rows()
    }

    /// Prints output that was held back, and waits until the user quits the pager.
    pub(crate) fn finish(mut self) -> Result<(), CliError> {
        Ok(self.inner.finish()?)
    }
}

impl OutputWriter<Vec<u8>> {
    /// Returns a writer that collects the output.
    pub(crate) fn memory() -> Self {
        Self {
            inner: Vec::new(),
            target: RenderTarget::File,
            is_terminal: false,
            is_held: false,
        }
    }

    /// Returns the collected output.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.inner
    }
}

impl<W: Write> OutputWriter<W> {
    /// Returns the target of tables.
    pub(crate) fn target(&self) -> RenderTarget {
        self.target
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), CliError> {
        self.write(text)?;
        self.styled("\n")
    }

    /// Writes text.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), CliError> {
        self.write(text)?;
        self.flush()
    }

    /// Writes text that is already escaped and may have colors.
    pub(crate) fn styled(&mut self, text: &str) -> Result<(), CliError> {
        self.inner.write_all(text.as_bytes())?;
        self.flush()
    }

    /// Does not flush until [`release`](Self::release).
    pub(crate) fn hold(&mut self) {
        self.is_held = true;
    }

    /// Flushes, and again after every method.
    pub(crate) fn release(&mut self) -> Result<(), CliError> {
        self.is_held = false;
        self.flush()
    }

    fn flush(&mut self) -> Result<(), CliError> {
        if self.is_held {
            return Ok(());
        }
        Ok(self.inner.flush()?)
    }

    fn write(&mut self, text: &str) -> Result<(), CliError> {
        let text = if self.is_terminal {
            escape_lines(text)
        } else {
            Cow::Borrowed(text)
        };
        Ok(self.inner.write_all(text.as_bytes())?)
    }

    /// Writes a value as one line of JSON.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> Result<(), CliError> {
        self.line(&serde_json::to_string(value).map_err(write_error)?)
    }

    /// Writes a value as indented JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), CliError> {
        self.line(&serde_json::to_string_pretty(value).map_err(write_error)?)
    }

    /// Writes a CSV record.
    pub(crate) fn csv_record<S: AsRef<[u8]>>(
        &mut self,
        record: impl IntoIterator<Item = S>,
    ) -> Result<(), CliError> {
        let mut line = Vec::new();
        let mut writer = csv::Writer::from_writer(&mut line);
        writer.write_record(record).map_err(write_error)?;
        writer.flush()?;
        drop(writer);
        self.text(&String::from_utf8_lossy(&line))
    }
}

fn write_error(error: impl std::error::Error) -> CliError {
    CliError::new(
        ExitCode::Unexpected,
        format!("a result cannot be written: {error}"),
    )
}
