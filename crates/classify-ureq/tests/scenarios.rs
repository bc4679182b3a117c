//! Runs the shared scenarios against classify-ureq.

use classify_proto::machine::{HashedDocument, Machine, Run, Summary};
use classify_proto::v2::{CreateJob, GetJob, Job, JobOptions};
use classify_proto::{Api, Error, Operation, Paged};
use classify_scenarios::{BulkSettings, Driver, Settings};
use classify_ureq::Client;
use classify_ureq::{Document, Finished, RunEvent};

struct Blocking(Client);

impl Driver for Blocking {
    const PAGES_AHEAD: u64 = 0;

    fn new(api: Api, settings: Settings) -> Self {
        Self(
            Client::new(api)
                .limits(settings.limits)
                // The published limits would slow every scenario down.
                .limiter(classify_proto::machine::Limiter::unlimited())
                .retry(settings.retry)
                .poll_interval(settings.poll_interval)
                .wait_timeout(settings.wait_timeout),
        )
    }

    fn from_env() -> Result<(), Error> {
        Client::from_env().map(drop)
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

    fn classify(&self, document: Document, options: JobOptions) -> Result<Job, Error> {
        self.0.classify(document, options)
    }

    fn bulk(
        &self,
        settings: BulkSettings,
        documents: Vec<Document>,
        on_item: &mut dyn FnMut(Finished) -> bool,
        on_end: &mut dyn FnMut(&Summary),
    ) -> Result<(), Error> {
        let mut run = settings
            .builder(|options| self.0.bulk(options))
            .run(documents)?;
        while let Some(item) = run.next() {
            if on_item(item) {
                run.stop();
            }
        }
        on_end(run.summary().expect("the run has ended"));
        Ok(())
    }

    fn bulk_events(
        &self,
        settings: BulkSettings,
        documents: Vec<Document>,
        on_event: &mut dyn FnMut(&RunEvent) -> bool,
    ) -> Result<Summary, Error> {
        let mut run = settings
            .builder(|options| self.0.bulk(options))
            .run_ahead(documents)?;
        let stop = run.stop_handle();
        while let Some(event) = run.next_event() {
            if on_event(&event) {
                stop.stop();
            }
        }
        Ok(run.into_summary().expect("the run has ended"))
    }

    fn pool(&self, options: JobOptions, rounds: Vec<Vec<Document>>) -> Vec<Vec<Finished>> {
        let pool = self.0.pool(options).expect("a pool");
        let each = |documents: Vec<Document>| {
            std::thread::scope(|scope| {
                let callers: Vec<_> = documents
                    .into_iter()
                    .map(|document| scope.spawn(|| pool.classify(document)))
                    .collect();
                let answers = callers.into_iter().map(std::thread::ScopedJoinHandle::join);
                answers.map(|answer| answer.expect("an answer")).collect()
            })
        };
        rounds.into_iter().map(each).collect()
    }

    fn drop_bulk(&self, settings: BulkSettings, documents: Vec<Document>, items: usize) {
        let run = settings
            .builder(|options| self.0.bulk(options))
            .run(documents);
        assert_eq!(run.expect("a run").take(items).count(), items);
    }

    fn document_run(&self, document: HashedDocument, options: JobOptions) -> Run {
        self.0.document_run(document, options).expect("randomness")
    }

    fn drive<M: Machine>(&self, machine: M, on_event: impl FnMut(M::Event)) -> M::Output {
        self.0.drive(machine, on_event)
    }

    fn debug(&self) -> String {
        format!(
            "{:?} {:?}",
            self.0,
            self.0.list(classify_ureq::v2::ListJobs::new())
        )
    }
}

classify_scenarios::suite!(Blocking);
