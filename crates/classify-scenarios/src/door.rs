//! A server with which no conversation comes about.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// A server on loopback that takes connections and hears no request.
#[derive(Debug)]
pub struct Door {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Door {
    /// It hears a byte and resets the connection: with TLS, in the middle of the handshake.
    #[must_use]
    pub fn slammed() -> Self {
        Self::open(|mut stream| {
            // The rest of what was said is not read, which is what makes it a reset.
            let _ = stream.read(&mut [0]);
            None
        })
    }

    /// It leaves the client waiting, without reading anything.
    #[must_use]
    pub fn silent() -> Self {
        Self::open(Some)
    }

    /// It answers what takes a TLS handshake for a request, in plain HTTP.
    #[must_use]
    pub fn plain() -> Self {
        Self::open(|mut stream| {
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
            None
        })
    }

    /// Its address, as the base URL of this scheme.
    #[must_use]
    pub fn base_url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// How many have come.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    fn open(keeps: impl Fn(TcpStream) -> Option<TcpStream> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let door = Self {
            address: listener.local_addr().expect("the port has a number"),
            connections: Arc::default(),
            stop: Arc::default(),
        };
        let (connections, stop) = (Arc::clone(&door.connections), Arc::clone(&door.stop));
        thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming().filter_map(io::Result::ok) {
                if stop.load(Ordering::Acquire) {
                    return;
                }
                connections.fetch_add(1, Ordering::AcqRel);
                kept.extend(keeps(stream));
            }
        });
        door
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}
