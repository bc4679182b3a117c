//! Colors: on a terminal unless they are disabled; never in a pipe or a file.

#![cfg(unix)]

mod common;

use classify_emulator::{Config, RateLimits};
use common::Sandbox;
use common::terminal::{Attached, Terminal};

/// Every command with colored output: a table of documents, a job, help, and an error with its position.
const COLORED: [(&[&str], i32); 4] = [
    (&["classify", "run", "docs", "--rules", "rules.yaml"], 0),
    (&["classify", "list", "--format", "table"], 0),
    (&["classify", "list", "--help"], 0),
    (&["classify", "list", "--page-sise", "3"], 2),
];

/// Whether the text contains escape sequences.
fn is_colored(text: &str) -> bool {
    text.split("\x1b[").skip(1).any(|rest| {
        let end = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        end.starts_with('m')
    })
}

fn on_a_terminal(sandbox: &Sandbox, words: &[&str], code: i32, env: &[(&str, &str)]) -> String {
    let mut command = sandbox.command(words);
    command.envs(env.iter().copied());
    let mut terminal = Terminal::start(&mut command, Attached::Both, 80);
    terminal.assert_exit(code);
    terminal.written()
}

#[test]
fn color_only_on_terminal_without_no_color_or_dumb() {
    let sandbox = Sandbox::with(Config::default().rate_limits(RateLimits::none()));
    sandbox.job("docs/bill.txt");
    for (words, code) in COLORED {
        assert!(
            is_colored(&on_a_terminal(&sandbox, words, code, &[])),
            "{words:?}"
        );
        // A build server's terminal of unknown type has colors; a dumb one has none.
        for env in [
            &[("NO_COLOR", "1")][..],
            &[("TERM", "dumb")],
            &[("TERM", "dumb"), ("CI", "true")],
            &[("NO_COLOR", "1"), ("CI", "true")],
        ] {
            let written = on_a_terminal(&sandbox, words, code, env);
            assert!(!is_colored(&written), "{env:?} {words:?}: {written:?}");
            assert!(written.len() > 100, "{written:?}");
        }
        // An empty variable has no effect.
        let empty = on_a_terminal(&sandbox, words, code, &[("NO_COLOR", "")]);
        assert!(is_colored(&empty), "{words:?}");
        let piped = sandbox.run(words).assert_exit(code);
        assert!(
            !is_colored(&piped.stdout) && !is_colored(&piped.stderr),
            "{piped:?}"
        );
    }
}

#[test]
fn color_is_absent_from_output_file_of_terminal_run() {
    let sandbox = Sandbox::with(Config::default().rate_limits(RateLimits::none()));
    sandbox.job("docs/bill.txt");
    let words = [
        "classify", "list", "--format", "table", "--output", "out.txt",
    ];
    let run = [
        "classify",
        "run",
        "docs",
        "--rules",
        "rules.yaml",
        "--format",
        "table",
        "--output",
        "run.txt",
    ];
    on_a_terminal(&sandbox, &words, 0, &[]);
    on_a_terminal(&sandbox, &run, 0, &[]);
    let read = |name: &str| std::fs::read_to_string(sandbox.path().join(name)).unwrap();
    let written = read("run.txt");
    assert!(
        written.contains("bill.txt") && !written.contains('\x1b'),
        "{written:?}"
    );
    let written = read("out.txt");
    assert!(
        written.contains("COMPLETED") && !written.contains('\x1b'),
        "{written:?}"
    );
}
