//! The machine of a bulk run that has a journal: requests wait until the records before them are stored.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use classify_proto::machine::{
    Bulk, BulkEvent, ContentKey, Context, DocumentStatus, ErrorScope, FinishedDocument, Machine,
    Record, RunEnd, Step, Summary, Ticket,
};
use classify_proto::{Body, Error, Failure, Reply, Time, http};

use super::event::RunEvent;
use super::finished::Finished;
use super::source::{Batch, ReadResult};
use crate::document::{ReadDocument, TemporaryFile};

/// A [`Bulk`] machine whose requests wait until the records before them are stored. Records are stored in batches.
///
/// After [`EngineEvent::Store`] the driver stores [`take_records`](Self::take_records) and calls
/// [`stored`](Self::stored) before it polls again.
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that do not depend on one another"
)]
pub(crate) struct Engine {
    bulk: Bulk,
    has_journal: bool,
    /// Records that are not stored yet.
    records: String,
    /// Requests that wait until the records are stored.
    held: VecDeque<(Ticket, http::Request<Body>)>,
    events: VecDeque<RunEvent>,
    /// Whether the caller wants all events, and not only the finished documents.
    reports_progress: bool,
    store_error: Option<Error>,
    /// Another error that ended the run.
    end_error: Option<Error>,
    summary: Option<Summary>,
    /// The number of documents that could not be read. The core does not count them.
    unreadable: usize,
    /// Whether the run accepts no more documents.
    is_ended: bool,
    /// Whether the run needs documents. They are read when there is nothing else to do, so that requests do not wait
    /// for documents.
    needs_document: bool,
    /// Whether the next document is being read by another thread, and when the run asks for it again.
    awaited: Awaited,
    /// The number of documents that were taken from the source.
    taken: usize,
    /// The documents in the run, by content, in the order in which they were pushed.
    in_progress: BTreeMap<ContentKey, VecDeque<InProgress>>,
}

/// Whether the next document is being read by another thread.
#[derive(Clone, Copy)]
enum Awaited {
    No,
    #[cfg_attr(not(feature = "blocking"), expect(dead_code))]
    Yes,
    /// The run asks for it at this time.
    Until(Time),
}

/// How often a run asks for a document that is being read.
const ASK_INTERVAL: Duration = Duration::from_millis(20);

/// A document in the run.
struct InProgress {
    position: usize,
    /// A temporary file, which is deleted when the document has finished.
    _file: Option<TemporaryFile>,
}

pub(crate) enum EngineEvent {
    /// A document may be pushed; the input is paused until one is.
    NeedDocument,
    Store,
    Run(RunEvent),
}

/// The number of bytes of records that are collected before they are stored.
const MAX_RECORDS: usize = 64 * 1024;

impl Engine {
    pub(crate) fn new(bulk: Bulk, has_journal: bool) -> Self {
        Self {
            bulk,
            has_journal,
            records: String::new(),
            held: VecDeque::new(),
            events: VecDeque::new(),
            reports_progress: false,
            store_error: None,
            end_error: None,
            summary: None,
            unreadable: 0,
            is_ended: false,
            needs_document: false,
            awaited: Awaited::No,
            taken: 0,
            in_progress: BTreeMap::new(),
        }
    }

    pub(crate) fn bulk(&self) -> &Bulk {
        &self.bulk
    }

    pub(crate) fn bulk_mut(&mut self) -> &mut Bulk {
        &mut self.bulk
    }

    /// Reports all events from now on.
    pub(crate) fn report_progress(&mut self) {
        self.reports_progress = true;
    }

    fn report(&mut self, event: impl FnOnce() -> RunEvent) {
        if self.reports_progress {
            self.events.push_back(event());
        }
    }

    /// Accepts a document. Returns `true` if it was pushed to the run, and `false` if its item is queued already.
    fn push(&mut self, document: ReadResult) -> bool {
        let position = self.taken;
        self.taken += 1;
        let item = match document {
            ReadResult::Read(read) if !self.is_ended => {
                self.push_read(position, *read);
                return true;
            }
            ReadResult::Read(read) => {
                let (name, key) = (read.document.name().to_owned(), read.document.key());
                match self.bulk.previous_report(key) {
                    Some(report) => {
                        let restored = self.bulk.is_restored(key);
                        Finished::known(name, key, report.clone(), restored)
                    }
                    None => unread(name),
                }
            }
            ReadResult::Unreadable(name, error) if !self.is_ended => {
                self.unreadable += 1;
                self.bulk.on_read_error(&error);
                Finished::unreadable(name, &error)
            }
            ReadResult::OtherShard { is_read, hashed } => {
                if is_read {
                    self.bulk.on_read();
                }
                self.record_hashed(hashed.as_deref());
                self.report(|| RunEvent::OtherShard { position });
                return false;
            }
            ReadResult::Unreadable(name, _) | ReadResult::Unread(name) => unread(name),
        };
        self.events.push_back(RunEvent::Finished(item.at(position)));
        false
    }

    /// Records the hash of a source, so that the next process need not read it.
    fn record_hashed(&mut self, hashed: Option<&Record>) {
        if let Some(record) = hashed.filter(|_| self.has_journal && !self.is_ended) {
            self.records.push_str(&record.to_line());
        }
    }

    fn push_read(&mut self, position: usize, read: ReadDocument) {
        self.record_hashed(read.hashed.as_deref());
        let key = read.document.key();
        let documents = self.in_progress.entry(key).or_default();
        let copy_of = documents.front().map(|first| first.position);
        documents.push_back(InProgress {
            position,
            _file: read.file,
        });
        self.report(|| RunEvent::Accepted { position, copy_of });
        self.bulk.push(read.document);
        // A job of an earlier process has its record already, so that no new record reports it.
        let job_id = self.bulk.job_id(key).filter(|_| copy_of.is_none());
        if let Some(job_id) = job_id.map(str::to_owned) {
            self.report(|| RunEvent::Created {
                positions: vec![position],
                job_id,
            });
        }
    }

    /// Reports the event of a record: an upload or a job.
    fn report_record(&mut self, record: &Record) {
        if !self.reports_progress {
            return;
        }
        let positions = |key| {
            let documents = self.in_progress.get(key).into_iter().flatten();
            documents.map(|document| document.position).collect()
        };
        let event = match record {
            Record::Uploaded { key, file_id } => RunEvent::Uploaded {
                positions: positions(key),
                file_id: file_id.clone(),
            },
            Record::Created { key, job_id, .. } => RunEvent::Created {
                positions: positions(key),
                job_id: job_id.clone(),
            },
            _ => return,
        };
        self.events.push_back(event);
    }

    /// Notes that the next document is being read. The run asks for it again after a moment.
    #[cfg(feature = "blocking")]
    pub(crate) fn await_document(&mut self) {
        self.awaited = Awaited::Yes;
    }

    /// Accepts documents that were read. Returns `true` if there are no more.
    pub(crate) fn take_in(&mut self, batch: Batch) -> bool {
        let mut has_pushed = false;
        for document in batch.documents {
            has_pushed |= self.push(document);
        }
        if batch.is_lost {
            self.end_error.get_or_insert(Error::state(
                "the document iterator panicked; its remaining documents were not classified",
            ));
            self.bulk.stop();
        }
        if batch.is_end {
            self.bulk.close();
        }
        // After a document, the run itself asks for the next one. Without one, everything else is done first.
        self.needs_document = !has_pushed && !batch.is_end;
        batch.is_end
    }

    /// Queues the items of all documents with this content.
    fn on_finished(&mut self, finished: FinishedDocument) {
        let mut documents = self.in_progress.remove(&finished.key).unwrap_or_default();
        // Copies that were pushed later finish later.
        let later = documents.split_off(finished.names.len().min(documents.len()));
        if !later.is_empty() {
            self.in_progress.insert(finished.key, later);
        }
        let positions = documents.into_iter().map(|document| document.position);
        self.events
            .extend(Finished::all(finished, positions).map(RunEvent::Finished));
    }

    /// Returns the next event; `None` if there is none or it waits until records are stored.
    pub(crate) fn next_event(&mut self) -> Option<RunEvent> {
        if self.records.is_empty() {
            self.events.pop_front()
        } else {
            None
        }
    }

    #[cfg(feature = "async")]
    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    pub(crate) fn take_records(&mut self) -> String {
        std::mem::take(&mut self.records)
    }

    /// Handles the result of storing the records. After an error nothing more is sent, because the next process would
    /// not know of a job that is created now.
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
                if let Some(event) = self.events.pop_front() {
                    return Step::Event(EngineEvent::Run(event));
                }
                if let Some(mut summary) = self.summary.take() {
                    if self.unreadable > 0 {
                        *summary.statuses.entry(DocumentStatus::Error).or_default() +=
                            self.unreadable;
                    }
                    if let Some(error) = self.store_error.take().or(self.end_error.take()) {
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
                Step::Event(BulkEvent::NeedDocuments(_)) => {
                    self.needs_document = true;
                    self.bulk.pause_input();
                }
                Step::Event(BulkEvent::Record(record)) => {
                    self.report_record(&record);
                    if self.has_journal {
                        self.records.push_str(&record.to_line());
                    }
                }
                Step::Event(BulkEvent::Finished(finished)) => self.on_finished(finished),
                Step::Event(BulkEvent::Notice(notice)) => self.report(|| RunEvent::Notice(notice)),
                Step::Event(_) => {}
                Step::Wait(until) => {
                    if !self.records.is_empty() {
                        return Step::Event(EngineEvent::Store);
                    }
                    if !self.events.is_empty() {
                        continue;
                    }
                    if std::mem::take(&mut self.needs_document) && !self.bulk.is_stopping() {
                        return Step::Event(EngineEvent::NeedDocument);
                    }
                    let ask_at = match self.awaited {
                        _ if self.bulk.is_stopping() => return Step::Wait(until),
                        Awaited::No => return Step::Wait(until),
                        Awaited::Yes => cx.now + ASK_INTERVAL,
                        Awaited::Until(time) => time,
                    };
                    if cx.now >= ask_at {
                        self.awaited = Awaited::No;
                        return Step::Event(EngineEvent::NeedDocument);
                    }
                    self.awaited = Awaited::Until(ask_at);
                    return Step::Wait(Some(until.map_or(ask_at, |until| until.min(ask_at))));
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

/// Returns the item of a document that was not classified because the run stopped.
fn unread(name: String) -> Finished {
    Finished::failed(name, ErrorScope::Run, "the run stopped first")
}

#[cfg(test)]
mod tests {
    use classify_proto::machine::{BulkOptions, HashedDocument};
    use classify_proto::v2::{Configuration, Rule};
    use classify_proto::{Api, Seed, Time};

    use super::*;
    use crate::document::ReadDocument;

    /// Documents are asked for when requests were sent, and not while there are some to send.
    #[test]
    fn documents_are_requested_after_requests_were_sent() {
        let api = Api::builder("llx-key").build().unwrap();
        let rules = Configuration::new([Rule::new("invoice", "has an invoice number")]);
        let options = BulkOptions::default();
        let bulk = Bulk::new(&api, rules, options, Seed::new([1; 16])).unwrap();
        let mut engine = Engine::new(bulk, false);
        let cx = || Context::new(&api, Time::from_millis(0));
        let mut sent = 0;
        for pushed in 1..20 {
            loop {
                match engine.poll(cx()) {
                    Step::Send(..) => sent += 1,
                    Step::Event(EngineEvent::NeedDocument) => break,
                    _ => panic!("the engine neither sends nor asks for documents"),
                }
            }
            // Uploads are limited to twelve.
            assert_eq!(sent, (pushed - 1).min(12));
            let document = HashedDocument::bytes(format!("{pushed}.txt"), format!("{pushed}"));
            let read = ReadDocument::new(document);
            assert!(engine.push(ReadResult::Read(Box::new(read))));
        }
    }
}
