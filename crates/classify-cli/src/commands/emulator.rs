//! `emulator`

use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use classify_emulator::{Config, FaultSchedule};

use crate::args::Global;
use crate::args::emulator::EmulatorArgs;
use crate::console::Console;
use crate::exit::{Code, Problem};

/// Runs the emulator until the process is told to stop.
pub(crate) fn emulator(
    args: &EmulatorArgs,
    global: &Global,
    console: Console,
) -> Result<(), Problem> {
    if global.emulator || global.base_url.is_some() || global.region.is_some() {
        return Err(Problem::usage(
            "`emulator` is the service itself; leave out --emulator, --base-url and --region",
        ));
    }
    let config = config(args)?;
    if let Some(path) = &args.port_file {
        // Whoever waits for the file must not find the port of a process that was killed.
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let text = format!(
                    "the port file {} cannot be replaced: {error}",
                    path.display()
                );
                return Err(Problem::new(Code::Unexpected, text));
            }
            _ => {}
        }
    }
    let ran = classify_emulator::run(config, |emulator| {
        if let Some(path) = &args.port_file {
            write_port(path, emulator.address().port()).map_err(|error| {
                let text = format!(
                    "the port file {} cannot be written: {error}",
                    path.display()
                );
                io::Error::new(error.kind(), text)
            })?;
        }
        console.note("its labels are not the service's; SIGTERM or Ctrl-C stops it");
        let mut out = io::stdout().lock();
        // Nobody may be reading: the port file says the same.
        let _ = writeln!(out, "{}", emulator.base_url()).and_then(|()| out.flush());
        Ok(())
    });
    ran.map_err(|error| explain(&error, args))?;
    if let Some(path) = &args.port_file {
        // A port where nothing answers any more is worse than none.
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

fn config(args: &EmulatorArgs) -> Result<Config, Problem> {
    let running_after = args.running_after.unwrap_or(args.completed_after / 3);
    let mut schedule = FaultSchedule::new();
    if let Some(seed) = args.seed {
        schedule = schedule.seed(seed);
    }
    // What a flag says goes before what the file says, the seed as well as the rules.
    let schedule = args
        .faults
        .iter()
        .cloned()
        .fold(schedule, FaultSchedule::with);
    let mut config = Config::default()
        .port(args.port)
        .rate_limits(args.limits)
        .faults(schedule)
        .allow_loopback_webhooks(args.allow_loopback_webhooks)
        .webhook_retry_delay(Duration::from_millis(args.webhook_delay))
        .completed_after(Duration::from_millis(args.completed_after))
        .running_after(Duration::from_millis(running_after));
    if let Some(path) = &args.script {
        config = config
            .scenario_file(path)
            .map_err(|error| Problem::usage(error.to_string()))?;
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

/// Whoever waits for the file finds either nothing or a whole number in it.
fn write_port(path: &Path, port: u16) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    writeln!(file, "{port}")?;
    file.persist(path)?;
    Ok(())
}

fn explain(error: &io::Error, args: &EmulatorArgs) -> Problem {
    let problem = Problem::new(
        Code::Unexpected,
        format!("the emulator cannot start: {error}"),
    );
    match error.kind() {
        io::ErrorKind::AddrInUse => problem.hint(format!(
            "something else answers on port {}; stop it, or let --port 0 take a free one",
            args.port
        )),
        io::ErrorKind::PermissionDenied if args.port < 1024 => {
            problem.hint("ports below 1024 are for the administrator; take a higher one")
        }
        _ => problem,
    }
}
