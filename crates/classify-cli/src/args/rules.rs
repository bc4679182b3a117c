//! `classify rules check`

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The commands of `classify rules`.
#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Find errors in a rules file without network access
    Check(RulesCheckArgs),
}

/// The flags of `classify rules check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Reports errors that the service would reject: no rules, empty or duplicate types, and texts beyond the limits. Reports \
warnings for rules that are likely to give wrong results: types that differ only in case, spaces or invisible \
characters, descriptions that are nearly the same or that YAML cuts at ` #`, and a missing rule for all other \
documents. Lists at most 20 findings of a kind. The exit code is 2 if there is an error, and 0 otherwise.

Examples:
  llamacloud-prod classify rules check rules.yaml
  llamacloud-prod classify rules check rules.yaml --strict --format json")]
pub(crate) struct RulesCheckArgs {
    /// Read the rules from this file: YAML, JSON or TOML
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Treat warnings as errors
    #[arg(long)]
    pub(crate) strict: bool,
}
