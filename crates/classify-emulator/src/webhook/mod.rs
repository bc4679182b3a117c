//! Webhooks: real deliveries, signed, repeated, and noted down.
//!
//! Their delays are real time even under a virtual clock: a receiver lives outside of it.

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
use crate::state::job::Hook;
use crate::state::{Event, uuid};
use crate::world::World;
use post::post;

/// One attempt to deliver a webhook.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Delivery {
    /// The event's id, the same for each attempt and each receiver of the event.
    pub event_id: String,
    /// For example `classify.success`.
    pub event_type: String,
    /// The job that the event is about.
    pub job_id: String,
    /// Where it went.
    pub url: String,
    /// 1, 2 or 3.
    pub attempt: u32,
    /// The status that the receiver answered, if it did.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub error: Option<String>,
}

const ATTEMPTS: u32 = 3;
/// How many attempts are under way at once: each takes a descriptor, and with too many all of them would fail.
const UNDER_WAY: usize = 64;
const LONGEST_DELAY: Duration = Duration::from_secs(60);
const USER_AGENT: &str = "llamaindex-webhook-service/1.0";

/// What is sent, ready in every byte.
#[derive(Debug)]
struct Letter {
    generation: u64,
    event_id: String,
    event_type: &'static str,
    job: String,
    hook: Hook,
    body: Vec<u8>,
}

/// Delivers every event to those who want it, each receiver in a task of its own.
pub(crate) async fn deliver(world: Arc<World>, mut heard: mpsc::UnboundedReceiver<(u64, Event)>) {
    // Dice of their own: when an event comes must not change the ids of what is created after it.
    let mut dice = world
        .config
        .seed
        .map_or_else(fastrand::Rng::new, |seed| fastrand::Rng::with_seed(!seed));
    let turns = Arc::new(Semaphore::new(UNDER_WAY));
    while let Some((generation, event)) = heard.recv().await {
        let event_id = uuid(&mut dice);
        let event_type = event.phase.event();
        for hook in event.hooks {
            if hook
                .events
                .as_ref()
                .is_some_and(|wanted| !wanted.iter().any(|word| word == event_type))
            {
                continue;
            }
            let body = body(&event_id, event_type, &event.job, event.at, hook.as_object);
            let letter = Letter {
                generation,
                event_id: event_id.clone(),
                event_type,
                job: event.job.clone(),
                hook,
                body,
            };
            tokio::spawn(send(Arc::clone(&world), Arc::clone(&turns), letter));
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of any year fit into 53 bits"
)]
fn body(event_id: &str, event_type: &str, job: &str, at: Millis, as_object: bool) -> Vec<u8> {
    let payload = json!({
        "event_id": event_id,
        "event_type": event_type,
        "timestamp": at as f64 / 1_000.0,
        "data": { "id": job, "job_id": job },
    });
    let text = payload.to_string();
    // By default the payload is a JSON string that holds the object's text.
    if as_object {
        text.into_bytes()
    } else {
        serde_json::Value::from(text).to_string().into_bytes()
    }
}

/// The signature over the bytes of a body.
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

async fn send(world: Arc<World>, turns: Arc<Semaphore>, letter: Letter) {
    let mut delay = world.config.webhook_delay;
    for attempt in 1..=ATTEMPTS {
        let outcome = {
            // Held for the attempt alone: whoever waits for the next one is in nobody's way.
            let Ok(_turn) = turns.acquire().await else {
                return;
            };
            attempt_once(&world, &letter).await
        };
        let delivered = outcome
            .as_ref()
            .is_ok_and(|status| (200..300).contains(status));
        let delivery = Delivery {
            event_id: letter.event_id.clone(),
            event_type: letter.event_type.to_owned(),
            job_id: letter.job.clone(),
            url: letter.hook.url.clone(),
            attempt,
            status: outcome.as_ref().ok().copied(),
            error: outcome.err(),
        };
        {
            let mut kept = world.deliveries();
            // Nobody asks for the events of what was forgotten.
            if letter.generation != world.generation() {
                return;
            }
            if kept.len() >= world.config.journal_limit.max(1) {
                kept.pop_front();
            }
            kept.push_back(delivery);
        }
        if delivered || attempt == ATTEMPTS {
            return;
        }
        tokio::time::sleep(delay).await;
        delay = next_delay(delay);
    }
}

fn next_delay(delay: Duration) -> Duration {
    (delay * 2).min(LONGEST_DELAY)
}

async fn attempt_once(world: &World, letter: &Letter) -> Result<u16, String> {
    let mut headers = HeaderMap::new();
    let mut set = |name: &str, value: &str| {
        // What is no header is left out rather than costing the receiver the event.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    };
    for (name, value) in &letter.hook.headers {
        // The length is the body's, and no custom header may say otherwise.
        if !matches!(
            name.to_lowercase().as_str(),
            "content-length" | "transfer-encoding" | "connection"
        ) {
            set(name, value);
        }
    }
    // The service's own headers are set last, so that no custom one takes their place.
    set("content-type", "application/json");
    set("user-agent", USER_AGENT);
    set("x-webhook-event-id", &letter.event_id);
    set("x-webhook-event-type", letter.event_type);
    if let Some(signature) = letter
        .hook
        .secret
        .as_deref()
        .and_then(|secret| signature(secret, &letter.body))
    {
        set("lc-signature", &signature);
    }
    post(
        &letter.hook.url,
        headers,
        letter.body.clone(),
        world.config.loopback_webhooks,
    )
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_published_one() {
        // RFC 4231, test case 2.
        assert_eq!(
            signature("Jefe", b"what do ya want for nothing?").as_deref(),
            Some("sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        );
    }

    #[test]
    fn delays_double_up_to_a_minute() {
        let delays = std::iter::successors(Some(Duration::from_secs(1)), |delay| {
            Some(next_delay(*delay))
        });
        let seconds: Vec<u64> = delays.take(9).map(|delay| delay.as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn both_body_formats_hold_the_same_event() {
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
