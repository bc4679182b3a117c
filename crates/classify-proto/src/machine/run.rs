//! A document from its upload to its result.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::backoff::PollInterval;
use super::call::Call;
use super::context::Context;
use super::retry::Retry;
use super::saved::Saved;
use super::step::{Machine, Step, Ticket};
use super::tickets::Tickets;
use super::waiter::{Progress, Waiter};
use crate::error::Error;
use crate::files::{File, UploadFile};
use crate::operation::Operation as _;
use crate::reply::Reply;
use crate::seed::Seed;
use crate::v2::{CreateJob, Job};

/// Uploads a document if need be, creates its job, and waits until it has ended.
///
/// The job is told as an event before the wait begins, so that its id is known whatever happens then. The create's
/// transaction id is fixed when the machine is made and is part of its state: whenever the state is taken up again,
/// there is one job and one bill.
#[derive(Debug, Serialize, Deserialize)]
pub struct Run {
    stage: RunStage,
    options: RunOptions,
    seed: Seed,
    tickets: Tickets,
    #[serde(skip)]
    event: Option<RunEvent>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RunStage {
    /// With the create that follows, prepared.
    Upload(Box<Call<UploadFile>>, Box<CreateJob>),
    Create(Box<Call<CreateJob>>),
    Wait(Box<Waiter>),
    Ended,
}

/// How the stages go about their work.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct RunOptions {
    retry: Retry,
    poll_interval: PollInterval,
    timeout: Option<Duration>,
}

/// What a [`Run`] tells on the way.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum RunEvent {
    /// The document was uploaded.
    Uploaded(Box<File>),
    /// The job was created; from here on it can be found by its id.
    Created(Box<Job>),
    /// The job was looked at and had not ended.
    Progress(Progress),
}

impl Run {
    /// Creates a job and waits for it. `seed` is sixteen random bytes of the driver's.
    #[must_use]
    pub fn new(create: CreateJob, seed: Seed) -> Self {
        let stage = RunStage::Create(Box::new(Call::new(create, seed.derive(1))));
        Self {
            stage,
            options: RunOptions::default(),
            seed,
            tickets: Tickets::default(),
            event: None,
        }
    }

    /// Uploads a document, creates a job for it by the template `create`, whose own input is passed over, and waits.
    #[must_use]
    pub fn upload(upload: UploadFile, mut create: CreateJob, seed: Seed) -> Self {
        // Fixed now, so that it is in every saved state from the first on.
        create.prepare(seed.derive(1));
        let stage = RunStage::Upload(Box::new(Call::new(upload, seed)), Box::new(create));
        Self {
            stage,
            options: RunOptions::default(),
            seed,
            tickets: Tickets::default(),
            event: None,
        }
    }

    /// Repeats requests by this policy. To be set before the first poll.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.options.retry = retry;
        self.stage = match self.stage {
            RunStage::Upload(call, create) => RunStage::Upload(Box::new(call.retry(retry)), create),
            RunStage::Create(call) => RunStage::Create(Box::new(call.retry(retry))),
            other => other,
        };
        self
    }

    /// Looks at the job this often.
    #[must_use]
    pub fn poll_interval(mut self, poll_interval: PollInterval) -> Self {
        self.options.poll_interval = poll_interval;
        self
    }

    /// Waits this long for the job, counted from its creation; two hours unless told otherwise.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// The job's id, once it is known.
    #[must_use]
    pub fn job_id(&self) -> Option<&str> {
        match &self.stage {
            RunStage::Wait(waiter) => Some(waiter.job_id()),
            _ => None,
        }
    }

    /// The transaction id of the create, while it has not been answered.
    #[must_use]
    pub fn transaction_id(&self) -> Option<&str> {
        match &self.stage {
            RunStage::Upload(_, create) => create.idempotency_key(),
            RunStage::Create(call) => call.operation().idempotency_key(),
            _ => None,
        }
    }

    /// The upload, while it is not done: to set its content again after loading.
    pub fn upload_mut(&mut self) -> Option<&mut UploadFile> {
        match &mut self.stage {
            RunStage::Upload(call, _) => Some(call.operation_mut()),
            _ => None,
        }
    }

    /// The create, while it has not been answered: to set its webhooks' secrets again after loading.
    pub fn create_mut(&mut self) -> Option<&mut CreateJob> {
        match &mut self.stage {
            RunStage::Upload(_, create) => Some(create),
            RunStage::Create(call) => Some(call.operation_mut()),
            _ => None,
        }
    }

    fn created(&mut self, job: Job) {
        let RunStage::Create(call) = &self.stage else {
            return;
        };
        let mut waiter = Waiter::new(&*job.id, self.seed.derive(2))
            .scoped(&call.operation().scope)
            .retry(self.options.retry)
            .poll_interval(self.options.poll_interval);
        if let Some(timeout) = self.options.timeout {
            waiter = waiter.timeout(timeout);
        }
        // What one stage asked answers no other.
        self.tickets.forget_all();
        self.event = Some(RunEvent::Created(Box::new(job)));
        self.stage = RunStage::Wait(Box::new(waiter));
    }

    fn uploaded(&mut self, file: File) {
        let RunStage::Upload(_, create) = std::mem::replace(&mut self.stage, RunStage::Ended)
        else {
            return;
        };
        self.tickets.forget_all();
        let create = create.for_input(&*file.id);
        self.stage = RunStage::Create(Box::new(
            Call::new(create, self.seed.derive(1)).retry(self.options.retry),
        ));
        self.event = Some(RunEvent::Uploaded(Box::new(file)));
    }

    fn end(&mut self, result: Result<Job, Error>) -> Step<RunEvent, Result<Job, Error>> {
        self.stage = RunStage::Ended;
        Step::Done(result)
    }
}

impl Machine for Run {
    type Event = RunEvent;
    type Output = Result<Job, Error>;

    fn poll(&mut self, cx: Context<'_>) -> Step<RunEvent, Self::Output> {
        loop {
            if let Some(event) = self.event.take() {
                return Step::Event(event);
            }
            // Every stage reads alike, but each ends with something else.
            let (inner, request) = match &mut self.stage {
                RunStage::Upload(call, create) => {
                    // Nothing is uploaded for a create that would be refused.
                    if let Err(error) = validate_create(create, cx) {
                        return self.end(Err(error));
                    }
                    match call.poll(cx) {
                        Step::Send(inner, request) => (inner, request),
                        Step::Wait(until) => return Step::Wait(until),
                        Step::Event(never) => match never {},
                        Step::Done(Ok(file)) => {
                            self.uploaded(file);
                            continue;
                        }
                        Step::Done(Err(error)) => return self.end(Err(error)),
                    }
                }
                RunStage::Create(call) => match call.poll(cx) {
                    Step::Send(inner, request) => (inner, request),
                    Step::Wait(until) => return Step::Wait(until),
                    Step::Event(never) => match never {},
                    Step::Done(Ok(job)) => {
                        self.created(job);
                        continue;
                    }
                    Step::Done(Err(error)) => return self.end(Err(error)),
                },
                RunStage::Wait(waiter) => match waiter.poll(cx) {
                    Step::Send(inner, request) => (inner, request),
                    Step::Wait(until) => return Step::Wait(until),
                    Step::Event(progress) => return Step::Event(RunEvent::Progress(progress)),
                    Step::Done(result) => return self.end(result),
                },
                RunStage::Ended => return Step::Wait(None),
            };
            return Step::Send(self.tickets.issue(0, inner), request);
        }
    }

    fn handle(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply) {
        let Some((_, inner)) = self.tickets.redeem(ticket) else {
            return;
        };
        match &mut self.stage {
            RunStage::Upload(call, _) => call.handle(cx, inner, reply),
            RunStage::Create(call) => call.handle(cx, inner, reply),
            RunStage::Wait(waiter) => waiter.handle(cx, inner, reply),
            RunStage::Ended => {}
        }
    }

    fn resume(&mut self) {
        self.tickets.forget_all();
        match &mut self.stage {
            RunStage::Upload(call, _) => call.resume(),
            RunStage::Create(call) => call.resume(),
            RunStage::Wait(waiter) => waiter.resume(),
            RunStage::Ended => {}
        }
    }
}

/// Holds a create against the limits before its input is known.
fn validate_create(create: &CreateJob, cx: Context<'_>) -> Result<(), Error> {
    if !cx.api.validates() {
        return Ok(());
    }
    create
        .clone()
        .for_input("dfl-to-be-uploaded")
        .validate()
        .map_err(|error| error.with_operation(create.name()))
}

impl Saved for Run {
    fn kind(&self) -> String {
        "run classify".to_owned()
    }
}
