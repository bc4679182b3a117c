//! The core without a driver: its run loop over a plain `TcpStream`, with no HTTP client.
//!
//! `cargo run -p classify-examples --bin own_transport -- --emulator [DOCUMENT]`
//!
//! It speaks plain http, so without `--emulator` it needs a base URL on this machine in `LLAMA_CLOUD_BASE_URL`, and a
//! key in `LLAMA_CLOUD_API_KEY`. A real transport has TLS, keeps connections, and limits what it reads.

use std::error::Error;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use classify_proto::files::UploadFile;
use classify_proto::http::{self, HeaderName, HeaderValue, Method};
use classify_proto::machine::{Context, Machine, Run, RunEvent, Step};
use classify_proto::v2::{Configuration, CreateJob, Outcome, Rule};
use classify_proto::{Api, Body, Bytes, Content, Failure, Reply, Seed, Time};

const DOCUMENT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/documents/2025/invoice-1047.pdf"
);

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
        let api = Api::from_lookup(|name| std::env::var(name).ok());
        (api.build()?, None)
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
    let create = CreateJob::new("").configuration(rules);
    let mut run = Run::upload(UploadFile::path(path)?, create, seed());

    // The whole of a driver: poll; send, wait, tell or stop; and again.
    let clock = Clock::start();
    let job = loop {
        match run.poll(Context::new(&api, clock.now())) {
            Step::Send(ticket, request) => {
                let reply = send(&request);
                run.handle(Context::new(&api, clock.now()), ticket, reply);
            }
            Step::Wait(Some(until)) => std::thread::sleep(until.since(clock.now())),
            Step::Wait(None) => unreachable!("no request is out when the loop comes round"),
            Step::Event(RunEvent::Created(job)) => eprintln!("{} was created", job.id),
            Step::Event(_) => {}
            Step::Done(result) => break result?,
        }
    };

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

/// One request on a connection of its own. Says of every failure whether the service may have acted.
fn send(request: &http::Request<Body>) -> Reply {
    let (Some("http"), Some(authority)) = (request.uri().scheme_str(), request.uri().authority())
    else {
        return Err(Failure::refused("this transport speaks plain http only"));
    };
    let body = content(request.body())?;
    let port = authority.port_u16().unwrap_or(80);
    let mut stream = TcpStream::connect((host_of(authority), port))
        .map_err(|error| Failure::connect(error.to_string()))?;
    exchange(&mut stream, request, &body).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            Failure::timeout("no answer within a minute")
        }
        _ => Failure::broken(error.to_string()),
    })
}

/// The host as a socket takes it: an IPv6 address stands in brackets in a URL, and without them everywhere else.
fn host_of(authority: &http::uri::Authority) -> &str {
    let host = authority.host();
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

/// The body in memory. A file is read anew for each attempt; a real transport would stream it.
fn content(body: &Body) -> Result<Bytes, Failure> {
    if let Some(bytes) = body.in_memory() {
        return Ok(bytes);
    }
    match body {
        Body::Multipart(multipart) => match &multipart.content {
            Content::Path(path) => {
                let document = std::fs::read(path)
                    .map_err(|error| Failure::content(format!("{}: {error}", path.display())))?;
                Ok([&multipart.head[..], &document, &multipart.tail]
                    .concat()
                    .into())
            }
            _ => Err(Failure::content("the document's content is not at hand")),
        },
        _ => Err(Failure::refused(
            "this transport does not know the body's kind",
        )),
    }
}

/// HTTP/1.0, where a response ends with its connection: that is all the framing there is.
fn exchange(
    stream: &mut TcpStream,
    request: &http::Request<Body>,
    body: &[u8],
) -> io::Result<http::Response<Bytes>> {
    let minute = Some(Duration::from_secs(60));
    stream.set_read_timeout(minute)?;
    stream.set_write_timeout(minute)?;

    let target = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let mut head = format!("{} {target} HTTP/1.0\r\n", request.method()).into_bytes();
    if let Some(authority) = request.uri().authority() {
        head.extend(format!("host: {authority}\r\n").bytes());
    }
    for (name, value) in request.headers() {
        head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    if request.method() == Method::POST {
        head.extend(format!("content-length: {}\r\n", body.len()).bytes());
    }
    stream.write_all(&[&head, &b"\r\n"[..], body].concat())?;

    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    parse(&answer).ok_or_else(|| io::Error::other("what came back is not a whole HTTP response"))
}

fn parse(answer: &[u8]) -> Option<http::Response<Bytes>> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = (
        std::str::from_utf8(&answer[..end]).ok()?,
        &answer[end + 4..],
    );
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
    // A connection that broke in the middle must not pass for an answer.
    let announced = response.headers().get(http::header::CONTENT_LENGTH);
    let whole =
        announced.is_none_or(|length| length.as_bytes() == body.len().to_string().as_bytes());
    whole.then_some(response)
}

/// The wall clock read once, and a monotonic clock from then on.
struct Clock {
    start: Time,
    started: Instant,
}

impl Clock {
    fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            start: Time::from_millis(0) + since.unwrap_or_default(),
            started: Instant::now(),
        }
    }

    fn now(&self) -> Time {
        self.start + self.started.elapsed()
    }
}

/// Sixteen bytes unlike any others. The standard library has no generator, but its hash maps are seeded by the system's.
fn seed() -> Seed {
    let half = || RandomState::new().build_hasher().finish().to_be_bytes();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&half());
    bytes[8..].copy_from_slice(&half());
    Seed::new(bytes)
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
