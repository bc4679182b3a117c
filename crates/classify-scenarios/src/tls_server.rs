//! A TLS server whose certificate is signed by a private authority.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use classify_proto::{Error, ErrorKind};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A server on loopback with a certificate for `localhost` and the same response to every request.
#[derive(Debug)]
pub struct TlsServer {
    address: SocketAddr,
    authority: Vec<u8>,
    connections: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl TlsServer {
    /// Starts a server that responds with these bytes, which must be a complete response, and closes the connection.
    ///
    /// # Panics
    ///
    /// If no port is free or no key can be generated.
    #[must_use]
    pub fn start(answer: Vec<u8>) -> Self {
        let (config, authority) = generate_certificate();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let server = Self {
            address: listener.local_addr().expect("the port has a number"),
            authority,
            connections: Arc::default(),
            stop: Arc::default(),
        };
        let (connections, stop) = (Arc::clone(&server.connections), Arc::clone(&server.stop));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Acquire) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                connections.fetch_add(1, Ordering::AcqRel);
                // A client that does not trust the certificate closes the connection during the handshake.
                drop(serve(stream, Arc::clone(&config), &answer));
            }
        });
        server
    }

    /// Returns the base URL with this host name, which may differ from the name in the certificate.
    #[must_use]
    pub fn base_url(&self, host: &str) -> String {
        format!("https://{host}:{}", self.address.port())
    }

    /// Returns the certificate of the authority, in DER.
    #[must_use]
    pub fn authority(&self) -> &[u8] {
        &self.authority
    }

    /// Asserts that the call failed after one attempt, with an untrusted certificate.
    ///
    /// # Panics
    ///
    /// If the error or the number of attempts differs.
    pub fn assert_refused_once(&self, error: &Error) {
        assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
        assert!(error.to_string().contains("certificate"), "{error}");
        assert!(!error.is_transient() && !error.is_ambiguous(), "{error}");
        assert_eq!((error.attempts(), self.connections()), (1, 1), "{error}");
    }

    /// Returns the number of connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Wakes the accepting thread.
        drop(TcpStream::connect(self.address));
    }
}

/// Returns a certificate for `localhost`, and the authority that signed it.
fn generate_certificate() -> (Arc<ServerConfig>, Vec<u8>) {
    let key = KeyPair::generate().expect("randomness");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).expect("a valid key");
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().expect("randomness");
    let leaf = CertificateParams::new(vec!["localhost".to_owned()])
        .and_then(|params| params.signed_by(&key, &issuer))
        .expect("a valid name");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports them")
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).expect("a valid key"),
        )
        .expect("the key is the certificate's");
    (Arc::new(config), authority.der().to_vec())
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>, answer: &[u8]) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let (mut head, mut chunk) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut chunk)? {
            0 => return Ok(()),
            read => head.extend_from_slice(&chunk[..read]),
        }
    }
    stream.write_all(answer)?;
    stream.conn.send_close_notify();
    stream.flush()
}
