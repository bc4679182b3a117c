//! A bulk run of a million documents in virtual time, without a network: CPU per document, and memory over time.
//!
//! `cargo bench -p classify-bench --bench bulk -- 1000000` (the number of documents; a million by default).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use classify_bench::{counting_allocator, process};
use classify_proto::machine::{
    Bulk, BulkEvent, BulkOptions, Context, HashedDocument, Limiter, Machine, Step, Ticket,
};
use classify_proto::v2::{Configuration, JobOptions, Rule};
use classify_proto::{Api, Body, RateClass, Seed, Time, http};

#[global_allocator]
static ALLOCATOR: counting_allocator::CountingAllocator = counting_allocator::CountingAllocator;

/// The virtual time of a job, and of a request.
const JOB_DURATION_MS: u64 = 20_000;
const LATENCY_MS: u64 = 50;

/// A minimal service: jobs by id, with the time of their end.
#[derive(Default)]
struct Service {
    created: u64,
    running: BTreeMap<String, u64>,
    creates: u64,
    lists: u64,
}

impl Service {
    fn respond(&mut self, request: &http::Request<Body>, now: u64) -> Bytes {
        if request.method() == http::Method::POST {
            self.creates += 1;
            self.created += 1;
            let id = format!("clj-{:08}", self.created);
            let body = format!(r#"{{"id":"{id}","status":"PENDING"}}"#);
            self.running.insert(id, now + JOB_DURATION_MS);
            return body.into();
        }
        self.lists += 1;
        let mut page = String::from(r#"{"items":["#);
        let query = request.uri().query().unwrap_or_default();
        for id in query
            .split('&')
            .filter_map(|pair| pair.strip_prefix("job_ids="))
        {
            let Some(ends_at) = self.running.get(id).copied() else {
                continue;
            };
            if !page.ends_with('[') {
                page.push(',');
            }
            let tail = if now >= ends_at {
                self.running.remove(id);
                r#""COMPLETED","result":{"type":"invoice","confidence":0.9,"reasoning":"the heading says invoice"}}"#
            } else {
                r#""RUNNING"}"#
            };
            let _ = write!(page, r#"{{"id":"{id}","status":{tail}"#);
        }
        page.push_str("]}");
        page.into()
    }
}

fn main() {
    let total: u64 = std::env::args()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(1_000_000);
    let api = Api::builder("llx-bench").build().expect("a valid key");
    let rules = Configuration::new([
        Rule::new("invoice", "has an invoice number"),
        Rule::new("receipt", "has a till number"),
    ]);
    // Above the published limits; otherwise a million documents would need seven hours of virtual polling.
    let limiter =
        Mutex::new(Limiter::unlimited().limit(RateClass::Create, 400, Duration::from_secs(1)));
    let template = JobOptions::from(rules);
    // Enough documents in flight that only the rate limits the run: 400 per second, each for 20 s and up to one poll
    // interval.
    let options = BulkOptions::default()
        .max_in_flight(12_000)
        .max_requests(64);
    let mut bulk = Bulk::new(&api, template, options, Seed::new([1; 16])).expect("good rules");

    let mut service = Service::default();
    let mut in_flight: BTreeMap<(u64, u64), (Ticket, Bytes)> = BTreeMap::new();
    let (mut now, mut sent, mut pushed, mut finished_count, mut journal, mut max_live_mb) =
        (1_700_000_000_000, 0, 0, 0_u64, 0, 0.0_f64);
    println!("documents   CPU µs/document   live MB   peak MB   requests");
    loop {
        let cx = Context::new(&api, Time::from_millis(now)).rate_limits(&limiter);
        match bulk.poll(cx) {
            Step::Send(ticket, request) => {
                sent += 1;
                let body = service.respond(&request, now);
                in_flight.insert((now + LATENCY_MS, sent), (ticket, body));
            }
            Step::Wait(until) => {
                let wake = until.map_or(u64::MAX, Time::as_millis);
                match in_flight.first_key_value().map(|((at, _), _)| *at) {
                    Some(at) if at <= wake => {
                        now = now.max(at);
                        if let Some((_, (ticket, body))) = in_flight.pop_first() {
                            let cx =
                                Context::new(&api, Time::from_millis(now)).rate_limits(&limiter);
                            bulk.handle(cx, ticket, Ok(http::Response::new(body)));
                        }
                    }
                    _ => now = wake,
                }
            }
            Step::Event(BulkEvent::NeedDocuments(capacity)) => {
                for _ in 0..capacity.min(usize::try_from(total - pushed).unwrap_or(usize::MAX)) {
                    pushed += 1;
                    bulk.push(HashedDocument::id(format!("dfl-{pushed:08}")));
                }
            }
            Step::Event(BulkEvent::Record(record)) => journal += record.to_line().len(),
            Step::Event(BulkEvent::Finished(_)) => {
                finished_count += 1;
                if finished_count % (total / 10).max(1) == 0 {
                    max_live_mb = max_live_mb.max(print_progress(finished_count, sent));
                }
            }
            Step::Event(_) => {}
            Step::Done(summary) => {
                println!("{summary:?}");
                println!(
                    "{} creates, {} lists, {} MB of journal",
                    service.creates,
                    service.lists,
                    journal / 1_000_000
                );
                let row = |label, value| {
                    println!("| {total} documents in virtual time: {label} | {value} | | |");
                };
                row(
                    "processor time of each",
                    format!("{:.1} µs", cpu_micros_per_document(total)),
                );
                row("requests", sent.to_string());
                row("peak memory", format!("{max_live_mb:.0} MB"));
                return;
            }
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the figures are printed for people"
)]
fn cpu_micros_per_document(documents: u64) -> f64 {
    process::cpu_time().as_secs_f64() * 1e6 / documents.max(1) as f64
}

/// Prints the progress of the run. Returns the peak of the megabytes in use since the last call.
#[expect(
    clippy::cast_precision_loss,
    reason = "the figures are printed for people"
)]
fn print_progress(documents: u64, sent: u64) -> f64 {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let peak = megabytes(counting_allocator::peak());
    println!(
        "{documents:>9}   {:>15.1}   {:>7.1}   {peak:>7.1}   {sent:>8}",
        cpu_micros_per_document(documents),
        megabytes(counting_allocator::live()),
    );
    peak
}
