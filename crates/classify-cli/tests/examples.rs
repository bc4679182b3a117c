//! Every command line in the help and in the README is one that the program understands.

mod common;

use common::shell::{commands, split};
use common::{bare, said, tree};

/// Checks each flag and value, and does nothing: help that is asked for comes after they were read.
fn is_understood(line: &str, place: &str) {
    let words = split(line);
    let mut words: Vec<&str> = words[1..].iter().map(String::as_str).collect();
    // After `--` there are no flags any more.
    let end = words.iter().position(|word| *word == "--");
    words.insert(end.unwrap_or(words.len()), "--help");
    let found = said(bare(&words));
    assert_eq!(found.code, 0, "{place}: {line}\n{}", found.stderr);
}

#[test]
fn every_example_of_the_help_is_understood() {
    let mut seen = 0;
    for words in tree::commands() {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let help = tree::help(&words);
        let (_, examples) = help.split_once("\nExamples:\n").unwrap();
        for line in commands(examples) {
            is_understood(&line, &words.join(" "));
            seen += 1;
        }
    }
    assert!(seen > 60, "{seen} were found");
}

#[test]
fn every_line_of_the_readme_is_understood_and_every_command_is_in_it() {
    let readme = include_str!("../README.md");
    let lines = commands(readme);
    for line in &lines {
        is_understood(line, "README");
    }
    for words in tree::commands() {
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
fn a_line_that_is_not_understood_is_found() {
    let text = "x=1 llamacloud-prod a 'b | c' \\\n  --d | jq\nthe llamacloud-prod is\necho | llamacloud-prod e > f # g";
    assert_eq!(
        commands(text),
        ["llamacloud-prod a 'b | c'    --d", "llamacloud-prod e"]
    );
    let wrong = said(bare(&["classify", "list", "--page-sise", "3", "--help"]));
    assert_eq!(wrong.code, 2, "a flag before --help is read first");
}
