//! The values of `--format`, and the formats they select.

use std::io::{self, IsTerminal as _};

use clap::ValueEnum;

/// The value of `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Depends on stdout
    Auto,
    /// For people
    Table,
    /// The official tool's name for a table
    Pretty,
    /// The official tool's viewer, which is not supported; same as auto
    Explore,
    /// JSON, indented
    Json,
    /// JSON, a line each
    Jsonl,
    /// YAML, a document each
    Yaml,
    /// The response as the service sent it; of a list, one page
    Raw,
    /// Comma-separated values with a header
    Csv,
}

impl Format {
    /// Whether errors are JSON objects in this format.
    pub(crate) fn has_json_errors(self) -> bool {
        matches!(self, Self::Json | Self::Jsonl | Self::Raw)
    }
}

/// The format of the rows of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowFormat {
    Table,
    Json,
    Jsonl,
    Csv,
}

impl RowFormat {
    /// Resolves `auto`: a table on a terminal, JSON lines in a pipe.
    pub(crate) fn for_stdout(format: Format) -> Self {
        match format {
            Format::Table | Format::Pretty => Self::Table,
            Format::Json => Self::Json,
            Format::Csv => Self::Csv,
            Format::Auto if io::stdout().is_terminal() => Self::Table,
            // `classify run` rejects YAML and raw before it starts.
            Format::Jsonl | Format::Auto | Format::Explore | Format::Yaml | Format::Raw => {
                Self::Jsonl
            }
        }
    }
}
