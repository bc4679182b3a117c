//! Results on stdout: one writer, and the forms that jobs and documents take in it.

pub(crate) mod jobs;
pub(crate) mod sink;
pub(crate) mod table;
pub(crate) mod transform;
pub(crate) mod values;

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write};

use serde::Serialize;

use self::table::Onto;
use crate::args::Format;
use crate::exit::Problem;

/// A form that results take: a [`Format`] that is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Table,
    Json,
    Jsonl,
    Csv,
}

impl Shape {
    /// Decides `auto`: `on_terminal` for people, JSON lines for programs.
    pub(crate) fn of(format: Format, on_terminal: Shape) -> Self {
        match format {
            Format::Table | Format::Pretty => Shape::Table,
            Format::Json => Shape::Json,
            Format::Csv => Shape::Csv,
            Format::Auto if io::stdout().is_terminal() => on_terminal,
            // `classify run` has its own forms; the two that it has not are refused before it begins.
            Format::Jsonl | Format::Auto | Format::Explore | Format::Yaml | Format::Raw => {
                Shape::Jsonl
            }
        }
    }
}

/// Where results go. Every line is out of the door when its method returns.
///
/// On a terminal, what would steer it is replaced; a program is given every text as it is.
#[derive(Debug)]
pub(crate) struct Out<W: Write = io::BufWriter<io::Stdout>> {
    to: W,
    onto: Onto,
    is_shown: bool,
}

impl Out {
    pub(crate) fn stdout() -> Self {
        Self {
            to: io::BufWriter::new(io::stdout()),
            onto: Onto::Stdout,
            is_shown: io::stdout().is_terminal(),
        }
    }
}

impl Out<Vec<u8>> {
    /// Collects what is written.
    pub(crate) fn memory() -> Self {
        Self {
            to: Vec::new(),
            onto: Onto::File,
            is_shown: false,
        }
    }

    /// What was written.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.to
    }
}

impl<W: Write> Out<W> {
    /// Whether what is written may go to a terminal.
    pub(crate) fn onto(&self) -> Onto {
        self.onto
    }

    /// Text with a line break after it.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Problem> {
        self.write(text)?;
        self.painted("\n")
    }

    /// Text without one.
    pub(crate) fn raw(&mut self, text: &str) -> Result<(), Problem> {
        self.write(text)?;
        Ok(self.to.flush()?)
    }

    /// Text of which every part is fit for a terminal already, such as a table with its colours.
    pub(crate) fn painted(&mut self, text: &str) -> Result<(), Problem> {
        self.to.write_all(text.as_bytes())?;
        Ok(self.to.flush()?)
    }

    fn write(&mut self, text: &str) -> Result<(), Problem> {
        let text = if self.is_shown {
            shown(text)
        } else {
            Cow::Borrowed(text)
        };
        Ok(self.to.write_all(text.as_bytes())?)
    }

    /// A value as JSON on one line.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> Result<(), Problem> {
        self.text(&serde_json::to_string(value).map_err(unwritable)?)
    }

    /// A value as indented JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Problem> {
        self.text(&serde_json::to_string_pretty(value).map_err(unwritable)?)
    }

    /// One record of comma-separated values, quoted where it must be.
    pub(crate) fn csv<S: AsRef<[u8]>>(
        &mut self,
        record: impl IntoIterator<Item = S>,
    ) -> Result<(), Problem> {
        let mut line = Vec::new();
        let mut writer = csv::Writer::from_writer(&mut line);
        writer.write_record(record).map_err(unwritable)?;
        writer.flush()?;
        drop(writer);
        self.raw(&String::from_utf8_lossy(&line))
    }
}

fn unwritable(error: impl std::error::Error) -> Problem {
    Problem::new(
        crate::exit::Code::Unexpected,
        format!("a result cannot be written: {error}"),
    )
}

/// Text that is safe to show on a terminal: what a document or the service says must not move the cursor, change
/// colours or turn the writing round.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    without(text, |c| c.is_control() && c != '\n')
}

/// The same for whole lines, which may be indented by tabs and may end as on Windows.
fn shown(text: &str) -> Cow<'_, str> {
    without(text, |c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

fn without(text: &str, steers: impl Fn(char) -> bool) -> Cow<'_, str> {
    let unsafe_to_show =
        |c: char| steers(c) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.contains(unsafe_to_show) {
        Cow::Owned(
            text.chars()
                .map(|c| if unsafe_to_show(c) { '\u{fffd}' } else { c })
                .collect(),
        )
    } else {
        Cow::Borrowed(text)
    }
}

/// Whether stdout may be coloured: it is a terminal, and nobody asked for none.
pub(crate) fn colored() -> bool {
    io::stdout().is_terminal() && colors_wanted()
}

/// Whether a terminal may be given colours. clap would give them to a dumb one where `CI` is set.
pub(crate) fn colors_wanted() -> bool {
    let says = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    says("NO_COLOR").is_none() && says("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_is_shown() {
        assert_eq!(
            printable("a\u{1b}[31mb\u{202e}c\n"),
            "a\u{fffd}[31mb\u{fffd}c\n"
        );
        assert!(matches!(printable("Größe 漢字 🧾"), Cow::Borrowed(_)));
    }
}
