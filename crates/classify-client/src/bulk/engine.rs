//! The machine of a run: the core's, which waits until its records are stored.

use std::collections::{BTreeMap, VecDeque};

use classify_proto::machine::{
    Bulk, BulkEvent, ContentKey, Context, DocumentStatus, ErrorScope, FinishedDocument, Machine,
    Record, RunEnd, Step, Summary, Ticket,
};
use classify_proto::{Body, Error, Failure, Reply, http};

use super::event::RunEvent;
use super::finished::Finished;
use super::source::{Batch, ReadResult};
use crate::document::{ReadDocument, TemporaryFile};

/// A [`Bulk`] machine whose requests wait until the records before them are stored, many records at a time.
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
    /// Requests that wait for them, and events.
    held: VecDeque<(Ticket, http::Request<Body>)>,
    events: VecDeque<RunEvent>,
    /// The caller wants to know more than which documents have finished.
    tells_progress: bool,
    store_error: Option<Error>,
    /// Another error that ended the run.
    end_error: Option<Error>,
    summary: Option<Summary>,
    /// Documents that could not be read, which the core does not know of.
    unreadable: usize,
    /// The run takes in no more documents.
    is_ended: bool,
    /// The run has asked for documents. They are read when there is nothing else to do, so that requests do not wait for
    /// them.
    needs_document: bool,
    /// How many documents were taken from the source.
    taken: usize,
    /// The documents in the run, by content, in the order in which they were pushed.
    in_progress: BTreeMap<ContentKey, VecDeque<InProgress>>,
}

/// A document in the run.
struct InProgress {
    position: usize,
    /// It is deleted when the document has finished.
    _file: Option<TemporaryFile>,
}

pub(crate) enum EngineEvent {
    /// A document may be pushed; the input is paused until one is.
    NeedDocument,
    Store,
    Run(RunEvent),
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
            events: VecDeque::new(),
            tells_progress: false,
            store_error: None,
            end_error: None,
            summary: None,
            unreadable: 0,
            is_ended: false,
            needs_document: false,
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

    /// Tells every event from now on.
    pub(crate) fn tell_progress(&mut self) {
        self.tells_progress = true;
    }

    fn tell(&mut self, event: impl FnOnce() -> RunEvent) {
        if self.tells_progress {
            self.events.push_back(event());
        }
    }

    /// Takes in a document. `true` if the run has it, `false` if its item is in the queue already.
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
                    Some(report) => Finished::restored(name, key, report.clone()),
                    None => unread(name),
                }
            }
            ReadResult::Unreadable(name, error) if !self.is_ended => {
                self.unreadable += 1;
                self.bulk.on_read_error(&error);
                Finished::unreadable(name, &error)
            }
            ReadResult::OtherShard => {
                self.tell(|| RunEvent::OtherShard { position });
                return false;
            }
            ReadResult::Unreadable(name, _) | ReadResult::Unread(name) => unread(name),
        };
        self.events.push_back(RunEvent::Finished(item.at(position)));
        false
    }

    fn push_read(&mut self, position: usize, read: ReadDocument) {
        let key = read.document.key();
        let documents = self.in_progress.entry(key).or_default();
        let copy_of = documents.front().map(|first| first.position);
        documents.push_back(InProgress {
            position,
            _file: read.file,
        });
        self.tell(|| RunEvent::Accepted { position, copy_of });
        self.bulk.push(read.document);
        // The record of a job that is open since an earlier process is not written again.
        let job_id = self.bulk.job_id(key).filter(|_| copy_of.is_none());
        if let Some(job_id) = job_id.map(str::to_owned) {
            self.tell(|| RunEvent::Created {
                positions: vec![position],
                job_id,
            });
        }
    }

    /// Tells what a record says of its documents.
    fn tell_record(&mut self, record: &Record) {
        if !self.tells_progress {
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

    /// Takes in documents that were read. `true` if there are no more.
    pub(crate) fn take_in(&mut self, batch: Batch) -> bool {
        let mut has_pushed = false;
        for document in batch.documents {
            has_pushed |= self.push(document);
        }
        if batch.is_lost {
            self.end_error.get_or_insert(Error::state(
                "the iterator of the documents panicked; its other documents were not classified",
            ));
            self.bulk.stop();
        }
        if batch.is_end {
            self.bulk.close();
        }
        // With a document, the run asks again by itself. Without, it looks at everything else first.
        self.needs_document = !has_pushed && !batch.is_end;
        batch.is_end
    }

    /// Queues the items of a content that has finished.
    fn on_finished(&mut self, finished: FinishedDocument) {
        let mut documents = self.in_progress.remove(&finished.key).unwrap_or_default();
        // Copies that came later finish later.
        let later = documents.split_off(finished.names.len().min(documents.len()));
        if !later.is_empty() {
            self.in_progress.insert(finished.key, later);
        }
        let positions = documents.into_iter().map(|document| document.position);
        self.events
            .extend(Finished::all(finished, positions).map(RunEvent::Finished));
    }

    /// Returns the next event, if none has to wait for records.
    pub(crate) fn next_event(&mut self) -> Option<RunEvent> {
        if self.records.is_empty() {
            self.events.pop_front()
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
                    self.tell_record(&record);
                    if self.has_journal {
                        self.records.push_str(&record.to_line());
                    }
                }
                Step::Event(BulkEvent::Finished(finished)) => self.on_finished(finished),
                Step::Event(BulkEvent::Notice(notice)) => self.tell(|| RunEvent::Notice(notice)),
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
                    return Step::Wait(until);
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

/// The item of a document that a stopped run does not classify.
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
            let read = ReadDocument {
                document,
                file: None,
            };
            assert!(engine.push(ReadResult::Read(Box::new(read))));
        }
    }
}
