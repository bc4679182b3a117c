//! Output while a command runs, and control characters on a terminal.

#![cfg(unix)]

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use classify_emulator::{Config, RateLimits, Script};
use common::stub_server::StubServer;
use common::terminal::{Attached, Terminal};
use common::{RUN, RunningCommand, Sandbox, bare_command, run_to_end};
use serde_json::{Value, json};

/// Sends an event, and returns whether it was accepted.
fn deliver(address: &str, id: &str) -> bool {
    let body = json!({"event_type": "classify.success", "event_id": id, "data": {"job_id": format!("clj-{id}")}});
    let body = body.to_string();
    let Ok(mut socket) = TcpStream::connect(address) else {
        return false;
    };
    let sent = write!(
        socket,
        "POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut answer = String::new();
    let read = BufReader::new(socket).read_line(&mut answer);
    sent.is_ok() && read.is_ok() && answer.contains("204")
}

fn address_in(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("deliveries at http://")?;
    let (address, _) = rest.split_once('/')?;
    Some(address.split_whitespace().collect())
}

fn stop(child: &std::process::Child) {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
}

#[test]
fn webhook_listen_prints_each_event_on_arrival() {
    let words = ["webhooks", "listen", "--port", "0"];
    let mut terminal = Terminal::start(&mut bare_command(&words), Attached::Both, 100);
    let screen = terminal.wait_until(|screen| address_in(screen).is_some());
    let address = address_in(&screen).unwrap();
    assert!(deliver(&address, "first"));
    terminal.wait_until(|screen| screen.contains("clj-first"));
    assert!(deliver(&address, "second"));
    let screen = terminal.wait_until(|screen| screen.contains("clj-second"));
    assert!(
        !screen.contains("}]") && !screen.lines().any(|line| line == "["),
        "{screen}"
    );
    terminal.interrupt();
    terminal.assert_exit(0);
}

#[test]
fn webhook_listen_accepts_host_name() {
    for (host, shown) in [
        ("localhost", "http://127.0.0.1:"),
        ("127.0.0.1", "http://127.0.0.1:"),
    ] {
        let words = ["webhooks", "listen", "--port", "0", "--host", host];
        let mut child = RunningCommand::start(bare_command(&words));
        let mut notes = BufReader::new(child.stderr.take().unwrap()).lines();
        let note = notes.find_map(|line| line.ok().filter(|line| line.contains("http://")));
        let note = note.unwrap();
        assert!(note.contains(shown), "{note}");
        assert!(deliver(&address_in(&note).unwrap(), "1"));
        stop(&child);
        child.end().assert_exit(0);
    }
    let words = [
        "webhooks",
        "listen",
        "--port",
        "0",
        "--host",
        "no.such.host.invalid",
    ];
    run_to_end(bare_command(&words))
        .assert_exit(1)
        .assert_stderr("cannot listen on port 0 of no.such.host.invalid");
}

#[test]
fn wait_job_prints_each_job_as_it_ends() {
    let config = Config::default().rate_limits(RateLimits::none());
    let sandbox = Sandbox::with(config.script(Script::file("stuck*").never_ends()));
    sandbox.file("docs/stuck.txt", "never ends");
    let id = |path: &str| {
        let words = [&["classify", "run", path], &RUN[3..], &["--timeout", "0"]].concat();
        sandbox.run(&words).lines()[0]["job_id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (ended, stuck) = (id("docs/bill.txt"), id("docs/stuck.txt"));
    let words = ["classify", "wait", &ended, &stuck];
    let mut terminal = Terminal::start(&mut sandbox.command(&words), Attached::Both, 100);
    let shown = format!("\"id\": \"{ended}\"");
    terminal.wait_until(|_| terminal.written().contains(&shown));
    terminal.interrupt();
    terminal.assert_exit(130);
}

#[test]
fn webhook_listen_json_array_grows_with_each_event() {
    let words = ["webhooks", "listen", "--port", "0", "--format", "json"];
    let mut child = RunningCommand::start(bare_command(&words));
    let mut notes = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = address_in(
        &notes
            .find_map(|line| line.ok().filter(|line| line.contains("http://")))
            .unwrap(),
    )
    .unwrap();
    let mut printed = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    for id in ["a", "b"] {
        assert!(deliver(&address, id));
        while !text.contains(&format!("clj-{id}")) {
            assert_ne!(printed.read_line(&mut text).unwrap(), 0, "{text}");
        }
    }
    stop(&child);
    printed.read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    let events: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(events.as_array().unwrap().len(), 2, "{text}");
    assert!(text.starts_with("[\n  {\n    \"event_id\""), "{text}");
    assert!(
        text.contains("\n  },\n  {\n") && text.ends_with("\n  }\n]\n"),
        "{text}"
    );
}

#[test]
fn webhook_listen_prints_every_acknowledged_event() {
    for (flags, most) in [(&["--max-items", "3"][..], 3), (&[], usize::MAX)] {
        let words = [&["webhooks", "listen", "--port", "0"], flags].concat();
        let mut child = RunningCommand::start(bare_command(&words));
        let mut notes = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = address_in(
            &notes
                .find_map(|line| line.ok().filter(|line| line.contains("http://")))
                .unwrap(),
        )
        .unwrap();
        let senders: Vec<_> = (0..8)
            .map(|sender| {
                let address = address.clone();
                std::thread::spawn(move || {
                    let ids = (0..40).map(|nth| format!("{sender}-{nth}"));
                    ids.filter(|id| deliver(&address, id)).collect::<Vec<_>>()
                })
            })
            .collect();
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        printed.read_line(&mut text).unwrap();
        if most == usize::MAX {
            stop(&child);
        }
        printed.read_to_string(&mut text).unwrap();
        assert!(child.wait().unwrap().success());
        let taken: Vec<String> = senders
            .into_iter()
            .flat_map(|sender| sender.join().unwrap())
            .collect();
        assert!(!taken.is_empty());
        for id in &taken {
            assert!(
                text.contains(&format!("clj-{id}\"")),
                "{id} is not in {text}"
            );
        }
        assert!(text.lines().count() <= most, "{text}");
        if most == 3 {
            assert_eq!((taken.len(), text.lines().count()), (3, 3));
        }
    }
}

#[test]
fn terminal_control_characters_in_responses_are_replaced() {
    const ODD: &str = "\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}end\tok";
    let service = StubServer::start(|asked| {
        let id = serde_json::to_string(ODD).unwrap();
        let job = format!(r#"{{"id": "clj-1", "status": "FAILED", "error_message": {id}}}"#);
        let list = format!(r#"{{"items": [{job}]}}"#);
        (
            200,
            if asked.line.contains("clj-1") {
                job
            } else {
                list
            },
        )
    });
    let sandbox = Sandbox::new();
    for words in [
        &[
            "classify",
            "get",
            "clj-1",
            "--transform",
            "error_message",
            "-r",
        ][..],
        &["classify", "get", "clj-1"],
        &["classify", "list", "--format", "csv"],
        &["classify", "list", "--format", "jsonl"],
        &["classify", "list", "--format", "yaml"],
        &["classify", "get", "clj-1", "--format", "raw"],
        &["classify", "list", "--format", "table"],
    ] {
        let mut command = sandbox.command(words);
        command
            .env("LLAMA_CLOUD_BASE_URL", service.url())
            .env("NO_COLOR", "1");
        let mut terminal = Terminal::start(&mut command, Attached::Both, 200);
        terminal.assert_exit(0);
        let written = terminal.written().replace("\u{1b}]0;end\u{7}", "");
        assert!(written.contains("end"), "{words:?}: {written:?}");
        let steers = |c: char| c.is_control() && !"\r\n\t".contains(c) || c == '\u{202e}';
        assert!(!written.contains(steers), "{words:?}: {written:?}");
        // A program receives it unchanged.
        let mut piped = sandbox.command(words);
        piped.env("LLAMA_CLOUD_BASE_URL", service.url());
        let found = run_to_end(piped).assert_exit(0).stdout;
        if words.contains(&"-r") {
            assert_eq!(found, format!("{ODD}\n"));
        }
    }
    // Rows of a run, too.
    sandbox.file("docs/\u{9b}31modd.txt", "Invoice: payment is due");
    let words = [&RUN[..], &["--format", "jsonl"]].concat();
    let mut terminal = Terminal::start(&mut sandbox.command(&words), Attached::Both, 200);
    terminal.assert_exit(0);
    assert!(
        !terminal.written().contains('\u{9b}'),
        "{:?}",
        terminal.written()
    );
}

/// As in `docker run -t` and in many build servers.
#[test]
fn terminal_without_size_is_as_wide_as_columns_or_80() {
    let sandbox = Sandbox::new();
    let words = [&RUN[..], &["--format", "table"]].concat();
    for (columns, width) in [
        (None, 80),
        (Some("120"), 120),
        (Some("0"), 80),
        (Some("x"), 80),
    ] {
        for color in [true, false] {
            let mut command = sandbox.command(&words);
            if let Some(columns) = columns {
                command.env("COLUMNS", columns);
            }
            if !color {
                command.env("NO_COLOR", "1");
            }
            let mut terminal = Terminal::start(&mut command, Attached::Both, 0);
            let screen = terminal.assert_exit(0);
            assert!(screen.contains("invoice"), "{columns:?}:\n{screen}");
            let widest = screen.lines().map(|line| line.chars().count()).max();
            let widest = widest.unwrap_or_default();
            assert!(
                (width - 30..=width).contains(&widest),
                "{columns:?}: {widest}\n{screen}"
            );
        }
    }
}

#[test]
fn progress_of_terminal_without_size_is_one_line_each() {
    let config = Config::default().rate_limits(RateLimits::none());
    let sandbox = Sandbox::with(config.script(Script::file("stuck*").never_ends()));
    sandbox.file("docs/stuck.txt", "never ends");
    let mut terminal = Terminal::start(&mut sandbox.command(&RUN), Attached::Stderr, 0);
    let screen = terminal.wait_until(|screen| screen.contains("2 done, 0 failed"));
    assert!(screen.contains("2 of 3"), "{screen}");
    terminal.interrupt();
    terminal.assert_exit(130);
}

#[test]
fn webhook_verify_env_secret_is_not_a_file_reference() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("name"), "what is in the file").unwrap();
    std::fs::write(folder.path().join("body"), r#"{"event_type": "x"}"#).unwrap();
    let verify = |secret: &str, signature: &str| {
        let mut command: Command =
            bare_command(&["webhooks", "verify", "body", "--signature", signature]);
        command
            .current_dir(folder.path())
            .env("LLAMA_CLOUD_WEBHOOK_SECRET", secret);
        run_to_end(command)
    };
    let wrong = verify("@name", "sha256=00").assert_exit(1);
    assert!(!wrong.stderr.contains("name"), "{wrong:?}");
    // Of that body under that secret, computed by Python's hmac.
    verify(
        "@name",
        "sha256=1d4c3972e47ba352028971641d667617050952e3079f331b28060d6ce4a531e8",
    )
    .assert_exit(0);
    verify("", "sha256=00")
        .assert_exit(2)
        .assert_stderr("no secret: set");
    // A value that is not a file is not printed either.
    let wrong = verify("@canary-secret", "sha256=00").assert_exit(1);
    assert!(!wrong.stderr.contains("canary-secret"), "{wrong:?}");
}

#[test]
fn output_format_names_of_official_cli_are_accepted() {
    let sandbox = Sandbox::new();
    let explored = sandbox
        .run(&["classify", "list", "--format", "explore"])
        .assert_exit(0);
    explored.assert_stderr("explore");
    sandbox
        .run(&["classify", "list", "--format", "PRETTY"])
        .assert_exit(0);
    sandbox
        .run(&[
            "classify",
            "run",
            "docs",
            "--rules",
            "rules.yaml",
            "--format",
            "explore",
        ])
        .assert_exit(0);
    let wrong = sandbox
        .run(&["classify", "list", "--format", "xml"])
        .assert_exit(2);
    for form in [
        "auto", "json", "jsonl", "yaml", "table", "csv", "raw", "pretty", "explore",
    ] {
        assert!(wrong.stderr.contains(form), "{form}: {wrong:?}");
    }
    for flag in ["-v", "-V", "--version"] {
        let output = sandbox.run(&[flag]).assert_exit(0);
        assert!(
            output.stdout.starts_with("llamacloud-prod "),
            "{flag}: {output:?}"
        );
    }
}

#[test]
fn error_format_applies_to_usage_errors() {
    let sandbox = Sandbox::new();
    for (words, is_json) in [
        (&["--format-error", "json"][..], true),
        (&["--format-error=JSONL"], true),
        (&["--format", "raw"], true),
        (&["--format", "json", "--format-error", "table"], false),
        (&["--format-error", "auto", "--format", "json"], false),
        (&["--format", "yaml"], false),
    ] {
        let output = sandbox
            .run(&[&["classify", "list", "--bogus"], words].concat())
            .assert_exit(2);
        assert_eq!(
            output.stderr.starts_with('{'),
            is_json,
            "{words:?}: {output:?}"
        );
    }
}
