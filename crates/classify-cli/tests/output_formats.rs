//! The formats of results on stdout and in files.

mod common;

use classify_emulator::{Config, RateLimits};
use common::Sandbox;
use serde_json::Value;

fn sandbox() -> Sandbox {
    Sandbox::with(Config::default().rate_limits(RateLimits::none()))
}

fn upload(sandbox: &Sandbox) -> String {
    let words = [
        "files",
        "create",
        "--file",
        "docs/bill.txt",
        "--purpose",
        "classify",
        "--transform",
        "id",
        "-r",
    ];
    sandbox.run(&words).assert_exit(0).stdout.trim().to_owned()
}

/// Excel reads a CSV file without the mark in the system's code page, and garbles names.
#[test]
fn csv_begins_with_byte_order_mark_only_on_request() {
    let sandbox = sandbox();
    sandbox.file("docs/Größe.txt", "Invoice: the amount is due.");
    let run = [&common::RUN[..], &["--format", "csv"]].concat();
    let list = ["files", "list", "--format", "csv"];
    for words in [&run[..], &list] {
        let plain = sandbox.run(words).assert_exit(0).stdout;
        assert!(!plain.contains('\u{feff}'), "{plain:?}");
        let marked = sandbox
            .run(&[words, &["--csv-bom"]].concat())
            .assert_exit(0);
        let rest = marked.stdout.strip_prefix('\u{feff}').unwrap();
        assert_eq!(rest.lines().next(), plain.lines().next());
        assert_eq!(rest.matches('\u{feff}').count(), 0);
    }
    // Into a file, which a later run may replace, and which can be used as labels.
    let to_file = [
        &common::RUN[..],
        &["--output", "docs/rows.csv", "--csv-bom", "--resume"],
    ]
    .concat();
    for _ in 0..2 {
        sandbox.run(&to_file).assert_exit(0);
        let file = std::fs::read_to_string(sandbox.path().join("docs/rows.csv")).unwrap();
        assert!(file.starts_with("\u{feff}path,status,"), "{file:?}");
        assert_eq!(file.lines().count(), 4, "{file:?}");
    }
    let labelled = [
        &common::RUN[..],
        &["--labels", "docs/rows.csv", "--format", "json"],
    ]
    .concat();
    sandbox
        .run(&labelled)
        .assert_exit(0)
        .assert_stderr("\"labelled\":3");
    // Other formats have none.
    let json = [&common::RUN[..], &["--format", "jsonl", "--csv-bom"]].concat();
    assert!(sandbox.run(&json).assert_exit(0).stdout.starts_with('{'));
}

#[test]
fn output_formats_and_transforms_of_lists_items_and_errors() {
    let sandbox = sandbox();
    let (one, two) = (upload(&sandbox), upload(&sandbox));
    let list = |flags: &[&str]| {
        sandbox
            .run(&[&["files", "list", "--page-size", "1"], flags].concat())
            .assert_exit(0)
    };
    let ids = |values: &[Value]| -> Vec<String> {
        let mut ids: Vec<_> = values
            .iter()
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    };
    let mut both = vec![one.clone(), two];
    both.sort();
    assert_eq!(
        ids(list(&["--format", "JSON"]).json().as_array().unwrap()),
        both
    );
    assert_eq!(ids(&list(&["--format", "jsonl"]).lines()), both);
    let stream = list(&["--format", "yaml"]).stdout;
    assert_eq!(stream.matches("---\n").count(), 2, "{stream}");
    let documents: Vec<Value> = serde_saphyr::from_multiple(&stream).unwrap();
    assert_eq!(ids(&documents), both);
    let csv = list(&["--format", "csv"]).stdout;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert!(reader.headers().unwrap().iter().any(|name| name == "id"));
    assert_eq!(reader.records().count(), 2);
    assert!(list(&["--format", "table"]).stdout.starts_with("id "));
    let raw = list(&["--format", "raw"]).json();
    assert_eq!(
        raw["items"].as_array().unwrap().len(),
        1,
        "one page, as it came"
    );
    assert!(raw["next_page_token"].is_string());

    let get = |flags: &[&str]| sandbox.run(&[&["files", "retrieve", &one], flags].concat());
    let single = get(&["--format", "yaml"]).assert_exit(0).stdout;
    assert!(!single.contains("---"), "{single}");
    assert_eq!(
        get(&["--transform", "id"]).assert_exit(0).json(),
        one.as_str()
    );
    assert_eq!(
        get(&["--transform", "id", "-r"]).assert_exit(0).stdout,
        format!("{one}\n")
    );
    assert_eq!(
        get(&["--transform", "no.such"]).assert_exit(0).json(),
        Value::Null
    );
    let missing = sandbox
        .run(&[
            "files",
            "retrieve",
            "dfl-182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
            "--format",
            "json",
        ])
        .assert_exit(6);
    assert!(missing.stdout.is_empty());
    assert_eq!(missing.error()["kind"], "not_found");
    let picked = [
        "files",
        "retrieve",
        "dfl-182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
        "--format-error",
        "json",
        "--transform-error",
        "error.kind",
    ];
    assert_eq!(
        sandbox.run(&picked).assert_exit(6).stderr.trim(),
        "\"not_found\""
    );
}

#[test]
fn output_file_is_replaced_only_on_success() {
    let sandbox = sandbox();
    let file = upload(&sandbox);
    let path = sandbox.file("out.json", "before");
    let read = || std::fs::read_to_string(&path).unwrap();
    sandbox
        .run(&[
            "files",
            "retrieve",
            "dfl-182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
            "--output",
            "out.json",
        ])
        .assert_exit(6);
    assert_eq!(read(), "before");
    let result = sandbox
        .run(&["files", "retrieve", &file, "--output", "out.json"])
        .assert_exit(0);
    assert!(result.stdout.is_empty());
    assert_eq!(
        serde_json::from_str::<Value>(&read()).unwrap()["id"],
        file.as_str()
    );
    let left: Vec<_> = std::fs::read_dir(sandbox.path())
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert!(
        !left
            .iter()
            .any(|name| name.to_string_lossy().starts_with(".llamacloud")),
        "{left:?}"
    );
    sandbox
        .run(&["files", "list", "--output", "docs"])
        .assert_exit(2)
        .assert_stderr("folder");
    sandbox
        .run(&["files", "list", "--output", "no/such/folder/x"])
        .assert_exit(1)
        .assert_stderr("no/such/folder");
}

#[cfg(target_os = "linux")]
#[test]
fn output_file_on_full_disk_is_reported() {
    let sandbox = sandbox();
    let file = upload(&sandbox);
    sandbox
        .run(&["files", "retrieve", &file, "--output", "/dev/full"])
        .assert_exit(1)
        .assert_stderr("/dev/full");
}

/// A device is written to and not replaced: as root, renaming a file over it would destroy it.
#[cfg(target_os = "linux")]
#[test]
fn output_file_of_run_may_be_device_symlink_or_stdout() {
    let sandbox = sandbox();
    let run = |output: &str| {
        let words = ["classify", "run", "docs", "--rules", "rules.yaml"];
        sandbox.run(&[&words[..], &["--format", "csv", "--output", output]].concat())
    };
    run("/dev/full").assert_exit(1).assert_stderr("/dev/full");
    assert_eq!(run("/dev/null").assert_exit(0).stdout, "");
    for device in ["/dev/full", "/dev/null"] {
        let found = std::fs::metadata(device).unwrap();
        assert!(!found.is_file() && !found.is_dir(), "{device}");
        assert!(!std::path::Path::new(&format!("{device}.journal")).exists());
    }
    assert!(run("-").assert_exit(0).stdout.starts_with("path,"));
    assert!(!sandbox.path().join("-").exists());
    let file = sandbox.file("real.csv", "before");
    std::os::unix::fs::symlink(&file, sandbox.path().join("link.csv")).unwrap();
    run("link.csv").assert_exit(0);
    assert!(sandbox.path().join("link.csv").is_symlink());
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("path,"));
}
