//! A server with scripted responses and faults.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// A request that the server received.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// The request line and the headers, as text.
    pub head: String,
    /// The part of the body that was read.
    pub body: Vec<u8>,
}

impl RecordedRequest {
    /// Returns the value of a header by its lower-case name; `None` if it is absent.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Returns the announced length; `None` without `content-length`.
    #[must_use]
    pub fn content_length(&self) -> Option<usize> {
        self.header("content-length")?.parse().ok()
    }
}

/// The response of a [`ScriptedServer`] to a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum ResponseScript {
    /// Read the body, send these bytes, and close the connection.
    Respond(Vec<u8>),
    /// Send these bytes without reading the body, and keep the connection open for reading.
    RespondEarly(Vec<u8>),
    /// Read the body, send these bytes, and keep the connection open without sending more.
    Hang(Vec<u8>),
    /// Read this many bytes of the body and reset the connection.
    Reset(usize),
    /// Neither read the body nor respond.
    Ignore,
    /// Read the body, send these bytes, and close the connection when another request comes over it, which is recorded
    /// too.
    RespondOnce(Vec<u8>),
}

/// A server on loopback that reads one request from each connection and responds by a script.
#[derive(Debug)]
pub struct ScriptedServer {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<RecordedRequest>>>,
    stop: Arc<AtomicBool>,
}

impl ScriptedServer {
    /// Starts a server. It calls `script` when the head of a request has arrived, with the number of earlier requests
    /// and the head.
    ///
    /// # Panics
    ///
    /// If no port is free.
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
                // In many scenarios, the client closes the connection early.
                thread::spawn(move || drop(serve(stream, &requests, &stop, &*script)));
            }
        });
        server
    }

    /// Returns the base URL.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the requests so far, also those that were only read in part.
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
        // Wakes the accepting thread.
        drop(TcpStream::connect(self.address));
    }
}

/// Returns a complete response with its length and `Connection: close`.
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
            // Reads the rest of the request. Otherwise closing would reset the connection and discard the response.
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
        // Closing with unread bytes resets the connection.
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
