//! TLS in front of an emulator, and a proxy.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::Sandbox;

/// A name of this machine that is not recognized as local. Local addresses bypass every proxy.
pub const ANYWHERE: &str = "0.0.0.0";

/// A certificate authority, and a TLS relay with a certificate of it for `localhost` and [`ANYWHERE`].
pub struct TlsProxy {
    /// The authority's certificate, in PEM.
    pub authority: PathBuf,
    port: u16,
    _runtime: Runtime,
}

impl TlsProxy {
    /// In front of the sandbox's emulator.
    pub fn before(sandbox: &Sandbox) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["localhost".to_owned(), ANYWHERE.to_owned()])
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        let config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(
                    vec![leaf.der().clone()],
                    PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
                )
                .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let service = address_of(sandbox);
        let (runtime, port) = Runtime::serving(move |near| {
            let acceptor = acceptor.clone();
            async move {
                // A client that does not trust the certificate disconnects during the handshake.
                if let Ok(mut near) = acceptor.accept(near).await {
                    let mut far = TcpStream::connect(service).await.unwrap();
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                }
            }
        });
        Self {
            authority: sandbox.file("authority.pem", &authority.pem()),
            port,
            _runtime: runtime,
        }
    }

    /// Its base URL under a name, which its certificate may or may not contain.
    pub fn url(&self, host: &str) -> String {
        format!("https://{host}:{}", self.port)
    }
}

/// A proxy that opens tunnels, and counts them.
pub struct ConnectProxy {
    port: u16,
    tunnels: Arc<AtomicUsize>,
    _runtime: Runtime,
}

impl ConnectProxy {
    pub fn new() -> Self {
        let tunnels = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&tunnels);
        let (runtime, port) = Runtime::serving(move |mut near| {
            let count = Arc::clone(&count);
            async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match near.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => return,
                    }
                }
                let head = String::from_utf8(head).unwrap();
                let to = head
                    .strip_prefix("CONNECT ")
                    .and_then(|rest| rest.split(' ').next());
                let Some(mut far) = (match to {
                    Some(to) => TcpStream::connect(to).await.ok(),
                    None => None,
                }) else {
                    let _ = near.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await;
                    return;
                };
                count.fetch_add(1, Ordering::SeqCst);
                near.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let _ = copy_bidirectional(&mut near, &mut far).await;
            }
        });
        Self {
            port,
            tunnels,
            _runtime: runtime,
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The number of opened tunnels.
    pub fn tunnels(&self) -> usize {
        self.tunnels.load(Ordering::SeqCst)
    }
}

fn address_of(sandbox: &Sandbox) -> SocketAddr {
    let url = sandbox.emulator.base_url();
    url.strip_prefix("http://").unwrap().parse().unwrap()
}

/// A thread that answers connections until it is dropped.
struct Runtime(Option<tokio::sync::oneshot::Sender<()>>);

impl Runtime {
    fn serving<F>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> (Self, u16)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (port_sender, port) = channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                port_sender
                    .send(listener.local_addr().unwrap().port())
                    .unwrap();
                let serve = async {
                    loop {
                        let (socket, _) = listener.accept().await.unwrap();
                        tokio::spawn(answer(socket));
                    }
                };
                tokio::pin!(serve);
                let mut stopped = stopped;
                std::future::poll_fn(|cx| {
                    let _: std::task::Poll<()> = serve.as_mut().poll(cx);
                    std::pin::Pin::new(&mut stopped).poll(cx).map(drop)
                })
                .await;
            });
        });
        (Self(Some(stop)), port.recv().unwrap())
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}
