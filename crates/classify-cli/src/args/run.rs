//! `classify run`

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use classify_proto::v2::Rule;

use super::folder_template::FolderTemplate;
use super::values;
use crate::manual;
use crate::path_hint::document_hint;
use crate::rules;

/// The flags of `classify run`.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("rules-source").args(["rules", "rule", "configuration_id"]).required(true).multiple(true),
    after_help = SHORT_HELP,
    after_long_help = manual::help(manual::RUN),
)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct RunArgs {
    /// Files, folders, globs, s3:// URLs, and ids (dfl-…, pjb-…)
    ///
    /// Folders are searched with their subfolders. Quote a glob, as in 'scans/**/*.pdf', so that the shell does not
    /// expand it. `-` reads a list of paths from stdin. The ids are those of files or parse jobs. URLs of objects and
    /// prefixes (s3://, gs://, az://) need a build with the feature `cloud`.
    #[arg(required_unless_present = "files_from", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Read more paths from a file, or from stdin with -
    ///
    /// The paths are one per line, or separated by NUL characters.
    #[arg(long, value_name = "FILE")]
    pub(crate) files_from: Option<PathBuf>,

    /// Skip files whose name or folder matches; may be repeated
    ///
    /// A glob with a / is compared with the path below the folder that was given, and one without a / with each name in
    /// it.
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,

    /// Classify only files that match; may be repeated
    ///
    /// Globs match as those of --exclude, which is applied first.
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<String>,

    /// Follow links to folders outside of the folder given
    ///
    /// Links that stay inside the folder are always followed.
    #[arg(long)]
    pub(crate) follow_links: bool,

    /// Read the rules from a YAML, JSON or TOML file
    ///
    /// The extension selects the format.
    #[arg(long, value_name = "FILE", conflicts_with = "configuration_id")]
    pub(crate) rules: Option<PathBuf>,

    /// Add a rule; may be repeated and combined with --rules
    #[arg(long, value_name = "TYPE=DESCRIPTION", value_parser = rules::parse_rule, conflicts_with = "configuration_id")]
    pub(crate) rule: Vec<Rule>,

    /// Use a saved configuration instead of rules
    #[arg(
        long,
        value_name = "ID",
        conflicts_with_all = ["lang", "target_pages", "max_pages"]
    )]
    pub(crate) configuration_id: Option<String>,

    /// Set the language of the documents, such as en or de
    #[arg(long, value_name = "CODE")]
    pub(crate) lang: Option<String>,

    /// Read only these pages, counted from 1, such as 1,3,5-7
    #[arg(long, value_name = "PAGES")]
    pub(crate) target_pages: Option<String>,

    /// Read at most this many pages of each document
    #[arg(long, value_name = "NUMBER")]
    pub(crate) max_pages: Option<u32>,

    /// Write the rows to a file at the end instead of to stdout
    ///
    /// The rows are in the order in which the documents were found. The extension (.csv, .json or .jsonl) selects the
    /// format unless --format does.
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Mark results below this confidence (0 to 1) for review
    ///
    /// Marks documents without a match, without a result or with an implausible result too. Rows get `review`, true or
    /// false, and the report begins with the documents to review.
    #[arg(long, value_name = "NUMBER", value_parser = values::parse_confidence)]
    pub(crate) review_below: Option<f64>,

    /// Write an HTML report with figures and a table to filter
    ///
    /// The report is one file and needs no network.
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,

    /// Compare the results with the correct types in a file
    ///
    /// The file is CSV, JSON or JSON lines with `path` and `type`. Reports accuracy, precision, recall, a confusion
    /// matrix and the effect of each confidence threshold.
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Option<PathBuf>,

    /// Move files into a folder per type, such as 'sorted/{type}/'
    ///
    /// Files are moved at the end of the run. Nothing is overwritten.
    #[arg(long, value_name = "FOLDER", value_parser = FolderTemplate::parse)]
    pub(crate) move_to: Option<FolderTemplate>,

    /// Copy files into a folder per type, as --move-to
    ///
    /// The files stay where they are.
    #[arg(long, value_name = "FOLDER", value_parser = FolderTemplate::parse, conflicts_with = "move_to")]
    pub(crate) copy_to: Option<FolderTemplate>,

    /// Save the state of the run here [default: beside --output]
    ///
    /// The journal of `--output FILE` is FILE.journal. Without --journal and --output there is none.
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,

    /// Resume the run in the journal
    ///
    /// Finished documents are not sent again. Starts a new run if there is no journal.
    #[arg(long)]
    pub(crate) resume: bool,

    /// Classify failed documents again, at a new charge
    ///
    /// Applies to documents whose job failed, was cancelled or was deleted.
    #[arg(long)]
    pub(crate) retry_failed: bool,

    /// Classify every document again, at a new charge
    ///
    /// Ignores the jobs of earlier runs. Needs a journal.
    #[arg(long)]
    pub(crate) fresh: bool,

    /// Count documents, pages and jobs without sending anything
    ///
    /// Needs no key. With --format jsonl, lists the documents.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Classify one of N parts of the documents, such as 2/3
    ///
    /// Documents are divided by their content (unreadable files by their name), so that N machines can share a folder
    /// without coordination. Give each an output of its own.
    #[arg(long, value_name = "I/N", value_parser = values::parse_shard)]
    pub(crate) shard: Option<values::Shard>,

    /// Limit requests as the plan does (paid, free) or to N/s
    ///
    /// The default is paid; with --emulator there is no limit.
    #[arg(long, value_name = "LIMIT", value_parser = values::parse_rate_limit)]
    pub(crate) rate_limit: Option<values::RateLimit>,

    /// Process at most this many documents at once
    #[arg(long, value_name = "NUMBER", default_value = "500", value_parser = values::parse_max_in_flight)]
    pub(crate) max_in_flight: usize,

    /// Run at most this many uploads and creates at once
    #[arg(long, value_name = "NUMBER", default_value = "16", value_parser = values::parse_concurrency)]
    pub(crate) concurrency: usize,

    /// Poll pending jobs this often [default: 2s]
    ///
    /// One request polls up to 100 jobs. Older jobs are polled less often, at up to ten times this interval.
    #[arg(long, value_name = "TIME", value_parser = values::parse_poll_interval)]
    pub(crate) poll_interval: Option<Duration>,

    /// Wait this long for each job [default: 2h]
    ///
    /// Then the document is listed as `OPEN`, and the run continues without it.
    #[arg(long, value_name = "TIME", value_parser = values::parse_duration)]
    pub(crate) timeout: Option<Duration>,

    /// End the run after this time
    ///
    /// Documents that are not finished by then are listed as `OPEN` or `NOT_STARTED`.
    #[arg(long, value_name = "TIME", value_parser = values::parse_duration)]
    pub(crate) deadline: Option<Duration>,

    /// Cancel open jobs on Ctrl-C
    #[arg(long)]
    pub(crate) cancel_on_interrupt: bool,
}

impl RunArgs {
    /// Returns whether a list of paths is read from stdin.
    pub(crate) fn reads_stdin(&self) -> bool {
        let lists = self.paths.iter().chain(&self.files_from);
        lists.into_iter().any(|path| path.as_os_str() == "-")
    }

    /// Returns hints for missing paths that are URLs or begin with `~/`, with their position.
    pub(crate) fn missing_path_hints(&self) -> impl Iterator<Item = String> {
        let missing = self
            .paths
            .iter()
            .zip(1..)
            .filter(|(path, _)| !path.exists());
        // A URL may contain a secret, and is not repeated.
        missing.filter_map(|(path, position)| {
            Some(format!("path {position}: {}", document_hint(path)?))
        })
    }
}

const SHORT_HELP: &str = "\
Examples:
  llamacloud-prod classify run examples/documents --rules examples/rules.yaml --emulator
  llamacloud-prod classify run inbox/ --rules rules.yaml --output labels.csv --resume
";
