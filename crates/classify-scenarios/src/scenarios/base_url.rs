//! Requests are sent to the base URL that the core has validated.

use classify_proto::Api;
use classify_proto::v2::ListJobs;

use crate::driver::{Capability, Driver, Settings};
use crate::scripted_server::{ResponseScript, ScriptedServer, response};

/// The request line and `Host` are those of the request's URI, for every form of the base URL.
pub fn base_url_is_sent_as_it_was_checked<D: Driver>() {
    let server = ScriptedServer::start(|_, _| {
        ResponseScript::Respond(response(200, &[], br#"{"items": []}"#))
    });
    let port = server.base_url().rsplit(':').next().map(str::to_owned);
    let port = port.expect("a port");
    for (base_url, host, path) in [
        (format!("http://127.1:{port}"), "127.0.0.1", ""),
        (format!("HTTP://0x7f.1:{port}//"), "127.0.0.1", ""),
        (format!("http://LocalHost:{port}/A/"), "localhost", "/A"),
        (
            format!("http://127.0.0.1:{port}/a/%2E%2e/b//c;=|%7e/é{{}}/"),
            "127.0.0.1",
            "/b//c;=|%7e/%C3%A9%7B%7D",
        ),
    ] {
        let api = Api::builder("llx-key").base_url(&*base_url).build();
        let driver = D::new(api.expect("a base URL"), Settings::default());
        let list = ListJobs::new().page_token("a+b'\\./é");
        driver.call(list).expect("a page");
        let requests = server.requests();
        let request = requests.last().expect("a request");
        let line =
            format!("GET {path}/api/v2/classify?page_token=a%2Bb%27%5C.%2F%C3%A9 HTTP/1.1\r\n");
        let is_sent = if D::has(Capability::EscapeCase) {
            request.head.starts_with(&line)
        } else {
            let [head, line] = [&request.head, &line].map(|text| text.replace("%7e", "%7E"));
            head.starts_with(&line)
        };
        assert!(is_sent, "{base_url}: {request:?}");
        let host = format!("{host}:{port}");
        assert_eq!(request.header("host"), Some(&*host), "{base_url}");
    }
}
