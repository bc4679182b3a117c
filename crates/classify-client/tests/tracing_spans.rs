//! The spans of operations and attempts.
#![cfg(all(feature = "tracing", feature = "async", feature = "blocking"))]

mod support;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use classify_client::{Budget, Client, RequestBody, blocking};
use classify_proto::machine::Limiter;
use classify_proto::v2::{GetJob, ListJobs};
use classify_proto::{Reply, http};
use support::{Fate, SimTransport, api, create, job};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_core::span::Current;

#[derive(Debug, Clone)]
struct Span {
    metadata: &'static Metadata<'static>,
    parent: Option<u64>,
    fields: BTreeMap<&'static str, String>,
}

/// All spans of the process: tests tell theirs apart by the operation's or the job's name.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<BTreeMap<u64, Span>>>);

thread_local! {
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

impl Spans {
    fn global() -> &'static Self {
        static SPANS: OnceLock<Spans> = OnceLock::new();
        SPANS.get_or_init(|| {
            let spans = Self::default();
            tracing::subscriber::set_global_default(spans.clone()).expect("the only subscriber");
            spans
        })
    }

    fn all(&self) -> BTreeMap<u64, Span> {
        self.0.lock().unwrap().clone()
    }

    /// Returns the operation spans of this name, each with its attempts.
    fn operations(&self, operation: &str) -> Vec<(Span, Vec<Span>)> {
        let all = self.all();
        let attempts = |parent: u64| {
            let children = all.values().filter(move |span| span.parent == Some(parent));
            children.cloned().collect()
        };
        all.iter()
            .filter(|(_, span)| {
                span.metadata.name() == "operation" && span.fields["operation"] == operation
            })
            .map(|(id, span)| (span.clone(), attempts(*id)))
            .collect()
    }
}

struct Fields<'a>(&'a mut BTreeMap<&'static str, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}").trim_matches('"').to_owned();
        self.0.insert(field.name(), text);
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("classify_")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::SeqCst);
        let mut fields = BTreeMap::new();
        span.record(&mut Fields(&mut fields));
        let parent = ENTERED.with_borrow(|entered| entered.last().copied());
        let metadata = span.metadata();
        self.0.lock().unwrap().insert(
            id,
            Span {
                metadata,
                parent,
                fields,
            },
        );
        Id::from_u64(id)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        let mut spans = self.0.lock().unwrap();
        let span = spans.get_mut(&id.into_u64()).expect("a span");
        values.record(&mut Fields(&mut span.fields));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}

    fn current_span(&self) -> Current {
        let Some(id) = ENTERED.with_borrow(|entered| entered.last().copied()) else {
            return Current::none();
        };
        Current::new(Id::from_u64(id), self.0.lock().unwrap()[&id].metadata)
    }

    fn enter(&self, id: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(id.into_u64()));
    }

    fn exit(&self, id: &Id) {
        let last = ENTERED.with_borrow_mut(Vec::pop);
        assert_eq!(last, Some(id.into_u64()));
    }
}

fn assert_attempts(attempts: &[Span], expected: &[(&str, &str, &str)]) {
    let found: Vec<_> = attempts
        .iter()
        .map(|span| {
            assert_eq!(span.metadata.name(), "attempt");
            let status = span.fields.get("status").map_or("-", |status| &**status);
            (&*span.fields["operation"], &*span.fields["number"], status)
        })
        .collect();
    assert_eq!(found, expected);
    for span in attempts {
        let has_failed = !span.fields.contains_key("status");
        assert_eq!(span.fields.contains_key("failure"), has_failed, "{span:?}");
    }
}

/// One test, because the subscriber is the process's.
#[test]
fn tracing_span_of_operation_has_a_child_per_attempt() {
    let spans = Spans::global();

    let transport = SimTransport::new(Duration::ZERO);
    let client = Client::with_transport(transport.clone(), api()).limiter(Limiter::unlimited());
    transport
        .world()
        .fates
        .extend([Fate::Http503, Fate::NoConnection]);
    transport
        .block_on(client.run(create("dfl-1")))
        .expect("a job");
    let [(_, attempts)] = &spans.operations("run")[..] else {
        panic!("one operation: {:?}", spans.all());
    };
    assert_attempts(
        attempts,
        &[
            ("classify.create", "1", "503"),
            ("classify.create", "2", "-"),
            ("classify.create", "3", "200"),
            ("classify.get", "1", "200"),
        ],
    );

    // Two operations that are polled in turns have their own attempts.
    let both = async {
        let first = client.call(GetJob::new("clj-1"));
        let second = client.wait("clj-1");
        let (first, second) = futures_util::future::join(first, second).await;
        first.expect("a job");
        second.expect("a job");
    };
    transport.block_on(both);
    for operation in ["classify.get", "wait"] {
        let [(_, attempts)] = &spans.operations(operation)[..] else {
            panic!("one operation: {:?}", spans.all());
        };
        assert_attempts(attempts, &[("classify.get", "1", "200")]);
    }

    // The attempts of a blocking run are on other threads.
    let transport = |request: http::Request<RequestBody>, _: Budget| -> Reply {
        if request.uri().path().ends_with("/classify") {
            let page =
                r#"{"items": [{"id": "clj-1", "status": "RUNNING"}], "next_page_token": null}"#;
            return Ok(http::Response::new(page.into()));
        }
        Ok(job("clj-2", "COMPLETED"))
    };
    let client = blocking::Client::with_transport(transport, api());
    assert_eq!(client.list(ListJobs::new()).count(), 1);
    let [(_, attempts)] = &spans.operations("classify.list")[..] else {
        panic!("one operation: {:?}", spans.all());
    };
    assert_attempts(attempts, &[("classify.list", "1", "200")]);
    let outer = tracing::info_span!(target: "classify_test", "operation", operation = "outer");
    outer.in_scope(|| {
        let mut running = client.start(client.prepare(GetJob::new("clj-2")).expect("a seed"));
        let _stop = running.stop_handle();
        running.finish().expect("an output").expect("a job");
    });
    let [(_, attempts)] = &spans.operations("outer")[..] else {
        panic!("one operation: {:?}", spans.all());
    };
    assert_attempts(attempts, &[("classify.get", "1", "200")]);

    let all = format!("{:?}", spans.all());
    assert!(!all.contains("canary"), "{all}");
}
