//! A service that rejects every request and repeats the whole request in the error.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

/// The service, until the process ends.
pub struct EchoServer {
    url: String,
    answered: Arc<AtomicUsize>,
}

impl EchoServer {
    /// Starts a server that rejects requests with this status.
    pub fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answered = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&answered);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let count = Arc::clone(&count);
                std::thread::spawn(move || {
                    if answer(socket, status).is_some() {
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        Self { url, answered }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The number of requests that were answered.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::SeqCst)
    }
}

fn answer(mut socket: TcpStream, status: u16) -> Option<()> {
    let mut reader = BufReader::new(socket.try_clone().ok()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8_lossy(&body);
    // A document is not JSON, so its words cannot be recognized.
    let quoted = if head
        .to_ascii_lowercase()
        .contains("content-type: application/json")
    {
        &*body
    } else {
        ""
    };
    let detail = match status {
        // Like the service's framework: the error contains the input.
        422 => json!([{
            "loc": ["header", "authorization"], "type": "value_error", "msg": format!("is not wanted: {quoted}"),
            "input": format!("{head}{body}"), "ctx": {"error": body},
        }]),
        _ => json!(format!("refused: {head}{quoted}")),
    };
    let text = json!({ "detail": detail, "input": body }).to_string();
    write!(
        socket,
        "HTTP/1.1 {status} Refused\r\nContent-Type: application/json\r\nX-Should-Retry: false\r\nX-EchoServer: {}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{text}",
        head.replace("\r\n", " "),
        text.len()
    )
    .ok()
}
