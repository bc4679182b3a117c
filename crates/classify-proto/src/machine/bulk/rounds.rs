//! Looking at the open jobs, a hundred at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::blame::Blame;
use super::works::{Place, Work};
use super::{Bulk, Report, Standing};
use crate::Time;
use crate::error::Error;
use crate::machine::backoff::Cadence;
use crate::machine::call::Call;
use crate::machine::pager::Pager;
use crate::machine::step::Cx;
use crate::operation::Seed;
use crate::v2::{Get, Job, JobStatus, List};

/// How many jobs one list call asks for: as many as a page holds.
const CHUNK: usize = 100;
/// After how many rounds that do not show a job it is asked for by its id.
const MISSED: u32 = 2;
/// A round begins when the jobs have grown older by this part of their age.
const AGING: u32 = 6;
/// Of the time that rounds are held back by a limit, this many times is left to other requests.
const SHARE: u32 = 3;
/// But no longer than this: a job that has ended is not to wait for its turn for ever.
const LONGEST_SHARE: Duration = Duration::from_secs(5 * 60);

/// The open jobs, and the round that looks at them.
pub(super) struct Rounds {
    open: BTreeMap<BareId, Open>,
    cadence: Cadence,
    seed: Seed,
    begun: u32,
    next: Option<Time>,
    round: Option<Round>,
}

struct Open {
    /// As the service wrote it when the job was created.
    id: String,
    place: Place,
    /// When it was first known to be open; `None` until the clock is next told.
    since: Option<Time>,
    status: Option<JobStatus>,
    missed: u32,
    /// A request of its own asks for it.
    looked_for: bool,
}

struct Round {
    chunks: VecDeque<Vec<String>>,
    /// What the present chunk asks for and was not shown yet.
    asked: BTreeSet<BareId>,
    /// What no chunk before it showed.
    unseen: BTreeSet<BareId>,
    /// A list was not answered, so that the time that was lost says nothing of a limit.
    is_faulty: bool,
}

/// A job's id in the form that is the same wherever the service writes it: some of its endpoints leave the prefix out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct BareId(String);

impl BareId {
    fn of(id: &str) -> Self {
        let id = id.to_ascii_lowercase();
        Self(id.strip_prefix("clj-").unwrap_or(&id).to_owned())
    }
}

impl Rounds {
    pub(super) fn new(cadence: Cadence, seed: Seed) -> Self {
        Self {
            open: BTreeMap::new(),
            cadence,
            seed,
            begun: 0,
            next: None,
            round: None,
        }
    }

    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// A job that was created just now. `false` when another document has it already.
    pub(super) fn open_now(&mut self, job: &Job, place: Place, now: Time) -> bool {
        let key = BareId::of(&job.id);
        if self.open.contains_key(&key) {
            return false;
        }
        let open = Open {
            id: job.id.clone(),
            place,
            since: Some(now),
            status: Some(job.status.clone()),
            missed: 0,
            looked_for: false,
        };
        self.open.insert(key, open);
        self.next.get_or_insert(
            now + self
                .cadence
                .delay_at_age(self.seed, self.begun, Duration::ZERO),
        );
        true
    }

    /// A job that an earlier process created: it is looked at as soon as may be. `false` when another document has it
    /// already.
    pub(super) fn open_unseen(&mut self, job_id: String, place: Place) -> bool {
        let key = BareId::of(&job_id);
        if self.open.contains_key(&key) {
            return false;
        }
        let open = Open {
            id: job_id,
            place,
            since: None,
            status: None,
            missed: 0,
            looked_for: false,
        };
        self.open.insert(key, open);
        self.next = Some(Time::from_millis(0));
        true
    }

    pub(super) fn close(&mut self, job_id: &str) {
        self.open.remove(&BareId::of(job_id));
        if self.open.is_empty() && self.round.is_none() {
            self.next = None;
        }
    }

    fn is_open(&self, job_id: &str) -> bool {
        self.open.contains_key(&BareId::of(job_id))
    }

    pub(super) fn wakes(&self) -> Option<Time> {
        self.next
            .filter(|_| self.round.is_none() && !self.open.is_empty())
    }

    /// Every open job, which is then open no more.
    pub(super) fn drain(&mut self) -> Vec<(String, Place, Option<JobStatus>)> {
        self.next = None;
        std::mem::take(&mut self.open)
            .into_values()
            .map(|open| (open.id, open.place, open.status))
            .collect()
    }
}

impl Bulk {
    /// Begins a round, where one is due.
    pub(super) fn begin_round(&mut self, now: Time) -> bool {
        let rounds = &mut self.rounds;
        if rounds.wakes().is_none_or(|next| next > now) {
            return false;
        }
        for open in rounds.open.values_mut() {
            open.since.get_or_insert(now);
        }
        let ids: Vec<_> = rounds.open.values().map(|open| open.id.clone()).collect();
        rounds.begun = rounds.begun.wrapping_add(1);
        rounds.round = Some(Round {
            chunks: ids.chunks(CHUNK).map(<[_]>::to_vec).collect(),
            asked: BTreeSet::new(),
            unseen: BTreeSet::new(),
            is_faulty: false,
        });
        self.next_chunk();
        true
    }

    /// Asks for the next hundred; `false` when the round has asked for all.
    fn next_chunk(&mut self) -> bool {
        let Some(round) = &mut self.rounds.round else {
            return false;
        };
        let Some(ids) = round.chunks.pop_front() else {
            return false;
        };
        let list = List::new()
            .page_size(100)
            .job_ids(&ids)
            .scoped(self.template.scope());
        round.unseen.append(&mut round.asked);
        round.asked = ids.iter().map(|id| BareId::of(id)).collect();
        let seed = self.rounds.seed.derive(u64::from(self.rounds.begun));
        self.works.begin(Work::Round(Box::new(
            Pager::new(list, seed).retry(self.options.retry),
        )));
        true
    }

    /// A job, as a list or a get shows it.
    pub(super) fn seen(&mut self, job: Job) {
        let key = BareId::of(&job.id);
        if let Some(round) = &mut self.rounds.round {
            round.asked.remove(&key);
            round.unseen.remove(&key);
        }
        let Some(open) = self.rounds.open.get_mut(&key) else {
            return;
        };
        let place = open.place;
        open.missed = 0;
        match Report::of_job(&job) {
            None => open.status = Some(job.status),
            Some(report) => {
                self.rounds.close(&job.id);
                self.settle(place, report, Some(job));
            }
        }
    }

    /// A chunk was looked at, or could not be; others go on.
    pub(super) fn round_ended(&mut self, cx: Cx<'_>, result: Result<(), Error>) {
        match result {
            Ok(()) => self.breaker.reached(),
            Err(error) if error.is_auth() => {
                self.rounds.round = None;
                self.stop_for(error);
            }
            Err(error) => {
                if let Some(round) = &mut self.rounds.round {
                    round.is_faulty = true;
                    // What the service could not answer for a moment proves nothing. What it will not answer is
                    // looked for in another way.
                    if error.is_transient() {
                        round.asked.clear();
                    }
                }
            }
        }
        if self.next_chunk() {
            return;
        }
        self.look_for_unseen();
        self.give_up_old(cx.now);
        self.plan_round(cx.now);
    }

    fn plan_round(&mut self, now: Time) {
        let held_back = self.works.take_held_back();
        let rounds = &mut self.rounds;
        let is_sound = rounds.round.take().is_some_and(|round| !round.is_faulty);
        let share = if is_sound {
            held_back.saturating_mul(SHARE).min(LONGEST_SHARE)
        } else {
            Duration::ZERO
        };
        let oldest = rounds
            .open
            .values()
            .filter_map(|open| open.since)
            .min()
            .unwrap_or(now);
        let delay = rounds
            .cadence
            .delay_at_age(rounds.seed, rounds.begun, now.since(oldest));
        // The limit that held the round back is there for buying too.
        let delay = delay.max(share);
        rounds.next = (!rounds.open.is_empty()).then(|| now + delay);
    }

    fn look_for_unseen(&mut self) {
        let unseen = self
            .rounds
            .round
            .as_mut()
            .map(|round| {
                round.unseen.append(&mut round.asked);
                std::mem::take(&mut round.unseen)
            })
            .unwrap_or_default();
        for id in unseen {
            let Some(open) = self.rounds.open.get_mut(&id) else {
                continue;
            };
            open.missed += 1;
            if open.missed >= MISSED && !open.looked_for {
                open.looked_for = true;
                let place = open.place;
                self.look_for(place);
            }
        }
    }

    /// Asks for a document's job by its id.
    pub(super) fn look_for(&mut self, place: Place) {
        let Some(id) = self
            .documents
            .get(&place)
            .and_then(|entrant| entrant.job_id.clone())
        else {
            return;
        };
        let get = Get::new(id).scoped(self.template.scope());
        let call = Call::new(get, self.seed.derive(place)).retry(self.options.retry);
        self.works.begin(Work::Look(place, Box::new(call)));
    }

    pub(super) fn looked(&mut self, place: Place, result: Result<Job, Error>) {
        let Some(job_id) = self
            .documents
            .get(&place)
            .and_then(|entrant| entrant.job_id.clone())
        else {
            return;
        };
        if let Some(open) = self.rounds.open.get_mut(&BareId::of(&job_id)) {
            open.looked_for = false;
        }
        match result {
            Ok(job) if self.rounds.is_open(&job_id) => self.seen(job),
            // After a refused cancel: the job is open no more as far as the run is concerned.
            Ok(job) => match Report::of_job(&job) {
                Some(report) => self.settle(place, report, Some(job)),
                None => self.leave(place, job_id, Some(&job.status)),
            },
            Err(error) if !self.rounds.is_open(&job_id) => {
                self.settle(place, Report::of_error(Standing::Open, &error), None);
            }
            Err(error) if error.is_not_found() => {
                self.rounds.close(&job_id);
                self.missing(place, &error);
            }
            Err(error) if Blame::of(&error) == Blame::Everyone && !error.is_quota() => {
                self.stop_for(error);
            }
            // Two more rounds, then it is looked for again.
            Err(_) => {
                if let Some(open) = self.rounds.open.get_mut(&BareId::of(&job_id)) {
                    open.missed = 0;
                }
            }
        }
    }

    /// Goes on without the jobs that take too long.
    fn give_up_old(&mut self, now: Time) {
        let limit = self.options.job_timeout;
        let old: Vec<_> = self
            .rounds
            .open
            .values()
            .filter(|open| open.since.is_some_and(|since| now.since(since) >= limit))
            .map(|open| (open.id.clone(), open.place, open.status.clone()))
            .collect();
        for (job_id, place, status) in old {
            self.rounds.close(&job_id);
            self.leave(place, job_id, status.as_ref());
        }
    }
}

impl Cadence {
    /// The delay before the next round over jobs of which the oldest is `age` old.
    fn delay_at_age(&self, seed: Seed, round: u32, age: Duration) -> Duration {
        let Self { initial, longest } = self.within_bounds();
        let delay = (age / AGING).clamp(initial, longest);
        self.jittered(seed, round, delay)
    }
}
