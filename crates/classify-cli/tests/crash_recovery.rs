//! `classify run`, killed and interrupted at any moment: each document is finished once and charged once.

#![cfg(unix)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use classify_emulator::{Config, RateLimits, Script};
use common::terminal::{Attached, Terminal};
use common::{RunningCommand, Sandbox, interrupt, start};
use serde_json::Value;

const DOCUMENTS: usize = 500;
const KILLS: u64 = 20;
const SEED: u64 = 0x5eed_c1a5;

/// A folder of five hundred documents and an emulator as fast as it gets.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with(Config::default().rate_limits(RateLimits::none()));
    fs::remove_dir_all(sandbox.path().join("docs")).unwrap();
    for index in 0..DOCUMENTS {
        sandbox.file(
            &format!("docs/{index:03}.txt"),
            &format!("Invoice {index}: the amount is due by Friday."),
        );
    }
    sandbox
}

fn words<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let run = [
        "classify",
        "run",
        "docs",
        "--rules",
        "rules.yaml",
        "--max-in-flight",
        "50",
        "--poll-interval",
        "100ms",
        "--output",
        "out.jsonl",
    ];
    [&run[..], more].concat()
}

const FAST: [&str; 3] = ["--rate-limit", "10000/s", "--resume"];
/// Slow enough that no process ends before it is killed, on any machine.
const SLOW: [&str; 3] = ["--rate-limit", "25/s", "--resume"];

/// Starts the run and kills it after a random number of requests.
fn kill_soon(sandbox: &Sandbox, requests: u64) {
    let end = sandbox.emulator.request_count() + requests;
    let child = start(sandbox, &words(&SLOW));
    sandbox.wait_until(|emulator| emulator.request_count() >= end);
    let output = child.kill().stderr;
    assert!(
        !output.contains("panicked") && !output.contains("error"),
        "{output}"
    );
}

/// The next number of a sequence that is the same every time.
fn random_below(state: &mut u64, sides: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % sides
}

/// Five hundred jobs, five hundred rows, every path once.
fn assert_whole(sandbox: &Sandbox) {
    let text = fs::read_to_string(sandbox.path().join("out.jsonl")).unwrap();
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let unique =
        |key: &str| -> BTreeSet<&str> { rows.iter().filter_map(|row| row[key].as_str()).collect() };
    assert_eq!(rows.len(), DOCUMENTS);
    assert_eq!(unique("path").len(), DOCUMENTS);
    assert_eq!(unique("job_id").len(), DOCUMENTS);
    assert!(rows.iter().all(|row| row["status"] == "COMPLETED"));
    assert_eq!(sandbox.emulator.job_count(), DOCUMENTS);
}

#[test]
fn resume_after_repeated_kills_classifies_each_document_once() {
    let sandbox = sandbox();
    let mut state = SEED;
    let mut grown = BTreeSet::new();
    for _ in 0..KILLS {
        kill_soon(&sandbox, 1 + random_below(&mut state, 40));
        grown.insert(sandbox.emulator.job_count());
    }
    assert!(
        grown.len() > 3,
        "it was killed at different places: {grown:?}"
    );
    assert!(
        !sandbox.path().join("out.jsonl").exists(),
        "an output is there whole or not at all"
    );
    sandbox.run(&words(&FAST)).assert_exit(0);
    assert_whole(&sandbox);
}

#[test]
fn journal_loss_after_kill_creates_no_duplicate_jobs() {
    let sandbox = sandbox();
    let mut state = SEED + 1;
    for kill in 0..6 {
        kill_soon(&sandbox, 10 + random_below(&mut state, 60));
        if kill % 2 == 1 {
            // The journal is created before the first request.
            fs::remove_file(sandbox.path().join("out.jsonl.journal")).unwrap();
        }
    }
    sandbox.run(&words(&FAST)).assert_exit(0);
    assert_whole(&sandbox);
}

#[test]
fn resume_command_printed_on_interrupt_completes_run() {
    let sandbox = Sandbox::with(
        Config::default()
            .rate_limits(RateLimits::none())
            .script(Script::file("*").takes(Duration::from_secs(5))),
    );
    for index in 0..20 {
        sandbox.file(
            &format!("it's here/{index:02}.txt"),
            &format!("Invoice {index}"),
        );
    }
    let words = [
        "classify",
        "run",
        "it's here",
        "--rule",
        "invoice=asks for payment, \"now\" & here",
        "--journal",
        "my journal",
        "--max-in-flight",
        "5",
        "--poll-interval",
        "50ms",
        "--api-key",
        common::CANARY,
    ];
    let child = start(&sandbox, &words);
    sandbox.wait_until(|emulator| emulator.job_count() >= 5);
    sandbox.wait_for_poll();
    let found = interrupt(child).assert_exit(130);
    assert_eq!(found.lines().len(), 20);
    assert!(found.lines().iter().any(|row| row["status"] == "OPEN"));
    assert!(found.stderr.contains("open jobs: clj-"), "{found:?}");
    assert!(!found.stderr.contains(common::CANARY), "{found:?}");
    let line = found
        .stderr
        .lines()
        .find_map(|line| line.trim().strip_prefix("to resume: "))
        .unwrap();

    let mut shell = Command::new("sh");
    shell
        .args(["-c", line])
        .current_dir(sandbox.path())
        .env("LLAMA_CLOUD_API_KEY", common::CANARY)
        .env("LLAMA_CLOUD_BASE_URL", sandbox.emulator.base_url());
    let found = RunningCommand::start(shell).end().assert_exit(0);
    assert_eq!(found.lines().len(), 20);
    assert_eq!(sandbox.emulator.job_count(), 20);
}

#[test]
fn cancel_on_interrupt_cancels_open_jobs() {
    let sandbox = Sandbox::with(
        Config::default()
            .rate_limits(RateLimits::none())
            .script(Script::file("*").never_ends()),
    );
    let words = [
        "classify",
        "run",
        "docs",
        "--rules",
        "rules.yaml",
        "--cancel-on-interrupt",
        "--poll-interval",
        "50ms",
    ];
    let child = start(&sandbox, &words);
    sandbox.wait_until(|emulator| emulator.job_count() == 2);
    sandbox.wait_for_poll();
    let found = interrupt(child).assert_exit(130);
    assert!(
        found.lines().iter().all(|row| row["status"] == "CANCELLED"),
        "{found:?}"
    );
    assert!(!found.stderr.contains("meanwhile"), "{found:?}");
    assert!(
        sandbox
            .emulator
            .jobs()
            .iter()
            .all(|job| job.status == "CANCELLED")
    );
}

#[test]
fn interrupt_second_ctrl_c_exits_immediately() {
    use classify_emulator::{Fault, FaultSchedule, Route};
    let faults = FaultSchedule::new().with(Fault::HangBefore.always().on(Route::FileCreate));
    let sandbox = Sandbox::with(
        Config::default()
            .rate_limits(RateLimits::none())
            .faults(faults),
    );
    let mut terminal = Terminal::start(&mut sandbox.command(&words(&[])), Attached::Stderr, 80);
    sandbox.wait_until(|emulator| emulator.request_count() >= 2);
    terminal.interrupt();
    terminal.wait_until(|screen| screen.contains("Ctrl-C again to exit at once"));
    terminal.interrupt();
    terminal.assert_exit(130);
    // A graceful stop would have written the rows.
    assert!(!sandbox.path().join("out.jsonl").exists());
}
