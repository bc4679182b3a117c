//! `classify run`

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use classify_proto::v2::Rule;

use super::values;

/// The flags of `classify run`.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what-to-look-for").args(["rules", "rule", "configuration_id"]).required(true).multiple(true),
    after_help = HELP,
)]
pub(crate) struct RunArgs {
    /// Files, folders (with all that is in them) and globs such as 'scans/**/*.pdf'
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// A file of rules: YAML, JSON or TOML, by its extension
    #[arg(long, value_name = "FILE", conflicts_with = "configuration_id")]
    pub(crate) rules: Option<PathBuf>,

    /// A rule, to be repeated; added to those of --rules
    #[arg(long, value_name = "TYPE=DESCRIPTION", value_parser = values::rule, conflicts_with = "configuration_id")]
    pub(crate) rule: Vec<Rule>,

    /// A saved configuration, in place of rules
    #[arg(
        long,
        value_name = "ID",
        conflicts_with_all = ["lang", "target_pages", "max_pages"]
    )]
    pub(crate) configuration_id: Option<String>,

    /// The language of the documents, such as en or de
    #[arg(long, value_name = "CODE")]
    pub(crate) lang: Option<String>,

    /// The pages to read, the first being 1: 1,3,5-7
    #[arg(long, value_name = "PAGES")]
    pub(crate) target_pages: Option<String>,

    /// The most pages to read of each document
    #[arg(long, value_name = "NUMBER")]
    pub(crate) max_pages: Option<u32>,

    /// How many documents are under way at a time
    #[arg(long, value_name = "NUMBER", default_value = "8", value_parser = values::at_once)]
    pub(crate) concurrency: usize,

    /// How long to wait for each job, from its creation [default: 2h]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) timeout: Option<Duration>,

    /// How long the whole run may take; what is not settled by then is listed as ERROR
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) deadline: Option<Duration>,
}

const HELP: &str = "\
A rules file:
  rules:
    - type: invoice
      description: A seller bills a customer and asks for payment by a due date.
    - type: other
      description: Anything that is none of the above.
  parsing_configuration:      # may be left out
    lang: en
    max_pages: 5

  Short: a mapping from type to description, `rules: {invoice: A seller bills …}`.
  JSON and TOML have the same keys.

Documents:
  Folders and globs leave hidden files out. The order is that of the arguments, then of the names. A path that leads \
to a document already listed is passed over, so that none is paid for twice.

Results:
  A line of JSON has `path`, `status`, `type`, `confidence`, `reasoning`, `job_id`, `file_id` and `error`, null where \
there is nothing to say. `status` is the job's: COMPLETED, FAILED or CANCELLED; or ERROR where there is no job that \
has ended, and `error` says why. A document that fits no rule is COMPLETED with `type` null.
  With jsonl and csv, each document is printed as soon as it is settled; with table and json, all of them at the end, \
in the order they were found.

  A document that fails stops no other. A key that is refused, or credits that have run out, stop what has not begun.

Exit codes:
  0 every document has an answer, 3 some have none, 4 key, 5 credits, 8 the deadline came, 130 interrupted

Examples:
  llamacloud-prod classify run examples/documents --rules examples/rules.yaml --emulator
  llamacloud-prod classify run inbox/ --rules rules.yaml --max-pages 2 --format csv > labels.csv
  llamacloud-prod classify run 'scans/**/*.pdf' \\
    --rule 'invoice=asks for payment by a due date' --rule 'other=anything else at all'
  llamacloud-prod classify run letter.pdf --configuration-id cfg-123 | jq -r .type";
