//! A service that sends the responses of a test, and records the requests.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// A request: `GET /path?query`, and the body.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    pub line: String,
    pub body: String,
}

impl RecordedRequest {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }
}

type Answers = dyn Fn(&RecordedRequest) -> (u16, String) + Send + Sync;

/// The service, until the process ends.
pub struct StubServer {
    url: String,
    asked: Arc<Mutex<Vec<RecordedRequest>>>,
}

impl StubServer {
    pub fn start(
        answers: impl Fn(&RecordedRequest) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let answers: Arc<Answers> = Arc::new(answers);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (seen, answers) = (Arc::clone(&seen), Arc::clone(&answers));
                std::thread::spawn(move || answer(socket, &seen, &*answers));
            }
        });
        Self { url, asked }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.asked.lock().unwrap().clone()
    }

    /// The body that was sent last.
    pub fn last(&self) -> Value {
        self.requests()
            .last()
            .map_or(Value::Null, RecordedRequest::json)
    }
}

fn answer(
    mut socket: TcpStream,
    seen: &Mutex<Vec<RecordedRequest>>,
    answers: &Answers,
) -> Option<()> {
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
    let asked = RecordedRequest {
        line: head
            .lines()
            .next()?
            .trim_end_matches(" HTTP/1.1")
            .to_owned(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let (status, text) = answers(&asked);
    seen.lock().unwrap().push(asked);
    write!(
        socket,
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nX-Should-Retry: false\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{text}",
        text.len()
    )
    .ok()
}
