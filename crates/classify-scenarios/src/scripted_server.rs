//! A server that answers by a script, to misbehave on purpose.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// One request as it came.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// The request line and the headers.
    pub head: String,
    /// As much of the body as was read.
    pub body: Vec<u8>,
}

impl RecordedRequest {
    /// A header's value, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The length that was announced, if any.
    #[must_use]
    pub fn content_length(&self) -> Option<usize> {
        self.header("content-length")?.parse().ok()
    }
}

/// What to do with a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum ResponseScript {
    /// Read its body, send these bytes, close.
    Respond(Vec<u8>),
    /// Send these bytes and nothing more, without reading the body or closing the way up.
    RespondEarly(Vec<u8>),
    /// Read its body, send these bytes, and keep the connection open without another word.
    Hang(Vec<u8>),
    /// Read so much of its body and reset the connection.
    Reset(usize),
    /// Neither read its body nor say a word.
    Ignore,
    /// Read its body, send these bytes, and close the connection when another request has come over it; that one counts
    /// as seen too.
    RespondOnce(Vec<u8>),
}

/// A server on loopback that reads one request from each connection and does what its script says.
#[derive(Debug)]
pub struct ScriptedServer {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<RecordedRequest>>>,
    stop: Arc<AtomicBool>,
}

impl ScriptedServer {
    /// Starts a server. `script` is called when a request's head has arrived, with the number of requests before it and the
    /// head.
    ///
    /// # Panics
    ///
    /// When there is no port to listen on.
    pub fn start(
        script: impl Fn(usize, &RecordedRequest) -> ResponseScript + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let server = Self {
            address: listener.local_addr().expect("the port has a number"),
            requests: Arc::default(),
            stop: Arc::default(),
        };
        let (requests, stop, script) = (
            Arc::clone(&server.requests),
            Arc::clone(&server.stop),
            Arc::new(script),
        );
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Acquire) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (requests, stop, script) = (
                    Arc::clone(&requests),
                    Arc::clone(&stop),
                    Arc::clone(&script),
                );
                // A client that goes away in the middle is part of many a scenario.
                thread::spawn(move || drop(serve(stream, &requests, &stop, &*script)));
            }
        });
        server
    }

    /// Where it listens.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far; one that was not read to its end is there with what was read.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

/// A whole response, with its length and `Connection: close`.
#[must_use]
pub fn response(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!(
        "HTTP/1.1 {status} Whatever\r\ncontent-length: {}\r\nconnection: close\r\n",
        body.len()
    );
    for (name, value) in headers {
        // Writing to a String cannot fail.
        let _ = write!(head, "{name}: {value}\r\n");
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

fn serve(
    mut stream: TcpStream,
    requests: &Mutex<Vec<RecordedRequest>>,
    stop: &AtomicBool,
    script: &dyn Fn(usize, &RecordedRequest) -> ResponseScript,
) -> io::Result<()> {
    let mut request = read_head(&mut stream)?;
    let number = {
        let mut requests = requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.push(request.clone());
        requests.len() - 1
    };
    let script = script(number, &request);
    let is_early = matches!(script, ResponseScript::RespondEarly(_));
    let content_length = request.content_length().unwrap_or(0);
    let body_limit = match script {
        ResponseScript::Reset(body_limit) => body_limit.min(content_length),
        ResponseScript::RespondEarly(_) | ResponseScript::Ignore => 0,
        _ => content_length,
    };
    let read = read_body(&mut stream, &mut request.body, body_limit);
    requests.lock().unwrap_or_else(PoisonError::into_inner)[number] = request;
    read?;
    match script {
        ResponseScript::Respond(bytes) => {
            stream.write_all(&bytes)?;
            stream.shutdown(std::net::Shutdown::Write)?;
            // What the client still sends is read, so that closing is no reset that takes the answer along.
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            io::copy(&mut stream, &mut io::sink()).map(drop)
        }
        ResponseScript::RespondOnce(bytes) => {
            stream.write_all(&bytes)?;
            let next_head = read_head(&mut stream)?;
            let mut requests = requests.lock().unwrap_or_else(PoisonError::into_inner);
            requests.push(next_head);
            Ok(())
        }
        ResponseScript::Hang(_) | ResponseScript::RespondEarly(_) | ResponseScript::Ignore => {
            if let ResponseScript::Hang(bytes) | ResponseScript::RespondEarly(bytes) = &script {
                stream.write_all(bytes)?;
            }
            if is_early {
                stream.shutdown(std::net::Shutdown::Write)?;
            }
            while !stop.load(Ordering::Acquire) {
                thread::sleep(Duration::from_millis(5));
            }
            Ok(())
        }
        // Closing with bytes unread resets the connection.
        ResponseScript::Reset(_) => Ok(()),
    }
}

fn read_head(stream: &mut TcpStream) -> io::Result<RecordedRequest> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(RecordedRequest {
        head: String::from_utf8_lossy(&head).into_owned(),
        body: Vec::new(),
    })
}

fn read_body(stream: &mut TcpStream, body: &mut Vec<u8>, body_limit: usize) -> io::Result<()> {
    let read = stream.take(body_limit as u64).read_to_end(body)?;
    if read < body_limit {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}
