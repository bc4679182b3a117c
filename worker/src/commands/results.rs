//! `results`: writes the results that the engine keeps.

use std::io::{BufWriter, Write};
use std::path::Path;

use classify_proto::ErrorCode;
use classify_proto::machine::DocumentStatus;
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::args::ResultsArgs;
use crate::document;
use crate::engine::{Engine, Output};
use crate::error::CliError;
use crate::printer::Printer;
use crate::row::Row;

/// The number of results that are read at once.
const CONCURRENCY: usize = 16;

#[derive(Debug, Deserialize)]
struct Finished {
    id: String,
    idempotency_key: Option<String>,
    completion_result: Option<String>,
    completion_failure: Option<String>,
}

/// Runs the command.
pub(crate) async fn run(args: &ResultsArgs, printer: Printer) -> Result<(), CliError> {
    let engine = Engine::new(&args.engine)?;
    let since = args.since.map_or_else(String::new, |since| {
        format!(" AND completed_at >= '{since}'")
    });
    let sql = format!(
        "SELECT id, idempotency_key, completion_result, completion_failure FROM sys_invocation \
         WHERE target_service_name = '{}' AND target_handler_name = 'classify' AND status = 'completed'{since} \
         ORDER BY completed_at, id",
        document::SERVICE
    );
    let finished: Vec<Finished> = engine.query(&sql).await?;
    let written = if args.output == Path::new("-") {
        let mut stdout = BufWriter::new(std::io::stdout().lock());
        write(&engine, finished, &mut stdout).await?
    } else {
        write_file(&engine, finished, &args.output).await?
    };
    printer.note(&format!("{written} results"));
    Ok(())
}

/// Writes a file that is replaced as a whole.
async fn write_file(
    engine: &Engine,
    finished: Vec<Finished>,
    path: &Path,
) -> Result<u64, CliError> {
    let failed = |error: std::io::Error| {
        CliError::unexpected(format!("{} cannot be written: {error}", path.display()))
    };
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let file = std::fs::File::create(&temporary).map_err(failed)?;
    let mut file = BufWriter::new(file);
    let written = write(engine, finished, &mut file).await?;
    file.flush().map_err(failed)?;
    std::fs::rename(&temporary, path).map_err(failed)?;
    Ok(written)
}

async fn write(
    engine: &Engine,
    finished: Vec<Finished>,
    output: &mut impl Write,
) -> Result<u64, CliError> {
    let mut written = 0;
    let mut finished = finished.into_iter();
    loop {
        let chunk: Vec<_> = finished.by_ref().take(CONCURRENCY).collect();
        if chunk.is_empty() {
            output.flush()?;
            return Ok(written);
        }
        let mut tasks = JoinSet::new();
        for (index, document) in chunk.into_iter().enumerate() {
            let engine = engine.clone();
            tasks.spawn(async move { (index, row(&engine, document).await) });
        }
        let mut rows: Vec<_> = tasks.join_all().await;
        rows.sort_by_key(|(index, _)| *index);
        for (_, row) in rows {
            if let Some(row) = row? {
                serde_json::to_writer(&mut *output, &row).map_err(std::io::Error::from)?;
                output.write_all(b"\n")?;
                written += 1;
            }
        }
    }
}

/// Returns the row of a finished document; `None` if it was removed in the meantime.
async fn row(engine: &Engine, finished: Finished) -> Result<Option<Row>, CliError> {
    if finished.completion_result.as_deref() == Some("failure") {
        let reason = finished.completion_failure.unwrap_or_default();
        return Ok(Some(failed_row(
            &finished.idempotency_key.unwrap_or(finished.id),
            &reason,
        )));
    }
    match engine.output(&finished.id).await? {
        Output::Answer(row) => Ok(Some(*row)),
        Output::Failure(reason) => Ok(Some(failed_row(
            &finished.idempotency_key.unwrap_or(finished.id),
            &reason,
        ))),
        Output::Pending | Output::Unknown => Ok(None),
    }
}

/// Returns the row of a document that failed. The engine's own failures, such as a cancellation, have no row.
pub(crate) fn failed_row(key: &str, reason: &str) -> Row {
    let json = reason.find('{').map_or("", |start| &reason[start..]);
    serde_json::from_str(json).unwrap_or_else(|_| {
        Row::without_result(
            key,
            &DocumentStatus::NotStarted,
            reason,
            Some(ErrorCode::Stopped),
        )
    })
}
