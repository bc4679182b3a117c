//! `status`: counts documents, and names those that need attention.

use serde::{Deserialize, Serialize};

use super::results::failed_row;
use crate::args::StatusArgs;
use crate::document::{self, Submission};
use crate::engine::Engine;
use crate::error::CliError;

/// The number of documents that are named in each list.
const MAX_NAMED: usize = 100;

#[derive(Debug, Default, Serialize)]
struct Status {
    /// In the engine, and with no worker.
    waiting: u64,
    /// With a worker.
    running: u64,
    done: u64,
    failed: u64,
    /// Paused by the engine or by hand, until they are resumed.
    paused: u64,
    failed_documents: Vec<Named>,
    paused_documents: Vec<Named>,
}

#[derive(Debug, Serialize)]
struct Named {
    path: String,
    reason: String,
    /// For `PATCH /invocations/ID/resume` of the admin port.
    invocation_id: String,
}

#[derive(Debug, Deserialize)]
struct Count {
    status: String,
    completion_result: Option<String>,
    documents: u64,
}

#[derive(Debug, Deserialize)]
struct Invocation {
    id: String,
    idempotency_key: Option<String>,
    completion_failure: Option<String>,
    last_failure: Option<String>,
}

/// Runs the command.
pub(crate) async fn run(args: &StatusArgs) -> Result<(), CliError> {
    let engine = Engine::new(&args.engine)?;
    let documents = format!(
        "target_service_name = '{}' AND target_handler_name = 'classify'",
        document::SERVICE
    );
    let sql = format!(
        "SELECT status, completion_result, count(*) AS documents FROM sys_invocation WHERE {documents} \
         GROUP BY status, completion_result"
    );
    let mut status = Status::default();
    for count in engine.query::<Count>(&sql).await? {
        let sum = match (count.status.as_str(), count.completion_result.as_deref()) {
            ("completed", Some("failure")) => &mut status.failed,
            ("completed", _) => &mut status.done,
            ("running", _) => &mut status.running,
            ("paused", _) => &mut status.paused,
            _ => &mut status.waiting,
        };
        *sum += count.documents;
    }
    let list = |condition: &str| {
        format!(
            "SELECT id, idempotency_key, completion_failure, last_failure FROM sys_invocation \
             WHERE {documents} AND {condition} LIMIT {MAX_NAMED}"
        )
    };
    if status.failed > 0 {
        let sql = list("status = 'completed' AND completion_result = 'failure'");
        for found in engine.query::<Invocation>(&sql).await? {
            let reason = found.completion_failure.unwrap_or_default();
            let row = failed_row(
                found.idempotency_key.as_deref().unwrap_or(&found.id),
                &reason,
            );
            status.failed_documents.push(Named {
                path: row.path,
                reason: row.error.unwrap_or_default(),
                invocation_id: found.id,
            });
        }
    }
    if status.paused > 0 {
        for found in engine
            .query::<Invocation>(&list("status = 'paused'"))
            .await?
        {
            status.paused_documents.push(Named {
                path: path(&engine, &found).await?,
                reason: found.last_failure.unwrap_or_else(|| "paused".to_owned()),
                invocation_id: found.id,
            });
        }
    }
    if args.json {
        println!("{}", serde_json::to_string(&status).unwrap_or_default());
    } else {
        print(&status);
    }
    Ok(())
}

/// Returns the path of an unfinished document: its input is in the engine's journal.
async fn path(engine: &Engine, invocation: &Invocation) -> Result<String, CliError> {
    #[derive(Deserialize)]
    struct Entry {
        entry_json: String,
    }
    let sql = format!(
        "SELECT entry_json FROM sys_journal WHERE id = '{}' AND index = 0",
        invocation.id
    );
    let entries: Vec<Entry> = engine.query(&sql).await?;
    let submission = entries
        .first()
        .and_then(|entry| submission(&entry.entry_json));
    Ok(submission.map_or_else(|| invocation.id.clone(), |submission| submission.path))
}

/// Returns the submission in the first entry of a journal, whose payload is a list of bytes.
fn submission(entry_json: &str) -> Option<Submission> {
    #[derive(Deserialize)]
    struct Entry {
        #[serde(rename = "Command")]
        command: Command,
    }
    #[derive(Deserialize)]
    struct Command {
        #[serde(rename = "Input")]
        input: Input,
    }
    #[derive(Deserialize)]
    struct Input {
        payload: Vec<u8>,
    }
    let entry: Entry = serde_json::from_str(entry_json).ok()?;
    serde_json::from_slice(&entry.command.input.payload).ok()
}

fn print(status: &Status) {
    for (name, count) in [
        ("waiting", status.waiting),
        ("running", status.running),
        ("done", status.done),
        ("failed", status.failed),
        ("paused", status.paused),
    ] {
        println!("{name:<8} {count:>8}");
    }
    for (name, count, documents) in [
        ("failed", status.failed, &status.failed_documents),
        ("paused", status.paused, &status.paused_documents),
    ] {
        for document in documents {
            println!(
                "{name}: {}: {} ({})",
                document.path, document.reason, document.invocation_id
            );
        }
        let more = count.saturating_sub(documents.len() as u64);
        if more > 0 {
            println!("{name}: {more} more");
        }
    }
}
