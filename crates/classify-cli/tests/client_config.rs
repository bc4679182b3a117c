//! Key, base URL, global flags, and errors on the command line.

mod common;

use classify_emulator::{Config, Fault, FaultSchedule};
use common::{CANARY, Sandbox, bare_command, run_to_end};

const PROJECT: &str = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
const ORGANIZATION: &str = "0e984725-c51c-4bf4-9960-e1c80e27aba0";

#[test]
fn config_missing_api_key_error_names_remedy() {
    let mut command = bare_command(&["classify", "list"]);
    command.env("LLAMA_CLOUD_API_KEY", " ");
    run_to_end(command)
        .assert_exit(4)
        .assert_stderr("LLAMA_CLOUD_API_KEY")
        .assert_stderr("--emulator");
    let found = run_to_end(bare_command(&[
        "classify", "get", "clj-1", "--format", "json",
    ]))
    .assert_exit(4);
    assert_eq!(found.error()["kind"], "auth");
    assert_eq!(found.error()["exit_code"], 4);
}

#[test]
fn config_api_key_is_read_from_flag_file_or_env() {
    let sandbox = Sandbox::new();
    let url = sandbox.emulator.base_url().to_owned();
    let key_file = sandbox
        .file("key", &format!("{CANARY}\n"))
        .display()
        .to_string();
    let quiet = |words: &[&str], key: Option<(&str, &str)>| {
        let mut command =
            bare_command(&[&["classify", "list", "--base-url", &url], words].concat());
        command.envs(key);
        let found = run_to_end(command).assert_exit(0);
        assert_eq!(found.stderr, "");
    };
    quiet(&[], Some(("LLAMA_CLOUD_API_KEY", CANARY)));
    quiet(&[], Some(("LLAMA_PARSE_API_KEY", CANARY)));
    quiet(&["--api-key-file", &key_file], None);
    let mut command = bare_command(&["classify", "list", "--base-url", &url]);
    command
        .env("LLAMA_CLOUD_API_KEY", "")
        .env("LLAMA_PARSE_API_KEY", CANARY);
    run_to_end(command).assert_exit(0);
    // On the command line it works, with a warning.
    run_to_end(bare_command(&[
        "classify",
        "list",
        "--base-url",
        &url,
        "--api-key",
        CANARY,
    ]))
    .assert_exit(0)
    .assert_stderr("process");
    run_to_end(bare_command(&[
        "--api-key",
        CANARY,
        "--base-url",
        &url,
        "classify",
        "list",
    ]))
    .assert_exit(0);

    run_to_end(bare_command(&[
        "classify",
        "list",
        "--api-key-file",
        "/nowhere",
    ]))
    .assert_exit(4)
    .assert_stderr("/nowhere");
    run_to_end(bare_command(&[
        "classify",
        "list",
        "--api-key",
        CANARY,
        "--api-key-file",
        &key_file,
    ]))
    .assert_exit(2);
    run_to_end(bare_command(&[
        "classify",
        "list",
        "--api-key",
        &format!("Bearer {CANARY}"),
    ]))
    .assert_exit(4)
    .assert_stderr("Bearer");
}

#[test]
fn config_global_flags_work_before_and_after_subcommand() {
    let sandbox = Sandbox::new();
    sandbox
        .run(&[
            "--project-id",
            PROJECT,
            "classify",
            "list",
            "--organization-id",
            ORGANIZATION,
        ])
        .assert_exit(0);
    let request = sandbox.emulator.requests().pop().unwrap();
    assert_eq!(request.query_parameter("project_id"), Some(PROJECT));
    assert_eq!(
        request.query_parameter("organization_id"),
        Some(ORGANIZATION)
    );
    assert!(
        request
            .header("user-agent")
            .unwrap()
            .contains("llamacloud-prod/")
    );
    let mut command = sandbox.command(&["classify", "list"]);
    command.env("LLAMA_CLOUD_CUSTOM_HEADERS", "X-Team: blue");
    run_to_end(command).assert_exit(0);
    assert_eq!(
        sandbox.emulator.requests().pop().unwrap().header("x-team"),
        Some("blue")
    );
}

#[test]
fn config_invalid_base_url_error_names_its_flag() {
    let with_key = |words: &[&str]| {
        let mut command = bare_command(words);
        command.env("LLAMA_CLOUD_API_KEY", CANARY);
        run_to_end(command)
    };
    with_key(&["classify", "list", "--base-url", "api.example"])
        .assert_exit(2)
        .assert_stderr("https://api.example")
        .assert_stderr("--base-url");
    with_key(&["classify", "list", "--base-url", "http://api.example"])
        .assert_exit(2)
        .assert_stderr("in the clear");
    with_key(&["classify", "list", "--base-url", "https:/api.example"])
        .assert_exit(2)
        .assert_stderr("must have // after https:")
        .assert_stderr("--base-url");
    with_key(&[
        "classify",
        "list",
        "--base-url",
        "https://a.example",
        "--region",
        "eu",
    ])
    .assert_exit(2);
    with_key(&["classify", "list", "--emulator", "--region", "eu"])
        .assert_exit(2)
        .assert_stderr("--emulator");
    // Nothing listens there; the error does not contain the key.
    with_key(&["classify", "get", "clj-1", "--region", "mars"])
        .assert_exit(2)
        .assert_stderr("eu");
}

#[test]
fn exit_code_of_usage_errors_and_their_format() {
    for words in [
        &["clasify"][..],
        &["classify", "lst"],
        &["classify", "list", "--page-sise", "3"],
        &["classify", "list", "--format", "xml"],
        &["classify", "list", "extra"],
        &[],
    ] {
        let found = run_to_end(bare_command(words)).assert_exit(2);
        assert!(found.stdout.is_empty(), "{words:?}");
        assert!(!found.stderr.is_empty(), "{words:?}");
    }
    run_to_end(bare_command(&["classify", "list", "--page-sise", "3"]))
        .assert_stderr("--page-size");
    let found = run_to_end(bare_command(&[
        "classify",
        "list",
        "--page-sise",
        "3",
        "--format",
        "json",
    ]))
    .assert_exit(2);
    assert_eq!(found.error()["kind"], "usage");
    assert!(
        run_to_end(bare_command(&["classify", "list", "--format", "TABLE"]))
            .assert_exit(4)
            .stderr
            .contains("API key")
    );
}

#[test]
fn error_format_json_prints_only_objects_on_stderr() {
    let words = ["classify", "get", "clj-1", "--emulator", "--format", "json"];
    let found = run_to_end(bare_command(&words)).assert_exit(6);
    let lines: Vec<serde_json::Value> = found
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        lines[0]["note"]
            .as_str()
            .unwrap()
            .contains("not those of the service")
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
fn exit_code_of_each_service_error() {
    for (fault, code, kind) in [
        (Fault::Unauthorized, 4, "auth"),
        (Fault::PaymentRequired, 5, "quota"),
        (Fault::RateLimitedAbsurd, 7, "rate_limited"),
        (Fault::UnavailableShouldNotRetry, 1, "unexpected"),
    ] {
        let sandbox =
            Sandbox::with(Config::default().faults(FaultSchedule::new().with(fault.always())));
        let found = sandbox
            .run(&["classify", "get", "clj-1", "--format", "jsonl"])
            .assert_exit(code);
        assert_eq!(found.error()["kind"], kind, "{fault:?}");
        assert!(found.stdout.is_empty());
    }
}

#[test]
fn exit_code_list_is_in_help() {
    let help = run_to_end(bare_command(&["--help"])).assert_exit(0).stdout;
    assert!(help.contains("Exit codes:") && help.contains("130  interrupted"));
    assert!(
        run_to_end(bare_command(&["--version"]))
            .assert_exit(0)
            .stdout
            .starts_with("llamacloud-prod ")
    );
}

/// Keys as editors, scripts and container runtimes write them.
#[test]
fn config_api_key_in_any_usual_form_is_read_from_file_and_env() {
    let sandbox = Sandbox::new();
    let url = sandbox.emulator.base_url().to_owned();
    let run = |words: &[&str], key: &str| {
        let all = [&["classify", "list", "--base-url", &url], words].concat();
        let mut command = bare_command(&all);
        command.env("LLAMA_CLOUD_API_KEY", key);
        run_to_end(command)
    };
    for key in [
        format!(" {CANARY}\n"),
        format!("\"{CANARY}\""),
        format!("'{CANARY}'\r\n"),
        format!("\u{feff}{CANARY}"),
    ] {
        run(&[], &key).assert_exit(0);
    }
    let wide: Vec<u8> = format!("\u{feff}{CANARY}\r\n")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for bytes in [
        wide,
        format!("\u{feff}\"{CANARY}\"\n").into_bytes(),
        format!("# ours\nexport LLAMA_CLOUD_API_KEY='{CANARY}'\nOTHER=x\n").into_bytes(),
    ] {
        let path = sandbox.path().join("key");
        std::fs::write(&path, bytes).unwrap();
        run(&["--api-key-file", path.to_str().unwrap()], "").assert_exit(0);
    }
    for (bytes, problem) in [
        (&b"llx-a\nllx-b\n"[..], "2 lines"),
        (b"\xe4canary", "the text is not UTF-8"),
        (b"LLAMA_CLOUD_API_KEY=\n", "without a value"),
    ] {
        let path = sandbox.path().join("key");
        std::fs::write(&path, bytes).unwrap();
        let output = run(&["--api-key-file", path.to_str().unwrap()], "")
            .assert_exit(4)
            .assert_stderr(problem)
            .assert_stderr("LLAMA_CLOUD_API_KEY=KEY");
        assert!(!output.stderr.contains("canary"), "{output:?}");
    }
}

#[test]
fn config_base_url_with_the_path_of_a_request_is_rejected() {
    let mut command = bare_command(&[
        "classify",
        "list",
        "--base-url",
        "http://127.0.0.1:9/api/v2/",
    ]);
    command.env("LLAMA_CLOUD_API_KEY", CANARY);
    run_to_end(command)
        .assert_exit(2)
        .assert_stderr("must not end in /api/v2");
}
