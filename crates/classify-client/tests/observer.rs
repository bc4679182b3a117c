//! Events that an observer receives, and permits of a shared rate limiter.
#![cfg(all(feature = "async", feature = "blocking"))]

#[path = "../../classify-proto/tests/sim/fed.rs"]
mod fed;
mod support;

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use classify_client::{Budget, Client, RequestBody, blocking};
use classify_proto::machine::{
    AttemptInfo, AttemptOutcome, Bulk, BulkOptions, CircuitState, DocumentStatus, HashedDocument,
    Limiter, Observer, RateFeedback, RateLimits, Retry, WaitInfo,
};
use classify_proto::v2::GetJob;
use classify_proto::{RateClass, Reply, Seed, Time, http};
use support::{Fate, KEY, SimTransport, Woken, api, create, respond};

/// Records all events.
#[derive(Default)]
struct Recorder {
    /// The values that a metric would use as labels.
    events: Mutex<Vec<String>>,
    /// All values that are passed, including ids.
    everything: Mutex<Vec<String>>,
}

impl Recorder {
    fn note(&self, event: String, all: &dyn std::fmt::Debug) {
        self.events.lock().unwrap().push(event);
        self.everything.lock().unwrap().push(format!("{all:?}"));
    }

    fn events(&self) -> Vec<String> {
        self.events.lock().unwrap().clone()
    }

    fn assert_redacted(&self) {
        let everything = self.everything.lock().unwrap().join("\n");
        assert!(!everything.is_empty());
        assert!(!everything.contains("canary"), "{everything}");
    }
}

impl Observer for Recorder {
    fn attempt_started(&self, attempt: &AttemptInfo) {
        self.note(
            format!("start {} {}", attempt.operation, attempt.number),
            attempt,
        );
    }

    fn attempt_ended(&self, attempt: &AttemptInfo, outcome: &AttemptOutcome<'_>) {
        let result = match outcome.result {
            Ok(status) => status.as_u16().to_string(),
            Err(failure) => format!("{:?}", failure.kind()),
        };
        let job = outcome.job_id.unwrap_or("-");
        let id = outcome.request_id.unwrap_or("-");
        self.note(
            format!(
                "end {} {} {result} {job} {id}",
                attempt.operation, attempt.number
            ),
            &(attempt, outcome),
        );
    }

    fn waiting(&self, wait: &WaitInfo<'_>) {
        self.note(
            format!("wait {} {}", wait.operation, wait.reason.label()),
            wait,
        );
        self.everything
            .lock()
            .unwrap()
            .push(wait.reason.to_string());
    }

    fn circuit_breaker(&self, state: CircuitState) {
        let name = match state {
            CircuitState::Closed => "closed",
            CircuitState::Open(_) => "open",
            CircuitState::HalfOpen => "half-open",
            _ => "?",
        };
        self.note(format!("circuit {name}"), &state);
    }
}

#[test]
fn observer_receives_attempts_and_waits_with_reasons() {
    let transport = SimTransport::new(Duration::ZERO);
    transport
        .world()
        .fates
        .extend([Fate::Http503, Fate::Http429(3), Fate::NoConnection]);
    let recorder = Arc::new(Recorder::default());
    let client = Client::with_transport(transport.clone(), api()).observer(recorder.clone());
    transport
        .block_on(client.run(create("dfl-1")))
        .expect("a job");
    assert_eq!(
        recorder.events(),
        [
            "start classify.create 1",
            "end classify.create 1 503 - req-7",
            "wait classify.create backoff",
            "start classify.create 2",
            "end classify.create 2 429 - req-7",
            "wait classify.create retry_after",
            "start classify.create 3",
            "end classify.create 3 Connect - -",
            "wait classify.create backoff",
            "start classify.create 4",
            "end classify.create 4 200 - -",
            "start classify.get 1",
            "end classify.get 1 200 clj-1 -",
        ]
    );
    recorder.assert_redacted();
}

#[test]
fn observer_of_blocking_client_receives_attempts() {
    let recorder = Arc::new(Recorder::default());
    let transport = |_: http::Request<RequestBody>, _: Budget| -> Reply {
        // The service repeats the key in its error response.
        Ok(respond(
            401,
            &serde_json::json!({"detail": format!("unknown key {KEY}")}),
        ))
    };
    let client = blocking::Client::with_transport(transport, api()).observer(recorder.clone());
    client.call(GetJob::new("clj-1")).unwrap_err();
    assert_eq!(
        recorder.events(),
        ["start classify.get 1", "end classify.get 1 401 clj-1 -"]
    );
    recorder.assert_redacted();
}

#[test]
fn observer_receives_waits_for_rate_limit() {
    let transport = SimTransport::new(Duration::ZERO);
    let recorder = Arc::new(Recorder::default());
    let limiter = Limiter::unlimited().limit(RateClass::Other, 1, Duration::from_secs(60));
    let client = Client::with_transport(transport.clone(), api())
        .limiter(limiter)
        .observer(recorder.clone());
    transport
        .block_on(client.run(create("dfl-1")))
        .expect("a job");
    let start = transport.now_millis();
    transport
        .block_on(client.call(GetJob::new("clj-1")))
        .expect("a job");
    assert!(transport.now_millis() - start >= 59_000);
    let events = recorder.events();
    assert!(
        events.contains(&"wait classify.get rate_limit".to_owned()),
        "{events:?}"
    );
    recorder.assert_redacted();
}

#[test]
fn observer_of_bulk_run_receives_states_of_circuit_breaker() {
    let transport = SimTransport::new(Duration::ZERO);
    transport.world().fates.extend([Fate::Http503; 9]);
    let recorder = Arc::new(Recorder::default());
    let client = Client::with_transport(transport.clone(), api()).observer(recorder.clone());
    let options = BulkOptions::default().retry(Retry::never());
    let bulk =
        Bulk::new(&api(), support::rules(), options, Seed::new([7; 16])).expect("good rules");
    let documents = (0..8)
        .map(|number| HashedDocument::bytes(format!("{number}.txt"), format!("Invoice {number}")));
    let fed = fed::Fed::new(bulk, documents, |_: &_| Ok(()));
    let summary = transport.block_on(client.drive(fed, drop));
    assert_eq!(summary.count(&DocumentStatus::Completed), 8, "{summary:?}");
    let events = recorder.events();
    let mut states: Vec<_> = events
        .iter()
        .filter(|event| event.starts_with("circuit"))
        .collect();
    assert_eq!(
        states.first().map(|state| &***state),
        Some("circuit open"),
        "{states:?}"
    );
    assert_eq!(
        states.last().map(|state| &***state),
        Some("circuit closed"),
        "{states:?}"
    );
    assert!(
        states.iter().any(|state| **state == "circuit half-open"),
        "{states:?}"
    );
    let count = states.len();
    states.dedup();
    assert_eq!(states.len(), count, "only changes are reported");
    recorder.assert_redacted();
}

/// Permits of a shared rate limiter, available from a time on.
struct Permits {
    from: Mutex<Time>,
    answered: Mutex<Vec<RateFeedback>>,
}

impl RateLimits for Permits {
    fn available_at(&self, _: RateClass, now: Time) -> Time {
        now.max(*self.from.lock().unwrap())
    }

    fn admit(&self, class: RateClass, now: Time) -> Result<(), Time> {
        let available = self.available_at(class, now);
        if available > now {
            Err(available)
        } else {
            Ok(())
        }
    }

    fn answered(&self, _: RateClass, _: Time, feedback: RateFeedback) {
        self.answered.lock().unwrap().push(feedback);
    }
}

/// The machine waits, and not the request: the wait is longer than any request may take.
#[test]
fn rate_limits_from_elsewhere_are_awaited_before_sending() {
    let transport = SimTransport::new(Duration::ZERO);
    let start = transport.world().now;
    let permits = Arc::new(Permits {
        from: Mutex::new(start + Duration::from_secs(200)),
        answered: Mutex::default(),
    });
    let client = Client::with_transport(transport.clone(), api())
        .rate_limits(permits.clone())
        .retry(Retry::default().max_retry_after(Duration::from_secs(3_600)));
    {
        let mut run = pin!(client.run(create("dfl-1")));
        let woken = Woken::new();
        assert!(woken.poll(run.as_mut()).is_pending());
        while transport.world().now < start + Duration::from_secs(199) {
            assert_eq!(transport.world().sent, 0);
            assert!(transport.world().advance_to_timer());
            if let Poll::Ready(result) = woken.poll(run.as_mut()) {
                panic!("{result:?}");
            }
        }
        transport.block_on(run).expect("a job");
    }
    assert_eq!(
        *permits.answered.lock().unwrap(),
        [RateFeedback::Accepted; 2]
    );
}

#[test]
fn rate_limit_change_keeps_requests_of_current_window() {
    let transport = SimTransport::new(Duration::ZERO);
    let limit =
        |requests| Limiter::unlimited().limit(RateClass::Other, requests, Duration::from_secs(60));
    let client = Client::with_transport(transport.clone(), api()).limiter(Limiter::unlimited());
    transport
        .block_on(client.run(create("dfl-1")))
        .expect("a job");

    let client = client.limiter(limit(2));
    let start = transport.now_millis();
    let call = || {
        transport
            .block_on(client.call(GetJob::new("clj-1")))
            .map(drop)
    };
    call().expect("a job");
    call().expect("a job");
    assert_eq!(transport.now_millis(), start);
    // Also through a clone, while the client is in use.
    client.clone().change_rate_limits(&limit(3));
    call().expect("a job");
    assert_eq!(transport.now_millis(), start, "one more is allowed");
    call().expect("a job");
    assert!(
        transport.now_millis() >= start + 59_000,
        "three were sent in this window"
    );
}
