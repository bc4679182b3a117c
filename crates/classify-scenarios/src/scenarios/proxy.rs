//! The proxy is the one that the environment names, and every driver finds the same.

use std::env;
use std::process::Command;

use classify_proto::Api;
use classify_proto::v2::{DeleteJob, GetJob};

use crate::driver::{Driver, Settings};
use crate::scripted_server::{ResponseScript, ScriptedServer, response};
use crate::test_bench::api;

/// What a process that this test starts is to see, and where the server is that it reaches directly.
const CASE: &str = "CLASSIFY_SCENARIO_CASE";
const DIRECT: &str = "CLASSIFY_SCENARIO_DIRECT";

/// An environment is a process's own, so that each case is one.
pub fn proxy_settings_from_environment_are_applied<D: Driver>() {
    if let (Ok(case), Ok(direct)) = (env::var(CASE), env::var(DIRECT)) {
        return run_child::<D>(&case, &direct);
    }
    let proxy = ScriptedServer::start(|_, _| ResponseScript::Respond(response(407, &[], b"")));
    let job = br#"{"id": "clj-1", "status": "RUNNING"}"#;
    let direct =
        ScriptedServer::start(move |_, _| ResponseScript::Respond(response(200, &[], job)));
    let host = proxy.base_url().replace("http://", "");
    let proxy_url = format!("user:pass%40word@{host}");
    let socks_url = format!("socks5://{host}");
    // An internationalized domain name is sent in Punycode.
    let services = ["https://service.invalid", "https://bücher.invalid"];
    let mut hosts = Vec::new();
    for (case, variables) in [
        (
            "proxied",
            [("HTTPS_PROXY", &*proxy_url), ("HTTP_PROXY", &*proxy_url)],
        ),
        (
            "proxied_idn",
            [("HTTPS_PROXY", &*proxy_url), ("NO_PROXY", "büche.invalid")],
        ),
        (
            "direct_idn",
            [("HTTPS_PROXY", &*proxy_url), ("NO_PROXY", "bücher.invalid")],
        ),
        (
            "proxied",
            [("https_proxy", &*proxy_url), ("HTTPS_PROXY", &*socks_url)],
        ),
        (
            "proxied",
            [("ALL_PROXY", &*proxy_url), ("NO_PROXY", "example.com")],
        ),
        (
            "direct",
            [("HTTPS_PROXY", &*proxy_url), ("NO_PROXY", "x, .invalid")],
        ),
        (
            "refused",
            [("HTTPS_PROXY", &*socks_url), ("HTTP_PROXY", &*socks_url)],
        ),
    ] {
        let is_idn = case.ends_with("idn");
        let mut child = Command::new(env::current_exe().expect("this very program"));
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
            child.env_remove(name).env_remove(name.to_ascii_lowercase());
        }
        let done = child
            .args(["proxy_settings_from_environment_are_applied", "--exact"])
            .env(CASE, case)
            .env("LLAMA_CLOUD_API_KEY", "llx-key")
            .env("LLAMA_CLOUD_BASE_URL", services[usize::from(is_idn)])
            .env(DIRECT, direct.base_url())
            .envs(variables)
            .output()
            .expect("it starts");
        let stdout = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success(), "{variables:?}: {stdout}");
        if case.starts_with("proxied") {
            hosts.push(["service.invalid", "xn--bcher-kva.invalid"][usize::from(is_idn)]);
        }
        assert_eq!(
            proxy.requests().len(),
            hosts.len(),
            "{variables:?}: {stdout}"
        );
    }
    for (request, host) in proxy.requests().iter().zip(hosts) {
        let start = format!("CONNECT {host}:443 ");
        assert!(request.head.starts_with(&start), "{request:?}");
        let host_header = request.header("host").expect("a host");
        assert!(host_header.starts_with(host), "{request:?}");
        let login = request.header("proxy-authorization");
        assert_eq!(login, Some("Basic dXNlcjpwYXNzQHdvcmQ="), "{request:?}");
        assert_eq!(request.header("authorization"), None, "{request:?}");
    }
    // This machine is reached past every proxy.
    assert_eq!(direct.requests().len(), 7);
}

fn run_child<D: Driver>(case: &str, direct: &str) {
    let settings = Settings {
        retry: Settings::default().retry.max_retries(0),
        ..Settings::default()
    };
    let base_url = env::var("LLAMA_CLOUD_BASE_URL").expect("a base URL");
    let service = Api::builder("llx-key").base_url(base_url);
    let driver = D::new(service.build().expect("an api"), settings);
    let error = driver.call(DeleteJob::new("clj-1")).unwrap_err();
    assert!(!error.is_ambiguous(), "{error}");
    let message = error.to_string();
    match case {
        "proxied" | "proxied_idn" => {
            assert!(error.is_transport() && error.is_refused(), "{error}");
            let host = ["service.invalid:443", "xn--bcher-kva.invalid:443"]
                [usize::from(case.ends_with("idn"))];
            // Where it was to go, by which proxy, named by which variable, and the remedy; no user name and no password.
            for words in [host, "through the proxy http://", "407", "USER:PASSWORD@"] {
                assert!(message.contains(words), "{words}: {error}");
            }
            assert!(message.to_ascii_uppercase().contains("_PROXY)"), "{error}");
            assert!(
                !message.contains("user:") && !message.contains("word@"),
                "{error}"
            );
        }
        "refused" => assert!(
            message.contains("HTTPS_PROXY") && message.contains("socks5"),
            "{error}"
        ),
        _ => assert!(
            error.is_transport() && !message.contains("proxy"),
            "{error}"
        ),
    }
    // From the environment there is no client that could only refuse.
    match (case, D::from_env()) {
        ("refused", Err(error)) => assert!(error.is_invalid(), "{error}"),
        ("refused", Ok(())) => panic!("a client that can only refuse"),
        (_, result) => result.expect("a client"),
    }
    let here = D::new(api(direct, "llx-key"), settings);
    here.call(GetJob::new("clj-1")).expect("an answer");
}
