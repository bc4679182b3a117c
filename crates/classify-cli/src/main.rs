//! `llamacloud-prod`: `LlamaCloud`'s document classification API on the command line.
//!
//! ```text
//! llamacloud-prod classify run examples/documents --rules examples/rules.yaml --emulator
//! ```
//!
//! shows what each document is, without a key and without the network; without `--emulator` the service answers.
//!
//! # Output
//!
//! Data goes to stdout and nothing else does: a table or indented JSON on a terminal, JSON lines in a pipe, or what
//! `--format` says. Progress and notes go to stderr. A reader that goes away (`| head`) ends the command quietly.
//!
//! # Exit codes
//!
//! | code | meaning |
//! | --- | --- |
//! | 0 | everything settled |
//! | 1 | an error that none of the others names |
//! | 2 | wrong usage: a flag, a rules file, a value that the service refuses |
//! | 3 | some documents failed, or could not be moved; the others have their result |
//! | 4 | the key is missing, wrong, of another region, or lacks the right |
//! | 5 | the plan has no credits or room left |
//! | 6 | no such job, file or configuration |
//! | 7 | too many requests, and waiting as long as was asked did not help |
//! | 8 | a time limit or a deadline came first |
//! | 9 | the job failed or was cancelled |
//! | 130 | interrupted |
//!
//! # Once
//!
//! `classify run` sends each content once and pays for it once, whatever kills the process and however often it is run:
//! what a create is repeated under comes from the content, the rules and the project. A journal (`--journal`, or beside
//! `--output`) saves the requests too, and `--resume` goes on with it.
//!
//! # Map
//!
//! - `args`: what may be written on the command line, and how it is read.
//! - `connect`: from flags and environment to a client. `interrupt`: stopping in order.
//! - `run`: `classify run`. `files` keeps what is written apart from what is read, `documents` are read ahead, `engine`
//!   carries the core's `Bulk`, `journal` is its file, `report` and `sink` are what comes out, `after` is what is made of
//!   the rows (counts, files moved, labels compared), `report_page` is `--report`, `again` is the command that resumes.
//!   `inputs` and `rules_file` are what it is given.
//! - `spec`: the commands that are one call each, as tables. `commands`: those that are more.
//! - `network`: certificates, proxies, and the log of `--debug`.
//! - `output`, `console`, `view`, `exit`: stdout, stderr, what moves there, and the exit code.

mod args;
mod commands;
mod connect;
mod console;
mod exit;
mod inputs;
mod interrupt;
mod network;
mod output;
mod rules_file;
mod run;
mod spec;
mod view;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, FromArgMatches as _};

use crate::args::tools::Rules;
use crate::args::webhooks::Webhooks;
use crate::args::{Classifier, Classify, Cli, Format, Global, Resource};
use crate::console::Console;
use crate::exit::{Code, Problem};

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let matches = match args::command().try_get_matches_from(&words) {
        Ok(matches) => matches,
        Err(error) => return unparsed(&error, &words),
    };
    let mut global = match Global::from_arg_matches(&matches) {
        Ok(global) => global,
        Err(error) => return unparsed(&error, &words),
    };
    let console = Console::new(&global);
    if global.format == Format::Explore {
        console
            .note("--format explore is the official tool's viewer; this one writes as with auto");
        global.format = Format::Auto;
    }
    match dispatch(&matches, &global, console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            let problem = match problem.code() {
                Some(Code::NotFound) if global.emulator => problem.hint(
                    "the emulator begins empty with every command: only `classify run` brings it documents",
                ),
                _ => problem,
            };
            console.report_part(&problem, global.transform_error.as_deref());
            problem.code().map_or(ExitCode::SUCCESS, ExitCode::from)
        }
    }
}

fn dispatch(matches: &ArgMatches, global: &Global, console: Console) -> Result<(), Problem> {
    if let Some((resource, found)) = matches.subcommand()
        && let Some((name, found)) = found.subcommand()
        && let Some(endpoint) = spec::find(resource, name)
    {
        return spec::run::run(endpoint, found, global, console);
    }
    let cli = Cli::from_arg_matches(matches).map_err(|error| Problem::usage(error.to_string()))?;
    match &cli.resource {
        Resource::Classify(Classify::Run(args)) => {
            for_run(global)?;
            run::run(args, global, console)
        }
        Resource::Classify(Classify::Wait(args)) => commands::wait(args, global, console),
        Resource::Classify(Classify::Rules(Rules::Check(args))) => {
            commands::check_rules(args, global)
        }
        Resource::Classifier(Classifier::Wait(args)) => commands::wait_old(args, global, console),
        Resource::Webhooks(Webhooks::Verify(args)) => commands::verify(args, global),
        Resource::Webhooks(Webhooks::Listen(args)) => commands::listen(args, global, console),
        Resource::Emulator(args) => commands::emulator(args, global, console),
        Resource::Doctor(_) => commands::doctor(global, console),
        Resource::Completion(args) => commands::completion(args),
        Resource::Man(args) => commands::man(args, console),
    }
}

/// `classify run` writes rows of its own making, and refuses the forms that it has not.
fn for_run(global: &Global) -> Result<(), Problem> {
    if matches!(global.format, Format::Yaml | Format::Raw) {
        return Err(Problem::usage(
            "`classify run` writes table, json, jsonl or csv; choose one of them with --format",
        ));
    }
    if global.transform.is_some() || global.raw_output {
        return Err(Problem::usage(
            "`classify run` takes no --transform and no --raw-output; pipe its JSON lines to a filter",
        ));
    }
    Ok(())
}

/// Help that was asked for, or a mistake in the command line.
fn unparsed(error: &clap::Error, words: &[std::ffi::OsString]) -> ExitCode {
    let asked = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    let console = Console::of_words(words);
    if !asked && console.json_errors() {
        let text = error.to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        console.report(&Problem::usage(text.trim()));
        return Code::Usage.into();
    }
    // Nobody is there to be told that nobody is there.
    let _ = error.print();
    if asked {
        ExitCode::SUCCESS
    } else {
        Code::Usage.into()
    }
}
