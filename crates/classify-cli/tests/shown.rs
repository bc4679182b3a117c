//! What is seen while a command goes on, and what a terminal is spared.

#![cfg(unix)]

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use classify_emulator::{Config, RateLimits, Script};
use common::canned::Canned;
use common::terminal::{Ends, Terminal};
use common::{Bench, RUN, Running, bare, said};
use serde_json::{Value, json};

/// Sends an event, and says whether it was taken.
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
    let (_, rest) = text.split_once("received at http://")?;
    let (address, _) = rest.split_once('/')?;
    Some(address.split_whitespace().collect())
}

fn stop(child: &std::process::Child) {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
}

#[test]
fn an_event_is_on_the_screen_when_it_has_come() {
    let words = ["webhooks", "listen", "--port", "0"];
    let mut terminal = Terminal::start(&mut bare(&words), Ends::Both, 100);
    let screen = terminal.until(|screen| address_in(screen).is_some());
    let address = address_in(&screen).unwrap();
    assert!(deliver(&address, "first"));
    terminal.until(|screen| screen.contains("clj-first"));
    assert!(deliver(&address, "second"));
    let screen = terminal.until(|screen| screen.contains("clj-second"));
    assert!(
        !screen.contains("}]") && !screen.lines().any(|line| line == "["),
        "{screen}"
    );
    terminal.interrupt();
    terminal.ends(0);
}

#[test]
fn a_job_is_on_the_screen_when_it_has_ended() {
    let config = Config::default().rate_limits(RateLimits::none());
    let bench = Bench::with(config.script(Script::file("stuck*").never_ends()));
    bench.file("docs/stuck.txt", "never ends");
    let id = |path: &str| {
        let words = [&["classify", "run", path], &RUN[3..], &["--timeout", "0"]].concat();
        bench.run(&words).lines()[0]["job_id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (ended, stuck) = (id("docs/bill.txt"), id("docs/stuck.txt"));
    let words = ["classify", "wait", &ended, &stuck];
    let mut terminal = Terminal::start(&mut bench.command(&words), Ends::Both, 100);
    let shown = format!("\"id\": \"{ended}\"");
    terminal.until(|_| terminal.written().contains(&shown));
    terminal.interrupt();
    terminal.ends(130);
}

#[test]
fn an_array_grows_as_events_come() {
    let words = ["webhooks", "listen", "--port", "0", "--format", "json"];
    let mut child = Running::start(bare(&words));
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
fn what_is_acknowledged_is_printed() {
    for (flags, most) in [(&["--max-items", "3"][..], 3), (&[], usize::MAX)] {
        let words = [&["webhooks", "listen", "--port", "0"], flags].concat();
        let mut child = Running::start(bare(&words));
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
fn a_terminal_is_not_steered_by_what_the_service_says() {
    const ODD: &str = "\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}end\tok";
    let service = Canned::start(|asked| {
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
    let bench = Bench::new();
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
        let mut command = bench.command(words);
        command
            .env("LLAMA_CLOUD_BASE_URL", service.url())
            .env("NO_COLOR", "1");
        let mut terminal = Terminal::start(&mut command, Ends::Both, 200);
        terminal.ends(0);
        let written = terminal.written().replace("\u{1b}]0;end\u{7}", "");
        assert!(written.contains("end"), "{words:?}: {written:?}");
        let steers = |c: char| c.is_control() && !"\r\n\t".contains(c) || c == '\u{202e}';
        assert!(!written.contains(steers), "{words:?}: {written:?}");
        // A program is given it as it is.
        let mut piped = bench.command(words);
        piped.env("LLAMA_CLOUD_BASE_URL", service.url());
        let found = said(piped).ends(0).stdout;
        if words.contains(&"-r") {
            assert_eq!(found, format!("{ODD}\n"));
        }
    }
    // Rows of a run, too.
    bench.file("docs/\u{9b}31modd.txt", "Invoice: payment is due");
    let words = [&RUN[..], &["--format", "jsonl"]].concat();
    let mut terminal = Terminal::start(&mut bench.command(&words), Ends::Both, 200);
    terminal.ends(0);
    assert!(
        !terminal.written().contains('\u{9b}'),
        "{:?}",
        terminal.written()
    );
}

#[test]
fn a_secret_of_the_environment_is_no_name_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("name"), "what is in the file").unwrap();
    std::fs::write(folder.path().join("body"), r#"{"event_type": "x"}"#).unwrap();
    let verify = |secret: &str, signature: &str| {
        let mut command: Command = bare(&["webhooks", "verify", "body", "--signature", signature]);
        command
            .current_dir(folder.path())
            .env("LLAMA_CLOUD_WEBHOOK_SECRET", secret);
        said(command)
    };
    let wrong = verify("@name", "sha256=00").ends(1);
    assert!(!wrong.stderr.contains("name"), "{wrong:?}");
    // Of that body under that secret, computed by Python's hmac.
    verify(
        "@name",
        "sha256=1d4c3972e47ba352028971641d667617050952e3079f331b28060d6ce4a531e8",
    )
    .ends(0);
    verify("", "sha256=00")
        .ends(2)
        .complains("there is no secret");
    // One that is no file is not shown either.
    let wrong = verify("@canary-secret", "sha256=00").ends(1);
    assert!(!wrong.stderr.contains("canary-secret"), "{wrong:?}");
}

#[test]
fn forms_of_the_official_tool_are_understood() {
    let bench = Bench::new();
    let explored = bench
        .run(&["classify", "list", "--format", "explore"])
        .ends(0);
    explored.complains("explore");
    bench
        .run(&["classify", "list", "--format", "PRETTY"])
        .ends(0);
    bench
        .run(&[
            "classify",
            "run",
            "docs",
            "--rules",
            "rules.yaml",
            "--format",
            "explore",
        ])
        .ends(0);
    let wrong = bench.run(&["classify", "list", "--format", "xml"]).ends(2);
    for form in [
        "auto", "json", "jsonl", "yaml", "table", "csv", "raw", "pretty", "explore",
    ] {
        assert!(wrong.stderr.contains(form), "{form}: {wrong:?}");
    }
    for flag in ["-v", "-V", "--version"] {
        let said = bench.run(&[flag]).ends(0);
        assert!(
            said.stdout.starts_with("llamacloud-prod "),
            "{flag}: {said:?}"
        );
    }
}

#[test]
fn a_mistake_is_told_in_the_form_that_errors_shall_have() {
    let bench = Bench::new();
    for (words, is_json) in [
        (&["--format-error", "json"][..], true),
        (&["--format-error=JSONL"], true),
        (&["--format", "raw"], true),
        (&["--format", "json", "--format-error", "table"], false),
        (&["--format-error", "auto", "--format", "json"], false),
        (&["--format", "yaml"], false),
    ] {
        let said = bench
            .run(&[&["classify", "list", "--bogus"], words].concat())
            .ends(2);
        assert_eq!(said.stderr.starts_with('{'), is_json, "{words:?}: {said:?}");
    }
}
