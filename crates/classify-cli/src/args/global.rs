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
    /// How results are written: auto, json, jsonl, yaml, table, csv or raw
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

    /// How an error is written, where that should differ from --format
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        value_enum,
        ignore_case = true,
        hide_possible_values = true
    )]
    pub(crate) format_error: Option<Format>,

    /// Prints only what this GJSON path finds in each result, such as result.type
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) transform: Option<String>,

    /// The same for an error
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) transform_error: Option<String>,

    /// Prints a text without its quotes
    #[arg(long, short, global = true)]
    pub(crate) raw_output: bool,

    /// Begin CSV with a byte order mark, by which Excel knows that it is UTF-8
    #[arg(long, global = true)]
    pub(crate) csv_bom: bool,

    /// Logs each request to stderr: method, path, status, attempt and time, and nothing else
    #[arg(long, global = true)]
    pub(crate) debug: bool,

    /// Trusts the certificates in this PEM or DER file in place of the system's; `SSL_CERT_FILE` does the same
    #[arg(long, global = true, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) ca_cert: Option<PathBuf>,

    /// The base URL of the service; `LLAMA_CLOUD_BASE_URL` gives it too
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) base_url: Option<String>,

    /// The region in place of a base URL: na or eu; a key is valid in one region only
    #[arg(
        long,
        global = true,
        value_enum,
        ignore_case = true,
        hide_possible_values = true
    )]
    pub(crate) region: Option<RegionName>,

    /// The key, for all to see in the process list; better use --api-key-file or the environment
    #[arg(long, global = true, value_name = "KEY")]
    pub(crate) api_key: Option<Secret>,

    /// Reads the key from a file; `-` reads it from stdin
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) api_key_file: Option<PathBuf>,

    /// The project that requests are made in
    #[arg(long, global = true, value_name = "ID")]
    pub(crate) project_id: Option<String>,

    /// The organization that requests are made in
    #[arg(long, global = true, value_name = "ID")]
    pub(crate) organization_id: Option<String>,

    /// Leaves stdin alone: in a loop that reads lines, or where a pipe is held open
    #[arg(long, global = true)]
    pub(crate) no_stdin: bool,

    /// Skip client-side validation: send values beyond the service's published limits, and unknown keys
    #[arg(long, global = true)]
    pub(crate) no_validate: bool,

    /// Uses a local stand-in for the service: no key, no network, no bill, and labels that are not the service's
    #[arg(long, global = true)]
    pub(crate) emulator: bool,

    /// No progress and no notes on stderr
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
        }
    }

    /// Whether results are written for people, which some commands do in their own way.
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
