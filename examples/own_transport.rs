//! A transport of your own: a plain `TcpStream` under the blocking client, with no HTTP library.
//!
//! `cargo run -p classify-examples --bin own_transport -- --emulator [DOCUMENT]`
//!
//! It supports only plain http. Without `--emulator`, set a base URL on this machine in `LLAMA_CLOUD_BASE_URL`, and a
//! key in `LLAMA_CLOUD_API_KEY`. A transport for production needs TLS and reuses connections.

use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use classify_client::blocking::{Client, Transport};
use classify_client::{Budget, Document, RequestBody, api_from_env};
use classify_proto::http::{self, HeaderName, HeaderValue, Method};
use classify_proto::v2::{Configuration, Outcome, Rule};
use classify_proto::{Api, Bytes, Failure, Reply};

const DOCUMENT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/documents/2025/invoice-1047.pdf"
);

/// The maximum length of a response head in bytes.
const MAX_HEAD: u64 = 64 * 1024;

/// A socket rejects a timeout of zero.
const MIN_TIMEOUT: Duration = Duration::from_millis(1);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let emulated = arguments.first().is_some_and(|first| first == "--emulator");
    if emulated {
        arguments.remove(0);
    }
    let path = arguments.pop().unwrap_or_else(|| DOCUMENT.to_owned());

    // The emulator stops when it is dropped, so it is kept until the end.
    let (api, _emulator) = if emulated {
        let emulator = classify_emulator::Emulator::start(classify_emulator::Config::default())?;
        let api = Api::builder(emulator.key()).base_url(emulator.base_url());
        (api.build()?, Some(emulator))
    } else {
        (api_from_env()?, None)
    };

    let rules = Configuration::new([
        Rule::new(
            "invoice",
            "has an invoice number, line items and a total amount due",
        ),
        Rule::new(
            "contract",
            "an agreement that two parties sign, such as a lease",
        ),
    ]);

    let client = Client::with_transport(Tcp, api);
    let job = client.classify(Document::open(path)?, rules)?;
    eprintln!("job {}", job.id);

    match job.outcome() {
        Outcome::Matched {
            r#type,
            confidence,
            reasoning,
        } => {
            println!("type:       {type}");
            println!(
                "confidence: {}",
                confidence.map_or_else(String::new, |c| c.to_string())
            );
            println!("reason:     {}", reasoning.unwrap_or_default());
        }
        other => println!("{other:?}"),
    }
    Ok(())
}

/// A transport that opens a connection for each request.
struct Tcp;

impl Transport for Tcp {
    fn send(&self, request: http::Request<RequestBody>, budget: Budget) -> Reply {
        let (parts, body) = request.into_parts();
        let (Some("http"), Some(authority)) = (parts.uri.scheme_str(), parts.uri.authority())
        else {
            return Err(Failure::refused("this transport supports only plain http"));
        };
        let mut stream = connect(authority, budget.connect)
            // Only an error of connecting proves that nothing was sent.
            .map_err(|error| Failure::connect(error.to_string()).with_io_kind(error.kind()))?;
        let response =
            exchange(&mut stream, &parts, body, budget).map_err(|error| match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                    Failure::timeout(format!("no complete response within {:?}", budget.total))
                }
                kind => Failure::broken(error.to_string()).with_io_kind(kind),
            })?;
        if response.len() as u64 > max_length(budget) {
            return Err(Failure::too_large(budget.response_bytes));
        }
        // The client checks the size of the body.
        parse(&response)
            .ok_or_else(|| Failure::broken("the response is not a complete HTTP response"))
    }
}

/// Returns a connection to the first address that accepts one.
fn connect(authority: &http::uri::Authority, timeout: Duration) -> io::Result<TcpStream> {
    let port = authority.port_u16().unwrap_or(80);
    let mut result = Err(io::Error::other("the host has no address"));
    for address in (host_of(authority), port).to_socket_addrs()? {
        result = TcpStream::connect_timeout(&address, timeout.max(MIN_TIMEOUT));
        if result.is_ok() {
            break;
        }
    }
    result
}

/// Returns the host without the brackets of an IPv6 address.
fn host_of(authority: &http::uri::Authority) -> &str {
    let host = authority.host();
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

/// Sends a request with HTTP/1.0 and returns its response, which ends when the connection is closed.
fn exchange(
    stream: &mut TcpStream,
    parts: &http::request::Parts,
    mut body: RequestBody,
    budget: Budget,
) -> io::Result<Vec<u8>> {
    let target = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut head = format!("{} {target} HTTP/1.0\r\n", parts.method).into_bytes();
    if let Some(authority) = parts.uri.authority() {
        head.extend(format!("host: {authority}\r\n").bytes());
    }
    for (name, value) in &parts.headers {
        head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    if parts.method == Method::POST || !body.is_empty() {
        head.extend(format!("content-length: {}\r\n", body.length()).bytes());
    }
    let deadline = Instant::now() + budget.total;
    stream.set_write_timeout(Some(budget.total.max(MIN_TIMEOUT)))?;
    stream.write_all(&[&head, &b"\r\n"[..]].concat())?;
    io::copy(&mut body, stream)?;

    let (mut response, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    while response.len() as u64 <= max_length(budget) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left.min(budget.response).max(MIN_TIMEOUT)))?;
        match stream.read(&mut buffer)? {
            0 => break,
            read => response.extend_from_slice(&buffer[..read]),
        }
    }
    Ok(response)
}

/// Returns the maximum length of a response with its head.
fn max_length(budget: Budget) -> u64 {
    budget.response_bytes.saturating_add(MAX_HEAD)
}

fn parse(bytes: &[u8]) -> Option<http::Response<Bytes>> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = (std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 4..]);
    let mut lines = head.lines();
    let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut response = http::Response::new(Bytes::copy_from_slice(body));
    *response.status_mut() = http::StatusCode::from_u16(status).ok()?;
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let name: HeaderName = name.parse().ok()?;
        response
            .headers_mut()
            .append(name, HeaderValue::from_str(value.trim()).ok()?);
    }
    // A truncated response must not count as a response.
    let announced = response.headers().get(http::header::CONTENT_LENGTH);
    let whole =
        announced.is_none_or(|length| length.as_bytes() == body.len().to_string().as_bytes());
    whole.then_some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_of_ipv6_address_has_no_brackets() {
        for (authority, host) in [
            ("[::1]:8080", "::1"),
            ("127.0.0.1:8080", "127.0.0.1"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(host_of(&authority.parse().expect("an authority")), host);
        }
    }
}
