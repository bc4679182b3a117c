//! Faults below HTTP and in its framing, as a bare socket sees them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use classify_emulator::{Config, Emulator, Fault};
use serde_json::{Value, json};

use crate::faults::scene;

/// What a bare socket reads until the end, and how the connection ended.
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
fn a_reset_is_a_reset_and_a_close_is_a_close() {
    let scene = scene(Config::default());
    for (fault, end) in [
        (
            Fault::ResetBefore,
            Some(std::io::ErrorKind::ConnectionReset),
        ),
        (Fault::ResetAfter, Some(std::io::ErrorKind::ConnectionReset)),
        (Fault::CloseBefore, None),
        (Fault::CloseAfter, None),
    ] {
        scene.fail(fault.always());
        assert_eq!(
            read_raw(&scene.emulator, LIST),
            (Vec::new(), end),
            "{fault:?}"
        );
    }
}

#[test]
fn lengths_lie_as_told() {
    let scene = scene(Config::default());
    scene.fail(Fault::BodyCut.always());
    let promised = |bytes: &[u8]| {
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
    let (cut, _) = read_raw(&scene.emulator, LIST);
    let (length, sent, _) = promised(&cut);
    assert_eq!(sent, length / 2);
    scene.fail(Fault::WrongLength.always());
    let (wrong, end) = read_raw(&scene.emulator, LIST);
    let (length, sent, body) = promised(&wrong);
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
fn gzip_comes_unasked() {
    let scene = scene(Config::default());
    scene.fail(Fault::Gzip.always());
    let (bytes, _) = read_raw(
        &scene.emulator,
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
fn a_drip_comes_in_pieces() {
    let scene = scene(Config::default().drip(Duration::from_millis(30)));
    scene.fail(Fault::SlowDrip.always());
    let mut socket = TcpStream::connect(scene.emulator.address()).expect("a connection");
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a timeout");
    socket.write_all(LIST.as_bytes()).expect("sent");
    let mut text = Vec::new();
    let mut pieces = 0;
    let mut buffer = [0; 4096];
    while !text.ends_with(b"}") {
        let read = socket.read(&mut buffer).expect("a piece");
        assert!(read > 0, "the whole body comes");
        text.extend_from_slice(&buffer[..read]);
        pieces += 1;
    }
    assert!(pieces >= 2, "in {pieces} piece");
}
