//! `classify wait`

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use classify_proto::machine::{Concurrent, ConcurrentEvent, Waitable};
use classify_proto::{Error, v1, v2};
use serde::Serialize;

use crate::args::Global;
use crate::args::job::{ClassifierWaitArgs, WaitArgs};
use crate::args::values::words;
use crate::connect::Connection;
use crate::console::Console;
use crate::exit::{Code, Problem};
use crate::interrupt::{self, Ending, Heard, Switch, Why};
use crate::output::values::{Expects, Shows, Values};
use crate::view::{Lines, View, clock, fitting};

/// How many jobs are looked at side by side.
const AT_ONCE: usize = 64;

/// The line that waits for these jobs.
pub(crate) fn how_to_wait(ids: &[String]) -> String {
    format!(
        "wait for it: llamacloud-prod classify wait {}",
        ids.join(" ")
    )
}

/// Waits for jobs and prints each when it has ended.
pub(crate) fn wait(args: &WaitArgs, global: &Global, console: Console) -> Result<(), Problem> {
    let ids = args.ids()?;
    let expand = words("expand", &args.expand)?;
    let values = Values::open(global, args.output.as_deref(), Shows::Jobs, expects(&ids))?;
    let gets = ids
        .iter()
        .map(|id| expand.iter().fold(v2::GetJob::new(id), v2::GetJob::expand))
        .collect();
    wait_for(&ids, gets, args.timeout, values, global, console)
}

/// Waits for jobs of version 1.
pub(crate) fn wait_old(
    args: &ClassifierWaitArgs,
    global: &Global,
    console: Console,
) -> Result<(), Problem> {
    let ids = args.ids()?;
    let values = Values::open(
        global,
        args.output.as_deref(),
        Shows::Anything,
        expects(&ids),
    )?;
    let gets = ids.iter().map(v1::GetJob::new).collect();
    wait_for(&ids, gets, args.timeout, values, global, console)
}

fn expects(ids: &[String]) -> Expects {
    if ids.len() > 1 {
        Expects::Stream
    } else {
        Expects::One
    }
}

fn wait_for<G>(
    ids: &[String],
    gets: Vec<G>,
    timeout: Duration,
    mut printer: Values,
    global: &Global,
    console: Console,
) -> Result<(), Problem>
where
    G: Waitable + Send + 'static,
    G::Output: Serialize + Clone + Send,
    G::Status: std::fmt::Display + Send,
{
    let connection = Connection::open(global, console)?;
    let client = connection.client.clone().wait_timeout(timeout);
    let machines = gets
        .into_iter()
        .map(|get| client.waiter(get))
        .collect::<Result<Vec<_>, Error>>()?;

    let mut open: BTreeSet<usize> = (0..ids.len()).collect();
    let mut problems: Vec<Problem> = Vec::new();
    let mut unwritten = None;
    let view = View::new(Waiting::new(ids.len()), console.chatty);
    let switch = Switch::on_interrupt_clearing(view.clearer());
    let fan = Concurrent::new(machines, AT_ONCE);
    let ending = interrupt::drive(&client, fan, &switch, None, |event| match event {
        Heard::Of(ConcurrentEvent::Progress(_, progress)) => {
            let status = progress.status.map(|status| status.to_string());
            view.update(|waiting| {
                waiting.last = format!("{} {}", progress.job_id, status.unwrap_or_default());
            });
        }
        Heard::Of(ConcurrentEvent::Finished(place, result)) => {
            open.remove(&place);
            view.update(|waiting| waiting.ended += 1);
            let written = view.aside(|| take(result, &mut printer, &mut problems));
            if let Err(problem) = written {
                unwritten = Some(problem);
                switch.throw(Why::Pipe);
            }
        }
        _ => {}
    })?;
    view.clear();
    if let Some(problem) = unwritten {
        return Err(problem);
    }
    if matches!(ending, Ending::Done(())) || !problems.is_empty() || open.len() < ids.len() {
        printer.finish()?;
    }
    if let Ending::Stopped(_) = ending {
        let left: Vec<String> = open
            .iter()
            .filter_map(|place| ids.get(*place).cloned())
            .collect();
        return Err(Problem::new(
            Code::Interrupted,
            format!("interrupted; the jobs go on: {}", left.join(", ")),
        )
        .hint(how_to_wait(&left)));
    }
    last_word(problems, console)
}

/// Prints a job that has ended, however it has; keeps what went wrong.
fn take<T: Serialize>(
    result: Result<T, Error>,
    printer: &mut Values,
    problems: &mut Vec<Problem>,
) -> Result<(), Problem> {
    match result {
        Ok(job) => print(printer, &job),
        Err(error) => {
            let ended = error.job().filter(|job| job.status.is_terminal()).cloned();
            let id = error.job_id().unwrap_or_default().to_owned();
            let deadline = error.is_deadline();
            let problem = Problem::from(error);
            problems.push(if deadline {
                problem.hint(how_to_wait(&[id]))
            } else {
                problem
            });
            ended.map_or(Ok(()), |job| print(printer, &job))
        }
    }
}

fn print(printer: &mut Values, job: &impl Serialize) -> Result<(), Problem> {
    let json = serde_json::to_string(job).map_err(|error| {
        Problem::new(
            Code::Unexpected,
            format!("a job cannot be written: {error}"),
        )
    })?;
    printer.take(&json)
}

/// Ends with the problem of the lowest code, after the others were reported.
fn last_word(mut problems: Vec<Problem>, console: Console) -> Result<(), Problem> {
    // A key that is refused says more than a job that failed, and stands before it in the table.
    problems.sort_by_key(Problem::code);
    let mut problems = problems.into_iter();
    let Some(first) = problems.next() else {
        return Ok(());
    };
    for other in problems {
        console.report(&other);
    }
    Err(first)
}

/// What a person sees who waits.
struct Waiting {
    began: Instant,
    jobs: usize,
    ended: usize,
    /// The job that was looked at last, and how it stood.
    last: String,
}

impl Waiting {
    fn new(jobs: usize) -> Self {
        Self {
            began: Instant::now(),
            jobs,
            ended: 0,
            last: String::new(),
        }
    }
}

impl Lines for Waiting {
    fn lines(&self, room: usize) -> Vec<String> {
        let clock = clock(self.began.elapsed());
        let last = crate::output::printable(&self.last).replace('\n', " ");
        let far = match self.jobs {
            1 => clock,
            jobs => format!("{} of {jobs} ended   {clock}", self.ended),
        };
        vec![fitting(&[format!("{far}   {last}"), far.clone()], room)]
    }
}
