//! `emulator`

use std::path::PathBuf;

use clap::Args;
use classify_emulator::{Fault, FaultRule, RateLimits};

use crate::manual;
use classify_rules::parse_message::{quote, shorten};

/// The flags of `emulator`.
#[derive(Debug, Args)]
#[command(after_help = short_help(), after_long_help = long_help())]
pub(crate) struct EmulatorArgs {
    /// Listen on this port of 127.0.0.1; 0 selects a free one
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) port: u16,

    /// Write the port to this file when ready
    ///
    /// The file is replaced as a whole, and removed at the end.
    #[arg(long, value_name = "FILE")]
    pub(crate) port_file: Option<PathBuf>,

    /// Keep files, jobs and configurations here across restarts
    ///
    /// Uploads are stored in `FILE.files`; `FILE.lock` keeps a second emulator from using the same file. Webhook
    /// secrets are stored in plain text.
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,

    /// Read scripted outcomes and faults from a YAML file
    ///
    /// Faults of --faults are tried before those of the file.
    #[arg(long, value_name = "FILE.yaml")]
    pub(crate) script: Option<PathBuf>,

    /// Inject faults, such as 503@files.create:10%
    ///
    /// A fault is `NAME[@ROUTE][:WHEN]`. Separate several with commas, or repeat the flag. The first fault that triggers
    /// is applied.
    #[arg(
        long,
        visible_alias = "fault",
        value_name = "FAULTS",
        value_delimiter = ',',
        value_parser = parse_fault
    )]
    pub(crate) faults: Vec<FaultRule>,

    /// Set the seed for random faults and ids
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,

    /// Enforce a plan's rate limits: paid, free or none
    ///
    /// Add creates=N (per second), uploads=N (per five seconds) or requests=N (per minute) to change one of them; N may
    /// be none. Example: free,creates=5
    #[arg(long, value_name = "LIMITS", default_value = "paid", value_parser = parse_rate_limit)]
    pub(crate) rate_limit: RateLimits,

    /// Advance time only by `POST /_emulator/clock`
    #[arg(long)]
    pub(crate) virtual_clock: bool,

    /// End a job this many milliseconds after its creation
    ///
    /// A job takes longer if its document has not been read by then.
    #[arg(long, value_name = "MS", default_value_t = 150)]
    pub(crate) completed_after: u64,

    /// Start a job this many milliseconds after its creation
    ///
    /// The default is a third of --completed-after.
    #[arg(long, value_name = "MS")]
    pub(crate) running_after: Option<u64>,

    /// Retry a webhook after this many milliseconds
    ///
    /// The delay is doubled for the third attempt.
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    pub(crate) webhook_delay: u64,

    /// Set the base URL that the fault redirect points to
    ///
    /// The default is one that cannot be reached.
    #[arg(long, value_name = "URL", value_parser = parse_base_url)]
    pub(crate) redirect_to: Option<String>,

    /// Send webhooks to this machine and to private networks too
    ///
    /// The service does not.
    #[arg(long)]
    pub(crate) allow_loopback_webhooks: bool,

    /// Accept only this key; may be repeated [default: any key]
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
                "{} is not a rate limit: write paid, free or none, and then creates=N, uploads=N or requests=N",
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
        Err("a base URL must begin with http:// or https://".to_owned())
    }
}

fn short_help() -> String {
    format!("{EXAMPLES}\n\n--help lists the faults and describes the script file.")
}

fn long_help() -> String {
    let faults = Fault::ALL.iter();
    let faults: Vec<_> = faults
        .map(|fault| (fault.name(), fault.description()))
        .collect();
    format!(
        "{HELP}\n\nFaults:\n{}\n{EXAMPLES}",
        manual::list_help(&faults)
    )
}

const HELP: &str = "\
Prints its base URL as one line on stdout when it is ready, and runs until SIGTERM, SIGHUP or Ctrl-C. Works with any \
client of the API. Listens on 127.0.0.1 only and accepts any key. Its results are computed from the words that a \
document shares with the rules; they are not those of the service.

ROUTE is a route such as `classify.create` or `files.create`. WHEN is a probability (10%), a request number (3), \
first-N or every-N; without it, the fault always triggers. A fault before acting changes nothing; a fault after acting \
loses or corrupts the response to a request that was carried out.

While it runs, GET /_emulator lists the endpoints that read and set scripts, faults, counters, the request log and the \
clock, and reset the emulator.

Script file:
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
