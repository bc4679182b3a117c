//! The driver of the scenarios over any async transport.

use classify_client::classify_proto::machine::{HashedDocument, Limiter, Machine, Run, Summary};
use classify_client::classify_proto::v2::{CreateJob, GetJob, Job, JobOptions, ListJobs};
use classify_client::classify_proto::{Api, Error, Operation, Paged};
use classify_client::{Client, Transport, api_from_env};
use classify_client::{Document, Finished, RunEvent};
use classify_scenarios::{BulkSettings, Capability, Driver, Settings};
use tokio::runtime::Runtime;

/// Builds a transport and lists the capabilities that it does not have.
pub(crate) trait Subject: Transport + Sized {
    const OPT_OUTS: &'static [Capability];

    fn build() -> Self;
}

pub(crate) struct Async<T> {
    client: Client<T>,
    /// A runtime with two threads, so that a request makes progress while the caller works.
    runtime: Runtime,
}

impl<T: Subject> Driver for Async<T> {
    const PAGES_AHEAD: u64 = 1;
    const OPT_OUTS: &'static [Capability] = T::OPT_OUTS;

    fn new(api: Api, settings: Settings) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        let client = Client::with_transport(T::build(), api)
            .limits(settings.limits)
            // The published limits would slow every scenario down.
            .limiter(Limiter::unlimited())
            .retry(settings.retry)
            .poll_interval(settings.poll_interval)
            .wait_timeout(settings.wait_timeout);
        Self {
            client,
            runtime: runtime.expect("a runtime"),
        }
    }

    fn from_env() -> Result<(), Error> {
        api_from_env().map(drop)
    }

    fn call<O: Operation>(&self, operation: O) -> Result<O::Output, Error> {
        self.runtime.block_on(self.client.call(operation))
    }

    fn list<O: Paged>(&self, list: O, mut keep_going: impl FnMut(Result<O::Item, Error>) -> bool) {
        self.runtime.block_on(async {
            let mut items = self.client.list(list);
            while let Some(item) = items.next().await {
                if !keep_going(item) {
                    return;
                }
            }
        });
    }

    fn wait(&self, job: GetJob) -> Result<Job, Error> {
        self.runtime.block_on(self.client.wait(job))
    }

    fn run(&self, create: CreateJob) -> Result<Job, Error> {
        self.runtime.block_on(self.client.run(create))
    }

    fn classify(&self, document: Document, options: JobOptions) -> Result<Job, Error> {
        self.runtime
            .block_on(self.client.classify(document, options))
    }

    fn bulk(
        &self,
        settings: BulkSettings,
        documents: Vec<Document>,
        on_item: &mut dyn FnMut(Finished) -> bool,
        on_end: &mut dyn FnMut(&Summary),
    ) -> Result<(), Error> {
        let run = settings.builder(|options| self.client.bulk(options));
        self.runtime.block_on(async {
            let mut run = run.run(documents).await?;
            while let Some(item) = run.next().await {
                if on_item(item) {
                    run.stop();
                }
            }
            on_end(run.summary().expect("the run has ended"));
            Ok(())
        })
    }

    fn bulk_events(
        &self,
        settings: BulkSettings,
        documents: Vec<Document>,
        on_event: &mut dyn FnMut(&RunEvent) -> bool,
    ) -> Result<Summary, Error> {
        let run = settings.builder(|options| self.client.bulk(options));
        self.runtime.block_on(async {
            let mut run = run.run(documents).await?;
            let stop = run.stop_handle();
            while let Some(event) = run.next_event().await {
                if on_event(&event) {
                    stop.stop();
                }
            }
            Ok(run.into_summary().expect("the run has ended"))
        })
    }

    fn pool(&self, options: JobOptions, rounds: Vec<Vec<Document>>) -> Vec<Vec<Finished>> {
        self.runtime.block_on(async {
            let (pool, driver) = self.client.pool_with_driver(options).expect("a pool");
            let mut driver = std::pin::pin!(driver);
            let mut answers = Vec::new();
            for documents in rounds {
                let callers: Vec<_> = documents
                    .into_iter()
                    .map(|document| {
                        let pool = pool.clone();
                        tokio::spawn(async move { pool.classify(document).await })
                    })
                    .collect();
                let mut round = Vec::new();
                for mut caller in callers {
                    // The transport has no runtime, so the waiting callers poll the driver.
                    tokio::select! {
                        () = &mut driver => panic!("the driver ended before the pool"),
                        answer = &mut caller => round.push(answer.expect("an answer")),
                    }
                }
                answers.push(round);
            }
            answers
        })
    }

    fn drop_bulk(&self, settings: BulkSettings, documents: Vec<Document>, items: usize) {
        let run = settings.builder(|options| self.client.bulk(options));
        self.runtime.block_on(async {
            let mut run = run.run(documents).await.expect("a run");
            for _ in 0..items {
                run.next().await.expect("an item");
            }
        });
    }

    fn document_run(&self, document: HashedDocument, options: JobOptions) -> Run {
        self.client
            .document_run(document, options)
            .expect("randomness")
    }

    fn drive<M: Machine>(&self, machine: M, on_event: impl FnMut(M::Event)) -> M::Output {
        self.runtime.block_on(self.client.drive(machine, on_event))
    }

    fn debug(&self) -> String {
        let list = self.client.list(ListJobs::new());
        format!("{:?} {list:?}", self.client)
    }
}
