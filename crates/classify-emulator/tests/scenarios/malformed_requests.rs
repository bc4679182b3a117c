//! Bytes that nobody should send: they get an answer, and the server goes on.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use classify_emulator::{Config, Emulator, RateLimits};
use serde_json::Value;

use crate::test_client::Client;

fn started() -> (Emulator, Client) {
    started_with(Config::default())
}

fn started_with(config: Config) -> (Emulator, Client) {
    let emulator = Emulator::start(config.rate_limits(RateLimits::none())).expect("an emulator");
    let client = Client::new(&emulator);
    (emulator, client)
}

/// Sends bytes and reads until the end of the connection.
fn raw(emulator: &Emulator, bytes: &[u8]) -> (Option<u16>, String) {
    let mut socket = TcpStream::connect(emulator.address()).expect("a connection");
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a timeout");
    // The server may answer and close before it has taken everything.
    let _ = socket.write_all(bytes);
    let _ = socket.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text
        .strip_prefix("HTTP/1.1 ")
        .and_then(|remaining| remaining.get(..3)?.parse().ok());
    (
        status,
        text.split_once("\r\n\r\n")
            .map(|(_, body)| body.to_owned())
            .unwrap_or_default(),
    )
}

#[test]
fn malformed_http_is_rejected_with_json_detail() {
    let (emulator, client) = started();
    let long_line = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(70_000));
    let many_headers = format!(
        "GET / HTTP/1.1\r\nhost: x\r\n{}\r\n",
        "a: b\r\n".repeat(2_000)
    );
    for bytes in [
        b"hello\r\n\r\n".as_slice(),
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /api/v2/classify HTTP/1.1\r\nhost x\r\n\r\n",
        b"POST /api/v2/classify HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        b"POST /api/v2/classify HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        long_line.as_bytes(),
        many_headers.as_bytes(),
    ] {
        let (status, body) = raw(&emulator, bytes);
        let preview = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        assert!(status.is_some_and(|status| (400..500).contains(&status)), "{preview:?}: {status:?} {body}");
        let body: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{preview:?}: {error}: {body}"));
        assert!(body["detail"].is_string(), "{preview:?}: {body}");
    }
    assert_eq!(client.get("/api/v2/classify").status, 200);
}

#[test]
fn malformed_body_is_rejected_on_every_route() {
    let (_emulator, client) = started();
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let bodies: [&[u8]; 9] = [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\"x\"",
        b"{\"file_input\": 5}",
        b"\xff\xfe\x00",
        deep.as_bytes(),
        &[b'9'; 400],
    ];
    let paths = [
        "/api/v2/classify",
        "/api/v2/classify/x",
        "/api/v2/classify/%00%ff",
        "/api/v2/classify/x/cancel",
        "/api/v2/webhook-configs",
        "/api/v1/classifier/jobs",
        "/api/v1/classifier/jobs/x",
        "/api/v1/classifier/jobs/x/results",
        "/api/v1/beta/files",
        "/api/v1/beta/files/x",
        "/api/v1/beta/files/x/content",
        "/api/v1/beta/files/query",
        "/api/v1/beta/configurations",
        "/api/v1/beta/configurations/x",
        "/api/v1/beta/webhook-configs",
        "/api/v1/beta/webhook-configs/x",
        "/_emulator/clock",
        "/_emulator/scripts",
        "/_emulator/faults",
        "/_emulator/reset/x",
        "/_emulator/content/../../etc/passwd",
        "/",
        "/api/v3/classify",
    ];
    for path in paths {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            for body in bodies {
                let forms: &[&str] = &[
                    "application/json",
                    "multipart/form-data; boundary=x",
                    "multipart/form-data",
                ];
                // Only one route takes forms.
                let kinds = if path == "/api/v1/beta/files" {
                    forms
                } else {
                    &forms[..1]
                };
                for kind in kinds {
                    let reply = client.send(method, path, Some(kind), Some(body.to_vec()));
                    let reply = reply.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
                    let lists = path == "/api/v1/beta/files/query"
                        || path == "/_emulator/faults"
                        || path == "/_emulator/scripts";
                    if reply.status == 200 && lists {
                        continue;
                    }
                    assert!(
                        (400..500).contains(&reply.status),
                        "{method} {path}: {} {}",
                        reply.status,
                        reply.text
                    );
                    assert!(
                        !reply.json()["detail"].is_null(),
                        "{method} {path}: {}",
                        reply.text
                    );
                }
            }
        }
        for query in [
            "?page_size=x&project_id=x",
            "?%ff=%fe&page_token=%00",
            "?expires=x&status=&&&==",
        ] {
            let reply = client.get(&format!("{path}{query}"));
            // A list ignores unknown query parameters.
            let fine = reply.status == 200;
            assert!(
                fine || (400..500).contains(&reply.status),
                "{path}{query}: {} {}",
                reply.status,
                reply.text
            );
        }
    }
    assert_eq!(client.get("/api/v2/classify").status, 200);
}

#[test]
fn timeout_of_incomplete_request_body_is_408() {
    let (emulator, client) = started_with(Config::default().read_timeout(Duration::from_secs(1)));
    let head = "POST /api/v2/classify HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\ncontent-length: 100\r\n\r\n{";
    for slow_bodies in [false, true] {
        let mut socket = TcpStream::connect(emulator.address()).expect("a connection");
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a timeout");
        socket.write_all(head.as_bytes()).expect("sent");
        let mut slow = socket.try_clone().expect("a second handle");
        // The connection is never idle for long, but the timeout covers the whole body.
        let slow_body = std::thread::spawn(move || {
            for _ in 0..if slow_bodies { 99 } else { 0 } {
                std::thread::sleep(Duration::from_millis(100));
                if slow.write_all(b" ").is_err() {
                    return;
                }
            }
        });
        let mut answer = [0; 12];
        socket.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 408", "drips: {slow_bodies}");
        let _ = socket.shutdown(std::net::Shutdown::Both);
        slow_body.join().expect("no panic");
    }
    assert_eq!(client.get("/api/v2/classify").status, 200);
}

#[test]
fn malformed_or_oversized_body_is_rejected() {
    let (emulator, client) = started();
    let (status, _) = raw(&emulator, b"POST /api/v2/classify HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n");
    assert_eq!(status, Some(400));
    let large = vec![b' '; 5 * 1024 * 1024];
    let reply = client
        .send(
            "POST",
            "/api/v2/classify",
            Some("application/json"),
            Some(large),
        )
        .expect("a reply");
    assert_eq!((reply.status, reply.detail().is_empty()), (413, false));
    let large = vec![b' '; 20 * 1024 * 1024];
    let reply = client
        .send("PUT", "/_emulator/faults", None, Some(large))
        .expect("a reply");
    assert_eq!((reply.status, reply.detail().is_empty()), (413, false));
    assert_eq!(client.get("/api/v2/classify").status, 200);
}

#[test]
fn upload_announced_as_too_large_is_rejected_before_body() {
    let (emulator, client) = started();
    let mut socket = TcpStream::connect(emulator.address()).expect("a connection");
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a timeout");
    let length: u64 = 600 * 1024 * 1024;
    let head = format!(
        "POST /api/v1/beta/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\
         content-type: multipart/form-data; boundary=x\r\ncontent-length: {length}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).expect("sent");
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 413");
    // A client that reads no answer before it has sent everything gets to send it.
    let chunk = vec![b'x'; 1024 * 1024];
    for _ in 0..600 {
        socket.write_all(&chunk).expect("it is taken");
    }
    assert_eq!(client.get("/api/v2/classify").status, 200);
}

#[test]
fn malformed_second_request_on_connection_is_rejected_with_json_detail() {
    let (emulator, _client) = started();
    let first = "GET /api/v2/classify HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\r\n";
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(70_000));
    for bad in [long.as_str(), "nonsense\r\n\r\n"] {
        let mut socket = TcpStream::connect(emulator.address()).expect("a connection");
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a timeout");
        socket.write_all(first.as_bytes()).expect("sent");
        let mut seen = Vec::new();
        let mut byte = [0];
        while !seen.ends_with(b"}") {
            socket.read_exact(&mut byte).expect("the first answer");
            seen.extend_from_slice(&byte);
        }
        let _ = socket.write_all(bad.as_bytes());
        let mut remaining = Vec::new();
        let _ = socket.read_to_end(&mut remaining);
        let remaining = String::from_utf8_lossy(&remaining).into_owned();
        let (head, body) = remaining.split_once("\r\n\r\n").expect("a second answer");
        assert!(head.starts_with("HTTP/1.1 4"), "{head}");
        let body: Value = serde_json::from_str(body).expect("JSON");
        assert!(body["detail"].is_string(), "{body}");
    }
}

#[test]
fn method_not_allowed_is_405_and_unknown_path_is_404() {
    let (_emulator, client) = started();
    assert_eq!(client.put("/api/v2/classify", &Value::Null).status, 405);
    assert_eq!(client.get("/api/v2/nothing").status, 404);
    assert_eq!(client.get("/api/v2/classify/").status, 404);
}

#[test]
fn malformed_random_requests_are_rejected_and_server_survives() {
    let (emulator, client) = started();
    let whole =
        "POST /api/v2/classify?page_size=2 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\
                 content-type: application/json\r\ncontent-length: 17\r\n\r\n{\"file_input\":\"x\"}"
            .as_bytes();
    let mut state: u64 = 41;
    let mut rng = move |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    for _ in 0..400 {
        let mut bytes = whole.to_vec();
        for _ in 0..=rng(5) {
            let at = rng(bytes.len());
            match rng(3) {
                0 => bytes[at] = u8::try_from(rng(256)).expect("a byte"),
                1 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, u8::try_from(rng(256)).expect("a byte")),
            }
        }
        let (status, body) = raw(&emulator, &bytes);
        let preview = String::from_utf8_lossy(&bytes).into_owned();
        assert!(
            status.is_some_and(|status| (400..500).contains(&status)),
            "{preview:?}: {status:?} {body}"
        );
        // An answer may be followed by another, to what was left of the bytes.
        assert!(body.starts_with("{\"detail\":"), "{preview:?}: {body}");
    }
    assert_eq!(client.get("/api/v2/classify").status, 200);
}
