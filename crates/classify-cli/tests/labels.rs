//! `classify run --labels`: a run compared with labels.

mod common;

use std::fs;

use classify_emulator::{Config, Script};
use common::{RUN, Sandbox, run_bulk as run};
use serde_json::{Value, json};

/// Two invoices, one of them classified as a recipe; a recipe; one document without a match; and one that fails.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with(Config::default().scripts(vec![
        Script::file("bill*").labels("invoice", 0.93),
        Script::file("odd*").labels("recipe", 0.40),
        Script::file("stew*").labels("recipe", 0.85),
        Script::file("soup*").matches_nothing(),
        Script::file("torn*").fails("PDF_IS_BROKEN"),
    ]));
    for name in ["odd.txt", "stew.txt", "torn.pdf"] {
        sandbox.file(&format!("docs/{name}"), name);
    }
    sandbox.file(
        "truth/labels.csv",
        "path,type\ndocs/bill.txt,invoice\n../docs/odd.txt,invoice\ndocs/stew.txt,recipe\n\
         docs/torn.pdf,invoice\ndocs/gone.txt,recipe\n",
    );
    sandbox
}

const LABELS: [&str; 2] = ["--labels", "truth/labels.csv"];

fn evaluation(stderr: &str) -> Value {
    let line = stderr
        .lines()
        .find(|line| line.starts_with("{\"evaluation\""))
        .unwrap_or_else(|| panic!("{stderr}"));
    serde_json::from_str::<Value>(line).unwrap()["evaluation"].clone()
}

#[test]
fn labels_evaluation_is_printed_as_json() {
    let sandbox = sandbox();
    let output = run(&sandbox, &[&LABELS[..], &["--format", "jsonl"]].concat()).assert_exit(3);
    assert_eq!(output.lines().len(), 5);
    let found = evaluation(&output.stderr);
    for (key, value) in [
        ("labelled", json!(4)),
        ("answered", json!(3)),
        ("correct", json!(2)),
        ("accuracy", json!(0.5)),
        ("labels_not_in_run", json!(1)),
        ("documents_without_label", json!(1)),
        ("first_labels_not_in_run", json!(["docs/gone.txt"])),
        ("first_documents_without_label", json!(["docs/soup.txt"])),
    ] {
        assert_eq!(found[key], value, "{key}");
    }
    let invoice = &found["types"][0];
    assert_eq!(invoice["type"], "invoice");
    assert_eq!(invoice["precision"], 1.0);
    assert_eq!(invoice["recall"], json!(1.0 / 3.0));
    let cells = found["confusion"].as_array().unwrap();
    let sum: u64 = cells
        .iter()
        .map(|cell| cell["documents"].as_u64().unwrap())
        .sum();
    assert_eq!(sum, 4);
    assert!(cells.contains(
        &json!({"expected": "invoice", "found": null, "answered": false, "documents": 1})
    ));
    let at = |threshold: f64| {
        let steps = found["thresholds"].as_array().unwrap();
        let step = steps.iter().find(|step| step["threshold"] == threshold);
        let step = step.unwrap();
        (step["covered"].as_u64(), step["correct"].as_u64())
    };
    assert_eq!(at(0.0), (Some(3), Some(2)));
    assert_eq!(at(0.4), (Some(3), Some(2)));
    assert_eq!(at(0.45), (Some(2), Some(2)));
    assert_eq!(at(0.9), (Some(1), Some(1)));
}

#[test]
fn labels_evaluation_is_printed_as_tables_and_in_report_page() {
    let sandbox = sandbox();
    let words = [&LABELS[..], &["--report", "report.html"]].concat();
    let output = run(&sandbox, &words)
        .assert_exit(3)
        .assert_stderr(
            "Accuracy 50.0 %: 2 of 4 labelled documents are correct; 1 has no result",
        )
        .assert_stderr("1 label refers to a document that is not in this run: docs/gone.txt; 1 document has no label: docs/soup.txt.")
        .assert_stderr("No result");
    assert!(
        output
            .stderr
            .lines()
            .all(|line| line.chars().count() <= 160)
    );
    let page = fs::read_to_string(sandbox.path().join("report.html")).unwrap();
    assert!(page.contains("Accuracy 50.0 %") && page.contains("<polyline"));
    assert_eq!(page.matches("✗ ").count(), 2);
    assert_eq!(page.matches("✓ ").count(), 2);
    let quiet = run(&sandbox, &[&LABELS[..], &["--quiet"]].concat()).assert_exit(3);
    assert!(!quiet.stderr.contains("Accuracy"), "{quiet:?}");
}

#[test]
fn labels_from_corrected_run_rows_are_accepted() {
    let sandbox = sandbox();
    run(&sandbox, &["--output", "truth.csv", "--journal", "j"]).assert_exit(3);
    let rows = fs::read_to_string(sandbox.path().join("truth.csv")).unwrap();
    let right = rows.replace("odd.txt,COMPLETED,recipe", "odd.txt,COMPLETED,invoice");
    sandbox.file("truth.csv", &right);
    let output = run(&sandbox, &["--labels", "truth.csv", "--format", "json"]).assert_exit(3);
    let found = evaluation(&output.stderr);
    // The one that failed has no label, and the one without a match has.
    assert_eq!(
        (&found["labelled"], &found["correct"]),
        (&json!(4), &json!(3))
    );
    assert_eq!(found["documents_without_label"], 1);
}

#[test]
fn labels_invalid_file_is_rejected_before_any_request() {
    let sandbox = sandbox();
    for (name, text, parts) in [
        (
            "a.csv",
            "docs/bill.txt,invoice\n",
            &["a.csv: line 1", "missing column `path`"][..],
        ),
        (
            "b.csv",
            "path,kind,note\nx,y,z\n",
            &["line 1", "missing column `type`", "`kind`, `note`"],
        ),
        (
            "c.csv",
            "path,type\ndocs/bill.txt,invoice\n./docs/bill.txt,invoice\n",
            &["line 3", "./docs/bill.txt", "line 2"],
        ),
        (
            "d.jsonl",
            "{\"path\": 5, \"type\": null}\n",
            &["line 1", "`path` is not a text"],
        ),
    ] {
        sandbox.file(name, text);
        let mut output = run(&sandbox, &["--labels", name]).assert_exit(2);
        for part in parts {
            output = output.assert_stderr(part);
        }
        run(&sandbox, &["--labels", name, "--dry-run"]).assert_exit(2);
    }
    run(&sandbox, &["--labels", "nowhere.csv"])
        .assert_exit(2)
        .assert_stderr("nowhere.csv: cannot be read");
    assert_eq!(sandbox.emulator.request_count(), 0);
}

#[test]
fn labels_type_without_rule_is_reported() {
    let sandbox = sandbox();
    sandbox.file("docs/truth.csv", "path,type\nbill.txt,Invoice\nsoup.txt,\n");
    let output = run(
        &sandbox,
        &["--labels", "docs/truth.csv", "--format", "json"],
    )
    .assert_exit(3)
    .assert_stderr(r#"has the type \"Invoice\", which no rule has"#);
    let found = evaluation(&output.stderr);
    // Types are compared exactly, and the labels file is not a document.
    assert_eq!(
        (&found["labelled"], &found["correct"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(output.json().as_array().unwrap().len(), 5);
}

#[test]
fn labels_of_shard_count_only_its_documents() {
    let sandbox = sandbox();
    let mut labelled = 0;
    for shard in ["1/2", "2/2"] {
        let words = ["--shard", shard, "--format", "json"];
        let output = sandbox.run(&[&RUN[..], &LABELS, &words].concat());
        let found = evaluation(&output.stderr);
        let here = found["labelled"].as_u64().unwrap();
        assert_eq!(found["labels_not_in_run"].as_u64().unwrap(), 5 - here);
        labelled += here;
    }
    assert_eq!(labelled, 4);
}

#[test]
fn labels_of_other_documents_are_reported_and_spaces_trimmed() {
    let sandbox = sandbox();
    sandbox.file(
        "other.csv",
        "path,type\nelsewhere/a.txt,invoice\nelsewhere/b.txt,recipe\n",
    );
    let output = run(&sandbox, &["--labels", "other.csv", "--dry-run", "--quiet"]).assert_exit(0);
    assert!(output.stderr.contains("none of its 2 labels"), "{output:?}");
    assert!(output.stderr.contains("elsewhere/a.txt"), "{output:?}");
    assert_eq!(sandbox.emulator.request_count(), 0);
    // A space after the comma is ignored, but a name that begins with a space is found too.
    sandbox.file("docs/ odd name.txt", "Invoice");
    sandbox.file(
        "blank.csv",
        "path, type\n docs/bill.txt,invoice\ndocs/ odd name.txt,recipe\n",
    );
    let output = run(&sandbox, &["--labels", "blank.csv", "--format", "jsonl"]).assert_exit(3);
    assert_eq!(evaluation(&output.stderr)["labelled"], 2);
}

#[test]
fn labels_without_document_and_documents_without_label_are_named_before_any_charge() {
    let sandbox = sandbox();
    let dry = run(&sandbox, &[&LABELS[..], &["--dry-run"]].concat())
        .assert_exit(0)
        .assert_stderr("1 label refers to a document that is not in this run: docs/gone.txt")
        .assert_stderr("1 document has no label: docs/soup.txt");
    assert!(!dry.stderr.contains("warning"), "{dry:?}");
    let many: Vec<_> = (0..1000)
        .map(|index| format!("docs/no{index}.txt,kind {index}\n"))
        .collect();
    sandbox.file(
        "many.csv",
        &format!("path,type\ndocs/bill.txt,invoice\n{}", many.concat()),
    );
    let dry = run(&sandbox, &["--labels", "many.csv", "--dry-run"])
        .assert_exit(0)
        .assert_stderr("docs/no4.txt and 995 more");
    assert!(dry.stderr.len() < 2000, "{dry:?}");
    assert_eq!(sandbox.emulator.request_count(), 0);
}

#[test]
fn labels_saved_by_european_excel_are_accepted() {
    let sandbox = sandbox();
    sandbox.file(
        "excel.csv",
        "sep=;\r\nPath;Type\r\ndocs\\none.txt;invoice\r\ndocs/bill.txt;invoice\r\n",
    );
    let output = run(&sandbox, &["--labels", "excel.csv", "--format", "jsonl"]).assert_exit(3);
    assert_eq!(evaluation(&output.stderr)["correct"], 1);
    std::fs::write(
        sandbox.path().join("latin.csv"),
        b"path;type\nGr\xf6\xdfe.pdf;invoice\n",
    )
    .unwrap();
    run(&sandbox, &["--labels", "latin.csv", "--dry-run"])
        .assert_exit(2)
        .assert_stderr("latin.csv: line 2: the text is not UTF-8; save it as CSV UTF-8");
}

/// The tool's own rows name a file that is not UTF-8 as any other reader shows it.
#[cfg(unix)]
#[test]
fn labels_from_own_rows_of_names_that_are_not_utf8_are_accepted() {
    use std::os::unix::ffi::OsStrExt as _;

    let sandbox = sandbox();
    for name in [&b"bill\xff.txt"[..], b"bill\xfe.txt"] {
        let path = sandbox
            .path()
            .join("docs")
            .join(std::ffi::OsStr::from_bytes(name));
        fs::write(path, [b"Invoice: due by Friday ", name].concat()).unwrap();
    }
    run(&sandbox, &["--output", "own.csv"]).assert_exit(3);
    let output = run(&sandbox, &["--labels", "own.csv", "--format", "jsonl"]).assert_exit(3);
    let found = evaluation(&output.stderr);
    assert_eq!(
        (&found["labelled"], &found["correct"]),
        (&json!(6), &json!(6))
    );
}
