//! Signals that were ignored when a command started, as by `nohup`, and signals that end it.
#![cfg(unix)]

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use classify_emulator::{Config, Script};
use common::{RunningCommand, Sandbox, bare_command, status_of};
use rustix::process::{Pid, Signal, kill_process};

const SIGNALS: [(Signal, &str); 3] = [
    (Signal::HUP, "HUP"),
    (Signal::INT, "INT"),
    (Signal::TERM, "TERM"),
];

/// The same command, started with a signal ignored.
fn ignoring(name: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(format!("trap '' {name}; exec \"$0\" \"$@\""))
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .stdin(Stdio::null());
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell
}

fn send(command: &RunningCommand, signal: Signal) {
    kill_process(Pid::from_child(command), signal).unwrap();
}

/// The next of the signals.
fn another(signal: Signal) -> Signal {
    let index = SIGNALS.iter().position(|(other, _)| *other == signal);
    SIGNALS[(index.unwrap() + 1) % SIGNALS.len()].0
}

#[test]
fn signal_ignored_at_start_does_not_stop_run() {
    for (signal, name) in SIGNALS {
        let late = Script::file("late*").takes(Duration::from_secs(2));
        let sandbox = Sandbox::with(Config::default().script(late));
        sandbox.file("docs/late.txt", "Invoice: the amount is due.");
        let command = sandbox.command(&[&common::RUN[..], &["--format", "json"]].concat());
        let child = RunningCommand::start(ignoring(name, &command));
        sandbox.wait_until(|emulator| emulator.job_count() == 3);
        sandbox.wait_for_poll();
        for _ in 0..2 {
            send(&child, signal);
        }
        let ended = child.end().assert_exit(0);
        let rows = ended.json();
        assert_eq!(
            status_of(rows.as_array().unwrap(), "docs/late.txt"),
            "COMPLETED"
        );
    }
}

#[test]
fn signal_not_ignored_at_start_stops_run() {
    for (signal, _) in SIGNALS {
        let stuck = Script::file("stuck*").never_ends();
        let sandbox = Sandbox::with(Config::default().script(stuck));
        sandbox.file("docs/stuck.txt", "Invoice: the amount is due.");
        // Another signal is ignored.
        let (_, ignored) = SIGNALS
            .iter()
            .find(|(other, _)| *other == another(signal))
            .unwrap();
        let command = sandbox.command(&common::RUN);
        let child = RunningCommand::start(ignoring(ignored, &command));
        sandbox.wait_until(|emulator| emulator.job_count() == 3);
        sandbox.wait_for_poll();
        send(&child, another(signal));
        send(&child, signal);
        child.end().assert_exit(130);
    }
}

#[test]
fn signal_ignored_at_start_does_not_stop_emulator() {
    for (signal, name) in SIGNALS {
        let folder = tempfile::tempdir().unwrap();
        let port_file = folder.path().join("port");
        let words = ["emulator", "--port", "0", "--port-file"];
        let mut command = bare_command(&words);
        command.arg(&port_file);
        let mut child = RunningCommand::start(ignoring(name, &command));
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        send(&child, signal);
        std::thread::sleep(Duration::from_millis(200));
        assert!(get(line.trim()).starts_with("HTTP/1.1 200"), "{name}");
        send(&child, another(signal));
        child.end().assert_exit(0);
        assert!(!port_file.exists(), "{name}");
    }
}

#[test]
fn signal_ignored_at_start_does_not_stop_webhook_listener() {
    for (signal, name) in SIGNALS {
        let command = bare_command(&["webhooks", "listen", "--port", "0"]);
        let mut child = RunningCommand::start(ignoring(name, &command));
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("http://") {
            line.clear();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0);
        }
        send(&child, signal);
        std::thread::sleep(Duration::from_millis(200));
        let url = line.rsplit(' ').next().unwrap().trim();
        // It accepts deliveries only; any response will do.
        assert!(get(url).starts_with("HTTP/1.1 405"), "{name}");
        send(&child, another(signal));
        child.end().assert_exit(0);
    }
}

/// The response of a server to a GET.
fn get(url: &str) -> String {
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "GET /_emulator HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}
