//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "classify-worker",
    version,
    about = "Classify documents on several machines, with the engine Restate"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print no progress and no notes
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

/// A worker, or a command that sends requests to the engine.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Classify the documents that the engine hands out, until SIGTERM
    Serve(Box<ServeArgs>),
    /// Submit documents to the engine
    Submit(SubmitArgs),
    /// Write the results that the engine keeps, one JSON line for each document
    Results(ResultsArgs),
    /// Count waiting, running, finished and failed documents, and name those that need attention
    Status(StatusArgs),
    /// Cancel submitted documents that have not finished
    Cancel(CancelArgs),
}

/// The engine's addresses.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Engine")]
pub(crate) struct EngineArgs {
    /// Set the URL of the engine's ingress
    #[arg(
        long,
        value_name = "URL",
        env = "RESTATE_INGRESS_URL",
        default_value = "http://127.0.0.1:8080"
    )]
    pub(crate) ingress: String,
    /// Set the URL of the engine's admin port
    #[arg(
        long,
        value_name = "URL",
        env = "RESTATE_ADMIN_URL",
        default_value = "http://127.0.0.1:9070"
    )]
    pub(crate) admin: String,
}

/// The rules of documents.
#[derive(Debug, Clone, Args)]
pub(crate) struct RulesArgs {
    /// Read the rules from this file: YAML, JSON or TOML
    #[arg(long, value_name = "FILE", conflicts_with = "configuration_id")]
    pub(crate) rules: Option<PathBuf>,
    /// Use the rules of a saved configuration (cfg-…)
    #[arg(long, value_name = "ID")]
    pub(crate) configuration_id: Option<String>,
}

/// The flags of `serve`.
#[derive(Debug, Clone, Args)]
#[command(after_help = SERVE_HELP)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    /// Listen for the engine on this address (HTTP/2 without TLS)
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9080")]
    pub(crate) listen: SocketAddr,
    /// Answer /ready and /live on this address (HTTP/1.1)
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9090")]
    pub(crate) health: SocketAddr,
    /// Accept only requests that are signed with this key of the engine (publickeyv1_…); may be repeated
    #[arg(
        long,
        value_name = "KEY",
        env = "RESTATE_IDENTITY_KEY",
        value_delimiter = ','
    )]
    pub(crate) identity_key: Vec<String>,
    /// Read the API key from a file [default: the key in `LLAMA_CLOUD_API_KEY`]
    #[arg(long, value_name = "FILE")]
    pub(crate) api_key_file: Option<PathBuf>,
    /// Set the project of all documents
    #[arg(long, value_name = "ID")]
    pub(crate) project_id: Option<String>,
    /// Share this rate limit with all workers: paid, free, N/s or none
    #[arg(long, value_name = "LIMIT", default_value = "paid", value_parser = parse_rate_limit)]
    pub(crate) rate_limit: RateLimit,
    /// Write each result as a JSON line to files in this folder, or to objects below `s3://bucket/prefix/`
    #[arg(long, value_name = "FOLDER|URL")]
    pub(crate) results: Option<PathBuf>,
    /// Keep results in the engine for this long
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = parse_duration)]
    pub(crate) retention: Duration,
    /// Fail waiting documents if an error has affected every document for this long
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = parse_duration)]
    pub(crate) give_up_after: Duration,
    /// Try the service again this long after an error that affects every document; doubled up to a minute
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_duration)]
    pub(crate) hold: Duration,
    /// Poll open jobs this often at first, and up to ten times less often later [default: 2s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) poll_interval: Option<Duration>,
    /// Send a request up to this many times
    #[arg(long, value_name = "NUMBER", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(crate) max_attempts: u32,
    /// Wait this long after SIGTERM for requests that were sent
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = parse_duration)]
    pub(crate) drain: Duration,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

const SERVE_HELP: &str = "\
Environment: LLAMA_CLOUD_API_KEY, LLAMA_CLOUD_BASE_URL and LLAMA_CLOUD_CUSTOM_HEADERS as for llamacloud-prod; RUST_LOG \
sets the log level.

Register the address of one worker, or of the balancer in front of several, with the engine:
  curl http://127.0.0.1:9070/deployments -H 'content-type: application/json' -d '{\"uri\": \"http://127.0.0.1:9080\"}'";

/// The flags of `submit`.
#[derive(Debug, Args)]
#[command(after_help = "\
Hashes each document, submits it once, and skips documents that have a result or wait for one. A document that failed \
is submitted again. Without --rules and --configuration-id, the rules of the workers are used.

Examples:
  classify-worker submit inbox --rules rules.yaml
  find inbox -name '*.pdf' | classify-worker submit --files-from - --wait")]
pub(crate) struct SubmitArgs {
    /// Files and folders that every worker sees
    #[arg(value_name = "PATH", required_unless_present = "files_from")]
    pub(crate) paths: Vec<PathBuf>,
    /// Read paths from a file, one per line; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) files_from: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    /// Set the project, with --rules or --configuration-id; the project of the workers otherwise
    #[arg(long, value_name = "ID")]
    pub(crate) project_id: Option<String>,
    /// Wait until all documents have finished
    #[arg(long)]
    pub(crate) wait: bool,
    /// Pause while the engine holds this many unfinished documents
    #[arg(long, value_name = "NUMBER", default_value_t = 20_000)]
    pub(crate) max_waiting: u64,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

/// The flags of `results`.
#[derive(Debug, Args)]
pub(crate) struct ResultsArgs {
    /// Write to this file; - is stdout
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    pub(crate) output: PathBuf,
    /// Write only results of this last time (1d, 2h), or since a time (2026-11-30T12:00:00Z)
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    pub(crate) since: Option<jiff::Timestamp>,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

/// The flags of `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

/// The flags of `cancel`.
#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// Files and folders that were submitted
    #[arg(value_name = "PATH", required_unless_present = "all")]
    pub(crate) paths: Vec<PathBuf>,
    /// Cancel all documents that have not finished
    #[arg(long, conflicts_with = "paths")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    /// Set the project, with --rules or --configuration-id; the project of the workers otherwise
    #[arg(long, value_name = "ID")]
    pub(crate) project_id: Option<String>,
    /// Cancel the jobs too; they are paid for and have no result then
    #[arg(long)]
    pub(crate) paid_jobs: bool,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

/// The rate limit that all workers share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RateLimit {
    /// 40 creates per second, 50 uploads per 5 seconds.
    Paid,
    /// 20 requests per minute, of any kind.
    Free,
    /// Requests per second, of any kind.
    PerSecond(u32),
    /// No limit.
    None,
}

/// Parses `paid`, `free`, `20/s` or `none`.
fn parse_rate_limit(text: &str) -> Result<RateLimit, String> {
    match text.trim() {
        "paid" => Ok(RateLimit::Paid),
        "free" => Ok(RateLimit::Free),
        "none" => Ok(RateLimit::None),
        text => text
            .strip_suffix("/s")
            .and_then(|number| number.parse().ok())
            .filter(|number| (1..=100_000).contains(number))
            .map(RateLimit::PerSecond)
            .ok_or_else(|| "write paid, free, none, or requests a second such as 20/s".to_owned()),
    }
}

/// Parses a duration: `90` (seconds), `90s`, `5m`, `7d`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let days = |text: &str| {
        let days = text.strip_suffix('d')?.trim().parse::<u64>().ok()?;
        Some(Duration::from_secs(days.checked_mul(24 * 60 * 60)?))
    };
    days(text)
        .or_else(|| Duration::try_from(text.parse::<jiff::SignedDuration>().ok()?).ok())
        .ok_or_else(|| "write seconds, or a time such as 90s, 5m, 1h30m or 7d".to_owned())
}

/// Parses a duration before now, or a time.
fn parse_since(text: &str) -> Result<jiff::Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let before =
        jiff::SignedDuration::try_from(parse_duration(text)?).map_err(|error| error.to_string())?;
    jiff::Timestamp::now()
        .checked_sub(before)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_and_rate_limits_are_parsed() {
        assert_eq!(parse_duration("7d"), Ok(Duration::from_secs(604_800)));
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(parse_duration("90"), Ok(Duration::from_secs(90)));
        assert!(parse_duration("-1s").is_err());
        assert_eq!(parse_rate_limit("20/s"), Ok(RateLimit::PerSecond(20)));
        assert!(parse_rate_limit("0/s").is_err());
        assert!(parse_since("2d").unwrap() < jiff::Timestamp::now());
        assert!(parse_since("2026-11-30T12:00:00Z").is_ok());
    }
}
