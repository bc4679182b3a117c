//! The commands about single jobs and lists of them.

mod common;

use classify_emulator::{Config, Route, Script};
use common::{Bench, without_ids};
use serde_json::Value;

fn bench() -> Bench {
    Bench::with(Config::default().scripts(vec![
        Script::file("bill*").labels("invoice", 0.93),
        Script::file("torn*").fails("PDF_IS_BROKEN"),
        Script::file("stuck*").never_ends(),
    ]))
}

fn open_job(bench: &Bench) -> String {
    bench.file("stuck.txt", "never ends");
    let words = [
        "classify",
        "run",
        "stuck.txt",
        "--rules",
        "rules.yaml",
        "--timeout",
        "0",
    ];
    bench.run(&words).ends(3).lines()[0]["job_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn uploaded(bench: &Bench) -> String {
    let found = bench
        .run(&["classify", "run", "docs/bill.txt", "--rules", "rules.yaml"])
        .ends(0);
    found.lines()[0]["file_id"].as_str().unwrap().to_owned()
}

const RULES: &str = "[{type: invoice, description: asks for payment}]";

#[test]
fn get_prints_the_job_in_every_format() {
    let bench = bench();
    let id = bench.job("docs/bill.txt");
    for words in [
        vec!["classify", "get", &id],
        vec!["classify", "get", "--job-id", &id, "--expand", "usage"],
    ] {
        let job = bench.run(&words).ends(0).json();
        assert_eq!(job["id"], id.as_str());
        assert_eq!(job["result"]["type"], "invoice");
        assert_eq!(
            job.get("usage").is_some(),
            words.contains(&"usage"),
            "{job}"
        );
    }
    let run = |format: &str| {
        bench
            .run(&["classify", "get", &id, "--format", format])
            .ends(0)
            .stdout
    };
    assert_eq!(run("jsonl").lines().count(), 1);
    assert!(run("json").starts_with("{\n  \""));
    assert!(run("csv").starts_with("id,status,type,confidence,reasoning,file_input,"));
    let table = without_ids(&run("table"));
    assert!(table.starts_with("Field"), "{table}");
    for part in ["clj-*", "COMPLETED", "invoice", "0.93"] {
        assert!(table.contains(part), "{part}: {table}");
    }
}

#[test]
fn create_sends_what_the_flags_say() {
    let bench = bench();
    let file = uploaded(&bench);
    let create = |flags: &[&str]| {
        let words = [&["classify", "create", "--file-input", &file], flags].concat();
        let job = bench.run(&words).ends(0).json();
        assert_eq!(job["status"], "PENDING", "{job}");
        let sent = bench
            .emulator
            .requests()
            .into_iter()
            .rfind(|seen| seen.route == Route::ClassifyCreate);
        sent.unwrap().body.unwrap()
    };
    let whole = format!("{{rules: {RULES}, mode: FAST}}");
    let body = create(&[
        "--configuration",
        &whole,
        "--configuration.parsing-configuration",
        "{lang: de, max_pages: 2}",
    ]);
    assert_eq!(body["configuration"]["rules"][0]["type"], "invoice");
    assert_eq!(body["configuration"]["mode"], "FAST");
    assert_eq!(
        body["configuration"]["parsing_configuration"]["max_pages"],
        2
    );
    assert!(body["transaction_id"].is_string());

    let body = create(&[
        "--configuration.rules",
        RULES,
        "--transaction-id",
        "order-4711",
        "--webhook-configuration.webhook-url",
        "https://example.com/a",
        "--webhook-configuration.webhook-events",
        "[classify.success]",
        "--webhook-configuration.webhook-url",
        "https://example.com/b",
        "--webhook-configuration.webhook-signing-secret",
        "canary-secret",
    ]);
    assert_eq!(body["transaction_id"], "order-4711");
    assert_eq!(
        body["webhook_configurations"][0]["webhook_events"][0],
        "classify.success"
    );
    assert_eq!(
        body["webhook_configurations"][1]["webhook_url"],
        "https://example.com/b"
    );

    // The same id finds the same job; other rules under it are a conflict and no stale answer.
    let again = [
        "classify",
        "create",
        "--file-id",
        &file,
        "--transaction-id",
        "order-4711",
        "--configuration.rules",
    ];
    let jobs = bench.emulator.job_count();
    bench.run(&[&again[..], &[RULES]].concat()).ends(0);
    bench
        .run(
            &[
                &again[..],
                &["[{type: other, description: something else}]"],
            ]
            .concat(),
        )
        .ends(1)
        .complains("order-4711");
    assert_eq!(bench.emulator.job_count(), jobs);
}

#[test]
fn wrong_creates_are_told_before_anything_is_sent() {
    let bench = bench();
    for (flags, complaint) in [
        (&["--file-input", "dfl-1"][..], "give rules"),
        (&["--configuration.rules", RULES], "--file-input"),
        (
            &["--file-input", "dfl-1", "--file-id", "dfl-2"],
            "exclude each other",
        ),
        (
            &["--file-input", "dfl-1", "--configuration", "{rules: ["],
            "--configuration: ",
        ),
        (
            &[
                "--file-input",
                "dfl-1",
                "--configuration.rules",
                "[{type: a}]",
            ],
            "description",
        ),
        (
            &[
                "--file-input",
                "dfl-1",
                "--configuration-id",
                "c",
                "--configuration.rules",
                RULES,
            ],
            "one of the two",
        ),
    ] {
        bench
            .run(&[&["classify", "create"], flags].concat())
            .ends(2)
            .complains(complaint);
    }
    assert_eq!(bench.emulator.request_count(), 0);
}

#[test]
fn list_follows_pages_and_sends_every_id() {
    let bench = bench();
    let ids: Vec<String> = (0..5)
        .map(|index| {
            bench.job(
                &bench
                    .file(&format!("bill{index}.txt"), &format!("bill {index}"))
                    .display()
                    .to_string(),
            )
        })
        .collect();
    let found = bench.run(&["classify", "list", "--page-size", "2"]).ends(0);
    assert_eq!(found.lines().len(), 5);
    let found = bench
        .run(&[
            "classify", "list", "--job-id", &ids[0], "--job-id", &ids[3], "--format", "json",
        ])
        .ends(0);
    let listed = found.json();
    let mut listed: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["id"].as_str().unwrap())
        .collect();
    listed.sort_unstable();
    let mut asked = [ids[0].as_str(), ids[3].as_str()];
    asked.sort_unstable();
    assert_eq!(listed, asked);

    assert_eq!(
        bench
            .run(&["classify", "list", "--max-items", "3"])
            .ends(0)
            .lines()
            .len(),
        3
    );
    let before = bench.emulator.request_count();
    assert_eq!(
        bench
            .run(&["classify", "list", "--max-items", "0", "--format", "json"])
            .ends(0)
            .json(),
        Value::Array(vec![])
    );
    assert_eq!(bench.emulator.request_count(), before);
    assert_eq!(
        bench
            .run(&["classify", "list", "--status", "failed"])
            .ends(0)
            .stdout,
        ""
    );
    assert_eq!(
        bench
            .run(&["classify", "list", "--format", "csv"])
            .ends(0)
            .stdout
            .lines()
            .count(),
        6
    );
    let table = bench
        .run(&["classify", "list", "--format", "table"])
        .ends(0)
        .stdout;
    assert_eq!(table.matches("COMPLETED").count(), 5, "{table}");
    assert!(
        table.lines().all(|line| line.chars().count() <= 80),
        "{table}"
    );

    bench
        .run(&["classify", "list", "--page-size", "0"])
        .ends(2)
        .complains("1 to 100");
    bench
        .run(&["classify", "list", "--max-items", "-2"])
        .ends(2)
        .complains("--max-items");
    bench
        .run(&["classify", "list", "--created-at-on-or-after", "yesterday"])
        .ends(2)
        .complains("2026-01-02");
}

#[test]
fn wait_prints_the_job_whatever_became_of_it() {
    let bench = bench();
    let done = bench.job("docs/bill.txt");
    assert_eq!(
        bench.run(&["classify", "wait", &done]).ends(0).json()["status"],
        "COMPLETED"
    );

    let torn = bench.job(&bench.file("torn.pdf", "x").display().to_string());
    let found = bench
        .run(&["classify", "wait", &torn, "--format", "json"])
        .ends(9);
    assert_eq!(found.json()["status"], "FAILED");
    assert_eq!(found.error()["job_id"], torn.as_str());
    assert_eq!(found.error()["kind"], "job_ended");

    let open = open_job(&bench);
    let found = bench
        .run(&["classify", "wait", &open, "--timeout", "0"])
        .ends(8);
    found
        .complains(&open)
        .complains(&format!("llamacloud-prod classify wait {open}"));

    let found = bench
        .run(&[
            "classify",
            "wait",
            &done,
            &torn,
            "--job-id",
            &open,
            "--timeout",
            "1s",
        ])
        .ends(8);
    assert_eq!(found.lines().len(), 2);
    bench.run(&["classify", "wait"]).ends(2).complains("JOB_ID");
}

#[test]
fn cancel_and_delete_answer_as_the_service_does() {
    let bench = bench();
    let open = open_job(&bench);
    bench
        .run(&["classify", "delete", &open])
        .ends(1)
        .complains("409");
    assert_eq!(
        bench
            .run(&["classify", "cancel", "--job-id", &open])
            .ends(0)
            .json()["status"],
        "CANCELLED"
    );
    bench
        .run(&["classify", "cancel", &open])
        .ends(1)
        .complains("409");
    bench
        .run(&["classify", "wait", &open])
        .ends(9)
        .complains("was cancelled");
    assert_eq!(
        bench.run(&["classify", "delete", &open]).ends(0).json()["id"],
        open.as_str()
    );
    bench
        .run(&["classify", "delete", &open, "--format", "json"])
        .ends(6);
    bench
        .run(&["classify", "get", &open])
        .ends(6)
        .complains("404");
    for command in ["get", "cancel", "delete"] {
        bench.run(&["classify", command]).ends(2);
        bench
            .run(&["classify", command, "a", "--job-id", "b"])
            .ends(2);
        bench
            .run(&["classify", command, ".."])
            .ends(2)
            .complains("job_id");
    }
}
