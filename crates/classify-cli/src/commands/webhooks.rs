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
use classify_proto::webhooks::{
    Event, SIGNATURE_HEADER, SignatureError, verify as verify_signature,
};
use tokio::sync::{mpsc, oneshot};

use crate::args::global::GlobalArgs;
use crate::args::values::is_null;
use crate::args::webhooks::{ListenArgs, SigningSecrets, VerifyArgs};
use crate::commands::api::flag_text;
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::output::results::{ResultCount, ResultKind, ResultWriter};
use crate::printer::Printer;
use crate::signals::TerminationSignals;

/// The maximum size of a delivery.
const MAX_BODY_BYTES: u64 = 2 * 1024 * 1024;
/// The environment variable with the secret, used without the flag.
const SECRET_VARIABLE: &str = "LLAMA_CLOUD_WEBHOOK_SECRET";
/// How long the last responses may take.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);
/// How many events are remembered for deduplication.
const MAX_SEEN_EVENTS: usize = 10_000;

/// Verifies one delivery, and prints its event.
pub(crate) fn verify(args: &VerifyArgs, global: &GlobalArgs) -> Result<(), CliError> {
    let secrets = signing_secrets(&args.secrets)?;
    if secrets.is_empty() {
        return Err(CliError::usage(
            "no secret: set LLAMA_CLOUD_WEBHOOK_SECRET, or use --secret @FILE",
        ));
    }
    let body = read_body(args)?;
    verify_signature(&body, Some(args.signature.as_bytes()), &secrets).map_err(|reason| {
        CliError::new(
            ExitCode::Unexpected,
            format!("the delivery cannot be trusted: {reason}"),
        )
        .hint(match reason {
            SignatureError::ExtraLineBreak { .. } => {
                "the delivery may be genuine; pass the body exactly as received, and the secret without a line break"
            }
            _ => "the signature is made from the bytes of the body as received and from the signing secret; check both",
        })
    })?;
    let event = Event::parse(&body)?;
    let mut results = ResultWriter::open(
        global.result_settings(),
        None,
        ResultKind::Other,
        ResultCount::One,
    )?;
    results.write(&to_json(&event)?)?;
    results.finish()
}

fn to_json(event: &Event) -> Result<String, CliError> {
    serde_json::to_string(event).map_err(|error| {
        CliError::new(
            ExitCode::Unexpected,
            format!("an event cannot be written: {error}"),
        )
    })
}

fn read_body(args: &VerifyArgs) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let read = match &args.file {
        Some(path) if path.as_os_str() != "-" => std::fs::File::open(path)
            .and_then(|file| file.take(MAX_BODY_BYTES).read_to_end(&mut bytes)),
        _ => std::io::stdin()
            .lock()
            .take(MAX_BODY_BYTES)
            .read_to_end(&mut bytes),
    };
    read.map_err(|error| CliError::usage(format!("the body cannot be read: {error}")))?;
    Ok(bytes)
}

/// Returns the secrets of the flags, or of the environment.
fn signing_secrets(flags: &SigningSecrets) -> Result<Vec<Secret>, CliError> {
    if flags.secret.is_empty() {
        // The variable contains the secret itself; `@` has no meaning in it.
        let secret = std::env::var(SECRET_VARIABLE).ok();
        let secret = secret.filter(|secret| !secret.is_empty());
        return Ok(secret.into_iter().map(Secret::new).collect());
    }
    let texts = flags
        .secret
        .iter()
        .filter_map(Secret::expose_secret)
        .filter(|text| !text.is_empty());
    texts
        .map(|text| {
            // `null` is not a secret, as in the other flags.
            let text = if is_null(text) {
                String::new()
            } else {
                flag_text::resolve_text("secret", text)?
            };
            Ok(Secret::new(text))
        })
        .collect()
}

/// An event, and the sender that confirms that it was printed. A delivery is acknowledged only then: if the command
/// ends before, the service delivers it again.
type PendingDelivery = (Event, oneshot::Sender<()>);

/// The state that all requests share.
struct ListenState {
    secrets: Vec<Secret>,
    printer: Printer,
    events: mpsc::Sender<PendingDelivery>,
}

/// Receives deliveries until SIGTERM, SIGHUP or Ctrl-C, or until `--max-items` are printed.
pub(crate) fn listen(
    args: &ListenArgs,
    global: &GlobalArgs,
    printer: Printer,
) -> Result<(), CliError> {
    let secrets = signing_secrets(&args.secrets)?;
    if secrets.is_empty() {
        printer.warning("without a secret, events are not verified, and anyone can forge them");
    }
    let mut results = ResultWriter::open(
        global.result_settings(),
        None,
        ResultKind::Other,
        ResultCount::Stream,
    )?;
    let failed = |error: std::io::Error| {
        CliError::new(
            ExitCode::Unexpected,
            format!(
                "cannot listen on port {} of {}: {error}",
                args.port, args.host
            ),
        )
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    runtime.block_on(async {
        let host = args.host.trim_start_matches('[').trim_end_matches(']');
        let addresses = tokio::net::lookup_host((host, args.port)).await;
        let mut addresses: Vec<SocketAddr> = addresses.map_err(failed)?.collect();
        // A name may have both kinds, and a sender that knows one of them knows this one.
        addresses.sort_by_key(SocketAddr::is_ipv6);
        let listener = tokio::net::TcpListener::bind(&*addresses)
            .await
            .map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (events, mut deliveries) = mpsc::channel(64);
        let state = Arc::new(ListenState {
            secrets,
            printer,
            events,
        });
        let limit = usize::try_from(MAX_BODY_BYTES).unwrap_or(usize::MAX);
        let routes = Router::new()
            .fallback(post(receive))
            .layer(DefaultBodyLimit::max(limit))
            .with_state(state);
        let (end, ended) = oneshot::channel::<()>();
        let server = axum::serve(listener, routes).with_graceful_shutdown(async {
            // The sender is dropped at the end, or with this function.
            let _ = ended.await;
        });
        let mut server = std::pin::pin!(server.into_future());
        // Before the address is printed: a signal may come at once.
        let mut signals = TerminationSignals::install();
        printer.note(&format!("listening for deliveries at http://{address}/"));
        let mut seen = SeenEvents::default();
        let mut remaining = args.max_items.unwrap_or(usize::MAX);
        while remaining > 0 {
            tokio::select! {
                ended = &mut server => return ended.map_err(failed),
                () = signals.recv() => break,
                delivery = deliveries.recv() => {
                    let Some((event, confirmation)) = delivery else { break };
                    if event.dedup_key().is_none_or(|key| seen.insert(key)) {
                        results.write(&to_json(&event)?)?;
                        remaining -= 1;
                    }
                    // The request may have been dropped.
                    let _ = confirmation.send(());
                }
            }
        }
        drop((deliveries, end));
        let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, server).await;
        results.finish()
    })
}

/// Handles one delivery. The service waits 30 s for a response, and makes three attempts.
async fn receive(
    State(state): State<Arc<ListenState>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    if !state.secrets.is_empty() {
        let signature = headers
            .get(SIGNATURE_HEADER)
            .map(classify_proto::http::HeaderValue::as_bytes);
        if let Err(reason) = verify_signature(&body, signature, &state.secrets) {
            state
                .printer
                .warning(&format!("rejected a delivery: {reason}"));
            return StatusCode::UNAUTHORIZED;
        }
    }
    let Ok(event) = Event::parse(&body) else {
        state.printer.warning("a delivery is not an event");
        return StatusCode::UNPROCESSABLE_ENTITY;
    };
    let (confirmation, is_printed) = oneshot::channel();
    if state.events.send((event, confirmation)).await.is_ok() && is_printed.await.is_ok() {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

/// The keys of recent events.
#[derive(Default)]
struct SeenEvents {
    keys: HashSet<String>,
    order: VecDeque<String>,
}

impl SeenEvents {
    /// Inserts a key, and returns whether it is new. The oldest key is evicted if there are too many.
    fn insert(&mut self, key: String) -> bool {
        if !self.keys.insert(key.clone()) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > MAX_SEEN_EVENTS
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        true
    }
}
