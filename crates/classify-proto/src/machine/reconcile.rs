//! Finds the job of a v1 create whose response was lost.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::context::Context;
use super::pager::Pager;
use super::retry::Retry;
use super::saved::Saved;
use super::step::{Machine, Step, Ticket};
use super::tickets::Tickets;
use crate::Timestamp;
use crate::error::Error;
use crate::reply::Reply;
use crate::seed::Seed;
use crate::text::id::NormalizedId;
use crate::v1::{CreateJob, GetJobResults, Job, JobStatus, ListJobs};

/// Finds the job of a v1 create whose response was lost ([`is_ambiguous`](Error::is_ambiguous)), so that no second job
/// is created and charged.
///
/// All jobs are listed, because the order of the list is not documented. Jobs that were created before `since`, or with
/// other rules, another mode or another parsing configuration are ignored. A job does not name its files but its
/// results do, so the results of the remaining jobs are read. Nothing is created or changed. [`Reconciliation`]
/// describes the result.
///
/// Choose `since` a little earlier than the create, by the possible difference between the clocks of this machine and
/// the service: a minute is enough.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reconcile {
    create: CreateJob,
    since: Timestamp,
    retry: Retry,
    seed: Seed,
    max_pages: Option<u32>,
    ended: bool,
    tickets: Tickets,
    /// Not part of a saved state: a loaded machine starts again.
    #[serde(skip)]
    stage: ReconcileStage,
}

#[derive(Debug, Default)]
enum ReconcileStage {
    #[default]
    Begin,
    List(Box<Pager<ListJobs>>, Vec<Job>),
    CompareFiles(Box<FileComparison>),
}

/// Compares files, one job after the other.
#[derive(Debug)]
struct FileComparison {
    job: Job,
    pager: Pager<GetJobResults>,
    /// In the normalized form in which ids are compared.
    files: BTreeSet<NormalizedId>,
    waiting: VecDeque<Job>,
    done: Vec<Candidate>,
}

/// A job that may be the one of the create.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Candidate {
    /// The job, as listed.
    pub job: Job,
    /// Whether its results name exactly the create's files. `false` if that is unknown: the job has not ended, or has
    /// no result for some files. A job whose results name another file is not a candidate.
    pub files_agree: bool,
}

/// The result of a [`Reconcile`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Reconciliation {
    /// All candidates, in the order of the list.
    pub candidates: Vec<Candidate>,
}

impl Reconciliation {
    /// Returns the job if it is certain: the only candidate whose files agree, or the only candidate.
    #[must_use]
    pub fn found(&self) -> Option<&Job> {
        let mut agreeing = self.candidates.iter().filter(|one| one.files_agree);
        match (agreeing.next(), agreeing.next(), &self.candidates[..]) {
            (Some(one), None, _) | (None, _, [one]) => Some(&one.job),
            _ => None,
        }
    }

    /// Returns `true` if there is no such job. A create that is still in progress may yet become one: check twice, some
    /// seconds apart, before sending the create again.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.candidates.is_empty()
    }

    /// Returns `true` if several jobs may be the one. Wait until they have ended and run the machine again, or inspect
    /// them.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        !self.is_absent() && self.found().is_none()
    }
}

impl Reconcile {
    /// Searches for the job of `create` among those created at `since` or later. `seed` is 16 random bytes from the
    /// driver.
    #[must_use]
    pub fn new(create: CreateJob, since: Timestamp, seed: Seed) -> Self {
        Self {
            create,
            since,
            retry: Retry::default(),
            seed,
            max_pages: None,
            ended: false,
            tickets: Tickets::default(),
            stage: ReconcileStage::Begin,
        }
    }

    /// Sets the retry policy of every request.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Sets the number of pages of the list after which the machine ends with an error: an incomplete list proves
    /// nothing.
    #[must_use]
    pub fn max_pages(mut self, pages: u32) -> Self {
        self.max_pages = Some(pages);
        self
    }

    fn list(&self) -> Pager<ListJobs> {
        let list =
            Pager::new(ListJobs::new().scoped(&self.create.scope), self.seed).retry(self.retry);
        match self.max_pages {
            Some(max_pages) => list.max_pages(max_pages),
            None => list,
        }
    }

    fn is_candidate(&self, job: &Job) -> bool {
        job.created_at.is_none_or(|created| created >= self.since)
            && self.create.could_have_created(job)
    }

    fn end<E>(
        &mut self,
        result: Result<Reconciliation, Error>,
    ) -> Step<E, Result<Reconciliation, Error>> {
        self.ended = true;
        self.stage = ReconcileStage::Begin;
        Step::Done(result)
    }

    /// Continues with the next job's files, or ends.
    fn compare_next(
        &mut self,
        mut waiting: VecDeque<Job>,
        done: Vec<Candidate>,
    ) -> Option<Reconciliation> {
        let Some(job) = waiting.pop_front() else {
            return Some(Reconciliation { candidates: done });
        };
        let seed = self.seed.derive(1 + done.len() as u64);
        let results = GetJobResults::new(&*job.id).scoped(&self.create.scope);
        self.stage = ReconcileStage::CompareFiles(Box::new(FileComparison {
            job,
            pager: Pager::new(results, seed).retry(self.retry),
            files: BTreeSet::new(),
            waiting,
            done,
        }));
        None
    }

    /// Whether a job's results agree with the files; `None` if they name other files.
    fn files_agree(&self, job: &Job, files: &BTreeSet<NormalizedId>) -> Option<bool> {
        let ids = self.create.file_ids.iter();
        let requested: BTreeSet<NormalizedId> = ids.map(|id| NormalizedId::of(id)).collect();
        if requested == *files {
            Some(true)
        } else if files.is_empty()
            || (files.is_subset(&requested) && job.status != JobStatus::Success)
        {
            Some(false)
        } else {
            None
        }
    }
}

/// Whether an error says that there are no results, and not that they may not be read.
fn has_no_results(error: &Error) -> bool {
    matches!(
        error.status().map(|status| status.as_u16()),
        Some(400 | 404 | 409 | 422 | 425)
    )
}

impl Machine for Reconcile {
    type Event = std::convert::Infallible;
    type Output = Result<Reconciliation, Error>;

    fn poll(&mut self, cx: Context<'_>) -> Step<Self::Event, Self::Output> {
        if self.ended {
            return Step::Wait(None);
        }
        loop {
            let (inner, request) = match &mut self.stage {
                ReconcileStage::Begin => {
                    self.stage = ReconcileStage::List(Box::new(self.list()), Vec::new());
                    continue;
                }
                ReconcileStage::List(pager, jobs) => match pager.poll(cx) {
                    Step::Send(inner, request) => (inner, request),
                    Step::Wait(until) => return Step::Wait(until),
                    Step::Event(page) => {
                        let mut found = std::mem::take(jobs);
                        found.extend(page.items.into_iter().filter(|job| self.is_candidate(job)));
                        if let ReconcileStage::List(_, jobs) = &mut self.stage {
                            *jobs = found;
                        }
                        continue;
                    }
                    Step::Done(Ok(())) => {
                        let jobs = VecDeque::from(std::mem::take(jobs));
                        match self.compare_next(jobs, Vec::new()) {
                            Some(found) => return self.end(Ok(found)),
                            None => continue,
                        }
                    }
                    Step::Done(Err(error)) => return self.end(Err(error)),
                },
                ReconcileStage::CompareFiles(comparison) => match comparison.pager.poll(cx) {
                    Step::Send(inner, request) => (inner, request),
                    Step::Wait(until) => return Step::Wait(until),
                    Step::Event(page) => {
                        let files = page.items.into_iter().filter_map(|item| item.file_id);
                        comparison
                            .files
                            .extend(files.map(|id| NormalizedId::of(&id)));
                        continue;
                    }
                    Step::Done(read) => {
                        let ReconcileStage::CompareFiles(comparison) =
                            std::mem::take(&mut self.stage)
                        else {
                            continue;
                        };
                        let FileComparison {
                            job,
                            files,
                            waiting,
                            mut done,
                            ..
                        } = *comparison;
                        let agreement = match read {
                            Ok(()) => self.files_agree(&job, &files),
                            // A job that has not ended, or failed, may have no results.
                            Err(error) if has_no_results(&error) => Some(false),
                            Err(error) => return self.end(Err(error)),
                        };
                        done.extend(agreement.map(|files_agree| Candidate { job, files_agree }));
                        match self.compare_next(waiting, done) {
                            Some(found) => return self.end(Ok(found)),
                            None => continue,
                        }
                    }
                },
            };
            return Step::Send(self.tickets.issue(0, inner), request);
        }
    }

    fn handle(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply) {
        let Some((_, inner)) = self.tickets.redeem(ticket) else {
            return;
        };
        match &mut self.stage {
            ReconcileStage::List(pager, _) => pager.handle(cx, inner, reply),
            ReconcileStage::CompareFiles(comparison) => comparison.pager.handle(cx, inner, reply),
            ReconcileStage::Begin => {}
        }
    }

    fn resume(&mut self) {
        self.tickets.forget_all();
        match &mut self.stage {
            ReconcileStage::List(pager, _) => pager.resume(),
            ReconcileStage::CompareFiles(comparison) => comparison.pager.resume(),
            ReconcileStage::Begin => {}
        }
    }
}

impl Saved for Reconcile {
    fn kind(&self) -> String {
        "reconcile".to_owned()
    }
}
