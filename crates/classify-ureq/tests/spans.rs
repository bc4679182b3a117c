//! What the `tracing` feature shows of a request: its method, its path, how it ended, and nothing secret.
#![cfg(feature = "tracing")]

use std::fmt;
use std::sync::{Arc, Mutex};

use classify_proto::Api;
use classify_proto::machine::Retry;
use classify_proto::v2::{Get, List};
use classify_scenarios::{Listener, Plan, response};
use classify_ureq::Client;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Writes down every span of ours with its fields.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<String>>);

impl Visit for Notes {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut notes = self.0.lock().expect("no test panicked");
        *notes = format!("{notes} {field}={value:?}");
    }
}

impl Subscriber for Notes {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("classify_")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn an_attempt_is_a_span() {
    let listener = Listener::start(|number, _| match number {
        0 => Plan::Answer(response(200, &[], b"{}")),
        _ => Plan::Reset(0),
    });
    let api = Api::builder("llx-canary")
        .base_url(listener.base_url())
        .header("x-other", "canary")
        .project("canary-project")
        .build()
        .expect("an api");
    let notes = Notes::default();
    let guard = tracing::subscriber::set_default(notes.clone());
    let client = Client::new(api).retry(Retry::never());
    client.call(List::new()).expect("an empty page");
    client.call(Get::new("clj-1")).unwrap_err();
    drop(guard);

    let notes = notes.0.lock().expect("no test panicked").clone();
    assert!(
        notes.contains("method=GET path=\"/api/v2/classify\" status=200"),
        "{notes}"
    );
    assert!(
        notes.contains("path=\"/api/v2/classify/clj-1\" failure="),
        "{notes}"
    );
    assert!(!notes.contains("canary"), "{notes}");
}
