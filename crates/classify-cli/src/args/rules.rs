//! `classify rules check`

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The commands of `classify rules`.
#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Find what is wrong with a rules file, without the network
    Check(RulesCheckArgs),
}

/// The flags of `classify rules check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Errors are what the service would refuse: no rules, empty or duplicate types, lengths beyond the limits. Warnings are \
what makes wrong labels likely: types that differ in case, spaces or invisible characters only, descriptions that are \
nearly alike or that YAML cuts at ` #`, no rule for the rest. At most 20 of a kind are listed. The exit code is 2 with an error, 0 with none.

Examples:
  llamacloud-prod classify rules check rules.yaml
  llamacloud-prod classify rules check rules.yaml --strict --format json")]
pub(crate) struct RulesCheckArgs {
    /// The rules: YAML, JSON or TOML
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Treats warnings as errors
    #[arg(long)]
    pub(crate) strict: bool,
}
