//! Faults below HTTP and in its framing, as a bare socket sees them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use classify_emulator::{Config, Emulator, Fault};
use serde_json::{Value, json};

use crate::faults::fixture;
use crate::test_client::form;

/// Returns the bytes that a bare socket reads until the end, and the error that ended the connection, if any.
fn read_raw(emulator: &Emulator, request: &str) -> (Vec<u8>, Option<std::io::ErrorKind>) {
    let mut socket = TcpStream::connect(emulator.address()).expect("a connection");
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a timeout");
    socket.write_all(request.as_bytes()).expect("sent");
    let mut bytes = Vec::new();
    let end = socket
        .read_to_end(&mut bytes)
        .err()
        .map(|error| error.kind());
    (bytes, end)
}

const LIST: &str = "GET /api/v2/classify HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\r\n";

#[test]
fn fault_reset_sends_rst_and_fault_close_sends_fin() {
    let fixture = fixture(Config::default());
    for (fault, end) in [
        (
            Fault::ResetBefore,
            Some(std::io::ErrorKind::ConnectionReset),
        ),
        (Fault::ResetAfter, Some(std::io::ErrorKind::ConnectionReset)),
        (Fault::CloseBefore, None),
        (Fault::CloseAfter, None),
    ] {
        fixture.set_fault(fault.always());
        assert_eq!(
            read_raw(&fixture.emulator, LIST),
            (Vec::new(), end),
            "{fault:?}"
        );
    }
}

/// An upload of a text of so many bytes, in full.
fn upload(size: usize) -> Vec<u8> {
    let (kind, body) = form(
        &[("purpose", "classify")],
        Some(("a.txt", &vec![b'x'; size])),
    );
    let head = format!(
        "POST /api/v1/beta/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\ncontent-type: {kind}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body].concat()
}

#[test]
fn fault_close_with_large_request_body_sends_fin() {
    let fixture = fixture(Config::default());
    for fault in [Fault::CloseBefore, Fault::CloseAfter] {
        fixture.set_fault(fault.always());
        let mut socket = TcpStream::connect(fixture.emulator.address()).expect("a connection");
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a timeout");
        socket.write_all(&upload(20_000)).expect("sent");
        let mut answer = Vec::new();
        let end = socket.read_to_end(&mut answer);
        assert!(
            answer.is_empty() && end.as_ref().is_ok_and(|read| *read == 0),
            "{fault:?}: {end:?}"
        );
    }
}

/// How many descriptors of this process are sockets whose other end is the emulator's.
#[cfg(target_os = "linux")]
fn connections_to(emulator: &Emulator) -> usize {
    // Both ends are of this process; the server's has the emulator's port as its local one, in state 01 (established)
    // or 08 (the client has gone).
    let port = format!(":{:04X}", emulator.address().port());
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the table of sockets");
    let fields = |line: &str| -> Option<(String, String)> {
        let mut words = line.split_whitespace().skip(1);
        let local = words.next()?.to_owned();
        Some((local, words.nth(1)?.to_owned()))
    };
    let server_sockets = table
        .lines()
        .filter_map(fields)
        .filter(|(local, state)| local.ends_with(&port) && matches!(state.as_str(), "01" | "08"));
    server_sockets.count()
}

#[cfg(target_os = "linux")]
#[test]
fn fault_hang_connection_ends_when_client_disconnects() {
    let fixture = fixture(Config::default());
    for fault in [Fault::HangBefore, Fault::HangAfter] {
        fixture.set_fault(fault.always());
        let before = connections_to(&fixture.emulator);
        for _ in 0..5 {
            let mut socket = TcpStream::connect(fixture.emulator.address()).expect("a connection");
            // More than the kernel keeps for a server that does not read.
            let bytes = upload(8_000_000);
            socket
                .set_write_timeout(Some(Duration::from_millis(300)))
                .expect("a timeout");
            let _ = socket.write_all(&bytes);
        }
        let deadline = Instant::now() + Duration::from_secs(30);
        while connections_to(&fixture.emulator) > before {
            assert!(Instant::now() < deadline, "{fault:?}: a connection is left");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn fault_body_cut_and_wrong_length_misstate_content_length() {
    let fixture = fixture(Config::default());
    fixture.set_fault(Fault::BodyCut.always());
    let advertised_length = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .expect("a length");
        (
            length.parse::<usize>().expect("a number"),
            body.len(),
            body.to_owned(),
        )
    };
    let (cut, _) = read_raw(&fixture.emulator, LIST);
    let (length, sent, _) = advertised_length(&cut);
    assert_eq!(sent, length / 2);
    fixture.set_fault(Fault::WrongLength.always());
    let (wrong, end) = read_raw(&fixture.emulator, LIST);
    let (length, sent, body) = advertised_length(&wrong);
    assert_eq!(
        (sent, end),
        (length + 7, None),
        "more comes than was promised: {body}"
    );
    assert!(
        serde_json::from_str::<Value>(&body).is_ok(),
        "all of it is the true reply: {body}"
    );
}

#[test]
fn fault_gzip_compresses_without_accept_encoding() {
    let fixture = fixture(Config::default());
    fixture.set_fault(Fault::Gzip.always());
    let (bytes, _) = read_raw(
        &fixture.emulator,
        &LIST.replace("host: x", "host: x\r\nconnection: close"),
    );
    let head_end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("a head")
        + 4;
    assert!(String::from_utf8_lossy(&bytes[..head_end]).contains("content-encoding: gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bytes[head_end..])
        .read_to_string(&mut text)
        .expect("gzip");
    assert_eq!(
        serde_json::from_str::<Value>(&text).expect("JSON")["items"],
        json!([])
    );
}

#[test]
fn fault_slow_drip_sends_body_in_pieces() {
    // The next piece is sent after an hour, so the test does not depend on how the reader's buffers split the response.
    let fixture = fixture(Config::default().drip_interval(Duration::from_secs(3_600)));
    fixture.set_fault(Fault::SlowDrip.always());
    let mut socket = TcpStream::connect(fixture.emulator.address()).expect("a connection");
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a timeout");
    socket.write_all(LIST.as_bytes()).expect("sent");
    let mut text = Vec::new();
    let body = |text: &[u8]| {
        let end = text.windows(4).position(|window| window == b"\r\n\r\n");
        end.map_or(0, |end| text.len() - end - 4)
    };
    let mut byte = [0];
    while body(&text) < 16 {
        socket.read_exact(&mut byte).expect("the first piece");
        text.extend_from_slice(&byte);
    }
    socket
        .set_read_timeout(Some(Duration::from_millis(100)))
        .expect("a timeout");
    let timeout_error = socket.read(&mut byte).expect_err("no second piece yet");
    assert!(
        matches!(
            timeout_error.kind(),
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
        ),
        "{timeout_error}"
    );
}
