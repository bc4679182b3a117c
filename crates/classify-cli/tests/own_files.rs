//! What a run writes is never what it reads, however the two are spelled.

mod common;

use std::fs;
use std::path::Path;

use classify_emulator::{Config, RateLimits};
use common::{Bench, RULES};

const JOURNAL: &str = "k.journal";

/// A bench with a file for every flag that reads one.
fn bench() -> Bench {
    let bench = Bench::with(Config::default().rate_limits(RateLimits::none()));
    bench.file("truth.csv", "path,type\ndocs/bill.txt,invoice\n");
    bench.file("key.txt", common::CANARY);
    bench.file("ca.pem", "no certificate");
    bench
}

/// Every file below a folder, with what is in it.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => found.extend(contents(&path)),
            Ok(_) => found.push((path.display().to_string(), fs::read(&path).unwrap())),
            Err(_) => found.push((path.display().to_string(), Vec::new())),
        }
    }
    found.sort();
    found
}

/// A name as it is, with `./` before it, and as a link that leads to it.
fn spellings(bench: &Bench, name: &str) -> Vec<String> {
    let mut found = vec![
        name.to_owned(),
        format!("./{name}"),
        format!("docs/../{name}"),
    ];
    #[cfg(unix)]
    {
        let folder = bench.path().join("links");
        fs::create_dir_all(&folder).unwrap();
        let (_, file) = name.rsplit_once('/').unwrap_or(("", name));
        let link = folder.join(file);
        if fs::symlink_metadata(&link).is_err() {
            std::os::unix::fs::symlink(bench.path().join(name), link).unwrap();
        }
        found.push(format!("links/{file}"));
    }
    found
}

/// The run is refused with the names of both flags, and nothing in the folder is another than before.
#[track_caller]
fn refused(bench: &Bench, words: &[&str], parts: &[&str]) {
    let before = contents(bench.path());
    let said = bench.run(&[&["classify", "run"], words].concat()).ends(2);
    for part in parts {
        assert!(said.stderr.contains(part), "{words:?}: {part:?}: {said:?}");
    }
    assert_eq!(contents(bench.path()), before, "{words:?}");
    assert_eq!(bench.emulator.request_count(), 0, "{words:?}");
}

#[test]
fn no_two_flags_name_one_file() {
    let bench = bench();
    let reads = [
        ("--rules", "rules.yaml"),
        ("--labels", "truth.csv"),
        ("--api-key-file", "key.txt"),
        ("--ca-cert", "ca.pem"),
    ];
    for written in ["--output", "--report", "--journal"] {
        for (read, name) in reads {
            for spelled in spellings(&bench, name) {
                let rules = if read == "--rules" {
                    [].as_slice()
                } else {
                    &["--rules", "rules.yaml"]
                };
                let words = [&["docs", read, name, written, &spelled], rules].concat();
                refused(&bench, &words, &[read, written]);
                // The same, with the odd spelling on the side that is read.
                if !(read == "--rules" && spelled.starts_with("docs")) {
                    let words = [&["docs", read, &spelled, written, name], rules].concat();
                    refused(&bench, &words, &[read, written]);
                }
            }
        }
    }
}

#[test]
fn no_two_things_are_written_to_one_file() {
    let bench = bench();
    for (first, second) in [
        ("--output", "--report"),
        ("--output", "--journal"),
        ("--report", "--journal"),
    ] {
        // One that is there, and one that is not.
        bench.file("there", "{\"record\":\"run\",\"v\":1}\n");
        for name in ["there", "new"] {
            for spelled in spellings(&bench, name) {
                let words = [
                    "docs",
                    "--rules",
                    "rules.yaml",
                    first,
                    name,
                    second,
                    &spelled,
                ];
                refused(&bench, &words, &[first, second]);
            }
        }
    }
}

#[test]
fn the_journal_beside_the_output_is_a_file_of_the_run_too() {
    let bench = bench();
    let run = ["docs", "--rules", "rules.yaml", "--output", "k"];
    for spelled in spellings(&bench, JOURNAL) {
        let words = [&run[..], &["--report", &spelled]].concat();
        refused(&bench, &words, &["--report", "journal"]);
    }
    bench.file("k.journal", "path,type\ndocs/bill.txt,invoice\n");
    for spelled in spellings(&bench, JOURNAL) {
        let words = [&run[..], &["--labels", &spelled]].concat();
        refused(&bench, &words, &["--labels", "journal"]);
    }
    bench.file("k.yaml.journal", "");
    let words = [
        "docs",
        "--rules",
        "rules.yaml",
        "--output",
        "k.journal",
        "--journal",
        "k.journal",
    ];
    refused(&bench, &words, &["--output", "--journal"]);
}

#[test]
fn a_document_is_not_written_over() {
    let bench = bench();
    for flag in ["--output", "--report", "--journal"] {
        for spelled in spellings(&bench, "docs/bill.txt") {
            // Named itself, in a folder, and by a glob.
            for paths in ["docs/bill.txt", "docs", "docs/*.txt", "."] {
                let words = [paths, "--rules", "rules.yaml", flag, &spelled];
                refused(&bench, &words, &[flag]);
            }
        }
    }
}

#[test]
fn what_an_earlier_run_wrote_may_be_written_again() {
    for name in ["rows.jsonl", "rows.json", "rows.csv", "rows.txt"] {
        let bench = bench();
        let output = format!("docs/{name}");
        let run = |path: &str| {
            let words = [
                "classify",
                "run",
                path,
                "--rules",
                "rules.yaml",
                "--poll-interval",
                "50ms",
                "--output",
                &output,
                "--report",
                "docs/page.html",
                "--resume",
            ];
            let table: &[&str] = if name == "rows.txt" {
                &["--format", "table"]
            } else {
                &[]
            };
            bench.run(&[&words[..], table].concat()).ends(0);
            fs::read_to_string(bench.path().join(&output)).unwrap()
        };
        let first = run("docs");
        assert_eq!(run("docs"), first, "{name}");
        assert_eq!(run("docs/*"), first, "{name}");
        assert_eq!(bench.emulator.job_count(), 2, "{name}");
    }
}

/// A terminal and a pipe are read and written by one name, and lose nothing.
#[cfg(unix)]
#[test]
fn devices_may_be_named_twice() {
    let bench = bench();
    let words = [
        "classify",
        "run",
        "docs",
        "--rules",
        "rules.yaml",
        "--output",
        "/dev/null",
        "--report",
        "/dev/null",
    ];
    bench.run(&words).ends(0);
}

#[test]
fn a_journal_needs_a_folder() {
    let bench = bench();
    let words = ["docs", "--rules", "rules.yaml", "--journal", "nowhere/j"];
    refused(&bench, &words, &["--journal", "no such folder"]);
    let words = ["docs", "--rules", "rules.yaml", "--journal", "docs"];
    refused(&bench, &words, &["--journal", "no name for a file"]);
}

#[test]
fn a_form_that_a_run_has_not_is_refused_by_its_name_too() {
    let bench = bench();
    assert!(RULES.contains("invoice"));
    for name in ["rows.yaml", "rows.YML", "rows.html"] {
        let words = ["docs", "--rules", "rules.yaml", "--output", name];
        refused(&bench, &words, &["--output", ".csv"]);
    }
    refused(
        &bench,
        &["docs", "--rules", "rules.yaml", "--report", "-"],
        &["--report", "stdout"],
    );
    // Whoever says how has said it.
    let words = [
        "classify",
        "run",
        "docs",
        "--rules",
        "rules.yaml",
        "--output",
        "rows.yaml",
        "--format",
        "jsonl",
    ];
    bench.run(&words).ends(0);
}

#[test]
fn an_upload_is_not_written_over_by_its_answer() {
    let bench = bench();
    let before = contents(bench.path());
    for spelled in spellings(&bench, "docs/bill.txt") {
        let words = [
            "files",
            "create",
            "--file",
            "docs/bill.txt",
            "--purpose",
            "classify",
            "--output",
            &spelled,
        ];
        bench.run(&words).ends(2).complains("--output");
    }
    let after = contents(bench.path());
    assert!(before.iter().all(|file| after.contains(file)));
    assert_eq!(bench.emulator.request_count(), 0);
}
