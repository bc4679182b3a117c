//! `completion`
//!
//! The generators write every global flag into the section of every command, which is more than half of a script. For
//! bash, zsh and fish, they see commands without global flags, and the script offers those of a second section as well.

use clap::Command;

use crate::args::completion::{CompletionArgs, Shell};
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::output::OutputWriter;

const NAME: &str = "llamacloud-prod";

/// Prints a completion script.
pub(crate) fn completion(args: &CompletionArgs, command: Command) -> Result<(), CliError> {
    let mut output = OutputWriter::stdout();
    match args.shell {
        Shell::Bash => write_bash(command, &mut output),
        Shell::Zsh => write_zsh(command, &mut output),
        Shell::Fish => write_fish(command, &mut output),
        Shell::Powershell => {
            output.text(&generate(clap_complete::Shell::PowerShell, command, NAME))
        }
    }
}

/// Room for a script, so that it does not move while it grows.
const CAPACITY: usize = 256 << 10;

fn generate(shell: clap_complete::Shell, mut command: Command, name: &str) -> String {
    let mut script = Vec::with_capacity(CAPACITY);
    clap_complete::generate(shell, &mut command, name, &mut script);
    String::from_utf8(script)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn unexpected_form() -> CliError {
    CliError::new(
        ExitCode::Unexpected,
        "the generated script has an unexpected form",
    )
}

/// Returns the command line with its global flags only at the root.
fn root_globals(command: Command) -> Command {
    command.mut_args(|arg| arg.global(false))
}

/// Returns a command that has only the global flags.
fn global_flags(command: &Command) -> Command {
    let flags = command.get_arguments().filter(|arg| arg.is_global_set());
    Command::new(NAME)
        .disable_help_flag(true)
        .args(flags.cloned())
}

/// The start of a line in fish, and a line that applies to every command but `help`.
const FISH_LINE: &str = "complete -c llamacloud-prod ";
const FISH_GLOBAL: &str =
    "complete -c llamacloud-prod -n \"not __fish_seen_subcommand_from help\" ";

/// A flag of a command without subcommands has no condition in fish: it is offered after every command.
fn write_fish(command: Command, output: &mut OutputWriter) -> Result<(), CliError> {
    let shell = clap_complete::Shell::Fish;
    let globals = generate(shell, global_flags(&command), NAME);
    output.text(&generate(shell, root_globals(command), NAME))?;
    output.text(&globals.replace(FISH_LINE, FISH_GLOBAL))
}

/// The start of the flags of a command in zsh, and their end.
const ZSH_FLAGS: &str = "_arguments \"${_arguments_options[@]}\" : \\\n";
const ZSH_FLAGS_END: &str = "&& ret=0";

/// Defines the global flags as an array, and adds it to those of each subcommand. `help` has no flags.
fn write_zsh(command: Command, output: &mut OutputWriter) -> Result<(), CliError> {
    let shell = clap_complete::Shell::Zsh;
    let script = generate(shell, global_flags(&command), NAME);
    let (_, globals) = script.split_once(ZSH_FLAGS).ok_or_else(unexpected_form)?;
    let (globals, _) = globals
        .split_once(ZSH_FLAGS_END)
        .ok_or_else(unexpected_form)?;
    let script = generate(shell, root_globals(command), NAME);
    let mut parts = script.split(ZSH_FLAGS);
    output.text(parts.next().unwrap_or_default())?;
    output.text(&format!(
        "local -a global_flags=(\n{globals})\n    {ZSH_FLAGS}"
    ))?;
    output.text(parts.next().ok_or_else(unexpected_form)?)?;
    for subcommand in parts {
        output.text(ZSH_FLAGS)?;
        if subcommand.starts_with('\'') {
            output.text("\"${global_flags[@]}\" \\\n")?;
        }
        output.text(subcommand)?;
    }
    Ok(())
}

/// The program's name without its dash, and that of the function of its global flags. The generator of bash scripts
/// takes a dash for the separator of two commands, and generates labels that do not match.
const PLAIN_NAME: &str = "llamacloudprod";
const PLAIN_GLOBALS: &str = "llamacloudprodglobals";

/// The start of the last part of the generated script: the registration of the function under the plain name.
const REGISTRATION: &str = "\nif [[ \"${BASH_VERSINFO";

/// Replaces the registration, after a variable with the global flags that take a value. Bash splits words at a colon, so
/// that `classifier:jobs` is three words; they are joined, and of each candidate bash expects the part after the colon.
const BASH_WRAPPER: &str = r#"
_llamacloud_prod() {
    local -a words=()
    local i word offered before="" joined=""
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word="${COMP_WORDS[i]}"
        if ((i == COMP_CWORD)) && [[ "$word" != ":" ]]; then
            word="$2"
        fi
        if ((i > 1)) && [[ "$word" == ":" || -n "$joined" ]]; then
            words[${#words[@]} - 1]+="$word"
        else
            words+=("$word")
        fi
        joined=""
        if [[ "${COMP_WORDS[i]}" == ":" ]]; then
            joined=yes
        fi
    done
    local -a COMP_WORDS=("${words[@]}")
    local COMP_CWORD=$((${#words[@]} - 1))
    word="${words[COMP_CWORD]}"
    if ((COMP_CWORD > 0)); then
        before="${words[COMP_CWORD - 1]}"
    fi
    if [[ "$word" != -* && " $_llamacloudprod_value_flags " == *" $before "* ]]; then
        _llamacloudprodglobals "$1" "$word" "$before"
    else
        _llamacloudprod "$1" "$word" "$before"
    fi
    if [[ "$word" == -* && " ${words[*]} " != *" help "* ]]; then
        local -a own=("${COMPREPLY[@]}")
        _llamacloudprodglobals "$1" "$word" "$before"
        COMPREPLY=("${own[@]}" "${COMPREPLY[@]}")
    fi
    if [[ "$word" == *:* && "$COMP_WORDBREAKS" == *:* ]]; then
        for i in "${!COMPREPLY[@]}"; do
            offered="${COMPREPLY[i]}"
            COMPREPLY[i]="${offered#"${word%"${word##*:}"}"}"
        done
    fi
}

if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F _llamacloud_prod -o nosort -o bashdefault -o default llamacloud-prod
else
    complete -F _llamacloud_prod -o bashdefault -o default llamacloud-prod
fi
"#;

fn write_bash(command: Command, output: &mut OutputWriter) -> Result<(), CliError> {
    let globals = global_flags(&command);
    let value_flags = value_flags(&globals);
    for (command, name) in [
        (root_globals(command), PLAIN_NAME),
        (globals, PLAIN_GLOBALS),
    ] {
        let script = generate(clap_complete::Shell::Bash, command, name);
        let (function, _) = script
            .rsplit_once(REGISTRATION)
            .ok_or_else(unexpected_form)?;
        output.text(function)?;
    }
    output.text(&format!("\n_llamacloudprod_value_flags='{value_flags}'\n"))?;
    output.text(BASH_WRAPPER)
}

/// Returns the flags that take a value, separated by spaces.
fn value_flags(command: &Command) -> String {
    let flags = command.get_opts().flat_map(|arg| {
        let short = arg.get_short().map(|letter| format!("-{letter}"));
        let long = arg.get_long().map(|name| format!("--{name}"));
        short.into_iter().chain(long)
    });
    flags.collect::<Vec<_>>().join(" ")
}
