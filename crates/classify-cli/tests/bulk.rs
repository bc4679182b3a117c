//! `classify run` over many documents: requests, rates and charges.

mod common;

use std::fs;
use std::io::Write as _;

use classify_emulator::{Config, Fault, FaultSchedule, RateLimits, Route, Script};
use common::{
    RUN, Sandbox, interrupt, row, run_bulk as run, run_to_end, start, status_of, with_documents,
};
use serde_json::{Value, json};

fn paths(rows: &[Value]) -> Vec<&str> {
    rows.iter()
        .map(|row| row["path"].as_str().unwrap())
        .collect()
}

#[test]
fn idempotency_rerun_of_same_command_reuses_jobs() {
    let sandbox = with_documents(Config::default(), 3);
    let first = run(&sandbox, &["--format", "json"]).assert_exit(0).json();
    let second = run(&sandbox, &["--format", "json"]).assert_exit(0).json();
    assert_eq!(sandbox.emulator.job_count(), 5);
    let jobs = |rows: &Value| -> Vec<Value> {
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| row["job_id"].clone())
            .collect()
    };
    assert_eq!(jobs(&first), jobs(&second));
}

#[test]
fn duplicate_documents_are_sent_once_and_reported_per_path() {
    let sandbox = with_documents(Config::default(), 1);
    for copy in ["docs/a copy.txt", "docs/z/copy.txt", "docs/z/copy 2.txt"] {
        fs::create_dir_all(sandbox.path().join("docs/z")).unwrap();
        fs::copy(
            sandbox.path().join("docs/bill.txt"),
            sandbox.path().join(copy),
        )
        .unwrap();
    }
    for flags in [
        &["--format", "json"][..],
        &["--format", "json", "--max-in-flight", "1"],
    ] {
        let rows = run(&sandbox, flags).assert_exit(0).json();
        let rows = rows.as_array().unwrap();
        assert_eq!(
            paths(rows),
            [
                "docs/000.txt",
                "docs/a copy.txt",
                "docs/bill.txt",
                "docs/soup.txt",
                "docs/z/copy 2.txt",
                "docs/z/copy.txt"
            ]
        );
        for index in [2, 4, 5] {
            assert_eq!(rows[index]["job_id"], rows[1]["job_id"]);
            assert_eq!(rows[index]["type"], rows[1]["type"]);
        }
    }
    assert_eq!(sandbox.emulator.job_count(), 3);
    assert_eq!(
        sandbox.emulator.count(Route::ClassifyCreate),
        6,
        "two runs of three contents"
    );
}

#[test]
fn inputs_file_and_parse_job_ids_are_classified_without_upload() {
    let sandbox = with_documents(Config::default(), 0);
    sandbox
        .emulator
        .add_parse_job("pjb-7", "Recipe: ingredients and how to cook a meal.");
    let file = run(&sandbox, &[]).assert_exit(0).lines()[0]["file_id"].clone();
    let file = file.as_str().unwrap();
    let words = [
        "classify",
        "run",
        file,
        "pjb-7",
        "dfl-unknown",
        "--rules",
        "rules.yaml",
        "--format",
        "json",
        "--poll-interval",
        "50ms",
    ];
    let uploads = sandbox.emulator.count(Route::FileCreate);
    let rows = sandbox.run(&words).assert_exit(3).json();
    let rows = rows.as_array().unwrap();
    assert_eq!(paths(rows), [file, "pjb-7", "dfl-unknown"]);
    assert_eq!(rows[0]["status"], "COMPLETED");
    assert_eq!(rows[1]["type"], "recipe");
    assert_eq!(rows[2]["status"], "ERROR");
    assert_eq!(sandbox.emulator.count(Route::FileCreate), uploads);
}

#[test]
fn dry_run_counts_documents_and_sends_nothing() {
    let sandbox = with_documents(Config::default(), 3);
    sandbox.file("docs/copy.txt", "Invoice 0: the amount is due.");
    sandbox.file("docs/empty.txt", "");
    let words = ["--dry-run", "--max-pages", "5", "--target-pages", "1,3-9"];
    let mut command = sandbox.command(&[&RUN[..], &words, &["dfl-1"]].concat());
    // No key is needed.
    command.env_remove("LLAMA_CLOUD_API_KEY");
    let found = run_to_end(command)
        .assert_exit(0)
        .assert_stderr("empty: 0 bytes");
    let plan = &found.lines()[0];
    let bytes: u64 = ["000", "001", "002", "bill", "soup"]
        .map(|name| {
            fs::metadata(sandbox.path().join(format!("docs/{name}.txt")))
                .unwrap()
                .len()
        })
        .iter()
        .sum();
    assert_eq!(
        *plan,
        json!({
            "documents": 7, "duplicates": 1, "unreadable": 1,
            "skipped": {"hidden": 0, "temporary": 0, "not_regular": 0, "excluded": 0}, "links_not_followed": 0, "bytes": bytes + 29, "settled": 0, "open": 0,
            "jobs": 6, "bytes_to_upload": bytes, "target_pages": "1,3-9", "max_pages": 5,
            "pages_at_most": 30
        })
    );
    let table = run(&sandbox, &["--dry-run", "--format", "table"])
        .assert_exit(0)
        .stdout;
    assert!(table.contains("duplicates  1\n"), "{table}");
    let csv = run(&sandbox, &["--dry-run", "--format", "csv"])
        .assert_exit(0)
        .stdout;
    assert!(csv.starts_with("documents,duplicates,"), "{csv}");
    assert_eq!(sandbox.emulator.request_count(), 0);

    run(&sandbox, &["--journal", "j"]).assert_exit(3);
    let plan = run(&sandbox, &["--journal", "j", "--resume", "--dry-run"]).assert_exit(0);
    assert_eq!(
        (&plan.lines()[0]["settled"], &plan.lines()[0]["jobs"]),
        (&json!(5), &json!(0))
    );
}

#[test]
fn shard_union_covers_every_document_once() {
    let sandbox = with_documents(Config::default(), 40);
    let mut all = Vec::new();
    let mut counts = Vec::new();
    for shard in ["1/3", "2/3", "3/3"] {
        let found = run(&sandbox, &["--shard", shard]).assert_exit(0);
        let rows = found.lines();
        counts.push(rows.len());
        all.extend(paths(&rows).into_iter().map(str::to_owned));
        let plan = run(&sandbox, &["--shard", shard, "--dry-run"]).assert_exit(0);
        assert_eq!(plan.lines()[0]["documents"], rows.len());
    }
    all.sort_unstable();
    all.dedup();
    assert_eq!((all.len(), counts.iter().sum::<usize>()), (42, 42));
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    assert_eq!(sandbox.emulator.job_count(), 42);
    run(&sandbox, &["--shard", "4/3"]).assert_exit(2);
}

#[test]
fn shard_unreadable_document_is_reported_by_one_shard() {
    let sandbox = with_documents(Config::default(), 1);
    for index in 0..9 {
        sandbox.file(&format!("docs/empty {index}.txt"), "");
    }
    let mut reported = Vec::new();
    for shard in ["1/3", "2/3", "3/3"] {
        let words = ["docs/gone.pdf", "docs/lost.pdf", "--shard", shard];
        let rows = run(&sandbox, &words).lines();
        let plan = run(&sandbox, &[&words[..], &["--dry-run"]].concat());
        let errors = rows.iter().filter(|row| row["status"] == "ERROR").count();
        assert_eq!(plan.lines()[0]["unreadable"], errors);
        reported.extend(paths(&rows).into_iter().map(str::to_owned));
    }
    reported.sort_unstable();
    let all = reported.len();
    reported.dedup();
    assert_eq!((all, reported.len()), (14, 14), "{reported:?}");
}

#[test]
fn max_in_flight_limits_created_jobs() {
    let config = Config::default().script(Script::file("*").never_ends());
    let sandbox = with_documents(config, 20);
    let words = ["--max-in-flight", "7", "--concurrency", "3"];
    let child = start(&sandbox, &[&RUN[..], &words].concat());
    sandbox.wait_until(|emulator| emulator.job_count() == 7);
    sandbox.wait_for_poll();
    let rows = interrupt(child).assert_exit(130).lines();
    assert_eq!(sandbox.emulator.job_count(), 7);
    let count_of_status = |word: &str| rows.iter().filter(|row| row["status"] == word).count();
    assert_eq!(
        (count_of_status("OPEN"), count_of_status("NOT_STARTED")),
        (7, 15)
    );
}

#[test]
fn rate_limit_flag_prevents_429_and_rejects_invalid_values() {
    let narrow = || {
        let sandbox = Sandbox::with(
            Config::default().rate_limits(RateLimits::none().creates_per_second(Some(10))),
        );
        for index in 0..14 {
            sandbox.file(&format!("docs/{index}.txt"), &format!("Invoice {index}"));
        }
        sandbox
    };
    let refused = |limits: &str| {
        let sandbox = narrow();
        let words = [
            "classify",
            "run",
            "docs",
            "--rules",
            "rules.yaml",
            "--rate-limit",
            limits,
        ];
        assert_eq!(sandbox.run(&words).assert_exit(0).lines().len(), 16);
        let requests = sandbox.emulator.requests();
        requests
            .iter()
            .filter(|request| request.status == Some(429))
            .count()
    };
    assert_eq!(refused("8/s"), 0);
    assert!(refused("10000/s") > 0);
    let sandbox = narrow();
    for bad in ["0/s", "fast", "3/m"] {
        let words = [
            "classify",
            "run",
            "docs",
            "--rules",
            "rules.yaml",
            "--rate-limit",
            bad,
        ];
        sandbox
            .run(&words)
            .assert_exit(2)
            .assert_stderr("paid, free");
    }
}

#[test]
fn document_changed_after_read_is_an_error_without_job() {
    let sandbox = with_documents(Config::default(), 0);
    let changing = sandbox.file("docs/b.txt", "as it was read");
    // It was read before the first upload, and is uploaded again when the service is available.
    let down = Fault::Unavailable.always().on(Route::FileCreate);
    sandbox.emulator.set_faults(FaultSchedule::new().with(down));
    let words = [
        "classify",
        "run",
        "docs/b.txt",
        "--rules",
        "rules.yaml",
        "--format",
        "json",
    ];
    let child = start(&sandbox, &words);
    sandbox.wait_until(|emulator| !emulator.requests().is_empty());
    let mut file = fs::OpenOptions::new().append(true).open(changing).unwrap();
    file.write_all(b", and more").unwrap();
    drop(file);
    sandbox.emulator.set_faults(FaultSchedule::new());
    let rows = child.end().assert_exit(3).json();
    let rows = rows.as_array().unwrap();
    assert_eq!(status_of(rows, "docs/b.txt"), "ERROR");
    let row = row(rows, "docs/b.txt");
    assert!(
        row["error"].as_str().unwrap().contains("changed since"),
        "{row}"
    );
    assert_eq!(sandbox.emulator.job_count(), 0);
}
