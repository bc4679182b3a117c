//! Records the tracing spans of a driver's requests.

use std::fmt;
use std::sync::{Arc, Mutex};

use classify_proto::Api;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::scripted_server::{ResponseScript, ScriptedServer, response};

/// A subscriber that records every span of the drivers with its fields.
#[derive(Debug, Clone, Default)]
pub struct RecordedSpans(Arc<Mutex<String>>);

impl RecordedSpans {
    /// Returns a server that responds to one request and resets the connection of the next, and an [`Api`] for it, in
    /// which every secret is a canary.
    ///
    /// # Panics
    ///
    /// If no port is free.
    #[must_use]
    pub fn server_and_api() -> (ScriptedServer, Api) {
        let server = ScriptedServer::start(|number, _| match number {
            0 => ResponseScript::Respond(response(200, &[], b"{}")),
            _ => ResponseScript::Reset(0),
        });
        let api = Api::builder("llx-canary")
            .base_url(server.base_url())
            .header("x-other", "canary")
            .project("canary-project")
            .build()
            .expect("an api");
        (server, api)
    }

    /// Asserts that the spans of a successful list and a failed get have method, path and result, and no secret.
    ///
    /// # Panics
    ///
    /// If the spans differ.
    pub fn assert_redacted(&self) {
        let spans = self.0.lock().expect("no test panicked").clone();
        assert!(
            spans.contains("method=GET path=\"/api/v2/classify\" status=200"),
            "{spans}"
        );
        assert!(
            spans.contains("path=\"/api/v2/classify/clj-1\" failure="),
            "{spans}"
        );
        assert!(!spans.contains("canary"), "{spans}");
    }
}

impl Visit for RecordedSpans {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut spans = self.0.lock().expect("no test panicked");
        *spans = format!("{spans} {field}={value:?}");
    }
}

impl Subscriber for RecordedSpans {
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
