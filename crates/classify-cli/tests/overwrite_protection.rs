//! A run never overwrites a file that it reads, whatever the spelling of the two paths.

mod common;

use std::fs;
use std::path::Path;

use classify_emulator::{Config, RateLimits};
use common::{RULES, Sandbox};

const JOURNAL: &str = "k.journal";

/// A sandbox with a file for every flag that reads one.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with(Config::default().rate_limits(RateLimits::none()));
    sandbox.file("truth.csv", "path,type\ndocs/bill.txt,invoice\n");
    sandbox.file("key.txt", common::CANARY);
    sandbox.file("ca.pem", "no certificate");
    sandbox
}

/// Every file below a folder, with its content.
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

/// A name as it is, with `./` before it, and as a link to it.
fn spellings(sandbox: &Sandbox, name: &str) -> Vec<String> {
    let mut found = vec![
        name.to_owned(),
        format!("./{name}"),
        format!("docs/../{name}"),
    ];
    #[cfg(unix)]
    {
        let folder = sandbox.path().join("links");
        fs::create_dir_all(&folder).unwrap();
        let (_, file) = name.rsplit_once('/').unwrap_or(("", name));
        let link = folder.join(file);
        if fs::symlink_metadata(&link).is_err() {
            std::os::unix::fs::symlink(sandbox.path().join(name), link).unwrap();
        }
        found.push(format!("links/{file}"));
    }
    found
}

/// Asserts that the run is rejected with the names of both flags, and that no file in the folder has changed.
#[track_caller]
fn assert_rejected(sandbox: &Sandbox, words: &[&str], parts: &[&str]) {
    let before = contents(sandbox.path());
    let result = sandbox
        .run(&[&["classify", "run"], words].concat())
        .assert_exit(2);
    for part in parts {
        assert!(
            result.stderr.contains(part),
            "{words:?}: {part:?}: {result:?}"
        );
    }
    assert_eq!(contents(sandbox.path()), before, "{words:?}");
    assert_eq!(sandbox.emulator.request_count(), 0, "{words:?}");
}

#[test]
fn overwrite_of_input_file_is_rejected() {
    let sandbox = sandbox();
    let reads = [
        ("--rules", "rules.yaml"),
        ("--labels", "truth.csv"),
        ("--api-key-file", "key.txt"),
        ("--ca-cert", "ca.pem"),
    ];
    for written in ["--output", "--report", "--journal"] {
        for (read, name) in reads {
            for spelled in spellings(&sandbox, name) {
                let rules = if read == "--rules" {
                    [].as_slice()
                } else {
                    &["--rules", "rules.yaml"]
                };
                let words = [&["docs", read, name, written, &spelled], rules].concat();
                assert_rejected(&sandbox, &words, &[read, written]);
                // The same, with the unusual spelling for the input.
                if !(read == "--rules" && spelled.starts_with("docs")) {
                    let words = [&["docs", read, &spelled, written, name], rules].concat();
                    assert_rejected(&sandbox, &words, &[read, written]);
                }
            }
        }
    }
}

#[test]
fn overwrite_of_one_output_by_another_is_rejected() {
    let sandbox = sandbox();
    for (first, second) in [
        ("--output", "--report"),
        ("--output", "--journal"),
        ("--report", "--journal"),
    ] {
        // An existing one and a missing one.
        sandbox.file("there", "{\"record\":\"run\",\"v\":1}\n");
        for name in ["there", "new"] {
            for spelled in spellings(&sandbox, name) {
                let words = [
                    "docs",
                    "--rules",
                    "rules.yaml",
                    first,
                    name,
                    second,
                    &spelled,
                ];
                assert_rejected(&sandbox, &words, &[first, second]);
            }
        }
    }
}

#[test]
fn overwrite_check_includes_default_journal_path() {
    let sandbox = sandbox();
    let run = ["docs", "--rules", "rules.yaml", "--output", "k"];
    for spelled in spellings(&sandbox, JOURNAL) {
        let words = [&run[..], &["--report", &spelled]].concat();
        assert_rejected(&sandbox, &words, &["--report", "journal"]);
    }
    sandbox.file("k.journal", "path,type\ndocs/bill.txt,invoice\n");
    for spelled in spellings(&sandbox, JOURNAL) {
        let words = [&run[..], &["--labels", &spelled]].concat();
        assert_rejected(&sandbox, &words, &["--labels", "journal"]);
    }
    sandbox.file("k.yaml.journal", "");
    let words = [
        "docs",
        "--rules",
        "rules.yaml",
        "--output",
        "k.journal",
        "--journal",
        "k.journal",
    ];
    assert_rejected(&sandbox, &words, &["--output", "--journal"]);
}

#[test]
fn overwrite_of_document_is_rejected() {
    let sandbox = sandbox();
    for flag in ["--output", "--report", "--journal"] {
        for spelled in spellings(&sandbox, "docs/bill.txt") {
            // Named itself, in a folder, and by a glob.
            for paths in ["docs/bill.txt", "docs", "docs/*.txt", "."] {
                let words = [paths, "--rules", "rules.yaml", flag, &spelled];
                assert_rejected(&sandbox, &words, &[flag]);
            }
        }
    }
}

#[test]
fn overwrite_of_earlier_output_is_allowed() {
    for name in ["rows.jsonl", "rows.json", "rows.csv", "rows.txt"] {
        let sandbox = sandbox();
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
            sandbox.run(&[&words[..], table].concat()).assert_exit(0);
            fs::read_to_string(sandbox.path().join(&output)).unwrap()
        };
        let first = run("docs");
        assert_eq!(run("docs"), first, "{name}");
        assert_eq!(run("docs/*"), first, "{name}");
        assert_eq!(sandbox.emulator.job_count(), 2, "{name}");
    }
}

/// A terminal and a pipe are read and written under one name without losing data.
#[cfg(unix)]
#[test]
fn overwrite_check_ignores_devices() {
    let sandbox = sandbox();
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
    sandbox.run(&words).assert_exit(0);
}

#[test]
fn journal_path_must_be_a_file_in_an_existing_folder() {
    let sandbox = sandbox();
    let words = ["docs", "--rules", "rules.yaml", "--journal", "nowhere/j"];
    assert_rejected(
        &sandbox,
        &words,
        &["--journal", "the folder does not exist"],
    );
    let words = ["docs", "--rules", "rules.yaml", "--journal", "docs"];
    assert_rejected(&sandbox, &words, &["--journal", "is not a file name"]);
}

#[test]
fn output_format_unsupported_by_run_is_rejected_by_extension() {
    let sandbox = sandbox();
    assert!(RULES.contains("invoice"));
    for name in ["rows.yaml", "rows.YML", "rows.html"] {
        let words = ["docs", "--rules", "rules.yaml", "--output", name];
        assert_rejected(&sandbox, &words, &["--output", ".csv"]);
    }
    assert_rejected(
        &sandbox,
        &["docs", "--rules", "rules.yaml", "--report", "-"],
        &["--report", "stdout"],
    );
    // `--format` overrides the extension.
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
    sandbox.run(&words).assert_exit(0);
}

#[test]
fn overwrite_of_upload_source_by_output_is_rejected() {
    let sandbox = sandbox();
    let before = contents(sandbox.path());
    for spelled in spellings(&sandbox, "docs/bill.txt") {
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
        sandbox.run(&words).assert_exit(2).assert_stderr("--output");
    }
    let after = contents(sandbox.path());
    assert!(before.iter().all(|file| after.contains(file)));
    assert_eq!(sandbox.emulator.request_count(), 0);
}
