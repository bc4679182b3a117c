//! `emulator`

use std::cell::Cell;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use classify_emulator::{Config, Emulator, FaultSchedule, Scenario};

use crate::args::emulator::EmulatorArgs;
use crate::args::global::GlobalArgs;
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::printer::Printer;
use crate::signals::TerminationSignals;
use crate::yaml;
use classify_rules::text_encoding;

/// Runs the emulator until SIGTERM, SIGHUP or Ctrl-C.
pub(crate) fn emulator(
    args: &EmulatorArgs,
    global: &GlobalArgs,
    printer: Printer,
) -> Result<(), CliError> {
    if global.emulator || global.base_url.is_some() || global.region.is_some() {
        return Err(CliError::usage(
            "`emulator` cannot be combined with --emulator, --base-url and --region; remove them",
        ));
    }
    let config = config(args)?;
    if let Some(path) = &args.port_file {
        // A reader must not find the port of an earlier process that was killed.
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let text = format!(
                    "the port file {} cannot be replaced: {error}",
                    path.display()
                );
                return Err(CliError::new(ExitCode::Unexpected, text));
            }
            _ => {}
        }
    }
    let port = Cell::new(None);
    let ready = |emulator: &Emulator| {
        if let Some(path) = &args.port_file {
            port.set(Some(emulator.address().port()));
            write_port_file(path, emulator.address().port()).map_err(|error| {
                let text = format!(
                    "the port file {} cannot be written: {error}",
                    path.display()
                );
                io::Error::new(error.kind(), text)
            })?;
        }
        printer.note("its labels are not those of the service; stop it with SIGTERM or Ctrl-C");
        let mut out = io::stdout().lock();
        // An error is ignored: the port file contains the port too.
        let _ = writeln!(out, "{}", emulator.base_url()).and_then(|()| out.flush());
        Ok(())
    };
    let result = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| {
            runtime.block_on(async {
                // Before the start: a signal that comes during the start must not be lost.
                let mut signals = TerminationSignals::install();
                let shutdown = async {
                    signals.recv().await;
                    // Before the port is free: a successor with the same port must not lose its file.
                    if let (Some(path), Some(port)) = (&args.port_file, port.get()) {
                        remove_port_file(path, port);
                    }
                };
                classify_emulator::serve(config, ready, shutdown).await
            })
        });
    result.map_err(|error| start_error(&error, args))
}

fn config(args: &EmulatorArgs) -> Result<Config, CliError> {
    let running_after = args.running_after.unwrap_or(args.completed_after / 3);
    let mut faults = FaultSchedule::new();
    if let Some(seed) = args.seed {
        faults = faults.seed(seed);
    }
    // Flags take precedence over the file, for the seed and for the rules.
    let faults = args
        .faults
        .iter()
        .cloned()
        .fold(faults, FaultSchedule::with);
    let mut config = Config::default()
        .port(args.port)
        .rate_limits(args.rate_limit)
        .faults(faults)
        .allow_loopback_webhooks(args.allow_loopback_webhooks)
        .webhook_retry_delay(Duration::from_millis(args.webhook_delay))
        .completed_after(Duration::from_millis(args.completed_after))
        .running_after(Duration::from_millis(running_after));
    if let Some(path) = &args.script {
        config = config.scenario(read_scenario(path)?);
    }
    if let Some(url) = &args.redirect_to {
        config = config.redirect_to(url);
    }
    if let Some(seed) = args.seed {
        config = config.seed(seed);
    }
    if let Some(path) = &args.state {
        config = config.state_file(path);
    }
    if args.virtual_clock {
        config = config.virtual_clock();
    }
    let keys: Vec<&str> = args
        .accept_key
        .iter()
        .filter_map(|key| key.expose_secret())
        .collect();
    if !keys.is_empty() {
        config = config.keys(keys);
    }
    Ok(config)
}

/// Reads a script file.
fn read_scenario(path: &Path) -> Result<Scenario, CliError> {
    let invalid = |reason: String| {
        CliError::usage(format!(
            "the script file {} cannot be used: {reason}",
            path.display()
        ))
    };
    let bytes = std::fs::read(path).map_err(|error| invalid(error.to_string()))?;
    let text = text_encoding::decode(bytes)
        .map_err(|error| invalid(error.to_string()).hint("save the file as UTF-8"))?;
    yaml::from_str(&text).map_err(invalid)
}

/// Writes the port file atomically.
fn write_port_file(path: &Path, port: u16) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    writeln!(file, "{port}")?;
    file.persist(path)?;
    Ok(())
}

/// Removes the port file, unless it has another emulator's port.
fn remove_port_file(path: &Path, port: u16) {
    let is_own = std::fs::read_to_string(path).is_ok_and(|text| text.trim() == port.to_string());
    if is_own {
        let _ = std::fs::remove_file(path);
    }
}

fn start_error(error: &io::Error, args: &EmulatorArgs) -> CliError {
    let cli_error = CliError::new(
        ExitCode::Unexpected,
        format!("the emulator cannot start: {error}"),
    );
    match error.kind() {
        io::ErrorKind::AddrInUse => cli_error.hint(format!(
            "another program uses port {}; stop it, or select a free port with --port 0",
            args.port
        )),
        io::ErrorKind::PermissionDenied if args.port < 1024 => {
            cli_error.hint("ports below 1024 need administrator rights; use a higher one")
        }
        _ => cli_error,
    }
}
