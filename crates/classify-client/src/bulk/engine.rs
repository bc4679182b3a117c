//! The machine of a run: the core's, which waits until its records are stored.

use std::collections::{BTreeMap, VecDeque};

use classify_proto::machine::{
    Bulk, BulkEvent, ContentKey, Context, ErrorScope, Machine, RunEnd, Step, Summary, Ticket,
};
use classify_proto::{Body, Error, Failure, Reply, http};

use super::finished::Finished;
use super::source::ReadResult;
use crate::document::TemporaryFile;

/// A [`Bulk`] machine whose requests wait until the records before them are stored, many records at a time.
///
/// After [`EngineEvent::Store`] the driver stores [`take_records`](Self::take_records) and calls
/// [`stored`](Self::stored) before it polls again.
pub(crate) struct Engine {
    bulk: Bulk,
    has_journal: bool,
    /// Records that are not stored yet.
    records: String,
    /// Requests that wait for them, and items.
    held: VecDeque<(Ticket, http::Request<Body>)>,
    finished: VecDeque<Finished>,
    store_error: Option<Error>,
    summary: Option<Summary>,
    /// The run takes in no more documents.
    is_ended: bool,
    /// The temporary files of each content: the run reads the first, and copies have files of their own.
    files: BTreeMap<ContentKey, Vec<TemporaryFile>>,
}

pub(crate) enum EngineEvent {
    /// So many documents may be pushed.
    NeedDocuments(usize),
    Store,
    Finished(Finished),
}

/// How many bytes of records are collected.
const MAX_RECORDS: usize = 64 * 1024;

impl Engine {
    pub(crate) fn new(bulk: Bulk, has_journal: bool) -> Self {
        Self {
            bulk,
            has_journal,
            records: String::new(),
            held: VecDeque::new(),
            finished: VecDeque::new(),
            store_error: None,
            summary: None,
            is_ended: false,
            files: BTreeMap::new(),
        }
    }

    pub(crate) fn bulk(&self) -> &Bulk {
        &self.bulk
    }

    pub(crate) fn bulk_mut(&mut self) -> &mut Bulk {
        &mut self.bulk
    }

    /// Takes in a document. `true` if the run has it, `false` if its item is in the queue already.
    pub(crate) fn push(&mut self, document: ReadResult) -> bool {
        match document {
            ReadResult::Read(read) if !self.is_ended => {
                if let Some(file) = read.file {
                    let key = read.document.key();
                    self.files.entry(key).or_default().push(file);
                }
                self.bulk.push(read.document);
                true
            }
            ReadResult::Read(read) => {
                self.skip(read.document.name().to_owned());
                false
            }
            ReadResult::Unreadable(name, error) => {
                self.finished.push_back(Finished::unreadable(name, &error));
                false
            }
            ReadResult::Unread(name) => {
                self.skip(name);
                false
            }
        }
    }

    /// Queues the item of a document that a stopped run does not classify.
    fn skip(&mut self, name: String) {
        let message = "the run stopped first";
        self.finished
            .push_back(Finished::failed(name, ErrorScope::Run, message));
    }

    /// Returns the next item, if none has to wait for records.
    pub(crate) fn next_finished(&mut self) -> Option<Finished> {
        if self.records.is_empty() {
            self.finished.pop_front()
        } else {
            None
        }
    }

    pub(crate) fn take_records(&mut self) -> String {
        std::mem::take(&mut self.records)
    }

    /// Says whether the records that were taken are stored. If not, nothing more is sent: a job that is created now would
    /// be unknown to the next process.
    pub(crate) fn stored(&mut self, result: std::io::Result<()>) {
        if let Err(error) = result {
            let message = format!("the journal cannot be written: {error}");
            self.store_error = Some(Error::state(message));
            self.has_journal = false;
            self.bulk.stop();
        }
    }

    fn refuse(&mut self, cx: Context<'_>, ticket: Ticket) {
        let failure = Failure::connect("the journal cannot be written");
        self.bulk.handle(cx, ticket, Err(failure));
    }
}

impl Machine for Engine {
    type Event = EngineEvent;
    type Output = Summary;

    fn poll(&mut self, cx: Context<'_>) -> Step<EngineEvent, Summary> {
        loop {
            if self.records.is_empty() {
                if let Some((ticket, request)) = self.held.pop_front() {
                    if self.store_error.is_none() {
                        return Step::Send(ticket, request);
                    }
                    self.refuse(cx, ticket);
                    continue;
                }
                if let Some(finished) = self.finished.pop_front() {
                    return Step::Event(EngineEvent::Finished(finished));
                }
                if let Some(mut summary) = self.summary.take() {
                    if let Some(error) = self.store_error.take() {
                        summary.end = RunEnd::Failed(error);
                    }
                    return Step::Done(summary);
                }
            } else if !self.held.is_empty()
                || self.summary.is_some()
                || self.records.len() > MAX_RECORDS
            {
                return Step::Event(EngineEvent::Store);
            }
            match self.bulk.poll(cx) {
                Step::Send(ticket, request) => self.held.push_back((ticket, request)),
                Step::Event(BulkEvent::NeedDocuments(documents)) => {
                    return Step::Event(EngineEvent::NeedDocuments(documents));
                }
                Step::Event(BulkEvent::Record(record)) => {
                    if self.has_journal {
                        self.records.push_str(&record.to_line());
                    }
                }
                Step::Event(BulkEvent::Finished(finished)) => {
                    self.files.remove(&finished.key);
                    self.finished.extend(Finished::all(finished));
                }
                Step::Event(_) => {}
                Step::Wait(until) => {
                    if !self.records.is_empty() {
                        return Step::Event(EngineEvent::Store);
                    }
                    if self.finished.is_empty() {
                        return Step::Wait(until);
                    }
                }
                Step::Done(summary) => {
                    self.is_ended = true;
                    self.summary = Some(summary);
                }
            }
        }
    }

    fn handle(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply) {
        self.bulk.handle(cx, ticket, reply);
    }

    fn resume(&mut self) {
        self.held.clear();
        self.bulk.resume();
    }
}
