//! `classify run`: classifies documents, each once.

mod configuration;
pub(crate) mod driver;
pub(crate) mod dry_run;
mod journal_file;
mod postprocess;
mod progress;
mod report_page;
mod results;
mod resume_command;
pub(crate) mod row;
mod row_output;
mod run_files;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use classify_proto::files::MAX_FILE_BYTES;
use classify_proto::machine::{Bulk, BulkOptions, Journal, Limiter, PollInterval};
use classify_proto::v2::JobOptions;
use classify_proto::{Error, Seed, TransportLimits};
use classify_ureq::Document;
use classify_ureq::classify_client::JournalFile;

use self::configuration::{RunConfiguration, run_configuration};
use self::driver::{DriveEvent, StopConditions};
use self::dry_run::{DryRun, DryRunSummary};
use self::postprocess::Postprocess;
use self::results::{RunEnd, RunResults};
use self::resume_command::resume_command;
use self::row_output::RowFile;
use self::run_files::RunFiles;
use crate::args::folder_template::FolderTemplate;
use crate::args::global::GlobalArgs;
use crate::args::run::RunArgs;
use crate::cancel::{Cancel, StopReason};
use crate::client::{CliClient, api_without_key};
use crate::error::CliError;
use crate::inputs::{self, FoundInputs, Input, NameFilter, Search};
use crate::output::format::{Format, RowFormat};
use crate::printer::Printer;

/// Runs the command.
pub(crate) fn run(args: &RunArgs, global: &GlobalArgs, printer: Printer) -> Result<(), CliError> {
    // Everything that can be validated locally is validated before anything is sent.
    let journal_path = journal_path(args)?;
    let files = RunFiles::new(args, global, journal_path.as_deref())?;
    let RunConfiguration {
        options: job_options,
        parsing,
    } = run_configuration(args, global)?;
    let output = output_path(args)
        .map(|path| RowFile::new(path, global.format))
        .transpose()?;
    let mut postprocess = Postprocess::new(args, global, journal_path.is_some(), printer)?;
    postprocess.set_types(types(&job_options));
    let found = find_inputs(args, global, &files, journal_path.as_deref(), printer)?;
    let inputs: Arc<[Input]> = found.inputs.into();
    check_moves(args, &inputs)?;
    if let Some(file) = &args.labels {
        postprocess.read_labels(file, &inputs, types(&job_options).as_deref())?;
    }
    let format = RowFormat::for_stdout(global.format);
    if args.dry_run {
        let mut journal = match &journal_path {
            Some(path) => check_fresh(args, path, journal_file::peek(path, args.resume)?)?,
            None => Journal::new(),
        };
        // Nothing is sent, so there is no limit, and the seed does not matter.
        let options = options(args, global).max_in_flight(usize::MAX);
        let api = api_without_key(global)?;
        let bulk = Bulk::new(&api, job_options, options, Seed::new([0; 16]))?;
        let known = journal.take_known_keys();
        let bulk = bulk.with_journal(journal).map_err(run_error)?;
        let summary = DryRunSummary::new(found.unfollowed_links, found.skipped, parsing.as_ref());
        let lists_documents = global.format == Format::Jsonl;
        let plan = DryRun {
            summary,
            bulk,
            known,
            shard: args.shard,
        };
        return plan.run(&inputs, format, lists_documents, printer);
    }

    let cli_client = CliClient::open(global, printer)?;
    let (file, journal) = open_journal(args, journal_path.as_deref(), printer)?;
    let limiter = match args.rate_limit {
        Some(limit) => limit.limiter(),
        None if global.emulator => Limiter::unlimited(),
        None => Limiter::paid(),
    };
    let client = cli_client
        .client
        .clone()
        // A few polls may be in flight beside the uploads and creates.
        .limits(TransportLimits::default().max_concurrency(args.concurrency + 4))
        .limiter(limiter);
    let mut builder = client.bulk(job_options).limits(options(args, global));
    if let Some(shard) = args.shard {
        builder = builder.shard(shard.index, shard.count);
    }
    if args.shard.is_some() || journal.is_begun() {
        builder = builder.read_rest();
    }
    if let Some(file) = file {
        builder = builder.open_journal(file, journal);
    }
    let documents = documents(&inputs);
    // A request for an object takes longer than reading a file, and must not delay the requests to the service.
    let run = if inputs.iter().any(Input::is_object) {
        builder.run_ahead(documents)
    } else {
        builder.run(documents)
    };
    let run = run.map_err(run_error)?;

    let mut results = RunResults::new(inputs, format, output, postprocess, printer);
    let cancel = Cancel::on_interrupt_with(results.clear_handle());
    results.set_cancel(&cancel);
    results.settle_invalid(args.shard);
    let conditions = StopConditions {
        cancel: &cancel,
        deadline: args.deadline,
        cancels_on_interrupt: args.cancel_on_interrupt,
    };
    let end = driver::drive(run, &conditions, |event| match event {
        DriveEvent::Run(event) => {
            results.on_event(event);
            if results.has_write_error() {
                cancel.cancel(StopReason::BrokenPipe);
            }
        }
        DriveEvent::Stopping => results.on_stopping(cancel.reason()),
    })?;
    // The jobs of an emulator in this process end with it.
    let resume =
        (!global.emulator).then(|| resume_command(std::env::args_os(), journal_path.is_some()));
    results.finish(RunEnd {
        stopped: end.stopped,
        summary: end.summary,
        resume,
        reads_stdin: args.reads_stdin(),
    })
}

/// Rejects moving or copying objects, which are not files.
fn check_moves(args: &RunArgs, inputs: &[Input]) -> Result<(), CliError> {
    let flag = match (&args.move_to, &args.copy_to) {
        (Some(_), _) => "--move-to",
        (None, Some(_)) => "--copy-to",
        (None, None) => return Ok(()),
    };
    match inputs.iter().find(|input| input.is_object()) {
        Some(object) => Err(CliError::usage(format!(
            "{flag} needs files, and {} is an object",
            object.path.display()
        ))
        .hint(format!(
            "run the command without {flag}, or download the objects and pass their folder; nothing was sent"
        ))),
        None => Ok(()),
    }
}

/// Returns the documents that are not known to be unreadable.
fn documents(inputs: &Arc<[Input]>) -> impl Iterator<Item = Document> + Send + use<> {
    let inputs = Arc::clone(inputs);
    (0..inputs.len()).filter_map(move |index| inputs[index].document())
}

/// Returns the documents without the run's own files, and the result of the search.
fn find_inputs(
    args: &RunArgs,
    global: &GlobalArgs,
    files: &RunFiles,
    journal: Option<&Path>,
    printer: Printer,
) -> Result<FoundInputs, CliError> {
    let template = args.move_to.as_ref().or(args.copy_to.as_ref());
    let base = template.map(FolderTemplate::base);
    let own_files = [
        &args.output,
        &args.report,
        &args.labels,
        &args.files_from,
        &base,
    ];
    args.missing_path_hints()
        .for_each(|hint| printer.warning(&hint));
    let found = inputs::find_inputs(&Search {
        arguments: &args.paths,
        files_from: args.files_from.as_deref(),
        own_files: own_files
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
            .chain(journal)
            .collect(),
        filter: NameFilter::new(&args.exclude, &args.include)?,
        follow_links: args.follow_links,
        max_bytes: (!global.no_validate).then_some(MAX_FILE_BYTES),
        max_documents: None,
    })?;
    if args.resume && args.reads_stdin() && found.inputs.is_empty() {
        return Err(CliError::usage(
            "stdin lists no paths; a resumed run needs the same list again",
        ));
    }
    files.check_overwrites(&found.excluded_files)?;
    for note in &found.notes {
        printer.note(note);
    }
    if found.inputs.is_empty() && !found.has_source {
        return Err(inputs::no_inputs_error(&args.paths));
    }
    Ok(found)
}

/// Returns the types of the rules; those of a saved configuration are unknown.
fn types(options: &JobOptions) -> Option<Vec<&str>> {
    let configuration = options.configuration.as_deref()?;
    let types = configuration.rules.iter().map(|rule| rule.r#type.as_str());
    Some(types.collect())
}

/// Returns the file of `--output`; `-` is stdout.
fn output_path(args: &RunArgs) -> Option<&Path> {
    args.output
        .as_deref()
        .filter(|path| *path != Path::new("-"))
}

/// Returns the path of the journal: of `--journal`, or beside the output.
///
/// A run without a journal is charged once too, since transaction ids are derived from the documents. `--fresh` needs a
/// journal to continue the same run after an interruption.
fn journal_path(args: &RunArgs) -> Result<Option<PathBuf>, CliError> {
    let beside = |output: &Path| {
        let mut name = output.to_owned().into_os_string();
        name.push(".journal");
        PathBuf::from(name)
    };
    // A device or a pipe has no journal beside it.
    let is_regular = |path: &&Path| !path.exists() || path.is_file();
    let path = args
        .journal
        .clone()
        .or_else(|| output_path(args).filter(is_regular).map(beside));
    if path.is_none() {
        for (flag, is_set) in [("--resume", args.resume), ("--fresh", args.fresh)] {
            if is_set {
                return Err(CliError::usage(format!(
                    "{flag} needs a journal: add --journal FILE or --output FILE"
                )));
            }
        }
    }
    if let Some(path) = &args.journal {
        row_output::check_file_path("--journal", path)?;
    }
    Ok(path)
}

fn open_journal(
    args: &RunArgs,
    path: Option<&Path>,
    printer: Printer,
) -> Result<(Option<JournalFile>, Journal), CliError> {
    let Some(path) = path else {
        return Ok((None, Journal::new()));
    };
    let (file, journal) = journal_file::open(path, args.resume)?;
    if file.is_torn() {
        printer.note(&format!(
            "removed the incomplete last line of {}",
            path.display()
        ));
    }
    Ok((Some(file), check_fresh(args, path, journal)?))
}

/// Rejects the journal of a run without `--fresh` if this run has it.
fn check_fresh(args: &RunArgs, path: &Path, journal: Journal) -> Result<Journal, CliError> {
    let is_fresh = journal.header().is_none_or(|run| run.nonce.is_some());
    if args.fresh && !is_fresh {
        return Err(CliError::usage(format!(
            "{} is the journal of a run without --fresh",
            path.display()
        ))
        .hint("remove --fresh to resume that run; another --journal starts a new run, which pays again"));
    }
    Ok(journal)
}

/// Returns the error of a run that cannot start.
fn run_error(error: Error) -> CliError {
    if !error.is_state() || error.io_kind().is_some() {
        return error.into();
    }
    CliError::usage(error.to_string()).hint(
        "--resume needs the same rules, project and service; another --journal starts a new run, which pays again",
    )
}

fn options(args: &RunArgs, global: &GlobalArgs) -> BulkOptions {
    let mut options = BulkOptions::default()
        .max_in_flight(args.max_in_flight)
        .max_requests(args.concurrency)
        // The list of documents is in memory anyway.
        .report_cache_size(usize::MAX);
    if let Some(timeout) = args.timeout {
        options = options.job_timeout(timeout);
    }
    // The jobs of the emulator take a fraction of a second, so they are polled more often than those of the service.
    let initial = args
        .poll_interval
        .or(global.emulator.then_some(Duration::from_millis(100)));
    match initial {
        Some(initial) => {
            options.poll_interval(PollInterval::new(initial, initial.saturating_mul(10)))
        }
        None => options,
    }
}
