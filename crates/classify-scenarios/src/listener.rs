//! A server that answers by script, for what no well-behaved server does.

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
pub struct Seen {
    /// The request line and the headers.
    pub head: String,
    /// As much of the body as was read.
    pub body: Vec<u8>,
}

impl Seen {
    /// A header's value, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The length that was announced, if any.
    #[must_use]
    pub fn announced(&self) -> Option<usize> {
        self.header("content-length")?.parse().ok()
    }
}

/// What to do with a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum Plan {
    /// Read its body, send these bytes, close.
    Answer(Vec<u8>),
    /// Send these bytes and nothing more, without reading the body or closing the way up.
    Early(Vec<u8>),
    /// Read its body, send these bytes, and keep the connection open without another word.
    Hang(Vec<u8>),
    /// Read so much of its body and reset the connection.
    Reset(usize),
    /// Neither read its body nor say a word.
    Ignore,
    /// Read its body, send these bytes, and close the connection when another request has come over it; that one counts
    /// as seen too.
    AnswerOnce(Vec<u8>),
}

/// A server on loopback that reads one request from each connection and does what its plan says.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: Arc<AtomicBool>,
}

impl Listener {
    /// Starts a server. `plan` is asked when a request's head is there, with the head and the number of requests
    /// before it.
    ///
    /// # Panics
    ///
    /// When there is no port to listen on.
    pub fn start(plan: impl Fn(usize, &Seen) -> Plan + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let listener_ = Self {
            address: listener.local_addr().expect("the port has a number"),
            seen: Arc::default(),
            stop: Arc::default(),
        };
        let (seen, stop, plan) = (
            Arc::clone(&listener_.seen),
            Arc::clone(&listener_.stop),
            Arc::new(plan),
        );
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Acquire) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (seen, stop, plan) = (Arc::clone(&seen), Arc::clone(&stop), Arc::clone(&plan));
                // A client that goes away in the middle is part of many a scenario.
                thread::spawn(move || drop(serve(stream, &seen, &stop, &*plan)));
            }
        });
        listener_
    }

    /// Where it listens.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far; one that was not read to its end is there with what was read.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Listener {
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
    seen: &Mutex<Vec<Seen>>,
    stop: &AtomicBool,
    plan: &dyn Fn(usize, &Seen) -> Plan,
) -> io::Result<()> {
    let mut request = read_head(&mut stream)?;
    let number = {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(request.clone());
        seen.len() - 1
    };
    let plan = plan(number, &request);
    let early = matches!(plan, Plan::Early(_));
    let announced = request.announced().unwrap_or(0);
    let most = match plan {
        Plan::Reset(most) => most.min(announced),
        Plan::Early(_) | Plan::Ignore => 0,
        _ => announced,
    };
    let read = read_body(&mut stream, &mut request.body, most);
    seen.lock().unwrap_or_else(PoisonError::into_inner)[number] = request;
    read?;
    match plan {
        Plan::Answer(bytes) => {
            stream.write_all(&bytes)?;
            stream.shutdown(std::net::Shutdown::Write)?;
            // What the client still sends is read, so that closing is no reset that takes the answer along.
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            io::copy(&mut stream, &mut io::sink()).map(drop)
        }
        Plan::AnswerOnce(bytes) => {
            stream.write_all(&bytes)?;
            let second = read_head(&mut stream)?;
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(second);
            Ok(())
        }
        Plan::Hang(_) | Plan::Early(_) | Plan::Ignore => {
            if let Plan::Hang(bytes) | Plan::Early(bytes) = &plan {
                stream.write_all(bytes)?;
            }
            if early {
                stream.shutdown(std::net::Shutdown::Write)?;
            }
            while !stop.load(Ordering::Acquire) {
                thread::sleep(Duration::from_millis(5));
            }
            Ok(())
        }
        // Closing with bytes unread resets the connection.
        Plan::Reset(_) => Ok(()),
    }
}

fn read_head(stream: &mut TcpStream) -> io::Result<Seen> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(Seen {
        head: String::from_utf8_lossy(&head).into_owned(),
        body: Vec::new(),
    })
}

fn read_body(stream: &mut TcpStream, body: &mut Vec<u8>, most: usize) -> io::Result<()> {
    let read = stream.take(most as u64).read_to_end(body)?;
    if read < most {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}
