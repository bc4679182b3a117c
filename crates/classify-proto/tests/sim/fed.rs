//! A bulk run with the iterator its documents come from and the function that stores its records, as one machine.

use classify_proto::machine::{
    Bulk, BulkEvent, Context, FinishedDocument, HashedDocument, Machine, Record, RunEnd, Step,
    Summary, Ticket,
};
use classify_proto::{Error, Reply};

/// A [`Bulk`] that takes its documents from an iterator and passes each record to a function before it continues. A record
/// that cannot be stored stops the run.
pub(crate) struct Fed<I, R> {
    bulk: Bulk,
    documents: I,
    store: R,
    store_error: Option<Error>,
}

impl<I, R> Fed<I, R>
where
    I: Iterator<Item = HashedDocument>,
    R: FnMut(&Record) -> std::io::Result<()>,
{
    pub(crate) fn new(bulk: Bulk, documents: impl IntoIterator<IntoIter = I>, store: R) -> Self {
        Self {
            bulk,
            documents: documents.into_iter(),
            store,
            store_error: None,
        }
    }

    /// Returns the documents that the run has not taken in.
    #[allow(dead_code, reason = "each test uses a part")]
    pub(crate) fn into_rest(self) -> I {
        self.documents
    }
}

impl<I, R> Machine for Fed<I, R>
where
    I: Iterator<Item = HashedDocument>,
    R: FnMut(&Record) -> std::io::Result<()>,
{
    type Event = Box<FinishedDocument>;
    type Output = Summary;

    fn poll(&mut self, cx: Context<'_>) -> Step<Self::Event, Summary> {
        loop {
            match self.bulk.poll(cx) {
                Step::Send(ticket, request) => return Step::Send(ticket, request),
                Step::Wait(until) => return Step::Wait(until),
                Step::Event(BulkEvent::NeedDocuments(capacity)) => {
                    for document in self.documents.by_ref().take(capacity) {
                        self.bulk.push(document);
                    }
                }
                // A record that failed may be there in part, which is sound only at the end of a journal.
                Step::Event(BulkEvent::Record(_)) if self.store_error.is_some() => {}
                Step::Event(BulkEvent::Record(record)) => {
                    if let Err(error) = (self.store)(&record) {
                        let message = format!("the journal cannot be written: {error}");
                        self.store_error = Some(Error::state(message));
                        self.bulk.stop();
                    }
                }
                Step::Event(BulkEvent::Finished(finished)) => {
                    return Step::Event(Box::new(finished));
                }
                Step::Event(_) => {}
                Step::Done(mut summary) => {
                    if let Some(error) = self.store_error.take() {
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
