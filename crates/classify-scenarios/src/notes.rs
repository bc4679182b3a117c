//! What a driver's spans show of its requests.

use std::fmt;
use std::sync::{Arc, Mutex};

use classify_proto::Api;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::listener::{Listener, Plan, response};

/// A subscriber that writes down every span of the drivers' with its fields.
#[derive(Debug, Clone, Default)]
pub struct Notes(Arc<Mutex<String>>);

impl Notes {
    /// A server that answers one request and resets the connection of the next, and a client's way there, whose every
    /// secret is a canary.
    ///
    /// # Panics
    ///
    /// When there is no port to listen on.
    #[must_use]
    pub fn service() -> (Listener, Api) {
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
        (listener, api)
    }

    /// Holds what was noted to what may be seen of a list that was answered and a get that was not: method, path, how it
    /// ended, and nothing secret.
    ///
    /// # Panics
    ///
    /// When something else was noted.
    pub fn hold(&self) {
        let notes = self.0.lock().expect("no test panicked").clone();
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
}

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
