//! `man`

use std::fs;
use std::io;
use std::path::Path;

use clap::Command;

use crate::args::man::ManArgs;
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::manual;
use crate::output::OutputWriter;
use crate::printer::Printer;
use classify_rules::parse_message::quote;

/// Prints a manual page, or writes all of them.
pub(crate) fn man(args: &ManArgs, mut command: Command, printer: Printer) -> Result<(), CliError> {
    if let Some(folder) = &args.output_dir {
        let unwritable = |error: io::Error| {
            CliError::new(
                ExitCode::Unexpected,
                format!("--output-dir: {}: {error}", folder.display()),
            )
        };
        fs::create_dir_all(folder).map_err(unwritable)?;
        // Help subcommands have no pages.
        command = command.disable_help_subcommand(true);
        command.build();
        write_pages(&command, folder).map_err(unwritable)?;
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
    OutputWriter::stdout().text(&page(selected)?)
}

/// Writes the pages of a command and of its subcommands.
fn write_pages(command: &Command, folder: &Path) -> io::Result<()> {
    for subcommand in command.get_subcommands() {
        write_pages(subcommand, folder)?;
    }
    let man = clap_mangen::Man::new(command.clone());
    fs::write(folder.join(man.get_filename()), page(command)?)
}

/// Returns the page of a command. The manual follows as sections.
fn page(command: &Command) -> io::Result<String> {
    let name = command
        .get_display_name()
        .unwrap_or_else(|| command.get_name());
    let sections = match name {
        "llamacloud-prod" => Some(
            manual::man(manual::PROGRAM)
                + &manual::exit_code_man()
                + &manual::man(manual::EXAMPLES),
        ),
        "llamacloud-prod-classify-run" => Some(manual::man(manual::RUN)),
        #[cfg(feature = "mcp")]
        "llamacloud-prod-mcp" => Some(manual::man(manual::MCP)),
        _ => None,
    };
    let mut command = command.clone();
    if sections.is_some() {
        command = command.after_help(None).after_long_help(None);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned() + &sections.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn man_page_has_every_section_of_the_manual() {
        let mut command = crate::command_line::command();
        command.build();
        let run = command.find_subcommand("classify").unwrap();
        let run = run.find_subcommand("run").unwrap();
        for (command, sections) in [(&command, manual::PROGRAM), (run, manual::RUN)] {
            let page = page(command).unwrap();
            for section in sections {
                let heading = format!(".SH \"{}\"", section.title.to_uppercase());
                assert!(page.contains(&heading), "{heading}: {page}");
            }
            assert!(
                page.contains("EXAMPLES") && !page.contains("EXTRA"),
                "{page}"
            );
        }
    }
}
