//! The journal of `classify run`: what is gone on with, what is refused, and what is never bought twice.

mod common;

use std::fs;

use classify_emulator::{Config, Fault, FaultSchedule, Route, Script};
use common::{RUN, bulk as run, said, start, status_of, with_documents};
use serde_json::Value;

#[test]
fn an_output_is_whole_and_in_order_and_its_journal_lies_beside_it() {
    let bench = with_documents(Config::default(), 4);
    let found = run(&bench, &["--output", "docs/out.csv"]).ends(0);
    assert_eq!(found.stdout, "");
    let csv = fs::read_to_string(bench.path().join("docs/out.csv")).unwrap();
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
    assert!(bench.path().join("docs/out.csv.journal").is_file());

    // Again: refused without --resume; with it everything is told and nothing is asked.
    run(&bench, &["--output", "docs/out.csv"])
        .ends(2)
        .complains("--resume");
    let requests = bench.emulator.request_count();
    fs::remove_file(bench.path().join("docs/out.csv")).unwrap();
    run(&bench, &["--output", "docs/out.csv", "--resume"]).ends(0);
    let again = fs::read_to_string(bench.path().join("docs/out.csv")).unwrap();
    assert_eq!(
        again, csv,
        "neither the output nor the journal became a document"
    );
    assert_eq!(bench.emulator.request_count(), requests);
    // What is new in the folder is taken in.
    bench.file("docs/new.txt", "Invoice: another amount.");
    run(&bench, &["--output", "docs/out.csv", "--resume"]).ends(0);
    assert_eq!(bench.emulator.job_count(), 7);

    run(&bench, &["--output", "nowhere/out.csv"])
        .ends(2)
        .complains("no such folder");
    run(&bench, &["--output", "docs"])
        .ends(2)
        .complains("no name for a file");
}

#[test]
fn what_needs_a_journal_says_so() {
    let bench = with_documents(Config::default(), 0);
    for flag in ["--resume", "--fresh"] {
        run(&bench, &[flag]).ends(2).complains("--journal FILE");
    }
    run(&bench, &["--journal", "j", "--output", "j"]).ends(2);
    assert_eq!(bench.emulator.request_count(), 0);
    // One that is not there yet is begun.
    run(&bench, &["--journal", "j", "--resume"]).ends(0);
}

#[test]
fn a_journal_of_another_run_is_refused_with_the_difference() {
    let bench = with_documents(Config::default(), 1);
    run(&bench, &["--journal", "j"]).ends(0);
    let before = fs::read(bench.path().join("j")).unwrap();
    let requests = bench.emulator.request_count();
    run(
        &bench,
        &[
            "--journal",
            "j",
            "--resume",
            "--rule",
            "letter=is addressed to somebody",
        ],
    )
    .ends(2)
    .complains("\"letter\" is in the rules now and not in the journal");
    run(
        &bench,
        &["--journal", "j", "--resume", "--project-id", "p-2"],
    )
    .ends(2)
    .complains("project: none in the journal, \"p-2\" now");
    run(&bench, &["--journal", "rules.yaml", "--resume"])
        .ends(2)
        .complains("journal");
    assert_eq!(bench.emulator.request_count(), requests);
    assert_eq!(fs::read(bench.path().join("j")).unwrap(), before);
}

#[test]
fn a_torn_last_line_is_cut_off() {
    let bench = with_documents(Config::default(), 3);
    run(&bench, &["--journal", "j"]).ends(0);
    let path = bench.path().join("j");
    let text = fs::read_to_string(&path).unwrap();
    // The very last line says only that the run has ended; the one before it is worth more.
    let whole = text.strip_suffix("{\"record\":\"ended\"}\n").unwrap();
    let whole = whole.as_bytes();
    let last = whole[..whole.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap();
    for cut in [last + 1, last + 2, last + 40, whole.len() - 1] {
        fs::write(&path, &whole[..cut]).unwrap();
        let found = run(&bench, &["--journal", "j", "--resume"]).ends(0);
        assert_eq!(found.lines().len(), 5);
        assert_eq!(
            found.stderr.contains("torn"),
            cut > last + 1,
            "{}",
            found.stderr
        );
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines() {
            serde_json::from_str::<Value>(line).unwrap();
        }
    }
    assert_eq!(bench.emulator.job_count(), 5);
}

#[test]
fn failed_documents_are_paid_for_again_only_when_asked() {
    let config = Config::default().script(Script::file("bad*").fails("TOO_DARK"));
    let bench = with_documents(config, 1);
    bench.file("docs/bad.txt", "a dark scan");
    run(&bench, &["--journal", "j"]).ends(3);
    let rows = run(&bench, &["--journal", "j", "--resume"]).ends(3).lines();
    assert_eq!(status_of(&rows, "docs/bad.txt"), "FAILED");
    assert_eq!(bench.emulator.job_count(), 4);
    bench.emulator.set_scripts(Vec::new()).unwrap();
    let rows = run(&bench, &["--journal", "j", "--resume", "--retry-failed"])
        .ends(0)
        .lines();
    assert_eq!(status_of(&rows, "docs/bad.txt"), "COMPLETED");
    assert_eq!(bench.emulator.job_count(), 5);
}

#[test]
fn a_fresh_run_pays_anew_and_once() {
    let bench = with_documents(Config::default(), 2);
    run(&bench, &["--journal", "first"]).ends(0);
    run(&bench, &["--journal", "second", "--fresh"]).ends(0);
    assert_eq!(bench.emulator.job_count(), 8);
    run(&bench, &["--journal", "second", "--fresh", "--resume"]).ends(0);
    run(&bench, &["--journal", "second", "--resume"]).ends(0);
    assert_eq!(bench.emulator.job_count(), 8);
    run(&bench, &["--journal", "first", "--fresh", "--resume"])
        .ends(2)
        .complains("without --fresh");
}

#[test]
fn credits_that_run_out_stop_the_run_and_a_resume_completes_it() {
    let faults = FaultSchedule::new().with(Fault::PaymentRequired.nth(4).on(Route::ClassifyCreate));
    let bench = with_documents(Config::default().faults(faults), 10);
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
    let found = run(&bench, &words).ends(5);
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

    // Out of credits at once: what was settled is still told as settled.
    bench.emulator.set_faults(
        FaultSchedule::new().with(Fault::PaymentRequired.always().on(Route::ClassifyCreate)),
    );
    let again = run(&bench, &[&words[..], &["--resume"]].concat())
        .ends(5)
        .json();
    let settled = again
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["status"] == "COMPLETED");
    assert_eq!(settled.count(), 3);

    bench.emulator.set_faults(FaultSchedule::new());
    let rows = run(&bench, &[&words[..], &["--resume"]].concat())
        .ends(0)
        .json();
    assert_eq!(rows.as_array().unwrap().len(), 12);
    assert_eq!(bench.emulator.job_count(), 12);
}

#[test]
fn two_processes_do_not_share_a_journal() {
    let config = Config::default().script(Script::file("bill*").never_ends());
    let bench = with_documents(config, 0);
    let first = start(&bench, &[&RUN[..], &["--journal", "j"]].concat());
    bench.until(|emulator| emulator.job_count() == 2);
    let requests = bench.emulator.count(Route::ClassifyCreate);
    for flags in [&["--journal", "j"][..], &["--journal", "j", "--resume"]] {
        run(&bench, flags)
            .ends(2)
            .complains("another run is writing to the journal j");
    }
    assert_eq!(bench.emulator.count(Route::ClassifyCreate), requests);
    first.kill();
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_is_bought_when_the_disk_is_full() {
    let bench = with_documents(Config::default(), 2);
    let rows = run(&bench, &["--journal", "/dev/full", "--format", "json"])
        .ends(1)
        .complains("the journal cannot be written: No space left on device");
    let rows = rows.json();
    assert!(
        rows.as_array()
            .unwrap()
            .iter()
            .all(|row| row["status"] == "NOT_STARTED")
    );
    assert_eq!(rows.as_array().unwrap().len(), 4);
    assert_eq!(bench.emulator.request_count(), 0);
}

#[test]
fn a_journal_of_another_service_is_refused_and_another_port_of_this_machine_is_none() {
    let bench = with_documents(Config::default(), 2);
    let words = ["--journal", "j", "--format", "json", "--resume"];
    run(&bench, &words).ends(0);
    let requests = bench.emulator.request_count();
    // What an emulator made up must not be told as the service's, nor one region's jobs be looked for in another.
    let elsewhere = run(&bench, &[&words[..], &["--region", "eu"]].concat()).ends(2);
    let message = elsewhere.error()["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("base URL") && message.contains(".eu."),
        "{message}"
    );
    assert!(
        message.contains(bench.emulator.base_url()),
        "{message}: both are named"
    );
    let text = fs::read_to_string(bench.path().join("j")).unwrap();
    let moved = text.replace(bench.emulator.base_url(), "http://localhost:1");
    assert_ne!(text, moved, "the first line tells the service");
    fs::write(bench.path().join("j"), moved).unwrap();
    run(&bench, &words).ends(0);
    // One that tells none is of a version before this.
    let (first, rest) = text.split_once('\n').unwrap();
    let mut first: Value = serde_json::from_str(first).unwrap();
    first.as_object_mut().unwrap().remove("base_url");
    fs::write(bench.path().join("j"), format!("{first}\n{rest}")).unwrap();
    run(&bench, &words).ends(0);
    assert_eq!(bench.emulator.request_count(), requests);
}

#[test]
fn a_dry_run_refuses_the_journals_that_the_run_would_refuse() {
    let bench = with_documents(Config::default(), 1);
    let dry = |words: &[&str]| run(&bench, &[words, &["--dry-run"]].concat());
    // None is made.
    dry(&["--journal", "j"]).ends(0);
    assert!(!bench.path().join("j").exists());
    run(&bench, &["--journal", "j"]).ends(0);
    let before = fs::read(bench.path().join("j")).unwrap();
    dry(&["--journal", "j"]).ends(2).complains("--resume");
    let words = ["--journal", "j", "--resume"];
    dry(&[&words[..], &["--rule", "letter=is addressed to somebody"]].concat())
        .ends(2)
        .complains("\"letter\" is in the rules now and not in the journal");
    dry(&[&words[..], &["--region", "eu"]].concat())
        .ends(2)
        .complains("base URL");
    dry(&[&words[..], &["--fresh"]].concat())
        .ends(2)
        .complains("without --fresh");
    dry(&["--journal", "rules.yaml", "--resume"])
        .ends(2)
        .complains("journal");
    // No key is needed for that.
    let mut keyless = bench.command(&[&RUN[..], &words, &["--dry-run"]].concat());
    keyless.env_remove("LLAMA_CLOUD_API_KEY");
    assert_eq!(said(keyless).ends(0).lines()[0]["settled"], 3);
    assert_eq!(fs::read(bench.path().join("j")).unwrap(), before);
}

#[test]
fn a_dry_run_counts_what_would_be_bought_again_and_what_is_open() {
    let config = Config::default()
        .script(Script::file("bad*").fails("TOO_DARK"))
        .script(Script::file("stuck*").never_ends());
    let bench = with_documents(config, 1);
    bench.file("docs/bad.txt", "a dark scan");
    bench.file("docs/stuck.txt", "never ends");
    run(&bench, &["--journal", "j", "--timeout", "2s"]).ends(3);
    bench.file("docs/new.txt", "Invoice: one more.");
    let plan = |words: &[&str]| {
        let found = run(
            &bench,
            &[&["--journal", "j", "--resume", "--dry-run"], words].concat(),
        );
        let plan = &found.ends(0).lines()[0];
        ["settled", "open", "jobs"].map(|key| plan[key].as_u64().unwrap())
    };
    assert_eq!(plan(&[]), [4, 1, 1]);
    assert_eq!(plan(&["--retry-failed"]), [3, 1, 2]);
    // What it says is what happens.
    let jobs = bench.emulator.job_count();
    let words = [
        "--journal",
        "j",
        "--resume",
        "--retry-failed",
        "--timeout",
        "2s",
    ];
    run(&bench, &words).ends(3);
    assert_eq!(bench.emulator.job_count(), jobs + 2);
}
