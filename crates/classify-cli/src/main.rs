//! `llamacloud-prod`: `LlamaCloud`'s document classification API on the command line.
//!
//! ```text
//! llamacloud-prod classify run examples/documents --rules examples/rules.yaml --emulator
//! ```
//!
//! This prints the type of each document without a key or network access; without `--emulator`, it calls the service.
//!
//! The [manual] describes the commands, and [`exit_code`] the exit codes; `--help`, the man pages and the
//! README contain both.
//!
//! # Modules
//!
//! - `command_line`: the whole command line. `args`: the arguments of each command, and how their values are parsed.
//!   `manual`: the texts at the end of `--help`.
//! - `client`: the client that the flags and the environment describe; `api_key`: its key. `network`: TLS, proxies, and
//!   the log of `--debug`.
//! - `run`: `classify run`. `run_files` keeps input and output files apart, `driver` runs the client's bulk run on a
//!   thread, `journal_file` opens its journal, `results` and `row_output` print the rows, `postprocess` runs the steps
//!   after the classification (counts, moved files, evaluation), `report_page` is `--report`, `resume_command` is the
//!   command that resumes the run. `inputs` and `rules` are its input.
//! - `commands::api`: the commands that make one call each, as tables. `commands`: the others.
//! - `mcp`: the MCP server, with the feature of that name. It runs the same bulk runs, dry runs and checks as the
//!   commands; `mcp::server` alone uses the protocol's crate.
//! - `signals`, `cancel`, `graceful_stop`: stopping early.
//! - `output`: results, on stdout, in a pager or in a file. `printer`: messages on stderr. `progress_display`: progress on
//!   stderr.
//! - `yaml`: text of flags and stdin, and warnings about it. `classify-rules` has the parsers.
//! - `error`, `error_report`, `exit_code`, `connection_hint`, `path_hint`: errors.
//!
//! The modules form a directed acyclic graph: those of errors are at the bottom, `args` knows no command, `commands` and
//! `run` do not know each other, and neither knows `mcp`.

mod api_key;
mod args;
mod cancel;
mod client;
mod command_line;
mod commands;
mod connection_hint;
mod error;
mod error_report;
mod exit_code;
mod graceful_stop;
mod inputs;
mod manual;
#[cfg(feature = "mcp")]
mod mcp;
mod network;
mod output;
mod path_hint;
mod printer;
mod progress_display;
mod rules;
mod run;
mod signals;
mod terminal;
mod yaml;

use std::ffi::OsString;
use std::process;

use clap::error::{ContextValue, ErrorKind};
use clap::{ArgMatches, FromArgMatches as _};

use crate::args::global::GlobalArgs;
use crate::args::rules::RulesCommand;
use crate::args::webhooks::WebhooksCommand;
use crate::command_line::{ClassifierCommand, ClassifyCommand, Cli, Resource};
use crate::commands::api;
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::output::format::Format;
use crate::printer::Printer;
use classify_rules::parse_message::shorten;

/// The maximum length of an argument that an error quotes, in characters.
const MAX_QUOTED_CHARS: usize = 100;

fn main() -> process::ExitCode {
    let raw_args: Vec<_> = std::env::args_os().collect();
    let matches = match command_line::command().try_get_matches_from(&raw_args) {
        Ok(matches) => matches,
        Err(error) => return exit_unparsed(error, &raw_args),
    };
    let mut global = match GlobalArgs::from_arg_matches(&matches) {
        Ok(global) => global,
        Err(error) => return exit_unparsed(error, &raw_args),
    };
    let printer = Printer::new(global.printer_settings());
    if global.format == Format::Explore {
        printer.note("--format explore is not supported; using auto");
        global.format = Format::Auto;
    }
    match dispatch(&matches, &global, printer) {
        Ok(()) => process::ExitCode::SUCCESS,
        Err(error) => {
            let error = match error.code() {
                Some(ExitCode::NotFound) if global.emulator => error.hint(
                    "every command starts an empty emulator; only `classify run` sends it documents",
                ),
                _ => error,
            };
            printer.error_part(&error, global.transform_error.as_deref());
            error
                .code()
                .map_or(process::ExitCode::SUCCESS, process::ExitCode::from)
        }
    }
}

fn dispatch(matches: &ArgMatches, global: &GlobalArgs, printer: Printer) -> Result<(), CliError> {
    if let Some((resource, matches)) = matches.subcommand()
        && let Some((name, matches)) = matches.subcommand()
        && let Some(endpoint) = api::find(resource, name)
    {
        return api::execute::execute(endpoint, matches, global, printer);
    }
    let cli = Cli::from_arg_matches(matches).map_err(|error| CliError::usage(error.to_string()))?;
    match &cli.resource {
        Resource::Classify(ClassifyCommand::Run(args)) => {
            check_run_format(global)?;
            run::run(args, global, printer)
        }
        Resource::Classify(ClassifyCommand::Wait(args)) => {
            commands::wait::wait(args, global, printer)
        }
        Resource::Classify(ClassifyCommand::Rules(RulesCommand::Check(args))) => {
            commands::check_rules::check_rules(args, global)
        }
        Resource::Classifier(ClassifierCommand::Wait(args)) => {
            commands::wait::wait_v1(args, global, printer)
        }
        Resource::Webhooks(WebhooksCommand::Verify(args)) => {
            commands::webhooks::verify(args, global)
        }
        Resource::Webhooks(WebhooksCommand::Listen(args)) => {
            commands::webhooks::listen(args, global, printer)
        }
        Resource::Emulator(args) => commands::emulator::emulator(args, global, printer),
        #[cfg(feature = "mcp")]
        Resource::Mcp(args) => mcp::serve(args, global, printer),
        Resource::Doctor(_) => commands::doctor::doctor(global, printer),
        Resource::Completion(args) => {
            commands::completion::completion(args, command_line::command())
        }
        Resource::Man(args) => commands::man::man(args, command_line::command(), printer),
    }
}

/// Rejects flags that do not apply to the rows of `classify run`.
fn check_run_format(global: &GlobalArgs) -> Result<(), CliError> {
    if matches!(global.format, Format::Yaml | Format::Raw) {
        return Err(CliError::usage(
            "`classify run` writes table, json, jsonl or csv; select one of them with --format",
        ));
    }
    if global.transform.is_some() || global.raw_output {
        return Err(CliError::usage(
            "`classify run` does not support --transform and --raw-output; pipe its JSON lines to a filter",
        ));
    }
    Ok(())
}

/// Shortens the arguments that an error quotes.
fn shorten_quotes(mut error: clap::Error) -> clap::Error {
    let long: Vec<_> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => {
                let short = shorten(text, MAX_QUOTED_CHARS);
                (short != *text).then_some((kind, short))
            }
            _ => None,
        })
        .collect();
    for (kind, text) in long {
        error.insert(kind, ContextValue::String(text));
    }
    error
}

/// Prints the requested help, or the error of a command line that cannot be parsed.
fn exit_unparsed(error: clap::Error, raw_args: &[OsString]) -> process::ExitCode {
    let error = shorten_quotes(error);
    let is_help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    let printer = Printer::from_raw_args(raw_args);
    if cfg!(not(feature = "mcp")) && raw_args.get(1).is_some_and(|name| name == "mcp") {
        let error = CliError::usage("this build has no MCP server")
            .hint("use the binary of a release, or build classify-cli with the feature `mcp`");
        printer.error(&error);
        return ExitCode::Usage.into();
    }
    if !is_help && printer.has_json_errors() {
        let text = error.to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        printer.error(&CliError::usage(text.trim()));
        return ExitCode::Usage.into();
    }
    // An error of writing cannot be reported.
    let _ = error.print();
    if is_help {
        process::ExitCode::SUCCESS
    } else {
        ExitCode::Usage.into()
    }
}
