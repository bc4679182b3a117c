//! The engine of a run: the core's [`Bulk`], with the documents that go into it and the journal that comes out.

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use classify_proto::machine::{
    Bulk, BulkEvent, ContentKey, Context, DocumentReport, FinishedDocument, HashedDocument,
    Machine, Record, Step, Summary, Ticket,
};
use classify_proto::{Failure, Reply};
use classify_ureq::classify_client::JournalFile;

use super::read_ahead::ReadResult;
use crate::cancel::StopReason;
use crate::graceful_stop::GracefulStop;

/// How often a run that waits for the next document to be read looks for it.
const LOOK: Duration = Duration::from_millis(20);

/// What the engine tells. Documents are named by their places in the list.
#[derive(Debug)]
pub(super) enum Event {
    /// It is on its way; `like` is the document of the same content that is sent for it.
    Accepted {
        index: usize,
        duplicate_of: Option<usize>,
    },
    /// Their content is with the service.
    Uploaded {
        indices: Vec<usize>,
        file_id: String,
    },
    /// Their job is there.
    Created { indices: Vec<usize>, job_id: String },
    /// The run is through with them; `restored` says that an earlier process was.
    FinishedDocument {
        indices: Vec<usize>,
        report: Box<DocumentReport>,
        restored: bool,
    },
    /// It cannot be classified.
    Unreadable { index: usize, reason: String },
    /// It is another shard's.
    OtherShard { index: usize },
    /// Something worth knowing.
    Notice(String),
}

/// How a run ended.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) summary: Summary,
    /// Why the journal could not be written, if it could not.
    pub(super) unstored: Option<String>,
    /// Why it was stopped from outside, if it was.
    pub(super) stopped: Option<StopReason>,
}

/// What the run knows of a content.
enum Known {
    /// It is on its way, for all these documents; the first is the one that is sent.
    Waiting(Vec<usize>),
    FinishedDocument(Box<DocumentReport>),
}

/// Classifies documents, each content once.
pub(super) struct Engine {
    bulk: Bulk,
    reader: Receiver<ReadResult>,
    journal: Option<JournalFile>,
    unstored: Option<String>,
    contents: HashMap<ContentKey, Known>,
    untold: VecDeque<Event>,
    /// The run waits for a document to be read.
    held: bool,
    /// Interrupting cancels the jobs that are open.
    cancels: bool,
    /// What was not taken in is looked up after a run that stopped by itself.
    looks_up_rest: bool,
    stopped: Option<StopReason>,
    ended: Option<Summary>,
}

impl Engine {
    pub(super) fn new(
        bulk: Bulk,
        reader: Receiver<ReadResult>,
        journal: Option<JournalFile>,
    ) -> Self {
        Self {
            bulk,
            reader,
            journal,
            unstored: None,
            contents: HashMap::new(),
            untold: VecDeque::new(),
            held: false,
            cancels: false,
            looks_up_rest: false,
            stopped: None,
            ended: None,
        }
    }

    /// Whether interrupting cancels the jobs that are open.
    pub(super) fn cancels_on_interrupt(mut self, cancels: bool) -> Self {
        self.cancels = cancels;
        self
    }

    /// Whether a run that the service stops still says what an earlier one settled of the rest, and what of it is
    /// another shard's.
    pub(super) fn looks_up_rest(mut self, looks_up: bool) -> Self {
        self.looks_up_rest = looks_up;
        self
    }

    /// Hands over what has been read, up to the room there is; says what follows when there is nothing.
    fn feed(&mut self, room: usize) {
        let mut pushed = 0;
        self.held = false;
        while pushed < room {
            match self.reader.try_recv() {
                Ok(read) => pushed += usize::from(self.admit(read)),
                Err(TryRecvError::Disconnected) => return self.bulk.close(),
                Err(TryRecvError::Empty) => {
                    if pushed == 0 {
                        self.held = true;
                        self.bulk.pause_input();
                    }
                    return;
                }
            }
        }
    }

    /// Takes in a document; `true` when it is the first of its content.
    fn admit(&mut self, read: ReadResult) -> bool {
        let Some((index, document)) = self.ready(read) else {
            return false;
        };
        self.untold.push_back(Event::Accepted {
            index,
            duplicate_of: None,
        });
        let key = document.key();
        self.contents.insert(key, Known::Waiting(vec![index]));
        self.bulk.push(*document);
        // One that is open since an earlier process is not recorded again.
        if let Some(job_id) = self.bulk.job_id(key) {
            self.untold.push_back(Event::Created {
                indices: vec![index],
                job_id: job_id.to_owned(),
            });
        }
        true
    }

    /// A document whose content the run does not know yet; tells of any other.
    fn ready(&mut self, read: ReadResult) -> Option<(usize, Box<HashedDocument>)> {
        let (index, document) = match read {
            ReadResult::Ready {
                index, document, ..
            } => (index, document),
            ReadResult::Unreadable { index, reason } => {
                self.untold.push_back(Event::Unreadable { index, reason });
                return None;
            }
            ReadResult::OtherShard { index } => {
                self.untold.push_back(Event::OtherShard { index });
                return None;
            }
        };
        match self.contents.get_mut(&document.key()) {
            None => return Some((index, document)),
            Some(Known::Waiting(indices)) => {
                let duplicate_of = indices.first().copied();
                indices.push(index);
                self.untold.push_back(Event::Accepted {
                    index,
                    duplicate_of,
                });
            }
            Some(Known::FinishedDocument(report)) => {
                let report = report.clone();
                self.untold.push_back(Event::FinishedDocument {
                    indices: vec![index],
                    report,
                    restored: false,
                });
            }
        }
        None
    }

    /// Stores a record and takes note of what it says; a record that cannot be stored stops the run.
    fn store(&mut self, record: &Record) {
        if let (None, Some(journal)) = (&self.unstored, &mut self.journal)
            && let Err(error) = journal.append(&record.to_line())
        {
            self.unstored = Some(error.to_string());
            self.bulk.stop();
        }
        let waiting = |key| match self.contents.get(key) {
            Some(Known::Waiting(indices)) => indices.clone(),
            _ => Vec::new(),
        };
        let event = match record {
            Record::Uploaded { key, file_id } => Event::Uploaded {
                indices: waiting(key),
                file_id: file_id.clone(),
            },
            Record::Created { key, job_id, .. } => Event::Created {
                indices: waiting(key),
                job_id: job_id.clone(),
            },
            _ => return,
        };
        self.untold.push_back(event);
    }

    fn settled(&mut self, settled: FinishedDocument) {
        let report = Box::new(settled.report);
        let known = Known::FinishedDocument(report.clone());
        let Some(Known::Waiting(indices)) = self.contents.insert(settled.key, known) else {
            return;
        };
        self.untold.push_back(Event::FinishedDocument {
            indices,
            report,
            restored: settled.restored,
        });
    }

    /// What is said of the documents that a stopped run has not taken in.
    fn look_up_rest(&mut self, cx: Context<'_>) -> Option<Step<Event, Outcome>> {
        if self.stopped.is_some() || !self.looks_up_rest {
            return None;
        }
        // One that nobody has settled has nothing to be told: what is left at the end was not started.
        loop {
            match self.reader.try_recv() {
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => return Some(Step::Wait(Some(cx.now + LOOK))),
                Ok(read) => {
                    if let Some((index, document)) = self.ready(read)
                        && let Some(report) = self.bulk.previous_report(document.key())
                    {
                        self.untold.push_back(Event::FinishedDocument {
                            indices: vec![index],
                            report: Box::new(report.clone()),
                            restored: true,
                        });
                    }
                    if let Some(event) = self.untold.pop_front() {
                        return Some(Step::Event(event));
                    }
                }
            }
        }
    }
}

impl Machine for Engine {
    type Event = Event;
    type Output = Outcome;

    fn poll(&mut self, cx: Context<'_>) -> Step<Event, Outcome> {
        loop {
            if let Some(event) = self.untold.pop_front() {
                return Step::Event(event);
            }
            if self.ended.is_some() {
                if let Some(step) = self.look_up_rest(cx) {
                    return step;
                }
                return Step::Done(Outcome {
                    summary: self.ended.take().unwrap_or_default(),
                    unstored: self.unstored.take(),
                    stopped: self.stopped,
                });
            }
            if self.held && !self.bulk.is_stopping() {
                self.feed(self.bulk.capacity());
                if !self.untold.is_empty() {
                    continue;
                }
            }
            match self.bulk.poll(cx) {
                Step::Event(BulkEvent::NeedDocuments(room)) => self.feed(room),
                Step::Event(BulkEvent::Record(record)) => self.store(&record),
                Step::Event(BulkEvent::Finished(settled)) => self.settled(settled),
                Step::Event(BulkEvent::Notice(notice)) => {
                    return Step::Event(Event::Notice(notice));
                }
                Step::Event(_) => {}
                Step::Send(ticket, request) => {
                    if self.unstored.is_some() {
                        // No job is created that the journal does not know of.
                        let failure = Failure::connect("the journal cannot be written");
                        self.bulk.handle(cx, ticket, Err(failure));
                        continue;
                    }
                    return Step::Send(ticket, request);
                }
                Step::Wait(until) if self.held => {
                    let look = cx.now + LOOK;
                    return Step::Wait(Some(until.map_or(look, |until| until.min(look))));
                }
                Step::Wait(until) => return Step::Wait(until),
                Step::Done(summary) => self.ended = Some(summary),
            }
        }
    }

    fn handle(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply) {
        self.bulk.handle(cx, ticket, reply);
    }

    fn resume(&mut self) {
        self.bulk.resume();
    }
}

impl GracefulStop for Engine {
    const GRACE_PERIOD: Duration = Duration::from_secs(10);
    const SENDS_AFTER_STOP: bool = true;

    fn stop(&mut self, reason: StopReason) {
        self.stopped.get_or_insert(reason);
        if self.cancels && reason == StopReason::Interrupted {
            self.bulk.stop_and_cancel();
        } else {
            self.bulk.stop();
        }
    }
}
