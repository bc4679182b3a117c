//! `completion`

use clap::{Args, ValueEnum};

/// The flags of `completion`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  llamacloud-prod completion bash > ~/.local/share/bash-completion/completions/llamacloud-prod
  llamacloud-prod completion zsh > ~/.zfunc/_llamacloud-prod
  llamacloud-prod completion fish > ~/.config/fish/completions/llamacloud-prod.fish
  llamacloud-prod completion powershell >> $PROFILE")]
pub(crate) struct CompletionArgs {
    /// Select the shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// A shell that completes words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
    #[value(alias = "pwsh")]
    Powershell,
}
