//! The journal of `classify run`: resuming, rejected journals, and no second charge.

mod common;

use std::fs;

use classify_emulator::{Config, Fault, FaultSchedule, Route, Script};
use common::{RUN, run_bulk as run, run_to_end, start, status_of, with_documents};
use serde_json::Value;

#[test]
fn journal_beside_output_resumes_without_requests() {
    let sandbox = with_documents(Config::default(), 4);
    let found = run(&sandbox, &["--output", "docs/out.csv"]).assert_exit(0);
    assert_eq!(found.stdout, "");
    let csv = fs::read_to_string(sandbox.path().join("docs/out.csv")).unwrap();
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines.len(), 7);
    assert_eq!(
        lines[0],
        "path,status,type,confidence,reasoning,job_id,file_id,error"
    );
    assert!(
        lines[1].starts_with("docs/000.txt,COMPLETED,"),
        "{}",
        lines[1]
    );
    assert!(sandbox.path().join("docs/out.csv.journal").is_file());

    // Again: rejected without --resume; with it all rows are printed without a request.
    run(&sandbox, &["--output", "docs/out.csv"])
        .assert_exit(2)
        .assert_stderr("--resume");
    let requests = sandbox.emulator.request_count();
    fs::remove_file(sandbox.path().join("docs/out.csv")).unwrap();
    run(&sandbox, &["--output", "docs/out.csv", "--resume"]).assert_exit(0);
    let again = fs::read_to_string(sandbox.path().join("docs/out.csv")).unwrap();
    assert_eq!(
        again, csv,
        "neither the output nor the journal became a document"
    );
    assert_eq!(sandbox.emulator.request_count(), requests);
    // New files in the folder are classified.
    sandbox.file("docs/new.txt", "Invoice: another amount.");
    run(&sandbox, &["--output", "docs/out.csv", "--resume"]).assert_exit(0);
    assert_eq!(sandbox.emulator.job_count(), 7);

    run(&sandbox, &["--output", "nowhere/out.csv"])
        .assert_exit(2)
        .assert_stderr("the folder does not exist");
    run(&sandbox, &["--output", "docs"])
        .assert_exit(2)
        .assert_stderr("is not a file name");
}

#[test]
fn journal_is_required_by_resume_and_fresh() {
    let sandbox = with_documents(Config::default(), 0);
    for flag in ["--resume", "--fresh"] {
        run(&sandbox, &[flag])
            .assert_exit(2)
            .assert_stderr("--journal FILE");
    }
    run(&sandbox, &["--journal", "j", "--output", "j"]).assert_exit(2);
    assert_eq!(sandbox.emulator.request_count(), 0);
    // A missing journal is created.
    run(&sandbox, &["--journal", "j", "--resume"]).assert_exit(0);
}

#[test]
fn journal_of_different_run_is_rejected_with_difference() {
    let sandbox = with_documents(Config::default(), 1);
    run(&sandbox, &["--journal", "j"]).assert_exit(0);
    let before = fs::read(sandbox.path().join("j")).unwrap();
    let requests = sandbox.emulator.request_count();
    run(
        &sandbox,
        &[
            "--journal",
            "j",
            "--resume",
            "--rule",
            "letter=is addressed to somebody",
        ],
    )
    .assert_exit(2)
    .assert_stderr("\"letter\" is in the rules now and not in the journal");
    run(
        &sandbox,
        &["--journal", "j", "--resume", "--project-id", "p-2"],
    )
    .assert_exit(2)
    .assert_stderr("project: none in the journal, \"p-2\" now");
    run(&sandbox, &["--journal", "rules.yaml", "--resume"])
        .assert_exit(2)
        .assert_stderr("journal");
    assert_eq!(sandbox.emulator.request_count(), requests);
    assert_eq!(fs::read(sandbox.path().join("j")).unwrap(), before);
}

#[test]
fn journal_incomplete_last_line_is_truncated() {
    let sandbox = with_documents(Config::default(), 3);
    run(&sandbox, &["--journal", "j"]).assert_exit(0);
    let path = sandbox.path().join("j");
    let text = fs::read_to_string(&path).unwrap();
    // The last line only records the end of the run, so the line before it is cut too.
    let whole = text.strip_suffix("{\"record\":\"ended\"}\n").unwrap();
    let whole = whole.as_bytes();
    let last = whole[..whole.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap();
    for cut in [last + 1, last + 2, last + 40, whole.len() - 1] {
        fs::write(&path, &whole[..cut]).unwrap();
        let found = run(&sandbox, &["--journal", "j", "--resume"]).assert_exit(0);
        assert_eq!(found.lines().len(), 5);
        assert_eq!(
            found.stderr.contains("removed the incomplete last line"),
            cut > last + 1,
            "{}",
            found.stderr
        );
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines() {
            serde_json::from_str::<Value>(line).unwrap();
        }
    }
    assert_eq!(sandbox.emulator.job_count(), 5);
}

#[test]
fn retry_failed_flag_is_required_to_rerun_failed_documents() {
    let config = Config::default().script(Script::file("bad*").fails("TOO_DARK"));
    let sandbox = with_documents(config, 1);
    sandbox.file("docs/bad.txt", "a dark scan");
    run(&sandbox, &["--journal", "j"]).assert_exit(3);
    let rows = run(&sandbox, &["--journal", "j", "--resume"])
        .assert_exit(3)
        .lines();
    assert_eq!(status_of(&rows, "docs/bad.txt"), "FAILED");
    assert_eq!(sandbox.emulator.job_count(), 4);
    sandbox.emulator.set_scripts(Vec::new()).unwrap();
    let rows = run(&sandbox, &["--journal", "j", "--resume", "--retry-failed"])
        .assert_exit(0)
        .lines();
    assert_eq!(status_of(&rows, "docs/bad.txt"), "COMPLETED");
    assert_eq!(sandbox.emulator.job_count(), 5);
}

#[test]
fn fresh_run_creates_new_jobs_once() {
    let sandbox = with_documents(Config::default(), 2);
    run(&sandbox, &["--journal", "first"]).assert_exit(0);
    run(&sandbox, &["--journal", "second", "--fresh"]).assert_exit(0);
    assert_eq!(sandbox.emulator.job_count(), 8);
    run(&sandbox, &["--journal", "second", "--fresh", "--resume"]).assert_exit(0);
    run(&sandbox, &["--journal", "second", "--resume"]).assert_exit(0);
    assert_eq!(sandbox.emulator.job_count(), 8);
    run(&sandbox, &["--journal", "first", "--fresh", "--resume"])
        .assert_exit(2)
        .assert_stderr("without --fresh");
}

#[test]
fn payment_required_stops_run_and_resume_completes_it() {
    let faults = FaultSchedule::new().with(Fault::PaymentRequired.nth(4).on(Route::ClassifyCreate));
    let sandbox = with_documents(Config::default().faults(faults), 10);
    let words = [
        "--journal",
        "j",
        "--max-in-flight",
        "2",
        "--concurrency",
        "1",
        "--format",
        "json",
    ];
    let found = run(&sandbox, &words).assert_exit(5);
    let rows = found.json();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 12);
    let settled = rows
        .iter()
        .filter(|row| row["status"] == "COMPLETED")
        .count();
    let left = rows
        .iter()
        .filter(|row| row["status"] == "NOT_STARTED")
        .count();
    assert_eq!((settled, left), (3, 9), "{rows:?}");
    assert_eq!(found.error()["kind"], "quota");
    let resume = found.error()["resume"].as_str().unwrap().to_owned();
    assert!(resume.ends_with("--resume"), "{resume}");

    // Out of credits at once: finished documents are still reported as finished.
    sandbox.emulator.set_faults(
        FaultSchedule::new().with(Fault::PaymentRequired.always().on(Route::ClassifyCreate)),
    );
    let again = run(&sandbox, &[&words[..], &["--resume"]].concat())
        .assert_exit(5)
        .json();
    let settled = again
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["status"] == "COMPLETED");
    assert_eq!(settled.count(), 3);

    sandbox.emulator.set_faults(FaultSchedule::new());
    let rows = run(&sandbox, &[&words[..], &["--resume"]].concat())
        .assert_exit(0)
        .json();
    assert_eq!(rows.as_array().unwrap().len(), 12);
    assert_eq!(sandbox.emulator.job_count(), 12);
}

#[test]
fn journal_is_locked_against_second_process() {
    let config = Config::default().script(Script::file("bill*").never_ends());
    let sandbox = with_documents(config, 0);
    let first = start(&sandbox, &[&RUN[..], &["--journal", "j"]].concat());
    sandbox.wait_until(|emulator| emulator.job_count() == 2);
    let requests = sandbox.emulator.count(Route::ClassifyCreate);
    for flags in [&["--journal", "j"][..], &["--journal", "j", "--resume"]] {
        run(&sandbox, flags)
            .assert_exit(2)
            .assert_stderr("another run is writing to the journal j");
    }
    assert_eq!(sandbox.emulator.count(Route::ClassifyCreate), requests);
    first.kill();
}

#[cfg(target_os = "linux")]
#[test]
fn journal_on_full_disk_prevents_all_requests() {
    let sandbox = with_documents(Config::default(), 2);
    let rows = run(&sandbox, &["--journal", "/dev/full", "--format", "json"])
        .assert_exit(1)
        .assert_stderr("the journal cannot be written: No space left on device");
    let rows = rows.json();
    assert!(
        rows.as_array()
            .unwrap()
            .iter()
            .all(|row| row["status"] == "NOT_STARTED")
    );
    assert_eq!(rows.as_array().unwrap().len(), 4);
    assert_eq!(sandbox.emulator.request_count(), 0);
}

#[test]
fn journal_of_other_base_url_is_rejected_unless_both_are_local() {
    let sandbox = with_documents(Config::default(), 2);
    let words = ["--journal", "j", "--format", "json", "--resume"];
    run(&sandbox, &words).assert_exit(0);
    let requests = sandbox.emulator.request_count();
    // Results of an emulator must not be reported as the service's, and jobs of one region not polled in another.
    let elsewhere = run(&sandbox, &[&words[..], &["--region", "eu"]].concat()).assert_exit(2);
    let message = elsewhere.error()["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("base URL") && message.contains(".eu."),
        "{message}"
    );
    assert!(
        message.contains(sandbox.emulator.base_url()),
        "{message}: both are named"
    );
    let text = fs::read_to_string(sandbox.path().join("j")).unwrap();
    let moved = text.replace(sandbox.emulator.base_url(), "http://localhost:1");
    assert_ne!(text, moved, "the first line tells the service");
    fs::write(sandbox.path().join("j"), moved).unwrap();
    run(&sandbox, &words).assert_exit(0);
    // A journal without a base URL is of an earlier version.
    let (first, rest) = text.split_once('\n').unwrap();
    let mut first: Value = serde_json::from_str(first).unwrap();
    first.as_object_mut().unwrap().remove("base_url");
    fs::write(sandbox.path().join("j"), format!("{first}\n{rest}")).unwrap();
    run(&sandbox, &words).assert_exit(0);
    assert_eq!(sandbox.emulator.request_count(), requests);
}

#[test]
fn dry_run_rejects_journal_like_the_real_run() {
    let sandbox = with_documents(Config::default(), 1);
    let dry = |words: &[&str]| run(&sandbox, &[words, &["--dry-run"]].concat());
    // No journal is created.
    dry(&["--journal", "j"]).assert_exit(0);
    assert!(!sandbox.path().join("j").exists());
    run(&sandbox, &["--journal", "j"]).assert_exit(0);
    let before = fs::read(sandbox.path().join("j")).unwrap();
    dry(&["--journal", "j"])
        .assert_exit(2)
        .assert_stderr("--resume");
    let words = ["--journal", "j", "--resume"];
    dry(&[&words[..], &["--rule", "letter=is addressed to somebody"]].concat())
        .assert_exit(2)
        .assert_stderr("\"letter\" is in the rules now and not in the journal");
    dry(&[&words[..], &["--region", "eu"]].concat())
        .assert_exit(2)
        .assert_stderr("base URL");
    dry(&[&words[..], &["--fresh"]].concat())
        .assert_exit(2)
        .assert_stderr("without --fresh");
    dry(&["--journal", "rules.yaml", "--resume"])
        .assert_exit(2)
        .assert_stderr("journal");
    // No key is needed for that.
    let mut keyless = sandbox.command(&[&RUN[..], &words, &["--dry-run"]].concat());
    keyless.env_remove("LLAMA_CLOUD_API_KEY");
    assert_eq!(run_to_end(keyless).assert_exit(0).lines()[0]["settled"], 3);
    assert_eq!(fs::read(sandbox.path().join("j")).unwrap(), before);
}

#[test]
fn dry_run_counts_finished_open_and_new_jobs_of_resume() {
    let config = Config::default()
        .script(Script::file("bad*").fails("TOO_DARK"))
        .script(Script::file("stuck*").never_ends());
    let sandbox = with_documents(config, 1);
    sandbox.file("docs/bad.txt", "a dark scan");
    sandbox.file("docs/stuck.txt", "never ends");
    run(&sandbox, &["--journal", "j", "--timeout", "2s"]).assert_exit(3);
    sandbox.file("docs/new.txt", "Invoice: one more.");
    let plan = |words: &[&str]| {
        let found = run(
            &sandbox,
            &[&["--journal", "j", "--resume", "--dry-run"], words].concat(),
        );
        let plan = &found.assert_exit(0).lines()[0];
        ["settled", "open", "jobs"].map(|key| plan[key].as_u64().unwrap())
    };
    assert_eq!(plan(&[]), [4, 1, 1]);
    assert_eq!(plan(&["--retry-failed"]), [3, 1, 2]);
    // The run does what the dry run reported.
    let jobs = sandbox.emulator.job_count();
    let words = [
        "--journal",
        "j",
        "--resume",
        "--retry-failed",
        "--timeout",
        "2s",
    ];
    run(&sandbox, &words).assert_exit(3);
    assert_eq!(sandbox.emulator.job_count(), jobs + 2);
}
