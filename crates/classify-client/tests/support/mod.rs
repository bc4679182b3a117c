//! A service in memory, and an async transport to it whose time and replies a test controls.

#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::io::Read as _;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use classify_client::{BlockingExecutor, Budget, RequestBody, Transport};
use classify_proto::machine::{ContentKey, HashedDocument};
use classify_proto::v2::{Configuration, CreateJob, Rule};
use classify_proto::{Api, Bytes, Error, Failure, Reply, Seed, Time, http};
use http_body::Body as _;
use serde_json::{Value, json};

/// A key that no output may contain.
pub(crate) const KEY: &str = "llx-canary-key";

pub(crate) fn api() -> Api {
    Api::builder(KEY)
        .base_url("https://service.example")
        .header("x-other", "canary-header")
        .project("canary-project")
        .build()
        .expect("an api")
}

pub(crate) fn create(file: impl Into<String>) -> CreateJob {
    CreateJob::new(file, rules())
}

pub(crate) fn rules() -> Configuration {
    Configuration::new([Rule::new("invoice", "has an invoice number")])
}

pub(crate) fn document(number: usize) -> HashedDocument {
    HashedDocument::bytes(format!("{number}.txt"), format!("Invoice {number}"))
}

/// Returns the document in the file at `path`, under the name `file`.
pub(crate) fn file_document(path: &std::path::Path) -> HashedDocument {
    let key = ContentKey::of(&std::fs::read(path).expect("a file"));
    HashedDocument::path("file", path, key).expect("a name")
}

pub(crate) fn respond(status: u16, body: &Value) -> http::Response<Bytes> {
    http::Response::builder()
        .status(status)
        .body(Bytes::from(body.to_string()))
        .expect("a response")
}

/// An error response that repeats the request's key.
fn rejection(status: u16) -> http::Response<Bytes> {
    let mut response = respond(status, &json!({"detail": format!("not now, {KEY}")}));
    let id = http::HeaderValue::from_static("req-7");
    response.headers_mut().insert("x-request-id", id);
    response
}

pub(crate) fn job(id: &str, status: &str) -> http::Response<Bytes> {
    respond(200, &json!({"id": id, "status": status}))
}

#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) transaction_id: String,
    created: Time,
}

/// The service: files, jobs, and one job for each transaction id.
#[derive(Debug, Default)]
pub(crate) struct Service {
    pub(crate) jobs: Vec<Job>,
    pub(crate) files: usize,
    /// The virtual time that a job takes.
    pub(crate) duration: Duration,
    /// The method and path of every request that the service processed.
    pub(crate) log: Vec<String>,
}

impl Service {
    pub(crate) fn act(
        &mut self,
        request: &http::Request<Bytes>,
        now: Time,
    ) -> http::Response<Bytes> {
        let path = request.uri().path().to_owned();
        self.log.push(format!("{} {path}", request.method()));
        let segments: Vec<_> = path.trim_start_matches('/').split('/').collect();
        match (request.method().as_str(), &segments[..]) {
            ("POST", ["api", "v1", "beta", "files"]) => {
                self.files += 1;
                respond(
                    200,
                    &json!({"id": format!("dfl-{}", self.files), "name": "x"}),
                )
            }
            ("POST", ["api", "v2", "classify"]) => {
                let body: Value = serde_json::from_slice(request.body()).expect("JSON");
                let transaction_id = body["transaction_id"].as_str().expect("an id").to_owned();
                let known = self
                    .jobs
                    .iter()
                    .position(|job| job.transaction_id == transaction_id);
                let index = known.unwrap_or_else(|| {
                    self.jobs.push(Job {
                        transaction_id,
                        created: now,
                    });
                    self.jobs.len() - 1
                });
                respond(200, &self.show(index, now))
            }
            ("GET", ["api", "v2", "classify"]) => {
                let ids = request.uri().query().unwrap_or_default().split('&');
                let items: Vec<_> = ids
                    .filter_map(|pair| pair.strip_prefix("job_ids="))
                    .map(|id| self.show(index_of(id), now))
                    .collect();
                respond(200, &json!({"items": items, "next_page_token": null}))
            }
            ("GET", ["api", "v2", "classify", id]) => respond(200, &self.show(index_of(id), now)),
            other => panic!("no route {other:?}"),
        }
    }

    fn show(&self, index: usize, now: Time) -> Value {
        let id = format!("clj-{}", index + 1);
        if now.since(self.jobs[index].created) < self.duration {
            return json!({"id": id, "status": "RUNNING"});
        }
        let result = json!({"type": "invoice", "confidence": 0.75, "reasoning": "because"});
        json!({"id": id, "status": "COMPLETED", "result": result})
    }

    pub(crate) fn count(&self, line: &str) -> usize {
        self.log.iter().filter(|logged| *logged == line).count()
    }
}

fn index_of(id: &str) -> usize {
    let number: usize = id
        .strip_prefix("clj-")
        .expect("an id")
        .parse()
        .expect("a number");
    number - 1
}

/// Blocking work that waits until a test runs it.
#[derive(Clone, Default)]
pub(crate) struct Deferred(Arc<Mutex<Vec<Work>>>);

type Work = Box<dyn FnOnce() + Send>;

impl Deferred {
    pub(crate) fn run_all(&self) {
        let work = std::mem::take(&mut *self.0.lock().expect("a queue"));
        for work in work {
            work();
        }
    }
}

/// A request that was written and whose reply has not been taken.
pub(crate) struct Slot {
    pub(crate) request: http::Request<Bytes>,
    pub(crate) budget: Budget,
    reply: Option<Reply>,
    waker: Option<Waker>,
}

pub(crate) struct TestService {
    pub(crate) now: Time,
    pub(crate) service: Service,
    /// Requests in flight.
    pub(crate) slots: BTreeMap<u64, Slot>,
    timers: BTreeMap<u64, (Time, Option<Waker>)>,
    next_id: u64,
    /// The number of requests that were written.
    pub(crate) sent: usize,
    /// The largest number of requests in flight.
    pub(crate) most_in_flight: usize,
    /// Whether exchanges continue while they are not polled.
    pub(crate) has_background: bool,
    /// The number of polls that an exchange takes after its reply has come.
    pub(crate) extra_polls: u32,
    /// The virtual time that each frame of a body takes.
    pub(crate) frame_time: Duration,
    /// The queue of blocking work. Without one, work is done immediately.
    pub(crate) deferred: Option<Deferred>,
    /// The fates of the next requests of [`SimTransport::block_on`]. Later requests are answered.
    pub(crate) fates: VecDeque<Fate>,
}

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Answered,
    NoConnection,
    LostBeforeActing,
    LostAfterActing,
    Http503,
    /// With this many seconds in `Retry-After`.
    Http429(u32),
}

impl TestService {
    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Lets the service act on a request in flight, and passes the reply on. Does nothing if it has its reply.
    pub(crate) fn reply(&mut self, id: u64, fate: Fate) {
        let Self {
            service,
            slots,
            now,
            ..
        } = self;
        let Some(slot) = slots.get_mut(&id) else {
            return;
        };
        if slot.reply.is_some() {
            return;
        }
        slot.reply = Some(match fate {
            Fate::Answered => Ok(service.act(&slot.request, *now)),
            Fate::NoConnection => Err(Failure::connect("connection refused")),
            Fate::LostBeforeActing => Err(Failure::broken("reset by peer")),
            Fate::LostAfterActing => {
                service.act(&slot.request, *now);
                Err(Failure::broken("reset by peer"))
            }
            Fate::Http503 => Ok(rejection(503)),
            Fate::Http429(seconds) => {
                let mut response = rejection(429);
                response.headers_mut().insert("retry-after", seconds.into());
                Ok(response)
            }
        });
        if let Some(waker) = slot.waker.take() {
            waker.wake();
        }
    }

    /// Lets the service act on a request in flight without a reply.
    pub(crate) fn act_silently(&mut self, id: u64) {
        let Self {
            service,
            slots,
            now,
            ..
        } = self;
        if let Some(slot) = slots.get(&id) {
            if slot.reply.is_none() {
                service.act(&slot.request, *now);
            }
        }
    }

    /// Requests in flight without a reply.
    pub(crate) fn unanswered(&self) -> Vec<u64> {
        let open = self.slots.iter().filter(|(_, slot)| slot.reply.is_none());
        open.map(|(id, _)| *id).collect()
    }

    /// Moves the clock, and wakes the timers that are due.
    pub(crate) fn advance(&mut self, by: Duration) {
        self.now = self.now + by;
        let now = self.now;
        for (until, waker) in self.timers.values_mut() {
            if *until <= now {
                if let Some(waker) = waker.take() {
                    waker.wake();
                }
            }
        }
    }

    /// Moves the clock to the next timer. `false` if there is none.
    pub(crate) fn advance_to_timer(&mut self) -> bool {
        let next = self.timers.values().map(|(until, _)| *until).min();
        let Some(next) = next else {
            return false;
        };
        self.advance(next.since(self.now));
        true
    }
}

/// The transport. Clones share their world.
#[derive(Clone)]
pub(crate) struct SimTransport(Arc<Mutex<TestService>>);

impl SimTransport {
    pub(crate) fn new(duration: Duration) -> Self {
        Self(Arc::new(Mutex::new(TestService {
            now: Time::from_millis(1_700_000_000_000),
            service: Service {
                duration,
                ..Service::default()
            },
            slots: BTreeMap::new(),
            timers: BTreeMap::new(),
            next_id: 0,
            sent: 0,
            most_in_flight: 0,
            has_background: false,
            extra_polls: 0,
            frame_time: Duration::ZERO,
            deferred: None,
            fates: VecDeque::new(),
        })))
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, TestService> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now_millis(&self) -> u64 {
        self.world().now.as_millis()
    }

    /// Runs a future to its end: every request is answered, and time passes only if nothing else can be done.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let woken = Woken::new();
        for _ in 0..100_000 {
            if woken.take() {
                if let Poll::Ready(output) = woken.poll(future.as_mut()) {
                    return output;
                }
                continue;
            }
            let unanswered = self.world().unanswered();
            if let Some(id) = unanswered.first() {
                let fate = self.world().fates.pop_front();
                self.world().reply(*id, fate.unwrap_or(Fate::Answered));
                continue;
            }
            assert!(
                self.world().advance_to_timer(),
                "nothing can wake the future"
            );
        }
        panic!("the future does not end");
    }
}

pub(crate) struct SimExchange {
    transport: SimTransport,
    id: u64,
    budget: Budget,
    request: Option<http::Request<RequestBody>>,
    body: Vec<u8>,
    /// The time at which the network has taken the last frame.
    busy: Option<SimSleep>,
    extra_polls: u32,
}

impl SimExchange {
    fn write(&mut self) {
        let Some(request) = self.request.take() else {
            return;
        };
        let (parts, _) = request.into_parts();
        let request = http::Request::from_parts(parts, std::mem::take(&mut self.body).into());
        assert!(request.headers()["authorization"].is_sensitive());
        let mut world = self.transport.world();
        world.sent += 1;
        let slot = Slot {
            request,
            budget: self.budget,
            reply: None,
            waker: None,
        };
        world.slots.insert(self.id, slot);
        world.most_in_flight = world.most_in_flight.max(world.slots.len());
    }
}

impl Future for SimExchange {
    type Output = Reply;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        let this = self.get_mut();
        while let Some(request) = &mut this.request {
            if let Some(busy) = &mut this.busy {
                if Pin::new(busy).poll(cx).is_pending() {
                    return Poll::Pending;
                }
                this.busy = None;
            }
            match Pin::new(request.body_mut()).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => this.write(),
                Poll::Ready(Some(Ok(frame))) => {
                    this.body.extend(frame.into_data().expect("data"));
                    let frame_time = this.transport.world().frame_time;
                    if !frame_time.is_zero() {
                        this.busy = Some(this.transport.sleep(frame_time));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Err(Failure::broken(error.to_string())));
                }
            }
        }
        let mut world = this.transport.world();
        let slot = world.slots.get_mut(&this.id).expect("a slot");
        if slot.reply.is_some() && this.extra_polls > 0 {
            this.extra_polls -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(reply) = slot.reply.take() {
            world.slots.remove(&this.id);
            return Poll::Ready(reply);
        }
        slot.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Ends the request.
impl Drop for SimExchange {
    fn drop(&mut self) {
        self.transport.world().slots.remove(&self.id);
    }
}

pub(crate) struct SimSleep {
    transport: SimTransport,
    id: u64,
}

impl Future for SimSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut world = self.transport.world();
        let now = world.now;
        let (until, waker) = world.timers.get_mut(&self.id).expect("a timer");
        if *until <= now {
            return Poll::Ready(());
        }
        *waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for SimSleep {
    fn drop(&mut self) {
        self.transport.world().timers.remove(&self.id);
    }
}

impl Transport for SimTransport {
    type Exchange = SimExchange;
    type Sleep = SimSleep;

    fn send(&self, request: http::Request<RequestBody>, budget: Budget) -> SimExchange {
        let mut world = self.world();
        SimExchange {
            transport: self.clone(),
            id: world.id(),
            budget,
            request: Some(request),
            body: Vec::new(),
            busy: None,
            extra_polls: world.extra_polls,
        }
    }

    fn sleep(&self, duration: Duration) -> SimSleep {
        let mut world = self.world();
        let (id, until) = (world.id(), world.now + duration);
        world.timers.insert(id, (until, None));
        SimSleep {
            transport: self.clone(),
            id,
        }
    }

    /// Writes the request immediately, as a spawned task would.
    fn background(&self, mut exchange: SimExchange) -> SimExchange {
        if self.world().has_background {
            if let Some(request) = &mut exchange.request {
                let read = request.body_mut().read_to_end(&mut exchange.body);
                read.expect("a body in memory");
                exchange.write();
            }
        }
        exchange
    }

    fn blocking_executor(&self) -> BlockingExecutor {
        match &self.world().deferred {
            None => BlockingExecutor::in_place(),
            Some(Deferred(work)) => {
                let queue = Arc::clone(work);
                BlockingExecutor::new(move |work| queue.lock().expect("a queue").push(work))
            }
        }
    }

    fn now(&self) -> Time {
        self.world().now
    }

    fn seed(&self) -> Result<Seed, Error> {
        let id = self.world().id();
        Ok(Seed::new([7; 16]).derive(id))
    }
}

/// Whether a future was woken. It is woken at first.
pub(crate) struct Woken(Arc<Flag>);

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Woken {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Flag(AtomicBool::new(true))))
    }

    /// Whether it was woken; forgets it.
    pub(crate) fn take(&self) -> bool {
        self.0.0.swap(false, Ordering::SeqCst)
    }

    pub(crate) fn poll<F: Future>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        let waker = Waker::from(Arc::clone(&self.0));
        future.poll(&mut Context::from_waker(&waker))
    }
}
