//! The commands about single jobs and lists of them.

mod common;

use classify_emulator::{Config, Route, Script};
use common::{Sandbox, without_ids};
use serde_json::Value;

fn sandbox() -> Sandbox {
    Sandbox::with(Config::default().scripts(vec![
        Script::file("bill*").labels("invoice", 0.93),
        Script::file("torn*").fails("PDF_IS_BROKEN"),
        Script::file("stuck*").never_ends(),
    ]))
}

fn open_job(sandbox: &Sandbox) -> String {
    sandbox.file("stuck.txt", "never ends");
    let words = [
        "classify",
        "run",
        "stuck.txt",
        "--rules",
        "rules.yaml",
        "--timeout",
        "0",
    ];
    sandbox.run(&words).assert_exit(3).lines()[0]["job_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn uploaded(sandbox: &Sandbox) -> String {
    let found = sandbox
        .run(&["classify", "run", "docs/bill.txt", "--rules", "rules.yaml"])
        .assert_exit(0);
    found.lines()[0]["file_id"].as_str().unwrap().to_owned()
}

const RULES: &str = "[{type: invoice, description: asks for payment}]";

#[test]
fn get_job_prints_every_format() {
    let sandbox = sandbox();
    let id = sandbox.job("docs/bill.txt");
    for words in [
        vec!["classify", "get", &id],
        vec!["classify", "get", "--job-id", &id, "--expand", "usage"],
    ] {
        let job = sandbox.run(&words).assert_exit(0).json();
        assert_eq!(job["id"], id.as_str());
        assert_eq!(job["result"]["type"], "invoice");
        assert_eq!(
            job.get("usage").is_some(),
            words.contains(&"usage"),
            "{job}"
        );
    }
    let run = |format: &str| {
        sandbox
            .run(&["classify", "get", &id, "--format", format])
            .assert_exit(0)
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
fn create_job_sends_flags_and_reused_transaction_id_conflicts() {
    let sandbox = sandbox();
    let file = uploaded(&sandbox);
    let create = |flags: &[&str]| {
        let words = [&["classify", "create", "--file-input", &file], flags].concat();
        let job = sandbox.run(&words).assert_exit(0).json();
        assert_eq!(job["status"], "PENDING", "{job}");
        let sent = sandbox
            .emulator
            .requests()
            .into_iter()
            .rfind(|request| request.route == Route::ClassifyCreate);
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

    // The same id returns the same job; other rules under it are a conflict, not an old result.
    let again = [
        "classify",
        "create",
        "--file-id",
        &file,
        "--transaction-id",
        "order-4711",
        "--configuration.rules",
    ];
    let jobs = sandbox.emulator.job_count();
    sandbox.run(&[&again[..], &[RULES]].concat()).assert_exit(0);
    sandbox
        .run(
            &[
                &again[..],
                &["[{type: other, description: something else}]"],
            ]
            .concat(),
        )
        .assert_exit(1)
        .assert_stderr("order-4711");
    assert_eq!(sandbox.emulator.job_count(), jobs);
}

#[test]
fn create_job_validation_fails_before_any_request() {
    let sandbox = sandbox();
    for (flags, complaint) in [
        (&["--file-input", "dfl-1"][..], "give rules"),
        (&["--configuration.rules", RULES], "--file-input"),
        (
            &["--file-input", "dfl-1", "--file-id", "dfl-2"],
            "cannot be combined",
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
        sandbox
            .run(&[&["classify", "create"], flags].concat())
            .assert_exit(2)
            .assert_stderr(complaint);
    }
    assert_eq!(sandbox.emulator.request_count(), 0);
}

#[test]
fn list_jobs_pagination_follows_pages_and_filters_by_id() {
    let sandbox = sandbox();
    let ids: Vec<String> = (0..5)
        .map(|index| {
            sandbox.job(
                &sandbox
                    .file(&format!("bill{index}.txt"), &format!("bill {index}"))
                    .display()
                    .to_string(),
            )
        })
        .collect();
    let found = sandbox
        .run(&["classify", "list", "--page-size", "2"])
        .assert_exit(0);
    assert_eq!(found.lines().len(), 5);
    let found = sandbox
        .run(&[
            "classify", "list", "--job-id", &ids[0], "--job-id", &ids[3], "--format", "json",
        ])
        .assert_exit(0);
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
        sandbox
            .run(&["classify", "list", "--max-items", "3"])
            .assert_exit(0)
            .lines()
            .len(),
        3
    );
    let before = sandbox.emulator.request_count();
    assert_eq!(
        sandbox
            .run(&["classify", "list", "--max-items", "0", "--format", "json"])
            .assert_exit(0)
            .json(),
        Value::Array(vec![])
    );
    assert_eq!(sandbox.emulator.request_count(), before);
    assert_eq!(
        sandbox
            .run(&["classify", "list", "--status", "failed"])
            .assert_exit(0)
            .stdout,
        ""
    );
    assert_eq!(
        sandbox
            .run(&["classify", "list", "--format", "csv"])
            .assert_exit(0)
            .stdout
            .lines()
            .count(),
        6
    );
    let table = sandbox
        .run(&["classify", "list", "--format", "table"])
        .assert_exit(0)
        .stdout;
    assert_eq!(table.matches("COMPLETED").count(), 5, "{table}");
    assert!(
        table.lines().all(|line| line.chars().count() <= 80),
        "{table}"
    );

    sandbox
        .run(&["classify", "list", "--page-size", "0"])
        .assert_exit(2)
        .assert_stderr("1 to 100");
    sandbox
        .run(&["classify", "list", "--max-items", "-2"])
        .assert_exit(2)
        .assert_stderr("--max-items");
    sandbox
        .run(&["classify", "list", "--created-at-on-or-after", "yesterday"])
        .assert_exit(2)
        .assert_stderr("2026-01-02");
}

#[test]
fn wait_job_prints_final_status_or_times_out() {
    let sandbox = sandbox();
    let done = sandbox.job("docs/bill.txt");
    assert_eq!(
        sandbox
            .run(&["classify", "wait", &done])
            .assert_exit(0)
            .json()["status"],
        "COMPLETED"
    );

    let torn = sandbox.job(&sandbox.file("torn.pdf", "x").display().to_string());
    let found = sandbox
        .run(&["classify", "wait", &torn, "--format", "json"])
        .assert_exit(9);
    assert_eq!(found.json()["status"], "FAILED");
    assert_eq!(found.error()["job_id"], torn.as_str());
    assert_eq!(found.error()["kind"], "job_ended");

    let open = open_job(&sandbox);
    let found = sandbox
        .run(&["classify", "wait", &open, "--timeout", "0"])
        .assert_exit(8);
    found
        .assert_stderr(&open)
        .assert_stderr(&format!("llamacloud-prod classify wait {open}"));

    let found = sandbox
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
        .assert_exit(8);
    assert_eq!(found.lines().len(), 2);
    sandbox
        .run(&["classify", "wait"])
        .assert_exit(2)
        .assert_stderr("JOB_ID");
}

#[test]
fn cancel_and_delete_job_report_conflict_and_not_found() {
    let sandbox = sandbox();
    let open = open_job(&sandbox);
    sandbox
        .run(&["classify", "delete", &open])
        .assert_exit(1)
        .assert_stderr("409");
    assert_eq!(
        sandbox
            .run(&["classify", "cancel", "--job-id", &open])
            .assert_exit(0)
            .json()["status"],
        "CANCELLED"
    );
    sandbox
        .run(&["classify", "cancel", &open])
        .assert_exit(1)
        .assert_stderr("409");
    sandbox
        .run(&["classify", "wait", &open])
        .assert_exit(9)
        .assert_stderr("was cancelled");
    assert_eq!(
        sandbox
            .run(&["classify", "delete", &open])
            .assert_exit(0)
            .json()["id"],
        open.as_str()
    );
    sandbox
        .run(&["classify", "delete", &open, "--format", "json"])
        .assert_exit(6);
    sandbox
        .run(&["classify", "get", &open])
        .assert_exit(6)
        .assert_stderr("404");
    for command in ["get", "cancel", "delete"] {
        sandbox.run(&["classify", command]).assert_exit(2);
        sandbox
            .run(&["classify", command, "a", "--job-id", "b"])
            .assert_exit(2);
        sandbox
            .run(&["classify", command, ".."])
            .assert_exit(2)
            .assert_stderr("job_id");
    }
}
