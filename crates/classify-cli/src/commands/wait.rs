//! `classify wait` and `classifier:jobs wait`

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use classify_proto::machine::{Concurrent, ConcurrentEvent, Waitable};
use classify_proto::{Error, v1, v2};
use serde::Serialize;

use crate::args::global::GlobalArgs;
use crate::args::values::parse_list;
use crate::args::wait::{ClassifierWaitArgs, WaitArgs};
use crate::cancel::{Cancel, StopReason};
use crate::client::CliClient;
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::graceful_stop::{self, DriveEnd, DriveEvent};
use crate::output::results::{ResultCount, ResultKind, ResultWriter};
use crate::printer::{Level, Printer};
use crate::progress_display::{ProgressDisplay, ProgressLines, first_fitting, format_clock};

/// How many jobs are polled concurrently.
const MAX_CONCURRENCY: usize = 64;

/// The resource whose `wait` is for v2 jobs.
pub(crate) const V2: &str = "classify";
/// The same for v1 jobs.
const V1: &str = "classifier:jobs";

/// Returns the hint with the command of a resource that waits for jobs.
pub(crate) fn wait_hint(resource: &str, ids: &[String]) -> String {
    let them = if ids.len() == 1 { "it" } else { "them" };
    format!(
        "wait for {them}: llamacloud-prod {resource} wait {}",
        ids.join(" ")
    )
}

/// Waits for v2 jobs and prints each when it has ended.
pub(crate) fn wait(args: &WaitArgs, global: &GlobalArgs, printer: Printer) -> Result<(), CliError> {
    let ids = args.ids()?;
    let expand = parse_list("expand", &args.expand)?;
    let results = ResultWriter::open(
        global.result_settings(),
        args.output.as_deref(),
        ResultKind::Job,
        result_count(&ids),
    )?;
    let gets = ids
        .iter()
        .map(|id| expand.iter().fold(v2::GetJob::new(id), v2::GetJob::expand))
        .collect();
    wait_for(V2, &ids, gets, args.timeout, results, global, printer)
}

/// Waits for v1 jobs.
pub(crate) fn wait_v1(
    args: &ClassifierWaitArgs,
    global: &GlobalArgs,
    printer: Printer,
) -> Result<(), CliError> {
    let ids = args.ids()?;
    let results = ResultWriter::open(
        global.result_settings(),
        args.output.as_deref(),
        ResultKind::Other,
        result_count(&ids),
    )?;
    let gets = ids.iter().map(v1::GetJob::new).collect();
    wait_for(V1, &ids, gets, args.timeout, results, global, printer)
}

fn result_count(ids: &[String]) -> ResultCount {
    if ids.len() > 1 {
        ResultCount::Stream
    } else {
        ResultCount::One
    }
}

fn wait_for<G>(
    resource: &str,
    ids: &[String],
    gets: Vec<G>,
    timeout: Duration,
    mut results: ResultWriter,
    global: &GlobalArgs,
    printer: Printer,
) -> Result<(), CliError>
where
    G: Waitable + Send + 'static,
    G::Output: Serialize + Clone + Send,
    G::Status: std::fmt::Display + Send,
{
    let cli_client = CliClient::open(global, printer)?;
    let client = cli_client.client.clone().wait_timeout(timeout);
    let machines = gets
        .into_iter()
        .map(|get| client.waiter(get))
        .collect::<Result<Vec<_>, Error>>()?;

    let mut open: BTreeSet<usize> = (0..ids.len()).collect();
    let mut errors: Vec<CliError> = Vec::new();
    let mut write_error = None;
    let display = ProgressDisplay::new(WaitProgress::new(ids.len()), printer.prints(Level::Status));
    let cancel = Cancel::on_interrupt_with(display.clear_handle());
    let waiters = Concurrent::new(machines, MAX_CONCURRENCY);
    let end = graceful_stop::drive(&client, waiters, &cancel, |event| match event {
        DriveEvent::Machine(ConcurrentEvent::Progress(_, progress)) => {
            let status = progress.status.map(|status| status.to_string());
            display.update(|content| {
                content.last_polled = format!("{} {}", progress.job_id, status.unwrap_or_default());
            });
        }
        DriveEvent::Machine(ConcurrentEvent::Finished(index, result)) => {
            open.remove(&index);
            display.update(|progress| progress.ended += 1);
            let written =
                display.suspend(|| print_result(resource, result, &mut results, &mut errors));
            if let Err(error) = written {
                write_error = Some(error);
                cancel.cancel(StopReason::BrokenPipe);
            }
        }
        _ => {}
    })?;
    display.clear();
    if let Some(error) = write_error {
        return Err(error);
    }
    if matches!(end, DriveEnd::Finished(())) || !errors.is_empty() || open.len() < ids.len() {
        results.finish()?;
    }
    if let DriveEnd::Stopped = end {
        let open_ids: Vec<String> = open
            .iter()
            .filter_map(|index| ids.get(*index).cloned())
            .collect();
        return Err(CliError::new(
            ExitCode::Interrupted,
            format!("interrupted; jobs still open: {}", open_ids.join(", ")),
        )
        .hint(wait_hint(resource, &open_ids)));
    }
    most_important(errors, printer)
}

/// Prints a job that has ended, with or without success. Collects the error.
fn print_result<T: Serialize>(
    resource: &str,
    result: Result<T, Error>,
    results: &mut ResultWriter,
    errors: &mut Vec<CliError>,
) -> Result<(), CliError> {
    match result {
        Ok(job) => print_job(results, &job),
        Err(error) => {
            let ended = error.job().filter(|job| job.status.is_terminal()).cloned();
            let id = error.job_id().unwrap_or_default().to_owned();
            let is_deadline = error.is_deadline();
            let error = CliError::from(error);
            errors.push(if is_deadline {
                error.hint(wait_hint(resource, &[id]))
            } else {
                error
            });
            ended.map_or(Ok(()), |job| print_job(results, &job))
        }
    }
}

fn print_job(results: &mut ResultWriter, job: &impl Serialize) -> Result<(), CliError> {
    let json = serde_json::to_string(job).map_err(|error| {
        CliError::new(
            ExitCode::Unexpected,
            format!("a job cannot be written: {error}"),
        )
    })?;
    results.write(&json)
}

/// Prints all errors except the one with the lowest code, which is returned.
fn most_important(mut errors: Vec<CliError>, printer: Printer) -> Result<(), CliError> {
    // A rejected key is more important than a failed job, and has a lower code.
    errors.sort_by_key(CliError::code);
    let mut errors = errors.into_iter();
    let Some(first) = errors.next() else {
        return Ok(());
    };
    for other in errors {
        printer.error(&other);
    }
    Err(first)
}

/// The progress of `wait` over all its jobs, shown on stderr.
struct WaitProgress {
    started: Instant,
    jobs: usize,
    ended: usize,
    /// The job that was polled last, and its status.
    last_polled: String,
}

impl WaitProgress {
    fn new(jobs: usize) -> Self {
        Self {
            started: Instant::now(),
            jobs,
            ended: 0,
            last_polled: String::new(),
        }
    }
}

impl ProgressLines for WaitProgress {
    fn lines(&self, width: usize) -> Vec<String> {
        let elapsed = format_clock(self.started.elapsed());
        let last = crate::terminal::escape(&self.last_polled).replace('\n', " ");
        let summary = match self.jobs {
            1 => elapsed,
            jobs => format!("{} of {jobs} ended   {elapsed}", self.ended),
        };
        vec![first_fitting(
            &[format!("{summary}   {last}"), summary.clone()],
            width,
        )]
    }
}
