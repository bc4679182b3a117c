//! Waits until a job has ended.

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

/// Default maximum wait.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2 * 60 * 60);
/// Maximum duration of the last poll, at the deadline, with its retries.
const LAST_POLL_TIMEOUT: Duration = Duration::from_secs(30);

/// Waits until a job has ended. Returns the completed job.
///
/// Polls at once, then at a [`PollInterval`], and once more at the deadline. Fails if the job failed
/// ([`is_job_failed`](Error::is_job_failed)), was cancelled ([`is_cancelled`](Error::is_cancelled)), or had not ended
/// by the deadline ([`is_deadline`](Error::is_deadline), with the job's last known state, so that the wait can be
/// resumed). A status that this version does not know does not end the wait; the deadline's error names it.
///
/// A failed poll does not end the wait if a later poll may succeed. An error that would not change by waiting does: no
/// such job, no permission, no credits.
///
/// `Waiter` alone waits for a [`v2::Job`](crate::v2::Job), with a [`v2::GetJob`](GetJob). [`by`](Self::by) takes any
/// [`Waitable`] read.
///
/// ```
/// use std::time::Duration;
/// use classify_proto::Seed;
/// use classify_proto::machine::Waiter;
///
/// let waiter: Waiter = Waiter::new("clj-1", Seed::new([7; 16])).timeout(Duration::from_secs(600));
/// assert_eq!(waiter.job_id(), "clj-1");
/// ```
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
    /// Number of polls begun.
    polls: u32,
    next_poll: Option<Time>,
    /// The intended delay before the next poll.
    #[serde(default)]
    delay_before_poll: Duration,
    /// Whether the current poll began at the deadline or later.
    is_last_poll: bool,
    call: Option<Call<G>>,
    /// The last known state of the job before it ended: a saved state contains no result.
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
    /// The error of the latest poll, if it failed.
    #[serde(skip)]
    last_error: Option<Error>,
}

/// One poll of a job that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress<S = JobStatus> {
    /// The id of the polled job.
    pub job_id: String,
    /// The last known status; `None` if no poll has succeeded yet.
    pub status: Option<S>,
    /// The number of polls so far.
    pub polls: u32,
    /// The error of this poll, if it failed. The wait continues.
    pub last_error: Option<String>,
}

impl Waiter {
    /// Waits for the job with this id, up to two hours. `seed` is 16 random bytes from the driver.
    #[must_use]
    pub fn new(job_id: impl Into<String>, seed: Seed) -> Self {
        Self::for_get(GetJob::new(job_id), seed)
    }

    /// Waits with this get, which has a project, an organization and expansions.
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
    /// Waits with this read, up to two hours. `seed` is 16 random bytes from the driver.
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

    /// Sets the retry policy of every poll.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Adds headers, query parameters and body fields to every request.
    #[must_use]
    pub fn options(mut self, options: CallOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets how often the job is polled.
    #[must_use]
    pub fn poll_interval(mut self, poll_interval: PollInterval) -> Self {
        self.poll_interval = poll_interval;
        self
    }

    /// Sets the maximum wait, counted from the first poll. Zero polls once.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the time at which the wait ends. It overrides the timeout.
    #[must_use]
    pub fn deadline(mut self, deadline: Time) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Returns the id of the job.
    #[must_use]
    pub fn job_id(&self) -> &str {
        self.get.job_id()
    }

    /// Returns the last known state of the job before it ended; `None` if no poll has succeeded yet.
    #[must_use]
    pub fn last_seen(&self) -> Option<&G::Output> {
        self.last_seen.as_ref()
    }

    fn begin_poll(&mut self, now: Time, deadline: Time) {
        let seed = self.seed.derive(u64::from(self.polls));
        self.is_last_poll = now >= deadline;
        // A poll that began before the deadline ends there, with its retries. The last poll is a new call, and only it
        // may take longer.
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

    /// Adjusts the state of a resumed wait to this machine's clock, which may differ from the last one's.
    fn adjust_to_clock(&mut self, now: Time) {
        // The last poll was interrupted, and its result may be long out of date: poll again.
        if self.is_last_poll && self.call.as_ref().is_some_and(|call| call.is_late(now)) {
            self.call = None;
        }
        // Saved by a clock that was ahead.
        let max_delay = self.delay_before_poll.max(self.poll_interval.max);
        self.next_poll = self.next_poll.map(|next| next.min(now + max_delay));
    }

    fn call_timeout(&self) -> Duration {
        self.retry
            .total_timeout
            .unwrap_or(Duration::from_secs(15 * 60))
    }

    /// Handles the result of a poll.
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

    /// Handles the deadline.
    fn on_deadline(&mut self) {
        let status = match &self.last_seen {
            Some(job) => format!("the last status of the job is {}", G::status(job)),
            None => "no poll succeeded".to_owned(),
        };
        let mut error = Error::deadline(format!(
            "deadline reached after {} polls; {status}",
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
