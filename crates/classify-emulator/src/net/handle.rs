//! One request from its head to its reply: journal, fault, key, limits, body, handler, and the fault again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue,
};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use serde_json::Value;

use super::body::{self, ReplyBody};
use super::socket::Wire;
use super::spoil;
use crate::api;
use crate::ask::{Ask, promised};
use crate::check::Query;
use crate::fault::Fault;
use crate::journal::Recorded;
use crate::reply::{Answer, Content, Refusal, Reply};
use crate::route::Route;
use crate::world::World;

/// The connection is to end without a reply.
#[derive(Debug)]
pub(super) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fault broke the connection")
    }
}

impl std::error::Error for Broken {}

/// What the journal keeps of a JSON body.
const JOURNALED_BODY: usize = 16 * 1024;

pub(super) async fn answer(
    world: Arc<World>,
    wire: Wire,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Broken> {
    wire.serve();
    let (head, mut body) = request.into_parts();
    let (route, id) = Route::find(&head.method, head.uri.path());
    let mut ask = Ask {
        route,
        path: head.uri.path().to_owned(),
        id: id.unwrap_or_default(),
        query: Query::parse(head.uri.query().unwrap_or_default()),
        headers: head.headers,
        body: Bytes::new(),
        fault: None,
    };
    if route == Route::Control {
        let reply = match read_body(&world, &ask.headers, &mut body).await {
            Ok(bytes) => {
                ask.body = bytes;
                api::control::act(&world, &head.method, &ask).await
            }
            Err(refusal) => Err(refusal),
        };
        drain_aside(body);
        return Ok(whole(reply.unwrap_or_else(Reply::from)));
    }
    let fault = world.faults().strike(route);
    ask.fault = fault;
    let number = world.journal().open(record(&head.method, &ask));
    match fault {
        Some(Fault::ResetBefore) => return Err(reset(&wire)),
        Some(Fault::CloseBefore) => {
            // The kernel turns a close into a reset if there is something that nobody has read.
            drain(body).await;
            return Err(Broken);
        }
        Some(Fault::HangBefore) => hang(&mut body).await,
        _ => {}
    }
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let reply = if let Some(reply) = fault.and_then(|fault| spoil::instead(&world, fault, target)) {
        reply
    } else {
        let answer = act(&world, &mut ask, &mut body, number).await;
        answer.unwrap_or_else(Reply::from)
    };
    match fault {
        Some(Fault::ResetAfter) => return Err(reset(&wire)),
        Some(Fault::CloseAfter) => {
            drain(body).await;
            return Err(Broken);
        }
        Some(Fault::HangAfter) => hang(&mut body).await,
        _ => {}
    }
    drain_aside(body);
    let fault = fault.filter(|fault| {
        let matters = spoil::matters(*fault, &reply);
        if !matters {
            world.journal().withdraw(number, *fault);
        }
        matters
    });
    let reply = match fault {
        Some(fault) => spoil::changed(fault, reply),
        None => reply,
    };
    world
        .journal()
        .settle(number, |record| record.status = Some(reply.status.as_u16()));
    Ok(match fault {
        Some(fault) => on_the_wire(&world, &wire, fault, reply),
        None => whole(reply),
    })
}

/// The key, the limits, the body, and then the handler.
async fn act(world: &Arc<World>, ask: &mut Ask, body: &mut Incoming, number: u64) -> Answer {
    if matches!(ask.route, Route::Unknown | Route::WrongMethod) {
        return api::act(world, ask);
    }
    authorize(world, &ask.headers)?;
    world
        .limiter()
        .admit(ask.route, world.now())
        .map_err(|text| Refusal::Detail(StatusCode::TOO_MANY_REQUESTS, text.to_owned()))?;
    if ask.route == Route::FileCreate {
        return api::upload::create(world, ask, body).await;
    }
    ask.body = read_body(world, &ask.headers, body).await?;
    if ask.body.len() <= JOURNALED_BODY
        && let Ok(json) = serde_json::from_slice::<Value>(&ask.body)
    {
        world
            .journal()
            .settle(number, |record| record.body = Some(json));
    }
    api::act(world, ask)
}

fn authorize(world: &World, headers: &HeaderMap) -> Result<(), Refusal> {
    let refuse = |text: &str| Err(Refusal::Detail(StatusCode::UNAUTHORIZED, text.to_owned()));
    let Some(value) = headers.get(AUTHORIZATION) else {
        return refuse("No API key: send it as Authorization: Bearer <key>");
    };
    let text = value.to_str().unwrap_or_default();
    let (scheme, key) = text.split_once(' ').unwrap_or((text, ""));
    let key = key.trim();
    let known = &world.config.keys;
    if !scheme.eq_ignore_ascii_case("bearer")
        || key.is_empty()
        || !(known.is_empty() || known.iter().any(|k| k == key))
    {
        return refuse("Invalid API key");
    }
    Ok(())
}

async fn read_body(
    world: &World,
    headers: &HeaderMap,
    body: &mut Incoming,
) -> Result<Bytes, Refusal> {
    let limit = world.config.body_limit;
    let too_large = || {
        Refusal::Detail(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than {limit} bytes"),
        )
    };
    if promised(headers).is_some_and(|promised| promised > limit as u64) {
        return Err(too_large());
    }
    let read = async {
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                Refusal::bad_request(format!("the body cannot be read: {error}"))
            })?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if bytes.len() + data.len() > limit {
                return Err(too_large());
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Bytes::from(bytes))
    };
    // For all of it: a body of this kind is small, and a byte now and then would keep a connection for ever.
    let read = tokio::time::timeout(world.config.patience, read).await;
    read.unwrap_or_else(|_| {
        let text = "the body has not come in time".to_owned();
        Err(Refusal::Detail(StatusCode::REQUEST_TIMEOUT, text))
    })
}

/// Reads on what a client still sends after it has been refused, so that it sees the refusal and not a reset
/// connection; within bounds, so that no client can keep the server busy for nothing.
async fn drain(mut body: Incoming) {
    const MOST: u64 = 2 * 1024 * 1024 * 1024;
    const PAUSE: Duration = Duration::from_secs(1);
    let mut left = MOST;
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(PAUSE, body.frame()).await {
        let length = frame.into_data().map_or(0, |data| data.len() as u64);
        match left.checked_sub(length) {
            Some(less) => left = less,
            None => return,
        }
    }
}

/// The same beside the answer: a client that looks up from a large upload can stop, and one that does not look up before
/// it has sent everything gets to do so.
fn drain_aside(body: Incoming) {
    if !body.is_end_stream() {
        tokio::spawn(drain(body));
    }
}

fn record(method: &http::Method, ask: &Ask) -> Recorded {
    let headers = ask.headers.iter().map(|(name, value)| {
        let hidden = name == AUTHORIZATION;
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (
            name.as_str().to_owned(),
            if hidden { "(hidden)".to_owned() } else { text },
        )
    });
    Recorded {
        number: 0,
        method: method.as_str().to_owned(),
        path: ask.path.clone(),
        query: ask.query.0.clone(),
        route: ask.route,
        headers: headers.collect(),
        authorized: ask.headers.contains_key(AUTHORIZATION),
        body: None,
        status: None,
        fault: ask.fault,
    }
}

fn reset(wire: &Wire) -> Broken {
    wire.reset();
    Broken
}

/// Never returns: the connection ends with the client or with the emulator. It reads on meanwhile: that the client has
/// gone is seen only behind everything that it has sent.
async fn hang(body: &mut Incoming) {
    while let Some(Ok(_)) = body.frame().await {}
    std::future::pending::<()>().await;
}

fn bytes_of(content: Content) -> (Option<&'static str>, Bytes) {
    match content {
        Content::Empty | Content::File { .. } => (None, Bytes::new()),
        Content::Json(value) => (Some("application/json"), Bytes::from(value.to_string())),
        Content::Bytes { mime, bytes } => (Some(mime), bytes),
    }
}

fn headed(
    status: StatusCode,
    headers: &[(&'static str, String)],
    mime: Option<&str>,
    body: ReplyBody,
) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let pairs = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .chain(mime.map(|m| (CONTENT_TYPE.as_str(), m)));
    for (name, value) in pairs {
        // A value that is none for a header (a redirect to a strange URL) is left out.
        if let (Ok(name), Ok(value)) = (
            http::HeaderName::try_from(name),
            HeaderValue::try_from(value),
        ) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn whole(reply: Reply) -> Response<ReplyBody> {
    if let Content::File { path, length } = reply.content {
        let mut response = headed(
            reply.status,
            &reply.headers,
            Some("application/octet-stream"),
            body::from_disk(path),
        );
        response
            .headers_mut()
            .insert(CONTENT_LENGTH, HeaderValue::from(length));
        return response;
    }
    let (mime, bytes) = bytes_of(reply.content);
    headed(reply.status, &reply.headers, mime, body::whole(bytes))
}

/// The faults between a true reply and the client.
fn on_the_wire(world: &World, wire: &Wire, fault: Fault, reply: Reply) -> Response<ReplyBody> {
    if !matches!(
        fault,
        Fault::BodyCut | Fault::WrongLength | Fault::SlowDrip | Fault::Gzip
    ) {
        return whole(reply);
    }
    let Reply {
        status,
        headers,
        content,
    } = reply;
    let (mime, bytes) = bytes_of(content);
    let length = bytes.len();
    if length == 0 {
        return headed(status, &headers, mime, body::whole(bytes));
    }
    let with_length = |body, length: usize| {
        let mut response = headed(status, &headers, mime, body);
        response
            .headers_mut()
            .insert(CONTENT_LENGTH, HeaderValue::from(length));
        response
    };
    match fault {
        Fault::BodyCut => with_length(body::cut(bytes.slice(..length / 2)), length),
        Fault::WrongLength => {
            let short = length - length.min(7);
            wire.send_behind(bytes.slice(short..));
            let mut response = with_length(body::whole(bytes.slice(..short)), short);
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
            response
        }
        Fault::SlowDrip => with_length(body::dripping(bytes, world.config.drip), length),
        _ => {
            let mut response = headed(status, &headers, mime, body::whole(zipped(&bytes)));
            response
                .headers_mut()
                .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            response
        }
    }
}

fn zipped(bytes: &[u8]) -> Bytes {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing into memory does not fail.
    let _ = encoder.write_all(bytes);
    Bytes::from(encoder.finish().unwrap_or_default())
}
