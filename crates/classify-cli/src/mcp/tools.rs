//! The tools: their arguments, results and texts, and the calls. The calls block, and know nothing of the protocol.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use classify_proto::files::MAX_FILE_BYTES;
use classify_proto::machine::{
    Bulk, BulkOptions, ContentKey, HashedDocument, KnownKeys, PollInterval,
};
use classify_proto::{Api, Seed};
use classify_ureq::classify_client::path_name;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::active_run::{ActiveRun, RunParts, lock};
use super::request::{RequestArgs, RuleArgs, RunRequest, read_rules};
use super::root::RootFolder;
use super::schema;
use super::store::{ResultRow, RunState, RunStatus, RunStore};
use crate::client::CliClient;
use crate::commands::check_rules::{Diagnostic, diagnostics};
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::inputs::Input;
use crate::run::dry_run::{DryRun, DryRunSummary};
use crate::run::row::strip_name;
use crate::yaml::at_path;
use classify_rules::parse_message::describe_json;

/// The maximum of `wait_seconds`. Many clients give up a call after a minute.
const MAX_WAIT_SECONDS: u32 = 50;
/// How often a waiting call checks the run.
const WAIT_STEP: Duration = Duration::from_millis(100);
const READ_STEP: Duration = Duration::from_millis(500);
/// How long `cancel` waits for the requests in flight.
const CANCEL_WAIT: Duration = Duration::from_secs(5);
/// The number of rows of a page of results, if the call does not set it, and at most.
const DEFAULT_ROWS: usize = 100;
const MAX_ROWS: usize = 1000;
/// The maximum number of unreadable documents that an estimate lists.
const MAX_LISTED_UNREADABLE: usize = 100;
/// The maximum number of documents in progress in a run.
const MAX_IN_FLIGHT: usize = 100;
/// The maximum number of uploads and creates at once.
const MAX_REQUESTS: usize = 8;

/// The tools, in the order in which they are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ToolName {
    CheckRules,
    Estimate,
    Classify,
    Status,
    Results,
    Cancel,
}

/// The description of a tool for agents.
#[derive(Debug)]
pub(super) struct ToolText {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) description: String,
    pub(super) input: Map<String, Value>,
    pub(super) output: Map<String, Value>,
    /// Whether it changes nothing, here and at the service.
    pub(super) is_read_only: bool,
    /// Whether it calls the service.
    pub(super) is_open_world: bool,
}

/// The progress of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ToolProgress {
    pub(super) done: usize,
    pub(super) total: usize,
    pub(super) message: String,
}

/// A call in progress.
pub(super) struct ToolCall<'a> {
    /// Whether the client has cancelled the call or closed the pipe.
    pub(super) is_cancelled: &'a dyn Fn() -> bool,
    pub(super) report: &'a dyn Fn(ToolProgress),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CheckRulesArgs {
    /// The rules. Give these or `rules_file`.
    #[serde(default)]
    rules: Vec<RuleArgs>,
    /// A YAML, JSON or TOML file with rules, relative to the root.
    #[serde(default)]
    rules_file: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct CheckRulesResult {
    /// Whether the service accepts the rules. Warnings do not matter for it.
    valid: bool,
    /// The number of rules.
    rules: usize,
    diagnostics: Vec<Diagnostic>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct EstimateResult {
    /// The id that classify returns for the same arguments.
    run_id: String,
    #[serde(flatten)]
    summary: DryRunSummary,
    /// Documents that cannot be classified; at most 100 are listed.
    unreadable_documents: Vec<UnreadableDocument>,
    /// Notes about skipped files.
    notes: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct UnreadableDocument {
    path: String,
    error: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StatusArgs {
    /// The id that classify returned.
    run_id: String,
    /// Wait up to this many seconds for the end of the run, at most 50.
    #[serde(default)]
    #[schemars(range(max = 50))]
    wait_seconds: u32,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ResultsArgs {
    /// The id that classify returned.
    run_id: String,
    /// Only documents of this type. The empty text selects those that no rule matched.
    #[serde(default)]
    r#type: Option<String>,
    /// Only documents with a confidence below this (0 to 1), or without one: those to review.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    below_confidence: Option<f64>,
    /// Skip this many rows; the `next_offset` of the page before.
    #[serde(default)]
    offset: usize,
    /// Return at most this many rows, 1 to 1000.
    #[serde(default = "default_rows")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
}

fn default_rows() -> usize {
    DEFAULT_ROWS
}

#[derive(Debug, Serialize, JsonSchema)]
struct ResultsResult {
    run_id: String,
    state: RunState,
    /// The documents of the run.
    documents: usize,
    /// Documents with a final row. If it is lower than documents, more rows follow later.
    finished: usize,
    /// The rows that match, on all pages.
    matching: usize,
    /// The offset of the next page; null on the last.
    next_offset: Option<usize>,
    /// The rows, in the order in which the documents finished.
    rows: Vec<ResultRow>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CancelArgs {
    /// The id that classify returned.
    run_id: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct CancelResult {
    #[serde(flatten)]
    status: RunStatus,
    /// The jobs that stay paid.
    note: String,
}

/// The settings of the server.
#[derive(Debug)]
pub(super) struct ToolSettings {
    pub(super) max_documents: usize,
    /// The initial poll interval; `None` for the default.
    pub(super) poll_interval: Option<Duration>,
    /// Whether files over the limit of the service are rejected.
    pub(super) validates: bool,
}

/// The tools of a server.
#[derive(Debug)]
pub(super) struct Tools {
    root: Arc<RootFolder>,
    store: RunStore,
    /// The error is that of the key or the settings. Tools that send nothing work without a client.
    client: Result<CliClient, CliError>,
    api: Api,
    settings: ToolSettings,
    active: Mutex<HashMap<String, ActiveRun>>,
}

impl ToolName {
    pub(super) const ALL: [Self; 6] = [
        Self::CheckRules,
        Self::Estimate,
        Self::Classify,
        Self::Status,
        Self::Results,
        Self::Cancel,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::CheckRules => "check_rules",
            Self::Estimate => "estimate",
            Self::Classify => "classify",
            Self::Status => "status",
            Self::Results => "results",
            Self::Cancel => "cancel",
        }
    }

    pub(super) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.as_str() == name)
    }
}

impl ToolCall<'_> {
    fn check_cancelled(&self) -> Result<(), CliError> {
        if (self.is_cancelled)() {
            return Err(CliError::new(
                ExitCode::Interrupted,
                "the call was cancelled",
            ));
        }
        Ok(())
    }
}

impl Tools {
    /// Creates the tools. The working folder must be the root.
    pub(super) fn new(
        root: RootFolder,
        store: RunStore,
        client: Result<CliClient, CliError>,
        api: Api,
        settings: ToolSettings,
    ) -> Self {
        Self {
            root: Arc::new(root),
            store,
            client,
            api,
            settings,
            active: Mutex::default(),
        }
    }

    /// Returns the texts of all tools.
    pub(super) fn texts(&self) -> Vec<ToolText> {
        ToolName::ALL
            .into_iter()
            .map(|tool| tool_text(tool, self.settings.max_documents))
            .collect()
    }

    /// Returns the text for the agent about the whole server.
    pub(super) fn instructions(&self) -> String {
        format!(
            "Classifies documents in {} with LlamaCloud. Call check_rules (free), then estimate (free, counts the paid \
             jobs), then classify with the same arguments, then status with wait_seconds, then results. A classify call \
             costs one paid job per new document, and accepts at most {} documents. The same call again returns the same \
             run_id, continues an interrupted run, and pays for no document twice. Ask the user before you classify more \
             than they expect.",
            self.root.path().display(),
            self.settings.max_documents
        )
    }

    /// Runs a tool. Blocks.
    pub(super) fn call(
        &self,
        tool: ToolName,
        arguments: Map<String, Value>,
        call: &ToolCall<'_>,
    ) -> Result<Value, CliError> {
        match tool {
            ToolName::CheckRules => to_json(&self.check_rules(&parse(arguments)?)?),
            ToolName::Estimate => to_json(&self.estimate(&parse(arguments)?, call)?),
            ToolName::Classify => to_json(&self.classify(&parse(arguments)?, call)?),
            ToolName::Status => to_json(&self.status(&parse(arguments)?, call)?),
            ToolName::Results => to_json(&self.results(parse(arguments)?)?),
            ToolName::Cancel => to_json(&self.cancel(&parse(arguments)?, call)?),
        }
    }

    fn check_rules(&self, args: &CheckRulesArgs) -> Result<CheckRulesResult, CliError> {
        if args.rules.is_empty() && args.rules_file.is_none() {
            return Err(CliError::usage("no rules")
                .hint("give `rules`, a list of types with their descriptions, or `rules_file`"));
        }
        let (configuration, lost_texts) =
            read_rules(&args.rules, args.rules_file.as_deref(), &self.root)?;
        let diagnostics = diagnostics(&configuration, &lost_texts);
        Ok(CheckRulesResult {
            valid: diagnostics.iter().all(|found| found.severity != "error"),
            rules: configuration.rules.len(),
            diagnostics,
        })
    }

    fn estimate(
        &self,
        args: &RequestArgs,
        call: &ToolCall<'_>,
    ) -> Result<EstimateResult, CliError> {
        let request = RunRequest::new(args, &self.root, &self.api)?;
        let (run_id, options) = (request.run_id.clone(), request.options.clone());
        let parsing = request.parsing.clone();
        let documents = self.find_documents(request)?;
        let journal = self.store.folder(&run_id).read_journal()?;
        // Nothing is sent, so there is no limit, and the seed does not matter.
        let bulk_options = BulkOptions::default().max_in_flight(usize::MAX);
        let bulk = Bulk::new(&self.api, options, bulk_options, Seed::new([0; 16]))?;
        let found = &documents.found;
        let dry_run = DryRun {
            summary: DryRunSummary::new(found.unfollowed_links, found.skipped, parsing.as_ref()),
            bulk: bulk.with_journal(journal)?,
            known: KnownKeys::default(),
            shard: None,
        };
        let total = documents.inputs.len();
        let mut done = 0;
        let mut unreadable = Vec::new();
        let summary = dry_run.count(
            &documents.inputs,
            |input, _| self.hash(input),
            |document| {
                call.check_cancelled()?;
                done += 1;
                (call.report)(ToolProgress {
                    done,
                    total,
                    message: format!("{done} of {total} documents read"),
                });
                if let Some(error) = document.error
                    && unreadable.len() < MAX_LISTED_UNREADABLE
                {
                    unreadable.push(UnreadableDocument {
                        path: document.path.to_owned(),
                        error: error.to_owned(),
                    });
                }
                Ok(())
            },
        )?;
        Ok(EstimateResult {
            run_id,
            summary,
            unreadable_documents: unreadable,
            notes: documents.found.notes,
        })
    }

    /// Reads and hashes a document; the error is for its row.
    fn hash(&self, input: &Input) -> Result<HashedDocument, String> {
        if let Some(error) = &input.error {
            return Err(error.clone());
        }
        let name = path_name(&input.path);
        if input.is_id() {
            return Ok(HashedDocument::id(name));
        }
        let unreadable = |error: std::io::Error| error.to_string();
        let file = self.root.open_file(&input.path).map_err(unreadable)?;
        let key = ContentKey::of_reader(file).map_err(unreadable)?;
        HashedDocument::path(name, &input.path, key)
            .map_err(|error| strip_name(&error.to_string(), &input.path))
    }

    fn classify(&self, args: &RequestArgs, call: &ToolCall<'_>) -> Result<RunStatus, CliError> {
        let client = self.client()?;
        let request = RunRequest::new(args, &self.root, &self.api)?;
        let (run_id, options) = (request.run_id.clone(), request.options.clone());
        if let Some(status) = self.active_status(&run_id) {
            return Ok(status);
        }
        let documents = self.find_documents(request)?;
        // After this, jobs are created whether or not somebody reads the response.
        call.check_cancelled()?;
        let folder = self.store.folder(&run_id);
        let Some(run_lock) = folder.lock()? else {
            return Ok(folder.read_rows()?.status(&run_id, true, None));
        };
        let run = ActiveRun::start(RunParts {
            run_id: run_id.clone(),
            folder,
            lock: run_lock,
            root: Arc::clone(&self.root),
            inputs: documents.inputs.into(),
            client: client.client.clone(),
            job_options: options,
            options: self.bulk_options(),
        })?;
        let status = run.status();
        lock(&self.active).insert(run_id, run);
        Ok(status)
    }

    fn find_documents(
        &self,
        request: RunRequest,
    ) -> Result<super::request::RequestDocuments, CliError> {
        let max_bytes = self.settings.validates.then_some(MAX_FILE_BYTES);
        let max_documents = self.settings.max_documents;
        let own_folder: &Path = self.store.path();
        request.find_documents(&self.root, own_folder, max_bytes, max_documents)
    }

    fn status(&self, args: &StatusArgs, call: &ToolCall<'_>) -> Result<RunStatus, CliError> {
        if args.wait_seconds > MAX_WAIT_SECONDS {
            return Err(CliError::usage(format!(
                "wait_seconds is {}; the maximum is {MAX_WAIT_SECONDS}",
                args.wait_seconds
            ))
            .hint("call status again while the state is running"));
        }
        let wait = Duration::from_secs(args.wait_seconds.into());
        self.wait(&args.run_id, wait, call)
    }

    /// Waits for the end of a run, at most this long, and returns its status.
    fn wait(
        &self,
        run_id: &str,
        wait: Duration,
        call: &ToolCall<'_>,
    ) -> Result<RunStatus, CliError> {
        let started = Instant::now();
        loop {
            let status = self.current_status(run_id)?;
            let is_here = status.open_jobs.is_some();
            (call.report)(ToolProgress {
                done: status.finished,
                total: status.documents,
                message: format!(
                    "{} of {} documents finished",
                    status.finished, status.documents
                ),
            });
            // The run goes on if the call is cancelled.
            let ends = (call.is_cancelled)() || started.elapsed() >= wait;
            if status.state != RunState::Running || ends {
                return Ok(status);
            }
            // The rows of another process are read from its file.
            std::thread::sleep(if is_here { WAIT_STEP } else { READ_STEP });
        }
    }

    fn results(&self, args: ResultsArgs) -> Result<ResultsResult, CliError> {
        if args
            .below_confidence
            .is_some_and(|number| !(0.0..=1.0).contains(&number))
        {
            return Err(
                CliError::usage("below_confidence is not from 0 to 1").hint("an example is 0.8")
            );
        }
        if !(1..=MAX_ROWS).contains(&args.limit) {
            return Err(CliError::usage(format!(
                "limit is {}, and not from 1 to {MAX_ROWS}",
                args.limit
            ))
            .hint("next_offset of the result is the offset of the next page"));
        }
        let status = self.current_status(&args.run_id)?;
        let stored = self.store.find(&args.run_id)?.read_rows()?;
        let rows: Vec<_> = stored
            .rows
            .into_iter()
            .filter(|row| is_selected(row, args.r#type.as_deref(), args.below_confidence))
            .collect();
        let matching = rows.len();
        let end = args.offset.saturating_add(args.limit);
        Ok(ResultsResult {
            run_id: args.run_id,
            state: status.state,
            documents: status.documents,
            finished: status.finished,
            matching,
            next_offset: (end < matching).then_some(end),
            rows: rows
                .into_iter()
                .skip(args.offset)
                .take(args.limit)
                .collect(),
        })
    }

    fn cancel(&self, args: &CancelArgs, call: &ToolCall<'_>) -> Result<CancelResult, CliError> {
        let before = self.current_status(&args.run_id)?;
        let is_here = match lock(&self.active).get(&args.run_id) {
            Some(run) if !run.has_ended() => {
                run.stop();
                true
            }
            _ => false,
        };
        if !is_here && before.state == RunState::Running {
            return Err(CliError::usage(format!(
                "{} runs in another process, which alone can stop it",
                args.run_id
            ))
            .hint("end that process; the documents that have a job then are not charged again"));
        }
        let status = self.wait(&args.run_id, CANCEL_WAIT, call)?;
        let note = match (before.state, status.open_jobs) {
            (RunState::Finished, _) => "the run had finished before".to_owned(),
            (RunState::Stopped, _) => {
                "the run was stopped before; jobs that were created stay paid".to_owned()
            }
            (RunState::Running, open) => format!(
                "no more jobs are created; finished documents and {} open jobs stay paid, and the open jobs continue at \
                 the service; classify with the same arguments collects their results without a new charge",
                open.unwrap_or_default()
            ),
        };
        Ok(CancelResult { status, note })
    }

    fn client(&self) -> Result<&CliClient, CliError> {
        self.client.as_ref().map_err(|error| {
            let Some(report) = error.report() else {
                return CliError::usage("there is no client");
            };
            CliError::new(report.code, report.message.clone()).hint(
                "set LLAMA_CLOUD_API_KEY in the environment of the server, or start it with --api-key-file; then restart it",
            )
        })
    }

    /// Returns the status of a run that this process works on; `None` if it does not.
    fn active_status(&self, run_id: &str) -> Option<RunStatus> {
        let active = lock(&self.active);
        let status = active.get(run_id).map(ActiveRun::status);
        status.filter(|status| status.state == RunState::Running)
    }

    fn current_status(&self, run_id: &str) -> Result<RunStatus, CliError> {
        if let Some(status) = self.active_status(run_id) {
            return Ok(status);
        }
        // Another process may have continued a run of this one.
        let folder = self.store.find(run_id)?;
        let is_locked = folder.is_locked();
        let active = lock(&self.active);
        let open_jobs = active.get(run_id).map(ActiveRun::open_jobs);
        let open_jobs = open_jobs.filter(|_| !is_locked);
        Ok(folder.read_rows()?.status(run_id, is_locked, open_jobs))
    }

    fn bulk_options(&self) -> BulkOptions {
        let options = BulkOptions::default()
            .max_in_flight(MAX_IN_FLIGHT)
            .max_requests(MAX_REQUESTS)
            .report_cache_size(usize::MAX);
        match self.settings.poll_interval {
            Some(initial) => {
                options.poll_interval(PollInterval::new(initial, initial.saturating_mul(10)))
            }
            None => options,
        }
    }

    /// Stops all runs, and waits until they have stopped, at most this long.
    pub(super) fn shut_down(&self, wait: Duration) {
        let started = Instant::now();
        lock(&self.active).values().for_each(ActiveRun::stop);
        let is_running = || {
            let active = lock(&self.active);
            active.values().any(|run| !run.has_ended())
        };
        while is_running() && started.elapsed() < wait {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Whether the filters of a `results` call select a row.
fn is_selected(row: &ResultRow, r#type: Option<&str>, below_confidence: Option<f64>) -> bool {
    let has_type = match r#type {
        None => true,
        Some("") => row.r#type.is_none() && row.error.is_none(),
        Some(r#type) => row.r#type.as_deref() == Some(r#type),
    };
    let is_below = below_confidence
        .is_none_or(|number| row.confidence.is_none_or(|confidence| confidence < number));
    has_type && is_below
}

fn parse<T: DeserializeOwned>(arguments: Map<String, Value>) -> Result<T, CliError> {
    serde_path_to_error::deserialize(Value::Object(arguments)).map_err(|error| {
        let path = error.path().clone();
        CliError::usage(format!(
            "invalid arguments: {}",
            at_path(&path, &describe_json(&error.into_inner()))
        ))
        .hint("the input schema of the tool lists its arguments")
    })
}

fn to_json(result: &impl Serialize) -> Result<Value, CliError> {
    serde_json::to_value(result).map_err(|error| {
        CliError::new(
            ExitCode::Unexpected,
            format!("the result cannot be written: {error}"),
        )
    })
}

fn tool_text(tool: ToolName, max_documents: usize) -> ToolText {
    let (title, description, input, output) = match tool {
        ToolName::CheckRules => (
            "Check rules",
            "Find errors and likely mistakes in classification rules. Local: sends nothing, free, needs no key.".to_owned(),
            schema::of_input::<CheckRulesArgs>(),
            schema::of_output::<CheckRulesResult>(),
        ),
        ToolName::Estimate => (
            "Estimate the cost",
            format!(
                "Dry run of classify with the same arguments: counts documents, bytes, pages and `jobs`, the number of \
                 paid jobs. Reads and hashes the files. Local: sends nothing, free, needs no key. At most \
                 {max_documents} documents."
            ),
            schema::of_input::<RequestArgs>(),
            schema::of_output::<EstimateResult>(),
        ),
        ToolName::Classify => (
            "Classify documents",
            format!(
                "Start a run and return its run_id and counts at once; the run goes on in the background. Uploads the \
                 documents. Costs one paid job per new document; files with the same content are one document. At most \
                 {max_documents} documents. The same arguments always give the same run: calling again returns its state, \
                 continues it if it was interrupted, adds new files, and pays for no document twice. Next: status with \
                 wait_seconds."
            ),
            schema::of_input::<RequestArgs>(),
            schema::of_output::<RunStatus>(),
        ),
        ToolName::Status => (
            "Status of a run",
            format!(
                "Counts of a run. wait_seconds (0 to {MAX_WAIT_SECONDS}) waits for its end, and sends progress \
                 notifications. Cancelling this call does not stop the run. Free."
            ),
            schema::of_input::<StatusArgs>(),
            schema::of_output::<RunStatus>(),
        ),
        ToolName::Results => (
            "Results of a run",
            format!(
                "Rows of the documents that have finished, also while the run goes on: by type, below a confidence, in \
                 pages of {DEFAULT_ROWS} (limit: 1 to {MAX_ROWS}). Free."
            ),
            schema::of_input::<ResultsArgs>(),
            schema::of_output::<ResultsResult>(),
        ),
        ToolName::Cancel => (
            "Stop a run",
            "Stop a run: no more jobs are created. Jobs that were created stay paid and continue at the service; classify \
             with the same arguments continues the run without a new charge for them. Free."
                .to_owned(),
            schema::of_input::<CancelArgs>(),
            schema::of_output::<CancelResult>(),
        ),
    };
    ToolText {
        name: tool.as_str(),
        title,
        description,
        input,
        output,
        is_read_only: !matches!(tool, ToolName::Classify | ToolName::Cancel),
        is_open_world: tool == ToolName::Classify,
    }
}
