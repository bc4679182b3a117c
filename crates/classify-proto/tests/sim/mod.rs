//! A simulated service without IO, and the loop that runs a machine against it in virtual time.
//!
//! The loop holds every machine to the rules of `classify_proto::machine::Machine` at every step, so a test that uses
//! it checks them whether it means to or not.

#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod bulk_harness;
pub(crate) mod fed;
pub(crate) mod v1;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;

use classify_proto::machine::{Context, Limiter, Machine, ResponseDeadline, Saved, Step, Ticket};
use classify_proto::{Api, Body, Bytes, Failure, Reply, Time, http};
use serde_json::{Value, json};

pub(crate) const KEY: &str = "llx-canary-key";

pub(crate) fn api() -> Api {
    Api::builder(KEY)
        .base_url("https://service.example")
        .build()
        .unwrap()
}

/// The fault of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    NoConnection,
    LostBeforeActing,
    LostAfterActing,
    Http503,
    Http500AfterActing,
    Http429,
    Http429WithDelay,
    Http502Html,
    CutBodyAfterActing,
    /// No answer ever comes, and no failure either.
    Silence,
    SilenceAfterActing,
    /// The transport will not send it: a certificate of nobody's, no TLS.
    Refused,
    /// A captive portal answers in place of the service.
    CaptivePortal,
    /// A firewall answers with a 422 in HTML.
    FirewallPage,
    /// The body cannot be read, so that nothing is sent.
    Unreadable,
}

impl Fault {
    /// Whether nothing comes back, so that a call waits for a quarter of an hour.
    pub(crate) fn is_silence(self) -> bool {
        matches!(self, Self::Silence | Self::SilenceAfterActing)
    }
}

/// How many silent calls outlast the two hours that a wait has.
pub(crate) const SILENT_FOR_TOO_LONG: usize = 8;

/// Transient faults.
pub(crate) const FAULTS: [Fault; 12] = [
    Fault::None,
    Fault::NoConnection,
    Fault::LostBeforeActing,
    Fault::LostAfterActing,
    Fault::Http503,
    Fault::Http500AfterActing,
    Fault::Http429,
    Fault::Http429WithDelay,
    Fault::Http502Html,
    Fault::CutBodyAfterActing,
    Fault::Silence,
    Fault::SilenceAfterActing,
];

#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) file_input: String,
    pub(crate) transaction_id: Option<String>,
    pub(crate) configuration: Value,
    pub(crate) created: u64,
    pub(crate) cancelled: bool,
    pub(crate) fails: bool,
}

/// The service's state, moved by requests and by the time they come.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a whim of the service's, and any of them may come with any other"
)]
pub(crate) struct Service {
    pub(crate) jobs: Vec<Job>,
    pub(crate) deleted: BTreeSet<String>,
    /// Whether a create with the transaction id of a deleted job creates another job.
    pub(crate) frees_deleted: bool,
    pub(crate) files: Vec<Vec<u8>>,
    /// Saved configurations by their id.
    pub(crate) saved: BTreeMap<String, Value>,
    /// Milliseconds until a job has ended.
    pub(crate) duration: u64,
    /// Whether jobs end as failed.
    pub(crate) failing: bool,
    /// The jobs, numbered from 1, that end as failed whatever the others do.
    pub(crate) failing_jobs: BTreeSet<usize>,
    /// Whether jobs end without a match.
    pub(crate) matching_nothing: bool,
    /// The faults of the next requests; later requests have none.
    pub(crate) faults: VecDeque<Fault>,
    /// The faults of the next requests of one [`route`]; they take precedence over `faults`.
    pub(crate) route_faults: BTreeMap<&'static str, VecDeque<Fault>>,
    /// Method and path of every request that reached the service or tried to.
    pub(crate) log: Vec<String>,
    /// Every transaction id that was asked for.
    pub(crate) transactions: Vec<String>,
    /// How many jobs a page holds at most, whatever is asked for.
    pub(crate) page_size: usize,
    /// Jobs that no list shows.
    pub(crate) hidden: BTreeSet<String>,
    /// The status of every response to a create while this is set.
    pub(crate) refuses: Option<u16>,
    /// The message of these responses.
    pub(crate) refusal: &'static str,
    /// The statuses of the next responses to creates with a transaction id that is already known.
    pub(crate) refuses_repeats: VecDeque<u16>,
    /// From this many jobs on and until this time, creates are answered with 503 and asked to wait for ten minutes.
    pub(crate) busy: Option<(usize, u64)>,
    /// The status of the response to a cancel of a job that has ended.
    pub(crate) refuses_cancels: u16,
    /// The job id, and the status of the response to every list that requests it.
    pub(crate) refuses_lists_of: Option<(String, u16)>,
    /// Whether lists leave out the prefix of an id, and whether gets write it in capitals without.
    pub(crate) bare_in_lists: bool,
    pub(crate) bare_in_gets: bool,
    /// Whether every list and get is answered with 401 once a create was refused.
    pub(crate) unreadable_once_refused: bool,
    /// Whether a create was refused.
    pub(crate) has_refused: bool,
    /// The place of the job of a transaction id.
    pub(crate) by_transaction: BTreeMap<String, usize>,
    /// Pages that replace the jobs: (items, next token) by `page_token`.
    pub(crate) pages: BTreeMap<String, (Vec<String>, Option<String>)>,
    /// The routes of v1, and the list of files.
    pub(crate) v1: v1::V1Service,
}

impl Default for Service {
    fn default() -> Self {
        Self {
            jobs: Vec::new(),
            deleted: BTreeSet::new(),
            frees_deleted: false,
            files: Vec::new(),
            saved: BTreeMap::new(),
            duration: 0,
            failing: false,
            failing_jobs: BTreeSet::new(),
            matching_nothing: false,
            faults: VecDeque::new(),
            route_faults: BTreeMap::new(),
            log: Vec::new(),
            transactions: Vec::new(),
            page_size: 100,
            hidden: BTreeSet::new(),
            refuses: None,
            refusal: "refused",
            refuses_repeats: VecDeque::new(),
            busy: None,
            refuses_cancels: 409,
            refuses_lists_of: None,
            bare_in_lists: false,
            bare_in_gets: false,
            unreadable_once_refused: false,
            has_refused: false,
            by_transaction: BTreeMap::new(),
            pages: BTreeMap::new(),
            v1: v1::V1Service::default(),
        }
    }
}

impl Service {
    pub(crate) fn status(&self, job: &Job, now: u64) -> &'static str {
        let age = now - job.created;
        match () {
            () if job.cancelled => "CANCELLED",
            () if age < self.duration / 2 => "PENDING",
            () if age < self.duration => "RUNNING",
            () if job.fails || self.failing => "FAILED",
            () => "COMPLETED",
        }
    }

    fn show(&self, job: &Job, now: u64) -> Value {
        let status = self.status(job, now);
        let mut shown = json!({
            "id": job.id, "status": status, "file_input": job.file_input, "configuration": job.configuration,
            "transaction_id": job.transaction_id, "project_id": "p", "user_id": "u",
        });
        if status == "COMPLETED" {
            let r#type = (!self.matching_nothing).then_some("invoice");
            shown["result"] = json!({"type": r#type, "confidence": 0.75, "reasoning": "because"});
        }
        if status == "FAILED" {
            shown["error_message"] = json!("PDF_IS_BROKEN");
        }
        shown
    }

    /// Answers a request as the service would, with the fault that is due; `None` for silence.
    pub(crate) fn answer(&mut self, request: &http::Request<Body>, now: u64) -> Option<Reply> {
        self.log
            .push(format!("{} {}", request.method(), request.uri().path()));
        assert!(request.headers()["authorization"].is_sensitive());
        let of_route = self.route_faults.get_mut(&*route(request));
        let fault = of_route
            .and_then(VecDeque::pop_front)
            .or_else(|| self.faults.pop_front());
        let reply = match fault.unwrap_or(Fault::None) {
            Fault::None => Ok(self.act(request, now)),
            Fault::NoConnection => Err(Failure::connect("connection refused")),
            Fault::LostBeforeActing => Err(Failure::broken("reset by peer")),
            Fault::LostAfterActing => {
                self.act(request, now);
                Err(Failure::timeout("60 s passed"))
            }
            Fault::Http503 => Ok(respond(503, &json!({"detail": "later"}))),
            Fault::Http500AfterActing => {
                self.act(request, now);
                Ok(respond(500, &json!({"detail": "oops"})))
            }
            Fault::Http429 => Ok(respond(429, &json!({"detail": "Too many requests"}))),
            Fault::Http429WithDelay => {
                let mut response = respond(429, &json!({"detail": "Too many requests"}));
                response
                    .headers_mut()
                    .insert("retry-after", "3".parse().unwrap());
                Ok(response)
            }
            Fault::Http502Html => {
                let mut response =
                    http::Response::new(Bytes::from_static(b"<html><title>502</title>"));
                *response.status_mut() = http::StatusCode::BAD_GATEWAY;
                Ok(response)
            }
            Fault::CutBodyAfterActing => {
                let whole = self.act(request, now);
                let half = whole.body().slice(..whole.body().len() / 2);
                Ok(whole.map(|_| half))
            }
            Fault::Silence => return None,
            Fault::SilenceAfterActing => {
                self.act(request, now);
                return None;
            }
            Fault::CaptivePortal => Ok(http::Response::new(Bytes::from_static(
                b"<!DOCTYPE html><title>Sign in to Wi-Fi</title>",
            ))),
            Fault::FirewallPage => {
                let page = Bytes::from_static(b"<html><title>Blocked</title></html>");
                let response = http::Response::builder().status(422);
                Ok(response.body(page).unwrap())
            }
            Fault::Refused => Err(Failure::refused("TLS: the certificate is nobody's")),
            Fault::Unreadable => Err(Failure::content("the file is gone")),
        };
        Some(reply)
    }

    fn act(&mut self, request: &http::Request<Body>, now: u64) -> http::Response<Bytes> {
        let path = request.uri().path().to_owned();
        let segments: Vec<_> = path.trim_start_matches('/').split('/').collect();
        let body = request.body().in_memory().unwrap_or_default();
        if self.unreadable_once_refused && self.has_refused && request.method() == http::Method::GET
        {
            return respond(401, &json!({"detail": "no"}));
        }
        match (request.method().as_str(), &segments[..]) {
            ("POST", ["api", "v1", "beta", "files"]) => {
                self.files.push(body.to_vec());
                respond(
                    201,
                    &json!({"id": format!("dfl-{}", self.files.len()), "name": "x"}),
                )
            }
            ("POST", ["api", "v2", "classify"]) => {
                self.create(&serde_json::from_slice(&body).unwrap(), now)
            }
            ("GET", ["api", "v1", "beta", "configurations", id]) => match self.saved.get(*id) {
                Some(configuration) => {
                    let mut parameters = configuration.clone();
                    parameters["product_type"] = json!("classify_v2");
                    respond(
                        200,
                        &json!({"id": id, "product_type": "classify_v2", "parameters": parameters}),
                    )
                }
                None => respond(404, &json!({"detail": "Configuration not found"})),
            },
            ("GET", ["api", "v2", "classify"]) => {
                self.list(request.uri().query().unwrap_or_default(), now)
            }
            ("GET", ["api", "v2", "classify", id]) => match self.find(id) {
                Some(job) if !self.deleted.contains(*id) => {
                    let mut shown = self.show(job, now);
                    if self.bare_in_gets {
                        shown["id"] = json!(bare(&job.id).to_uppercase());
                    }
                    respond(200, &shown)
                }
                _ => respond(404, &json!({"detail": "Job not found"})),
            },
            ("POST", ["api", "v2", "classify", id, "cancel"]) => {
                let Some(place) = self.jobs.iter().position(|job| job.id == *id) else {
                    return respond(404, &json!({"detail": "Job not found"}));
                };
                if matches!(
                    self.status(&self.jobs[place], now),
                    "COMPLETED" | "FAILED" | "CANCELLED"
                ) {
                    return respond(self.refuses_cancels, &json!({"detail": "Job has ended"}));
                }
                self.jobs[place].cancelled = true;
                respond(200, &self.show(&self.jobs[place], now))
            }
            ("DELETE", ["api", "v2", "classify", id]) => {
                let known = self.jobs.iter().any(|job| job.id == *id);
                if !known || !self.deleted.insert((*id).to_owned()) {
                    return respond(404, &json!({"detail": "Job not found"}));
                }
                respond(200, &json!({"id": id, "project_id": "p"}))
            }
            (method, segments) => {
                let query = request.uri().query().unwrap_or_default();
                self.v1.act(method, segments, query, &body, now)
            }
        }
    }

    fn create(&mut self, asked: &Value, now: u64) -> http::Response<Bytes> {
        let transaction_id = asked["transaction_id"].as_str().map(str::to_owned);
        self.transactions.extend(transaction_id.clone());
        let first = transaction_id
            .as_ref()
            .and_then(|id| self.by_transaction.get(id))
            .filter(|job| !self.frees_deleted || !self.deleted.contains(&self.jobs[**job].id));
        if let Some(first) = first {
            if let Some(status) = self.refuses_repeats.pop_front() {
                return respond(status, &json!({"detail": "refused, this time"}));
            }
            return respond(200, &self.show(&self.jobs[*first], now));
        }
        if self
            .busy
            .is_some_and(|(jobs, until)| self.jobs.len() >= jobs && now < until)
        {
            let mut response = respond(503, &json!({"detail": "come back later"}));
            let later = http::HeaderValue::from_static("600");
            response.headers_mut().insert("retry-after", later);
            return response;
        }
        if let Some(status) = self.refuses {
            self.has_refused = true;
            return respond(status, &json!({"detail": self.refusal}));
        }
        if let Some(id) = &transaction_id {
            self.by_transaction.insert(id.clone(), self.jobs.len());
        }
        let job = Job {
            id: format!("clj-{}", self.jobs.len() + 1),
            file_input: asked["file_input"].as_str().unwrap().to_owned(),
            transaction_id,
            configuration: match asked["configuration_id"].as_str() {
                Some(id) => self.saved.get(id).cloned().unwrap_or_default(),
                None => asked["configuration"].clone(),
            },
            created: now,
            cancelled: false,
            fails: self.failing_jobs.contains(&(self.jobs.len() + 1)),
        };
        self.jobs.push(job);
        respond(200, &self.show(&self.jobs[self.jobs.len() - 1], now))
    }

    fn list(&self, query: &str, now: u64) -> http::Response<Bytes> {
        let values = |name: &str| {
            query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .filter(|(given, _)| *given == name)
                .map(|(_, value)| value.to_owned())
                .collect::<Vec<_>>()
        };
        let token = values("page_token").pop().unwrap_or_default();
        let ids = values("job_ids");
        if let Some((id, status)) = &self.refuses_lists_of {
            if ids.contains(id) {
                return respond(*status, &json!({"detail": "refused"}));
            }
        }
        if ids.is_empty() {
            let (ids, next) = self
                .pages
                .get(&token)
                .unwrap_or_else(|| panic!("no page {token:?}"));
            let items: Vec<_> = ids
                .iter()
                .map(|id| json!({"id": id, "status": "PENDING"}))
                .collect();
            return respond(200, &json!({"items": items, "next_page_token": next}));
        }
        let size = self.page_size.min(
            values("page_size")
                .pop()
                .map_or(20, |size| size.parse().unwrap()),
        );
        let start: usize = token.parse().unwrap_or_default();
        let found: Vec<_> = ids
            .iter()
            .filter(|id| !self.hidden.contains(*id) && !self.deleted.contains(*id))
            .filter_map(|id| self.find(id))
            .collect();
        let end = (start + size).min(found.len());
        let items: Vec<_> = found[start.min(end)..end]
            .iter()
            .map(|job| {
                let mut shown = self.show(job, now);
                if self.bare_in_lists {
                    shown["id"] = json!(bare(&job.id));
                }
                shown
            })
            .collect();
        let next = (end < found.len()).then(|| end.to_string());
        respond(200, &json!({"items": items, "next_page_token": next}))
    }

    /// Jobs are numbered in the order of their creation.
    fn find(&self, id: &str) -> Option<&Job> {
        let number: usize = id.strip_prefix("clj-")?.parse().ok()?;
        self.jobs.get(number.checked_sub(1)?)
    }
}

fn bare(id: &str) -> &str {
    id.strip_prefix("clj-").unwrap_or(id)
}

/// Method and path of a request, with `*` for the id of a job.
fn route(request: &http::Request<Body>) -> String {
    let path = request.uri().path();
    let path = match path.split_once("/clj-") {
        None => path.to_owned(),
        Some((before, after)) => {
            let rest = after.find('/').map_or("", |place| &after[place..]);
            format!("{before}/*{rest}")
        }
    };
    format!("{} {path}", request.method())
}

pub(crate) fn respond(status: u16, body: &Value) -> http::Response<Bytes> {
    http::Response::builder()
        .status(status)
        .body(Bytes::from(body.to_string()))
        .unwrap()
}

/// Runs machines in virtual time.
pub(crate) struct Simulation {
    pub(crate) api: Api,
    pub(crate) service: Service,
    pub(crate) now: u64,
    /// Milliseconds from a request to its reply.
    pub(crate) latency: u64,
    /// How many more it may be, drawn for each request, so that replies overtake each other.
    pub(crate) spread: u64,
    /// How many milliseconds too late a machine is polled that waited for a time.
    pub(crate) oversleeps: u64,
    /// How many milliseconds pass between a crash and the process that takes its state up.
    pub(crate) away: u64,
    /// Held to by every request, where there is one.
    pub(crate) limiter: Option<Mutex<Limiter>>,
    /// When each request was sent, and what it was.
    pub(crate) sent: Vec<(u64, String)>,
    out: Vec<(u64, Ticket, Reply)>,
    steps: u32,
}

impl Simulation {
    pub(crate) fn new(service: Service) -> Self {
        Self {
            api: api(),
            service,
            now: 1_700_000_000_000,
            latency: 40,
            spread: 0,
            oversleeps: 0,
            away: 0,
            limiter: None,
            sent: Vec::new(),
            out: Vec::new(),
            steps: 0,
        }
    }

    /// Runs a machine to its end, without leaving it.
    pub(crate) fn run<M: Machine>(&mut self, machine: &mut M) -> (Vec<M::Event>, M::Output) {
        let mut events = Vec::new();
        loop {
            if let Some(output) = self.step(machine, &mut events) {
                return (events, output);
            }
        }
    }

    /// Runs a machine to its end, and at each of these steps saves it, throws it away with every reply that is owed,
    /// and loads it into a new process.
    pub(crate) fn run_with_crashes<M: Saved>(
        &mut self,
        mut machine: M,
        crashes: &BTreeSet<u32>,
    ) -> (Vec<M::Event>, M::Output) {
        let mut events = Vec::new();
        let mut steps = 0;
        loop {
            if crashes.contains(&steps) {
                let saved = machine.save().unwrap();
                assert!(!saved.contains("canary"), "a secret was saved: {saved}");
                machine = M::load(&saved).unwrap();
                self.out.clear();
                self.now += self.away;
            }
            steps += 1;
            if let Some(output) = self.step(&mut machine, &mut events) {
                return (events, output);
            }
        }
    }

    /// Runs a machine to its end; at each of these steps every reply that is owed is lost, and the same machine goes on.
    pub(crate) fn run_with_losses<M: Machine>(
        &mut self,
        machine: &mut M,
        losses: &BTreeSet<u32>,
    ) -> (Vec<M::Event>, M::Output) {
        let mut events = Vec::new();
        let mut steps = 0;
        loop {
            if losses.contains(&steps) {
                self.out.clear();
                machine.resume();
            }
            steps += 1;
            if let Some(output) = self.step(machine, &mut events) {
                return (events, output);
            }
        }
    }

    /// Throws away every reply that is owed, as a crash does.
    pub(crate) fn crash(&mut self) {
        self.out.clear();
    }

    fn lend<'a>(api: &'a Api, limiter: Option<&'a Mutex<Limiter>>, now: u64) -> Context<'a> {
        let cx = Context::new(api, Time::from_millis(now));
        limiter.map_or(cx, |limiter| cx.rate_limits(limiter))
    }

    /// One poll, with the rules checked, and the reply or the time that follows from it.
    pub(crate) fn step<M: Machine>(
        &mut self,
        machine: &mut M,
        events: &mut Vec<M::Event>,
    ) -> Option<M::Output> {
        self.steps += 1;
        assert!(self.steps < 2_000_000, "the machine does not end");
        let api = self.api.clone();
        let now = Time::from_millis(self.now);
        match machine.poll(Self::lend(&api, self.limiter.as_ref(), self.now)) {
            Step::Send(ticket, request) => {
                assert!(
                    self.out.iter().all(|(_, other, _)| *other != ticket),
                    "{ticket} is out already"
                );
                let ResponseDeadline(by) = request
                    .extensions()
                    .get()
                    .expect("every request says how long to wait");
                assert!(*by > now);
                self.sent.push((
                    self.now,
                    format!("{} {}", request.method(), request.uri().path()),
                ));
                if let Some(reply) = self.service.answer(&request, self.now) {
                    let at = self.now + self.latency + self.draw() % (self.spread + 1);
                    self.out.push((at, ticket, reply));
                }
            }
            Step::Event(event) => events.push(event),
            Step::Done(output) => {
                let after = machine.poll(Context::new(&api, now));
                assert!(
                    matches!(after, Step::Wait(None)),
                    "something came after the end"
                );
                self.out.clear();
                return Some(output);
            }
            Step::Wait(until) => {
                assert!(
                    until.is_none_or(|until| until > now),
                    "a wait that is over: {until:?} at {now}"
                );
                assert!(
                    until.is_some() || !self.out.is_empty(),
                    "a wait for nothing"
                );
                self.stays_put(machine, until);
                self.advance(machine, until);
            }
        }
        None
    }

    /// A number that differs from request to request and is the same in every run.
    fn draw(&self) -> u64 {
        let sent = u64::try_from(self.sent.len()).unwrap();
        (sent + 1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29)
            >> 3
    }

    /// Polling again at the same time changes nothing, and neither does a reply that nobody asked for.
    fn stays_put<M: Machine>(&self, machine: &mut M, until: Option<Time>) {
        let cx = Self::lend(&self.api, self.limiter.as_ref(), self.now);
        let again = |machine: &mut M| match machine.poll(cx) {
            Step::Wait(again) => assert_eq!(again, until, "polling again changed the wait"),
            _ => panic!("polling again did something"),
        };
        again(machine);
        let stray = stray_ticket();
        machine.handle(
            cx,
            stray,
            Ok(respond(200, &json!({"id": "stray", "status": "COMPLETED"}))),
        );
        again(machine);
    }

    fn advance<M: Machine>(&mut self, machine: &mut M, until: Option<Time>) {
        let next_reply = self
            .out
            .iter()
            .enumerate()
            .min_by_key(|(_, (at, _, _))| *at)
            .map(|(place, (at, _, _))| (place, *at));
        let wake = until.map_or(u64::MAX, Time::as_millis);
        match next_reply {
            Some((place, at)) if at <= wake => {
                let (_, ticket, reply) = self.out.remove(place);
                self.now = self.now.max(at);
                let cx = Self::lend(&self.api, self.limiter.as_ref(), self.now);
                machine.handle(cx, ticket, reply);
            }
            _ => self.now = wake + self.oversleeps,
        }
    }
}

/// A ticket that no machine has given out.
fn stray_ticket() -> Ticket {
    serde_json::from_str("18446744073709551615").unwrap()
}
