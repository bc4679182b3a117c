//! Stopping early: Ctrl-C, deadlines, and closed pipes.

mod common;

use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use classify_emulator::{Config, RateLimits, Route, Script};
use common::{RUN, Sandbox, interrupt, row, start, status_of};
use serde_json::Value;

fn stuck() -> Sandbox {
    let sandbox = Sandbox::with(Config::default().script(Script::file("stuck*").never_ends()));
    sandbox.file("docs/stuck.txt", "never ends");
    sandbox
}

#[cfg(unix)]
#[test]
fn interrupt_of_run_lists_open_jobs_and_resume_command() {
    let sandbox = stuck();
    let child = start(
        &sandbox,
        &[
            "classify",
            "run",
            "docs",
            "--rules",
            "rules.yaml",
            "--poll-interval",
            "50ms",
            "--format",
            "json",
        ],
    );
    sandbox.wait_until(|emulator| {
        emulator
            .jobs()
            .iter()
            .filter(|job| job.status == "COMPLETED")
            .count()
            == 2
    });
    sandbox.wait_for_poll();
    let found = interrupt(child).assert_exit(130);
    let rows = found.json();
    let stuck = row(rows.as_array().unwrap(), "docs/stuck.txt");
    let id = stuck["job_id"].as_str().unwrap();
    assert_eq!(stuck["status"], "OPEN");
    assert_eq!(
        rows.as_array()
            .unwrap()
            .iter()
            .filter(|row| row["status"] == "COMPLETED")
            .count(),
        2
    );
    assert_eq!(found.error()["kind"], "interrupted");
    assert_eq!(found.error()["open_jobs"], serde_json::json!([id]));
    assert!(
        found.error()["resume"]
            .as_str()
            .unwrap()
            .ends_with("classify run docs --rules rules.yaml --poll-interval 50ms --format json")
    );
}

#[cfg(unix)]
#[test]
fn interrupt_of_wait_prints_command_to_continue() {
    let sandbox = stuck();
    let run = sandbox
        .run(&[
            "classify",
            "run",
            "docs/stuck.txt",
            "--rules",
            "rules.yaml",
            "--poll-interval",
            "50ms",
            "--timeout",
            "0",
        ])
        .assert_exit(3);
    let id = run.lines()[0]["job_id"].as_str().unwrap().to_owned();
    let child = start(&sandbox, &["classify", "wait", &id]);
    sandbox.wait_until(|emulator| emulator.count(Route::ClassifyGet) > 0);
    interrupt(child)
        .assert_exit(130)
        .assert_stderr(&format!("classify wait {id}"));
}

#[cfg(unix)]
#[test]
fn interrupt_with_closed_stdout_lists_open_jobs() {
    let sandbox = stuck();
    let words = [&["classify", "run", "docs/stuck.txt"], &RUN[3..]].concat();
    let mut child = start(&sandbox, &words);
    sandbox.wait_until(|emulator| emulator.job_count() == 1);
    sandbox.wait_for_poll();
    // In a pipeline, Ctrl-C stops every process.
    drop(child.stdout.take());
    let id = sandbox.emulator.jobs()[0].id.clone();
    interrupt(child)
        .assert_exit(130)
        .assert_stderr(&format!("open jobs: {id}"));
}

#[test]
fn deadline_ends_run_and_keeps_results() {
    let sandbox = stuck();
    let words = [
        "classify",
        "run",
        "docs",
        "--rules",
        "rules.yaml",
        "--poll-interval",
        "50ms",
        "--deadline",
        "6s",
        "--format",
        "json",
    ];
    let found = sandbox.run(&words).assert_exit(8);
    let rows = found.json();
    let rows = rows.as_array().unwrap();
    assert_eq!(status_of(rows, "docs/bill.txt"), "COMPLETED");
    assert_eq!(status_of(rows, "docs/stuck.txt"), "OPEN");
    assert_eq!(found.error()["kind"], "timeout");
}

#[test]
fn timeout_per_job_leaves_document_open() {
    let sandbox = stuck();
    let found = sandbox
        .run(&[
            "classify",
            "run",
            "docs",
            "--rules",
            "rules.yaml",
            "--poll-interval",
            "50ms",
            "--timeout",
            "1s",
            "--format",
            "json",
        ])
        .assert_exit(3);
    let rows = found.json();
    let stuck = row(rows.as_array().unwrap(), "docs/stuck.txt");
    assert_eq!(stuck["status"], "OPEN");
    assert!(stuck["job_id"].is_string());
    assert!(
        stuck["error"]
            .as_str()
            .unwrap()
            .contains("did not wait any longer"),
        "{stuck}"
    );
}

#[test]
fn broken_pipe_ends_commands_without_error() {
    let sandbox = Sandbox::with(
        Config::default().script(Script::file("late*").takes(Duration::from_millis(600))),
    );
    for index in 0..4 {
        sandbox.file(&format!("docs/late{index}.txt"), "Invoice");
    }
    let words = [
        "classify",
        "run",
        "docs",
        "--rules",
        "rules.yaml",
        "--max-in-flight",
        "1",
    ];
    let mut child = start(&sandbox, &words);
    let mut first = String::new();
    // The reader is dropped with its pipe.
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    assert!(serde_json::from_str::<Value>(&first).is_ok());
    assert_eq!(child.end().assert_exit(0).stderr, "");
    // A command without a reader does not start.
    assert!(
        sandbox.emulator.job_count() < 6,
        "{}",
        sandbox.emulator.job_count()
    );

    // The same for a command that prints once, and for the help.
    for words in [
        &["classify", "list"][..],
        &["--help"],
        &[
            "classify",
            "run",
            "docs",
            "--rules",
            "rules.yaml",
            "--poll-interval",
            "50ms",
            "--format",
            "table",
        ],
    ] {
        let mut child = start(&sandbox, words);
        drop(child.stdout.take());
        assert_eq!(child.end().assert_exit(0).stderr, "", "{words:?}");
    }
}

/// Nobody reads the rows: the run stops all the same, and creates no more jobs.
#[cfg(unix)]
#[test]
fn interrupt_stops_run_whose_output_nobody_reads() {
    let sandbox = Sandbox::with(Config::default().rate_limits(RateLimits::none()));
    for number in 0..500 {
        sandbox.file(&format!("docs/{number}.txt"), &format!("Invoice {number}"));
    }
    let words = [
        "classify",
        "run",
        "docs",
        "--rules",
        "rules.yaml",
        "--rate-limit",
        "300/s",
    ];
    let polls = ["--poll-interval", "50ms", "--format", "jsonl"];
    // Its output is read at its end. A pipe holds 64 KiB, which is less than 250 rows.
    let child = start(&sandbox, &[&words[..], &polls].concat());
    sandbox.wait_until(|emulator| emulator.job_count() >= 250);
    child.interrupt();
    std::thread::sleep(Duration::from_secs(2));
    let jobs = sandbox.emulator.job_count();
    assert!(jobs < 500, "{jobs}");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(sandbox.emulator.job_count(), jobs);
    let rows = child.end().assert_exit(130).lines();
    assert_eq!(rows.len(), 502);
    // Documents that were classified before the interrupt are reported, even if their rows are written later.
    let reported = rows.iter().filter(|row| row["job_id"].is_string()).count();
    assert_eq!(reported, jobs);
}

/// The longest time that can be written does not overflow the clock.
#[test]
fn deadline_beyond_any_clock_is_never_reached() {
    let sandbox = Sandbox::new();
    let words = [
        "classify",
        "run",
        "docs",
        "--rules",
        "rules.yaml",
        "--deadline",
    ];
    for deadline in ["9223372036854775807s", "18446744073709551614s"] {
        let output = sandbox.run(&[&words[..], &[deadline]].concat());
        assert!(matches!(output.code, 0 | 2), "{output:?}");
        assert!(!output.stderr.contains("panicked"), "{output:?}");
    }
}
