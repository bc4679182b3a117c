//! `mcp`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values;
use crate::manual;

/// The flags of `mcp`.
#[derive(Debug, Args)]
#[command(after_help = SHORT_HELP, after_long_help = manual::help(manual::MCP))]
pub(crate) struct McpArgs {
    /// Serve only files in this folder [default: the working folder]
    ///
    /// Paths of the tools are relative to it. A path or a link that leads out of it is rejected. The home folder and the
    /// root of the file system are accepted only if you name them.
    #[arg(long, value_name = "FOLDER", value_hint = clap::ValueHint::DirPath)]
    pub(crate) root: Option<PathBuf>,

    /// Accept at most this many documents per call
    ///
    /// Each new document is one paid job.
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = values::parse_max_documents)]
    pub(crate) max_documents: usize,

    /// Keep the journals of runs here [default: the state folder]
    ///
    /// The default is `llamacloud-prod/mcp` in `$XDG_STATE_HOME` or `~/.local/state`, or on Windows in `%LOCALAPPDATA%`.
    #[arg(long, value_name = "FOLDER", value_hint = clap::ValueHint::DirPath)]
    pub(crate) state_dir: Option<PathBuf>,

    /// Limit requests as the plan does (paid, free) or to N/s
    ///
    /// The default is paid; with --emulator there is no limit.
    #[arg(long, value_name = "LIMIT", value_parser = values::parse_rate_limit)]
    pub(crate) rate_limit: Option<values::RateLimit>,

    /// Poll pending jobs this often [default: 2s]
    ///
    /// Older jobs are polled less often, at up to ten times this interval.
    #[arg(long, value_name = "TIME", value_parser = values::parse_poll_interval)]
    pub(crate) poll_interval: Option<Duration>,
}

const SHORT_HELP: &str = "\
Examples:
  llamacloud-prod mcp --root ~/inbox
  llamacloud-prod mcp --root ~/inbox --max-documents 20 --emulator
";
