//! `serve`: classifies the documents that the engine hands out.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use classify_proto::Api;
use classify_proto::machine::{PollInterval, Retry};
use classify_reqwest::Client;
use restate_sdk::endpoint::Endpoint;
use restate_sdk::http_server::HttpServer;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::ServeArgs;
use crate::configuration;
use crate::document;
use crate::engine::Engine;
use crate::error::CliError;
use crate::health;
use crate::observer::WireObserver;
use crate::pools::{Pools, PoolsOptions};
use crate::printer::Printer;
use crate::rate_limit::object;
use crate::rate_limit::permits::Permits;
use crate::results_target::ResultsTarget;
use crate::settings::{SettingsService, WorkerSettings};
use crate::telemetry::Instruments;

/// Time for the answers of documents that have just finished.
const ANSWERS: Duration = Duration::from_millis(300);

/// Runs the command until SIGTERM or Ctrl-C.
pub(crate) async fn run(
    args: &ServeArgs,
    instruments: Option<Instruments>,
    printer: Printer,
) -> Result<(), CliError> {
    let options = configuration::job_options(&args.rules, printer)?;
    let api = api(args)?;
    let project = api.project().map(str::to_owned);
    let engine = Engine::new(&args.engine)?;
    let results = args
        .results
        .as_deref()
        .map(ResultsTarget::open)
        .transpose()?;

    let permits = Permits::new(args.rate_limit, project.as_deref(), instruments.as_ref());
    let wire = Arc::new(WireObserver::new(instruments.clone()));
    let mut client = Client::new(api)
        .rate_limits(permits.clone())
        .observer(wire.clone())
        .retry(Retry::default().max_retries(args.max_attempts - 1));
    if let Some(interval) = args.poll_interval {
        client = client.poll_interval(PollInterval::new(interval, interval.saturating_mul(10)));
    }
    let settings = WorkerSettings::new(project.as_deref(), options.as_ref());
    let pools = Arc::new(Pools::new(
        client,
        PoolsOptions {
            project,
            default: options,
            results,
            instruments,
            hold: args.hold,
            give_up_after: args.give_up_after,
        },
    ));
    let mut endpoint = Endpoint::builder()
        .bind(document::service(pools.clone(), args.retention))
        .bind(object::service())
        .bind(SettingsService(settings));
    for key in &args.identity_key {
        endpoint = endpoint
            .identity_key(key.trim())
            .map_err(|error| CliError::usage(format!("--identity-key: {error}")))?;
    }

    let listener = bind("--listen", args.listen).await?;
    let is_ready = Arc::new(AtomicBool::new(true));
    tokio::spawn(health::serve(
        bind("--health", args.health).await?,
        is_ready.clone(),
    ));
    permits.refill(&engine);
    if args.identity_key.is_empty() && !args.listen.ip().is_loopback() {
        printer.warning(
            "every machine that reaches this address can submit documents: set --identity-key to the engine's key",
        );
    }
    printer.note(&format!("listening for the engine on {}", args.listen));
    let drained = drain(&pools, &permits, &wire, &is_ready, args.drain);
    HttpServer::new(endpoint.build())
        .serve_with_cancel(listener, drained)
        .await;
    tracing::info!(permits = permits.granted(), "ended");
    Ok(())
}

/// Waits for SIGTERM or Ctrl-C, then until the requests on the wire have ended, and returns the waiting documents to the
/// engine.
async fn drain(
    pools: &Pools,
    permits: &Permits,
    wire: &WireObserver,
    is_ready: &AtomicBool,
    timeout: Duration,
) {
    ended().await;
    is_ready.store(false, Ordering::Release);
    pools.start_drain();
    permits.drain();
    tracing::info!(
        documents = pools.documents(),
        "ending: no further documents are accepted"
    );
    wire.idle(timeout).await;
    tokio::time::sleep(ANSWERS).await;
    // A request that is cut off creates no second job: the next worker sends the same transaction id.
    tracing::info!(
        documents = pools.documents(),
        requests = wire.count(),
        "the documents return to the engine"
    );
    pools.end_drain();
    tokio::time::sleep(ANSWERS).await;
}

async fn ended() {
    let interrupt = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = interrupt.await;
        }
    }
}

async fn bind(flag: &str, address: std::net::SocketAddr) -> Result<TcpListener, CliError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| CliError::usage(format!("{flag} {address}: {error}")))
}

fn api(args: &ServeArgs) -> Result<Api, CliError> {
    let mut builder = api_builder(args.api_key_file.as_deref())?;
    if let Some(id) = &args.project_id {
        builder = builder.project(id);
    }
    Ok(builder.build()?)
}

/// Returns the settings of the environment, with the key of a file if there is one.
pub(crate) fn api_builder(key_file: Option<&Path>) -> Result<classify_proto::ApiBuilder, CliError> {
    const KEYS: [&str; 2] = ["LLAMA_CLOUD_API_KEY", "LLAMA_PARSE_API_KEY"];
    let key = match key_file {
        None => None,
        Some(path) => Some(std::fs::read_to_string(path).map_err(|error| {
            CliError::usage(format!(
                "the key file {} cannot be read: {error}",
                path.display()
            ))
        })?),
    };
    let builder = Api::from_lookup(|name| match &key {
        Some(key) if KEYS.contains(&name) => Some(key.trim().to_owned()),
        _ => std::env::var(name).ok(),
    });
    Ok(builder.user_agent_suffix(concat!("classify-worker/", env!("CARGO_PKG_VERSION"))))
}
