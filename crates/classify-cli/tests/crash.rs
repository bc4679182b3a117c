//! `classify run`, killed and interrupted at any moment: everything is settled once and paid for once.

#![cfg(unix)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use classify_emulator::{Config, RateLimits, Script};
use common::terminal::{Ends, Terminal};
use common::{Bench, Running, interrupt, start};
use serde_json::Value;

const DOCUMENTS: usize = 500;
const KILLS: u64 = 20;
const SEED: u64 = 0x5eed_c1a5;

/// A folder of five hundred documents and an emulator as fast as it gets.
fn bench() -> Bench {
    let bench = Bench::with(Config::default().rate_limits(RateLimits::none()));
    fs::remove_dir_all(bench.path().join("docs")).unwrap();
    for index in 0..DOCUMENTS {
        bench.file(
            &format!("docs/{index:03}.txt"),
            &format!("Invoice {index}: the amount is due by Friday."),
        );
    }
    bench
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

const FAST: [&str; 3] = ["--limits", "10000/s", "--resume"];
/// So slow that no process comes to its end before it is killed, whatever the machine.
const SLOW: [&str; 3] = ["--limits", "25/s", "--resume"];

/// Starts the run and kills it once the service has been asked as often as the dice tell.
fn kill_soon(bench: &Bench, requests: u64) {
    let end = bench.emulator.request_count() + requests;
    let child = start(bench, &words(&SLOW));
    bench.until(|emulator| emulator.request_count() >= end);
    let said = child.kill().stderr;
    assert!(
        !said.contains("panicked") && !said.contains("error"),
        "{said}"
    );
}

/// The next number of a sequence that is the same every time.
fn dice(state: &mut u64, sides: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % sides
}

/// Five hundred jobs, five hundred rows, every path once.
fn assert_whole(bench: &Bench) {
    let text = fs::read_to_string(bench.path().join("out.jsonl")).unwrap();
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
    assert_eq!(bench.emulator.job_count(), DOCUMENTS);
}

#[test]
fn killed_twenty_times_it_classifies_five_hundred_documents_once() {
    let bench = bench();
    let mut state = SEED;
    let mut grown = BTreeSet::new();
    for _ in 0..KILLS {
        kill_soon(&bench, 1 + dice(&mut state, 40));
        grown.insert(bench.emulator.job_count());
    }
    assert!(
        grown.len() > 3,
        "it was killed at different places: {grown:?}"
    );
    assert!(
        !bench.path().join("out.jsonl").exists(),
        "an output is there whole or not at all"
    );
    bench.run(&words(&FAST)).ends(0);
    assert_whole(&bench);
}

#[test]
fn a_lost_journal_costs_requests_and_no_money() {
    let bench = bench();
    let mut state = SEED + 1;
    for kill in 0..6 {
        kill_soon(&bench, 10 + dice(&mut state, 60));
        if kill % 2 == 1 {
            // It is begun before the first request.
            fs::remove_file(bench.path().join("out.jsonl.journal")).unwrap();
        }
    }
    bench.run(&words(&FAST)).ends(0);
    assert_whole(&bench);
}

#[test]
fn ctrl_c_prints_a_command_that_goes_on() {
    let bench = Bench::with(
        Config::default()
            .rate_limits(RateLimits::none())
            .script(Script::file("*").takes(Duration::from_secs(5))),
    );
    for index in 0..20 {
        bench.file(
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
    let child = start(&bench, &words);
    bench.until(|emulator| emulator.job_count() >= 5);
    bench.until_looked_at();
    let found = interrupt(child).ends(130);
    assert_eq!(found.lines().len(), 20);
    assert!(found.lines().iter().any(|row| row["status"] == "OPEN"));
    assert!(
        found.stderr.contains("jobs that go on meanwhile: clj-"),
        "{found:?}"
    );
    assert!(!found.stderr.contains(common::CANARY), "{found:?}");
    let line = found
        .stderr
        .lines()
        .find_map(|line| line.trim().strip_prefix("to go on: "))
        .unwrap();

    let mut shell = Command::new("sh");
    shell
        .args(["-c", line])
        .current_dir(bench.path())
        .env("LLAMA_CLOUD_API_KEY", common::CANARY)
        .env("LLAMA_CLOUD_BASE_URL", bench.emulator.base_url());
    let found = Running::start(shell).end().ends(0);
    assert_eq!(found.lines().len(), 20);
    assert_eq!(bench.emulator.job_count(), 20);
}

#[test]
fn ctrl_c_cancels_the_open_jobs_when_asked_to() {
    let bench = Bench::with(
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
    let child = start(&bench, &words);
    bench.until(|emulator| emulator.job_count() == 2);
    bench.until_looked_at();
    let found = interrupt(child).ends(130);
    assert!(
        found.lines().iter().all(|row| row["status"] == "CANCELLED"),
        "{found:?}"
    );
    assert!(!found.stderr.contains("meanwhile"), "{found:?}");
    assert!(
        bench
            .emulator
            .jobs()
            .iter()
            .all(|job| job.status == "CANCELLED")
    );
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    use classify_emulator::{Fault, FaultSchedule, Route};
    let faults = FaultSchedule::new().with(Fault::HangBefore.always().on(Route::FileCreate));
    let bench = Bench::with(
        Config::default()
            .rate_limits(RateLimits::none())
            .faults(faults),
    );
    let mut terminal = Terminal::start(&mut bench.command(&words(&[])), Ends::Stderr, 80);
    bench.until(|emulator| emulator.request_count() >= 2);
    terminal.interrupt();
    terminal.until(|screen| screen.contains("Ctrl-C again ends at once"));
    terminal.interrupt();
    terminal.ends(130);
    // It did not come to its end in order, which would have written the rows.
    assert!(!bench.path().join("out.jsonl").exists());
}
