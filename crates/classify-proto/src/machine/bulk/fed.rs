//! A run together with where its documents come from and where its journal goes.

use std::fmt;

use super::{Bulk, BulkEvent, FinishedDocument, HashedDocument, Record, RunEnd, Summary};
use crate::error::Error;
use crate::machine::context::Context;
use crate::machine::step::{Machine, Step, Ticket};
use crate::reply::Reply;

/// A [`Bulk`] with the iterator its documents come from and the function that stores its records, so that any driver
/// runs it like any other machine: [`Bulk::fed_by`].
///
/// Both are called while the machine is polled, in order and one at a time: a record is stored before anything is done
/// that rests on it. A record that cannot be stored stops the run, because what is bought after it might be bought
/// again by whoever reads the journal; no further record is stored then, so that what is there in part is the last.
pub struct Fed<I, R> {
    bulk: Bulk,
    documents: I,
    store: R,
    unstored: Option<Error>,
}

/// What a [`Fed`] run tells.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum FedEvent {
    /// The run is through with a document.
    Finished(Box<FinishedDocument>),
    /// Something that whoever watches may want to know.
    Notice(String),
}

impl Bulk {
    /// Takes documents from `documents` as there is room, and hands every record to `store` before going on.
    pub fn fed_by<I, R>(self, documents: I, store: R) -> Fed<I::IntoIter, R>
    where
        I: IntoIterator<Item = HashedDocument>,
        R: FnMut(&Record) -> std::io::Result<()>,
    {
        Fed {
            bulk: self,
            documents: documents.into_iter(),
            store,
            unstored: None,
        }
    }
}

impl<I, R> Fed<I, R> {
    /// The run itself, to look at it.
    pub fn bulk(&self) -> &Bulk {
        &self.bulk
    }

    /// The run itself, to stop it.
    pub fn bulk_mut(&mut self) -> &mut Bulk {
        &mut self.bulk
    }

    /// What is left of the documents: those that the run has not taken in.
    pub fn into_rest(self) -> I {
        self.documents
    }
}

impl<I, R> Machine for Fed<I, R>
where
    I: Iterator<Item = HashedDocument>,
    R: FnMut(&Record) -> std::io::Result<()>,
{
    type Event = FedEvent;
    type Output = Summary;

    fn poll(&mut self, cx: Context<'_>) -> Step<FedEvent, Summary> {
        loop {
            match self.bulk.poll(cx) {
                Step::Send(ticket, request) => return Step::Send(ticket, request),
                Step::Wait(until) => return Step::Wait(until),
                Step::Event(BulkEvent::NeedDocuments(room)) => {
                    for document in self.documents.by_ref().take(room) {
                        self.bulk.push(document);
                    }
                }
                Step::Event(BulkEvent::Record(record)) => {
                    // A record that failed may be there in part, which is sound only at the end of a journal.
                    if self.unstored.is_some() {
                        continue;
                    }
                    if let Err(error) = (self.store)(&record) {
                        let message = format!("the journal cannot be written: {error}");
                        self.unstored = Some(Error::state(&*message));
                        self.bulk.stop();
                        return Step::Event(FedEvent::Notice(message));
                    }
                }
                Step::Event(BulkEvent::Finished(finished)) => {
                    return Step::Event(FedEvent::Finished(Box::new(finished)));
                }
                Step::Event(BulkEvent::Notice(notice)) => {
                    return Step::Event(FedEvent::Notice(notice));
                }
                Step::Done(mut summary) => {
                    if let Some(error) = self.unstored.take() {
                        summary.end = RunEnd::Failed(error);
                    }
                    return Step::Done(summary);
                }
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

impl<I, R> fmt::Debug for Fed<I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fed")
            .field("bulk", &self.bulk)
            .finish_non_exhaustive()
    }
}
