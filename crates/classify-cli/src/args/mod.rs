//! What may be written on the command line.

pub(crate) mod create;
pub(crate) mod emulator;
pub(crate) mod job;
pub(crate) mod list;
pub(crate) mod run;
pub(crate) mod values;
pub(crate) mod webhooks;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use classify_proto::Secret;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "llamacloud-prod",
    version,
    about = "LlamaCloud's document classification API on the command line",
    after_help = HELP,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) resource: Resource,
}

const HELP: &str = "\
Examples:
  llamacloud-prod classify run invoices/ --rules rules.yaml
  llamacloud-prod classify run examples/documents --rules examples/rules.yaml --emulator
  llamacloud-prod classify get clj-123
  llamacloud-prod classify list --status COMPLETED --max-items 20

A command's --help has its flags and more examples.

The key comes from LLAMA_CLOUD_API_KEY, or from LLAMA_PARSE_API_KEY where that is empty; the base URL from \
LLAMA_CLOUD_BASE_URL, further headers from LLAMA_CLOUD_CUSTOM_HEADERS.

On a terminal documents are shown as a table and jobs as indented JSON; in a pipe both are JSON lines. With --format \
json or jsonl, an error is one JSON object on stderr.

Exit codes:
  0    everything settled (a document that fits no rule is settled too)
  1    an error that none of the others names
  2    wrong usage: a flag, a rules file, a value that the service refuses
  3    some documents failed; the others have their result
  4    the key is missing, wrong, of another region, or lacks the right
  5    the plan has no credits or room left
  6    no such job, file or configuration
  7    too many requests, and waiting as long as was asked did not help
  8    a time limit or a deadline came first
  9    the job failed or was cancelled
  130  interrupted";

/// Flags that every command takes, before or after its name.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// How results are written: auto, table, json, jsonl or csv
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

    /// Sends what the service's published limits would refuse: for the day when a limit has been raised
    #[arg(long, global = true)]
    pub(crate) no_checks: bool,

    /// Uses a local stand-in for the service: no key, no network, no bill, and labels that are not the service's
    #[arg(long, global = true)]
    pub(crate) emulator: bool,

    /// No progress and no notes on stderr
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// By what stdout is
    Auto,
    /// For people
    Table,
    /// JSON, indented
    Json,
    /// JSON, a line each
    Jsonl,
    /// Comma-separated values with a header
    Csv,
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

/// The first word: what the command is about.
#[derive(Debug, Subcommand)]
pub(crate) enum Resource {
    /// Classify documents, and look after classification jobs
    #[command(subcommand, arg_required_else_help = true)]
    Classify(Classify),
    /// Run a local stand-in for the service, with its state, its limits and its failures
    Emulator(Box<emulator::EmulatorArgs>),
}

/// What to do with classification jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum Classify {
    /// Classify files: upload, create a job for each, wait, and print what each document is
    Run(Box<run::RunArgs>),
    /// Create a job for a file that is uploaded already
    Create(Box<create::CreateArgs>),
    /// List jobs
    List(list::ListArgs),
    /// Show a job
    Get(job::GetArgs),
    /// Cancel a job that has not ended
    Cancel(job::CancelArgs),
    /// Delete a job that has ended, and its result
    Delete(job::DeleteArgs),
    /// Wait until jobs have ended, and print them
    Wait(job::WaitArgs),
}
