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
//! | 3 | some documents failed; the others have their result |
//! | 4 | the key is missing, wrong, of another region, or lacks the right |
//! | 5 | the plan has no credits or room left |
//! | 6 | no such job, file or configuration |
//! | 7 | too many requests, and waiting as long as was asked did not help |
//! | 8 | a time limit or a deadline came first |
//! | 9 | the job failed or was cancelled |
//! | 130 | interrupted |
//!
//! # Map
//!
//! - `args`: what may be written on the command line, and how it is read.
//! - `connect`: from flags and environment to a client. `interrupt`: stopping in order.
//! - `run`: `classify run`, with its engine in one module. `inputs` and `rules_file` are what it is given.
//! - `commands`: the other commands.
//! - `output`, `console`, `exit`: stdout, stderr, and the exit code.

mod args;
mod commands;
mod connect;
mod console;
mod exit;
mod inputs;
mod interrupt;
mod output;
mod rules_file;
mod run;

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::args::{Classify, Cli, Global, Resource};
use crate::console::Console;
use crate::exit::{Code, Problem};

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error, &words),
    };
    let console = Console::new(&cli.global);
    match dispatch(&cli.resource, &cli.global, console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            let problem = match problem.code() {
                Some(Code::NotFound) if cli.global.emulator => problem.hint(
                    "the emulator begins empty with every command: only `classify run` brings it documents",
                ),
                _ => problem,
            };
            console.report(&problem);
            problem.code().map_or(ExitCode::SUCCESS, ExitCode::from)
        }
    }
}

fn dispatch(resource: &Resource, global: &Global, console: Console) -> Result<(), Problem> {
    let command = match resource {
        Resource::Classify(command) => command,
        Resource::Emulator(args) => return commands::emulator(args, global, console),
    };
    match command {
        Classify::Run(args) => run::run(args, global, console),
        Classify::Create(args) => commands::create(args, global, console),
        Classify::List(args) => commands::list(args, global, console),
        Classify::Get(args) => commands::get(args, global, console),
        Classify::Cancel(args) => commands::cancel(args, global, console),
        Classify::Delete(args) => commands::delete(args, global, console),
        Classify::Wait(args) => commands::wait(args, global, console),
    }
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
