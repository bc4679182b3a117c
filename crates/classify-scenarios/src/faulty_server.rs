//! A server that accepts connections and never serves a request.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// A server on loopback that accepts connections and never serves a request.
#[derive(Debug)]
pub struct FaultyServer {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl FaultyServer {
    /// Starts a server that reads one byte and resets the connection: with TLS, during the handshake.
    #[must_use]
    pub fn resetting() -> Self {
        Self::start(|mut stream| {
            // Closing with unread bytes resets the connection.
            let _ = stream.read(&mut [0]);
            None
        })
    }

    /// Starts a server that neither reads nor responds.
    #[must_use]
    pub fn silent() -> Self {
        Self::start(Some)
    }

    /// Starts a server that responds to a TLS handshake with plain HTTP.
    #[must_use]
    pub fn plain_http() -> Self {
        Self::start(|mut stream| {
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
            None
        })
    }

    /// Returns the base URL with this scheme.
    #[must_use]
    pub fn base_url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// Returns the number of accepted connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    fn start(handle: impl Fn(TcpStream) -> Option<TcpStream> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let server = Self {
            address: listener.local_addr().expect("the port has a number"),
            connections: Arc::default(),
            stop: Arc::default(),
        };
        let (connections, stop) = (Arc::clone(&server.connections), Arc::clone(&server.stop));
        thread::spawn(move || {
            let mut open_connections = Vec::new();
            for stream in listener.incoming().filter_map(io::Result::ok) {
                if stop.load(Ordering::Acquire) {
                    return;
                }
                connections.fetch_add(1, Ordering::AcqRel);
                open_connections.extend(handle(stream));
            }
        });
        server
    }
}

impl Drop for FaultyServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Wakes the accepting thread.
        drop(TcpStream::connect(self.address));
    }
}
