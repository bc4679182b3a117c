//! TLS with an authority of one's own, and proxies: what a company's network asks of a client.

mod common;

use std::process::Command;

use classify_emulator::{Config, RateLimits};
use common::relay::{ANYWHERE, Proxy, Tls};
use common::{Bench, CANARY, Said, bare, said};

fn bench() -> Bench {
    Bench::with(Config::default().rate_limits(RateLimits::none()))
}

fn at(bench: &Bench, url: &str, words: &[&str]) -> Command {
    let mut command = bare(words);
    command
        .current_dir(bench.path())
        .env("LLAMA_CLOUD_API_KEY", CANARY)
        .env("LLAMA_CLOUD_BASE_URL", url);
    command
}

/// What `doctor` found, as `check: result` for each check, and what it says to change.
fn doctor(command: Command, code: i32) -> (Vec<String>, Said) {
    let said = said(command).ends(code);
    let found = said.lines();
    let found = found
        .iter()
        .map(|line| {
            let word = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            format!("{}: {}", word("check"), word("result"))
        })
        .collect();
    (found, said)
}

const DOCTOR: [&str; 3] = ["doctor", "--format", "jsonl"];

#[test]
fn an_authority_of_one_s_own_is_trusted_when_it_is_given() {
    let bench = bench();
    let tls = Tls::before(&bench);
    let url = tls.url("localhost");
    let authority = tls.authority.to_str().unwrap();
    for words in [&["classify", "list"][..], &["doctor"]] {
        let mut by_environment = at(&bench, &url, words);
        by_environment.env("SSL_CERT_FILE", authority);
        said(by_environment).ends(0);
        let by_flag = at(&bench, &url, &[words, &["--ca-cert", authority]].concat());
        said(by_flag).ends(0);
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
    assert_eq!(said(at(&bench, &url, &run)).ends(0).lines().len(), 2);
    let words = [&DOCTOR[..], &["--ca-cert", authority]].concat();
    let (found, _) = doctor(at(&bench, &url, &words), 0);
    assert!(found.contains(&"tls: ok".to_owned()), "{found:?}");
}

#[test]
fn an_authority_that_nobody_knows_is_refused_with_the_remedy() {
    let bench = bench();
    let tls = Tls::before(&bench);
    let url = tls.url("localhost");
    let words = ["classify", "list", "--format", "json"];
    let listed = said(at(&bench, &url, &words)).ends(1);
    let hint = listed.error()["hint"].as_str().unwrap().to_owned();
    assert!(
        hint.contains("--ca-cert") && hint.contains("SSL_CERT_FILE"),
        "{hint}"
    );
    let (found, doctored) = doctor(at(&bench, &url, &DOCTOR), 1);
    assert!(found.contains(&"tls: error".to_owned()), "{found:?}");
    assert!(doctored.stdout.contains("--ca-cert"), "{doctored:?}");
    assert_eq!(bench.emulator.request_count(), 0);
}

#[test]
fn a_certificate_of_another_host_is_refused_though_its_authority_is_trusted() {
    let bench = bench();
    let tls = Tls::before(&bench);
    let authority = tls.authority.to_str().unwrap();
    let elsewhere = tls.url("127.0.0.1");
    let words = ["classify", "list", "--ca-cert", authority];
    said(at(&bench, &elsewhere, &words))
        .ends(1)
        .complains("not valid for")
        .complains("--base-url");
    let words = [&DOCTOR[..], &["--ca-cert", authority]].concat();
    let (found, _) = doctor(at(&bench, &elsewhere, &words), 1);
    assert!(found.contains(&"tls: error".to_owned()), "{found:?}");
    assert_eq!(bench.emulator.request_count(), 0);
}

#[test]
fn requests_go_through_the_proxy_s_tunnel_unless_the_host_is_excepted() {
    let bench = bench();
    let tls = Tls::before(&bench);
    let proxy = Proxy::new();
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
            let mut command = at(&bench, url, &[words, &["--ca-cert", authority]].concat());
            command.env(name, proxy.url()).env("NO_PROXY", excepted);
            let said = said(command).ends(0);
            let before = std::mem::replace(&mut tunnels, proxy.tunnels());
            assert_eq!(
                tunnels > before,
                through,
                "{url} {name} NO_PROXY={excepted} {words:?}"
            );
            if words == DOCTOR {
                assert_eq!(said.stdout.contains("passed by"), !through, "{said:?}");
                assert_eq!(
                    said.stdout.contains("left to the proxy"),
                    through,
                    "{said:?}"
                );
            }
        }
    }
}

#[test]
fn a_proxy_of_another_kind_is_refused_and_never_passed_by() {
    let bench = bench();
    let words = ["classify", "list"];
    let mut command = at(&bench, "https://nowhere.invalid", &words);
    command.env("HTTPS_PROXY", "socks5://user:canary@127.0.0.1:1");
    let said = said(command).ends(2).complains("HTTPS_PROXY");
    assert!(!format!("{said:?}").contains("canary"), "{said:?}");
    // What this machine serves is not its business.
    let mut here = bench.command(&words);
    here.env("ALL_PROXY", "socks5://127.0.0.1:1");
    common::said(here).ends(0);
}

#[test]
fn a_proxy_that_cannot_reach_the_service_is_named_by_doctor() {
    let bench = bench();
    let proxy = Proxy::new();
    let mut command = at(&bench, "https://nowhere.invalid", &DOCTOR);
    command.env("HTTPS_PROXY", proxy.url());
    let (found, said) = doctor(command, 1);
    assert!(found.contains(&"proxy: ok".to_owned()), "{found:?}");
    assert!(found.contains(&"tls: error".to_owned()), "{found:?}");
    assert!(said.stdout.contains("the proxy"), "{said:?}");
    assert_eq!(proxy.tunnels(), 0);
}
