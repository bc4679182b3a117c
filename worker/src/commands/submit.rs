//! `submit`: submits documents, each once.

use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use classify_proto::machine::transaction_id;
use classify_proto::v2::JobOptions;
use classify_reqwest::classify_client::name_path;
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::args::SubmitArgs;
use crate::configuration;
use crate::document::{self, Submission};
use crate::engine::{Engine, EngineError, Output};
use crate::error::{CliError, Code};
use crate::inputs;
use crate::printer::{Printer, Progress};

/// The number of documents that are read and submitted at once.
const CONCURRENCY: usize = 16;
/// The number of results that are awaited at once.
const WAITS: usize = 32;
/// How often the number of unfinished documents is read.
const COUNT_EVERY: usize = 500;
/// The pause if the engine is away or full; doubled up to the maximum.
const RETRY: Duration = Duration::from_millis(250);
const MAX_RETRY: Duration = Duration::from_secs(10);
/// The time limit of one wait for a result.
const WAIT: Duration = Duration::from_secs(60);
/// The number of unreadable documents that are named.
const MAX_NAMED: usize = 20;

/// The counts of a command.
#[derive(Debug, Default)]
struct Counts {
    new: AtomicU64,
    known: AtomicU64,
    /// Submitted again after a failure.
    again: AtomicU64,
    unreadable: AtomicU64,
    /// With `--wait`.
    finished: AtomicU64,
    failed: AtomicU64,
}

/// Submits the documents of one command.
struct Submitter {
    engine: Engine,
    /// The project and the rules: a part of every key.
    project: Option<String>,
    options: JobOptions,
    /// The rules of a submission; `None` for those of the worker.
    sent: Option<JobOptions>,
    counts: Counts,
    named: AtomicUsize,
    printer: Printer,
}

/// Runs the command.
pub(crate) async fn run(args: SubmitArgs, printer: Printer) -> Result<(), CliError> {
    let engine = Engine::new(&args.engine)?;
    let sent = configuration::job_options(&args.rules, printer)?;
    let (project, options) = key_parts(&engine, sent.as_ref(), args.project_id.as_deref()).await?;
    let submitter = Arc::new(Submitter {
        engine,
        project,
        options,
        sent,
        counts: Counts::default(),
        named: AtomicUsize::new(0),
        printer,
    });
    let mut progress = Progress::new(printer);
    let invocations = submit_all(&submitter, &args, &mut progress).await?;
    if args.wait {
        wait_for_all(&submitter, invocations, &mut progress).await?;
    }
    progress.clear();
    printer.note(&submitter.counts.line(args.wait));
    let missed = [&submitter.counts.unreadable, &submitter.counts.failed];
    match missed
        .map(|count| count.load(Ordering::Relaxed))
        .iter()
        .sum()
    {
        0_u64 => Ok(()),
        missed => Err(CliError::new(
            Code::Documents,
            format!("{missed} documents have no result"),
        )
        .hint("`classify-worker status` names them; submit them again to try again")),
    }
}

/// Returns the project and the rules that are a part of every key: those of the command line, or of the workers.
pub(crate) async fn key_parts(
    engine: &Engine,
    options: Option<&JobOptions>,
    project: Option<&str>,
) -> Result<(Option<String>, JobOptions), CliError> {
    match options {
        Some(options) => Ok((project.map(str::to_owned), options.clone())),
        None => worker_options(engine).await,
    }
}

/// Returns the project and the rules of the workers.
async fn worker_options(engine: &Engine) -> Result<(Option<String>, JobOptions), CliError> {
    let settings = engine.worker_settings().await.map_err(|error| {
        CliError::from(error)
            .hint("the rules of the workers are needed: pass --rules FILE, or start a worker")
    })?;
    let options = settings.job_options().ok_or_else(|| {
        CliError::usage("the workers have no rules; pass --rules FILE or --configuration-id ID")
    })?;
    Ok((settings.project, options))
}

async fn submit_all(
    submitter: &Arc<Submitter>,
    args: &SubmitArgs,
    progress: &mut Progress,
) -> Result<Vec<String>, CliError> {
    let mut invocations = Vec::new();
    let mut tasks = JoinSet::new();
    let mut begun = 0;
    for argument in arguments(args)? {
        for location in inputs::find(&argument?)? {
            let location = location?;
            if begun % COUNT_EVERY == 0 {
                submitter.wait_for_room(args.max_waiting, progress).await?;
            }
            begun += 1;
            if tasks.len() >= CONCURRENCY
                && let Some(done) = tasks.join_next().await
            {
                invocations.extend(joined(done)?);
                progress.show(&submitter.counts.line(false));
            }
            let submitter = Arc::clone(submitter);
            tasks.spawn(async move { submitter.submit(location).await });
        }
    }
    while let Some(done) = tasks.join_next().await {
        invocations.extend(joined(done)?);
        progress.show(&submitter.counts.line(false));
    }
    Ok(invocations)
}

fn joined<T>(done: Result<Result<T, CliError>, tokio::task::JoinError>) -> Result<T, CliError> {
    done.map_err(|error| CliError::unexpected(format!("a task ended: {error}")))?
}

/// Returns the paths of the command line and of `--files-from`.
fn arguments(
    args: &SubmitArgs,
) -> Result<impl Iterator<Item = Result<PathBuf, CliError>>, CliError> {
    let listed: Box<dyn Iterator<Item = Result<PathBuf, CliError>> + Send> = match &args.files_from
    {
        None => Box::new(std::iter::empty()),
        Some(path) => lines(path)?,
    };
    let paths: Vec<_> = args.paths.iter().cloned().map(Ok).collect();
    Ok(paths.into_iter().chain(listed))
}

type Lines = Box<dyn Iterator<Item = Result<PathBuf, CliError>> + Send>;

fn lines(path: &Path) -> Result<Lines, CliError> {
    let failed = {
        let path = path.to_owned();
        move |error: std::io::Error| {
            CliError::usage(format!("--files-from {}: {error}", path.display()))
        }
    };
    let reader: Box<dyn std::io::BufRead + Send> = if path == Path::new("-") {
        Box::new(std::io::BufReader::new(std::io::stdin()))
    } else {
        let file = std::fs::File::open(path).map_err(failed.clone())?;
        Box::new(std::io::BufReader::new(file))
    };
    let lines = reader.lines().filter_map(move |line| match line {
        Ok(line) if line.is_empty() => None,
        Ok(line) => Some(Ok(name_path(&line))),
        Err(error) => Some(Err(failed(error))),
    });
    Ok(Box::new(lines))
}

impl Submitter {
    /// Submits a document. Returns its invocation; `None` if it cannot be read.
    async fn submit(&self, location: String) -> Result<Option<String>, CliError> {
        let document = match inputs::open(&location).await {
            Ok(document) => document,
            Err(reason) => {
                self.counts.unreadable.fetch_add(1, Ordering::Relaxed);
                if self.named.fetch_add(1, Ordering::Relaxed) < MAX_NAMED {
                    self.printer.warning(&reason);
                }
                return Ok(None);
            }
        };
        let content = document.key();
        let key = transaction_id(self.project.as_deref(), &self.options, content, 0);
        let sent = self.sent.as_ref();
        let submission = Submission {
            key,
            path: location,
            content: content.to_string(),
            configuration: sent.and_then(|options| options.configuration.as_deref().cloned()),
            configuration_id: sent.and_then(|options| options.configuration_id.clone()),
        };
        let mut count = &self.counts.new;
        let invocation_id = loop {
            let submitted = self.retry(|| self.engine.submit(&submission)).await?;
            if !submitted.is_known() {
                break submitted.invocation_id;
            }
            if !self.has_failed(&submitted.invocation_id).await? {
                if std::ptr::eq(count, &raw const self.counts.new) {
                    count = &self.counts.known;
                }
                break submitted.invocation_id;
            }
            // A failure never answers a later submission.
            self.retry(|| self.engine.purge(&submitted.invocation_id))
                .await?;
            count = &self.counts.again;
        };
        count.fetch_add(1, Ordering::Relaxed);
        Ok(Some(invocation_id))
    }

    /// Whether a document that was submitted before has failed.
    async fn has_failed(&self, invocation_id: &str) -> Result<bool, CliError> {
        #[derive(Deserialize)]
        struct State {
            completion_result: Option<String>,
        }
        let sql = format!(
            "SELECT completion_result FROM sys_invocation WHERE id = '{invocation_id}' AND status = 'completed'"
        );
        let states: Vec<State> = self.retry(|| self.engine.query(&sql)).await?;
        let is_failure = |state: &State| state.completion_result.as_deref() == Some("failure");
        Ok(states.first().is_some_and(is_failure))
    }

    /// Repeats a request while the engine is away or full.
    async fn retry<T, F>(&self, request: impl Fn() -> F) -> Result<T, CliError>
    where
        F: Future<Output = Result<T, EngineError>>,
    {
        let mut pause = RETRY;
        loop {
            match request().await {
                Ok(answer) => return Ok(answer),
                Err(error) if error.is_transient => {
                    if pause >= MAX_RETRY && self.named.fetch_add(1, Ordering::Relaxed) < MAX_NAMED
                    {
                        self.printer.warning(&format!("waiting: {error}"));
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(MAX_RETRY);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits while the engine holds too many unfinished documents.
    async fn wait_for_room(&self, max: u64, progress: &mut Progress) -> Result<(), CliError> {
        #[derive(Deserialize)]
        struct Count {
            unfinished: u64,
        }
        let sql = format!(
            "SELECT count(*) AS unfinished FROM sys_invocation WHERE target_service_name = '{}' AND status != 'completed'",
            document::SERVICE
        );
        loop {
            let counts: Vec<Count> = self.retry(|| self.engine.query(&sql)).await?;
            let unfinished = counts.first().map_or(0, |count| count.unfinished);
            if unfinished < max {
                return Ok(());
            }
            progress.show(&format!(
                "{} (waiting: {unfinished} documents are unfinished)",
                self.counts.line(false)
            ));
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }

    /// Waits for the result of a document.
    async fn wait(&self, invocation_id: &str) -> Result<(), CliError> {
        loop {
            match self.retry(|| self.engine.wait(invocation_id, WAIT)).await? {
                Output::Pending => {}
                Output::Answer(_) => {
                    self.counts.finished.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                Output::Failure(_) | Output::Unknown => {
                    self.counts.failed.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
            }
        }
    }
}

async fn wait_for_all(
    submitter: &Arc<Submitter>,
    mut invocations: Vec<String>,
    progress: &mut Progress,
) -> Result<(), CliError> {
    // Copies are one invocation.
    invocations.sort();
    invocations.dedup();
    let total = invocations.len();
    let mut tasks = JoinSet::new();
    let mut invocations = invocations.into_iter();
    loop {
        while tasks.len() < WAITS
            && let Some(id) = invocations.next()
        {
            let submitter = Arc::clone(submitter);
            tasks.spawn(async move { submitter.wait(&id).await });
        }
        let Some(done) = tasks.join_next().await else {
            return Ok(());
        };
        joined(done)?;
        let finished = submitter.counts.finished.load(Ordering::Relaxed);
        let failed = submitter.counts.failed.load(Ordering::Relaxed);
        progress.show(&format!(
            "{finished} of {total} documents finished, {failed} failed"
        ));
    }
}

impl Counts {
    fn line(&self, has_waited: bool) -> String {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut parts = vec![
            format!("{} submitted", count(&self.new)),
            format!("{} known", count(&self.known)),
        ];
        for (number, text) in [
            (count(&self.again), "submitted again"),
            (count(&self.unreadable), "unreadable"),
        ] {
            if number > 0 {
                parts.push(format!("{number} {text}"));
            }
        }
        if has_waited {
            parts.push(format!("{} with a result", count(&self.finished)));
            parts.push(format!("{} failed", count(&self.failed)));
        }
        parts.join(", ")
    }
}
