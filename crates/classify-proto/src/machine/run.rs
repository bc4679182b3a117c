//! One document, from its upload to its result.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::backoff::PollInterval;
use super::call::Call;
use super::context::Context;
use super::document::{HashedDocument, Source};
use super::retry::Retry;
use super::saved::Saved;
use super::step::{Machine, Step, Ticket};
use super::tickets::Tickets;
use super::transaction::Fingerprint;
use super::waiter::{Progress, Waiter};
use crate::api::Api;
use crate::configurations::{GetConfiguration, Parameters, SavedConfiguration};
use crate::content_key::ContentKey;
use crate::error::Error;
use crate::files::{File, UploadFile};
use crate::job_phase::JobPhase;
use crate::operation::Operation as _;
use crate::reply::Reply;
use crate::seed::Seed;
use crate::v2::{CreateJob, Job, JobOptions, Rerun};

/// Number of failed earlier jobs after which that is the document's result.
const MAX_FAILED_JOBS: u32 = 8;

/// Uploads a document if needed, creates its job, and waits until the job has ended.
///
/// [`Run::document`] derives the create's transaction id from the content, so the same document with the same rules is
/// the same job in every program; see [`transaction_id`](super::transaction_id). [`Run::new`] and [`Run::upload`] use
/// the create's own transaction id, or a random one: each machine then creates and pays for a job of its own.
///
/// The job is returned as an event before the wait begins, so that its id is known in any case. The transaction id is
/// fixed when the machine is created and is part of its state: a loaded and resumed machine creates no second job.
#[derive(Debug, Serialize, Deserialize)]
pub struct Run {
    stage: RunStage,
    options: RunOptions,
    seed: Seed,
    tickets: Tickets,
    #[serde(skip)]
    event: Option<RunEvent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    document: Option<PaidRun>,
    /// The machine was loaded: the process that saved it may have sent the create since, so a failed job may be its
    /// own.
    #[serde(skip, default = "loaded")]
    is_loaded: bool,
}

fn loaded() -> bool {
    true
}

/// The values from which the transaction id of a document's next paid run is derived.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct PaidRun {
    project: Option<String>,
    nonce: Option<String>,
    key: ContentKey,
    run_number: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RunStage {
    /// With the next stage.
    Configuration(Box<Call<GetConfiguration>>, Box<RunStage>),
    /// With the prepared create that follows.
    Upload(Box<Call<UploadFile>>, Box<CreateJob>),
    Create(Box<Call<CreateJob>>),
    Wait(Box<Waiter>),
    Ended,
}

/// Options of the stages.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct RunOptions {
    retry: Retry,
    poll_interval: PollInterval,
    timeout: Option<Duration>,
}

/// Progress of a [`Run`]: the upload, the created job, or a poll.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum RunEvent {
    /// The document was uploaded.
    Uploaded(Box<File>),
    /// The job was created. It can be read by its id from now on.
    Created(Box<Job>),
    /// The job was polled and has not ended.
    Progress(Progress),
}

impl Run {
    /// Creates a job and waits for it. `seed` is 16 random bytes from the driver.
    #[must_use]
    pub fn new(create: CreateJob, seed: Seed) -> Self {
        let stage = RunStage::Create(Box::new(Call::new(create, seed.derive(1))));
        Self::at(stage, None, seed)
    }

    /// Uploads a file, creates a job for it, and waits. The transaction id is random, so each such machine creates and
    /// pays for a job. `seed` is 16 random bytes from the driver.
    #[must_use]
    pub fn upload(upload: UploadFile, options: impl Into<JobOptions>, seed: Seed) -> Self {
        Self::upload_and_create(upload, CreateJob::new("", options), None, seed)
    }

    /// Classifies a document once. The job of its first paid run is the result, even if an earlier call, another
    /// program or a bulk run created it.
    ///
    /// If that job failed or was cancelled, the machine ends with an error that contains the job. With
    /// [`JobOptions::retry_failed`] another job follows such a job of an earlier call, and at most one is charged; with
    /// [`JobOptions::fresh`] the document is charged again. The project is that of the options, or else that of `api`.
    /// `seed` is 16 random bytes from the driver.
    #[must_use]
    pub fn document(
        api: &Api,
        document: HashedDocument,
        options: impl Into<JobOptions>,
        seed: Seed,
    ) -> Self {
        let options = options.into();
        let project = options.scope.project_id.as_deref().or(api.project());
        let paid_run = PaidRun {
            project: project.map(str::to_owned),
            nonce: (options.rerun == Rerun::Always).then(|| seed.derive(0).hex()),
            key: document.key(),
            run_number: 0,
        };
        let transaction_id = paid_run.transaction_id(&options);
        let scope = options.scope.clone();
        let create = CreateJob::new("", options).transaction_id(transaction_id);
        match document.source {
            Source::Id(id) => {
                let call = Call::new(create.for_input(id), seed.derive(1));
                Self::at(RunStage::Create(Box::new(call)), Some(paid_run), seed)
            }
            Source::Upload(upload) => Self::upload_and_create(
                upload.scoped(&scope),
                create.accepts_any_copy(),
                Some(paid_run),
                seed,
            ),
        }
    }

    fn upload_and_create(
        upload: UploadFile,
        mut create: CreateJob,
        document: Option<PaidRun>,
        seed: Seed,
    ) -> Self {
        // Fixed now, so that every saved state contains it.
        create.prepare(seed.derive(1));
        let stage = RunStage::Upload(Box::new(Call::new(upload, seed)), Box::new(create));
        Self::at(stage, document, seed)
    }

    fn at(mut stage: RunStage, document: Option<PaidRun>, seed: Seed) -> Self {
        let saved = stage.create().filter(|_| document.is_some());
        let get = saved.and_then(|create| {
            let id = create.options.configuration_id.as_deref()?;
            Some(GetConfiguration::new(id).scoped(create.scope()))
        });
        if let Some(get) = get {
            let call = Call::new(get, seed.derive(3));
            stage = RunStage::Configuration(Box::new(call), Box::new(stage));
        }
        Self {
            stage,
            options: RunOptions::default(),
            seed,
            tickets: Tickets::default(),
            event: None,
            document,
            is_loaded: false,
        }
    }

    /// Sets the transaction id of the create. Call it before the first poll.
    #[must_use]
    pub fn with_transaction_id(mut self, id: impl Into<String>) -> Self {
        if let Some(create) = self.create_mut() {
            *create = create.clone().transaction_id(id);
        }
        self
    }

    /// Sets the retry policy of every request. Call it before the first poll.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.options.retry = retry;
        self.stage = match self.stage {
            RunStage::Configuration(call, next) => {
                let next = Box::new(next.with_retry(retry));
                RunStage::Configuration(Box::new(call.retry(retry)), next)
            }
            stage => stage.with_retry(retry),
        };
        self
    }

    /// Sets how often the job is polled.
    #[must_use]
    pub fn poll_interval(mut self, poll_interval: PollInterval) -> Self {
        self.options.poll_interval = poll_interval;
        self
    }

    /// Sets how long to wait for the job, counted from its creation. Default: two hours.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Returns the id of the job; `None` before it is created.
    #[must_use]
    pub fn job_id(&self) -> Option<&str> {
        match &self.stage {
            RunStage::Wait(waiter) => Some(waiter.job_id()),
            _ => None,
        }
    }

    /// Returns the transaction id of the create; `None` once the create has been answered.
    #[must_use]
    pub fn transaction_id(&self) -> Option<&str> {
        match self.stage.after_configuration() {
            RunStage::Upload(_, create) => create.idempotency_key(),
            RunStage::Create(call) => call.operation().idempotency_key(),
            _ => None,
        }
    }

    /// Returns the upload, to set its content after loading; `None` once it is complete.
    pub fn upload_mut(&mut self) -> Option<&mut UploadFile> {
        match self.stage.after_configuration_mut() {
            RunStage::Upload(call, _) => Some(call.operation_mut()),
            _ => None,
        }
    }

    /// Returns the create, to set the secrets of its webhooks after loading; `None` once it has been answered.
    pub fn create_mut(&mut self) -> Option<&mut CreateJob> {
        match self.stage.after_configuration_mut() {
            RunStage::Upload(_, create) => Some(create),
            RunStage::Create(call) => Some(call.operation_mut()),
            _ => None,
        }
    }

    /// Continues after the saved configuration was read: a job that was created before it was edited is not the result.
    fn configuration_read(&mut self, saved: &SavedConfiguration) {
        self.tickets.forget_all();
        let RunStage::Configuration(_, next) = std::mem::replace(&mut self.stage, RunStage::Ended)
        else {
            return;
        };
        self.stage = *next;
        let parameters = saved.parameters.as_ref();
        let configuration = parameters.and_then(Parameters::as_classify);
        if let (Some(configuration), Some(create)) = (configuration, self.create_mut()) {
            *create = create
                .clone()
                .configuration_in_force(Arc::new(configuration.clone()));
        }
    }

    /// Starts the next paid run if the job belongs to an earlier call, has no result, and another may follow.
    fn start_next_run(&mut self, job: &Job, may_be_own: bool) -> bool {
        let (RunStage::Create(call), Some(paid_run)) = (&self.stage, &mut self.document) else {
            return false;
        };
        let create = call.operation();
        let has_no_result = matches!(job.status.phase(), JobPhase::Failed | JobPhase::Cancelled);
        let is_followed = create.options.rerun == Rerun::Failed
            && has_no_result
            && !may_be_own
            && !self.is_loaded
            && paid_run.run_number < MAX_FAILED_JOBS;
        if !is_followed {
            return false;
        }
        paid_run.run_number += 1;
        let id = paid_run.transaction_id(&create.options);
        let create = create.clone().transaction_id(id);
        self.tickets.forget_all();
        self.stage = RunStage::Create(Box::new(
            Call::new(create, self.seed.derive(1)).retry(self.options.retry),
        ));
        true
    }

    fn created(&mut self, job: Job) {
        let RunStage::Create(call) = &self.stage else {
            return;
        };
        let mut waiter = Waiter::new(&*job.id, self.seed.derive(2))
            .scoped(call.operation().scope())
            .retry(self.options.retry)
            .poll_interval(self.options.poll_interval);
        if let Some(timeout) = self.options.timeout {
            waiter = waiter.timeout(timeout);
        }
        // Replies to the requests of one stage do not belong to the next.
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
            // All stages read the same way and have different outputs.
            let (inner, request) = match &mut self.stage {
                RunStage::Configuration(call, next) => {
                    if let Some(create) = next.create() {
                        if let Err(error) = validate_create(create, cx) {
                            return self.end(Err(error));
                        }
                    }
                    match call.poll(cx) {
                        Step::Send(inner, request) => (inner, request),
                        Step::Wait(until) => return Step::Wait(until),
                        Step::Event(never) => match never {},
                        Step::Done(Ok(saved)) => {
                            self.configuration_read(&saved);
                            continue;
                        }
                        Step::Done(Err(error)) => return self.end(Err(error)),
                    }
                }
                RunStage::Upload(call, create) => {
                    // Nothing is uploaded if the create would be rejected.
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
                RunStage::Create(call) => {
                    let may_be_own = call.may_have_acted();
                    match call.poll(cx) {
                        Step::Send(inner, request) => (inner, request),
                        Step::Wait(until) => return Step::Wait(until),
                        Step::Event(never) => match never {},
                        Step::Done(Ok(job)) => {
                            if !self.start_next_run(&job, may_be_own) {
                                self.created(job);
                            }
                            continue;
                        }
                        Step::Done(Err(error)) => return self.end(Err(error)),
                    }
                }
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
            RunStage::Configuration(call, _) => call.handle(cx, inner, reply),
            RunStage::Upload(call, _) => call.handle(cx, inner, reply),
            RunStage::Create(call) => call.handle(cx, inner, reply),
            RunStage::Wait(waiter) => waiter.handle(cx, inner, reply),
            RunStage::Ended => {}
        }
    }

    fn resume(&mut self) {
        self.tickets.forget_all();
        match &mut self.stage {
            RunStage::Configuration(call, _) => call.resume(),
            RunStage::Upload(call, _) => call.resume(),
            RunStage::Create(call) => call.resume(),
            RunStage::Wait(waiter) => waiter.resume(),
            RunStage::Ended => {}
        }
    }
}

impl RunStage {
    fn with_retry(self, retry: Retry) -> Self {
        match self {
            Self::Upload(call, create) => Self::Upload(Box::new(call.retry(retry)), create),
            Self::Create(call) => Self::Create(Box::new(call.retry(retry))),
            other => other,
        }
    }

    fn after_configuration(&self) -> &Self {
        match self {
            Self::Configuration(_, next) => next,
            stage => stage,
        }
    }

    fn after_configuration_mut(&mut self) -> &mut Self {
        match self {
            Self::Configuration(_, next) => next,
            stage => stage,
        }
    }

    /// The create, until it has been answered.
    fn create(&self) -> Option<&CreateJob> {
        match self {
            Self::Upload(_, create) => Some(create),
            Self::Create(call) => Some(call.operation()),
            _ => None,
        }
    }
}

impl PaidRun {
    fn transaction_id(&self, options: &JobOptions) -> String {
        Fingerprint::new(self.project.as_deref(), options, self.nonce.as_deref())
            .transaction_id(self.key, self.run_number)
    }
}

/// Validates a create whose input is not known yet.
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
