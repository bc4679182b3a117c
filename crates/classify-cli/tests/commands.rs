//! The commands that are one call each: what their flags send, whichever way they are written.

mod common;

use std::io::Write as _;
use std::process::Stdio;

use classify_emulator::{Config, LoggedRequest, RateLimits};
use common::{Bench, Said};
use serde_json::json;

const RULE: &str = "{type: invoice, description: asks for payment by a due date}";
const SECRET: &str = "canary-secret-77aa";

fn bench() -> Bench {
    Bench::with(Config::default().rate_limits(RateLimits::none()))
}

fn last(bench: &Bench) -> LoggedRequest {
    bench.emulator.requests().pop().unwrap()
}

fn query(bench: &Bench, name: &str) -> Vec<String> {
    let pairs = last(bench).query.into_iter();
    pairs
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value)
        .collect()
}

/// Runs a command with text on its stdin. No command may show a secret.
fn fed(bench: &Bench, words: &[&str], text: &[u8]) -> Said {
    let mut child = bench
        .command(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that needs nothing from stdin may be gone before it is fed.
    let _ = child.stdin.take().unwrap().write_all(text);
    let output = child.wait_with_output().unwrap();
    Said {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
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
fn files_take_every_documented_flag() {
    let bench = bench();
    let words = [
        "files",
        "create",
        "--file",
        "docs/bill.txt",
        "--purpose",
        "classify",
        "--external-file-id",
        "order-1",
    ];
    let file = bench.run(&words).ends(0).json();
    let id = file["id"].as_str().unwrap();
    assert_eq!(file["external_file_id"], "order-1");
    let other = upload(&bench);

    let found = bench
        .run(&[
            "files",
            "list",
            "--file-id",
            id,
            "--file-id",
            &other,
            "--order-by",
            "name",
            "--page-size",
            "1",
            "--expand",
            "download_url",
            "--format",
            "json",
        ])
        .ends(0)
        .json();
    assert_eq!(found.as_array().unwrap().len(), 2);
    assert!(found[0]["download_url"]["url"].is_string());
    assert_eq!(query(&bench, "file_ids"), [id, &*other], "both are sent");
    let by = |flags: &[&str]| {
        bench
            .run(&[&["files", "list"], flags].concat())
            .ends(0)
            .lines()
    };
    assert_eq!(by(&["--external-file-id", "order-1"])[0]["id"], id);
    assert_eq!(by(&["--file-name", "none.txt"]).len(), 0);
    assert_eq!(by(&["--max-items", "1", "--page-token", "null"]).len(), 1);
    assert_eq!(by(&["--max-items", "0"]).len(), 0);

    let one = bench
        .run(&[
            "files",
            "retrieve",
            "--file-id",
            id,
            "--expand",
            "download_url",
        ])
        .ends(0);
    assert_eq!(one.json()["id"], id);
    bench
        .run(&["files", "content", id, "--expires-at-seconds", "0x10"])
        .ends(0);
    assert_eq!(query(&bench, "expires_at_seconds"), ["16"]);
    bench
        .run(&[
            "files",
            "query",
            "--filter",
            "{file_name: bill.txt}",
            "--filter.file-ids",
            &format!("[{id}]"),
            "--order-by",
            "name",
            "--page-size",
            "5",
        ])
        .ends(0);
    let body = last(&bench).body.unwrap();
    assert_eq!(
        body["filter"],
        json!({"file_name": "bill.txt", "file_ids": [id]})
    );
    assert_eq!(body["page_size"], 5);
    let gone = bench.run(&["files", "delete", id]).ends(0);
    assert!(gone.stdout.is_empty(), "{gone:?}");
    bench.run(&["files", "retrieve", id]).ends(6);
}

#[test]
fn uploads_that_cannot_be_are_told_and_stdin_is_one_that_can() {
    let bench = bench();
    bench
        .run(&[
            "files",
            "create",
            "--file",
            "docs/none.txt",
            "--purpose",
            "x",
        ])
        .ends(2)
        .complains("none.txt");
    bench
        .run(&["files", "create", "--purpose", "x"])
        .ends(2)
        .complains("--file");
    bench
        .run(&["files", "list", "--page-size", "1001"])
        .ends(2)
        .complains("1 to 1000");
    let piped = fed(
        &bench,
        &["files", "create", "--file", "-", "--purpose", "classify"],
        b"\xff\x00: [",
    )
    .ends(0);
    assert_eq!(piped.json()["name"], "stdin");
}

#[test]
fn jobs_of_version_1_from_create_to_results() {
    let bench = bench();
    let (one, two) = (upload(&bench), upload(&bench));
    let job = bench
        .run(&[
            "classifier:jobs",
            "create",
            "--file-id",
            &one,
            "--file-id",
            &two,
            "--rule",
            RULE,
            "--rule.type",
            "recipe",
            "--rule.description",
            "lists ingredients and steps",
            "--rule.type",
            "other",
            "--rule.description",
            "anything that fits no other rule",
            "--mode",
            "fast",
            "--parsing-configuration",
            "{lang: de}",
            "--parsing-configuration.max-pages",
            "3",
            "--webhook-configuration.webhook-url",
            "https://example.com/a",
            "--webhook-configuration.webhook-events",
            "[classify.success]",
        ])
        .ends(0)
        .json();
    let body = last(&bench).body.unwrap();
    assert_eq!(body["file_ids"], json!([one, two]));
    assert_eq!(body["rules"].as_array().unwrap().len(), 3);
    assert_eq!(
        body["rules"][1],
        json!({"type": "recipe", "description": "lists ingredients and steps"})
    );
    assert_eq!(body["mode"], "FAST");
    assert_eq!(
        body["parsing_configuration"],
        json!({"lang": "de", "max_pages": 3})
    );
    assert_eq!(
        body["webhook_configurations"][0]["webhook_events"],
        json!(["classify.success"])
    );

    let id = job["id"].as_str().unwrap();
    let ended = bench.run(&["classifier:jobs", "wait", id]).ends(0).json();
    assert_eq!(ended["status"], "SUCCESS");
    assert_eq!(
        bench.run(&["classifier:jobs", "get", id]).ends(0).json()["id"],
        id
    );
    let types = [
        "classifier:jobs",
        "get-results",
        id,
        "--transform",
        "items.#.result.type",
    ];
    assert_eq!(
        bench.run(&types).ends(0).json(),
        json!(["invoice", "invoice"])
    );
    assert_eq!(
        bench
            .run(&["classifier:jobs", "list", "--page-size", "1"])
            .ends(0)
            .lines()
            .len(),
        1
    );
    bench
        .run(&["classifier:jobs", "create", "--rule", RULE])
        .ends(2)
        .complains("--file-id");
    bench
        .run(&[
            "classifier:jobs",
            "wait",
            "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
        ])
        .ends(6);
}

#[test]
fn configurations_are_saved_changed_and_deleted() {
    let bench = bench();
    bench.file(
        "parameters.yaml",
        &format!("product_type: classify_v2\nrules:\n- {RULE}\n"),
    );
    let id = bench
        .run(&[
            "configurations",
            "create",
            "--name",
            "bills",
            "--parameters",
            "@parameters.yaml",
            "--transform",
            "id",
            "--raw-output",
        ])
        .ends(0);
    let id = id.stdout.trim();
    assert!(id.starts_with("cfg-"), "{id}");
    bench
        .run(&[
            "configurations",
            "list",
            "--product-type",
            "classify_v2",
            "--product-type",
            "extract_v2",
            "--latest-only",
            "--name",
            "bills",
        ])
        .ends(0);
    assert_eq!(query(&bench, "product_type"), ["classify_v2", "extract_v2"]);
    assert_eq!(query(&bench, "latest_only"), ["true"]);
    bench
        .run(&["configurations", "list", "--latest-only=false"])
        .ends(0);
    assert_eq!(query(&bench, "latest_only"), ["false"]);
    let changed = bench
        .run(&[
            "configurations",
            "update",
            "--config-id",
            id,
            "--name",
            "invoices",
        ])
        .ends(0);
    assert_eq!(changed.json()["name"], "invoices");
    assert_eq!(
        last(&bench).body,
        Some(json!({"name": "invoices"})),
        "what is not given is not sent"
    );
    assert_eq!(
        bench
            .run(&["configurations", "retrieve", id])
            .ends(0)
            .json()["name"],
        "invoices"
    );
    assert_eq!(
        bench.run(&["configurations", "delete", id]).ends(0).stdout,
        ""
    );
    bench.run(&["configurations", "retrieve", id]).ends(6);
}

#[test]
fn webhooks_are_saved_and_their_secrets_never_shown() {
    let bench = bench();
    bench.file("secret.txt", &format!("{SECRET}\n"));
    let made = bench
        .run(&[
            "webhook-configs",
            "create",
            "--webhook-url",
            "https://example.com/hook",
            "--webhook-event",
            "classify.success",
            "--webhook-event",
            "classify.error",
            "--webhook-headers",
            "{X-Team: blue}",
            "--webhook-output-format",
            "json",
            "--webhook-signing-secret",
            "@secret.txt",
            "--debug",
        ])
        .ends(0)
        .complains("debug: POST /api/v1/beta/webhook-configs -> 201, attempt 1,");
    assert!(
        !made.stdout.contains(SECRET) && !made.stderr.contains(SECRET),
        "{made:?}"
    );
    assert!(
        !made.stderr.contains("blue") && !made.stderr.contains("example.com"),
        "{made:?}"
    );
    let body = bench.emulator.requests().pop().unwrap().body.unwrap();
    assert_eq!(
        body["webhook_events"],
        json!(["classify.success", "classify.error"])
    );
    let made = made.json();
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["has_secret"], true);
    bench
        .run(&["webhook-configs", "update", id, "--webhook-event", "null"])
        .ends(0);
    assert_eq!(
        last(&bench).body,
        Some(json!({"webhook_events": null})),
        "null is sent as null"
    );
    assert_eq!(
        bench
            .run(&["webhook-configs", "list"])
            .ends(0)
            .lines()
            .len(),
        1
    );
    assert_eq!(
        bench
            .run(&["webhook-configs", "retrieve", "--config-id", id])
            .ends(0)
            .json()["id"],
        id
    );
    assert_eq!(
        bench.run(&["webhook-configs", "delete", id]).ends(0).stdout,
        ""
    );
}

#[test]
fn a_map_on_stdin_fills_what_flags_leave_open() {
    let bench = bench();
    let file = upload(&bench);
    let map = format!(
        "file_input: {file}\ntransaction_id: piped\nx_new_field: 7\nconfiguration:\n  rules: [{RULE}]\n"
    );
    let job = fed(
        &bench,
        &["classify", "create", "--transaction-id", "flag"],
        map.as_bytes(),
    )
    .ends(0);
    assert_eq!(job.json()["transaction_id"], "flag", "flags win");
    assert_eq!(
        last(&bench).body.unwrap()["x_new_field"],
        7,
        "what is not known is sent all the same"
    );
    let id = job.json()["id"].clone();

    let by_stdin = format!("{{\"job_ids\": [{id}]}}");
    let found = fed(&bench, &["classify", "list"], by_stdin.as_bytes()).ends(0);
    assert_eq!(found.lines()[0]["id"], id);
    let by_stdin = format!("{{job_id: {id}}}");
    assert_eq!(
        fed(&bench, &["classify", "get"], by_stdin.as_bytes())
            .ends(0)
            .json()["id"],
        id
    );
    // With all it needs at hand, a command leaves stdin alone: `while read` loops go on.
    fed(
        &bench,
        &["classify", "get", id.as_str().unwrap()],
        b"- not a map",
    )
    .ends(0);
    for text in ["- not a map", "{a: ", "just words"] {
        fed(&bench, &["classify", "create"], text.as_bytes())
            .ends(2)
            .complains("stdin");
    }
    fed(&bench, &["classify", "create"], b"")
        .ends(2)
        .complains("--file-input");
}

#[test]
fn files_stand_in_for_values_and_a_backslash_for_the_sign() {
    let bench = bench();
    let file = upload(&bench);
    bench.file("id.txt", &format!("{file}\n"));
    bench.file(
        "rules.json",
        r#"[{"type": "a", "description": "asks for payment by a due date"}]"#,
    );
    bench.file("text.txt", "asks for payment by a due date\n");
    let job = bench
        .run(&[
            "classify",
            "create",
            "--file-input",
            "@id.txt",
            "--configuration",
            "{rules: [{type: a, description: '@text.txt'}, {type: b, description: '\\@text.txt of them'}]}",
            "--transaction-id",
            "\\@x",
        ])
        .ends(0)
        .json();
    assert_eq!(
        job["configuration"]["rules"][0]["description"],
        "asks for payment by a due date"
    );
    assert_eq!(
        job["configuration"]["rules"][1]["description"],
        "@text.txt of them"
    );
    assert_eq!(job["transaction_id"], "@x");
    bench
        .run(&[
            "classify",
            "create",
            "--file-input",
            "@id.txt",
            "--configuration.rules",
            "@rules.json",
        ])
        .ends(0);
    bench
        .run(&["classify", "create", "--file-input", "@none.txt"])
        .ends(2)
        .complains("none.txt")
        .complains("\\@");
}

#[test]
fn a_secret_that_the_service_refuses_is_not_repeated() {
    let bench = bench();
    for words in [
        &[
            "webhook-configs",
            "create",
            "--webhook-url",
            "https://example.com/h",
            "--webhook-output-format",
            "xml",
        ][..],
        &[
            "webhook-configs",
            "update",
            "whc-1",
            "--webhook-output-format",
            "xml",
        ],
        &[
            "classify",
            "create",
            "--file-input",
            "dfl-1",
            "--webhook-configuration.webhook-events",
            "[nothing]",
        ],
        &[
            "classifier:jobs",
            "create",
            "--file-id",
            "x",
            "--rule",
            RULE,
            "--webhook-configuration",
            "{webhook_url: ftp://x}",
        ],
    ] {
        let flag = if words[0] == "webhook-configs" {
            "--webhook-signing-secret"
        } else {
            "--webhook-configuration.webhook-signing-secret"
        };
        for format in ["auto", "json", "raw"] {
            let all = [words, &[flag, SECRET, "--debug", "--format", format]].concat();
            let said = bench.run(&all);
            assert_ne!(said.code, 0, "{said:?}");
            assert!(
                !said.stdout.contains(SECRET) && !said.stderr.contains(SECRET),
                "{said:?}"
            );
        }
    }
}
