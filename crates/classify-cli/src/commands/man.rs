//! `man`

use std::fs;

use clap::Command;

use crate::args::man::ManArgs;
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::output::OutputWriter;
use crate::parse_message::quote;
use crate::printer::Printer;

/// Prints a manual page, or writes all of them.
pub(crate) fn man(args: &ManArgs, mut command: Command, printer: Printer) -> Result<(), CliError> {
    if let Some(folder) = &args.output_dir {
        let unwritable = |error: std::io::Error| {
            CliError::new(
                ExitCode::Unexpected,
                format!("--output-dir: {}: {error}", folder.display()),
            )
        };
        fs::create_dir_all(folder).map_err(unwritable)?;
        clap_mangen::generate_to(command, folder).map_err(unwritable)?;
        printer.note(&format!("pages written to {}", folder.display()));
        return Ok(());
    }
    // Builds the full names of the subcommands.
    command.build();
    let mut selected = &command;
    for name in &args.command {
        selected = selected.find_subcommand(name).ok_or_else(|| {
            CliError::usage(format!(
                "unknown command {}",
                quote(&args.command.join(" "))
            ))
        })?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(selected.clone()).render(&mut page)?;
    OutputWriter::stdout().text(&String::from_utf8_lossy(&page))
}
