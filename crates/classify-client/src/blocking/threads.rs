//! Threads that send the attempts of a run. They end with the run.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use classify_proto::machine::{ResponseDeadline, Ticket};
use classify_proto::{Body, Reply, Time, http};

use super::transport::Transport;
use crate::body::{check_reply, no_time_left, panic_failure};
use crate::budget::Budget;
use crate::content;
use crate::observe::{AttemptReport, OperationSpan};
use crate::settings::Settings;

/// Sends one request and returns its reply, also if the transport panics. Calls `on_open` with the remaining time of
/// the attempt when the body is open.
pub(crate) fn attempt<T: Transport>(
    transport: &T,
    settings: &Settings,
    request: http::Request<Body>,
    on_open: impl FnOnce(Duration),
) -> Reply {
    let started = transport.now();
    let report = AttemptReport::start(settings, &request, started);
    let reply = report.within(|| exchange(transport, settings, request, started, on_open));
    report.end(settings, &reply, || transport.now());
    reply
}

fn exchange<T: Transport>(
    transport: &T,
    settings: &Settings,
    request: http::Request<Body>,
    started: Time,
    on_open: impl FnOnce(Duration),
) -> Reply {
    let (parts, body) = request.into_parts();
    let deadline = parts.extensions.get::<ResponseDeadline>().copied();
    let body = content::open(body)?;
    let (length, state) = (body.length(), body.state());
    // Opening a file, for example on a network share, takes part of the time.
    let budget = Budget::new(&settings.limits, length, deadline, started)
        .less(transport.now().since(started));
    if budget.total.is_zero() {
        return Err(no_time_left());
    }
    on_open(budget.total);
    let request = http::Request::from_parts(parts, body);
    let reply = catch_unwind(AssertUnwindSafe(|| transport.send(request, budget)))
        .unwrap_or_else(|_| Err(panic_failure()));
    check_reply(reply, length, &state, budget.response_bytes)
}

type Job = (Ticket, http::Request<Body>);

/// The threads of a run, and the queues between them and the run.
pub(crate) struct Threads<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    transport: Arc<T>,
    settings: Settings,
    span: OperationSpan,
    state: Mutex<State>,
    /// Wakes the threads.
    jobs: Condvar,
    /// Wakes the run.
    replies: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    replies: VecDeque<(Ticket, Reply)>,
    /// Requests whose document was opened, and the remaining time of their upload.
    opened: VecDeque<(Ticket, Duration)>,
    threads: usize,
    idle: usize,
    stopped: bool,
    closed: bool,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The event that wakes a waiting run.
pub(crate) enum Wakeup {
    /// A request has ended.
    Reply(Ticket, Reply),
    /// A document was opened; its upload may take this much longer.
    Opened(Ticket, Duration),
    Stopped,
    TimedOut,
}

/// Wakes a run from another thread.
pub(crate) trait Wake: Send + Sync {
    fn stop(&self);
}

impl<T: Transport> Wake for Shared<T> {
    fn stop(&self) {
        self.lock().stopped = true;
        self.replies.notify_all();
    }
}

impl<T: Transport> Threads<T> {
    pub(crate) fn new(transport: Arc<T>, settings: Settings, span: OperationSpan) -> Self {
        Self {
            shared: Arc::new(Shared {
                transport,
                settings,
                span,
                state: Mutex::default(),
                jobs: Condvar::new(),
                replies: Condvar::new(),
            }),
        }
    }

    pub(crate) fn waker(&self) -> Arc<dyn Wake> {
        Arc::clone(&self.shared) as Arc<dyn Wake>
    }

    /// Passes a request to an idle thread, or to a new one. Returns the request if there is neither.
    pub(crate) fn send(&self, ticket: Ticket, request: http::Request<Body>) -> Option<Job> {
        let mut state = self.shared.lock();
        if state.idle <= state.jobs.len() {
            match self.spawn() {
                Ok(()) => state.threads += 1,
                // An existing thread sends the request after its current one.
                Err(_) if state.threads > 0 => {}
                Err(_) => return Some((ticket, request)),
            }
        }
        state.jobs.push_back((ticket, request));
        drop(state);
        self.shared.jobs.notify_one();
        None
    }

    fn spawn(&self) -> io::Result<()> {
        #[cfg(test)]
        super::running::tests::take_thread()?;
        let shared = Arc::clone(&self.shared);
        // Detached: dropping a run must not wait for its requests.
        thread::Builder::new()
            .name("classify-attempt".to_owned())
            .spawn(move || work(&shared))
            .map(drop)
    }

    /// Removes a request that no thread has taken. Returns `false` if a thread has taken it.
    pub(crate) fn cancel(&self, ticket: Ticket) -> bool {
        let jobs = &mut self.shared.lock().jobs;
        let count = jobs.len();
        jobs.retain(|(queued, _)| *queued != ticket);
        jobs.len() < count
    }

    /// Waits for the next event of the run, or until `timeout` has passed. Without a timeout, waits for an event.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Wakeup {
        let started = std::time::Instant::now();
        let mut state = self.shared.lock();
        loop {
            if let Some((ticket, reply)) = state.replies.pop_front() {
                return Wakeup::Reply(ticket, reply);
            }
            if let Some((ticket, total)) = state.opened.pop_front() {
                return Wakeup::Opened(ticket, total);
            }
            if std::mem::take(&mut state.stopped) {
                return Wakeup::Stopped;
            }
            state = match timeout {
                None => self
                    .shared
                    .replies
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(timeout) => {
                    let left = timeout.saturating_sub(started.elapsed());
                    if left.is_zero() {
                        return Wakeup::TimedOut;
                    }
                    self.shared
                        .replies
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }

    /// Returns a reply without waiting; `None` if there is none.
    pub(crate) fn take_reply(&self) -> Option<(Ticket, Reply)> {
        self.shared.lock().replies.pop_front()
    }

    /// Returns whether the run was stopped, and resets it.
    pub(crate) fn take_stop(&self) -> bool {
        std::mem::take(&mut self.shared.lock().stopped)
    }
}

impl<T> Drop for Threads<T> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        state.jobs.clear();
        drop(state);
        self.shared.jobs.notify_all();
    }
}

/// The loop of a thread: sends requests until the run is dropped.
fn work<T: Transport>(shared: &Shared<T>) {
    loop {
        let mut state = shared.lock();
        let (ticket, request) = loop {
            if let Some(job) = state.jobs.pop_front() {
                break job;
            }
            if state.closed {
                return;
            }
            state.idle += 1;
            state = shared
                .jobs
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        };
        drop(state);
        let needs_opening = content::needs_io(request.body());
        let on_open = |total| {
            if needs_opening {
                shared.lock().opened.push_back((ticket, total));
                shared.replies.notify_one();
            }
        };
        // An observer may panic too; the thread must not end without a reply.
        let reply = catch_unwind(AssertUnwindSafe(|| {
            shared
                .span
                .within(|| attempt(&*shared.transport, &shared.settings, request, on_open))
        }))
        .unwrap_or_else(|_| Err(panic_failure()));
        shared.lock().replies.push_back((ticket, reply));
        shared.replies.notify_one();
    }
}
