//! TLS with a private certificate authority, and proxies, as in a company's network.

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// The results of `doctor`, as `check: result`, and its remedies.
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
                assert_eq!(output.stdout.contains("not used"), !through, "{output:?}");
                assert_eq!(
                    output.stdout.contains("resolved by the proxy"),
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
    // This machine is reached without it.
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

/// A proxy that rejects every `CONNECT` with this status.
fn denying_proxy(status: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n > 0) {
                head.push(byte[0]);
            }
            if head.starts_with(b"CONNECT ") {
                count.fetch_add(1, Ordering::SeqCst);
                let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            }
        }
    });
    (url, asked)
}

#[test]
fn proxy_that_rejects_connect_is_not_retried_and_names_remedy() {
    let sandbox = sandbox();
    for (status, remedy) in [
        ("407 Proxy Authentication Required", "USER:PASSWORD@"),
        ("403 Forbidden", "NO_PROXY"),
    ] {
        for debug in [false, true] {
            let (url, asked) = denying_proxy(status);
            let words = ["classify", "list", "--debug"];
            let words = if debug { &words[..] } else { &words[..2] };
            let mut command = at(&sandbox, "https://nowhere.invalid", words);
            command.env("HTTPS_PROXY", url.replace("http://", "http://user:canary@"));
            let output = run_to_end(command)
                .assert_exit(1)
                .assert_stderr("nowhere.invalid:443")
                .assert_stderr(&format!("{url} (HTTPS_PROXY)"))
                .assert_stderr(&status[..3])
                .assert_stderr(remedy);
            assert!(!format!("{output:?}").contains("canary"), "{output:?}");
            assert_eq!(asked.load(Ordering::SeqCst), 1, "{status}");
        }
        let (url, _) = denying_proxy(status);
        let mut command = at(&sandbox, "https://nowhere.invalid", &DOCTOR);
        command.env("HTTPS_PROXY", &url);
        let (found, output) = doctor(command, 1);
        assert!(found.contains(&"proxy: error".to_owned()), "{found:?}");
        assert!(output.stdout.contains(remedy), "{output:?}");
    }
}

#[test]
fn proxy_that_cannot_be_reached_is_named_with_its_variable() {
    let sandbox = sandbox();
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let words = ["classify", "list"];
    let mut command = at(&sandbox, "https://nowhere.invalid", &words);
    command.env("ALL_PROXY", &nobody);
    run_to_end(command)
        .assert_exit(1)
        .assert_stderr("no connection to nowhere.invalid:443")
        .assert_stderr(&format!("through the proxy {nobody} (ALL_PROXY)"))
        .assert_stderr("NO_PROXY");
    let mut command = at(&sandbox, "https://nowhere.invalid", &DOCTOR);
    command.env("ALL_PROXY", &nobody);
    let (found, output) = doctor(command, 1);
    assert!(found.contains(&"proxy: error".to_owned()), "{found:?}");
    assert!(!found.contains(&"tls: error".to_owned()), "{found:?}");
    assert!(output.stdout.contains("ALL_PROXY"), "{output:?}");
}

#[test]
fn connection_error_names_host_and_port() {
    let sandbox = sandbox();
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let url = format!("http://127.0.0.1:{port}");
    let words = ["classify", "list"];
    let output = run_to_end(at(&sandbox, &url, &words))
        .assert_exit(1)
        .assert_stderr(&format!("no connection to 127.0.0.1:{port}: "));
    assert!(!output.stderr.contains("proxy"), "{output:?}");
}

#[test]
fn tls_to_a_plain_port_is_named_in_error() {
    let sandbox = sandbox();
    let url = sandbox.emulator.base_url().replace("http://", "https://");
    let words = ["classify", "list"];
    run_to_end(at(&sandbox, &url, &words))
        .assert_exit(1)
        .assert_stderr("does not speak TLS");
    let (found, output) = doctor(at(&sandbox, &url, &DOCTOR), 1);
    assert!(found.contains(&"tls: error".to_owned()), "{found:?}");
    assert!(output.stdout.contains("does not speak TLS"), "{output:?}");
}

/// A certificate as editors and systems save it.
#[test]
fn tls_ca_certificate_in_any_usual_form_is_trusted() {
    let sandbox = sandbox();
    let tls = TlsProxy::before(&sandbox);
    let url = tls.url("localhost");
    let pem = std::fs::read_to_string(&tls.authority).unwrap();
    let encoded: String = pem
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let der = base64_decode(&encoded);
    let wide = pem
        .replace('\n', "\r\n")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect::<Vec<_>>();
    for (name, bytes) in [
        ("bom.pem", [b"\xef\xbb\xbf", pem.as_bytes()].concat()),
        ("utf16.pem", [b"\xff\xfe", &wide[..]].concat()),
        ("authority.der", der.clone()),
    ] {
        let path = sandbox.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let words = ["classify", "list", "--ca-cert", path.to_str().unwrap()];
        run_to_end(at(&sandbox, &url, &words)).assert_exit(0);
    }
    let pkcs12 = [b"\x30\x82\x01\x00\x02\x01\x03", &der[..]].concat();
    let mut cut = der;
    cut.truncate(100);
    for (name, bytes, problem) in [
        ("keys.pfx", pkcs12, "PKCS #12"),
        ("cut.der", cut, "invalid certificate"),
        (
            "key.pem",
            b"-----BEGIN PRIVATE KEY-----\nMC4CAQ==\n-----END PRIVATE KEY-----\n".to_vec(),
            "private key",
        ),
        ("text.pem", b"hello".to_vec(), "contains no certificate"),
        (
            "image.pem",
            b"\x89PNG\r\n\xff".to_vec(),
            "neither PEM nor DER",
        ),
    ] {
        let path = sandbox.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let words = ["classify", "list", "--ca-cert", path.to_str().unwrap()];
        run_to_end(at(&sandbox, &url, &words))
            .assert_exit(2)
            .assert_stderr(problem)
            .assert_stderr(name);
    }
}

fn base64_decode(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => u32::from(c - b'A'),
        b'a'..=b'z' => u32::from(c - b'a') + 26,
        b'0'..=b'9' => u32::from(c - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let text = text.trim_end_matches('=').as_bytes();
    let groups = text.chunks(4).flat_map(|group| {
        let bits = (0..4).fold(0, |bits, at| {
            bits << 6 | group.get(at).map_or(0, |c| value(*c))
        });
        bits.to_be_bytes()[1..group.len()].to_vec()
    });
    groups.collect()
}
