//! Key, base URL, global flags, and mistakes on the command line.

mod common;

use classify_emulator::{Config, Fault, FaultSchedule};
use common::{Bench, CANARY, bare, said};

const PROJECT: &str = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
const ORGANIZATION: &str = "0e984725-c51c-4bf4-9960-e1c80e27aba0";

#[test]
fn without_a_key_it_says_what_to_do() {
    let mut command = bare(&["classify", "list"]);
    command.env("LLAMA_CLOUD_API_KEY", " ");
    said(command)
        .ends(4)
        .complains("LLAMA_CLOUD_API_KEY")
        .complains("--emulator");
    let found = said(bare(&["classify", "get", "clj-1", "--format", "json"])).ends(4);
    assert_eq!(found.error()["kind"], "auth");
    assert_eq!(found.error()["exit_code"], 4);
}

#[test]
fn the_key_comes_from_wherever_it_is() {
    let bench = Bench::new();
    let url = bench.emulator.base_url().to_owned();
    let key_file = bench
        .file("key", &format!("{CANARY}\n"))
        .display()
        .to_string();
    let quiet = |words: &[&str], key: Option<(&str, &str)>| {
        let mut command = bare(&[&["classify", "list", "--base-url", &url], words].concat());
        command.envs(key);
        let found = said(command).ends(0);
        assert_eq!(found.stderr, "");
    };
    quiet(&[], Some(("LLAMA_CLOUD_API_KEY", CANARY)));
    quiet(&[], Some(("LLAMA_PARSE_API_KEY", CANARY)));
    quiet(&["--api-key-file", &key_file], None);
    let mut command = bare(&["classify", "list", "--base-url", &url]);
    command
        .env("LLAMA_CLOUD_API_KEY", "")
        .env("LLAMA_PARSE_API_KEY", CANARY);
    said(command).ends(0);
    // On the command line it works and is not a good idea.
    said(bare(&[
        "classify",
        "list",
        "--base-url",
        &url,
        "--api-key",
        CANARY,
    ]))
    .ends(0)
    .complains("process");
    said(bare(&[
        "--api-key",
        CANARY,
        "--base-url",
        &url,
        "classify",
        "list",
    ]))
    .ends(0);

    said(bare(&["classify", "list", "--api-key-file", "/nowhere"]))
        .ends(4)
        .complains("/nowhere");
    said(bare(&[
        "classify",
        "list",
        "--api-key",
        CANARY,
        "--api-key-file",
        &key_file,
    ]))
    .ends(2);
    said(bare(&[
        "classify",
        "list",
        "--api-key",
        &format!("Bearer {CANARY}"),
    ]))
    .ends(4)
    .complains("Bearer");
}

#[test]
fn global_flags_reach_the_wire_from_both_sides() {
    let bench = Bench::new();
    bench
        .run(&[
            "--project-id",
            PROJECT,
            "classify",
            "list",
            "--organization-id",
            ORGANIZATION,
        ])
        .ends(0);
    let seen = bench.emulator.requests().pop().unwrap();
    assert_eq!(seen.query_parameter("project_id"), Some(PROJECT));
    assert_eq!(seen.query_parameter("organization_id"), Some(ORGANIZATION));
    assert!(
        seen.header("user-agent")
            .unwrap()
            .contains("llamacloud-prod/")
    );
    let mut command = bench.command(&["classify", "list"]);
    command.env("LLAMA_CLOUD_CUSTOM_HEADERS", "X-Team: blue");
    said(command).ends(0);
    assert_eq!(
        bench.emulator.requests().pop().unwrap().header("x-team"),
        Some("blue")
    );
}

#[test]
fn a_base_url_that_cannot_be_used_says_where_it_comes_from() {
    let with_key = |words: &[&str]| {
        let mut command = bare(words);
        command.env("LLAMA_CLOUD_API_KEY", CANARY);
        said(command)
    };
    with_key(&["classify", "list", "--base-url", "api.example"])
        .ends(2)
        .complains("https://api.example")
        .complains("--base-url");
    with_key(&["classify", "list", "--base-url", "http://api.example"])
        .ends(2)
        .complains("in the clear");
    with_key(&[
        "classify",
        "list",
        "--base-url",
        "https://a.example",
        "--region",
        "eu",
    ])
    .ends(2);
    with_key(&["classify", "list", "--emulator", "--region", "eu"])
        .ends(2)
        .complains("--emulator");
    // Nothing listens there; the key is not in what is said of it.
    with_key(&["classify", "get", "clj-1", "--region", "mars"])
        .ends(2)
        .complains("eu");
}

#[test]
fn mistakes_are_usage_errors_in_the_form_that_was_asked_for() {
    for words in [
        &["clasify"][..],
        &["classify", "lst"],
        &["classify", "list", "--page-sise", "3"],
        &["classify", "list", "--format", "xml"],
        &["classify", "list", "extra"],
        &[],
    ] {
        let found = said(bare(words)).ends(2);
        assert!(found.stdout.is_empty(), "{words:?}");
        assert!(!found.stderr.is_empty(), "{words:?}");
    }
    said(bare(&["classify", "list", "--page-sise", "3"])).complains("--page-size");
    let found = said(bare(&[
        "classify",
        "list",
        "--page-sise",
        "3",
        "--format",
        "json",
    ]))
    .ends(2);
    assert_eq!(found.error()["kind"], "usage");
    assert!(
        said(bare(&["classify", "list", "--format", "TABLE"]))
            .ends(4)
            .stderr
            .contains("API key")
    );
}

#[test]
fn in_json_mode_every_line_of_stderr_is_an_object() {
    let words = ["classify", "get", "clj-1", "--emulator", "--format", "json"];
    let found = said(bare(&words)).ends(6);
    let lines: Vec<serde_json::Value> = found
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        lines[0]["note"]
            .as_str()
            .unwrap()
            .contains("not the service's")
    );
    assert_eq!(lines[1]["error"]["kind"], "not_found");
    assert!(
        lines[1]["error"]["hint"]
            .as_str()
            .unwrap()
            .contains("emulator")
    );
}

#[test]
fn each_refusal_has_its_code() {
    for (fault, code, kind) in [
        (Fault::Unauthorized, 4, "auth"),
        (Fault::PaymentRequired, 5, "quota"),
        (Fault::RateLimitedAbsurd, 7, "rate_limited"),
        (Fault::UnavailableShouldNotRetry, 1, "unexpected"),
    ] {
        let bench =
            Bench::with(Config::default().faults(FaultSchedule::new().with(fault.always())));
        let found = bench
            .run(&["classify", "get", "clj-1", "--format", "jsonl"])
            .ends(code);
        assert_eq!(found.error()["kind"], kind, "{fault:?}");
        assert!(found.stdout.is_empty());
    }
}

#[test]
fn help_lists_the_exit_codes() {
    let help = said(bare(&["--help"])).ends(0).stdout;
    assert!(help.contains("Exit codes:") && help.contains("130  interrupted"));
    assert!(
        said(bare(&["--version"]))
            .ends(0)
            .stdout
            .starts_with("llamacloud-prod ")
    );
}
