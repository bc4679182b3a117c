//! `doctor`, `completion`, `man` and `classify rules`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// The flags of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
It looks at the key (and never shows it), the region, the name's address, the connection, TLS, proxies and the clock, \
and lists one job. Each line says what was found; what is wrong has a line that says what to change. The exit code is \
that of the first thing that is wrong.

Examples:
  llamacloud-prod doctor
  llamacloud-prod doctor --region eu --format json
  llamacloud-prod doctor --ca-cert company.pem
  llamacloud-prod doctor --emulator")]
pub(crate) struct DoctorArgs {}

/// The flags of `completion`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  llamacloud-prod completion bash > ~/.local/share/bash-completion/completions/llamacloud-prod
  llamacloud-prod completion zsh > ~/.zfunc/_llamacloud-prod
  llamacloud-prod completion fish > ~/.config/fish/completions/llamacloud-prod.fish
  llamacloud-prod completion powershell >> $PROFILE")]
pub(crate) struct CompletionArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// A shell that completes words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// Bash
    Bash,
    /// Zsh
    Zsh,
    /// Fish
    Fish,
    /// PowerShell
    #[value(alias = "pwsh")]
    Powershell,
}

/// The flags of `man`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  llamacloud-prod man | man -l -
  llamacloud-prod man classify run | man -l -
  llamacloud-prod man --output-dir ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// The command whose page is printed; the program's own without it
    #[arg(value_name = "COMMAND", conflicts_with = "output_dir")]
    pub(crate) command: Vec<String>,

    /// Writes a page for every command into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) output_dir: Option<PathBuf>,
}

/// What to do with rules.
#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    /// Find what is wrong with a rules file, without the network
    Check(RulesCheckArgs),
}

/// The flags of `classify rules check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Errors are what the service would refuse: no rules, empty or duplicate types, lengths beyond the limits. Warnings are \
what makes wrong labels likely: types that differ in case only, descriptions that are nearly alike, no rule for the \
rest. The exit code is 2 with an error, 0 with none.

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
