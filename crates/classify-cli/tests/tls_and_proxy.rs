//! TLS with an authority of one's own, and proxies: what a company's network asks of a client.

mod common;

use std::process::Command;

use classify_emulator::{Config, RateLimits};
use common::proxies::{ANYWHERE, ConnectProxy, TlsProxy};
use common::{CANARY, CommandOutput, Sandbox, bare_command, run_to_end};

fn sandbox() -> Sandbox {
    Sandbox::with(Config::default().rate_limits(RateLimits::none()))
}

fn at(sandbox: &Sandbox, url: &str, words: &[&str]) -> Command {
    let mut command = bare_command(words);
    command
        .current_dir(sandbox.path())
        .env("LLAMA_CLOUD_API_KEY", CANARY)
        .env("LLAMA_CLOUD_BASE_URL", url);
    command
}

/// What `doctor` found, as `check: result` for each check, and what it says to change.
fn doctor(command: Command, code: i32) -> (Vec<String>, CommandOutput) {
    let output = run_to_end(command).assert_exit(code);
    let found = output.lines();
    let found = found
        .iter()
        .map(|line| {
            let word = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            format!("{}: {}", word("check"), word("result"))
        })
        .collect();
    (found, output)
}

const DOCTOR: [&str; 3] = ["doctor", "--format", "jsonl"];

#[test]
fn tls_custom_ca_from_flag_or_env_is_trusted() {
    let sandbox = sandbox();
    let tls = TlsProxy::before(&sandbox);
    let url = tls.url("localhost");
    let authority = tls.authority.to_str().unwrap();
    for words in [&["classify", "list"][..], &["doctor"]] {
        let mut by_environment = at(&sandbox, &url, words);
        by_environment.env("SSL_CERT_FILE", authority);
        run_to_end(by_environment).assert_exit(0);
        let by_flag = at(&sandbox, &url, &[words, &["--ca-cert", authority]].concat());
        run_to_end(by_flag).assert_exit(0);
    }
    let run = [
        "classify",
        "run",
        "docs",
        "--rules",
        "rules.yaml",
        "--ca-cert",
        authority,
    ];
    assert_eq!(
        run_to_end(at(&sandbox, &url, &run))
            .assert_exit(0)
            .lines()
            .len(),
        2
    );
    let words = [&DOCTOR[..], &["--ca-cert", authority]].concat();
    let (found, _) = doctor(at(&sandbox, &url, &words), 0);
    assert!(found.contains(&"tls: ok".to_owned()), "{found:?}");
}

#[test]
fn tls_unknown_ca_is_rejected_with_remedy() {
    let sandbox = sandbox();
    let tls = TlsProxy::before(&sandbox);
    let url = tls.url("localhost");
    let words = ["classify", "list", "--format", "json"];
    let listed = run_to_end(at(&sandbox, &url, &words)).assert_exit(1);
    let hint = listed.error()["hint"].as_str().unwrap().to_owned();
    assert!(
        hint.contains("--ca-cert") && hint.contains("SSL_CERT_FILE"),
        "{hint}"
    );
    let (found, doctored) = doctor(at(&sandbox, &url, &DOCTOR), 1);
    assert!(found.contains(&"tls: error".to_owned()), "{found:?}");
    assert!(doctored.stdout.contains("--ca-cert"), "{doctored:?}");
    assert_eq!(sandbox.emulator.request_count(), 0);
}

#[test]
fn tls_certificate_of_other_host_is_rejected() {
    let sandbox = sandbox();
    let tls = TlsProxy::before(&sandbox);
    let authority = tls.authority.to_str().unwrap();
    let elsewhere = tls.url("127.0.0.1");
    let words = ["classify", "list", "--ca-cert", authority];
    run_to_end(at(&sandbox, &elsewhere, &words))
        .assert_exit(1)
        .assert_stderr("not valid for")
        .assert_stderr("--base-url");
    let words = [&DOCTOR[..], &["--ca-cert", authority]].concat();
    let (found, _) = doctor(at(&sandbox, &elsewhere, &words), 1);
    assert!(found.contains(&"tls: error".to_owned()), "{found:?}");
    assert_eq!(sandbox.emulator.request_count(), 0);
}

#[test]
fn proxy_tunnels_https_unless_host_is_in_no_proxy() {
    let sandbox = sandbox();
    let tls = TlsProxy::before(&sandbox);
    let proxy = ConnectProxy::new();
    let (url, here) = (tls.url(ANYWHERE), tls.url("localhost"));
    let authority = tls.authority.to_str().unwrap();
    let mut tunnels = 0;
    for (url, name, excepted, through) in [
        (&url, "HTTPS_PROXY", "", true),
        (&url, "https_proxy", "", true),
        (&url, "ALL_PROXY", "", true),
        (&url, "HTTPS_PROXY", "example.com", true),
        (&url, "HTTPS_PROXY", " 0.0.0.0/8", false),
        (&url, "HTTPS_PROXY", "*", false),
        (&here, "HTTPS_PROXY", "", false),
    ] {
        for words in [&["classify", "list"][..], &DOCTOR] {
            let mut command = at(&sandbox, url, &[words, &["--ca-cert", authority]].concat());
            command.env(name, proxy.url()).env("NO_PROXY", excepted);
            let output = run_to_end(command).assert_exit(0);
            let before = std::mem::replace(&mut tunnels, proxy.tunnels());
            assert_eq!(
                tunnels > before,
                through,
                "{url} {name} NO_PROXY={excepted} {words:?}"
            );
            if words == DOCTOR {
                assert_eq!(output.stdout.contains("passed by"), !through, "{output:?}");
                assert_eq!(
                    output.stdout.contains("left to the proxy"),
                    through,
                    "{output:?}"
                );
            }
        }
    }
}

#[test]
fn proxy_with_unsupported_scheme_is_rejected_not_bypassed() {
    let sandbox = sandbox();
    let words = ["classify", "list"];
    let mut command = at(&sandbox, "https://nowhere.invalid", &words);
    command.env("HTTPS_PROXY", "socks5://user:canary@127.0.0.1:1");
    let output = run_to_end(command)
        .assert_exit(2)
        .assert_stderr("HTTPS_PROXY");
    assert!(!format!("{output:?}").contains("canary"), "{output:?}");
    // What this machine serves is not its business.
    let mut here = sandbox.command(&words);
    here.env("ALL_PROXY", "socks5://127.0.0.1:1");
    common::run_to_end(here).assert_exit(0);
}

#[test]
fn proxy_unable_to_reach_service_is_reported_by_doctor() {
    let sandbox = sandbox();
    let proxy = ConnectProxy::new();
    let mut command = at(&sandbox, "https://nowhere.invalid", &DOCTOR);
    command.env("HTTPS_PROXY", proxy.url());
    let (found, output) = doctor(command, 1);
    assert!(found.contains(&"proxy: ok".to_owned()), "{found:?}");
    assert!(found.contains(&"tls: error".to_owned()), "{found:?}");
    assert!(output.stdout.contains("the proxy"), "{output:?}");
    assert_eq!(proxy.tunnels(), 0);
}
