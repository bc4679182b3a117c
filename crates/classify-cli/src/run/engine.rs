//! The engine of a run: which machine classifies the documents, and what it tells.
//!
//! Everything else in the run knows only [`Engine`] and [`Event`], so that a machine that looks at many jobs with one
//! request, or that can be taken up again after a crash, takes the place of this one here and nowhere else.

use std::collections::VecDeque;
use std::time::Duration;

use classify_proto::files::Upload;
use classify_proto::machine::{Cx, Fan, FanEvent, Machine, Retry, Run, RunEvent, Step, Ticket};
use classify_proto::v2::{Create, Job};
use classify_proto::{Error, Reply};
use classify_ureq::Client;

use crate::exit::Code;
use crate::inputs::Document;

/// How often a run's requests are repeated.
///
/// More often than a single request is: documents side by side run into the service's rate limits as a matter of
/// course, and a service that is away for a minute should not cost a run its documents.
fn patience() -> Retry {
    Retry::default()
        .max_retries(14)
        .backoff(Duration::from_secs(1), Duration::from_secs(20))
}

/// What the engine tells of a document, which is named by its place in the list.
#[derive(Debug)]
pub(crate) enum Event {
    /// It is uploaded, and its job is about to be created under this transaction id.
    Uploaded {
        document: usize,
        file_id: String,
        transaction_id: Option<String>,
    },
    /// Its job is there.
    Created { document: usize, job_id: String },
    /// It has a result, or will have none.
    Settled {
        document: usize,
        result: Box<Result<Job, Error>>,
    },
    /// It was not begun, because another's error would have been its own.
    NotStarted {
        document: usize,
        code: Code,
        why: String,
    },
}

/// Classifies documents side by side.
#[derive(Debug)]
pub(crate) struct Engine {
    fan: Fan<Run>,
    /// The document of each machine in the fan.
    documents: Vec<usize>,
    /// What is to be told before the fan is asked again.
    untold: VecDeque<Event>,
}

impl Engine {
    /// Classifies those documents that have no trouble, so many at a time, by the template `create`.
    pub(crate) fn new(
        client: &Client,
        documents: &[Document],
        create: &Create,
        at_once: usize,
        timeout: Option<Duration>,
    ) -> Result<Self, Error> {
        let mut places = Vec::new();
        let mut runs = Vec::new();
        for (place, document) in documents.iter().enumerate() {
            if document.trouble.is_some() {
                continue;
            }
            let mut run = client
                .upload_run(Upload::path(&document.path)?, create.clone())?
                .retry(patience());
            if let Some(timeout) = timeout {
                run = run.timeout(timeout);
            }
            places.push(place);
            runs.push(run);
        }
        Ok(Self {
            fan: Fan::new(runs, at_once),
            documents: places,
            untold: VecDeque::new(),
        })
    }

    fn document(&self, place: usize) -> usize {
        self.documents.get(place).copied().unwrap_or(place)
    }

    fn take(&mut self, event: FanEvent<RunEvent, Result<Job, Error>>) {
        match event {
            FanEvent::Of(place, RunEvent::Uploaded(file)) => {
                let transaction_id = self
                    .fan
                    .running()
                    .find(|(running, _)| *running == place)
                    .and_then(|(_, run)| run.transaction_id())
                    .map(str::to_owned);
                self.untold.push_back(Event::Uploaded {
                    document: self.document(place),
                    file_id: file.id,
                    transaction_id,
                });
            }
            FanEvent::Of(place, RunEvent::Created(job)) => {
                self.untold.push_back(Event::Created {
                    document: self.document(place),
                    job_id: job.id,
                });
            }
            FanEvent::Of(..) => {}
            FanEvent::Ended(place, result) => {
                // What refuses one document for the key's or the plan's sake refuses them all.
                if let Err(error) = &result
                    && (error.is_auth() || error.is_quota())
                {
                    self.stop_starting(error);
                }
                let document = self.document(place);
                self.untold.push_front(Event::Settled {
                    document,
                    result: Box::new(result),
                });
            }
        }
    }

    fn stop_starting(&mut self, error: &Error) {
        let code = Code::of(error);
        let why = format!("not started: {error}");
        for place in self.fan.stop_starting() {
            self.untold.push_back(Event::NotStarted {
                document: self.document(place),
                code,
                why: why.clone(),
            });
        }
    }
}

impl Machine for Engine {
    type Event = Event;
    type Output = ();

    fn poll(&mut self, cx: Cx<'_>) -> Step<Event, ()> {
        loop {
            if let Some(event) = self.untold.pop_front() {
                return Step::Event(event);
            }
            match self.fan.poll(cx) {
                Step::Event(event) => self.take(event),
                Step::Send(ticket, request) => return Step::Send(ticket, request),
                Step::Wait(until) => return Step::Wait(until),
                Step::Done(()) => return Step::Done(()),
            }
        }
    }

    fn handle(&mut self, cx: Cx<'_>, ticket: Ticket, reply: Reply) {
        self.fan.handle(cx, ticket, reply);
    }

    fn resume(&mut self) {
        self.fan.resume();
    }
}
