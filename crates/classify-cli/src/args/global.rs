//! Flags that every command takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use classify_proto::Secret;

use crate::output::format::Format;
use crate::output::results::ResultSettings;
use crate::printer::PrinterSettings;

/// Flags that every command takes, before or after its name.
#[derive(Debug, Clone, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that is there or not"
)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Set the output format: auto, json, jsonl, yaml, table, csv or raw
    ///
    /// `auto` is a table or indented JSON on a terminal, and JSON lines in a pipe.
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        value_enum,
        ignore_case = true,
        default_value_t = Format::Auto,
        hide_possible_values = true,
        hide_default_value = true
    )]
    pub(crate) format: Format,

    /// Set the format of errors [default: that of --format]
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        value_enum,
        ignore_case = true,
        hide_possible_values = true,
        hide_short_help = true
    )]
    pub(crate) format_error: Option<Format>,

    /// Print only the part of each result at this GJSON path
    ///
    /// Example: result.type
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) transform: Option<String>,

    /// Print only the part of an error at this GJSON path
    #[arg(long, global = true, value_name = "PATH", hide_short_help = true)]
    pub(crate) transform_error: Option<String>,

    /// Print strings without quotes
    #[arg(long, short, global = true)]
    pub(crate) raw_output: bool,

    /// Begin CSV with a byte order mark
    ///
    /// Excel recognizes UTF-8 by it.
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) csv_bom: bool,

    /// Log each request to stderr
    ///
    /// Logs the method, path, status, attempt and time, but no query, header or body.
    #[arg(long, global = true)]
    pub(crate) debug: bool,

    /// Trust the certificates in this PEM or DER file, not the system's
    ///
    /// `SSL_CERT_FILE` does the same.
    #[arg(long, global = true, value_name = "FILE", value_hint = clap::ValueHint::FilePath, hide_short_help = true)]
    pub(crate) ca_cert: Option<PathBuf>,

    /// Set the base URL
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help = "Set the base URL [env: LLAMA_CLOUD_BASE_URL]"
    )]
    pub(crate) base_url: Option<String>,

    /// Set a region instead of a base URL: na or eu
    ///
    /// A key is valid in one region only.
    #[arg(
        long,
        global = true,
        value_enum,
        ignore_case = true,
        hide_possible_values = true
    )]
    pub(crate) region: Option<RegionName>,

    /// Set the API key (visible to others; prefer --api-key-file)
    ///
    /// Other users can read it in the process list. The environment variable is `LLAMA_CLOUD_API_KEY`.
    #[arg(long, global = true, value_name = "KEY")]
    pub(crate) api_key: Option<Secret>,

    /// Read the API key from a file, or from stdin with -
    ///
    /// The file contains the key alone, or lines `NAME=value` with or without quotes, in UTF-8 or UTF-16.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) api_key_file: Option<PathBuf>,

    /// Set the project of all requests
    #[arg(long, global = true, value_name = "ID")]
    pub(crate) project_id: Option<String>,

    /// Set the organization of all requests
    #[arg(long, global = true, value_name = "ID", hide_short_help = true)]
    pub(crate) organization_id: Option<String>,

    /// Do not read stdin
    ///
    /// Use it in a loop that reads lines, or beside a pipe that stays open.
    #[arg(long, global = true)]
    pub(crate) no_stdin: bool,

    /// Skip client-side validation
    ///
    /// Sends values beyond the service's published limits, and unknown keys.
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) no_validate: bool,

    /// Use a local emulator: no key, no network, no charge
    ///
    /// Its labels are not those of the service.
    #[arg(long, global = true)]
    pub(crate) emulator: bool,

    /// Do not show long lists in a pager
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) no_pager: bool,

    /// Print no progress and no notes
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

impl GlobalArgs {
    pub(crate) fn printer_settings(&self) -> PrinterSettings {
        PrinterSettings {
            quiet: self.quiet,
            error_format: self.format_error.unwrap_or(self.format),
        }
    }

    pub(crate) fn result_settings(&self) -> ResultSettings<'_> {
        ResultSettings {
            format: self.format,
            transform: self.transform.as_deref(),
            raw_output: self.raw_output,
            csv_bom: self.csv_bom,
            // The log would be written across the pager's screen.
            pager: !self.no_pager && !self.debug,
        }
    }

    /// Whether results are written for people; some commands have a format of their own for them.
    pub(crate) fn prints_for_people(&self) -> bool {
        self.format == Format::Auto && self.transform.is_none()
    }
}

/// A region of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RegionName {
    /// North America
    Na,
    /// Europe
    Eu,
}

impl From<RegionName> for classify_proto::Region {
    fn from(name: RegionName) -> Self {
        match name {
            RegionName::Na => Self::Na,
            RegionName::Eu => Self::Eu,
        }
    }
}
