//! Polls the open jobs, a hundred per request.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::error_scope::ErrorScope;
use super::in_flight::{DocumentIndex, Task};
use super::state::CreatedIn;
use super::{Bulk, DocumentReport, DocumentStatus};
use crate::Time;
use crate::error::Error;
use crate::machine::backoff::PollInterval;
use crate::machine::call::Call;
use crate::machine::context::Context;
use crate::machine::pager::Pager;
use crate::seed::Seed;
use crate::text::id::NormalizedId;
use crate::v2::{GetJob, Job, JobStatus, ListJobs};

/// Jobs per list request: the maximum page size.
const JOBS_PER_REQUEST: usize = 100;
/// Number of polls that may miss a job before it is read by its id.
const MAX_MISSED_POLLS: u32 = 2;
/// A poll begins when the age of the oldest job has grown by this part.
const AGE_DIVISOR: u32 = 6;
/// After a rate limit delayed polls for some time, uploads and creates get this many times as long without polls.
const RATE_LIMIT_SHARE: u32 = 3;
/// Maximum of that time, so that finished jobs are noticed.
const MAX_RATE_LIMIT_SHARE: Duration = Duration::from_secs(5 * 60);

/// The open jobs and the poll in progress.
pub(super) struct JobPoller {
    open: BTreeMap<NormalizedId, OpenJob>,
    poll_interval: PollInterval,
    seed: Seed,
    polls_begun: u32,
    next_poll: Option<Time>,
    /// Until then, polls leave the rate limit to the waiting uploads and creates.
    yields_until: Option<Time>,
    poll: Option<Poll>,
}

struct OpenJob {
    /// The id as the create returned it.
    id: String,
    index: DocumentIndex,
    /// When the job was first known to be open; `None` until the next poll of the machine, which passes the time.
    since: Option<Time>,
    status: Option<JobStatus>,
    missed_polls: u32,
    /// A separate request reads the job by its id.
    is_reading: bool,
}

struct Poll {
    chunks: VecDeque<Vec<String>>,
    /// Jobs of the current request that have not been returned yet.
    requested: BTreeSet<NormalizedId>,
    /// Jobs that earlier requests of this poll did not return.
    unseen: BTreeSet<NormalizedId>,
    /// A list request failed, so its duration says nothing about a rate limit.
    is_faulty: bool,
}

impl JobPoller {
    pub(super) fn new(poll_interval: PollInterval, seed: Seed) -> Self {
        Self {
            open: BTreeMap::new(),
            poll_interval,
            seed,
            polls_begun: 0,
            next_poll: None,
            yields_until: None,
            poll: None,
        }
    }

    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Adds a job that was just created. Returns `false` if another document has the same job.
    pub(super) fn add_created(&mut self, job: &Job, index: DocumentIndex, now: Time) -> bool {
        let key = NormalizedId::of(&job.id);
        if self.open.contains_key(&key) {
            return false;
        }
        let open = OpenJob {
            id: job.id.clone(),
            index,
            since: Some(now),
            status: Some(job.status.clone()),
            missed_polls: 0,
            is_reading: false,
        };
        self.open.insert(key, open);
        self.next_poll.get_or_insert(
            now + self
                .poll_interval
                .delay_at_age(self.seed, self.polls_begun, Duration::ZERO),
        );
        true
    }

    /// Adds a job that an earlier process created. It is polled as soon as possible. Returns `false` if another
    /// document has the same job.
    pub(super) fn add_from_journal(&mut self, job_id: String, index: DocumentIndex) -> bool {
        let key = NormalizedId::of(&job_id);
        if self.open.contains_key(&key) {
            return false;
        }
        let open = OpenJob {
            id: job_id,
            index,
            since: None,
            status: None,
            missed_polls: 0,
            is_reading: false,
        };
        self.open.insert(key, open);
        self.next_poll = Some(Time::from_millis(0));
        true
    }

    pub(super) fn close(&mut self, job_id: &str) {
        self.open.remove(&NormalizedId::of(job_id));
        if self.open.is_empty() && self.poll.is_none() {
            self.next_poll = None;
        }
    }

    fn is_open(&self, job_id: &str) -> bool {
        self.open.contains_key(&NormalizedId::of(job_id))
    }

    /// Removes and returns all open jobs.
    pub(super) fn drain(&mut self) -> Vec<(String, DocumentIndex, Option<JobStatus>)> {
        self.next_poll = None;
        std::mem::take(&mut self.open)
            .into_values()
            .map(|open| (open.id, open.index, open.status))
            .collect()
    }
}

impl Bulk {
    /// When the next poll begins; `None` if one is in progress or no job is open.
    pub(super) fn next_poll(&self) -> Option<Time> {
        let poller = &self.poller;
        let next = poller
            .next_poll
            .filter(|_| poller.poll.is_none() && !poller.open.is_empty())?;
        let yields_until = poller.yields_until.filter(|_| self.has_waiting_documents());
        Some(yields_until.map_or(next, |until| until.max(next)))
    }

    /// Whether documents wait for an upload or a create.
    fn has_waiting_documents(&self) -> bool {
        !self.to_upload.is_empty()
            || !self.to_create.is_empty()
            || !self.backing_off.is_empty()
            || self.in_flight.creating() > 0
    }

    /// Begins a poll if one is due. Returns whether it did.
    pub(super) fn begin_poll(&mut self, now: Time) -> bool {
        if self.next_poll().is_none_or(|next| next > now) {
            return false;
        }
        let poller = &mut self.poller;
        for open in poller.open.values_mut() {
            open.since.get_or_insert(now);
        }
        let ids: Vec<_> = poller.open.values().map(|open| open.id.clone()).collect();
        poller.polls_begun = poller.polls_begun.wrapping_add(1);
        poller.poll = Some(Poll {
            chunks: ids.chunks(JOBS_PER_REQUEST).map(<[_]>::to_vec).collect(),
            requested: BTreeSet::new(),
            unseen: BTreeSet::new(),
            is_faulty: false,
        });
        self.next_chunk();
        true
    }

    /// Requests the next hundred jobs. Returns `false` if the poll is complete.
    fn next_chunk(&mut self) -> bool {
        let Some(poll) = &mut self.poller.poll else {
            return false;
        };
        let Some(ids) = poll.chunks.pop_front() else {
            return false;
        };
        let list = ListJobs::new()
            .page_size(100)
            .job_ids(&ids)
            .scoped(&self.job_options.scope);
        poll.unseen.append(&mut poll.requested);
        poll.requested = ids.iter().map(|id| NormalizedId::of(id)).collect();
        let seed = self.poller.seed.derive(u64::from(self.poller.polls_begun));
        self.in_flight.begin(Task::Poll(Box::new(
            Pager::new(list, seed).retry(self.options.retry),
        )));
        true
    }

    /// Handles a job from a list or a get.
    pub(super) fn on_job(&mut self, job: Job) {
        let key = NormalizedId::of(&job.id);
        if let Some(poll) = &mut self.poller.poll {
            poll.requested.remove(&key);
            poll.unseen.remove(&key);
        }
        let Some(open) = self.poller.open.get_mut(&key) else {
            return;
        };
        let index = open.index;
        open.missed_polls = 0;
        match DocumentReport::of_job(&job) {
            None => open.status = Some(job.status),
            Some(report) => {
                self.poller.close(&job.id);
                self.finish(index, report, Some(job));
            }
        }
    }

    /// Handles the end of a list request; the poll continues with the next one.
    pub(super) fn on_poll_ended(&mut self, cx: Context<'_>, result: Result<(), Error>) {
        match result {
            Ok(()) => self.circuit_breaker.on_reached(),
            Err(error) if error.is_auth() => {
                self.poller.poll = None;
                self.stop_with(error);
            }
            Err(error) => {
                if let Some(poll) = &mut self.poller.poll {
                    poll.is_faulty = true;
                    // A transient error proves nothing about the jobs. After any other error they are read by their
                    // ids.
                    if error.is_transient() {
                        poll.requested.clear();
                    }
                }
            }
        }
        if self.next_chunk() {
            return;
        }
        self.read_unseen();
        self.time_out_jobs(cx.now);
        self.schedule_poll(cx.now);
    }

    fn schedule_poll(&mut self, now: Time) {
        let rate_limit_delay = self.in_flight.take_rate_limit_delay();
        let poller = &mut self.poller;
        let is_sound = poller.poll.take().is_some_and(|poll| !poll.is_faulty);
        let share = if is_sound {
            rate_limit_delay
                .saturating_mul(RATE_LIMIT_SHARE)
                .min(MAX_RATE_LIMIT_SHARE)
        } else {
            Duration::ZERO
        };
        let oldest = poller
            .open
            .values()
            .filter_map(|open| open.since)
            .min()
            .unwrap_or(now);
        let delay =
            poller
                .poll_interval
                .delay_at_age(poller.seed, poller.polls_begun, now.since(oldest));
        poller.yields_until = (!share.is_zero()).then(|| now + share);
        poller.next_poll = (!poller.open.is_empty()).then(|| now + delay);
    }

    fn read_unseen(&mut self) {
        let unseen = self
            .poller
            .poll
            .as_mut()
            .map(|poll| {
                poll.unseen.append(&mut poll.requested);
                std::mem::take(&mut poll.unseen)
            })
            .unwrap_or_default();
        for id in unseen {
            let Some(open) = self.poller.open.get_mut(&id) else {
                continue;
            };
            open.missed_polls += 1;
            if open.missed_polls >= MAX_MISSED_POLLS && !open.is_reading {
                open.is_reading = true;
                let index = open.index;
                self.read_job(index);
            }
        }
    }

    /// Reads a document's job by its id.
    pub(super) fn read_job(&mut self, index: DocumentIndex) {
        let Some(id) = self
            .documents
            .get(&index)
            .and_then(|document| document.job_id.clone())
        else {
            return;
        };
        let get = GetJob::new(id).scoped(&self.job_options.scope);
        let call = Call::new(get, self.seed.derive(index)).retry(self.options.retry);
        self.in_flight.begin(Task::Get(index, Box::new(call)));
    }

    pub(super) fn on_polled(&mut self, index: DocumentIndex, result: Result<Job, Error>) {
        let Some(job_id) = self
            .documents
            .get(&index)
            .and_then(|document| document.job_id.clone())
        else {
            return;
        };
        if let Some(open) = self.poller.open.get_mut(&NormalizedId::of(&job_id)) {
            open.is_reading = false;
        }
        match result {
            Ok(job) if self.poller.is_open(&job_id) => self.on_job(job),
            // After a rejected cancel: for the run, the job is closed.
            Ok(job) => match DocumentReport::of_job(&job) {
                Some(report) => self.finish(index, report, Some(job)),
                None => self.finish_as_open(index, job_id, Some(&job.status)),
            },
            Err(error) if !self.poller.is_open(&job_id) => {
                self.finish(
                    index,
                    DocumentReport::of_error(DocumentStatus::Open, &error),
                    None,
                );
            }
            Err(error) if error.is_not_found() => {
                self.poller.close(&job_id);
                self.on_missing(index, &error);
            }
            Err(error) if ErrorScope::of(&error) == ErrorScope::Run && !error.is_quota() => {
                self.stop_with(error);
            }
            // After two more polls it is read again.
            Err(_) => {
                if let Some(open) = self.poller.open.get_mut(&NormalizedId::of(&job_id)) {
                    open.missed_polls = 0;
                }
            }
        }
    }

    /// The service does not know a document's job: it was deleted.
    pub(super) fn on_missing(&mut self, index: DocumentIndex, error: &Error) {
        let is_replaceable = self
            .documents
            .get(&index)
            .is_some_and(|document| document.created_in == CreatedIn::EarlierPass);
        if self.retries_failed() && is_replaceable && self.stop.is_none() {
            return self.start_next_run(index);
        }
        self.finish(
            index,
            DocumentReport::of_error(DocumentStatus::Missing, error),
            None,
        );
    }

    /// Stops waiting for jobs that exceed the job timeout.
    fn time_out_jobs(&mut self, now: Time) {
        let limit = self.options.job_timeout;
        let timed_out: Vec<_> = self
            .poller
            .open
            .values()
            .filter(|open| open.since.is_some_and(|since| now.since(since) >= limit))
            .map(|open| (open.id.clone(), open.index, open.status.clone()))
            .collect();
        for (job_id, index, status) in timed_out {
            self.poller.close(&job_id);
            self.finish_as_open(index, job_id, status.as_ref());
        }
    }
}

impl PollInterval {
    /// The delay before the next poll if the oldest job is `age` old.
    fn delay_at_age(&self, seed: Seed, poll: u32, age: Duration) -> Duration {
        let Self { initial, max } = self.within_bounds();
        let delay = (age / AGE_DIVISOR).clamp(initial, max);
        self.jittered(seed, poll, delay)
    }
}
