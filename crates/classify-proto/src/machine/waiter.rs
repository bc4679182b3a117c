//! Waiting until a job has ended.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::backoff::PollInterval;
use super::call::Call;
use super::context::Context;
use super::retry::Retry;
use super::saved::Saved;
use super::step::{Machine, Step, Ticket};
use super::tickets::Tickets;
use super::waitable::Waitable;
use crate::Time;
use crate::call_options::CallOptions;
use crate::error::Error;
use crate::job_phase::JobPhase;
use crate::reply::Reply;
use crate::scope::Scope;
use crate::seed::Seed;
use crate::v2::{GetJob, JobStatus};

/// How long a wait lasts unless told otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2 * 60 * 60);
/// How long the last look, at the deadline, may take with its retries.
const LAST_POLL_TIMEOUT: Duration = Duration::from_secs(30);

/// Waits until a job has ended.
///
/// The first look is at once, then at a [`PollInterval`]; the last is at the deadline. It ends with the job when it
/// completed, and with an error when it failed ([`is_job_failed`](Error::is_job_failed)), was cancelled
/// ([`is_cancelled`](Error::is_cancelled)), or had not ended by the deadline ([`is_deadline`](Error::is_deadline),
/// with the job as last seen, so that the wait can be taken up again). A status that this version does not know is no
/// end; the deadline's error names it.
///
/// A service that cannot be reached for a while does not end a wait: the next look may succeed. An answer that will
/// not change by waiting does: no such job, no right to it, no credits.
///
/// What is waited for is told by the read that looks at it: `Waiter` alone is of a [`v2::Job`](crate::v2::Job), by
/// [`v2::GetJob`](GetJob); [`by`](Self::by) waits for whatever is [`Waitable`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(
    serialize = "G: Serialize, G::Output: Serialize",
    deserialize = "G: Deserialize<'de>, G::Output: Deserialize<'de>"
))]
pub struct Waiter<G: Waitable = GetJob> {
    get: G,
    #[serde(default, skip_serializing_if = "CallOptions::is_empty")]
    options: CallOptions,
    retry: Retry,
    poll_interval: PollInterval,
    timeout: Duration,
    seed: Seed,
    deadline: Option<Time>,
    /// Looks begun.
    polls: u32,
    next_poll: Option<Time>,
    /// How long the pause before the next look was to be.
    #[serde(default)]
    delay_before_poll: Duration,
    /// Whether the look that is under way began at the deadline or later.
    is_last_poll: bool,
    call: Option<Call<G>>,
    /// The job as last seen, never one that has ended: a saved state holds no result.
    last_seen: Option<G::Output>,
    tickets: Tickets,
    ended: bool,
    /// Resumed, and not polled since.
    #[serde(skip)]
    is_resumed: bool,
    #[serde(skip)]
    event: Option<Progress<G::Status>>,
    #[serde(skip)]
    result: Option<Result<G::Output, Error>>,
    /// Why the latest look failed.
    #[serde(skip)]
    last_error: Option<Error>,
}

/// One look at a job that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress<S = JobStatus> {
    /// The job.
    pub job_id: String,
    /// Where it stood when it was last seen; `None` while no look has succeeded.
    pub status: Option<S>,
    /// How many times it was looked at.
    pub polls: u32,
    /// Why this look failed, where it did; the wait goes on.
    pub last_error: Option<String>,
}

impl Waiter {
    /// Waits for the job of this id, for two hours at most. `seed` is sixteen random bytes of the driver's.
    #[must_use]
    pub fn new(job_id: impl Into<String>, seed: Seed) -> Self {
        Self::for_get(GetJob::new(job_id), seed)
    }

    /// Waits by this get: its project, its organization and what it expands.
    #[must_use]
    pub fn for_get(get: GetJob, seed: Seed) -> Self {
        Self::by(get, seed)
    }

    pub(crate) fn scoped(mut self, scope: &Scope) -> Self {
        self.get = self.get.scoped(scope);
        self
    }
}

impl<G: Waitable> Waiter<G> {
    /// Waits by this read, for two hours at most. `seed` is sixteen random bytes of the driver's.
    #[must_use]
    pub fn by(get: G, seed: Seed) -> Self {
        Self {
            get,
            options: CallOptions::default(),
            retry: Retry::default(),
            poll_interval: PollInterval::default(),
            timeout: DEFAULT_TIMEOUT,
            seed,
            deadline: None,
            polls: 0,
            next_poll: None,
            delay_before_poll: Duration::ZERO,
            is_last_poll: false,
            call: None,
            last_seen: None,
            tickets: Tickets::default(),
            ended: false,
            is_resumed: false,
            event: None,
            result: None,
            last_error: None,
        }
    }

    /// Repeats requests by this policy.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Adds these headers, query parameters and body fields to every request.
    #[must_use]
    pub fn options(mut self, options: CallOptions) -> Self {
        self.options = options;
        self
    }

    /// Polls this often.
    #[must_use]
    pub fn poll_interval(mut self, poll_interval: PollInterval) -> Self {
        self.poll_interval = poll_interval;
        self
    }

    /// Waits this long, counted from the first poll. Zero looks once.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Waits until this time, whatever the timeout says.
    #[must_use]
    pub fn deadline(mut self, deadline: Time) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The job that is waited for.
    #[must_use]
    pub fn job_id(&self) -> &str {
        self.get.job_id()
    }

    /// The job as last seen; never one that has ended.
    #[must_use]
    pub fn last_seen(&self) -> Option<&G::Output> {
        self.last_seen.as_ref()
    }

    fn begin_poll(&mut self, now: Time, deadline: Time) {
        let seed = self.seed.derive(u64::from(self.polls));
        self.is_last_poll = now >= deadline;
        // One that began before the deadline ends there, retries and all: the last look asks anew, and it alone may take
        // longer.
        let until = if self.is_last_poll {
            now + LAST_POLL_TIMEOUT
        } else {
            deadline
        };
        self.call = Some(
            Call::new(self.get.clone(), seed)
                .options(self.options.clone())
                .retry(self.retry)
                .deadline(until.min(now + self.call_timeout())),
        );
        self.polls = self.polls.saturating_add(1);
    }

    /// What a process that takes a wait up has to set right, because its clock stands elsewhere than the last one's.
    fn adjust_to_clock(&mut self, now: Time) {
        // Too late for the last look that was under way: what was seen before it may be long past.
        if self.is_last_poll && self.call.as_ref().is_some_and(|call| call.is_late(now)) {
            self.call = None;
        }
        // Noted by a clock that was ahead.
        let max_delay = self.delay_before_poll.max(self.poll_interval.max);
        self.next_poll = self.next_poll.map(|next| next.min(now + max_delay));
    }

    fn call_timeout(&self) -> Duration {
        self.retry
            .total_timeout
            .unwrap_or(Duration::from_secs(15 * 60))
    }

    /// Takes what a look brought, at the time it was seen.
    fn on_polled(&mut self, now: Time, deadline: Time, result: Result<G::Output, Error>) {
        let mut delay = self
            .poll_interval
            .delay(self.seed, self.polls.saturating_sub(1));
        match result {
            Ok(job) => match G::phase(&job) {
                JobPhase::Succeeded => return self.result = Some(Ok(job)),
                JobPhase::Failed => return self.fail(G::failed(job)),
                JobPhase::Cancelled => return self.fail(G::cancelled(job)),
                JobPhase::Pending => {
                    self.last_seen = Some(job);
                    self.last_error = None;
                }
            },
            Err(error) if error.is_transient() => {
                delay = delay.max(error.retry_after().unwrap_or_default());
                self.last_error = Some(error);
            }
            Err(error) => return self.fail(error),
        }
        if self.is_last_poll {
            return self.on_deadline();
        }
        self.delay_before_poll = delay;
        self.next_poll = Some((now + delay).min(deadline));
        self.event = Some(Progress {
            job_id: self.job_id().to_owned(),
            status: self.last_seen.as_ref().map(|job| G::status(job).clone()),
            polls: self.polls,
            last_error: self.last_error.as_ref().map(ToString::to_string),
        });
    }

    fn fail(&mut self, error: Error) {
        self.result = Some(Err(error
            .with_operation(self.get.wait_name())
            .with_job_id(self.job_id())));
    }

    /// The deadline came first.
    fn on_deadline(&mut self) {
        let status = match &self.last_seen {
            Some(job) => format!("the job still stands at {}", G::status(job)),
            None => "the job was never seen".to_owned(),
        };
        let mut error = Error::deadline(format!(
            "the deadline came after {} polls; {status}",
            self.polls
        ));
        if let Some(last_error) = self.last_error.take() {
            error = error.with_source(last_error);
        }
        if let Some(job) = &self.last_seen {
            error = G::with_last_seen(error, job);
        }
        self.fail(error);
    }
}

impl<G: Waitable> Machine for Waiter<G> {
    type Event = Progress<G::Status>;
    type Output = Result<G::Output, Error>;

    fn poll(&mut self, cx: Context<'_>) -> Step<Self::Event, Self::Output> {
        let timeout = self.timeout;
        let deadline = *self.deadline.get_or_insert(cx.now + timeout);
        if std::mem::take(&mut self.is_resumed) {
            self.adjust_to_clock(cx.now);
        }
        loop {
            if let Some(event) = self.event.take() {
                return Step::Event(event);
            }
            if let Some(result) = self.result.take() {
                self.ended = true;
                self.call = None;
                return Step::Done(result);
            }
            if self.ended {
                return Step::Wait(None);
            }
            let Some(call) = &mut self.call else {
                match self.next_poll.map(|next| next.min(deadline)) {
                    Some(next) if cx.now < next => return Step::Wait(Some(next)),
                    _ => self.begin_poll(cx.now, deadline),
                }
                continue;
            };
            match call.poll(cx) {
                Step::Send(inner, request) => {
                    return Step::Send(self.tickets.issue(0, inner), request);
                }
                Step::Wait(until) => return Step::Wait(until),
                Step::Event(never) => match never {},
                Step::Done(result) => {
                    self.call = None;
                    self.tickets.forget_all();
                    self.on_polled(cx.now, deadline, result);
                }
            }
        }
    }

    fn handle(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply) {
        if let (Some((_, inner)), Some(call)) = (self.tickets.redeem(ticket), self.call.as_mut()) {
            call.handle(cx, inner, reply);
        }
    }

    fn resume(&mut self) {
        self.tickets.forget_all();
        self.is_resumed = true;
        if let Some(call) = &mut self.call {
            call.resume();
        }
    }
}

impl<G> Saved for Waiter<G>
where
    G: Waitable + Serialize + DeserializeOwned,
    G::Output: Serialize + DeserializeOwned,
{
    fn kind(&self) -> String {
        format!("waiter {}", self.get.wait_name().trim_end_matches(".wait"))
    }
}
