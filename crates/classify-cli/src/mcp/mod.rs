//! `mcp`: serves agents over the Model Context Protocol.
//!
//! - `server`: the protocol; the only module that uses `rmcp`. `tools`: the calls. `schema`: their JSON schemas.
//! - `request`: what is asked, and the run id that is derived from it. `root`: the only folder whose files are read.
//! - `active_run`: the runs of this process. `store`: all runs, in the state folder.
//!
//! Nothing of a document is logged, and neither is the key: the server writes nothing to stderr but notes of the command
//! line.

mod active_run;
mod request;
mod root;
mod schema;
mod server;
mod store;
mod tools;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use classify_proto::TransportLimits;
use classify_proto::machine::Limiter;
use etcetera::BaseStrategy as _;

use self::root::RootFolder;
use self::store::RunStore;
use self::tools::{ToolSettings, Tools};
use crate::args::global::GlobalArgs;
use crate::args::mcp::McpArgs;
use crate::client::{CliClient, api_without_key};
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::printer::Printer;

/// How long the runs may take to stop after the pipe was closed. Clients end the process two seconds after that; the
/// journals are complete at any time.
const STOP_WAIT: Duration = Duration::from_millis(1500);
/// The poll interval for the emulator of this process, whose jobs take a fraction of a second.
const EMULATOR_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Runs the command.
pub(crate) fn serve(args: &McpArgs, global: &GlobalArgs, printer: Printer) -> Result<(), CliError> {
    if global.api_key_file.as_deref() == Some(Path::new("-")) {
        return Err(CliError::usage(
            "--api-key-file - reads stdin, which is the protocol's; use a file or LLAMA_CLOUD_API_KEY",
        ));
    }
    let root = match &args.root {
        Some(root) => root,
        None => working_folder()?,
    };
    let denied: Vec<&Path> = global.api_key_file.as_deref().into_iter().collect();
    let root = RootFolder::open(root, &denied)?;
    // The jobs of the emulator end with this process, and so do its runs.
    let temporary = if global.emulator {
        Some(tempfile::tempdir()?)
    } else {
        None
    };
    let state = match (&args.state_dir, &temporary) {
        (Some(folder), _) => std::path::absolute(folder)?,
        (None, Some(folder)) => folder.path().to_owned(),
        (None, None) => default_state_folder()?,
    };
    let client = open_client(args, global, printer);
    let api = match &client {
        Ok(client) => client.client.api().clone(),
        Err(_) => api_without_key(global)?,
    };
    // Relative paths in the global flags are resolved, and those of the tools are relative to the root.
    std::env::set_current_dir(root.path())
        .map_err(|error| CliError::usage(format!("--root {}: {error}", root.path().display())))?;
    let settings = ToolSettings {
        max_documents: args.max_documents,
        poll_interval: args
            .poll_interval
            .or(global.emulator.then_some(EMULATOR_POLL_INTERVAL)),
        validates: !global.no_validate,
    };
    let tools = Arc::new(Tools::new(
        root,
        RunStore::new(state),
        client,
        api,
        settings,
    ));
    let result = server::serve(&tools);
    tools.shut_down(STOP_WAIT);
    result
}

/// Returns the working folder as the root. Rejects a folder that a client starts its servers in without a choice of the
/// user.
fn working_folder() -> Result<&'static Path, CliError> {
    let folder = Path::new(".");
    let resolved = folder.canonicalize()?;
    let home = etcetera::home_dir().ok();
    let home = home.and_then(|home| home.canonicalize().ok());
    let is_home = home.is_some_and(|home| home == resolved);
    if is_home || resolved.parent().is_none() {
        return Err(CliError::usage(format!(
            "the working folder {} is not a root: an agent could send any file in it",
            resolved.display()
        ))
        .hint("name a folder of documents with --root FOLDER"));
    }
    Ok(folder)
}

/// Opens the client, with the rate limits that all runs of this process share.
fn open_client(
    args: &McpArgs,
    global: &GlobalArgs,
    printer: Printer,
) -> Result<CliClient, CliError> {
    let mut client = CliClient::open(global, printer)?;
    let limiter = match args.rate_limit {
        Some(limit) => limit.limiter(),
        None if global.emulator => Limiter::unlimited(),
        None => Limiter::paid(),
    };
    client.client = client
        .client
        .limits(TransportLimits::default())
        .limiter(limiter);
    Ok(client)
}

/// Returns the folder of the journals in the user's state folder.
fn default_state_folder() -> Result<PathBuf, CliError> {
    let unknown = || {
        CliError::new(
            ExitCode::Usage,
            "the state folder is unknown: there is no home folder",
        )
        .hint("use --state-dir FOLDER")
    };
    let strategy = etcetera::choose_base_strategy().map_err(|_| unknown())?;
    // Windows has no state folder; its local data are those of this machine.
    let folder = strategy.state_dir().unwrap_or_else(|| strategy.cache_dir());
    Ok(folder.join("llamacloud-prod").join("mcp"))
}
