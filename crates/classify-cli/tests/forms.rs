//! The forms that answers take on stdout and in files.

mod common;

use classify_emulator::{Config, RateLimits};
use common::Bench;
use serde_json::Value;

fn bench() -> Bench {
    Bench::with(Config::default().rate_limits(RateLimits::none()))
}

fn upload(bench: &Bench) -> String {
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
    bench.run(&words).ends(0).stdout.trim().to_owned()
}

#[test]
fn forms_of_output() {
    let bench = bench();
    let (one, two) = (upload(&bench), upload(&bench));
    let list = |flags: &[&str]| {
        bench
            .run(&[&["files", "list", "--page-size", "1"], flags].concat())
            .ends(0)
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

    let get = |flags: &[&str]| bench.run(&[&["files", "retrieve", &one], flags].concat());
    let single = get(&["--format", "yaml"]).ends(0).stdout;
    assert!(!single.contains("---"), "{single}");
    assert_eq!(get(&["--transform", "id"]).ends(0).json(), one.as_str());
    assert_eq!(
        get(&["--transform", "id", "-r"]).ends(0).stdout,
        format!("{one}\n")
    );
    assert_eq!(get(&["--transform", "no.such"]).ends(0).json(), Value::Null);
    let missing = bench
        .run(&[
            "files",
            "retrieve",
            "dfl-182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
            "--format",
            "json",
        ])
        .ends(6);
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
    assert_eq!(bench.run(&picked).ends(6).stderr.trim(), "\"not_found\"");
}

#[test]
fn an_output_file_is_whole_or_as_it_was() {
    let bench = bench();
    let file = upload(&bench);
    let path = bench.file("out.json", "before");
    let read = || std::fs::read_to_string(&path).unwrap();
    bench
        .run(&[
            "files",
            "retrieve",
            "dfl-182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
            "--output",
            "out.json",
        ])
        .ends(6);
    assert_eq!(read(), "before");
    let said = bench
        .run(&["files", "retrieve", &file, "--output", "out.json"])
        .ends(0);
    assert!(said.stdout.is_empty());
    assert_eq!(
        serde_json::from_str::<Value>(&read()).unwrap()["id"],
        file.as_str()
    );
    let left: Vec<_> = std::fs::read_dir(bench.path())
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
    bench
        .run(&["files", "list", "--output", "docs"])
        .ends(2)
        .complains("folder");
    bench
        .run(&["files", "list", "--output", "no/such/folder/x"])
        .ends(1)
        .complains("no/such/folder");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    let bench = bench();
    let file = upload(&bench);
    bench
        .run(&["files", "retrieve", &file, "--output", "/dev/full"])
        .ends(1)
        .complains("/dev/full");
}

/// A device is written to and stays one: as root, a file renamed over it would be the end of it.
#[cfg(target_os = "linux")]
#[test]
fn the_rows_of_a_run_go_into_devices_links_and_stdout_too() {
    let bench = bench();
    let run = |output: &str| {
        let words = ["classify", "run", "docs", "--rules", "rules.yaml"];
        bench.run(&[&words[..], &["--format", "csv", "--output", output]].concat())
    };
    run("/dev/full").ends(1).complains("/dev/full");
    assert_eq!(run("/dev/null").ends(0).stdout, "");
    for device in ["/dev/full", "/dev/null"] {
        let found = std::fs::metadata(device).unwrap();
        assert!(!found.is_file() && !found.is_dir(), "{device}");
        assert!(!std::path::Path::new(&format!("{device}.journal")).exists());
    }
    assert!(run("-").ends(0).stdout.starts_with("path,"));
    assert!(!bench.path().join("-").exists());
    let file = bench.file("real.csv", "before");
    std::os::unix::fs::symlink(&file, bench.path().join("link.csv")).unwrap();
    run("link.csv").ends(0);
    assert!(bench.path().join("link.csv").is_symlink());
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("path,"));
}
