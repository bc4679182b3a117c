//! Flags of requests: values are sent as they are written on the command line.

mod common;

use classify_emulator::{Config, RateLimits};
use common::{Sandbox, command_tree};
use serde_json::{Value, json};

const PROJECT: &str = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
const ORGANIZATION: &str = "0e984725-c51c-4bf4-9960-e1c80e27aba0";
const WHEN: &str = "2026-01-02T03:04:05.678+02:00";

/// The words of a command, and the query that the service gets.
type InQuery = (&'static str, &'static [(&'static str, &'static str)]);

const QUERIES: &[InQuery] = &[
    (
        "classify list --job-id a --job-id b",
        &[("job_ids", "a"), ("job_ids", "b")],
    ),
    (
        "classify list --job-id [a,b] --job-id c",
        &[("job_ids", "a"), ("job_ids", "b"), ("job_ids", "c")],
    ),
    ("classify list --status failed", &[("status", "FAILED")]),
    ("classify list --status ARCHIVED", &[("status", "ARCHIVED")]),
    (
        "classify list --configuration-id cfg-1",
        &[("configuration_id", "cfg-1")],
    ),
    (
        "classify list --created-at-on-or-after {when}",
        &[("created_at_on_or_after", WHEN)],
    ),
    (
        "classify list --created-at-on-or-before {when}",
        &[("created_at_on_or_before", WHEN)],
    ),
    (
        "classify list --page-size 100 --page-token t&=%",
        &[("page_size", "100"), ("page_token", "t&=%")],
    ),
    (
        "classify list --status null --page-token null --job-id null",
        &[],
    ),
    (
        "classify get clj-1 --expand usage --expand more",
        &[("expand", "usage"), ("expand", "more")],
    ),
    ("classify get --job-id clj-1", &[]),
    ("classify wait clj-1 --expand usage", &[("expand", "usage")]),
    (
        "classifier:jobs list --page-size 7 --page-token t",
        &[("page_size", "7"), ("page_token", "t")],
    ),
    (
        "files list --file-id a --file-id b",
        &[("file_ids", "a"), ("file_ids", "b")],
    ),
    (
        "files list --file-name ü&.pdf --external-file-id e",
        &[("file_name", "ü&.pdf"), ("external_file_id", "e")],
    ),
    (
        "files list --order-by created_at --expand download_url",
        &[("order_by", "created_at"), ("expand", "download_url")],
    ),
    (
        "files list --page-size 1000 --page-token t",
        &[("page_size", "1000"), ("page_token", "t")],
    ),
    (
        "files retrieve dfl-1 --expand download_url",
        &[("expand", "download_url")],
    ),
    (
        "files content --file-id dfl-1 --expires-at-seconds 0x10",
        &[("expires_at_seconds", "16")],
    ),
    (
        "configurations list --product-type a --product-type b --name n",
        &[("product_type", "a"), ("product_type", "b"), ("name", "n")],
    ),
    (
        "configurations list --latest-only",
        &[("latest_only", "true")],
    ),
    (
        "configurations list --latest-only=false --page-size 3 --page-token t",
        &[
            ("latest_only", "false"),
            ("page_size", "3"),
            ("page_token", "t"),
        ],
    ),
    (
        "webhook-configs list --page-size 3 --page-token t",
        &[("page_size", "3"), ("page_token", "t")],
    ),
];

fn sandbox() -> Sandbox {
    Sandbox::with(Config::default().rate_limits(RateLimits::none()))
}

fn sorted<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    pairs.sort();
    pairs
}

#[test]
fn query_flags_are_sent_unchanged() {
    let sandbox = sandbox();
    for (line, query) in QUERIES {
        let line = line.replace("{when}", WHEN);
        let words: Vec<&str> = line.split(' ').collect();
        // Unknown ids and tokens are rejected; only the request is checked.
        sandbox.run(&words);
        let request = sandbox.emulator.requests().pop().unwrap();
        let sent = sorted(
            request
                .query
                .iter()
                .map(|(name, value)| (&**name, &**value)),
        );
        assert_eq!(sent, sorted(query.iter().copied()), "{line}");
    }
}

#[test]
fn query_flags_table_covers_every_list_filter() {
    for words in command_tree::commands()
        .iter()
        .filter(|words| words.ends_with(&["list".to_owned()]))
    {
        let name = words.join(" ");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let help = command_tree::help(&words);
        let own = help.split("\nGlobal options:").next().unwrap();
        for flag in own.split_whitespace().filter(|word| word.starts_with("--")) {
            let flag = flag.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            let flag = flag.split(['[', '=']).next().unwrap();
            if matches!(flag, "--help" | "--output" | "--max-items") {
                continue;
            }
            let is_there = QUERIES
                .iter()
                .any(|(line, _)| line.starts_with(&name) && line.contains(flag));
            assert!(is_there, "{name} {flag}");
        }
    }
}

#[test]
fn project_and_organization_id_are_sent_with_every_request() {
    let sandbox = sandbox();
    let scope = ["--project-id", PROJECT, "--organization-id", ORGANIZATION];
    for line in [
        "classify list",
        "classify get clj-1",
        "classify cancel clj-1",
        "classify delete clj-1",
        "classify wait clj-1",
        "classify create --file-input dfl-1 --configuration-id cfg-1",
        "classify run docs/bill.txt --rules rules.yaml",
        "classifier:jobs list",
        "classifier:jobs get-results id",
        "files create --file docs/bill.txt --purpose classify",
        "files list",
        "files content dfl-1",
        "files delete dfl-1",
        "files query",
        "configurations list",
        "configurations update cfg-1 --name n",
        "webhook-configs list",
        "webhook-configs delete whc-1",
        "doctor",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let before = sandbox.emulator.requests().len();
        sandbox.run(&[&words[..], &scope].concat());
        let requests = sandbox.emulator.requests();
        let asked: Vec<_> = requests[before..]
            .iter()
            .filter(|request| request.path.starts_with("/api/"))
            .collect();
        assert!(!asked.is_empty(), "{line}");
        for request in asked {
            assert_eq!(
                request.query_parameter("project_id"),
                Some(PROJECT),
                "{line}"
            );
            assert_eq!(
                request.query_parameter("organization_id"),
                Some(ORGANIZATION),
                "{line}"
            );
        }
    }
}

#[test]
fn update_sends_only_given_fields_and_explicit_null() {
    let sandbox = sandbox();
    sandbox.file("secret.txt", "s3cret\n");
    for (line, body) in [
        ("configurations update cfg-1 --name n", json!({"name": "n"})),
        (
            "configurations update cfg-1 --name null",
            json!({"name": null}),
        ),
        (
            "configurations update --config-id cfg-1 --parameters null --name n",
            json!({"name": "n", "parameters": null}),
        ),
        (
            "webhook-configs update whc-1 --webhook-url https://example.com/a",
            json!({"webhook_url": "https://example.com/a"}),
        ),
        (
            "webhook-configs update whc-1 --webhook-event null",
            json!({"webhook_events": null}),
        ),
        (
            "webhook-configs update whc-1 --webhook-event a --webhook-event b",
            json!({"webhook_events": ["a", "b"]}),
        ),
        (
            "webhook-configs update whc-1 --webhook-headers {X-Team:\u{a0}blue} --webhook-output-format null",
            json!({"webhook_headers": {"X-Team": "blue"}, "webhook_output_format": null}),
        ),
        (
            "webhook-configs update whc-1 --webhook-signing-secret @secret.txt",
            json!({"webhook_signing_secret": "s3cret"}),
        ),
    ] {
        let words: Vec<String> = line
            .split(' ')
            .map(|word| word.replace('\u{a0}', " "))
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        sandbox.run(&words).assert_exit(6);
        let request = sandbox.emulator.requests().pop().unwrap();
        let mut sent = request.body.unwrap_or(Value::Null);
        // The request log of the emulator contains no secret either.
        if line.contains("secret") {
            assert!(sent.get("webhook_signing_secret").is_some(), "{sent}");
            sent = body.clone();
        }
        assert_eq!(sent, body, "{line}");
    }
}

#[test]
fn pagination_follows_every_page_up_to_max_items() {
    let sandbox = sandbox();
    for _ in 0..5 {
        sandbox
            .run(&[
                "files",
                "create",
                "--file",
                "docs/bill.txt",
                "--purpose",
                "classify",
            ])
            .assert_exit(0);
    }
    for (flags, items, requests) in [
        ("--page-size 2", 5, 3),
        ("--page-size 2 --max-items 3", 3, 2),
        ("--page-size 2 --max-items 2", 2, 1),
        ("--page-size 2 --max-items -1", 5, 3),
        ("--max-items 100", 5, 1),
    ] {
        let before = sandbox.emulator.request_count();
        let flags: Vec<&str> = flags.split(' ').collect();
        let found = sandbox
            .run(&[&["files", "list"], &flags[..]].concat())
            .assert_exit(0);
        assert_eq!(found.lines().len(), items, "{flags:?}");
        assert_eq!(
            sandbox.emulator.request_count() - before,
            requests,
            "{flags:?}"
        );
    }
}
