//! Receives the webhooks of classification jobs, and polls if none comes.
//!
//! `cargo run -p classify-examples --bin webhook_receiver -- --emulator [DOCUMENT]`
//!
//! Without `--emulator`, it calls the service with the key in `LLAMA_CLOUD_API_KEY`, and needs `PUBLIC_URL`, the URL at
//! which the service reaches this program. The program does everything that a receiver should do:
//!
//! - It verifies the signature of the unchanged bytes before anything else.
//! - It responds immediately and does the work afterwards: the service waits 30 s and tries three times.
//! - It handles each event once, because a delivery may come twice, and deliveries may come in any order.
//! - It uses a webhook only as a signal, and reads the job to learn the result.
//! - It also polls the job, because a delivery may never come.

use std::collections::{HashSet, VecDeque};
use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::routing::post;
use classify_proto::machine::PollInterval;
use classify_proto::webhooks::{Event, WebhookOutputFormat, verify};
use classify_proto::{Api, Secret, files, v2};
use classify_reqwest::Client;
use tokio::net::TcpListener;
use tokio::sync::broadcast;

const DOCUMENT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/documents/2025/invoice-1047.pdf"
);
/// The number of events that are remembered to recognize repeated deliveries.
const REMEMBERED: usize = 10_000;

/// The state of the receiver.
struct Receiver {
    /// The secrets: two while one replaces the other.
    secrets: Vec<Secret>,
    seen_events: Mutex<SeenEvents>,
    /// Sends the ids of jobs that have an event.
    updates: broadcast::Sender<String>,
}

#[derive(Default)]
struct SeenEvents {
    keys: HashSet<String>,
    order: VecDeque<String>,
}

impl SeenEvents {
    /// Returns whether the key is new, and remembers it in place of the oldest.
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

impl Receiver {
    fn new(secrets: Vec<Secret>) -> Arc<Self> {
        let (updates, _) = broadcast::channel(256);
        Arc::new(Self {
            secrets,
            seen_events: Mutex::default(),
            updates,
        })
    }

    fn routes(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/classify", post(receive))
            .with_state(Arc::clone(self))
    }
}

/// Handles one delivery. Axum rejects bodies of more than 2 MB.
async fn receive(
    State(receiver): State<Arc<Receiver>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let signature = headers.get("lc-signature").map(HeaderValue::as_bytes);
    if let Err(reason) = verify(&body, signature, &receiver.secrets) {
        eprintln!("a delivery is rejected: {reason}");
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(event) = Event::parse(&body) else {
        // A signed event that cannot be parsed: another delivery would not help.
        return StatusCode::UNPROCESSABLE_ENTITY;
    };
    let mut seen_events = receiver
        .seen_events
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let is_new = event.dedup_key().is_none_or(|key| seen_events.insert(key));
    drop(seen_events);
    if let (true, Some(job_id)) = (is_new, event.job_id()) {
        println!("webhook:    {} {job_id}", event.event_type);
        // Without a waiting task, there is nothing to do.
        let _ = receiver.updates.send(job_id.to_owned());
    }
    StatusCode::NO_CONTENT
}

/// Waits until a job has ended, by a webhook or by polling once a minute. A failed job is an error.
async fn ended(
    client: &Client,
    job_id: &str,
    mut updates: broadcast::Receiver<String>,
) -> Result<v2::Job, classify_proto::Error> {
    let minute = Duration::from_secs(60);
    let seldom = client
        .clone()
        .poll_interval(PollInterval::new(minute, minute));
    let polling = seldom.wait(job_id);
    tokio::pin!(polling);
    loop {
        tokio::select! {
            result = &mut polling => return result,
            update = updates.recv() => {
                // If the receiver lags, it missed events, so it polls.
                let ours = update.as_ref().map_or(true, |update| update == job_id);
                if ours {
                    let job = client.call(v2::GetJob::new(job_id)).await?;
                    if job.status.is_terminal() {
                        // `wait` returns the same result, whether a webhook or a poll reported the end.
                        return client.wait(&job).await;
                    }
                }
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let emulated = arguments.first().is_some_and(|first| first == "--emulator");
    if emulated {
        arguments.remove(0);
    }
    let path = arguments.pop().unwrap_or_else(|| DOCUMENT.to_owned());

    let secret = std::env::var("WEBHOOK_SECRET").unwrap_or_else(|_| "change-me".to_owned());
    let receiver = Receiver::new(vec![Secret::new(&*secret)]);
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let address = listener.local_addr()?;
    let app = receiver.routes();
    tokio::spawn(async move { axum::serve(listener, app).await });

    let (client, url, _emulator) = if emulated {
        // The service does not deliver to loopback addresses; the emulator does with this setting.
        let config = classify_emulator::Config::default().allow_loopback_webhooks(true);
        let emulator = classify_emulator::Emulator::start(config)?;
        let api = Api::builder(emulator.key()).base_url(emulator.base_url());
        let url = format!("http://{address}/classify");
        (Client::new(api.build()?), url, Some(emulator))
    } else {
        let url = std::env::var("PUBLIC_URL")
            .map_err(|_| "PUBLIC_URL is missing; set it to the URL at which the service reaches this program")?;
        (Client::from_env()?, url, None)
    };

    let file = client.call(files::UploadFile::path(path)?).await?;
    let rules = v2::Configuration::new([
        v2::Rule::new(
            "invoice",
            "has an invoice number, line items and a total amount due",
        ),
        v2::Rule::new(
            "contract",
            "an agreement that two parties sign, such as a lease",
        ),
    ]);
    let webhook = v2::WebhookConfiguration::new(url)
        .output_format(WebhookOutputFormat::Json)
        .signing_secret(&*secret);
    // Listens before it creates the job, so that no event is missed.
    let updates = receiver.updates.subscribe();
    let options = v2::JobOptions::from(rules).webhook(webhook);
    let create = v2::CreateJob::new(file.id, options);
    let job = client.call(create).await?;
    println!("created:    {}", job.id);
    let job = ended(&client, &job.id, updates).await?;
    println!("outcome:    {:?}", job.outcome());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt as _;

    const BODY: &str =
        r#"{"event_id":"1","event_type":"classify.success","data":{"job_id":"clj-1"}}"#;
    /// The HMAC of the body with the secret `whsec`, computed with Python.
    const SIGNATURE: &str =
        "sha256=0d7e644ec1a2aad5dcde57df2b65bedfd1786a66ded8f6d02cd92b6ba7be4b89";

    async fn deliver(receiver: &Arc<Receiver>, body: &str, signature: Option<&str>) -> StatusCode {
        let mut request = Request::post("/classify");
        if let Some(signature) = signature {
            request = request.header("LC-Signature", signature);
        }
        let request = request
            .body(Body::from(body.to_owned()))
            .expect("a request");
        let response = receiver.routes().oneshot(request).await;
        response.expect("an answer").status()
    }

    #[tokio::test]
    async fn webhook_delivery_must_be_signed_and_is_processed_once() {
        let receiver = Receiver::new(vec![Secret::new("whsec"), Secret::new("older")]);
        let mut updates = receiver.updates.subscribe();
        for bad in [
            None,
            Some("sha256=00"),
            Some(&*SIGNATURE.replace("sha256", "sha1")),
        ] {
            assert_eq!(
                deliver(&receiver, BODY, bad).await,
                StatusCode::UNAUTHORIZED
            );
        }
        assert_eq!(
            deliver(&receiver, &BODY.replace("clj-1", "clj-2"), Some(SIGNATURE)).await,
            StatusCode::UNAUTHORIZED
        );
        assert!(updates.try_recv().is_err());
        for _ in 0..3 {
            assert_eq!(
                deliver(&receiver, BODY, Some(SIGNATURE)).await,
                StatusCode::NO_CONTENT
            );
        }
        assert_eq!(updates.try_recv().expect("an update"), "clj-1");
        assert!(
            updates.try_recv().is_err(),
            "the same update was acted upon twice"
        );
    }

    #[test]
    fn webhook_dedup_keys_are_bounded() {
        let mut seen_events = SeenEvents::default();
        for number in 0..REMEMBERED * 2 {
            assert!(seen_events.insert(number.to_string()));
        }
        assert_eq!(
            (seen_events.keys.len(), seen_events.order.len()),
            (REMEMBERED, REMEMBERED)
        );
    }

    #[tokio::test]
    async fn webhook_for_failed_job_still_returns_error() {
        let emulator = classify_emulator::Emulator::start(classify_emulator::Config::default())
            .expect("an emulator");
        let api = Api::builder(emulator.key()).base_url(emulator.base_url());
        let client = Client::new(api.build().expect("an api"));
        let upload = files::UploadFile::new("damaged.pdf", b"%PDF-1.7 and nothing else".to_vec());
        let file = client.call(upload).await.expect("a file");
        let rule = v2::Rule::new("invoice", "has an invoice number");
        let create = v2::CreateJob::new(file.id, v2::Configuration::new([rule]));
        let job = client.call(create).await.expect("a job");

        let (sender, updates) = broadcast::channel(256);
        let id = job.id.clone();
        tokio::spawn(async move {
            while sender.send(id.clone()).is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let error = ended(&client, &job.id, updates)
            .await
            .expect_err("it failed");
        assert!(error.is_job_failed(), "{error}");
    }
}
