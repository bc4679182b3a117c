//! `classify create`, `list`, `get`, `cancel` and `delete`.

use classify_proto::machine::Call;
use classify_proto::v2::{Cancel, Delete, Get};

use super::wait::how_to_wait;
use crate::args::Global;
use crate::args::create::CreateArgs;
use crate::args::job::{CancelArgs, DeleteArgs, GetArgs};
use crate::args::list::ListArgs;
use crate::args::values::words;
use crate::connect::Connection;
use crate::console::Console;
use crate::exit::{Code, Problem};
use crate::interrupt::{self, Ending, Switch};
use crate::output::Shape;
use crate::output::jobs::{self, Printer};

/// Creates a job and prints it.
pub(crate) fn create(args: &CreateArgs, global: &Global, console: Console) -> Result<(), Problem> {
    let operation = args.operation()?;
    let connection = Connection::open(global, console)?;
    let client = &connection.client;
    let call = Call::new(operation, client.seed()?);
    let transaction = call.operation().get_transaction_id().map(str::to_owned);
    let switch = Switch::on_interrupt();
    match interrupt::drive(client, call, &switch, None, |_| {})? {
        Ending::Done(job) => {
            let job = job?;
            let id = job.id.clone();
            jobs::one(Shape::of(global.format, Shape::Json), job)?;
            console.chat(&how_to_wait(&[id]));
            Ok(())
        }
        Ending::Stopped(_) => Err(Problem::new(
            Code::Interrupted,
            "interrupted; the job may have been created",
        )
        .hint(format!(
            "the same command with --transaction-id {} creates no second job",
            transaction.unwrap_or_default()
        ))),
    }
}

/// Lists jobs.
pub(crate) fn list(args: &ListArgs, global: &Global, console: Console) -> Result<(), Problem> {
    let operation = args.operation()?;
    let limit = args.limit()?;
    let connection = Connection::open(global, console)?;
    let mut printer = Printer::new(Shape::of(global.format, Shape::Json), true);
    let found = connection.client.list(operation);
    for job in found.take(limit.unwrap_or(usize::MAX)) {
        match job {
            Ok(job) => printer.job(job)?,
            Err(error) => {
                // What was listed so far is worth having; the exit code says that it is not all.
                printer.finish()?;
                return Err(error.into());
            }
        }
    }
    printer.finish()
}

/// Shows a job.
pub(crate) fn get(args: &GetArgs, global: &Global, console: Console) -> Result<(), Problem> {
    let mut operation = Get::new(args.job.id());
    for part in words("expand", &args.expand)? {
        operation = operation.expand(part);
    }
    let connection = Connection::open(global, console)?;
    let job = connection.client.call(operation)?;
    jobs::one(Shape::of(global.format, Shape::Json), job)
}

/// Cancels a job.
pub(crate) fn cancel(args: &CancelArgs, global: &Global, console: Console) -> Result<(), Problem> {
    let connection = Connection::open(global, console)?;
    let job = connection.client.call(Cancel::new(args.job.id()))?;
    jobs::one(Shape::of(global.format, Shape::Json), job)
}

/// Deletes a job.
pub(crate) fn delete(args: &DeleteArgs, global: &Global, console: Console) -> Result<(), Problem> {
    let connection = Connection::open(global, console)?;
    let deleted = connection.client.call(Delete::new(args.job.id()))?;
    jobs::object(Shape::of(global.format, Shape::Json), &deleted)
}
