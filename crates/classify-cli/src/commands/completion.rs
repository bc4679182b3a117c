//! `completion`

use clap::Command;

use crate::args::completion::{CompletionArgs, Shell};
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::output::OutputWriter;

const NAME: &str = "llamacloud-prod";

/// Prints a completion script.
pub(crate) fn completion(args: &CompletionArgs, command: Command) -> Result<(), CliError> {
    let shell = match args.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
        Shell::Powershell => clap_complete::Shell::PowerShell,
    };
    if args.shell == Shell::Bash {
        return OutputWriter::stdout().text(&bash_script(command)?);
    }
    OutputWriter::stdout().text(&script(shell, command, NAME))
}

fn script(shell: clap_complete::Shell, mut command: Command, name: &str) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The program's name without its dash. The generator of bash scripts takes a dash for the separator of two commands,
/// and generates labels that do not match.
const PLAIN_NAME: &str = "llamacloudprod";

/// The start of the last part of the generated script: the registration of the function under the plain name.
const REGISTRATION: &str = "\nif [[ \"${BASH_VERSINFO";

/// Replaces the registration. Bash splits words at a colon, so that `classifier:jobs` is three words; they are joined,
/// and of each candidate bash expects the part after the colon.
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

fn bash_script(command: Command) -> Result<String, CliError> {
    let script = script(clap_complete::Shell::Bash, command, PLAIN_NAME);
    let (functions, _) = script.rsplit_once(REGISTRATION).ok_or_else(|| {
        CliError::new(
            ExitCode::Unexpected,
            "the generated script has an unexpected end",
        )
    })?;
    Ok(functions.to_owned() + BASH_WRAPPER)
}
