//! Long lists on a terminal go through a pager.

#![cfg(target_os = "linux")]

mod common;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use classify_emulator::{Config, RateLimits};
use common::stub_server::StubServer;
use common::terminal::{Attached, Terminal};
use common::{RUN, Sandbox, run_to_end, with_documents};

/// A pager that marks each line.
const MARKING: &str = "sed -u s/^/paged:/";
const PAGE: usize = 100;

/// A service with a list of three pages, which sends as many of them as a test allows.
struct PagedService {
    server: StubServer,
    /// The number of pages that were requested.
    requested: Arc<AtomicUsize>,
    allowed: Arc<AtomicUsize>,
}

impl PagedService {
    fn start(allowed: usize) -> Self {
        Self::with_items(allowed, |page, index| {
            format!(r#"{{"id": "clj-{page}-{index:03}", "status": "COMPLETED"}}"#)
        })
    }

    fn with_items(
        allowed: usize,
        item: impl Fn(usize, usize) -> String + Send + Sync + 'static,
    ) -> Self {
        let requested = Arc::new(AtomicUsize::new(0));
        let allowed = Arc::new(AtomicUsize::new(allowed));
        let (seen, gate) = (Arc::clone(&requested), Arc::clone(&allowed));
        let server = StubServer::start(move |asked| {
            let page = (1..3)
                .find(|page| asked.line.contains(&format!("page_token=page-{page}")))
                .unwrap_or(0);
            seen.fetch_add(1, Ordering::SeqCst);
            let end = Instant::now() + Duration::from_secs(60);
            while gate.load(Ordering::SeqCst) <= page {
                if Instant::now() > end {
                    return (400, r#"{"detail": "the test is over"}"#.to_owned());
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            let items: Vec<_> = (0..PAGE).map(|index| item(page, index)).collect();
            let token = match page {
                2 => "null".to_owned(),
                _ => format!("\"page-{}\"", page + 1),
            };
            let items = items.join(",");
            (
                200,
                format!(r#"{{"items": [{items}], "next_page_token": {token}}}"#),
            )
        });
        Self {
            server,
            requested,
            allowed,
        }
    }

    fn allow_all(&self) {
        self.allowed.store(3, Ordering::SeqCst);
    }

    fn requested(&self) -> usize {
        self.requested.load(Ordering::SeqCst)
    }

    fn command(&self, sandbox: &Sandbox, words: &[&str]) -> Command {
        let mut command = sandbox.command(words);
        command.env("LLAMA_CLOUD_BASE_URL", self.server.url());
        command
    }
}

/// Runs a command as the only one of its terminal, so that Ctrl-C and the keys of the pager reach it.
fn in_session(command: &Command) -> Command {
    let mut session = Command::new("setsid");
    session.env_clear().arg("-cw").arg(command.get_program());
    session.args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            session.env(name, value);
        }
    }
    if let Some(folder) = command.get_current_dir() {
        session.current_dir(folder);
    }
    session
}

fn has_less() -> bool {
    let found = Command::new("less").arg("--version").output().is_ok();
    assert!(
        found || std::env::var_os("REQUIRED").is_none(),
        "less is not installed"
    );
    found
}

/// Types a command of `less` until its effect is shown: after Ctrl-C, `less` discards keys.
#[track_caller]
fn types_until_shown(terminal: &Terminal, keys: &str, text: &str) {
    for _ in 0..100 {
        terminal.types(keys);
        for _ in 0..30 {
            if terminal.screen().contains(text) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    panic!("{keys} never shows {text}:\n{}", terminal.screen());
}

#[test]
fn pager_shows_first_rows_before_last_page_was_received() {
    let sandbox = Sandbox::new();
    for format in ["auto", "jsonl", "table", "yaml"] {
        let service = PagedService::start(1);
        let mut command = service.command(&sandbox, &["classify", "list", "--format", format]);
        command.env("PAGER", MARKING);
        let mut terminal = Terminal::start(&mut command, Attached::Both, 100);
        terminal.wait_until(|screen| screen.contains("clj-0-099"));
        // The second page may have been requested; it is not sent before the test allows it.
        assert!(service.requested() <= 2, "{format}");
        service.allow_all();
        let screen = terminal.assert_exit(0);
        assert!(screen.contains("clj-2-099"), "{format}:\n{screen}");
        let written = terminal.written();
        let lines: Vec<_> = written
            .lines()
            .filter(|line| line.contains("clj-"))
            .collect();
        assert_eq!(lines.len(), 3 * PAGE, "{format}");
        assert!(
            lines.iter().all(|line| line.starts_with("paged:")),
            "{format}"
        );
        if format == "table" {
            assert_eq!(written.matches("Status").count(), 1, "{written}");
            // Colors are kept.
            assert!(
                lines.iter().all(|line| line.contains("\u{1b}[")),
                "{written}"
            );
        }
    }
}

#[test]
fn pager_that_quits_early_ends_the_command_without_further_requests() {
    let sandbox = Sandbox::new();
    for format in ["auto", "jsonl", "table"] {
        let service = PagedService::start(1);
        let mut command = service.command(&sandbox, &["classify", "list", "--format", format]);
        command.env("PAGER", "head -n 3");
        let mut terminal = Terminal::start(&mut command, Attached::Both, 100);
        // The second page is never sent.
        let screen = terminal.assert_exit(0);
        assert!(service.requested() <= 2, "{format}");
        assert_eq!(screen.lines().count(), 3, "{format}:\n{screen}");
    }
}

#[test]
fn pager_is_not_used_for_a_list_that_fits_the_screen() {
    let sandbox = Sandbox::new();
    let service = PagedService::start(3);
    // With the header and its line, a table of 22 rows fills the 24 rows of the screen.
    for (items, is_paged) in [("21", false), ("22", true)] {
        let words = [
            "classify",
            "list",
            "--format",
            "table",
            "--max-items",
            items,
        ];
        let mut command = service.command(&sandbox, &words);
        command.env("PAGER", MARKING);
        let mut terminal = Terminal::start(&mut command, Attached::Both, 100);
        let screen = terminal.assert_exit(0);
        assert!(screen.contains("clj-0-019"), "{screen}");
        assert_eq!(screen.contains("paged:"), is_paged, "{items}:\n{screen}");
    }
}

#[test]
fn pager_is_off_without_a_terminal_or_if_it_is_turned_off() {
    let sandbox = Sandbox::new();
    let service = PagedService::start(3);
    let list = ["classify", "list", "--format", "jsonl"];
    let start = |flags: &[&str], variables: &[(&str, &str)], columns: u16| {
        let mut command = service.command(&sandbox, &[&list[..], flags].concat());
        command
            .env("PAGER", MARKING)
            .envs(variables.iter().copied());
        let mut terminal = Terminal::start(&mut command, Attached::Both, columns);
        terminal.assert_exit(0);
        terminal.written()
    };
    assert!(start(&[], &[], 100).contains("paged:"));
    for (flags, variables, columns) in [
        (&["--no-pager"][..], &[][..], 100),
        (&["--debug"], &[], 100),
        (&[], &[("PAGER", "cat")], 100),
        (&[], &[("PAGER", "")], 100),
        (&[], &[("LLAMA_CLOUD_PAGER", "")], 100),
        (&[], &[("TERM", "dumb")], 100),
        // As in many build servers.
        (&[], &[], 0),
        (&["--output", "list.jsonl"], &[], 100),
    ] {
        let written = start(flags, variables, columns);
        assert!(
            !written.contains("paged:"),
            "{flags:?} {variables:?} {columns}"
        );
        let is_file = flags.contains(&"--output");
        assert_eq!(
            written.contains("clj-2-099"),
            !is_file,
            "{flags:?} {variables:?}"
        );
    }
    for format in ["json", "jsonl", "csv", "table"] {
        let mut command = service.command(&sandbox, &["classify", "list", "--format", format]);
        command.env("PAGER", MARKING);
        let output = run_to_end(command).assert_exit(0);
        assert!(!output.stdout.contains("paged:"), "{output:?}");
        assert!(output.stdout.contains("clj-2-099"), "{output:?}");
    }
}

#[test]
fn pager_that_is_not_installed_is_replaced_by_plain_output() {
    let sandbox = Sandbox::new();
    let service = PagedService::start(3);
    for pager in ["no-such-pager", "no-such-pager -R", "no-such-pager 'a b'"] {
        let mut command = service.command(&sandbox, &["classify", "list", "--format", "jsonl"]);
        command.env("PAGER", pager);
        let mut terminal = Terminal::start(&mut command, Attached::Both, 100);
        terminal.assert_exit(0);
        let written = terminal.written();
        let ids = written.lines().filter(|line| line.contains("clj-"));
        assert_eq!(ids.count(), 3 * PAGE, "{pager}: {written}");
    }
}

#[test]
fn pager_options_are_set_unless_the_user_has_set_them() {
    let sandbox = Sandbox::new();
    let service = PagedService::start(3);
    for (less, shown) in [(None, "LESS=FRX"), (Some("S"), "LESS=S")] {
        let mut command = service.command(&sandbox, &["classify", "list", "--format", "jsonl"]);
        command.env("PAGER", "cat && echo LESS=$LESS");
        if let Some(less) = less {
            command.env("LESS", less);
        }
        let mut terminal = Terminal::start(&mut command, Attached::Both, 100);
        let screen = terminal.assert_exit(0);
        assert_eq!(screen.lines().last(), Some(shown), "{screen}");
    }
}

#[test]
fn pager_error_of_a_later_page_is_printed_behind_the_rows() {
    let sandbox = Sandbox::new();
    let service = StubServer::start(|asked| {
        if asked.line.contains("page_token") {
            return (403, r#"{"detail": "not for this key"}"#.to_owned());
        }
        let items: Vec<_> = (0..PAGE)
            .map(|index| format!(r#"{{"id": "clj-{index:03}", "status": "FAILED"}}"#))
            .collect();
        let items = items.join(",");
        (
            200,
            format!(r#"{{"items": [{items}], "next_page_token": "next"}}"#),
        )
    });
    for format in ["jsonl", "table"] {
        let mut command = sandbox.command(&["classify", "list", "--format", format]);
        command
            .env("LLAMA_CLOUD_BASE_URL", service.url())
            .env("PAGER", MARKING);
        let mut terminal = Terminal::start(&mut command, Attached::Both, 100);
        terminal.assert_exit(4);
        let written = terminal.written();
        let (_, behind) = written.split_once("clj-099").unwrap();
        let (_, behind) = behind.split_once('\n').unwrap();
        assert!(behind.contains("not for this key"), "{format}: {written}");
        assert!(!behind.contains("paged:"), "{format}: {written}");
    }
}

#[test]
fn pager_table_repeats_its_header_if_a_row_does_not_fit() {
    let sandbox = Sandbox::new();
    let service = PagedService::with_items(3, |page, index| {
        let late = if page > 0 { r#", "late": "x""# } else { "" };
        let long = if page == 2 && index == 50 {
            "-longer"
        } else {
            ""
        };
        format!(r#"{{"id": "dfl-{page}-{index:03}{long}", "name": "a.pdf"{late}}}"#)
    });
    let mut command = service.command(&sandbox, &["files", "list", "--format", "table"]);
    command.env("PAGER", MARKING);
    let mut terminal = Terminal::start(&mut command, Attached::Both, 100);
    terminal.assert_exit(0);
    let written = terminal.written();
    let headers = written.lines().filter(|line| line.contains("name"));
    let headers: Vec<_> = headers.map(|line| line.contains("late")).collect();
    assert_eq!(headers, [false, true, true], "{written}");
    assert_eq!(written.matches("dfl-").count(), 3 * PAGE);
    assert!(written.contains("dfl-2-050-longer"), "{written}");
}

#[test]
fn pager_table_has_room_for_reasons_of_later_rows() {
    let sandbox = Sandbox::new();
    let service = PagedService::with_items(3, |page, index| {
        let reason = if page == 1 {
            "It asks for payment."
        } else {
            ""
        };
        let result = format!(r#"{{"type": "bill", "confidence": 1.0, "reasoning": "{reason}"}}"#);
        format!(r#"{{"id": "clj-{page}-{index:03}", "status": "COMPLETED", "result": {result}}}"#)
    });
    let mut command = service.command(&sandbox, &["classify", "list", "--format", "table"]);
    command.env("PAGER", MARKING);
    let mut terminal = Terminal::start(&mut command, Attached::Both, 130);
    terminal.assert_exit(0);
    let written = terminal.written();
    assert_eq!(written.matches("Reason").count(), 2, "{written}");
    assert_eq!(written.matches("It asks for payment.").count(), PAGE);
}

#[test]
fn run_does_not_use_a_pager() {
    let sandbox = with_documents(Config::default().rate_limits(RateLimits::none()), 40);
    for flags in [
        &["--format", "table"][..],
        &["--format", "table", "--dry-run"],
    ] {
        let mut command = sandbox.command(&[&RUN[..], flags].concat());
        command.env("PAGER", MARKING);
        let mut terminal = Terminal::start(&mut command, Attached::Both, 100);
        terminal.assert_exit(0);
        assert!(!terminal.written().contains("paged:"), "{flags:?}");
    }
}

#[test]
fn interrupt_leaves_less_running_and_the_terminal_intact() {
    if !has_less() {
        return;
    }
    let sandbox = Sandbox::new();
    for (allowed, code) in [(1, 130), (3, 0)] {
        let service = PagedService::start(allowed);
        let command = service.command(&sandbox, &["classify", "list", "--format", "table"]);
        let mut terminal = Terminal::start(&mut in_session(&command), Attached::Both, 100);
        terminal.wait_until(|screen| screen.contains("clj-0-010") && screen.ends_with(':'));
        assert!(!terminal.echoes(), "less reads single keys");
        if allowed == 3 {
            // To the end: all is written.
            types_until_shown(&terminal, "G", "clj-2-099");
        }
        terminal.types("\x03");
        // less goes on: it shows other rows that it has.
        types_until_shown(&terminal, "g", "clj-0-000");
        types_until_shown(&terminal, "50g", "clj-0-060");
        assert!(terminal.is_running());
        terminal.types("q");
        terminal.assert_exit(code);
        assert!(terminal.echoes(), "the terminal is as before");
    }
}

#[test]
fn less_that_is_quit_early_ends_the_command() {
    if !has_less() {
        return;
    }
    let sandbox = Sandbox::new();
    let service = PagedService::start(1);
    let command = service.command(&sandbox, &["classify", "list"]);
    let mut terminal = Terminal::start(&mut in_session(&command), Attached::Both, 100);
    terminal.wait_until(|screen| screen.contains("clj-0-002") && screen.ends_with(':'));
    terminal.types("q");
    let screen = terminal.assert_exit(0);
    assert!(!screen.contains("error"), "{screen}");
    assert!(terminal.echoes());
    assert!(service.requested() <= 2);
}
