//! The commands that make one call each: the requests of their flags in every form.

mod common;

use std::io::Write as _;
use std::process::Stdio;

use classify_emulator::{Config, LoggedRequest, RateLimits, Route};
use common::{CommandOutput, Sandbox};
use serde_json::json;

const RULE: &str = "{type: invoice, description: asks for payment by a due date}";
const SECRET: &str = "canary-secret-77aa";

fn sandbox() -> Sandbox {
    Sandbox::with(Config::default().rate_limits(RateLimits::none()))
}

fn last(sandbox: &Sandbox) -> LoggedRequest {
    sandbox.emulator.requests().pop().unwrap()
}

fn query(sandbox: &Sandbox, name: &str) -> Vec<String> {
    let pairs = last(sandbox).query.into_iter();
    pairs
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value)
        .collect()
}

/// Runs a command with text on its stdin. No command may show a secret.
fn fed(sandbox: &Sandbox, words: &[&str], text: &[u8]) -> CommandOutput {
    let mut child = sandbox
        .command(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that needs no stdin may exit before it is written.
    let _ = child.stdin.take().unwrap().write_all(text);
    let output = child.wait_with_output().unwrap();
    CommandOutput {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
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

#[test]
fn files_commands_accept_every_documented_flag() {
    let sandbox = sandbox();
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
    let file = sandbox.run(&words).assert_exit(0).json();
    let id = file["id"].as_str().unwrap();
    assert_eq!(file["external_file_id"], "order-1");
    let other = upload(&sandbox);

    let found = sandbox
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
        .assert_exit(0)
        .json();
    assert_eq!(found.as_array().unwrap().len(), 2);
    assert!(found[0]["download_url"]["url"].is_string());
    assert_eq!(query(&sandbox, "file_ids"), [id, &*other], "both are sent");
    let by = |flags: &[&str]| {
        sandbox
            .run(&[&["files", "list"], flags].concat())
            .assert_exit(0)
            .lines()
    };
    assert_eq!(by(&["--external-file-id", "order-1"])[0]["id"], id);
    assert_eq!(by(&["--file-name", "none.txt"]).len(), 0);
    assert_eq!(by(&["--max-items", "1", "--page-token", "null"]).len(), 1);
    assert_eq!(by(&["--max-items", "0"]).len(), 0);

    let one = sandbox
        .run(&[
            "files",
            "retrieve",
            "--file-id",
            id,
            "--expand",
            "download_url",
        ])
        .assert_exit(0);
    assert_eq!(one.json()["id"], id);
    sandbox
        .run(&["files", "content", id, "--expires-at-seconds", "0x10"])
        .assert_exit(0);
    assert_eq!(query(&sandbox, "expires_at_seconds"), ["16"]);
    sandbox
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
        .assert_exit(0);
    let body = last(&sandbox).body.unwrap();
    assert_eq!(
        body["filter"],
        json!({"file_name": "bill.txt", "file_ids": [id]})
    );
    assert_eq!(body["page_size"], 5);
    let gone = sandbox.run(&["files", "delete", id]).assert_exit(0);
    assert!(gone.stdout.is_empty(), "{gone:?}");
    sandbox.run(&["files", "retrieve", id]).assert_exit(6);
}

#[test]
fn upload_rejects_missing_file_and_accepts_stdin() {
    let sandbox = sandbox();
    sandbox
        .run(&[
            "files",
            "create",
            "--file",
            "docs/none.txt",
            "--purpose",
            "x",
        ])
        .assert_exit(2)
        .assert_stderr("none.txt");
    sandbox
        .run(&["files", "create", "--purpose", "x"])
        .assert_exit(2)
        .assert_stderr("--file");
    sandbox
        .run(&["files", "list", "--page-size", "1001"])
        .assert_exit(2)
        .assert_stderr("1 to 1000");
    let piped = fed(
        &sandbox,
        &["files", "create", "--file", "-", "--purpose", "classify"],
        b"\xff\x00: [",
    )
    .assert_exit(0);
    assert_eq!(piped.json()["name"], "stdin");
}

#[test]
fn upload_of_empty_or_too_large_file_is_not_sent() {
    let sandbox = sandbox();
    sandbox.file("empty.pdf", "");
    // A sparse file takes no space on the disk.
    let large = std::fs::File::create(sandbox.path().join("large.pdf")).unwrap();
    large.set_len(512 * 1024 * 1024 + 1).unwrap();
    let create = |file: &str, flags: &[&str]| {
        let words = ["files", "create", "--purpose", "classify", "--file", file];
        sandbox.run(&[&words, flags].concat())
    };
    for (file, what) in [
        ("empty.pdf", "empty.pdf is empty: 0 bytes"),
        ("large.pdf", "large.pdf has 536870913 bytes"),
        ("@large.pdf", "at most 536870912"),
    ] {
        create(file, &[]).assert_exit(2).assert_stderr(what);
    }
    let words = ["files", "create", "--purpose", "classify", "--file", "-"];
    fed(&sandbox, &words, b"")
        .assert_exit(2)
        .assert_stderr("empty");
    assert_eq!(sandbox.emulator.count(Route::FileCreate), 0);
    // The service reports it.
    create("empty.pdf", &["--no-validate"])
        .assert_exit(2)
        .assert_stderr("400");
    assert_eq!(sandbox.emulator.count(Route::FileCreate), 1);
}

#[test]
fn upload_path_that_is_a_url_or_has_unexpanded_home_has_a_hint() {
    let sandbox = sandbox();
    for (file, hint) in [
        ("https://example.com/a.pdf", "a URL is not a path"),
        ("~/a.pdf", "$HOME"),
    ] {
        let words = ["files", "create", "--purpose", "classify", "--file", file];
        sandbox.run(&words).assert_exit(2).assert_stderr(hint);
    }
}

#[test]
fn v1_jobs_from_create_to_results() {
    let sandbox = sandbox();
    let (one, two) = (upload(&sandbox), upload(&sandbox));
    let job = sandbox
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
        .assert_exit(0)
        .json();
    let body = last(&sandbox).body.unwrap();
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
    let ended = sandbox
        .run(&["classifier:jobs", "wait", id])
        .assert_exit(0)
        .json();
    assert_eq!(ended["status"], "SUCCESS");
    assert_eq!(
        sandbox
            .run(&["classifier:jobs", "get", id])
            .assert_exit(0)
            .json()["id"],
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
        sandbox.run(&types).assert_exit(0).json(),
        json!(["invoice", "invoice"])
    );
    assert_eq!(
        sandbox
            .run(&["classifier:jobs", "list", "--page-size", "1"])
            .assert_exit(0)
            .lines()
            .len(),
        1
    );
    sandbox
        .run(&["classifier:jobs", "create", "--rule", RULE])
        .assert_exit(2)
        .assert_stderr("--file-id");
    sandbox
        .run(&[
            "classifier:jobs",
            "wait",
            "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
        ])
        .assert_exit(6);
}

#[test]
fn configurations_are_created_updated_and_deleted() {
    let sandbox = sandbox();
    sandbox.file(
        "parameters.yaml",
        &format!("product_type: classify_v2\nrules:\n- {RULE}\n"),
    );
    let id = sandbox
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
        .assert_exit(0);
    let id = id.stdout.trim();
    assert!(id.starts_with("cfg-"), "{id}");
    sandbox
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
        .assert_exit(0);
    assert_eq!(
        query(&sandbox, "product_type"),
        ["classify_v2", "extract_v2"]
    );
    assert_eq!(query(&sandbox, "latest_only"), ["true"]);
    sandbox
        .run(&["configurations", "list", "--latest-only=false"])
        .assert_exit(0);
    assert_eq!(query(&sandbox, "latest_only"), ["false"]);
    let changed = sandbox
        .run(&[
            "configurations",
            "update",
            "--config-id",
            id,
            "--name",
            "invoices",
        ])
        .assert_exit(0);
    assert_eq!(changed.json()["name"], "invoices");
    assert_eq!(
        last(&sandbox).body,
        Some(json!({"name": "invoices"})),
        "what is not given is not sent"
    );
    assert_eq!(
        sandbox
            .run(&["configurations", "retrieve", id])
            .assert_exit(0)
            .json()["name"],
        "invoices"
    );
    assert_eq!(
        sandbox
            .run(&["configurations", "delete", id])
            .assert_exit(0)
            .stdout,
        ""
    );
    sandbox
        .run(&["configurations", "retrieve", id])
        .assert_exit(6);
}

#[test]
fn webhook_configs_lifecycle_redacts_secrets() {
    let sandbox = sandbox();
    sandbox.file("secret.txt", &format!("{SECRET}\n"));
    let made = sandbox
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
        .assert_exit(0)
        .assert_stderr("debug: POST /api/v1/beta/webhook-configs -> 201, attempt 1,");
    assert!(
        !made.stdout.contains(SECRET) && !made.stderr.contains(SECRET),
        "{made:?}"
    );
    assert!(
        !made.stderr.contains("blue") && !made.stderr.contains("example.com"),
        "{made:?}"
    );
    let body = sandbox.emulator.requests().pop().unwrap().body.unwrap();
    assert_eq!(
        body["webhook_events"],
        json!(["classify.success", "classify.error"])
    );
    let made = made.json();
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["has_secret"], true);
    sandbox
        .run(&["webhook-configs", "update", id, "--webhook-event", "null"])
        .assert_exit(0);
    assert_eq!(
        last(&sandbox).body,
        Some(json!({"webhook_events": null})),
        "null is sent as null"
    );
    assert_eq!(
        sandbox
            .run(&["webhook-configs", "list"])
            .assert_exit(0)
            .lines()
            .len(),
        1
    );
    assert_eq!(
        sandbox
            .run(&["webhook-configs", "retrieve", "--config-id", id])
            .assert_exit(0)
            .json()["id"],
        id
    );
    assert_eq!(
        sandbox
            .run(&["webhook-configs", "delete", id])
            .assert_exit(0)
            .stdout,
        ""
    );
}

#[test]
fn stdin_map_fills_values_not_given_by_flags() {
    let sandbox = sandbox();
    let file = upload(&sandbox);
    let map = format!(
        "file_input: {file}\ntransaction_id: piped\nx_new_field: 7\nconfiguration:\n  rules: [{RULE}]\n"
    );
    let job = fed(
        &sandbox,
        &["classify", "create", "--transaction-id", "flag"],
        map.as_bytes(),
    )
    .assert_exit(0);
    assert_eq!(job.json()["transaction_id"], "flag", "flags win");
    assert_eq!(
        last(&sandbox).body.unwrap()["x_new_field"],
        7,
        "what is not known is sent all the same"
    );
    let id = job.json()["id"].clone();

    let by_stdin = format!("{{\"job_ids\": [{id}]}}");
    let found = fed(&sandbox, &["classify", "list"], by_stdin.as_bytes()).assert_exit(0);
    assert_eq!(found.lines()[0]["id"], id);
    let by_stdin = format!("{{job_id: {id}}}");
    assert_eq!(
        fed(&sandbox, &["classify", "get"], by_stdin.as_bytes())
            .assert_exit(0)
            .json()["id"],
        id
    );
    // A command with all required flags does not read stdin, so that `while read` loops continue.
    fed(
        &sandbox,
        &["classify", "get", id.as_str().unwrap()],
        b"- not a map",
    )
    .assert_exit(0);
    for text in ["- not a map", "{a: ", "just words"] {
        fed(&sandbox, &["classify", "create"], text.as_bytes())
            .assert_exit(2)
            .assert_stderr("stdin");
    }
    fed(&sandbox, &["classify", "create"], b"")
        .assert_exit(2)
        .assert_stderr("--file-input");
}

#[test]
fn file_reference_is_expanded_unless_at_sign_is_escaped() {
    let sandbox = sandbox();
    let file = upload(&sandbox);
    sandbox.file("id.txt", &format!("{file}\n"));
    sandbox.file(
        "rules.json",
        r#"[{"type": "a", "description": "asks for payment by a due date"}]"#,
    );
    sandbox.file("text.txt", "asks for payment by a due date\n");
    let job = sandbox
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
        .assert_exit(0)
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
    sandbox
        .run(&[
            "classify",
            "create",
            "--file-input",
            "@id.txt",
            "--configuration.rules",
            "@rules.json",
        ])
        .assert_exit(0);
    sandbox
        .run(&["classify", "create", "--file-input", "@none.txt"])
        .assert_exit(2)
        .assert_stderr("none.txt")
        .assert_stderr("\\@");
}

#[test]
fn redact_webhook_secret_of_rejected_request() {
    let sandbox = sandbox();
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
            let result = sandbox.run(&all);
            assert_ne!(result.code, 0, "{result:?}");
            assert!(
                !result.stdout.contains(SECRET) && !result.stderr.contains(SECRET),
                "{result:?}"
            );
        }
    }
}

/// `retrieve`, change one header, `update` with all of them; a copy by `create` would store the masks.
#[test]
fn webhook_config_masks_survive_update_and_are_rejected_by_create() {
    let sandbox = sandbox();
    let made = sandbox
        .run(&[
            "webhook-configs",
            "create",
            "--webhook-url",
            "https://example.com/hook",
            "--webhook-headers",
            "{X-Token: canary, X-Team: blue}",
        ])
        .assert_exit(0)
        .json();
    let id = made["id"].as_str().unwrap();
    let mut read = sandbox
        .run(&["webhook-configs", "retrieve", id])
        .assert_exit(0)
        .json();
    assert_eq!(read["webhook_headers"]["X-Token"], "********");
    read["webhook_headers"]["X-Team"] = "green".into();
    let headers = read["webhook_headers"].to_string();
    let fields = json!({ "webhook_headers": read["webhook_headers"] }).to_string();
    fed(
        &sandbox,
        &["webhook-configs", "update", id],
        fields.as_bytes(),
    )
    .assert_exit(0);
    assert_eq!(
        last(&sandbox).body.unwrap()["webhook_headers"],
        json!({ "X-Team": "green", "X-Token": "********" })
    );

    let sent = sandbox.emulator.requests().len();
    for arguments in [
        vec![
            "webhook-configs",
            "create",
            "--webhook-url",
            "https://example.com/hook",
            "--webhook-headers",
            &headers,
        ],
        vec![
            "classifier:jobs",
            "create",
            "--file-id",
            "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
            "--rule",
            "{type: invoice, description: an invoice of a supplier}",
            "--webhook-configuration",
            "{webhook_url: 'https://example.com', webhook_headers: {X-Token: '********'}}",
        ],
        vec![
            "classify",
            "create",
            "--file-input",
            "dfl-1",
            "--configuration-id",
            "cfg-1",
            "--webhook-configuration",
            "{webhook_url: 'https://example.com', webhook_headers: {X-Token: '********'}}",
        ],
    ] {
        sandbox
            .run(&arguments)
            .assert_exit(2)
            .assert_stderr("webhook_headers.X-Token is a mask");
    }
    assert_eq!(sandbox.emulator.requests().len(), sent);
}

#[test]
fn page_size_below_1_is_rejected_by_every_list_command() {
    let sandbox = sandbox();
    for command in [
        ["classify", "list"],
        ["classifier:jobs", "list"],
        ["files", "list"],
        ["files", "query"],
        ["configurations", "list"],
        ["webhook-configs", "list"],
    ] {
        let [resource, name] = command;
        sandbox
            .run(&[resource, name, "--page-size", "0"])
            .assert_exit(2)
            .assert_stderr("--page-size is 0; it must be 1");
    }
    assert!(sandbox.emulator.requests().is_empty());
}
