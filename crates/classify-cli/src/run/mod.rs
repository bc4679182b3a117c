//! `classify run`: documents in, labels out, each document once.

mod after;
mod again;
mod documents;
mod dry;
mod engine;
mod files;
mod journal;
mod live;
mod report;
mod report_page;
mod row;
mod sink;
mod template;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use classify_proto::machine::{Bulk, BulkOptions, Journal, Limiter, PollInterval};
use classify_proto::v2::CreateJob;
use classify_proto::{Seed, TransportLimits as Transport};

use self::after::After;
use self::engine::Engine;
use self::files::Files;
use self::journal::JournalFile;
use self::report::{Ended, Report};
use self::sink::OutputFile;
use self::template::Template;
use crate::args::Global;
use crate::args::destination::Destination;
use crate::args::run::RunArgs;
use crate::connect::{self, Connection};
use crate::console::Console;
use crate::exit::Problem;
use crate::inputs::{self, Document};
use crate::interrupt::{self, Ending, Heard, Switch, Why};
use crate::output::Shape;

/// Runs the command.
pub(crate) fn run(args: &RunArgs, global: &Global, console: Console) -> Result<(), Problem> {
    // All that can be wrong without the service is found before it is asked for anything.
    let journal_path = journal_path(args)?;
    let files = Files::of(args, global, journal_path.as_deref())?;
    let Template { create, parsing } = template::template(args, global)?;
    let output = output_path(args)
        .map(|path| OutputFile::new(path, global.format))
        .transpose()?;
    let mut after = After::new(args, global.emulator, console)?;
    let (documents, unfollowed) = find(args, &files, journal_path.as_deref(), console)?;
    if let Some(file) = &args.labels {
        after.read_labels(file, &documents, types(&create).as_deref())?;
    }
    let shape = Shape::of(global.format, Shape::Table);
    if args.dry_run {
        let journal = match &journal_path {
            Some(path) => of_its_kind(args, path, journal::peek(path, args.resume)?)?,
            None => Journal::new(),
        };
        // There is room for all documents, since none is sent; and no id is drawn that anybody sees.
        let options = options(args, global).max_in_flight(usize::MAX);
        let api = connect::without_key(global)?;
        let bulk = Bulk::new(&api, create, options, Seed::new([0; 16]))?;
        let bulk = going_on(bulk, journal)?;
        let plan = dry::Plan::new(unfollowed, parsing.as_ref());
        return dry::run(&documents, args.shard, plan, bulk, shape, console);
    }

    let connection = Connection::open(global, console)?;
    let (file, journal) = open_journal(args, journal_path.as_deref(), console)?;
    let limiter = match args.limits {
        Some(limits) => limits.limiter(),
        None if global.emulator => Limiter::unlimited(),
        None => Limiter::paid(),
    };
    let client = connection
        .client
        .clone()
        // A few looks may be on the wire beside the uploads and creates.
        .limits(Transport::default().max_concurrency(args.concurrency + 4))
        .limiter(limiter);
    let bulk = Bulk::new(client.api(), create, options(args, global), client.seed()?)?;
    let resumes = journal.is_begun();
    let bulk = going_on(bulk, journal)?;
    let reader = documents::read(&documents, args.shard)?;
    let engine = Engine::new(bulk, Arc::clone(&documents), reader, file)
        .cancels_on_interrupt(args.cancel_on_interrupt)
        .looks_up_rest(resumes || args.shard.is_some());
    let deadline = args.deadline.map(|time| client.now() + time);

    let mut report = Report::new(documents, shape, output, after, console);
    let switch = Switch::on_interrupt_clearing(report.clearer());
    report.ends_with(&switch);
    report.troubled(args.shard);
    let ending = interrupt::drive(&client, engine, &switch, deadline, |event| match event {
        Heard::Of(event) => {
            report.take(event);
            if report.is_unread() {
                switch.throw(Why::Pipe);
            }
        }
        Heard::Stopping => report.stopping(switch.why()),
        Heard::Left(_) => {}
    })?;
    let (outcome, stopped) = match ending {
        Ending::Done(outcome) => {
            let stopped = outcome.stopped;
            (Some(outcome), stopped)
        }
        Ending::Stopped(why) => (None, Some(why)),
    };
    // The end of an emulator inside this process is the end of its jobs.
    let resume =
        (!global.emulator).then(|| again::command(std::env::args_os(), journal_path.is_some()));
    report.finish(Ended {
        stopped,
        outcome,
        resume,
    })
}

/// The documents, without what is the run's own, and the number of links that were not followed.
fn find(
    args: &RunArgs,
    files: &Files,
    journal: Option<&Path>,
    console: Console,
) -> Result<(Arc<[Document]>, u64), Problem> {
    let destination = args.move_to.as_ref().or(args.copy_to.as_ref());
    let base = destination.map(Destination::base);
    let own: Vec<&Path> = [&args.output, &args.report, &args.labels, &base]
        .into_iter()
        .flatten()
        .map(PathBuf::as_path)
        .chain(journal)
        .collect();
    let found = inputs::collect(&args.paths, &own, args.follow_links)?;
    files.spare(&found.met)?;
    for note in &found.notes {
        console.note(note);
    }
    if found.documents.is_empty() {
        return Err(inputs::nothing_in(&args.paths));
    }
    Ok((found.documents.into(), found.unfollowed))
}

/// The types that documents can have; a saved configuration keeps them to itself.
fn types(create: &CreateJob) -> Option<Vec<&str>> {
    let configuration = create.get_configuration()?;
    let types = configuration.rules.iter().map(|rule| rule.r#type.as_str());
    Some(types.collect())
}

/// The file that rows are written to; `-` is stdout, as everywhere.
fn output_path(args: &RunArgs) -> Option<&Path> {
    args.output
        .as_deref()
        .filter(|path| *path != Path::new("-"))
}

/// Where the journal is: as said, or beside the output, or nowhere.
///
/// Nowhere is safe for the money: what a create is repeated under comes from the document. It is not where a run
/// shall pay anew, because only its journal tells the second half of such a run from another run.
fn journal_path(args: &RunArgs) -> Result<Option<PathBuf>, Problem> {
    let beside = |output: &Path| {
        let mut name = output.to_owned().into_os_string();
        name.push(".journal");
        PathBuf::from(name)
    };
    // Beside a device or a pipe there is no place for one.
    let is_plain = |path: &&Path| !path.exists() || path.is_file();
    let path = args
        .journal
        .clone()
        .or_else(|| output_path(args).filter(is_plain).map(beside));
    if path.is_none() {
        for (flag, given) in [("--resume", args.resume), ("--fresh", args.fresh)] {
            if given {
                return Err(Problem::usage(format!(
                    "{flag} needs a journal: give --journal FILE, or --output FILE, beside which it lies"
                )));
            }
        }
    }
    if let Some(path) = &args.journal {
        sink::can_be_file("--journal", path)?;
    }
    Ok(path)
}

fn open_journal(
    args: &RunArgs,
    path: Option<&Path>,
    console: Console,
) -> Result<(Option<JournalFile>, Journal), Problem> {
    let Some(path) = path else {
        return Ok((None, Journal::new()));
    };
    let (file, journal, torn) = JournalFile::open(path, args.resume)?;
    if torn {
        console.note(&format!(
            "the last line of {} was torn and is cut off",
            path.display()
        ));
    }
    Ok((Some(file), of_its_kind(args, path, journal)?))
}

/// Refuses a journal whose run does not pay as this one shall.
fn of_its_kind(args: &RunArgs, path: &Path, journal: Journal) -> Result<Journal, Problem> {
    let is_fresh = journal.header().is_none_or(|run| run.nonce.is_some());
    if args.fresh && !is_fresh {
        return Err(Problem::usage(format!(
            "{} is the journal of a run without --fresh",
            path.display()
        ))
        .hint("leave out --fresh to go on with it, or give another --journal to pay anew"));
    }
    Ok(journal)
}

/// The run of a journal, if it is the same run.
fn going_on(bulk: Bulk, journal: Journal) -> Result<Bulk, Problem> {
    bulk.with_journal(journal).map_err(|error| {
        Problem::usage(error.to_string()).hint(
            "--resume goes on with the same rules, project and service only; give another --journal for another run",
        )
    })
}

fn options(args: &RunArgs, global: &Global) -> BulkOptions {
    let mut options = BulkOptions::default()
        .max_in_flight(args.max_in_flight)
        .max_requests(args.concurrency)
        .fresh(args.fresh)
        .retry_failed(args.retry_failed)
        // The engine remembers every content, for its rows' sake.
        .report_cache_size(0);
    if let Some(timeout) = args.timeout {
        options = options.job_timeout(timeout);
    }
    // An emulator's jobs take a fraction of a second, so it is asked sooner than the service would be.
    let first = args
        .poll_interval
        .or(global.emulator.then_some(Duration::from_millis(100)));
    match first {
        Some(first) => options.poll_interval(PollInterval::new(first, first.saturating_mul(10))),
        None => options,
    }
}
