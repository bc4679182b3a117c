//! `classify-worker`: classifies documents on several machines, all day, with the durable execution engine [Restate].
//!
//! The engine keeps the submitted documents, hands them out to workers, hands those of a dead worker to another, and
//! keeps the results. A worker classifies them with the client of `classify-reqwest`. Each document is classified once
//! and paid for once: its key in the engine is its transaction id, which is also the key at the service.
//!
//! ```text
//! restate-server --bind-ip 127.0.0.1 &
//! classify-worker serve --rules rules.yaml &
//! curl http://127.0.0.1:9070/deployments -H 'content-type: application/json' -d '{"uri": "http://127.0.0.1:9080"}'
//! classify-worker submit inbox --wait
//! classify-worker results --output results.jsonl
//! ```
//!
//! `docs/worker.md` is the guide.
//!
//! # In scope
//!
//! - Several workers that share the documents and one rate limit, and that may be killed at any time.
//! - Commands that submit documents and read their results and states from the engine.
//!
//! # Out of scope
//!
//! - Decisions about retries and payment. `classify-proto` makes them, as for all other programs.
//! - A batch run of one folder: `llamacloud-prod classify run` needs no engine.
//!
//! # Modules
//!
//! - `document`: the workflow of a document. `pools`: the bulk runs behind it, one for each set of rules, and the pause
//!   of all documents after an error that affects every document.
//! - `rate_limit`: the limit that all workers share.
//! - `inputs`: documents of paths and of objects in object stores. `row`: results. `results_target`: `serve --results`.
//! - `engine`: the engine's HTTP interface. `settings`: the rules of the workers.
//! - `commands`, `args`, `configuration`, `health`, `observer`, `telemetry`, `printer`, `error`: the
//!   program.
//!
//! [Restate]: https://restate.dev

mod args;
mod commands;
mod configuration;
mod document;
mod engine;
mod error;
mod health;
mod inputs;
mod observer;
mod pools;
mod printer;
mod rate_limit;
mod results_folder;
mod results_objects;
mod results_target;
mod row;
mod settings;
mod telemetry;

use std::process::ExitCode;

use clap::Parser as _;
use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::args::{Cli, Command};
use crate::error::CliError;
use crate::printer::Printer;
use crate::telemetry::Telemetry;

/// Runs the command line of this process and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(CliError::unexpected(format!(
            "threads cannot be started: {error}"
        ))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.exit(),
    }
}

async fn run(cli: Cli) -> Result<(), CliError> {
    let printer = Printer::new(cli.quiet);
    let telemetry = match cli.command {
        Command::Serve(_) => Telemetry::from_env()?,
        _ => Telemetry::default(),
    };
    log(&telemetry);
    let instruments = telemetry.instruments();
    let result = match cli.command {
        Command::Serve(args) => commands::serve::run(&args, instruments, printer).await,
        Command::Submit(args) => commands::submit::run(args, printer).await,
        Command::Results(args) => commands::results::run(&args, printer).await,
        Command::Status(args) => commands::status::run(&args).await,
        Command::Cancel(args) => commands::cancel::run(&args, printer).await,
    };
    telemetry.shutdown().await;
    result
}

/// Logs to stderr, and sends the client's spans to the tracer if there is one.
fn log(telemetry: &Telemetry) {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,restate_sdk=warn,restate_sdk_shared_core=warn"));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_filter(filter);
    let spans = telemetry.tracer().map(|tracer| {
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_filter(Targets::new().with_target("classify_client", Level::DEBUG))
    });
    tracing_subscriber::registry()
        .with(lines)
        .with(spans)
        .init();
}
