//! What the commands send of what they are given: nothing is dropped, and nothing else is read.

mod common;

use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::canned::Canned;
use common::{Bench, Said, said};
use serde_json::{Value, json};

const CREATE: [&str; 4] = ["classify", "create", "--file-input", "dfl-1"];

/// A bench, and a service that takes everything.
fn bench() -> (Bench, Canned) {
    let service = Canned::start(|_| (200, r#"{"id": "clj-1", "status": "PENDING"}"#.to_owned()));
    (Bench::new(), service)
}

fn run(bench: &Bench, service: &Canned, words: &[&str]) -> Said {
    let mut command = bench.command(words);
    command.env("LLAMA_CLOUD_BASE_URL", service.url());
    said(command)
}

/// Runs a command with text on its stdin.
fn fed(bench: &Bench, service: &Canned, words: &[&str], text: &str) -> Said {
    let mut command = bench.command(words);
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
    Said {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_key_that_nobody_knows_is_refused_and_not_dropped() {
    let (bench, service) = bench();
    let rules = "rules: [{type: invoice, description: asks for payment}]";
    let file = format!("{rules}\nparsing_configuration: {{max_page: 3}}\n");
    bench.file("typo.yaml", &file);
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
        let said = run(&bench, &service, &words).ends(2);
        for part in parts {
            assert!(said.stderr.contains(part), "{value}: {part}: {said:?}");
        }
        said.complains("--no-checks");
        assert_eq!(service.asked().len(), 0, "{value}");
    }
    // The same on stdin, and for version 1.
    fed(
        &bench,
        &service,
        &CREATE,
        &format!("configuration:\n  {rules}\n  parsing: {{}}\n"),
    )
    .ends(2)
    .complains("`parsing`");
    run(
        &bench,
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
    .ends(2)
    .complains("`max_pages`");
    let parameters = "{product_type: classify_v2, rules: [], parsing_configuration: {max_page: 1}}";
    run(
        &bench,
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
    .ends(2)
    .complains("`max_pages`");
    assert_eq!(service.asked().len(), 0);
}

#[test]
fn whoever_knows_better_is_believed_to_the_letter() {
    let (bench, service) = bench();
    let given = json!({
        "rules": [{"type": "a", "description": "short", "weight": 2.5}],
        "parsing_configuration": {"max_page": 3, "lang": null}, "mode": 5,
    });
    let text = given.to_string();
    run(
        &bench,
        &service,
        &[&CREATE[..], &["--configuration", &text, "--no-checks"]].concat(),
    )
    .ends(0);
    assert_eq!(service.last()["configuration"], given);
    let hook = json!([{"webhook_url": "https://example.com", "webhook_colour": "blue"}]);
    run(
        &bench,
        &service,
        &[
            &CREATE[..],
            &[
                "--configuration-id",
                "cfg-1",
                "--webhook-configuration",
                &hook[0].to_string(),
                "--no-checks",
            ],
        ]
        .concat(),
    )
    .ends(0);
    assert_eq!(service.last()["webhook_configurations"], hook);
    // Parameters of other products are the service's to judge.
    let schema = json!({"product_type": "extract_v2", "data_schema": {"type": ["object", "null"], "x": {"type": 5}}});
    fed(
        &bench,
        &service,
        &["configurations", "create", "--name", "n"],
        &json!({"parameters": schema}).to_string(),
    )
    .ends(0);
    assert_eq!(service.last()["parameters"], schema);
    let parameters = json!({"product_type": "extract_v2", "anything": 1});
    run(
        &bench,
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
    .ends(0);
    assert_eq!(service.last()["parameters"], parameters);
}

#[test]
fn norway_is_no_boolean() {
    let (bench, service) = bench();
    let rules = "[{type: 'no', description: asks for payment}]";
    bench.file(
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
        run(&bench, &service, &[&CREATE[..], words].concat()).ends(0);
        let sent = service.last();
        assert_eq!(
            sent["configuration"]["parsing_configuration"]["lang"], "no",
            "{words:?}"
        );
    }
    let text = format!("configuration: {{rules: {rules}, parsing_configuration: {{lang: no}}}}");
    fed(&bench, &service, &CREATE, &text).ends(0);
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
            &bench,
            &service,
            &[&CREATE[..], &words, &["--no-checks"]].concat(),
        )
        .ends(0);
        assert_eq!(
            service.last()["configuration"]["parsing_configuration"]["lang"],
            *word
        );
    }
    // A rules file of a run.
    bench.file("short.yaml", "rules: {no: asks for payment by friday, yes: lists ingredients}\nparsing_configuration: {lang: no}\n");
    bench
        .run(&["classify", "run", "docs/bill.txt", "--rules", "short.yaml"])
        .ends(0);
    let job = bench.emulator.jobs().pop().unwrap().json;
    assert_eq!(job["configuration"]["parsing_configuration"]["lang"], "no");
    assert_eq!(job["configuration"]["rules"][0]["type"], "no");
}

#[test]
fn a_configuration_may_have_the_shapes_of_a_rules_file() {
    let (bench, service) = bench();
    let expected = json!([
        {"type": "zebra", "description": "has black and white stripes"},
        {"type": "0199", "description": "is a form of the tax office"},
    ]);
    let map = "{zebra: has black and white stripes, 0199: is a form of the tax office}";
    let list = "[{type: zebra, description: has black and white stripes}, {type: 0199, description: is a form of the tax office}]";
    bench.file(
        "short.yaml",
        &format!("rules: {map}\nparsing_configuration: {{target_pages: 3}}\n"),
    );
    bench.file("list.yaml", list);
    for words in [
        &["--configuration", "@short.yaml"][..],
        &["--configuration", "@list.yaml"],
        &["--configuration", map],
        &["--configuration.rules", map],
        &["--configuration.rules", list],
    ] {
        run(&bench, &service, &[&CREATE[..], words].concat()).ends(0);
        assert_eq!(
            service.last()["configuration"]["rules"],
            expected,
            "{words:?}"
        );
    }
    run(
        &bench,
        &service,
        &[&CREATE[..], &["--configuration", "@short.yaml"]].concat(),
    )
    .ends(0);
    assert_eq!(
        service.last()["configuration"]["parsing_configuration"]["target_pages"],
        "3"
    );
    fed(
        &bench,
        &service,
        &CREATE,
        &format!("configuration: {{rules: {map}}}"),
    )
    .ends(0);
    assert_eq!(service.last()["configuration"]["rules"], expected);
    for wrong in [
        "words",
        "5",
        "{rules: 5}",
        "{rules: [{type: [a], description: d}]}",
    ] {
        run(
            &bench,
            &service,
            &[&CREATE[..], &["--configuration", wrong]].concat(),
        )
        .ends(2)
        .complains("--configuration");
    }
}

#[test]
fn a_list_of_a_webhook_is_added_to() {
    let (bench, service) = bench();
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
        run(&bench, &service, &line).ends(0);
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
        run(&bench, &service, &line).ends(0);
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
fn a_shared_file_does_not_read_others() {
    let (bench, service) = bench();
    bench.file("private.txt", "what nobody else should read");
    bench.file(
        "shared.yaml",
        "rules:\n- {type: a, description: '@private.txt'}\n- {type: b, description: '\\@private.txt'}\n",
    );
    let words = [&CREATE[..], &["--configuration", "@shared.yaml"]].concat();
    run(&bench, &service, &words).ends(0);
    let rules = &service.last()["configuration"]["rules"];
    assert_eq!(rules[0]["description"], "@private.txt");
    assert_eq!(rules[1]["description"], "\\@private.txt");
    fed(
        &bench,
        &service,
        &CREATE,
        "configuration: {rules: [{type: a, description: '@private.txt'}]}",
    )
    .ends(0);
    assert_eq!(
        service.last()["configuration"]["rules"][0]["description"],
        "@private.txt"
    );
    // What is written on the command line is the caller's own.
    let own = "{rules: [{type: a, description: '@private.txt'}]}";
    run(
        &bench,
        &service,
        &[&CREATE[..], &["--configuration", own]].concat(),
    )
    .ends(0);
    let rules = &service.last()["configuration"]["rules"];
    assert_eq!(rules[0]["description"], "what nobody else should read");
}

#[cfg(target_os = "linux")]
#[test]
fn what_was_made_is_named_where_it_cannot_be_printed() {
    let (bench, service) = bench();
    let full = |words: &[&str]| {
        let mut command = bench.command(words);
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
        Said {
            code: output.status.code().unwrap(),
            stdout: String::new(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
        .ends(1)
    };
    let create = [
        &CREATE[..],
        &["--configuration-id", "cfg-1", "--transaction-id", "order-7"],
    ]
    .concat();
    full(&create).complains("clj-1").complains("order-7");
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
    full(&upload).complains("clj-1");
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
    // A path in a place that is gone by then is no better.
    let gone = [&create[..], &["--output", "/dev/full", "--format", "json"]].concat();
    let mut command = bench.command(&gone);
    command.env("LLAMA_CLOUD_BASE_URL", service.url());
    assert_eq!(said(command).ends(1).error()["job_id"], "clj-1");
}

#[test]
fn results_of_version_1_are_followed_to_their_end() {
    let pages = |asked: &common::canned::Asked| {
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
    let service = Canned::start(pages);
    let bench = Bench::new();
    let get = ["classifier:jobs", "get-results", "x"];
    let all = run(&bench, &service, &get).ends(0).json();
    assert_eq!(
        all,
        json!({"items": [{"id": "r1", "confidence": 0.93}, {"id": "r2"}], "next_page_token": null, "total_size": 2})
    );
    assert_eq!(service.asked().len(), 3);
    let ids = run(
        &bench,
        &service,
        &[&get[..], &["--transform", "items.#.id"]].concat(),
    )
    .ends(0);
    assert_eq!(ids.json(), json!(["r1", "r2"]));
    // The service's own bytes are one page's.
    let raw = run(&bench, &service, &[&get[..], &["--format", "raw"]].concat()).ends(0);
    assert!(
        raw.stdout.contains("0.930") && raw.stdout.contains("\"two\""),
        "{raw:?}"
    );
    // One that passes over the token is no reason to stop short in silence.
    let service = Canned::start(|_| {
        (
            200,
            r#"{"items": [{"id": "r1"}], "next_page_token": "two"}"#.to_owned(),
        )
    });
    let said = run(&bench, &service, &get).ends(1);
    assert!(
        said.stdout.is_empty() && said.stderr.contains("page"),
        "{said:?}"
    );
}

#[test]
fn stdin_is_left_alone_where_nobody_means_it() {
    let (bench, service) = bench();
    // A pipe that somebody holds open and says nothing into.
    let idle = |words: &[&str]| {
        let mut child = bench
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
    let (code, said) = idle(&["classify", "list"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("--no-stdin"), "{said}");
    assert_eq!(
        idle(&["classify", "list", "--no-stdin"]),
        (Some(0), String::new())
    );
    assert_eq!(idle(&["classify", "get", "clj-1"]).0, Some(6));
    let (code, said) = idle(&["classify", "get", "--no-stdin"]);
    assert!(code == Some(2) && said.contains("--job-id"), "{said}");

    // The lines of a loop are the loop's.
    let create = [&CREATE[..], &["--configuration-id", "cfg-1"]].concat();
    let said = fed(&bench, &service, &create, "dfl-2\ndfl-3\n").ends(2);
    assert!(
        said.stderr.contains("--no-stdin") && said.stderr.contains("/dev/null"),
        "{said:?}"
    );
    fed(
        &bench,
        &service,
        &[&create[..], &["--no-stdin"]].concat(),
        "dfl-2\ndfl-3\n",
    )
    .ends(0);
    assert_eq!(service.asked().len(), 1);
}

#[test]
fn a_value_that_the_service_refuses_is_wrong_usage() {
    let bench = Bench::new();
    for status in [400, 413, 422] {
        let service = Canned::start(move |_| (status, r#"{"detail": "not so"}"#.to_owned()));
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
            run(&bench, &service, words).ends(2);
        }
    }
}
