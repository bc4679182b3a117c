//! The whole command line.

use clap::{ColorChoice, Parser, Subcommand};

use crate::args::completion::CompletionArgs;
use crate::args::doctor::DoctorArgs;
use crate::args::emulator::EmulatorArgs;
use crate::args::global::GlobalArgs;
use crate::args::man::ManArgs;
#[cfg(feature = "mcp")]
use crate::args::mcp::McpArgs;
use crate::args::rules::RulesCommand;
use crate::args::run::RunArgs;
use crate::args::wait::{ClassifierWaitArgs, WaitArgs};
use crate::args::webhooks::WebhooksCommand;
use crate::commands::api::flags::{RESOURCES, add_commands};
use crate::manual;
use crate::terminal::colors_enabled;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "llamacloud-prod",
    version,
    disable_version_flag = true,
    about = "Classify documents with LlamaCloud",
    after_help = short_help(),
    after_long_help = long_help(),
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    /// Print version
    #[arg(short = 'v', short_alias = 'V', long, action = clap::ArgAction::Version)]
    version: Option<bool>,
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) resource: Resource,
}

fn short_help() -> String {
    format!(
        "{}\n--help describes the environment, values, output and exit codes.",
        manual::help(manual::EXAMPLES)
    )
}

fn long_help() -> String {
    format!(
        "{}\n{}\n{}",
        manual::help(manual::PROGRAM),
        manual::exit_code_help(),
        manual::help(manual::EXAMPLES)
    )
}

/// The first argument: the resource of the command.
#[derive(Debug, Subcommand)]
pub(crate) enum Resource {
    /// Classify documents and manage classification jobs
    #[command(subcommand, arg_required_else_help = true)]
    Classify(ClassifyCommand),
    #[command(
        name = "classifier:jobs",
        subcommand,
        arg_required_else_help = true,
        about = "Manage jobs of the deprecated version 1 of the API"
    )]
    Classifier(ClassifierCommand),
    /// Verify and receive webhooks of the service
    #[command(subcommand, arg_required_else_help = true)]
    Webhooks(WebhooksCommand),
    /// Run a local emulator of the service, with its state, limits and failures
    Emulator(Box<EmulatorArgs>),
    /// Serve agents over the Model Context Protocol, on stdin and stdout
    #[cfg(feature = "mcp")]
    Mcp(McpArgs),
    /// Diagnose the key, the connection and the settings
    Doctor(DoctorArgs),
    /// Print a completion script for a shell
    Completion(CompletionArgs),
    /// Print a manual page, or write all of them into a folder
    Man(ManArgs),
}

/// The commands of `classify` that make more than one call.
#[derive(Debug, Subcommand)]
pub(crate) enum ClassifyCommand {
    /// Classify documents: upload, create jobs, wait and print the results
    Run(Box<RunArgs>),
    /// Wait until jobs have ended and print them
    Wait(WaitArgs),
    /// Check rules before using them
    #[command(subcommand, arg_required_else_help = true)]
    Rules(RulesCommand),
}

/// The commands of `classifier:jobs` that make more than one call.
#[derive(Debug, Subcommand)]
pub(crate) enum ClassifierCommand {
    /// Wait until jobs of version 1 have ended and print them
    Wait(ClassifierWaitArgs),
}

/// Returns the whole command line: the derived commands, and those of `commands::api`.
pub(crate) fn command() -> clap::Command {
    let mut command = <Cli as clap::CommandFactory>::command()
        .mut_subcommand("classify", |classify| add_commands(classify, "classify"));
    for (resource, about) in RESOURCES {
        command = if command.find_subcommand(resource).is_some() {
            command.mut_subcommand(resource, |command| add_commands(command, resource))
        } else {
            let resource_command = clap::Command::new(resource)
                .about(about)
                .subcommand_required(true)
                .arg_required_else_help(true);
            command.subcommand(add_commands(resource_command, resource))
        };
    }
    command.color(if colors_enabled() {
        ColorChoice::Auto
    } else {
        ColorChoice::Never
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit_code::ExitCode;
    use clap::CommandFactory as _;

    #[test]
    fn exit_code_list_in_help_is_complete() {
        let help = Cli::command().render_long_help().to_string();
        for code in ExitCode::ALL {
            let start = format!("\n  {:<5}", code as u8);
            assert!(help.contains(&start), "{code:?}");
        }
    }
}
