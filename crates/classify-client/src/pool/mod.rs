//! A pool: documents of many callers, classified by one bulk run.

mod queue;

use std::collections::BTreeMap;
use std::task::Waker;

use classify_proto::machine::{
    Bulk, BulkEvent, ContentKey, DocumentReport, DocumentStatus, ErrorScope, FinishedDocument,
    Summary,
};
use classify_proto::v2::JobOptions;
use classify_proto::{Api, Error, Seed};

pub(crate) use queue::{Callers, Lost};
use queue::{Driver, Taken};

use crate::bulk::Finished;
use crate::document::{ReadDocument, TemporaryFile};
use classify_proto::machine::BulkOptions;

/// The error of a document whose run stopped before it.
const STOPPED: &str = "the run stopped first";

/// The locks of the queue.
mod sync {
    pub(super) use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
}

/// A request of a caller.
pub(crate) type Request = Box<ReadDocument>;

/// The callers' end of a pool.
pub(crate) type PoolCallers = Callers<Request, Finished>;

/// The state of a pool's driver, which it updates between the steps of its bulk run.
pub(crate) struct PoolState {
    queue: Driver<Request, Finished>,
    job_options: JobOptions,
    options: BulkOptions,
    /// The callers that wait for each document in the run.
    callers: BTreeMap<ContentKey, Vec<Caller>>,
    is_stopping: bool,
}

struct Caller {
    name: String,
    taken: Taken<Finished>,
    #[expect(dead_code, reason = "dropping it deletes the file")]
    file: Option<TemporaryFile>,
}

impl PoolState {
    /// Returns the two ends of a pool.
    pub(crate) fn new(job_options: JobOptions, options: BulkOptions) -> (PoolCallers, Self) {
        let (callers, queue) = queue::queue();
        let state = Self {
            queue,
            job_options,
            // A call after a failure classifies the document again.
            // Read errors of different callers have no common cause.
            options: options.caches_failures(false).max_read_errors(usize::MAX),
            callers: BTreeMap::new(),
            is_stopping: false,
        };
        (callers, state)
    }

    /// Returns a new bulk run.
    pub(crate) fn start(&self, api: &Api, seed: Seed) -> Result<Bulk, Error> {
        Bulk::new(api, &self.job_options, self.options.clone(), seed)
    }

    /// Whether all callers are gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    /// Whether no request waits to be taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Wakes `waker` when the next request comes and when the last caller is gone.
    pub(crate) fn wake_on_request(&self, waker: &Waker) {
        drop(self.queue.take(0, waker));
    }

    /// Pushes as many documents into the run as it has capacity for.
    pub(crate) fn feed(&mut self, bulk: &mut Bulk, waker: &Waker) {
        self.note_stop(bulk);
        for (request, taken) in self.queue.take(bulk.capacity(), waker) {
            let ReadDocument { document, file, .. } = *request;
            let key = document.key();
            self.callers.entry(key).or_default().push(Caller {
                name: document.name().to_owned(),
                taken,
                file,
            });
            bulk.push(document);
        }
        bulk.pause_input();
    }

    /// If the run stops, returns its error to the callers that wait now. Later callers wait for the next run. After an
    /// error about credits, later callers get the error too, because this run still waits for its open jobs.
    fn note_stop(&mut self, bulk: &Bulk) {
        if !bulk.is_stopping() {
            return;
        }
        let is_quota = bulk.stop_error().is_some_and(Error::is_quota);
        if !self.is_stopping || is_quota {
            let reason = bulk
                .stop_error()
                .map_or_else(|| STOPPED.to_owned(), Error::to_string);
            self.fail_waiting(&reason);
        }
        self.is_stopping = true;
    }

    pub(crate) fn on_event(&mut self, bulk: &mut Bulk, event: BulkEvent) {
        self.note_stop(bulk);
        match event {
            BulkEvent::NeedDocuments(_) => bulk.pause_input(),
            BulkEvent::Finished(finished) => self.on_finished(finished, bulk.stop_error()),
            _ => {}
        }
    }

    fn on_finished(&mut self, finished: FinishedDocument, stop_error: Option<&Error>) {
        let key = finished.key;
        // A cached report for one name may come while the same content is in progress under other names.
        let names = finished.names.len();
        let Some(callers) = self.callers.get_mut(&key) else {
            return;
        };
        let answered: Vec<_> = callers.drain(..names.min(callers.len())).collect();
        if callers.is_empty() {
            self.callers.remove(&key);
        }
        // A pool has no summary, so each item has the error that stopped the run.
        let is_stopped = finished.scope == Some(ErrorScope::Run)
            && finished.report.status == DocumentStatus::NotStarted;
        if let (true, Some(error)) = (is_stopped, stop_error) {
            return fail(answered, &error.to_string());
        }
        for (caller, item) in answered.into_iter().zip(Finished::all(finished, [])) {
            caller.taken.answer(item.named(caller.name));
        }
    }

    /// Returns an error to all remaining callers of a run that has ended.
    pub(crate) fn on_end(&mut self, summary: &Summary) {
        let reason = summary
            .error()
            .map_or_else(|| STOPPED.to_owned(), Error::to_string);
        self.is_stopping = false;
        let taken = std::mem::take(&mut self.callers).into_values().flatten();
        fail(taken, &reason);
    }

    /// Returns an error to all waiting callers, because no run can be started for them.
    pub(crate) fn fail_waiting(&mut self, reason: &str) {
        fail(self.take_waiting(), reason);
    }

    fn take_waiting(&mut self) -> Vec<Caller> {
        let waiting = self.queue.take(usize::MAX, Waker::noop());
        let caller = |(request, taken): (Request, Taken<Finished>)| Caller {
            name: request.document.name().to_owned(),
            taken,
            file: None,
        };
        waiting.into_iter().map(caller).collect()
    }
}

fn fail(callers: impl IntoIterator<Item = Caller>, reason: &str) {
    for caller in callers {
        let item = Finished::failed(caller.name, ErrorScope::Run, reason);
        caller.taken.answer(item);
    }
}

/// Returns the item of a document whose pool ended.
pub(crate) fn lost(name: String, _: Lost) -> Finished {
    // A job may exist.
    let mut report = DocumentReport::new(DocumentStatus::Ambiguous);
    report.error =
        Some("the pool ended before the document had finished; its job may exist, and classifying the document again returns it".to_owned());
    Finished::of_report(name, report, ErrorScope::Run)
}
