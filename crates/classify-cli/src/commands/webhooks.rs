//! `webhooks verify` and `webhooks listen`

use std::collections::{HashSet, VecDeque};
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use classify_proto::Secret;
use classify_proto::webhooks::{Event, SIGNATURE_HEADER, verify as verify_signature};
use tokio::sync::{mpsc, oneshot};

use crate::args::Global;
use crate::args::webhooks::{ListenArgs, Secrets, VerifyArgs};
use crate::console::Console;
use crate::exit::{Code, Problem};
use crate::output::values::{Expects, Shows, Values};
use crate::spec::Kind;

/// No delivery is larger.
const LARGEST: u64 = 2 * 1024 * 1024;
/// The secret, where no flag has one.
const SECRET: &str = "LLAMA_CLOUD_WEBHOOK_SECRET";
/// How long the last answers may take to be out of the door.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// How many events are remembered, so that a repetition is known.
const REMEMBERED: usize = 10_000;

/// Checks one delivery, and prints its event.
pub(crate) fn verify(args: &VerifyArgs, global: &Global) -> Result<(), Problem> {
    let secrets = secrets(&args.secrets)?;
    if secrets.is_empty() {
        return Err(Problem::usage(
            "there is no secret: set LLAMA_CLOUD_WEBHOOK_SECRET, or give --secret @FILE",
        ));
    }
    let body = body(args)?;
    verify_signature(&body, Some(args.signature.as_bytes()), &secrets).map_err(|reason| {
        Problem::new(
            Code::Unexpected,
            format!("the delivery is not to be trusted: {reason}"),
        )
        .hint("the signature covers the body's bytes as they came, and belongs to one secret")
    })?;
    let event = Event::parse(&body)?;
    let mut values = Values::open(global, None, Shows::Anything, Expects::One)?;
    values.take(&json(&event)?)?;
    values.finish()
}

fn json(event: &Event) -> Result<String, Problem> {
    serde_json::to_string(event).map_err(|error| {
        Problem::new(
            Code::Unexpected,
            format!("an event cannot be written: {error}"),
        )
    })
}

fn body(args: &VerifyArgs) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let read = match &args.file {
        Some(path) if path.as_os_str() != "-" => {
            std::fs::File::open(path).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes))
        }
        _ => std::io::stdin()
            .lock()
            .take(LARGEST)
            .read_to_end(&mut bytes),
    };
    read.map_err(|error| Problem::usage(format!("the body cannot be read: {error}")))?;
    Ok(bytes)
}

/// The secrets as given, or in the files that they name.
fn secrets(given: &Secrets) -> Result<Vec<Secret>, Problem> {
    if given.secret.is_empty() {
        // What the environment says is the secret itself: a program that set it may know of no `@`.
        let secret = std::env::var(SECRET).ok();
        let secret = secret.filter(|secret| !secret.is_empty());
        return Ok(secret.into_iter().map(Secret::new).collect());
    }
    let texts = given
        .secret
        .iter()
        .filter_map(Secret::expose_secret)
        .filter(|text| !text.is_empty());
    texts
        .map(|text| {
            let value = crate::spec::text::read("secret", Kind::Text, text)?;
            Ok(Secret::new(value.as_str().unwrap_or_default()))
        })
        .collect()
}

/// An event, and who waits for it to be printed. What is acknowledged is not sent again, so it is acknowledged no
/// sooner: an end that comes in between leaves it to the service's next attempt.
type Delivery = (Event, oneshot::Sender<()>);

/// What the receiver's requests share.
struct Receiver {
    secrets: Vec<Secret>,
    console: Console,
    events: mpsc::Sender<Delivery>,
}

/// Receives deliveries until it is told to stop, or has seen enough.
pub(crate) fn listen(args: &ListenArgs, global: &Global, console: Console) -> Result<(), Problem> {
    let secrets = secrets(&args.secrets)?;
    if secrets.is_empty() {
        console.warn("without a secret nothing is checked, and anybody can make up events");
    }
    let mut values = Values::open(global, None, Shows::Anything, Expects::Stream)?;
    let failed = |error: std::io::Error| {
        Problem::new(
            Code::Unexpected,
            format!("port {} on {} cannot be had: {error}", args.port, args.host),
        )
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    runtime.block_on(async {
        let address = SocketAddr::new(args.host, args.port);
        let listener = tokio::net::TcpListener::bind(address)
            .await
            .map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (events, mut heard) = mpsc::channel(64);
        let receiver = Arc::new(Receiver {
            secrets,
            console,
            events,
        });
        let limit = usize::try_from(LARGEST).unwrap_or(usize::MAX);
        let routes = Router::new()
            .fallback(post(receive))
            .layer(DefaultBodyLimit::max(limit))
            .with_state(receiver);
        let (end, ended) = oneshot::channel::<()>();
        let server = axum::serve(listener, routes).with_graceful_shutdown(async {
            // Its sender is dropped at the end, or with this function.
            let _ = ended.await;
        });
        let mut server = std::pin::pin!(server.into_future());
        let mut stopped = std::pin::pin!(stopped());
        console.note(&format!("deliveries are received at http://{address}/"));
        let mut seen = Seen::default();
        let mut left = args.max_items.unwrap_or(usize::MAX);
        while left > 0 {
            tokio::select! {
                ended = &mut server => return ended.map_err(failed),
                () = &mut stopped => break,
                delivery = heard.recv() => {
                    let Some((event, printed)) = delivery else { break };
                    if event.dedup_key().is_none_or(|key| seen.insert(key)) {
                        values.take(&json(&event)?)?;
                        left -= 1;
                    }
                    // Who sent it may have gone.
                    let _ = printed.send(());
                }
            }
        }
        drop((heard, end));
        let _ = tokio::time::timeout(LAST_ANSWERS, server).await;
        values.finish()
    })
}

/// Ready when the process is told to stop. It listens from the moment that it is made, not first when it is awaited:
/// whoever has read the address may end the command at once.
fn stopped() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let signals = {
        use tokio::signal::unix::{SignalKind, signal};
        [SignalKind::terminate(), SignalKind::interrupt()].map(|kind| signal(kind).ok())
    };
    async move {
        #[cfg(unix)]
        if let [Some(mut terminate), Some(mut interrupt)] = signals {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            return;
        }
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Takes one delivery. The answer comes at once: the service waits 30 s, and tries three times.
async fn receive(
    State(receiver): State<Arc<Receiver>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    if !receiver.secrets.is_empty() {
        let signature = headers
            .get(SIGNATURE_HEADER)
            .map(classify_proto::http::HeaderValue::as_bytes);
        if let Err(reason) = verify_signature(&body, signature, &receiver.secrets) {
            receiver
                .console
                .warn(&format!("a delivery is refused: {reason}"));
            return StatusCode::UNAUTHORIZED;
        }
    }
    let Ok(event) = Event::parse(&body) else {
        receiver.console.warn("a delivery is no event");
        return StatusCode::UNPROCESSABLE_ENTITY;
    };
    let (printed, is_printed) = oneshot::channel();
    if receiver.events.send((event, printed)).await.is_ok() && is_printed.await.is_ok() {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

/// The events of late, each once.
#[derive(Default)]
struct Seen {
    keys: HashSet<String>,
    order: VecDeque<String>,
}

impl Seen {
    /// Whether the key is new; the oldest is forgotten for it.
    fn insert(&mut self, key: String) -> bool {
        if !self.keys.insert(key.clone()) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        true
    }
}
