//! `classify run --labels`: a run beside what is known to be right.

mod common;

use std::fs;

use classify_emulator::{Config, Script};
use common::{Bench, RUN, bulk as run};
use serde_json::{Value, json};

/// Two invoices, of which one is taken for a recipe, a recipe, one without a match and one that fails.
fn bench() -> Bench {
    let bench = Bench::with(Config::default().scripts(vec![
        Script::file("bill*").labels("invoice", 0.93),
        Script::file("odd*").labels("recipe", 0.40),
        Script::file("stew*").labels("recipe", 0.85),
        Script::file("soup*").matches_nothing(),
        Script::file("torn*").fails("PDF_IS_BROKEN"),
    ]));
    for name in ["odd.txt", "stew.txt", "torn.pdf"] {
        bench.file(&format!("docs/{name}"), name);
    }
    bench.file(
        "truth/labels.csv",
        "path,type\ndocs/bill.txt,invoice\n../docs/odd.txt,invoice\ndocs/stew.txt,recipe\n\
         docs/torn.pdf,invoice\ndocs/gone.txt,recipe\n",
    );
    bench
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
fn programs_read_the_figures_as_json() {
    let bench = bench();
    let said = run(&bench, &[&LABELS[..], &["--format", "jsonl"]].concat()).ends(3);
    assert_eq!(said.lines().len(), 5);
    let found = evaluation(&said.stderr);
    for (key, value) in [
        ("labelled", json!(4)),
        ("answered", json!(3)),
        ("correct", json!(2)),
        ("accuracy", json!(0.5)),
        ("labels_not_in_run", json!(1)),
        ("documents_without_label", json!(1)),
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
fn people_read_them_as_tables_and_in_the_page() {
    let bench = bench();
    let words = [&LABELS[..], &["--report", "report.html"]].concat();
    let said = run(&bench, &words)
        .ends(3)
        .complains(
            "Accuracy 50.0 %: 2 of 4 labelled documents are right; 1 without an answer are not",
        )
        .complains("1 label is of a document that is not in this run; 1 document has no label")
        .complains("No answer");
    assert!(said.stderr.lines().all(|line| line.chars().count() <= 160));
    let page = fs::read_to_string(bench.path().join("report.html")).unwrap();
    assert!(page.contains("Accuracy 50.0 %") && page.contains("<polyline"));
    assert_eq!(page.matches("✗ ").count(), 2);
    assert_eq!(page.matches("✓ ").count(), 2);
    let quiet = run(&bench, &[&LABELS[..], &["--quiet"]].concat()).ends(3);
    assert!(!quiet.stderr.contains("Accuracy"), "{quiet:?}");
}

#[test]
fn the_rows_of_a_run_put_right_are_labels() {
    let bench = bench();
    run(&bench, &["--output", "truth.csv", "--journal", "j"]).ends(3);
    let rows = fs::read_to_string(bench.path().join("truth.csv")).unwrap();
    let right = rows.replace("odd.txt,COMPLETED,recipe", "odd.txt,COMPLETED,invoice");
    bench.file("truth.csv", &right);
    let said = run(&bench, &["--labels", "truth.csv", "--format", "json"]).ends(3);
    let found = evaluation(&said.stderr);
    // The one that failed has no label, and the one without a match has.
    assert_eq!(
        (&found["labelled"], &found["correct"]),
        (&json!(4), &json!(3))
    );
    assert_eq!(found["documents_without_label"], 1);
}

#[test]
fn labels_that_are_wrong_are_refused_before_anything_is_sent() {
    let bench = bench();
    for (name, text, parts) in [
        (
            "a.csv",
            "docs/bill.txt,invoice\n",
            &["a.csv: line 1", "no column `path`"][..],
        ),
        (
            "b.csv",
            "path,kind,note\nx,y,z\n",
            &["line 1", "no column `type`", "`kind`, `note`"],
        ),
        (
            "c.csv",
            "path,type\ndocs/bill.txt,invoice\n./docs/bill.txt,invoice\n",
            &["line 3", "./docs/bill.txt", "line 2"],
        ),
        (
            "d.jsonl",
            "{\"path\": 5, \"type\": null}\n",
            &["line 1", "`path` is no text"],
        ),
    ] {
        bench.file(name, text);
        let mut said = run(&bench, &["--labels", name]).ends(2);
        for part in parts {
            said = said.complains(part);
        }
        run(&bench, &["--labels", name, "--dry-run"]).ends(2);
    }
    run(&bench, &["--labels", "nowhere.csv"])
        .ends(2)
        .complains("nowhere.csv: cannot be read");
    assert_eq!(bench.emulator.request_count(), 0);
}

#[test]
fn a_type_that_no_rule_has_is_told() {
    let bench = bench();
    bench.file("docs/truth.csv", "path,type\nbill.txt,Invoice\nsoup.txt,\n");
    let said = run(&bench, &["--labels", "docs/truth.csv", "--format", "json"])
        .ends(3)
        .complains(r#"has the type \"Invoice\", which no rule has"#);
    let found = evaluation(&said.stderr);
    // Letter by letter; and the labels themselves are no document.
    assert_eq!(
        (&found["labelled"], &found["correct"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(said.json().as_array().unwrap().len(), 5);
}

#[test]
fn a_shard_is_compared_with_its_own_labels() {
    let bench = bench();
    let mut labelled = 0;
    for shard in ["1/2", "2/2"] {
        let words = ["--shard", shard, "--format", "json"];
        let said = bench.run(&[&RUN[..], &LABELS, &words].concat());
        let found = evaluation(&said.stderr);
        let here = found["labelled"].as_u64().unwrap();
        assert_eq!(found["labels_not_in_run"].as_u64().unwrap(), 5 - here);
        labelled += here;
    }
    assert_eq!(labelled, 4);
}

#[test]
fn labels_of_other_documents_are_told_before_anything_is_bought() {
    let bench = bench();
    bench.file(
        "other.csv",
        "path,type\nelsewhere/a.txt,invoice\nelsewhere/b.txt,recipe\n",
    );
    let said = run(&bench, &["--labels", "other.csv", "--dry-run", "--quiet"]).ends(0);
    assert!(said.stderr.contains("none of its 2 labels"), "{said:?}");
    assert!(said.stderr.contains("elsewhere/a.txt"), "{said:?}");
    assert_eq!(bench.emulator.request_count(), 0);
    // A blank after the comma is nobody's wish; a name that begins with one is found all the same.
    bench.file("docs/ odd name.txt", "Invoice");
    bench.file(
        "blank.csv",
        "path, type\n docs/bill.txt,invoice\ndocs/ odd name.txt,recipe\n",
    );
    let said = run(&bench, &["--labels", "blank.csv", "--format", "jsonl"]).ends(3);
    assert_eq!(evaluation(&said.stderr)["labelled"], 2);
}
