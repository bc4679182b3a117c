//! `cancel`: cancels submitted documents.

use std::collections::{BTreeMap, BTreeSet};

use classify_proto::machine::transaction_id;
use classify_proto::v2::{CancelJob, JobStatus, ListJobs};
use classify_reqwest::Client;
use serde::Deserialize;

use crate::args::CancelArgs;
use crate::commands::serve::api_builder;
use crate::commands::submit::key_parts;
use crate::configuration;
use crate::document;
use crate::engine::Engine;
use crate::error::CliError;
use crate::inputs;
use crate::printer::Printer;

#[derive(Debug, Deserialize)]
struct Invocation {
    id: String,
    idempotency_key: Option<String>,
}

/// Runs the command.
pub(crate) async fn run(args: &CancelArgs, printer: Printer) -> Result<(), CliError> {
    let engine = Engine::new(&args.engine)?;
    let unfinished = unfinished(&engine).await?;
    let chosen: BTreeMap<String, String> = if args.all {
        unfinished
    } else {
        let mut chosen = unfinished;
        let keys = keys(&engine, args, printer).await?;
        chosen.retain(|key, _| keys.contains(key));
        chosen
    };
    for id in chosen.values() {
        engine.kill(id).await?;
    }
    printer.note(&format!("{} documents cancelled", chosen.len()));
    if args.paid_jobs {
        let cancelled = cancel_jobs(&chosen).await?;
        printer.note(&format!("{cancelled} jobs cancelled"));
    }
    Ok(())
}

/// Returns the unfinished documents: their keys and invocations.
async fn unfinished(engine: &Engine) -> Result<BTreeMap<String, String>, CliError> {
    let sql = format!(
        "SELECT id, idempotency_key FROM sys_invocation WHERE target_service_name = '{}' \
         AND target_handler_name = 'classify' AND status != 'completed'",
        document::SERVICE
    );
    let invocations: Vec<Invocation> = engine.query(&sql).await?;
    Ok(invocations
        .into_iter()
        .filter_map(|invocation| Some((invocation.idempotency_key?, invocation.id)))
        .collect())
}

/// Returns the keys of the documents of the command line.
async fn keys(
    engine: &Engine,
    args: &CancelArgs,
    printer: Printer,
) -> Result<BTreeSet<String>, CliError> {
    let options = configuration::job_options(&args.rules, printer)?;
    let (project, options) =
        key_parts(engine, options.as_ref(), args.project_id.as_deref()).await?;
    let mut keys = BTreeSet::new();
    for path in &args.paths {
        for location in inputs::find(path)? {
            let location = location?;
            let document = inputs::open(&location).await.map_err(CliError::usage)?;
            keys.insert(transaction_id(
                project.as_deref(),
                &options,
                document.key(),
                0,
            ));
        }
    }
    Ok(keys)
}

/// Cancels the jobs with these transaction ids that have not ended.
async fn cancel_jobs(chosen: &BTreeMap<String, String>) -> Result<usize, CliError> {
    let client = Client::new(api_builder(None)?.build()?);
    let mut ids = Vec::new();
    for status in [JobStatus::Pending, JobStatus::Running] {
        let mut jobs = client.list(ListJobs::new().status(status));
        while let Some(job) = jobs.next().await {
            let job = job?;
            if job
                .transaction_id
                .as_ref()
                .is_some_and(|id| chosen.contains_key(id))
            {
                ids.push(job.id);
            }
        }
    }
    for id in &ids {
        client.call(CancelJob::new(&**id)).await?;
    }
    Ok(ids.len())
}
