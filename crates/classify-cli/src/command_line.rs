//! The whole command line.

use clap::{ColorChoice, Parser, Subcommand};

use crate::args::completion::CompletionArgs;
use crate::args::doctor::DoctorArgs;
use crate::args::emulator::EmulatorArgs;
use crate::args::global::GlobalArgs;
use crate::args::man::ManArgs;
use crate::args::rules::RulesCommand;
use crate::args::run::RunArgs;
use crate::args::wait::{ClassifierWaitArgs, WaitArgs};
use crate::args::webhooks::WebhooksCommand;
use crate::commands::api::flags::{RESOURCES, add_commands};
use crate::terminal::colors_enabled;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "llamacloud-prod",
    version,
    disable_version_flag = true,
    about = "LlamaCloud's document classification API on the command line",
    after_help = HELP,
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

const HELP: &str = "\
Examples:
  llamacloud-prod classify run invoices/ --rules rules.yaml
  llamacloud-prod classify run examples/documents --rules examples/rules.yaml --emulator
  llamacloud-prod classify get clj-123
  llamacloud-prod classify list --status COMPLETED --max-items 20

A command's --help has its flags and more examples.

The key comes from LLAMA_CLOUD_API_KEY, or from LLAMA_PARSE_API_KEY where that is empty; the base URL from \
LLAMA_CLOUD_BASE_URL, further headers from LLAMA_CLOUD_CUSTOM_HEADERS.

Objects and lists are written as YAML or JSON. @FILE reads a value from a file, and \\@ begins one with the sign itself; \
null is no value. In what a file holds, @ is a sign like any other. A YAML or JSON map on stdin fills what the flags leave open, under the API's names. A flag for a list \
may be repeated.

On a terminal documents are shown as a table and jobs as indented JSON; in a pipe both are JSON lines. With --format \
json or jsonl, an error is one JSON object on stderr.

Exit codes:
  0    everything settled (a document that fits no rule is settled too)
  1    an error that none of the others names
  2    wrong usage: a flag, a rules file, a value that the service refuses
  3    some documents failed, or could not be moved; the others have their result
  4    the key is missing, wrong, of another region, or lacks the right
  5    the plan has no credits or room left
  6    no such job, file or configuration
  7    too many requests, and waiting as long as was asked did not help
  8    a time limit or a deadline came first
  9    the job failed or was cancelled
  130  interrupted";

/// The first argument: the resource of the command.
#[derive(Debug, Subcommand)]
pub(crate) enum Resource {
    /// Classify documents, and look after classification jobs
    #[command(subcommand, arg_required_else_help = true)]
    Classify(ClassifyCommand),
    #[command(
        name = "classifier:jobs",
        subcommand,
        arg_required_else_help = true,
        about = "Jobs of version 1 of the API, which is deprecated"
    )]
    Classifier(ClassifierCommand),
    /// Check webhooks that the service sends, and receive them
    #[command(subcommand, arg_required_else_help = true)]
    Webhooks(WebhooksCommand),
    /// Run a local stand-in for the service, with its state, its limits and its failures
    Emulator(Box<EmulatorArgs>),
    /// Find out why the service cannot be reached or refuses, and what to change
    Doctor(DoctorArgs),
    /// Print a completion script for a shell
    Completion(CompletionArgs),
    /// Print the manual, or write its pages into a folder
    Man(ManArgs),
}

/// The commands of `classify` that are more than one call.
#[derive(Debug, Subcommand)]
pub(crate) enum ClassifyCommand {
    /// Classify files: upload, create a job for each, wait, and print what each document is
    Run(Box<RunArgs>),
    /// Wait until jobs have ended, and print them
    Wait(WaitArgs),
    /// Check rules before they cost anything
    #[command(subcommand, arg_required_else_help = true)]
    Rules(RulesCommand),
}

/// The commands of `classifier:jobs` that are more than one call.
#[derive(Debug, Subcommand)]
pub(crate) enum ClassifierCommand {
    /// Wait until jobs of version 1 have ended, and print them
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
        let help = Cli::command().render_help().to_string();
        for code in ExitCode::ALL {
            let start = format!("\n  {:<5}", code as u8);
            assert!(help.contains(&start), "{code:?}");
        }
    }
}
