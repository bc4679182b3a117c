//! libcurl as a blocking transport: its own TLS (here OpenSSL's), proxies and SOCKS.

use std::cell::Cell;
use std::io::Read as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use classify_client::blocking::{DefaultTransport, Transport};
use classify_client::classify_proto::http::{self, HeaderName, HeaderValue, Method, StatusCode};
use classify_client::classify_proto::{Bytes, Error, Failure, Proxy, Reply, TransportLimits};
use classify_client::{Budget, RequestBody};
use curl::easy::{Easy, InfoType, List, ReadError};

/// Sends requests through libcurl. Idle handles keep their connections.
#[derive(Debug, Default)]
pub struct Curl {
    idle: Mutex<Vec<Easy>>,
    proxy: Option<String>,
    /// The proxy of the environment, which errors name.
    named_proxy: Option<Proxy>,
}

impl Curl {
    /// Uses a proxy of any kind that libcurl supports, such as `socks5h://127.0.0.1:9050`. Without a proxy, requests go
    /// directly to the service; libcurl's own look-up of environment variables is off.
    #[must_use]
    pub fn with_proxy(proxy: impl Into<String>) -> Self {
        Self {
            idle: Mutex::default(),
            proxy: Some(proxy.into()),
            named_proxy: None,
        }
    }
}

impl DefaultTransport for Curl {
    fn build(_: &TransportLimits, proxy: Option<&Proxy>) -> Result<Self, Error> {
        Ok(proxy.map_or_else(Self::default, |proxy| Self {
            named_proxy: Some(proxy.clone()),
            ..Self::with_proxy(proxy.url())
        }))
    }
}

impl Transport for Curl {
    fn send(&self, request: http::Request<RequestBody>, budget: Budget) -> Reply {
        let lock = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = lock().pop();
        let mut easy = idle.unwrap_or_else(Easy::new);
        let reply = exchange(&mut easy, self.proxy.as_deref(), request, budget);
        let reply = reply.map_err(|failure| match &self.named_proxy {
            Some(proxy) => failure.through(proxy),
            None => failure,
        });
        // Keeps the connections and forgets the settings.
        easy.reset();
        lock().push(easy);
        reply
    }
}

fn exchange(
    easy: &mut Easy,
    proxy: Option<&str>,
    request: http::Request<RequestBody>,
    budget: Budget,
) -> Reply {
    let (parts, mut body) = request.into_parts();
    prepare(easy, proxy, &parts, &body, budget).map_err(|error| failure(&error, true))?;
    let state = body.state();
    let (sent, answered) = (Cell::new(false), Cell::new(false));
    let (mut head, mut bytes) = (http::Response::new(()), Vec::new());
    let (mut sent_at, mut late, mut too_large) = (None, false, false);
    let result = {
        let mut transfer = easy.transfer();
        let configured = transfer
            .read_function(|buffer| body.read(buffer).map_err(|_| ReadError::Abort))
            .and_then(|()| {
                transfer.header_function(|line| {
                    answered.set(true);
                    read_header(&mut head, line);
                    true
                })
            })
            .and_then(|()| {
                transfer.write_function(|part| {
                    too_large = (bytes.len() + part.len()) as u64 > budget.response_bytes;
                    if too_large {
                        return Ok(0);
                    }
                    bytes.extend_from_slice(part);
                    Ok(part.len())
                })
            })
            .and_then(|()| {
                transfer.debug_function(|kind, data| {
                    let is_request = matches!(kind, InfoType::HeaderOut);
                    if is_request && !data.starts_with(b"CONNECT ") {
                        sent.set(true);
                    }
                })
            })
            // libcurl has no limit for the head of a response; this is called at least once a second.
            .and_then(|()| {
                transfer.progress_function(|_, _, _, _| {
                    if !answered.get() && state.is_ended() {
                        let sent_at = *sent_at.get_or_insert_with(Instant::now);
                        late = sent_at.elapsed() > budget.response;
                    }
                    !late
                })
            });
        configured.and_then(|()| transfer.perform())
    };
    match result {
        Err(_) if too_large => Err(Failure::too_large(budget.response_bytes)),
        Err(_) if late => Err(Failure::timeout("no response in time")),
        Err(error) => Err(match easy.http_connectcode() {
            // The proxy's answer to CONNECT.
            Ok(status @ 300..600) if !sent.get() => {
                Failure::proxy_refused(u16::try_from(status).unwrap_or_default())
            }
            _ => failure(&error, !sent.get()),
        }),
        Ok(()) => Ok(head.map(|()| Bytes::from(bytes))),
    }
}

fn prepare(
    easy: &mut Easy,
    proxy: Option<&str>,
    parts: &http::request::Parts,
    body: &RequestBody,
    budget: Budget,
) -> Result<(), curl::Error> {
    let mut headers = List::new();
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        headers.append(&format!("{name}: {value}"))?;
    }
    easy.url(&parts.uri.to_string())?;
    if parts.method == Method::POST || !body.is_empty() {
        easy.post(true)?;
        easy.post_field_size(body.length())?;
        if !parts.headers.contains_key(http::header::CONTENT_TYPE) {
            // libcurl would announce a form.
            headers.append("content-type:")?;
        }
    }
    if parts.method != Method::GET && body.is_empty() {
        // libcurl repeats a request by itself if a kept connection turns out to be closed. The client must know of every
        // attempt of a cancel or a delete, so that these go over a new connection. libcurl cannot repeat a request with a
        // body, since it cannot read the body again.
        easy.fresh_connect(true)?;
    }
    easy.custom_request(parts.method.as_str())?;
    easy.http_headers(headers)?;
    easy.accept_encoding("gzip")?;
    // An empty string means none, whatever the environment says.
    easy.proxy(proxy.unwrap_or_default())?;
    easy.noproxy("")?;
    // Enables the calls that report progress and what was sent.
    easy.progress(true)?;
    easy.verbose(true)?;
    // libcurl counts milliseconds in 32 bits.
    let longest = Duration::from_hours(24 * 24);
    easy.connect_timeout(budget.connect.min(longest))?;
    easy.timeout(budget.total.min(longest))
}

/// Reads a line of the head of a response. Each status line begins another: of a proxy, an interim one, the final one.
fn read_header(head: &mut http::Response<()>, line: &[u8]) {
    if line.starts_with(b"HTTP/") {
        let status = line.split(|byte| *byte == b' ').nth(1);
        *head = http::Response::new(());
        if let Some(Ok(status)) = status.map(StatusCode::from_bytes) {
            *head.status_mut() = status;
        }
    } else if let Some(colon) = line.iter().position(|byte| *byte == b':') {
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let name = HeaderName::from_bytes(name);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            head.headers_mut().append(name, value);
        }
    }
}

/// Returns what libcurl's error means, and whether anything was sent.
fn failure(error: &curl::Error, not_sent: bool) -> Failure {
    let message = error.to_string();
    let failure = if error.is_operation_timedout() {
        Failure::timeout(message)
    } else if error.is_peer_failed_verification() || error.is_ssl_cacert() {
        // The same certificate comes at every attempt.
        return Failure::refused(message).attempted(true);
    } else if error.is_url_malformed() || error.is_unsupported_protocol() {
        return Failure::refused(message);
    } else if not_sent {
        return Failure::connect(message);
    } else {
        Failure::broken(message)
    };
    if not_sent {
        failure.before_sending()
    } else {
        failure
    }
}
