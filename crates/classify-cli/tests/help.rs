//! `-h`: short, and one line per flag.

mod common;

use common::{bare_command, command_tree, run_to_end};

/// The width of the help, which is also that of the smallest terminal it is written for.
const WIDTH: usize = 100;

fn short_help(words: &[&str]) -> String {
    run_to_end(bare_command(&[words, &["-h"]].concat()))
        .assert_exit(0)
        .stdout
}

#[test]
fn short_help_of_every_command_fits_on_two_screens() {
    let mut commands = command_tree::commands();
    commands.push(Vec::new());
    for words in commands {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let help = short_help(&words);
        let rows = help
            .lines()
            .map(|line| line.chars().count().div_ceil(WIDTH).max(1));
        let rows: usize = rows.sum();
        assert!(rows <= 60, "{words:?}: {rows} lines\n{help}");
    }
}

#[test]
fn short_help_has_one_line_per_flag() {
    let mut flags = 0;
    for words in command_tree::commands() {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let help = short_help(&words);
        let mut is_alone = false;
        for line in help.lines() {
            let is_flag = line.starts_with("      --") || line.starts_with("  -");
            if is_flag {
                flags += 1;
                // The help of a long flag is in the next line.
                let text = line.trim().split_once("  ").map(|(_, text)| text.trim());
                is_alone = text.is_none();
                let text = text.unwrap_or("Set");
                for noun in ["The ", "A ", "How ", "What ", "Where "] {
                    assert!(!text.starts_with(noun), "{words:?}: not imperative: {line}");
                }
            } else if line.starts_with("          ") {
                assert!(is_alone, "{words:?}: {line}");
                is_alone = false;
            }
        }
    }
    assert!(flags > 500, "{flags}");
}

#[test]
fn long_help_has_every_flag_of_short_help() {
    for words in command_tree::commands() {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let long = command_tree::help(&words);
        for line in short_help(&words).lines() {
            let flag = line.split_whitespace().find(|word| word.starts_with("--"));
            if let Some(flag) = flag.filter(|_| line.starts_with("      --")) {
                assert!(long.contains(&format!("      {flag}")), "{words:?}: {flag}");
            }
        }
    }
}
