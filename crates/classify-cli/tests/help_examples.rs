//! Each command line in the help and in the README is valid.

mod common;

use common::command_lines::{commands, split};
use common::{bare_command, command_tree, run_to_end};

/// Checks each flag and value without running the command: `--help` is handled after they are parsed.
fn is_understood(line: &str, place: &str) {
    let words = split(line);
    let mut words: Vec<&str> = words[1..].iter().map(String::as_str).collect();
    // After `--` there are no more flags.
    let end = words.iter().position(|word| *word == "--");
    words.insert(end.unwrap_or(words.len()), "--help");
    let found = run_to_end(bare_command(&words));
    assert_eq!(found.code, 0, "{place}: {line}\n{}", found.stderr);
}

#[test]
fn help_examples_are_valid_commands() {
    let mut count = 0;
    for words in command_tree::commands() {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let help = command_tree::help(&words);
        let (_, examples) = help.split_once("\nExamples:\n").unwrap();
        for line in commands(examples) {
            is_understood(&line, &words.join(" "));
            count += 1;
        }
    }
    assert!(count > 60, "{count} were found");
}

#[test]
fn readme_commands_are_valid_and_complete() {
    let readme = include_str!("../README.md");
    let lines = commands(readme);
    for line in &lines {
        // A command that only a build with its feature has.
        if cfg!(feature = "mcp") || !line.starts_with("llamacloud-prod mcp") {
            is_understood(line, "README");
        }
    }
    for words in command_tree::commands() {
        let name = format!("llamacloud-prod {}", words.join(" "));
        let is_there = lines
            .iter()
            .any(|line| *line == name || line.starts_with(&format!("{name} ")));
        assert!(is_there, "README has no line with `{name}`");
    }
    for code in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130] {
        assert!(readme.contains(&format!("\n| {code} | ")), "{code}");
    }
}

#[test]
fn help_example_check_detects_unknown_flag() {
    let text = "x=1 llamacloud-prod a 'b | c' \\\n  --d | jq\nthe llamacloud-prod is\necho | llamacloud-prod e > f # g";
    assert_eq!(
        commands(text),
        ["llamacloud-prod a 'b | c'    --d", "llamacloud-prod e"]
    );
    let wrong = run_to_end(bare_command(&[
        "classify",
        "list",
        "--page-sise",
        "3",
        "--help",
    ]));
    assert_eq!(wrong.code, 2, "a flag before --help is read first");
}
