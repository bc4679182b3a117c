//! `completion` and `man`

use std::fs;

use crate::args::tools::{CompletionArgs, ManArgs, Shell};
use crate::console::Console;
use crate::exit::{Code, Problem};
use crate::output::Out;

const NAME: &str = "llamacloud-prod";

/// Prints a completion script.
pub(crate) fn completion(args: &CompletionArgs) -> Result<(), Problem> {
    let shell = match args.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
        Shell::Powershell => clap_complete::Shell::PowerShell,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::args::command(), NAME, &mut script);
    Out::stdout().raw(&String::from_utf8_lossy(&script))
}

/// Prints a manual page, or writes all of them.
pub(crate) fn man(args: &ManArgs, console: Console) -> Result<(), Problem> {
    let mut command = crate::args::command();
    // Builds the subcommands' full names.
    command.build();
    if let Some(folder) = &args.output_dir {
        let unwritable = |error: std::io::Error| {
            Problem::new(
                Code::Unexpected,
                format!("--output-dir: {}: {error}", folder.display()),
            )
        };
        fs::create_dir_all(folder).map_err(unwritable)?;
        clap_mangen::generate_to(crate::args::command(), folder).map_err(unwritable)?;
        console.note(&format!("the pages are in {}", folder.display()));
        return Ok(());
    }
    let mut found = &command;
    for word in &args.command {
        found = found.find_subcommand(word).ok_or_else(|| {
            Problem::usage(format!("there is no command `{}`", args.command.join(" ")))
        })?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(found.clone()).render(&mut page)?;
    Out::stdout().raw(&String::from_utf8_lossy(&page))
}
