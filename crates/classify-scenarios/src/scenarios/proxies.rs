//! The proxy is the one that the environment names, and every driver finds the same.

use std::env;
use std::process::Command;

use classify_proto::Api;
use classify_proto::v2::{DeleteJob, GetJob};

use crate::driver::{Driver, Setup};
use crate::listener::{Listener, Plan, response};
use crate::world::api;

/// What a process that this test starts is to see, and where the server is that it reaches directly.
const CASE: &str = "CLASSIFY_SCENARIO_CASE";
const DIRECT: &str = "CLASSIFY_SCENARIO_DIRECT";

/// An environment is a process's own, so that each case is one.
pub fn requests_go_by_the_proxy_of_the_environment<D: Driver>() {
    if let (Ok(case), Ok(direct)) = (env::var(CASE), env::var(DIRECT)) {
        return inside::<D>(&case, &direct);
    }
    let proxy = Listener::start(|_, _| Plan::Answer(response(407, &[], b"")));
    let job = br#"{"id": "clj-1", "status": "RUNNING"}"#;
    let direct = Listener::start(move |_, _| Plan::Answer(response(200, &[], job)));
    let host = proxy.base_url().replace("http://", "");
    let named = format!("user:pass%40word@{host}");
    let socks = format!("socks5://{host}");
    let mut through = 0;
    for (case, set) in [
        (
            "proxied",
            [("HTTPS_PROXY", &*named), ("HTTP_PROXY", &*named)],
        ),
        (
            "proxied",
            [("https_proxy", &*named), ("HTTPS_PROXY", &*socks)],
        ),
        (
            "proxied",
            [("ALL_PROXY", &*named), ("NO_PROXY", "example.com")],
        ),
        (
            "direct",
            [("HTTPS_PROXY", &*named), ("NO_PROXY", "x, .invalid")],
        ),
        (
            "refused",
            [("HTTPS_PROXY", &*socks), ("HTTP_PROXY", &*socks)],
        ),
    ] {
        let mut child = Command::new(env::current_exe().expect("this very program"));
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
            child.env_remove(name).env_remove(name.to_ascii_lowercase());
        }
        let done = child
            .args(["requests_go_by_the_proxy_of_the_environment", "--exact"])
            .env(CASE, case)
            .env("LLAMA_CLOUD_API_KEY", "llx-key")
            .env("LLAMA_CLOUD_BASE_URL", "https://service.invalid")
            .env(DIRECT, direct.base_url())
            .envs(set)
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success(), "{set:?}: {said}");
        through += usize::from(case == "proxied");
        assert_eq!(proxy.seen().len(), through, "{set:?}: {said}");
    }
    for seen in proxy.seen() {
        assert!(
            seen.head.starts_with("CONNECT service.invalid:443 "),
            "{seen:?}"
        );
        let login = seen.header("proxy-authorization");
        assert_eq!(login, Some("Basic dXNlcjpwYXNzQHdvcmQ="), "{seen:?}");
        assert_eq!(seen.header("authorization"), None, "{seen:?}");
    }
    // This machine is reached past every proxy.
    assert_eq!(direct.seen().len(), 5);
}

fn inside<D: Driver>(case: &str, direct: &str) {
    let setup = Setup {
        retry: Setup::default().retry.max_retries(0),
        ..Setup::default()
    };
    let service = Api::builder("llx-key").base_url("https://service.invalid");
    let driver = D::new(service.build().expect("an api"), setup);
    let error = driver.call(DeleteJob::new("clj-1")).unwrap_err();
    assert!(!error.is_ambiguous(), "{error}");
    let told = error.to_string();
    match case {
        "proxied" => assert!(error.is_transport(), "{error}"),
        "refused" => assert!(
            told.contains("HTTPS_PROXY") && told.contains("socks5"),
            "{error}"
        ),
        _ => assert!(error.is_transport() && !told.contains("proxy"), "{error}"),
    }
    // From the environment there is no client that could only refuse.
    match (case, D::from_env()) {
        ("refused", Err(error)) => assert!(error.is_invalid(), "{error}"),
        ("refused", Ok(())) => panic!("a client that can only refuse"),
        (_, made) => made.expect("a client"),
    }
    let here = D::new(api(direct, "llx-key"), setup);
    here.call(GetJob::new("clj-1")).expect("an answer");
}
