//! A long run in virtual time, which holds no more at its end than in its middle.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::Bytes;

use super::{Bulk, BulkEvent, BulkOptions, DocumentStatus, HashedDocument};
use crate::Time;
use crate::api::Api;
use crate::body::Body;
use crate::machine::context::Context;
use crate::machine::step::{Machine, Step};
use crate::seed::Seed;
use crate::v2::{Configuration, JobOptions, Rule};

const DOCUMENTS: u32 = 50_000;
const IN_FLIGHT: usize = 400;
const CACHED: usize = 200;
/// How many milliseconds a job takes, and a request.
const JOB: u64 = 5_000;
const LATENCY: u64 = 50;

/// The least of a service: files are forgotten, and so are jobs that were seen to have ended.
#[derive(Default)]
struct Service {
    files: u32,
    jobs: u32,
    ends: BTreeMap<String, u64>,
}

impl Service {
    fn answer(&mut self, request: &http::Request<Body>, now: u64) -> Bytes {
        match (request.method().as_str(), request.uri().path()) {
            ("POST", "/api/v1/beta/files") => {
                self.files += 1;
                format!(r#"{{"id":"dfl-{}","name":"x"}}"#, self.files).into()
            }
            ("POST", _) => {
                self.jobs += 1;
                let id = format!("clj-{}", self.jobs);
                let answer = format!(r#"{{"id":"{id}","status":"PENDING"}}"#);
                self.ends.insert(id, now + JOB);
                answer.into()
            }
            _ => self.list(request.uri().query().unwrap_or_default(), now),
        }
    }

    fn list(&mut self, query: &str, now: u64) -> Bytes {
        let mut page = String::from(r#"{"items":["#);
        let asked = query
            .split('&')
            .filter_map(|pair| pair.strip_prefix("job_ids="));
        for id in asked {
            let comma = if page.ends_with('[') { "" } else { "," };
            let rest = if now >= self.ends[id] {
                r#""COMPLETED","result":{"type":"invoice","confidence":0.9}}"#
            } else {
                r#""RUNNING"}"#
            };
            let _ = write!(page, r#"{comma}{{"id":"{id}","status":{rest}"#);
        }
        page.push_str("]}");
        page.into()
    }
}

impl Bulk {
    /// The sizes of all collections that grow with the documents in flight, and of those kept for finished documents.
    fn collection_sizes(&self) -> [(&'static str, usize); 9] {
        let (reports, payment_states) = self.report_cache.sizes();
        [
            ("documents", self.documents.len()),
            ("keys", self.by_key.len()),
            ("extra names", self.extra_names),
            (
                "waiting",
                self.to_upload.len() + self.to_create.len() + self.backing_off.len(),
            ),
            ("open jobs", self.poller.open()),
            ("under way", self.in_flight.len()),
            ("events", self.events.len()),
            ("reports", reports),
            ("payment_states", payment_states),
        ]
    }
}

/// The document at a place: every fifth is a copy, of its neighbour or of one that was forgotten long ago.
fn document(index: u32) -> HashedDocument {
    let content = match index % 10 {
        4 => index - 1,
        9 => index / 2 / 10 * 10,
        _ => index,
    };
    if content % 2 == 0 {
        HashedDocument::id(format!("dfl-held-{content}"))
    } else {
        HashedDocument::bytes(format!("{index}.txt"), format!("document {content}"))
    }
}

#[test]
fn memory_of_bulk_run_is_bounded_by_in_flight_and_report_cache() {
    let api = Api::builder("llx-key").build().unwrap();
    let rules = Configuration::new([Rule::new("invoice", "has an invoice number")]);
    let options = BulkOptions::default()
        .max_in_flight(IN_FLIGHT)
        .report_cache_size(CACHED);
    let job_options = JobOptions::from(rules);
    let mut bulk = Bulk::new(&api, job_options, options, Seed::new([1; 16])).unwrap();
    let mut service = Service::default();
    let mut out = BTreeMap::new();
    let (mut now, mut sent, mut pushed, mut names) = (1_700_000_000_000, 0_u64, 0, 0);
    let mut most: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    let summary = loop {
        let cx = Context::new(&api, Time::from_millis(now));
        match bulk.poll(cx) {
            Step::Send(ticket, request) => {
                sent += 1;
                let body = service.answer(&request, now);
                out.insert((now + LATENCY, sent), (ticket, body));
            }
            Step::Wait(until) => {
                let wake = until.map_or(u64::MAX, Time::as_millis);
                let next = out.first_key_value().map(|((at, _), _)| *at);
                now = next.map_or(wake, |at| at.min(wake));
                if next == Some(now) {
                    let (_, (ticket, body)) = out.pop_first().unwrap();
                    let cx = Context::new(&api, Time::from_millis(now));
                    bulk.handle(cx, ticket, Ok(http::Response::new(body)));
                }
            }
            Step::Event(BulkEvent::NeedDocuments(capacity)) => {
                let end = DOCUMENTS.min(pushed + u32::try_from(capacity).unwrap());
                (pushed..end).for_each(|index| bulk.push(document(index)));
                pushed = end;
            }
            Step::Event(BulkEvent::Finished(finished)) => {
                names += finished.names.len();
                let half = usize::from(pushed > DOCUMENTS / 2);
                for (what, count) in bulk.collection_sizes() {
                    let most = most.entry(what).or_default();
                    most[half] = most[half].max(count);
                }
            }
            Step::Event(_) => {}
            Step::Done(summary) => break summary,
        }
    };
    assert_eq!(names, DOCUMENTS as usize);
    assert_eq!(
        summary.documents(),
        summary.count(&DocumentStatus::Completed)
    );
    for (what, [first, second]) in most {
        // Three records or events for a document on its way, at the very most.
        let bound = match what {
            "reports" => CACHED,
            "events" => 4 * IN_FLIGHT,
            "payment_states" => 0,
            _ => IN_FLIGHT,
        };
        assert!(
            first <= bound && second <= bound,
            "{what}: {first}, then {second}"
        );
    }
    assert!(
        bulk.collection_sizes()
            .iter()
            .all(|(what, count)| *what == "reports" || *count == 0)
    );
}
