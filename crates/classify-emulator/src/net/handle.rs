//! Handles a request: log, fault, key, limits, body, handler, and the fault again.

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
use super::fault_effects;
use super::socket::SocketControl;
use crate::api;
use crate::fault::Fault;
use crate::query::Query;
use crate::reply::{ApiError, Content, HandlerResult, Reply};
use crate::request_context::{RequestContext, content_length};
use crate::request_log::LoggedRequest;
use crate::route::Route;
use crate::shared_state::SharedState;

/// The connection ends without a reply.
#[derive(Debug)]
pub(super) struct ConnectionAborted;

impl fmt::Display for ConnectionAborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fault broke the connection")
    }
}

impl std::error::Error for ConnectionAborted {}

/// Maximum size of a JSON body in the request log.
const MAX_LOGGED_BODY: usize = 16 * 1024;

pub(super) async fn handle_request(
    shared: Arc<SharedState>,
    control: SocketControl,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, ConnectionAborted> {
    control.mark_served();
    let (head, mut body) = request.into_parts();
    let (route, id) = Route::resolve(&head.method, head.uri.path());
    let mut context = RequestContext {
        route,
        path: head.uri.path().to_owned(),
        id: id.unwrap_or_default(),
        query: Query::parse(head.uri.query().unwrap_or_default()),
        headers: head.headers,
        body: Bytes::new(),
        fault: None,
    };
    if route == Route::Control {
        let reply = match read_body(&shared, &context.headers, &mut body).await {
            Ok(bytes) => {
                context.body = bytes;
                api::control::dispatch(&shared, &head.method, &context).await
            }
            Err(refusal) => Err(refusal),
        };
        drain_in_background(body);
        return Ok(full_response(reply.unwrap_or_else(Reply::from)));
    }
    let fault = shared.faults().next_fault(route);
    context.fault = fault;
    let number = shared
        .request_log()
        .record(log_entry(&head.method, &context));
    match fault {
        Some(Fault::ResetBefore) => return Err(reset(&control)),
        Some(Fault::CloseBefore) => {
            // If unread data is left, the kernel turns a close into a reset.
            drain(body).await;
            return Err(ConnectionAborted);
        }
        Some(Fault::HangBefore) => hang(&mut body).await,
        _ => {}
    }
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let reply = if let Some(reply) =
        fault.and_then(|fault| fault_effects::replacement(&shared, fault, target))
    {
        reply
    } else {
        let result = dispatch(&shared, &mut context, &mut body, number).await;
        result.unwrap_or_else(Reply::from)
    };
    match fault {
        Some(Fault::ResetAfter) => return Err(reset(&control)),
        Some(Fault::CloseAfter) => {
            drain(body).await;
            return Err(ConnectionAborted);
        }
        Some(Fault::HangAfter) => hang(&mut body).await,
        _ => {}
    }
    drain_in_background(body);
    let fault = fault.filter(|fault| {
        let has_effect = fault_effects::has_effect(*fault, &reply);
        if !has_effect {
            shared.request_log().retract_fault(number, *fault);
        }
        has_effect
    });
    let reply = match fault {
        Some(fault) => fault_effects::altered(fault, reply),
        None => reply,
    };
    shared
        .request_log()
        .update(number, |entry| entry.status = Some(reply.status.as_u16()));
    Ok(match fault {
        Some(fault) => wire_fault_response(&shared, &control, fault, reply),
        None => full_response(reply),
    })
}

/// Checks the key, the limits and the body, and calls the handler.
async fn dispatch(
    shared: &Arc<SharedState>,
    context: &mut RequestContext,
    body: &mut Incoming,
    number: u64,
) -> HandlerResult {
    if matches!(context.route, Route::Unknown | Route::WrongMethod) {
        return api::dispatch(shared, context);
    }
    authorize(shared, &context.headers)?;
    shared
        .limiter()
        .admit(context.route, shared.now())
        .map_err(|text| ApiError::Detail(StatusCode::TOO_MANY_REQUESTS, text.to_owned()))?;
    if context.route == Route::FileCreate {
        return api::upload::create(shared, context, body).await;
    }
    context.body = read_body(shared, &context.headers, body).await?;
    if context.body.len() <= MAX_LOGGED_BODY
        && let Ok(json) = serde_json::from_slice::<Value>(&context.body)
    {
        shared
            .request_log()
            .update(number, |entry| entry.body = Some(json));
    }
    api::dispatch(shared, context)
}

fn authorize(shared: &SharedState, headers: &HeaderMap) -> Result<(), ApiError> {
    let unauthorized =
        |text: &str| Err(ApiError::Detail(StatusCode::UNAUTHORIZED, text.to_owned()));
    let Some(value) = headers.get(AUTHORIZATION) else {
        return unauthorized("No API key: send it as Authorization: Bearer <key>");
    };
    let text = value.to_str().unwrap_or_default();
    let (scheme, key) = text.split_once(' ').unwrap_or((text, ""));
    let key = key.trim();
    let keys = &shared.config.keys;
    if !scheme.eq_ignore_ascii_case("bearer")
        || key.is_empty()
        || !(keys.is_empty() || keys.iter().any(|k| k == key))
    {
        return unauthorized("Invalid API key");
    }
    Ok(())
}

async fn read_body(
    shared: &SharedState,
    headers: &HeaderMap,
    body: &mut Incoming,
) -> Result<Bytes, ApiError> {
    let limit = shared.config.body_limit;
    let too_large = || {
        ApiError::Detail(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than {limit} bytes"),
        )
    };
    if content_length(headers).is_some_and(|content_length| content_length > limit as u64) {
        return Err(too_large());
    }
    let result = async {
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                ApiError::bad_request(format!("the body cannot be read: {error}"))
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
    // For the whole body: it is small, and single bytes could otherwise keep the connection open for ever.
    let result = tokio::time::timeout(shared.config.read_timeout, result).await;
    result.unwrap_or_else(|_| {
        let text = "the body did not arrive in time".to_owned();
        Err(ApiError::Detail(StatusCode::REQUEST_TIMEOUT, text))
    })
}

/// Reads remaining data that a client sends after an error response, so that it sees the response and not a reset
/// connection; limited, so that a client cannot keep the server busy.
async fn drain(mut body: Incoming) {
    const MAX_BYTES: u64 = 2 * 1024 * 1024 * 1024;
    const IDLE_TIMEOUT: Duration = Duration::from_secs(1);
    let mut remaining = MAX_BYTES;
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(IDLE_TIMEOUT, body.frame()).await {
        let length = frame.into_data().map_or(0, |data| data.len() as u64);
        match remaining.checked_sub(length) {
            Some(rest) => remaining = rest,
            None => return,
        }
    }
}

/// The same in the background, while the response is sent: a client that reads during a large upload can stop, and one
/// that reads only after sending everything can do so.
fn drain_in_background(body: Incoming) {
    if !body.is_end_stream() {
        tokio::spawn(drain(body));
    }
}

fn log_entry(method: &http::Method, context: &RequestContext) -> LoggedRequest {
    let headers = context.headers.iter().map(|(name, value)| {
        let is_secret = name == AUTHORIZATION;
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (
            name.as_str().to_owned(),
            if is_secret {
                "(hidden)".to_owned()
            } else {
                text
            },
        )
    });
    LoggedRequest {
        number: 0,
        method: method.as_str().to_owned(),
        path: context.path.clone(),
        query: context.query.0.clone(),
        route: context.route,
        headers: headers.collect(),
        authorized: context.headers.contains_key(AUTHORIZATION),
        body: None,
        status: None,
        fault: context.fault,
    }
}

fn reset(control: &SocketControl) -> ConnectionAborted {
    control.reset();
    ConnectionAborted
}

/// Never returns: the connection ends with the client or the emulator. Meanwhile it reads, because the end of a
/// connection is only seen after all of its data.
async fn hang(body: &mut Incoming) {
    while let Some(Ok(_)) = body.frame().await {}
    std::future::pending::<()>().await;
}

fn body_bytes(content: Content) -> (Option<&'static str>, Bytes) {
    match content {
        Content::Empty | Content::File { .. } => (None, Bytes::new()),
        Content::Json(value) => (Some("application/json"), Bytes::from(value.to_string())),
        Content::Bytes { mime, bytes } => (Some(mime), bytes),
    }
}

fn response_with(
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
        // A value that is not valid in a header, such as a redirect to a strange URL, is omitted.
        if let (Ok(name), Ok(value)) = (
            http::HeaderName::try_from(name),
            HeaderValue::try_from(value),
        ) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn full_response(reply: Reply) -> Response<ReplyBody> {
    if let Content::File { path, length } = reply.content {
        let mut response = response_with(
            reply.status,
            &reply.headers,
            Some("application/octet-stream"),
            body::file(path),
        );
        response
            .headers_mut()
            .insert(CONTENT_LENGTH, HeaderValue::from(length));
        return response;
    }
    let (mime, bytes) = body_bytes(reply.content);
    response_with(reply.status, &reply.headers, mime, body::full(bytes))
}

/// Applies the faults that change the response on the wire.
fn wire_fault_response(
    shared: &SharedState,
    control: &SocketControl,
    fault: Fault,
    reply: Reply,
) -> Response<ReplyBody> {
    if !matches!(
        fault,
        Fault::BodyCut | Fault::WrongLength | Fault::SlowDrip | Fault::Gzip
    ) {
        return full_response(reply);
    }
    let Reply {
        status,
        headers,
        content,
    } = reply;
    let (mime, bytes) = body_bytes(content);
    let length = bytes.len();
    if length == 0 {
        return response_with(status, &headers, mime, body::full(bytes));
    }
    let with_length = |body, length: usize| {
        let mut response = response_with(status, &headers, mime, body);
        response
            .headers_mut()
            .insert(CONTENT_LENGTH, HeaderValue::from(length));
        response
    };
    match fault {
        Fault::BodyCut => with_length(body::truncated(bytes.slice(..length / 2)), length),
        Fault::WrongLength => {
            let short = length - length.min(7);
            control.send_after_reply(bytes.slice(short..));
            let mut response = with_length(body::full(bytes.slice(..short)), short);
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
            response
        }
        Fault::SlowDrip => with_length(body::slow(bytes, shared.config.drip_interval), length),
        _ => {
            let mut response = response_with(status, &headers, mime, body::full(gzip(&bytes)));
            response
                .headers_mut()
                .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            response
        }
    }
}

fn gzip(bytes: &[u8]) -> Bytes {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing into memory does not fail.
    let _ = encoder.write_all(bytes);
    Bytes::from(encoder.finish().unwrap_or_default())
}
