//! `classify run`, from documents to results.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use classify_emulator::{Config, Fault, FaultSchedule, Route, Script};
use common::{Sandbox, bare_command, row, run_to_end, start, without_ids};
use serde_json::Value;

const KEYS: [&str; 9] = [
    "path",
    "status",
    "type",
    "confidence",
    "reasoning",
    "job_id",
    "file_id",
    "error",
    "error_code",
];

/// README's first command, on a folder of examples.
fn readme_command(documents: &str) -> Command {
    let mut command = bare_command(&[
        "classify",
        "run",
        documents,
        "--rules",
        "examples/rules.yaml",
        "--emulator",
    ]);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    command
}

#[test]
fn run_with_emulator_needs_no_api_key_or_network() {
    let found = run_to_end(readme_command("examples/documents"))
        .assert_exit(0)
        .assert_stderr("labels are not those of the service");
    let rows = found.lines();
    assert!(rows.len() >= 15, "{}", rows.len());
    for row in &rows {
        let keys: Vec<_> = row.as_object().unwrap().keys().collect();
        assert_eq!(keys.len(), KEYS.len());
        assert!(KEYS.iter().all(|key| row.get(key).is_some()), "{row}");
    }
    let row = |name: &str| {
        rows.iter()
            .find(|row| row["path"].as_str().unwrap().ends_with(name))
            .unwrap()
    };
    assert_eq!(row("2025/invoice-1047.pdf")["type"], "invoice");
    assert_eq!(
        row("2025/invoice-1047.pdf")["path"],
        "examples/documents/2025/invoice-1047.pdf"
    );
    assert_eq!(row("heron.txt")["type"], Value::Null);
    assert_eq!(row("heron.txt")["status"], "COMPLETED");
    assert_eq!(row("heron.txt")["error"], Value::Null);
}

#[test]
fn run_over_unreadable_document_exits_3() {
    let found = run_to_end(readme_command("examples/unreadable")).assert_exit(3);
    let rows = found.lines();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["path"], "examples/unreadable/damaged.pdf");
    assert_eq!(rows[0]["status"], "FAILED");
    assert!(rows[0]["error"].as_str().unwrap().contains("PDF_IS_BROKEN"));
}

/// Outcomes that do not depend on how the emulator scores words.
fn scripted() -> Config {
    Config::default().scripts(vec![
        Script::file("bill*").labels("invoice", 0.93),
        Script::file("soup*").matches_nothing(),
        Script::file("torn*").fails("PDF_IS_BROKEN"),
    ])
}

#[test]
fn output_formats_of_run_rows() {
    let sandbox = Sandbox::with(scripted());
    sandbox.file("docs/torn.pdf", "not a pdf");
    sandbox.file("docs/zero.txt", "");
    let run = |format: &str| {
        let words = [
            "classify",
            "run",
            "docs",
            "--rules",
            "rules.yaml",
            "--max-in-flight",
            "1",
            "--format",
            format,
        ];
        let found = sandbox.run(&words).assert_exit(3);
        without_ids(&found.stdout)
    };

    let jsonl = run("jsonl");
    let lines: Vec<&str> = jsonl.lines().collect();
    // Errors that need no request are printed first, the other rows as they finish.
    assert!(lines[0].starts_with(r#"{"path":"docs/zero.txt","status":"ERROR","type":null,"confidence":null,"reasoning":null,"job_id":null,"file_id":null,"error":"is empty: 0 bytes","error_code":"content"}"#));
    let bill = lines.iter().find(|line| line.contains("bill.txt")).unwrap();
    assert!(bill.starts_with(r#"{"path":"docs/bill.txt","status":"COMPLETED","type":"invoice","confidence":0.93,"reasoning":""#), "{bill}");
    assert!(
        bill.ends_with(r#","job_id":"clj-*","file_id":"dfl-*","error":null,"error_code":null}"#),
        "{bill}"
    );

    let json: Value = serde_json::from_str(&run("json")).unwrap();
    let paths: Vec<_> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["path"].as_str().unwrap())
        .collect();
    assert_eq!(
        paths,
        [
            "docs/bill.txt",
            "docs/soup.txt",
            "docs/torn.pdf",
            "docs/zero.txt"
        ]
    );
    assert_eq!(json[1]["type"], Value::Null);
    assert_eq!(json[2]["status"], "FAILED");
    assert_eq!(json[2]["error_code"], "job_failed");

    let csv = run("csv");
    assert!(
        csv.starts_with("path,status,type,confidence,reasoning,job_id,file_id,error\n"),
        "{csv}"
    );
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let records: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), 4);
    assert!(records.iter().any(|record| &record[0] == "docs/torn.pdf"
        && &record[1] == "FAILED"
        && record[2].is_empty()));

    let table = run("table");
    assert!(table.starts_with("In docs/\n\nDocument"), "{table}");
    for part in [
        "bill.txt",
        "invoice",
        "0.93",
        "soup.txt",
        "no match",
        "torn.pdf",
        "FAILED",
        "zero.txt",
        "is empty: 0 bytes",
    ] {
        assert!(table.contains(part), "{part}: {table}");
    }
    assert!(
        table.lines().all(|line| line.chars().count() <= 80),
        "{table}"
    );
}

#[test]
fn output_formats_preserve_unusual_file_names() {
    let sandbox = Sandbox::with(scripted());
    let name = "bill, \"größe\" 請求書 [1].txt";
    sandbox.file(&format!("odd/{name}"), "Invoice");
    let path = format!("odd/{name}");
    let run = |format: &str| {
        sandbox
            .run(&[
                "classify",
                "run",
                &path,
                "--rules",
                "rules.yaml",
                "--format",
                format,
            ])
            .assert_exit(0)
    };
    assert_eq!(run("jsonl").lines()[0]["path"], path.as_str());
    let csv = run("csv").stdout;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(&reader.records().next().unwrap().unwrap()[0], path);
    assert!(run("table").stdout.contains("請求書"));
}

#[test]
fn run_error_without_results_does_not_mention_others() {
    let sandbox = Sandbox::with(Config::default());
    let words = ["classify", "run", "nope.pdf", "--rules", "rules.yaml"];
    let found = sandbox
        .run(&words)
        .assert_exit(3)
        .assert_stderr("1 of 1 documents");
    assert!(!found.stderr.contains("the others"), "{}", found.stderr);
    assert_eq!(sandbox.emulator.request_count(), 0);
}

#[test]
fn document_deleted_during_run_does_not_stop_others() {
    let hour = Duration::from_secs(3600);
    let sandbox = Sandbox::with(scripted().script(Script::file("slow*").takes(hour)));
    sandbox.file("docs/a/slow.txt", "slow");
    let gone = sandbox.file("docs/bet.txt", "gone soon");
    let words = [
        "classify",
        "run",
        "docs",
        "--rules",
        "rules.yaml",
        "--max-in-flight",
        "1",
        "--format",
        "json",
    ];
    let child = start(&sandbox, &words);
    sandbox.wait_until(|emulator| emulator.job_count() == 1);
    fs::remove_file(gone).unwrap();
    sandbox.cancel_jobs();
    let rows = child.end().assert_exit(3).json();
    let rows = rows.as_array().unwrap();
    let lost = row(rows, "docs/bet.txt");
    assert_eq!(lost["status"], "ERROR");
    assert_eq!(lost["error_code"], "content");
    let error = lost["error"].as_str().unwrap();
    assert!(error.contains("could not be read"), "{error}");
    assert_eq!(row(rows, "docs/bill.txt")["type"], "invoice");
}

#[cfg(unix)]
#[test]
fn inputs_symlink_loops_and_unreadable_files_do_not_stop_run() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let sandbox = Sandbox::with(scripted());
    symlink("..", sandbox.path().join("docs/up")).unwrap();
    symlink(".", sandbox.path().join("docs/loop")).unwrap();
    symlink("nowhere.txt", sandbox.path().join("docs/dangling.txt")).unwrap();
    let locked = sandbox.file("docs/locked.txt", "locked");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    // Root can read everything.
    let readable = fs::File::open(&locked).is_ok();
    let found = sandbox
        .run(&[
            "classify",
            "run",
            "docs",
            "nothing-here.pdf",
            "--rules",
            "rules.yaml",
        ])
        .assert_exit(3);
    let found = found
        .assert_stderr("1 link to a folder outside")
        .assert_stderr("a link to a folder that contains it");
    let rows = found.lines();
    let status = |name: &str| {
        rows.iter()
            .find(|row| row["path"].as_str().unwrap().ends_with(name))
            .unwrap()["status"]
            .clone()
    };
    assert_eq!(status("dangling.txt"), "ERROR");
    assert_eq!(status("nothing-here.pdf"), "ERROR");
    assert_eq!(status("bill.txt"), "COMPLETED");
    assert_eq!(
        status("locked.txt"),
        if readable { "COMPLETED" } else { "ERROR" }
    );
}

#[test]
fn unauthorized_stops_run_before_next_document() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(&[
        "classify",
        "run",
        "docs",
        "--rules",
        "rules.yaml",
        "--max-in-flight",
        "1",
        "--format",
        "json",
    ]);
    command.env("LLAMA_CLOUD_API_KEY", "llx-of-another-region");
    let found = run_to_end(command).assert_exit(4);
    let rows = found.json();
    assert!(rows[0]["error"].as_str().unwrap().contains("401"));
    assert_eq!(rows[0]["error_code"], "auth");
    assert_eq!(found.error()["code"], "auth");
    assert_eq!(rows[1]["status"], "NOT_STARTED");
    assert_eq!(found.error()["kind"], "auth");
    assert_eq!(sandbox.emulator.request_count(), 1);
}

#[test]
fn payment_required_stops_run_before_next_document() {
    let faults =
        FaultSchedule::new().with(Fault::PaymentRequired.always().on(Route::ClassifyCreate));
    let sandbox = Sandbox::with(Config::default().faults(faults));
    let found = sandbox
        .run(&[
            "classify",
            "run",
            "docs",
            "--rules",
            "rules.yaml",
            "--max-in-flight",
            "1",
        ])
        .assert_exit(5);
    let rows = found.lines();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1]["status"], "NOT_STARTED", "{rows:?}");
    assert!(rows[1]["error"].as_str().unwrap().contains("402"));
    assert_eq!(rows[1]["error_code"], "quota");
    // The id of the upload is kept.
    assert!(rows[0]["file_id"].is_string());
    assert_eq!(sandbox.emulator.count(Route::ClassifyCreate), 1);
}

#[test]
fn retry_of_transient_faults_is_silent_and_creates_no_duplicates() {
    let faults = FaultSchedule::new()
        .with(Fault::ResetAfter.first(1).on(Route::ClassifyCreate))
        .with(Fault::Unavailable.first(2).on(Route::FileCreate));
    let sandbox = Sandbox::with(scripted().faults(faults));
    let found = sandbox
        .run(&["classify", "run", "docs", "--rules", "rules.yaml"])
        .assert_exit(0);
    assert_eq!(found.lines().len(), 2);
    assert!(found.stderr.is_empty(), "{found:?}");
    assert_eq!(sandbox.emulator.job_count(), 2);
}
