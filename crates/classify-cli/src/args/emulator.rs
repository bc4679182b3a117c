//! `emulator`

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use classify_emulator::{Fault, FaultRule, RateLimits};

use crate::parse_message::{quote, shorten};

/// The flags of `emulator`.
#[derive(Debug, Args)]
#[command(after_help = short_help(), after_long_help = long_help())]
pub(crate) struct EmulatorArgs {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) port: u16,

    /// Writes the port into this file once it answers, all at once, and removes the file at the end
    #[arg(long, value_name = "FILE")]
    pub(crate) port_file: Option<PathBuf>,

    /// Keeps files, jobs and configurations in this file across restarts; one emulator at a time may use it. Beside it
    /// come `FILE.files` for the uploads and `FILE.lock`. Webhook secrets stand in it as they were given
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,

    /// Outcomes fixed beforehand, and faults, from a YAML file; they come behind those of --faults
    #[arg(long, value_name = "FILE.yaml")]
    pub(crate) script: Option<PathBuf>,

    /// What goes wrong: `NAME[@ROUTE][:WHEN]`, several separated by commas; may be repeated. The first that triggers
    /// counts
    #[arg(
        long,
        visible_alias = "fault",
        value_name = "FAULTS",
        value_delimiter = ',',
        value_parser = parse_fault
    )]
    pub(crate) faults: Vec<FaultRule>,

    /// Seed for random faults and ids
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,

    /// The rate limits that are enforced: `paid`, `free` or `none`, and then perhaps `creates=N` (in a second),
    /// `uploads=N` (in five seconds) and `requests=N` (in a minute), where N may be `none`
    #[arg(long, value_name = "LIMITS", default_value = "paid", value_parser = parse_rate_limit)]
    pub(crate) rate_limit: RateLimits,

    /// Advance time only by `POST /_emulator/clock`
    #[arg(long)]
    pub(crate) virtual_clock: bool,

    /// The time from a job's creation to its end, in milliseconds, if the document has been read by then
    #[arg(long, value_name = "MS", default_value_t = 150)]
    pub(crate) completed_after: u64,

    /// The time from a job's creation to RUNNING, in milliseconds; a third of --completed-after unless it is said
    #[arg(long, value_name = "MS")]
    pub(crate) running_after: Option<u64>,

    /// The delay before a webhook's second attempt, in milliseconds; doubled for the third
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    pub(crate) webhook_delay: u64,

    /// The base URL that the fault `redirect` points to; by default one that leads nowhere
    #[arg(long, value_name = "URL", value_parser = parse_base_url)]
    pub(crate) redirect_to: Option<String>,

    /// Sends webhooks to this machine and to private networks too, which the service refuses
    #[arg(long)]
    pub(crate) allow_loopback_webhooks: bool,

    /// The only key that is accepted; any key is by default. May be repeated
    #[arg(long, value_name = "KEY")]
    pub(crate) accept_key: Vec<classify_proto::Secret>,
}

/// Parses a fault: `503`, `503:10%`, `503:first-2`, `reset-after@classify.create:3` or `429:every-5`.
fn parse_fault(text: &str) -> Result<FaultRule, String> {
    text.trim()
        .parse()
        .map_err(|error: classify_emulator::InvalidFaultRule| shorten(&error.to_string(), 300))
}

/// Parses rate limits: `free`, `creates=5` or `none,requests=100`.
fn parse_rate_limit(text: &str) -> Result<RateLimits, String> {
    let mut limits = RateLimits::default();
    for (index, part) in text.split(',').map(str::trim).enumerate() {
        let error = || {
            format!(
                "{} is no limit: write paid, free or none, and then creates=N, uploads=N or requests=N",
                quote(part)
            )
        };
        limits = match (part, part.split_once('=')) {
            ("paid", _) if index == 0 => RateLimits::default(),
            ("free", _) if index == 0 => RateLimits::free_tier(),
            ("none", _) if index == 0 => RateLimits::none(),
            (_, Some((name, count))) => {
                let count = match count {
                    "none" => None,
                    count => Some(count.parse::<u32>().map_err(|_| error())?),
                };
                match name {
                    "creates" => limits.creates_per_second(count),
                    "uploads" => limits.uploads_per_five_seconds(count),
                    "requests" => limits.requests_per_minute(count),
                    _ => return Err(error()),
                }
            }
            _ => return Err(error()),
        };
    }
    Ok(limits)
}

fn parse_base_url(text: &str) -> Result<String, String> {
    if text.starts_with("http://") || text.starts_with("https://") {
        Ok(text.to_owned())
    } else {
        Err("a base URL begins with http:// or https://".to_owned())
    }
}

fn short_help() -> String {
    format!("{HELP}\n\n--help lists the faults and what each of them does.\n\n{EXAMPLES}")
}

fn long_help() -> String {
    let width = Fault::ALL.iter().map(|fault| fault.name().len()).max();
    let width = width.unwrap_or(0) + 4;
    let mut text = format!("{HELP}\n\nThe faults:\n");
    for fault in Fault::ALL {
        let mut line = format!("  {:<rest$}", fault.name(), rest = width - 2);
        for word in fault.description().split(' ') {
            if line.len() + word.len() > TABLE_WIDTH {
                let _ = writeln!(text, "{}", line.trim_end());
                line = " ".repeat(width);
            }
            line.push_str(word);
            line.push(' ');
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    format!("{text}\n{EXAMPLES}")
}

/// The maximum width of the table of faults.
const TABLE_WIDTH: usize = 100;

const HELP: &str = "\
It prints its base URL as one line on stdout as soon as it answers, and runs until SIGTERM, SIGHUP or Ctrl-C. Any client of the \
API in any language can be pointed at it. It listens on 127.0.0.1 only and takes any key. Its labels come from the words \
that a document shares with the rules; they are not the service's.

A route is named as in `classify.create`, `files.create`. WHEN is a chance (10%), a place in the row (3), first-N or \
every-N; without it the fault always triggers. Before acting means that nothing has been changed, after acting that all \
of it has been done and only the reply is lost or spoiled.

While it runs, GET /_emulator lists what can be asked and set: scripts, faults, counters, the journal, the clock, reset.

A script file:
  scripts:
    - { file: \"*.scan.pdf\", type: invoice, confidence: 0.93 }
    - { file: \"broken*\", fails: PDF_IS_BROKEN }
    - { file: \"slow*\", takes_ms: 2000 }
  faults:
    seed: 7
    rules:
      - { fault: \"503\", when: { chance: 0.1 } }";

const EXAMPLES: &str = "\
Examples:
  llamacloud-prod emulator
  llamacloud-prod emulator --port 8080 --state emulator.db
  llamacloud-prod emulator --port 0 --port-file port.txt --script outcomes.yaml
  llamacloud-prod emulator --faults 503:10%,reset-after@classify.create:3 --seed 7
  llamacloud-prod emulator --rate-limit none --virtual-clock
  llamacloud-prod emulator --rate-limit free,creates=5 --running-after 10 --completed-after 50
  llamacloud-prod emulator --faults redirect:1 --redirect-to http://127.0.0.1:9090
  LLAMA_CLOUD_API_KEY=any llamacloud-prod classify list --base-url http://127.0.0.1:8080";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emulator_rate_limits_flag_parses_presets_and_overrides() {
        assert_eq!(parse_rate_limit("paid"), Ok(RateLimits::default()));
        assert_eq!(parse_rate_limit("free"), Ok(RateLimits::free_tier()));
        assert_eq!(
            parse_rate_limit("free, creates=5"),
            Ok(RateLimits::free_tier().creates_per_second(Some(5)))
        );
        assert_eq!(
            parse_rate_limit("uploads=none,requests=9"),
            Ok(RateLimits::default()
                .uploads_per_five_seconds(None)
                .requests_per_minute(Some(9)))
        );
        for text in [
            "",
            "gold",
            "creates",
            "creates=",
            "creates=-1",
            "creates=5,free",
            "x=1",
        ] {
            assert!(parse_rate_limit(text).is_err(), "{text}");
        }
    }
}
