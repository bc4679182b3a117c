//! The commands, as the help of the binary lists them.

use super::{bare_command, run_to_end};

/// Every command without subcommands, as its words: `["classify", "rules", "check"]`.
pub fn commands() -> Vec<Vec<String>> {
    let mut found = Vec::new();
    below(&[], &mut found);
    assert!(found.len() > 30, "the help is read wrongly: {found:?}");
    found
}

/// The help of a command.
pub fn help(words: &[&str]) -> String {
    run_to_end(bare_command(&[words, &["--help"]].concat()))
        .assert_exit(0)
        .stdout
}

fn below(words: &[&str], found: &mut Vec<Vec<String>>) {
    let help = help(words);
    let Some((_, list)) = help.split_once("\nCommands:\n") else {
        found.push(words.iter().map(|word| (*word).to_owned()).collect());
        return;
    };
    for line in list.lines().take_while(|line| !line.is_empty()) {
        // The next lines of a long description are indented further.
        let name = line
            .strip_prefix("  ")
            .filter(|rest| !rest.starts_with(' '));
        match name.and_then(|rest| rest.split_whitespace().next()) {
            None | Some("help") => {}
            Some(name) => below(&[words, &[name]].concat(), found),
        }
    }
}
