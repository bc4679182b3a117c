//! Request bodies: all values are sent, and no other file is read.

mod common;

use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::stub_server::StubServer;
use common::{CommandOutput, Sandbox, run_to_end};
use serde_json::{Value, json};

const CREATE: [&str; 4] = ["classify", "create", "--file-input", "dfl-1"];

/// A sandbox, and a service that accepts everything.
fn sandbox() -> (Sandbox, StubServer) {
    let service =
        StubServer::start(|_| (200, r#"{"id": "clj-1", "status": "PENDING"}"#.to_owned()));
    (Sandbox::new(), service)
}

fn run(sandbox: &Sandbox, service: &StubServer, words: &[&str]) -> CommandOutput {
    let mut command = sandbox.command(words);
    command.env("LLAMA_CLOUD_BASE_URL", service.url());
    run_to_end(command)
}

/// Runs a command with text on its stdin.
fn fed(sandbox: &Sandbox, service: &StubServer, words: &[&str], text: &str) -> CommandOutput {
    let mut command = sandbox.command(words);
    let mut child = command
        .env("LLAMA_CLOUD_BASE_URL", service.url())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    CommandOutput {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn validation_rejects_unknown_body_key_with_suggestion() {
    let (sandbox, service) = sandbox();
    let rules = "rules: [{type: invoice, description: asks for payment}]";
    let file = format!("{rules}\nparsing_configuration: {{max_page: 3}}\n");
    sandbox.file("typo.yaml", &file);
    for (flag, value, parts) in [
        (
            "--configuration",
            "@typo.yaml",
            ["`max_page`", "`max_pages`"],
        ),
        (
            "--configuration",
            "{rules: [{type: a, descripton: asks for payment}]}",
            ["`descripton`", "`description`"],
        ),
        (
            "--configuration",
            "{rules: [{type: a, description: asks for payment}], moed: FAST}",
            ["`moed`", "`mode`"],
        ),
        (
            "--configuration.parsing-configuration",
            "{target_page: '1'}",
            ["`target_page`", "`target_pages`"],
        ),
        (
            "--webhook-configuration",
            "{webhook_ulr: https://example.com}",
            ["`webhook_ulr`", "`webhook_url`"],
        ),
    ] {
        let mut words = [&CREATE[..], &[flag, value]].concat();
        if flag != "--configuration" {
            words.extend([
                "--configuration.rules",
                "[{type: a, description: asks for payment}]",
            ]);
        }
        let result = run(&sandbox, &service, &words).assert_exit(2);
        for part in parts {
            assert!(result.stderr.contains(part), "{value}: {part}: {result:?}");
        }
        result.assert_stderr("--no-validate");
        assert_eq!(service.requests().len(), 0, "{value}");
    }
    // The same on stdin, and for version 1.
    fed(
        &sandbox,
        &service,
        &CREATE,
        &format!("configuration:\n  {rules}\n  parsing: {{}}\n"),
    )
    .assert_exit(2)
    .assert_stderr("`parsing`");
    run(
        &sandbox,
        &service,
        &[
            "classifier:jobs",
            "create",
            "--file-id",
            "a",
            "--rule",
            "{type: a, description: asks for payment}",
            "--parsing-configuration",
            "{max_page: 3}",
        ],
    )
    .assert_exit(2)
    .assert_stderr("`max_pages`");
    let parameters = "{product_type: classify_v2, rules: [], parsing_configuration: {max_page: 1}}";
    run(
        &sandbox,
        &service,
        &[
            "configurations",
            "create",
            "--name",
            "n",
            "--parameters",
            parameters,
        ],
    )
    .assert_exit(2)
    .assert_stderr("`max_pages`");
    assert_eq!(service.requests().len(), 0);
}

#[test]
fn validation_disabled_or_not_applicable_sends_body_unchanged() {
    let (sandbox, service) = sandbox();
    let given = json!({
        "rules": [{"type": "a", "description": "short", "weight": 2.5}],
        "parsing_configuration": {"max_page": 3, "lang": null}, "mode": 5,
    });
    let text = given.to_string();
    run(
        &sandbox,
        &service,
        &[&CREATE[..], &["--configuration", &text, "--no-validate"]].concat(),
    )
    .assert_exit(0);
    assert_eq!(service.last()["configuration"], given);
    let hook = json!([{"webhook_url": "https://example.com", "webhook_colour": "blue"}]);
    run(
        &sandbox,
        &service,
        &[
            &CREATE[..],
            &[
                "--configuration-id",
                "cfg-1",
                "--webhook-configuration",
                &hook[0].to_string(),
                "--no-validate",
            ],
        ]
        .concat(),
    )
    .assert_exit(0);
    assert_eq!(service.last()["webhook_configurations"], hook);
    // Parameters of other products are validated by the service only.
    let schema = json!({"product_type": "extract_v2", "data_schema": {"type": ["object", "null"], "x": {"type": 5}}});
    fed(
        &sandbox,
        &service,
        &["configurations", "create", "--name", "n"],
        &json!({"parameters": schema}).to_string(),
    )
    .assert_exit(0);
    assert_eq!(service.last()["parameters"], schema);
    let parameters = json!({"product_type": "extract_v2", "anything": 1});
    run(
        &sandbox,
        &service,
        &[
            "configurations",
            "create",
            "--name",
            "n",
            "--parameters",
            &parameters.to_string(),
        ],
    )
    .assert_exit(0);
    assert_eq!(service.last()["parameters"], parameters);
}

#[test]
fn yaml_yes_and_no_are_strings_not_booleans() {
    let (sandbox, service) = sandbox();
    let rules = "[{type: 'no', description: asks for payment}]";
    sandbox.file(
        "no.yaml",
        &format!("rules: {rules}\nparsing_configuration: {{lang: no}}\n"),
    );
    let by_flag = "{lang: no}";
    let inner = [
        "--configuration.rules",
        rules,
        "--configuration.parsing-configuration",
        by_flag,
    ];
    for words in [&["--configuration", "@no.yaml"][..], &inner] {
        run(&sandbox, &service, &[&CREATE[..], words].concat()).assert_exit(0);
        let sent = service.last();
        assert_eq!(
            sent["configuration"]["parsing_configuration"]["lang"], "no",
            "{words:?}"
        );
    }
    let text = format!("configuration: {{rules: {rules}, parsing_configuration: {{lang: no}}}}");
    fed(&sandbox, &service, &CREATE, &text).assert_exit(0);
    assert_eq!(
        service.last()["configuration"]["parsing_configuration"]["lang"],
        "no"
    );
    for word in ["yes", "on", "off", "y", "N", "NO"] {
        let words = [
            "--configuration.rules",
            rules,
            "--configuration.parsing-configuration",
            &format!("{{lang: {word}}}"),
        ];
        run(
            &sandbox,
            &service,
            &[&CREATE[..], &words, &["--no-validate"]].concat(),
        )
        .assert_exit(0);
        assert_eq!(
            service.last()["configuration"]["parsing_configuration"]["lang"],
            *word
        );
    }
    // A rules file of a run.
    sandbox.file("short.yaml", "rules: {no: asks for payment by friday, yes: lists ingredients}\nparsing_configuration: {lang: no}\n");
    sandbox
        .run(&["classify", "run", "docs/bill.txt", "--rules", "short.yaml"])
        .assert_exit(0);
    let job = sandbox.emulator.jobs().pop().unwrap().json;
    assert_eq!(job["configuration"]["parsing_configuration"]["lang"], "no");
    assert_eq!(job["configuration"]["rules"][0]["type"], "no");
}

#[test]
fn configuration_flag_accepts_rules_file_shapes() {
    let (sandbox, service) = sandbox();
    let expected = json!([
        {"type": "zebra", "description": "has black and white stripes"},
        {"type": "0199", "description": "is a form of the tax office"},
    ]);
    let map = "{zebra: has black and white stripes, 0199: is a form of the tax office}";
    let list = "[{type: zebra, description: has black and white stripes}, {type: 0199, description: is a form of the tax office}]";
    sandbox.file(
        "short.yaml",
        &format!("rules: {map}\nparsing_configuration: {{target_pages: 3}}\n"),
    );
    sandbox.file("list.yaml", list);
    for words in [
        &["--configuration", "@short.yaml"][..],
        &["--configuration", "@list.yaml"],
        &["--configuration", map],
        &["--configuration.rules", map],
        &["--configuration.rules", list],
    ] {
        run(&sandbox, &service, &[&CREATE[..], words].concat()).assert_exit(0);
        assert_eq!(
            service.last()["configuration"]["rules"],
            expected,
            "{words:?}"
        );
    }
    run(
        &sandbox,
        &service,
        &[&CREATE[..], &["--configuration", "@short.yaml"]].concat(),
    )
    .assert_exit(0);
    assert_eq!(
        service.last()["configuration"]["parsing_configuration"]["target_pages"],
        "3"
    );
    fed(
        &sandbox,
        &service,
        &CREATE,
        &format!("configuration: {{rules: {map}}}"),
    )
    .assert_exit(0);
    assert_eq!(service.last()["configuration"]["rules"], expected);
    for wrong in [
        "words",
        "5",
        "{rules: 5}",
        "{rules: [{type: [a], description: d}]}",
    ] {
        run(
            &sandbox,
            &service,
            &[&CREATE[..], &["--configuration", wrong]].concat(),
        )
        .assert_exit(2)
        .assert_stderr("--configuration");
    }
}

#[test]
fn webhook_event_flags_append_to_their_webhook() {
    let (sandbox, service) = sandbox();
    let hooks = |words: &[&str]| -> Value {
        let mut line = CREATE.to_vec();
        let flags: Vec<String> = words
            .iter()
            .map(|word| match word.split_once('=') {
                Some((name, value)) => format!("--webhook-configuration.webhook-{name}={value}"),
                None => (*word).to_owned(),
            })
            .collect();
        line.extend(flags.iter().map(String::as_str));
        line.extend(["--configuration-id", "cfg-1"]);
        run(&sandbox, &service, &line).assert_exit(0);
        let mut first = service.last()["webhook_configurations"].clone();
        // Version 1 has the same flags.
        let mut line = vec![
            "classifier:jobs",
            "create",
            "--file-id",
            "a",
            "--rule",
            "{type: a, description: d d d d}",
        ];
        line.extend(flags.iter().map(String::as_str));
        run(&sandbox, &service, &line).assert_exit(0);
        let second = service.last()["webhook_configurations"].clone();
        assert_eq!(first, second);
        first.take()
    };
    let (u, v) = ("url=https://a.example", "url=https://b.example");
    let one = json!([{"webhook_url": "https://a.example", "webhook_events": ["classify.error", "classify.success"]}]);
    let (e, s) = ("events=classify.error", "events=classify.success");
    assert_eq!(hooks(&[u, e, s]), one);
    assert_eq!(hooks(&[e, s, u]), one);
    assert_eq!(hooks(&[u, "events=[classify.error]", s]), one);
    assert_eq!(
        hooks(&[u, e, "output-format=json", s])[0]["webhook_events"],
        one[0]["webhook_events"]
    );
    let two = json!([
        {"webhook_url": "https://a.example", "webhook_events": ["classify.error"]},
        {"webhook_url": "https://b.example", "webhook_events": ["classify.success"]},
    ]);
    assert_eq!(hooks(&[u, e, v, s]), two);
    assert_eq!(hooks(&[e, u, s, v]), two);
}

#[test]
fn file_reference_inside_file_or_stdin_is_not_expanded() {
    let (sandbox, service) = sandbox();
    sandbox.file("private.txt", "what nobody else should read");
    sandbox.file(
        "shared.yaml",
        "rules:\n- {type: a, description: '@private.txt'}\n- {type: b, description: '\\@private.txt'}\n",
    );
    let words = [&CREATE[..], &["--configuration", "@shared.yaml"]].concat();
    run(&sandbox, &service, &words).assert_exit(0);
    let rules = &service.last()["configuration"]["rules"];
    assert_eq!(rules[0]["description"], "@private.txt");
    assert_eq!(rules[1]["description"], "\\@private.txt");
    fed(
        &sandbox,
        &service,
        &CREATE,
        "configuration: {rules: [{type: a, description: '@private.txt'}]}",
    )
    .assert_exit(0);
    assert_eq!(
        service.last()["configuration"]["rules"][0]["description"],
        "@private.txt"
    );
    // A text on the command line is written by the caller.
    let own = "{rules: [{type: a, description: '@private.txt'}]}";
    run(
        &sandbox,
        &service,
        &[&CREATE[..], &["--configuration", own]].concat(),
    )
    .assert_exit(0);
    let rules = &service.last()["configuration"]["rules"];
    assert_eq!(rules[0]["description"], "what nobody else should read");
}

#[cfg(target_os = "linux")]
#[test]
fn output_write_failure_reports_created_ids() {
    let (sandbox, service) = sandbox();
    let full = |words: &[&str]| {
        let mut command = sandbox.command(words);
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = command
            .env("LLAMA_CLOUD_BASE_URL", service.url())
            .stdout(full)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap();
        CommandOutput {
            code: output.status.code().unwrap(),
            stdout: String::new(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
        .assert_exit(1)
    };
    let create = [
        &CREATE[..],
        &["--configuration-id", "cfg-1", "--transaction-id", "order-7"],
    ]
    .concat();
    full(&create)
        .assert_stderr("clj-1")
        .assert_stderr("order-7");
    let error = full(&[&create[..], &["--format", "json"]].concat()).error();
    assert_eq!(
        (&error["job_id"], &error["transaction_id"]),
        (&json!("clj-1"), &json!("order-7"))
    );
    let drawn = full(
        &[
            &CREATE[..],
            &["--configuration-id", "c", "--format", "json"],
        ]
        .concat(),
    )
    .error();
    assert!(
        drawn["transaction_id"]
            .as_str()
            .is_some_and(|id| !id.is_empty()),
        "{drawn}"
    );
    let upload = [
        "files",
        "create",
        "--file",
        "docs/bill.txt",
        "--purpose",
        "classify",
    ];
    full(&upload).assert_stderr("clj-1");
    assert_eq!(
        full(&[&upload[..], &["--format", "json"]].concat()).error()["file_id"],
        "clj-1"
    );
    let old = [
        "classifier:jobs",
        "create",
        "--file-id",
        "a",
        "--rule",
        "{type: a, description: d d d d}",
        "--format",
        "json",
    ];
    assert_eq!(full(&old).error()["job_id"], "clj-1");
    // A path in a folder that has been deleted fails too.
    let gone = [&create[..], &["--output", "/dev/full", "--format", "json"]].concat();
    let mut command = sandbox.command(&gone);
    command.env("LLAMA_CLOUD_BASE_URL", service.url());
    assert_eq!(
        run_to_end(command).assert_exit(1).error()["job_id"],
        "clj-1"
    );
}

#[test]
fn pagination_v1_results_reach_last_page_and_repeated_token_fails() {
    let pages = |asked: &common::stub_server::RecordedRequest| {
        let (items, next) = match asked.line.split_once("page_token=").map(|(_, token)| token) {
            None => (r#"[{"id": "r1", "confidence": 0.930}]"#, r#""two""#),
            Some("two") => ("[]", r#""three""#),
            Some(_) => (r#"[{"id": "r2"}]"#, "null"),
        };
        (
            200,
            format!(r#"{{"items": {items}, "next_page_token": {next}, "total_size": 2}}"#),
        )
    };
    let service = StubServer::start(pages);
    let sandbox = Sandbox::new();
    let get = ["classifier:jobs", "get-results", "x"];
    let all = run(&sandbox, &service, &get).assert_exit(0).json();
    assert_eq!(
        all,
        json!({"items": [{"id": "r1", "confidence": 0.93}, {"id": "r2"}], "next_page_token": null, "total_size": 2})
    );
    assert_eq!(service.requests().len(), 3);
    let ids = run(
        &sandbox,
        &service,
        &[&get[..], &["--transform", "items.#.id"]].concat(),
    )
    .assert_exit(0);
    assert_eq!(ids.json(), json!(["r1", "r2"]));
    // `raw` prints one page.
    let raw = run(
        &sandbox,
        &service,
        &[&get[..], &["--format", "raw"]].concat(),
    )
    .assert_exit(0);
    assert!(
        raw.stdout.contains("0.930") && raw.stdout.contains("\"two\""),
        "{raw:?}"
    );
    // A service that ignores the token must not end the list without an error.
    let service = StubServer::start(|_| {
        (
            200,
            r#"{"items": [{"id": "r1"}], "next_page_token": "two"}"#.to_owned(),
        )
    });
    let result = run(&sandbox, &service, &get).assert_exit(1);
    assert!(
        result.stdout.is_empty() && result.stderr.contains("page"),
        "{result:?}"
    );
}

#[test]
fn stdin_without_input_is_ignored_and_stray_lines_rejected() {
    let (sandbox, service) = sandbox();
    // An open pipe without input.
    let idle = |words: &[&str]| {
        let mut child = sandbox
            .command(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let end = Instant::now() + Duration::from_secs(60);
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > end {
                child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let output = child.wait_with_output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, result) = idle(&["classify", "list"]);
    assert_eq!(code, Some(0), "{result}");
    assert!(result.contains("--no-stdin"), "{result}");
    assert_eq!(
        idle(&["classify", "list", "--no-stdin"]),
        (Some(0), String::new())
    );
    assert_eq!(idle(&["classify", "get", "clj-1"]).0, Some(6));
    let (code, result) = idle(&["classify", "get", "--no-stdin"]);
    assert!(code == Some(2) && result.contains("--job-id"), "{result}");

    // The lines of a loop are left to the loop.
    let create = [&CREATE[..], &["--configuration-id", "cfg-1"]].concat();
    let result = fed(&sandbox, &service, &create, "dfl-2\ndfl-3\n").assert_exit(2);
    assert!(
        result.stderr.contains("--no-stdin") && result.stderr.contains("/dev/null"),
        "{result:?}"
    );
    fed(
        &sandbox,
        &service,
        &[&create[..], &["--no-stdin"]].concat(),
        "dfl-2\ndfl-3\n",
    )
    .assert_exit(0);
    assert_eq!(service.requests().len(), 1);
}

#[test]
fn exit_code_is_usage_if_service_rejects_value() {
    let sandbox = Sandbox::new();
    for status in [400, 413, 422] {
        let service = StubServer::start(move |_| (status, r#"{"detail": "not so"}"#.to_owned()));
        for words in [
            &[
                "classify",
                "create",
                "--file-input",
                "dfl-1",
                "--configuration-id",
                "cfg-1",
            ][..],
            &[
                "files",
                "create",
                "--file",
                "docs/bill.txt",
                "--purpose",
                "classify",
            ],
            &["classify", "list"],
        ] {
            run(&sandbox, &service, words).assert_exit(2);
        }
    }
}
