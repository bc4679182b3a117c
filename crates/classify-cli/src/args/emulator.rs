//! `emulator`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use classify_emulator::{Fault, FaultRule, Limits, Route};

/// The flags of `emulator`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct EmulatorArgs {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) port: u16,

    /// Writes the port into this file once it answers, all at once, and removes the file at the end
    #[arg(long, value_name = "FILE")]
    pub(crate) port_file: Option<PathBuf>,

    /// Keeps files, jobs and configurations in this file across restarts; one emulator at a time may use it
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,

    /// Outcomes fixed beforehand, and faults, from a YAML file
    #[arg(long, value_name = "FILE.yaml")]
    pub(crate) script: Option<PathBuf>,

    /// What goes wrong: `NAME[@ROUTE][:WHEN]`, several separated by commas; may be repeated
    #[arg(
        long,
        visible_alias = "fault",
        value_name = "FAULTS",
        value_delimiter = ',',
        value_parser = fault
    )]
    pub(crate) faults: Vec<FaultRule>,

    /// The seed of the dice for faults that strike by chance, and of ids
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,

    /// The rate limits that are enforced
    #[arg(long, value_enum, default_value_t = Plan::Paid)]
    pub(crate) limits: Plan,

    /// Lets time move only when told, by `POST /_emulator/clock`
    #[arg(long)]
    pub(crate) virtual_clock: bool,

    /// The time from a job's creation to its end, in milliseconds, if the document has been read by then
    #[arg(long, value_name = "MS", default_value_t = 150)]
    pub(crate) completed_after: u64,

    /// Sends webhooks to this machine and to private networks too, which the service refuses
    #[arg(long)]
    pub(crate) allow_loopback_webhooks: bool,

    /// The only key that is accepted; any key is by default. May be repeated
    #[arg(long, value_name = "KEY")]
    pub(crate) accept_key: Vec<classify_proto::Secret>,
}

/// Whose rate limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Plan {
    /// 40 creates a second, 50 uploads in five seconds
    Paid,
    /// The same, and 20 requests a minute
    Free,
    /// None at all
    None,
}

impl From<Plan> for Limits {
    fn from(plan: Plan) -> Self {
        match plan {
            Plan::Paid => Self::default(),
            Plan::Free => Self::free_tier(),
            Plan::None => Self::none(),
        }
    }
}

/// A fault as `503`, `503:10%`, `503:first-2`, `reset-after@classify.create:3` or `429:every-5`.
fn fault(text: &str) -> Result<FaultRule, String> {
    let (what, when) = text
        .split_once(':')
        .map_or((text, None), |(what, when)| (what, Some(when)));
    let (name, route) = what
        .split_once('@')
        .map_or((what, None), |(name, route)| (name, Some(route)));
    let fault: Fault = name
        .trim()
        .parse()
        .map_err(|error: classify_emulator::UnknownFault| error.to_string())?;
    let rule = match when {
        None => fault.always(),
        Some(when) => schedule(fault, when.trim())?,
    };
    match route.map(str::trim) {
        None => Ok(rule),
        Some(route) => Route::from_name(route).map(|route| rule.on(route)).ok_or_else(|| {
            format!("no route is called `{route}`; they are called as commands are, for example classify.create or files.list")
        }),
    }
}

fn schedule(fault: Fault, when: &str) -> Result<FaultRule, String> {
    let wrong = || {
        format!(
            "`{when}` is no schedule: write 10% for a chance, 3 for the third request, first-2, or every-5"
        )
    };
    let number = |text: &str| text.parse().ok().filter(|n: &u64| *n > 0).ok_or_else(wrong);
    if let Some(percent) = when.strip_suffix('%') {
        return match percent.trim().parse::<f64>() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(fault.chance(percent / 100.0)),
            _ => Err(wrong()),
        };
    }
    if let Some(n) = when.strip_prefix("first-") {
        return number(n).map(|n| fault.first(n));
    }
    if let Some(n) = when.strip_prefix("every-") {
        return number(n).map(|n| fault.every(n));
    }
    number(when).map(|n| fault.nth(n))
}

const HELP: &str = "\
It prints its base URL as one line on stdout as soon as it answers, and runs until SIGTERM or Ctrl-C. Any client of the \
API in any language can be pointed at it. It listens on 127.0.0.1 only and takes any key. Its labels come from the words \
that a document shares with the rules; they are not the service's.

Faults are named as in `reset-before`, `reset-after`, `hang-after`, `body-cut`, `not-json`, `html-502`, `500-after`, \
`503`, `429`, `429-seconds`, `402`, `409`, `unknown-status`, `empty-page`, `cyclic-tokens`; a wrong name lists them all. \
A route is named as in `classify.create`, `files.create`. WHEN is a chance (10%), a place in the row (3), first-N or \
every-N; without it the fault strikes always.

While it runs, GET /_emulator lists what can be asked and set: scripts, faults, counters, the journal, the clock, reset.

A script file:
  scripts:
    - { file: \"*.scan.pdf\", type: invoice, confidence: 0.93 }
    - { file: \"broken*\", fails: PDF_IS_BROKEN }
    - { file: \"slow*\", takes_ms: 2000 }
  faults:
    seed: 7
    rules:
      - { fault: \"503\", when: { chance: 0.1 } }

Examples:
  llamacloud-prod emulator
  llamacloud-prod emulator --port 8080 --state emulator.db
  llamacloud-prod emulator --port 0 --port-file port.txt --script outcomes.yaml
  llamacloud-prod emulator --faults 503:10%,reset-after@classify.create:3 --seed 7
  llamacloud-prod emulator --limits none --virtual-clock
  LLAMA_CLOUD_API_KEY=any llamacloud-prod classify list --base-url http://127.0.0.1:8080";

#[cfg(test)]
mod tests {
    use super::*;
    use classify_emulator::When;

    #[test]
    fn faults_as_they_are_written() {
        assert_eq!(fault("503").unwrap().when, When::Always);
        assert_eq!(fault("503:10%").unwrap().when, When::Chance(0.1));
        assert_eq!(fault("503:3").unwrap().when, When::Nth(3));
        assert_eq!(fault("503:first-2").unwrap().when, When::First(2));
        let rule = fault("reset-after@classify.create:every-5").unwrap();
        assert_eq!(rule.when, When::Every(5));
        assert_eq!(rule.route, Some(Route::ClassifyCreate));
        for text in [
            "",
            "flood",
            "503:",
            "503:0",
            "503:120%",
            "503@nowhere",
            "503:first-x",
        ] {
            assert!(fault(text).is_err(), "{text}");
        }
    }
}
