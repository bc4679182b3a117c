//! Stopping before the end: Ctrl-C, deadlines, and readers that go away.

mod common;

use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use classify_emulator::{Config, Route, Script};
use common::{Bench, RUN, interrupt, row, start, status_of};
use serde_json::Value;

fn stuck() -> Bench {
    let bench = Bench::with(Config::default().script(Script::file("stuck*").never_ends()));
    bench.file("docs/stuck.txt", "never ends");
    bench
}

#[cfg(unix)]
#[test]
fn ctrl_c_lists_the_open_jobs_and_how_to_go_on() {
    let bench = stuck();
    let child = start(
        &bench,
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
    bench.until(|emulator| {
        emulator
            .jobs()
            .iter()
            .filter(|job| job.status == "COMPLETED")
            .count()
            == 2
    });
    bench.until_looked_at();
    let found = interrupt(child).ends(130);
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
fn ctrl_c_during_a_wait_says_how_to_go_on() {
    let bench = stuck();
    let run = bench
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
        .ends(3);
    let id = run.lines()[0]["job_id"].as_str().unwrap().to_owned();
    let child = start(&bench, &["classify", "wait", &id]);
    bench.until(|emulator| emulator.count(Route::ClassifyGet) > 0);
    interrupt(child)
        .ends(130)
        .complains(&format!("classify wait {id}"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_names_the_open_jobs_even_when_the_reader_is_gone() {
    let bench = stuck();
    let words = [&["classify", "run", "docs/stuck.txt"], &RUN[3..]].concat();
    let mut child = start(&bench, &words);
    bench.until(|emulator| emulator.job_count() == 1);
    bench.until_looked_at();
    // In a shell's pipeline Ctrl-C ends every part of it.
    drop(child.stdout.take());
    let id = bench.emulator.jobs()[0].id.clone();
    interrupt(child)
        .ends(130)
        .complains(&format!("jobs that go on meanwhile: {id}"));
}

#[test]
fn a_deadline_ends_the_run_and_keeps_what_is_settled() {
    let bench = stuck();
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
    let found = bench.run(&words).ends(8);
    let rows = found.json();
    let rows = rows.as_array().unwrap();
    assert_eq!(status_of(rows, "docs/bill.txt"), "COMPLETED");
    assert_eq!(status_of(rows, "docs/stuck.txt"), "OPEN");
    assert_eq!(found.error()["kind"], "timeout");
}

#[test]
fn a_timeout_for_each_job_leaves_that_document_open() {
    let bench = stuck();
    let found = bench
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
        .ends(3);
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
fn a_reader_that_goes_away_ends_it_quietly() {
    let bench = Bench::with(
        Config::default().script(Script::file("late*").takes(Duration::from_millis(600))),
    );
    for index in 0..4 {
        bench.file(&format!("docs/late{index}.txt"), "Invoice");
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
    let mut child = start(&bench, &words);
    let mut first = String::new();
    // Taken and dropped with its pipe.
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    assert!(serde_json::from_str::<Value>(&first).is_ok());
    assert_eq!(child.end().ends(0).stderr, "");
    // What nobody would read is not begun.
    assert!(
        bench.emulator.job_count() < 6,
        "{}",
        bench.emulator.job_count()
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
        let mut child = start(&bench, words);
        drop(child.stdout.take());
        assert_eq!(child.end().ends(0).stderr, "", "{words:?}");
    }
}
