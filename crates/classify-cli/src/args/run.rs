//! `classify run`

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use classify_proto::v2::Rule;

use super::folder_template::FolderTemplate;
use super::values;
use crate::path_hint::path_hint;
use crate::rules;

/// The flags of `classify run`.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("rules-source").args(["rules", "rule", "configuration_id"]).required(true).multiple(true),
    after_help = HELP,
)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct RunArgs {
    /// Files, folders (with all that is in them), globs such as 'scans/**/*.pdf', and ids of files (dfl-…) and of
    /// parse jobs (pjb-…) that the service holds; - reads a list of them from stdin
    #[arg(required_unless_present = "files_from", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Reads more paths from a file, one per line or separated by NUL; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) files_from: Option<PathBuf>,

    /// Leaves out files whose name matches, or that are in a folder whose name does; may be repeated. With a / the glob
    /// is compared with the path in the folder that was given
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,

    /// Classifies only files that match, in the same way; may be repeated. --exclude comes first
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<String>,

    /// Follows links to folders that lie outside of the folder they were found in; those inside it are always followed
    #[arg(long)]
    pub(crate) follow_links: bool,

    /// A file of rules: YAML, JSON or TOML, by its extension
    #[arg(long, value_name = "FILE", conflicts_with = "configuration_id")]
    pub(crate) rules: Option<PathBuf>,

    /// A rule, to be repeated; added to those of --rules
    #[arg(long, value_name = "TYPE=DESCRIPTION", value_parser = rules::parse_rule, conflicts_with = "configuration_id")]
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

    /// Writes the rows into a file, whole and at the end, in the order in which the documents were found; nothing goes
    /// to stdout then. Its extension (.csv, .json) tells the format where --format does not
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Marks for review what is below this confidence, from 0 to 1, and what has no match, no answer, or an answer that
    /// is not plausible: rows get `review`, true or false, and the report begins with them
    #[arg(long, value_name = "NUMBER", value_parser = values::parse_confidence)]
    pub(crate) review_below: Option<f64>,

    /// Writes the run as a page for a browser, one file that needs no network: figures, and a table to sort and filter
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,

    /// Compares the run with labels that are known to be right: accuracy, precision and recall, confusion matrix, and
    /// what each confidence threshold would bring. CSV, JSON or JSON lines with `path` and `type`
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Option<PathBuf>,

    /// At the end, moves each file into a folder by its type, such as 'sorted/{type}/'; nothing is ever overwritten
    #[arg(long, value_name = "FOLDER", value_parser = FolderTemplate::parse)]
    pub(crate) move_to: Option<FolderTemplate>,

    /// The same, but copies the files and leaves them where they are
    #[arg(long, value_name = "FOLDER", value_parser = FolderTemplate::parse, conflicts_with = "move_to")]
    pub(crate) copy_to: Option<FolderTemplate>,

    /// Keeps what must survive a crash in this file [default: FILE.journal beside --output FILE, else none]
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,

    /// Resume the run in the journal; finished documents are not sent again. Starts a new run if there is no journal
    #[arg(long)]
    pub(crate) resume: bool,

    /// Classify documents again whose job failed, was cancelled or was deleted; they are charged again
    #[arg(long)]
    pub(crate) retry_failed: bool,

    /// Classify all documents again, whatever earlier runs did; they are charged again. Needs a journal
    #[arg(long)]
    pub(crate) fresh: bool,

    /// Counts documents, duplicates, bytes, pages and what is left out; sends nothing and needs no key. With --format
    /// jsonl it lists the documents
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Takes one part of n of the documents, by their content: n machines share one folder without talking
    #[arg(long, value_name = "I/N", value_parser = values::parse_shard)]
    pub(crate) shard: Option<values::Shard>,

    /// The plan's rate limits, or so many requests a second in all: paid, free or N/s
    /// [default: paid; with --emulator none]
    #[arg(long, value_name = "LIMIT", value_parser = values::parse_rate_limit)]
    pub(crate) rate_limit: Option<values::RateLimit>,

    /// How many documents are on their way at once, from taken in to settled
    #[arg(long, value_name = "NUMBER", default_value = "500", value_parser = values::parse_max_in_flight)]
    pub(crate) max_in_flight: usize,

    /// How many uploads and creates are on the wire at once
    #[arg(long, value_name = "NUMBER", default_value = "16", value_parser = values::parse_concurrency)]
    pub(crate) concurrency: usize,

    /// How often pending jobs are polled, a hundred with one request; less often as they grow older, up to ten times
    /// this [default: 2s]
    #[arg(long, value_name = "TIME", value_parser = values::parse_poll_interval)]
    pub(crate) poll_interval: Option<Duration>,

    /// How long to wait for each job; then it is listed as OPEN and the run goes on without it [default: 2h]
    #[arg(long, value_name = "TIME", value_parser = values::parse_duration)]
    pub(crate) timeout: Option<Duration>,

    /// How long the whole run may take; what is not settled by then is listed as OPEN or as not started
    #[arg(long, value_name = "TIME", value_parser = values::parse_duration)]
    pub(crate) deadline: Option<Duration>,

    /// On Ctrl-C, cancels the jobs that are open
    #[arg(long)]
    pub(crate) cancel_on_interrupt: bool,
}

impl RunArgs {
    /// Whether a list of paths is read from stdin.
    pub(crate) fn reads_stdin(&self) -> bool {
        let lists = self.paths.iter().chain(&self.files_from);
        lists.into_iter().any(|path| path.as_os_str() == "-")
    }

    /// Returns what to do about paths that are not there and are URLs or begin with `~/`, by their position.
    pub(crate) fn missing_path_hints(&self) -> impl Iterator<Item = String> {
        let missing = self
            .paths
            .iter()
            .zip(1..)
            .filter(|(path, _)| !path.exists());
        // A URL may hold a secret, and is not repeated.
        missing
            .filter_map(|(path, position)| Some(format!("path {position}: {}", path_hint(path)?)))
    }
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
  Folders and globs leave out hidden files and what programs keep for themselves or have left: ~$… (open in an office \
program), …~ (backup of an editor), ….part and ….crdownload (unfinished download), Thumbs.db, desktop.ini, __MACOSX/. A \
file that is named is classified whatever its name. The order is that of the arguments, then of the names. A path that leads \
to a document already listed is passed over. A link to a file is that file; a link to a folder outside of the one that \
was named is counted and not followed, unless --follow-links says so. Documents of the same content are sent once and reported for each path.
  Each file is read once before it is sent; one that changes in between is an ERROR, and nothing is bought for it.

Once:
  What a document is bought under is made from its content, the rules and the project. Whoever asks for the same \
again, in a repeated request, after a crash or on another machine, is answered with the first job and pays nothing. So \
the same command, run again, costs requests and never money; --fresh and --retry-failed are the flags that pay again.
  A journal saves the requests too. It is appended to before anything is done that rests on it, and belongs to one \
process at a time. A journal that holds a run, ended or not, is never begun anew: --resume goes on with it. One of \
other rules, another project or another service is refused. A run with --retry-failed that was interrupted goes on with \
--resume --retry-failed: what has failed anew is not bought once more before the run has come to its end.

Results:
  A line of JSON has `path`, `status`, `type`, `confidence`, `reasoning`, `job_id`, `file_id` and `error`, null where \
there is nothing to say. `status` is one of
    COMPLETED    there is an answer; a document that fits no rule has `type` null
    FAILED       the job failed
    CANCELLED    the job was cancelled
    ERROR        there is no job, and the reason lies with the document
    MISSING      the service took the document and then knew nothing of its job
    OPEN         the job goes on; the run did not wait any longer
    NOT_STARTED  nothing was bought: the run stopped first, or the service could not be reached
    AMBIGUOUS    the answer to a create was lost; the same run, asked again, finds the job or buys it, and pays once
  With jsonl and csv, each document is printed as soon as it is settled; with table, json and --output, all of them at \
the end, in the order they were found.

  With --review-below a row has `review` too, and with --move-to or --copy-to `moved_to` or `copied_to`: the new path, \
null where the file stays. With the last two all rows are printed at the end.

Labels:
  A CSV file begins with a line that names its columns: `path` and `type`. A path is written as in the rows, or relative \
to the folder of the file of labels; names that differ only in the Unicode form of their letters are the same. Types are \
compared letter by letter; an empty one says that no rule should match. The columns may be separated by semicolons or \
tabs, and their names in any case; the text is UTF-8, or UTF-16 with a byte order mark. Other columns are passed over, so that the rows of an earlier run, with the types put right, are such a file; what they \
say of documents without an answer is no label. JSON has a list of objects, JSON lines one object a line.
  A document without an answer is not correct, and is counted apart. What a threshold covers are the answers of at \
least that confidence.

Moving and copying:
  Once all is known, each file with a type goes into the folder that the type gives. A name that is taken there gets \
` (2)` before its extension; of a copy, one of the same content is left as it is. What is no name for a folder in a \
type is replaced by `_`. Documents without a match or an answer, those to review, and ids stay and are counted.
  A file is moved as it stands then. Across file systems it is copied, stored and compared before the first is removed; \
of a symbolic link what it leads to is filed, and the link alone is removed. A file that cannot be moved stops no \
other; the exit code is 3.
  An interrupted run moves nothing, or no more. The run that goes on with it (--resume) lists and moves what is still \
in its place: files that were moved are not in its rows, so give it another --output. A destination inside a folder \
that is read is passed over there.

  A document that fails stops no other. A key that is refused, or credits that have run out, stop what has not begun.
  Ctrl-C finishes what is on the wire, for ten seconds at most, and prints the command that goes on; again ends at once.

Exit codes:
  0 every document has an answer, 3 some have none or could not be moved, 4 key, 5 credits, 8 the deadline came, 130 interrupted

Examples:
  llamacloud-prod classify run examples/documents --rules examples/rules.yaml --emulator
  llamacloud-prod classify run inbox/ --rules rules.yaml --max-pages 2 --dry-run
  llamacloud-prod classify run inbox/ --rules rules.yaml --max-pages 2 --output labels.csv --resume
  llamacloud-prod classify run inbox/ --rules rules.yaml --review-below 0.8 --report report.html
  llamacloud-prod classify run inbox/ --rules rules.yaml --labels truth.csv --report report.html
  llamacloud-prod classify run inbox/ --rules rules.yaml \\
    --review-below 0.8 --move-to 'sorted/{type}/'
  llamacloud-prod classify run inbox/ --rules rules.yaml --shard 2/3 --output labels-2.jsonl
  llamacloud-prod classify run 'scans/**/*.pdf' \\
    --rule 'invoice=asks for payment by a due date' --rule 'other=anything else at all'
  llamacloud-prod classify run letter.pdf dfl-123 --configuration-id cfg-123 | jq -r .type";
