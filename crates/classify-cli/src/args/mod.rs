//! What may be written on the command line.

pub(crate) mod destination;
pub(crate) mod emulator;
pub(crate) mod job;
pub(crate) mod run;
pub(crate) mod tools;
pub(crate) mod values;
pub(crate) mod webhooks;

use std::path::PathBuf;

use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum};
use classify_proto::Secret;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "llamacloud-prod",
    version,
    disable_version_flag = true,
    about = "LlamaCloud's document classification API on the command line",
    after_help = HELP,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    /// Print version
    #[arg(short = 'v', short_alias = 'V', long, action = clap::ArgAction::Version)]
    version: Option<bool>,
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

Objects and lists are written as YAML or JSON. @FILE reads a value from a file, and \\@ begins one with the sign itself; \
null is no value. In what a file holds, @ is a sign like any other. A YAML or JSON map on stdin fills what the flags leave open, under the API's names. A flag for a list \
may be repeated.

On a terminal documents are shown as a table and jobs as indented JSON; in a pipe both are JSON lines. With --format \
json or jsonl, an error is one JSON object on stderr.

Exit codes:
  0    everything settled (a document that fits no rule is settled too)
  1    an error that none of the others names
  2    wrong usage: a flag, a rules file, a value that the service refuses
  3    some documents failed, or could not be moved; the others have their result
  4    the key is missing, wrong, of another region, or lacks the right
  5    the plan has no credits or room left
  6    no such job, file or configuration
  7    too many requests, and waiting as long as was asked did not help
  8    a time limit or a deadline came first
  9    the job failed or was cancelled
  130  interrupted";

/// Flags that every command takes, before or after its name.
#[derive(Debug, Clone, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that is there or not"
)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
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

    /// Logs each request to stderr: method, path, status, attempt and time, and nothing else
    #[arg(long, global = true)]
    pub(crate) debug: bool,

    /// Trusts the certificates in this PEM file in place of the system's; `SSL_CERT_FILE` does the same
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

    /// Sends what the service's published limits would refuse, and keys that they do not know: for the day when they have
    /// changed
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
    /// The official tool's word for it
    Pretty,
    /// The official tool's viewer, which is not here: as auto
    Explore,
    /// JSON, indented
    Json,
    /// JSON, a line each
    Jsonl,
    /// YAML, a document each
    Yaml,
    /// As the service wrote it; of a list, one page
    Raw,
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
    #[command(
        name = "classifier:jobs",
        subcommand,
        arg_required_else_help = true,
        about = "Jobs of version 1 of the API, which is deprecated"
    )]
    Classifier(Classifier),
    /// Check webhooks that the service sends, and receive them
    #[command(subcommand, arg_required_else_help = true)]
    Webhooks(webhooks::Webhooks),
    /// Run a local stand-in for the service, with its state, its limits and its failures
    Emulator(Box<emulator::EmulatorArgs>),
    /// Find out why the service cannot be reached or refuses, and what to change
    Doctor(tools::DoctorArgs),
    /// Print a completion script for a shell
    Completion(tools::CompletionArgs),
    /// Print the manual, or write its pages into a folder
    Man(tools::ManArgs),
}

/// What to do with classification jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum Classify {
    /// Classify files: upload, create a job for each, wait, and print what each document is
    Run(Box<run::RunArgs>),
    /// Wait until jobs have ended, and print them
    Wait(job::WaitArgs),
    /// Check rules before they cost anything
    #[command(subcommand, arg_required_else_help = true)]
    Rules(tools::Rules),
}

/// What to do with jobs of version 1, beside what the tables in `spec` describe.
#[derive(Debug, Subcommand)]
pub(crate) enum Classifier {
    /// Wait until jobs of version 1 have ended, and print them
    Wait(job::ClassifierWaitArgs),
}

/// The whole command line: what is derived here, and the commands that the tables in `spec` describe.
pub(crate) fn command() -> clap::Command {
    use crate::spec::command::{RESOURCES, add_to};

    let mut command = <Cli as clap::CommandFactory>::command()
        .mut_subcommand("classify", |classify| add_to(classify, "classify"));
    for (resource, about) in RESOURCES {
        command = if command.find_subcommand(resource).is_some() {
            command.mut_subcommand(resource, |command| add_to(command, resource))
        } else {
            let found = clap::Command::new(resource)
                .about(about)
                .subcommand_required(true)
                .arg_required_else_help(true);
            command.subcommand(add_to(found, resource))
        };
    }
    command.color(if crate::output::colors_wanted() {
        ColorChoice::Auto
    } else {
        ColorChoice::Never
    })
}
