//! Webhooks: real deliveries with signatures, retries and a log.
//!
//! Their delays are real time even under a virtual clock, because receivers run outside of the emulator.

mod post;

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::json;
use sha2::Sha256;
use tokio::sync::{Semaphore, mpsc};

use crate::clock::Millis;
use crate::shared_state::SharedState;
use crate::state::job::WebhookTarget;
use crate::state::{JobEvent, uuid};
use post::post;

/// One attempt to deliver a webhook.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Delivery {
    /// The id of the event, the same for all attempts and all receivers.
    pub event_id: String,
    /// The kind of event, such as `classify.success`.
    pub event_type: String,
    /// The id of the job that the event is about.
    pub job_id: String,
    /// The URL of the receiver.
    pub url: String,
    /// The number of the attempt: 1, 2 or 3.
    pub attempt: u32,
    /// The status of the receiver's response; `None` if there was none.
    pub status: Option<u16>,
    /// The reason why there was no response; `None` if there was one.
    pub error: Option<String>,
}

const ATTEMPTS: u32 = 3;
/// Maximum number of concurrent attempts: each uses a file descriptor, and with too many all would fail.
const MAX_CONCURRENT_ATTEMPTS: usize = 64;
const MAX_RETRY_DELAY: Duration = Duration::from_secs(60);
const USER_AGENT: &str = "llamaindex-webhook-service/1.0";

/// A delivery with all of its bytes.
#[derive(Debug)]
struct OutgoingDelivery {
    generation: u64,
    event_id: String,
    event_type: &'static str,
    job_id: String,
    target: WebhookTarget,
    body: Vec<u8>,
}

/// Delivers every event to the webhooks that want it, each in a task of its own.
pub(crate) async fn deliver(
    shared: Arc<SharedState>,
    mut events: mpsc::UnboundedReceiver<(u64, JobEvent)>,
) {
    // A separate random generator: the time of an event must not change the ids of later objects.
    let mut rng = shared
        .config
        .seed
        .map_or_else(fastrand::Rng::new, |seed| fastrand::Rng::with_seed(!seed));
    let permits = Arc::new(Semaphore::new(MAX_CONCURRENT_ATTEMPTS));
    while let Some((generation, event)) = events.recv().await {
        let event_id = uuid(&mut rng);
        let event_type = event.state.webhook_event();
        for target in event.webhooks {
            if target
                .events
                .as_ref()
                .is_some_and(|accepted| !accepted.iter().any(|name| name == event_type))
            {
                continue;
            }
            let body = body(
                &event_id,
                event_type,
                &event.job_id,
                event.at,
                target.as_object,
            );
            let outgoing = OutgoingDelivery {
                generation,
                event_id: event_id.clone(),
                event_type,
                job_id: event.job_id.clone(),
                target,
                body,
            };
            tokio::spawn(send(Arc::clone(&shared), Arc::clone(&permits), outgoing));
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of any year fit into 53 bits"
)]
fn body(event_id: &str, event_type: &str, job_id: &str, at: Millis, as_object: bool) -> Vec<u8> {
    let payload = json!({
        "event_id": event_id,
        "event_type": event_type,
        "timestamp": at as f64 / 1_000.0,
        "data": { "id": job_id, "job_id": job_id },
    });
    let text = payload.to_string();
    // By default the payload is a JSON string that contains the object.
    if as_object {
        text.into_bytes()
    } else {
        serde_json::Value::from(text).to_string().into_bytes()
    }
}

/// The signature of a body.
fn signature(secret: &str, body: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(body);
    let hex: Vec<String> = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Some(format!("sha256={}", hex.concat()))
}

async fn send(shared: Arc<SharedState>, permits: Arc<Semaphore>, outgoing: OutgoingDelivery) {
    let mut delay = shared.config.webhook_retry_delay;
    for attempt in 1..=ATTEMPTS {
        let outcome = {
            // Held only during the attempt: waiting for the next one does not block other deliveries.
            let Ok(_turn) = permits.acquire().await else {
                return;
            };
            attempt_once(&shared, &outgoing).await
        };
        let delivered = outcome
            .as_ref()
            .is_ok_and(|status| (200..300).contains(status));
        let delivery = Delivery {
            event_id: outgoing.event_id.clone(),
            event_type: outgoing.event_type.to_owned(),
            job_id: outgoing.job_id.clone(),
            url: outgoing.target.url.clone(),
            attempt,
            status: outcome.as_ref().ok().copied(),
            error: outcome.err(),
        };
        {
            let mut deliveries = shared.deliveries();
            // Events from before a reset are not delivered.
            if outgoing.generation != shared.generation() {
                return;
            }
            if deliveries.len() >= shared.config.request_log_size.max(1) {
                deliveries.pop_front();
            }
            deliveries.push_back(delivery);
        }
        if delivered || attempt == ATTEMPTS {
            return;
        }
        tokio::time::sleep(delay).await;
        delay = next_delay(delay);
    }
}

fn next_delay(delay: Duration) -> Duration {
    (delay * 2).min(MAX_RETRY_DELAY)
}

async fn attempt_once(shared: &SharedState, outgoing: &OutgoingDelivery) -> Result<u16, String> {
    let mut headers = HeaderMap::new();
    let mut set = |name: &str, value: &str| {
        // An invalid header is omitted; the event is delivered without it.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    };
    for (name, value) in &outgoing.target.headers {
        // `Content-Length` is set by the HTTP library, and a custom header must not replace it.
        if !matches!(
            name.to_lowercase().as_str(),
            "content-length" | "transfer-encoding" | "connection"
        ) {
            set(name, value);
        }
    }
    // The service's own headers are set last, so that custom ones cannot replace them.
    set("content-type", "application/json");
    set("user-agent", USER_AGENT);
    set("x-webhook-event-id", &outgoing.event_id);
    set("x-webhook-event-type", outgoing.event_type);
    if let Some(signature) = outgoing
        .target
        .secret
        .as_deref()
        .and_then(|secret| signature(secret, &outgoing.body))
    {
        set("lc-signature", &signature);
    }
    post(
        &outgoing.target.url,
        headers,
        outgoing.body.clone(),
        shared.config.allow_loopback_webhooks,
    )
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhook_signature_matches_rfc_4231() {
        // RFC 4231, test case 2.
        assert_eq!(
            signature("Jefe", b"what do ya want for nothing?").as_deref(),
            Some("sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        );
    }

    #[test]
    fn webhook_backoff_doubles_up_to_one_minute() {
        let delays = std::iter::successors(Some(Duration::from_secs(1)), |delay| {
            Some(next_delay(*delay))
        });
        let seconds: Vec<u64> = delays.take(9).map(|delay| delay.as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn webhook_body_formats_contain_the_same_event() {
        let object: serde_json::Value =
            serde_json::from_slice(&body("e-1", "classify.success", "clj-1", 1_500, true))
                .expect("JSON");
        assert_eq!(object["timestamp"], 1.5);
        assert_eq!(object["data"], json!({ "id": "clj-1", "job_id": "clj-1" }));
        let text: String =
            serde_json::from_slice(&body("e-1", "classify.success", "clj-1", 1_500, false))
                .expect("a JSON string");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).expect("JSON inside"),
            object
        );
    }
}
