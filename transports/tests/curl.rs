//! The shared suite over libcurl.

use classify_client::blocking::Client;
use classify_client::classify_proto::files::UploadFile;
use classify_client::classify_proto::machine::{Limiter, Machine, Run};
use classify_client::classify_proto::v2::{CreateJob, GetJob, Job, ListJobs};
use classify_client::classify_proto::{Api, Error, Operation, Paged};
use classify_scenarios::{Capability, Driver, Settings};
use classify_transports::curl::Curl;

struct Blocking(Client<Curl>);

impl Driver for Blocking {
    const PAGES_AHEAD: u64 = 0;
    // libcurl sends `%7e` as `%7E`, which means the same.
    const OPT_OUTS: &'static [Capability] = &[Capability::EscapeCase];

    fn new(api: Api, settings: Settings) -> Self {
        Self(
            Client::new(api)
                .limits(settings.limits)
                // The published limits would make a long scenario of every short one.
                .limiter(Limiter::unlimited())
                .retry(settings.retry)
                .poll_interval(settings.poll_interval)
                .wait_timeout(settings.wait_timeout),
        )
    }

    fn from_env() -> Result<(), Error> {
        Client::<Curl>::from_env().map(drop)
    }

    fn call<O: Operation>(&self, operation: O) -> Result<O::Output, Error> {
        self.0.call(operation)
    }

    fn list<O: Paged>(&self, list: O, mut keep_going: impl FnMut(Result<O::Item, Error>) -> bool) {
        for item in self.0.list(list) {
            if !keep_going(item) {
                return;
            }
        }
    }

    fn wait(&self, job: GetJob) -> Result<Job, Error> {
        self.0.wait(job)
    }

    fn run(&self, create: CreateJob) -> Result<Job, Error> {
        self.0.run(create)
    }

    fn classify(&self, upload: UploadFile, create: CreateJob) -> Result<Job, Error> {
        self.0.classify(upload, create)
    }

    fn upload_run(&self, upload: UploadFile, create: CreateJob) -> Run {
        self.0.upload_run(upload, create).expect("randomness")
    }

    fn drive<M: Machine>(&self, machine: M, on_event: impl FnMut(M::Event)) -> M::Output {
        self.0.drive(machine, on_event)
    }

    fn debug(&self) -> String {
        format!("{:?} {:?}", self.0, self.0.list(ListJobs::new()))
    }
}

classify_scenarios::suite!(Blocking);
