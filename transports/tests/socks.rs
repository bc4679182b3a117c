//! libcurl through a SOCKS5 proxy. The scheme of the proxy decides whether it resolves the host name.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use classify_client::blocking::Client;
use classify_client::classify_proto::machine::{Limiter, PollInterval, Retry};
use classify_client::classify_proto::v1;
use classify_client::classify_proto::v2::JobStatus;
use classify_emulator::{Config, Emulator, RateLimits};
use classify_scenarios::{api, document, rules};
use classify_transports::curl::Curl;

/// The most connections that one test may make.
const MAX_CONNECTIONS: usize = 64;

/// Longer than any pause of a test.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// No server listens on this port, so that only the proxy reaches the emulator.
const HOST: &str = "localhost:1";

/// The destination that a client names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Destination {
    Name(String, u16),
    Address(SocketAddr),
}

/// A SOCKS5 proxy that connects to one address, for every requested destination.
struct SocksProxy {
    address: SocketAddr,
    destinations: Arc<Mutex<Vec<Destination>>>,
    is_stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl SocksProxy {
    /// Connects to `upstream`, or refuses every connection if there is none.
    fn start(upstream: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let destinations = Arc::default();
        let is_stopped = Arc::new(AtomicBool::new(false));
        let (seen, stopped) = (Arc::clone(&destinations), Arc::clone(&is_stopped));
        let thread = thread::spawn(move || {
            for stream in listener.incoming().take(MAX_CONNECTIONS) {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (seen, stream) = (Arc::clone(&seen), stream.expect("a connection"));
                thread::spawn(move || serve(stream, upstream, &seen));
            }
        });
        Self {
            address,
            destinations,
            is_stopped,
            thread: Some(thread),
        }
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// Returns the destination of each connection.
    fn destinations(&self) -> Vec<Destination> {
        self.destinations.lock().expect("a list").clone()
    }
}

impl Drop for SocksProxy {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        // Wakes the accepting thread.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Serves one connection until either side closes it.
fn serve(
    mut client: TcpStream,
    upstream: Option<SocketAddr>,
    seen: &Mutex<Vec<Destination>>,
) -> io::Result<()> {
    client.set_read_timeout(Some(IDLE_TIMEOUT))?;
    let destination = read_destination(&mut client)?;
    seen.lock().expect("a list").push(destination);
    let reply = |code: u8| [5, code, 0, 1, 0, 0, 0, 0, 0, 0];
    let Some(upstream) = upstream else {
        // Connection refused.
        return client.write_all(&reply(5));
    };
    let mut server = TcpStream::connect_timeout(&upstream, IDLE_TIMEOUT)?;
    server.set_read_timeout(Some(IDLE_TIMEOUT))?;
    client.write_all(&reply(0))?;
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        drop(io::copy(&mut from_server, &mut to_client));
        to_client.shutdown(std::net::Shutdown::Both)
    });
    drop(io::copy(&mut client, &mut server));
    server.shutdown(std::net::Shutdown::Both)
}

/// Reads the greeting and the request to connect, of RFC 1928. Accepts only clients without authentication.
fn read_destination(client: &mut TcpStream) -> io::Result<Destination> {
    let [version, methods] = read(client)?;
    io::copy(&mut client.take(methods.into()), &mut io::sink())?;
    client.write_all(&[5, 0])?;
    let [again, command, _, kind] = read(client)?;
    assert_eq!((version, again, command), (5, 5, 1));
    match kind {
        1 => {
            let ip = Ipv4Addr::from(read::<4>(client)?);
            Ok(Destination::Address((ip, port(client)?).into()))
        }
        4 => {
            let ip = Ipv6Addr::from(read::<16>(client)?);
            Ok(Destination::Address((ip, port(client)?).into()))
        }
        3 => {
            let [length] = read(client)?;
            let mut name = vec![0; length.into()];
            client.read_exact(&mut name)?;
            let name = String::from_utf8(name).map_err(io::Error::other)?;
            Ok(Destination::Name(name, port(client)?))
        }
        other => panic!("no kind of address: {other}"),
    }
}

fn port(client: &mut TcpStream) -> io::Result<u16> {
    read(client).map(u16::from_be_bytes)
}

fn read<const N: usize>(client: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn client(proxy: String, key: &str) -> Client<Curl> {
    let short = Duration::from_millis(10);
    Client::with_transport(Curl::with_proxy(proxy), api(&format!("http://{HOST}"), key))
        .limiter(Limiter::unlimited())
        .retry(Retry::default().backoff(short, short))
        .poll_interval(PollInterval::new(short, short * 10))
}

/// Classifies a document through the proxy, and returns the destination of each connection.
fn destinations_of_a_job(scheme: &str) -> Vec<Destination> {
    let config = Config::default()
        .rate_limits(RateLimits::none())
        .running_after(Duration::from_millis(5))
        .completed_after(Duration::from_millis(20));
    let emulator = Emulator::start(config).expect("the emulator starts");
    let proxy = SocksProxy::start(Some(emulator.address()));
    let client = client(proxy.url(scheme), emulator.key());
    let job = client.classify(document().into(), rules()).expect("a job");
    assert_eq!(job.status, JobStatus::Completed);
    assert_eq!(emulator.job_count(), 1);
    proxy.destinations()
}

#[test]
fn socks5h_proxy_resolves_host_name_of_job() {
    let destinations = destinations_of_a_job("socks5h");
    assert!(!destinations.is_empty());
    for destination in destinations {
        assert_eq!(destination, Destination::Name("localhost".to_owned(), 1));
    }
}

#[test]
fn socks5_proxy_is_given_address_of_job() {
    let destinations = destinations_of_a_job("socks5");
    assert!(!destinations.is_empty());
    for destination in destinations {
        let Destination::Address(address) = &destination else {
            panic!("{destination:?} is not resolved");
        };
        assert!(address.ip().is_loopback(), "{destination:?}");
        assert_eq!(address.port(), 1, "{destination:?}");
    }
}

/// The destination is unreachable, so the request was not sent, and a create without a transaction id is retried too.
#[test]
fn socks_proxy_that_refuses_counts_as_not_sent() {
    let proxy = SocksProxy::start(None);
    let client = client(proxy.url("socks5h"), "llx-key");
    let rules = [v1::Rule::new("invoice", "has an invoice number")];
    let create = v1::CreateJob::new(["dfl-1"], rules);
    let error = client.call(create).expect_err("no connection");
    assert!(!error.is_ambiguous(), "{error}");
    assert_eq!(error.attempts(), 6, "{error}");
    assert_eq!(proxy.destinations().len(), 6);
}
