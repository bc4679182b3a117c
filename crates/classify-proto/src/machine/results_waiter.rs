//! Waits for a v1 job and reads its results.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::backoff::PollInterval;
use super::context::Context;
use super::pager::Pager;
use super::retry::Retry;
use super::saved::Saved;
use super::step::{Machine, Step, Ticket};
use super::tickets::Tickets;
use super::waiter::{Progress, Waiter};
use crate::error::Error;
use crate::reply::Reply;
use crate::seed::Seed;
use crate::v1::{FileResult, GetJob, GetJobResults, Job, JobResults, JobStatus};

/// Waits until a v1 job has ended and reads all pages of its results.
///
/// Returns the results after `SUCCESS` and `PARTIAL_SUCCESS`; [`JobResults::outcome`] returns each file's. Fails after
/// ERROR, after CANCELLED, and at the deadline, like a [`Waiter`]; the error contains the job as
/// [`v1_job`](Error::v1_job).
#[derive(Debug, Serialize, Deserialize)]
pub struct ResultsWaiter {
    stage: ResultsStage,
    retry: Retry,
    seed: Seed,
    get: GetJob,
    tickets: Tickets,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ResultsStage {
    Wait(Box<Waiter<GetJob>>),
    Read(ReadResults),
    Ended,
}

/// A saved state contains no results, so a loaded machine reads them from the first page again.
#[derive(Debug, Serialize, Deserialize)]
struct ReadResults {
    job: Box<Job>,
    #[serde(skip)]
    pager: Option<Box<Pager<GetJobResults>>>,
    #[serde(skip)]
    results: Vec<FileResult>,
}

impl ResultsWaiter {
    /// Waits for the v1 job with this id, up to two hours. `seed` is 16 random bytes from the driver.
    #[must_use]
    pub fn new(job_id: impl Into<String>, seed: Seed) -> Self {
        Self::by(GetJob::new(job_id), seed)
    }

    /// Waits with this get, which has a project and an organization.
    #[must_use]
    pub fn by(get: GetJob, seed: Seed) -> Self {
        Self {
            stage: ResultsStage::Wait(Box::new(Waiter::by(get.clone(), seed))),
            retry: Retry::default(),
            seed,
            get,
            tickets: Tickets::default(),
        }
    }

    /// Sets the retry policy of every request.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self.map_waiter(|waiter| waiter.retry(retry))
    }

    /// Sets how often the job is polled.
    #[must_use]
    pub fn poll_interval(self, poll_interval: PollInterval) -> Self {
        self.map_waiter(|waiter| waiter.poll_interval(poll_interval))
    }

    /// Sets the maximum wait, counted from the first poll. Reading the results takes additional time.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        self.map_waiter(|waiter| waiter.timeout(timeout))
    }

    /// Returns the id of the job.
    #[must_use]
    pub fn job_id(&self) -> &str {
        &self.get.job_id
    }

    fn map_waiter(mut self, map: impl FnOnce(Waiter<GetJob>) -> Waiter<GetJob>) -> Self {
        self.stage = match self.stage {
            ResultsStage::Wait(waiter) => ResultsStage::Wait(Box::new(map(*waiter))),
            other => other,
        };
        self
    }

    fn end(
        &mut self,
        result: Result<JobResults, Error>,
    ) -> Step<Progress<JobStatus>, Result<JobResults, Error>> {
        self.stage = ResultsStage::Ended;
        Step::Done(result)
    }
}

impl Machine for ResultsWaiter {
    type Event = Progress<JobStatus>;
    type Output = Result<JobResults, Error>;

    fn poll(&mut self, cx: Context<'_>) -> Step<Self::Event, Self::Output> {
        loop {
            let (inner, request) = match &mut self.stage {
                ResultsStage::Wait(waiter) => match waiter.poll(cx) {
                    Step::Send(inner, request) => (inner, request),
                    Step::Wait(until) => return Step::Wait(until),
                    Step::Event(progress) => return Step::Event(progress),
                    Step::Done(Err(error)) => return self.end(Err(error)),
                    Step::Done(Ok(job)) => {
                        // The reply to an abandoned poll may still arrive. It is not a page.
                        self.tickets.forget_all();
                        self.stage = ResultsStage::Read(ReadResults {
                            job: Box::new(job),
                            pager: None,
                            results: Vec::new(),
                        });
                        continue;
                    }
                },
                ResultsStage::Read(read) => {
                    let pager = read.pager.get_or_insert_with(|| {
                        let results = GetJobResults::new(&*self.get.job_id).scoped(&self.get.scope);
                        Box::new(Pager::new(results, self.seed.derive(1)).retry(self.retry))
                    });
                    match pager.poll(cx) {
                        Step::Send(inner, request) => (inner, request),
                        Step::Wait(until) => return Step::Wait(until),
                        Step::Event(page) => {
                            read.results.extend(page.items);
                            continue;
                        }
                        Step::Done(Ok(())) => {
                            let results = std::mem::take(&mut read.results);
                            let finished = JobResults::new((*read.job).clone(), results);
                            return self.end(Ok(finished));
                        }
                        Step::Done(Err(error)) => {
                            // The job has ended; only its results are missing.
                            let error = error.with_v1_job((*read.job).clone());
                            return self.end(Err(error));
                        }
                    }
                }
                ResultsStage::Ended => return Step::Wait(None),
            };
            return Step::Send(self.tickets.issue(0, inner), request);
        }
    }

    fn handle(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply) {
        let Some((_, inner)) = self.tickets.redeem(ticket) else {
            return;
        };
        match &mut self.stage {
            ResultsStage::Wait(waiter) => waiter.handle(cx, inner, reply),
            ResultsStage::Read(ReadResults {
                pager: Some(pager), ..
            }) => pager.handle(cx, inner, reply),
            ResultsStage::Read(_) | ResultsStage::Ended => {}
        }
    }

    fn resume(&mut self) {
        self.tickets.forget_all();
        match &mut self.stage {
            ResultsStage::Wait(waiter) => waiter.resume(),
            ResultsStage::Read(ReadResults {
                pager: Some(pager), ..
            }) => pager.resume(),
            ResultsStage::Read(_) | ResultsStage::Ended => {}
        }
    }
}

impl Saved for ResultsWaiter {
    fn kind(&self) -> String {
        "results waiter".to_owned()
    }
}
