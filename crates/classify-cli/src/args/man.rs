//! `man`

use std::path::PathBuf;

use clap::Args;

/// The flags of `man`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  llamacloud-prod man | man -l -
  llamacloud-prod man classify run | man -l -
  llamacloud-prod man --output-dir ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Select the command [default: the program itself]
    #[arg(value_name = "COMMAND", conflicts_with = "output_dir")]
    pub(crate) command: Vec<String>,

    /// Write a page for each command into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) output_dir: Option<PathBuf>,
}
