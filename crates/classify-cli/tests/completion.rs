//! Completion in a real shell.

#![cfg(unix)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::{Command, Stdio};

use common::terminal::{Attached, Terminal};
use common::{bare_command, command_tree, run_to_end};

/// Calls the function of a program as bash does after a tab. bash ends a word at a colon.
const ASK: &str = r#"
ask() {
    local line=$1 rest token
    COMP_LINE=$line COMP_POINT=${#line} COMP_WORDS=() COMPREPLY=()
    rest=$line
    while [[ -n $rest ]]; do
        rest=${rest#"${rest%%[! ]*}"}
        [[ -z $rest ]] && break
        if [[ $rest == :* ]]; then token=:; else token=${rest%%[ :]*}; fi
        COMP_WORDS+=("$token")
        rest=${rest#"$token"}
    done
    [[ $line == *' ' ]] && COMP_WORDS+=('')
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    local cur=${COMP_WORDS[COMP_CWORD]} prev=
    [[ $cur == : ]] && cur=
    ((COMP_CWORD > 0)) && prev=${COMP_WORDS[COMP_CWORD - 1]}
    local spec
    spec=$(complete -p llamacloud-prod)
    spec=${spec#*-F }
    "${spec%% *}" llamacloud-prod "$cur" "$prev"
    echo "?$line"
    printf '%s\n' "${COMPREPLY[@]}"
}
"#;

/// Returns the words that bash offers for each of these incomplete lines.
fn offered(lines: &[String]) -> BTreeMap<String, BTreeSet<String>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("script");
    let mut script = run_to_end(bare_command(&["completion", "bash"]))
        .assert_exit(0)
        .stdout
        + ASK;
    for line in lines {
        writeln!(script, "ask '{line}'").unwrap();
    }
    std::fs::write(&path, script).unwrap();
    let output = Command::new("bash")
        .arg(&path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    let mut found = BTreeMap::new();
    let mut words: &mut BTreeSet<String> = &mut BTreeSet::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        match line.strip_prefix('?') {
            Some(asked) => words = found.entry(asked.to_owned()).or_default(),
            None => drop(words.insert(line.to_owned())),
        }
    }
    found
}

#[test]
fn completion_in_bash_offers_flags_of_every_command() {
    let commands = command_tree::commands();
    let line = |words: &[String]| format!("llamacloud-prod {} --", words.join(" "));
    let found = offered(&commands.iter().map(|words| line(words)).collect::<Vec<_>>());
    for words in &commands {
        let asked: Vec<&str> = words.iter().map(String::as_str).collect();
        let help = command_tree::help(&asked);
        let offered = &found[&line(words)];
        // Only flags are in this column, with a letter before them or not.
        let is_option = |line: &&str| {
            line.starts_with("      --") || line.get(4..8).is_some_and(|text| text == ", --")
        };
        let options = help.lines().filter(is_option);
        let mut flags = 0;
        for option in options {
            let Some((_, rest)) = option.split_once("--") else {
                continue;
            };
            let name = rest.split([' ', '=', '[', ',']).next().unwrap();
            assert!(
                offered.contains(&format!("--{name}")),
                "{words:?}: --{name} is not in {offered:?}"
            );
            flags += 1;
        }
        assert!(flags > 10, "{help}");
    }
}

#[test]
fn completion_in_bash_offers_every_subcommand() {
    let mut below: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for words in command_tree::commands() {
        for end in 0..words.len() {
            let line = words[..end]
                .iter()
                .fold("llamacloud-prod ".to_owned(), |line, word| {
                    line + word + " "
                });
            below.entry(line).or_default().insert(words[end].clone());
        }
    }
    assert!(below.len() > 7, "{below:?}");
    let found = offered(&below.keys().cloned().collect::<Vec<_>>());
    for (line, words) in below {
        assert!(
            words.is_subset(&found[&line]),
            "{line:?}: {:?}",
            found[&line]
        );
    }
}

#[test]
fn completion_in_bash_handles_colon_in_command() {
    for (line, reply) in [
        ("llamacloud-prod classifier", "classifier:jobs"),
        // The text before the colon is kept.
        ("llamacloud-prod classifier:", "jobs"),
        ("llamacloud-prod classifier:jo", "jobs"),
        ("llamacloud-prod classifier:jobs get-r", "get-results"),
        ("llamacloud-prod --quiet classifier:jobs crea", "create"),
        (
            "llamacloud-prod classifier:jobs list --page-t",
            "--page-token",
        ),
    ] {
        let found = offered(&[line.to_owned()]);
        assert_eq!(found[line], BTreeSet::from([reply.to_owned()]), "{line}");
    }
}

#[test]
fn completion_in_bash_offers_values_of_global_flags() {
    let values = |line: &str| offered(&[line.to_owned()]).remove(line).unwrap();
    let words = |words: &[&str]| words.iter().copied().map(str::to_owned).collect();
    for command in ["", "classify list ", "classifier:jobs list ", "emulator "] {
        for (rest, expected) in [
            ("--format js", words(&["json", "jsonl"])),
            ("--quiet --region ", words(&["eu", "na"])),
        ] {
            let line = format!("llamacloud-prod {command}{rest}");
            assert_eq!(values(&line), expected, "{line}");
        }
        // No value can be suggested; in particular, no flag.
        let line = format!("llamacloud-prod {command}--base-url ");
        let found = values(&line);
        assert!(
            found.iter().all(|word| !word.starts_with("--")),
            "{found:?}"
        );
    }
    // A flag of the command with a value, followed by a global flag.
    let line = "llamacloud-prod classify run --rules a.yaml --form";
    assert_eq!(values(line), words(&["--format", "--format-error"]));
}

#[test]
fn completion_script_does_not_repeat_global_flags_for_each_command() {
    for (shell, flag, times) in [
        // A variable, and twice in each of two functions: for its name and for its value.
        ("bash", "--organization-id", 5),
        // An array, and the root.
        ("zsh", "'--organization-id=", 2),
        // One for all commands, and the root.
        ("fish", " -l organization-id ", 2),
    ] {
        let script = run_to_end(bare_command(&["completion", shell])).assert_exit(0);
        assert_eq!(script.stdout.matches(flag).count(), times, "{shell}");
    }
}

#[test]
fn completion_in_zsh_and_fish_offers_global_flags_after_every_command() {
    let script = |shell| {
        run_to_end(bare_command(&["completion", shell]))
            .assert_exit(0)
            .stdout
    };
    let zsh = script("zsh");
    // Every command has `-h`; the root has the global flags in its own list, and `help` has no flags.
    let flag_lists = zsh.matches("'-h[").count();
    assert!(flag_lists > command_tree::commands().len(), "{flag_lists}");
    assert_eq!(
        zsh.matches("\"${global_flags[@]}\" \\\n").count(),
        flag_lists - 1
    );
    let fish = script("fish");
    let condition = "not __fish_seen_subcommand_from help";
    assert!(fish.contains(&format!(
        "\ncomplete -c llamacloud-prod -n \"{condition}\" -l organization-id "
    )));
}

#[test]
fn completion_in_bash_offers_no_flags_after_help() {
    for line in [
        "llamacloud-prod help --",
        "llamacloud-prod classify help --",
    ] {
        assert_eq!(
            offered(&[line.to_owned()])[line],
            BTreeSet::from([String::new()])
        );
    }
}

#[test]
fn completion_by_tab_key_handles_colon_in_command() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("script");
    std::fs::write(
        &path,
        run_to_end(bare_command(&["completion", "bash"]))
            .assert_exit(0)
            .stdout,
    )
    .unwrap();
    let mut bash = Command::new("bash");
    bash.args(["--noprofile", "--norc", "-i"])
        .env("PS1", "$ ")
        .env("INPUTRC", "/dev/null");
    let terminal = Terminal::start(&mut bash, Attached::Both, 80);
    terminal.wait_until(|screen| screen.contains("$ "));
    terminal.types(&format!("clear; source {}\r", path.display()));
    terminal.wait_until(|screen| screen.trim() == "$");
    terminal.types("llamacloud-prod classifier:j\tget-r\t");
    let screen = terminal.wait_until(|screen| screen.contains("get-results"));
    assert!(
        screen.contains("llamacloud-prod classifier:jobs get-results"),
        "{screen}"
    );
}
