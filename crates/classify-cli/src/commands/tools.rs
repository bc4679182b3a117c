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
    if args.shell == Shell::Bash {
        return Out::stdout().raw(&for_bash()?);
    }
    Out::stdout().raw(&script(shell, NAME))
}

fn script(shell: clap_complete::Shell, name: &str) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::args::command(), name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The program's name without its dash: in one with a dash the generator of bash scripts takes it for the dash between
/// two commands, and the script's own labels miss each other.
const PLAIN_NAME: &str = "llamacloudprod";

/// How the generated script ends: with the function's registration, under the plain name.
const REGISTRATION: &str = "\nif [[ \"${BASH_VERSINFO";

/// What takes its place. For bash a word ends at a colon, so that `classifier:jobs` arrives in three; they are put
/// together again, and of what is offered then, bash wants what follows the colon.
const BASH: &str = r#"
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
    _llamacloudprod "$1" "$word" "$before"
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

fn for_bash() -> Result<String, Problem> {
    let script = script(clap_complete::Shell::Bash, PLAIN_NAME);
    let (functions, _) = script.rsplit_once(REGISTRATION).ok_or_else(|| {
        Problem::new(
            Code::Unexpected,
            "the generated script does not end as it should",
        )
    })?;
    Ok(functions.to_owned() + BASH)
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
