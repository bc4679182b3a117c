//! How documents come in.

use super::document::Source;
use super::journal::{Entry, Record};
use super::{Bulk, BulkEvent, ContentKey, Document, Entrant, Settled};

impl Bulk {
    /// How many documents may be pushed now.
    #[must_use]
    pub fn room(&self) -> usize {
        if self.closed || self.stop.is_some() {
            return 0;
        }
        self.options
            .max_in_flight
            .saturating_sub(self.documents.len())
    }

    /// Takes in a document. Beyond [`room`](Self::room) it is taken all the same; after the run has stopped it is
    /// reported as not started.
    pub fn push(&mut self, document: Document) {
        self.pushed += 1;
        self.held = false;
        let Document { name, key, source } = document;
        if let Some(entrant) = self
            .by_key
            .get(&key)
            .and_then(|place| self.documents.get_mut(place))
        {
            entrant.names.push(name);
            self.summary.duplicates += 1;
            return;
        }
        if let Some((report, restored)) = self.settled.get(key) {
            self.summary.duplicates += 1;
            let settled = Settled {
                names: vec![name],
                key,
                report: report.clone(),
                job: None,
                restored,
            };
            self.events.push_back(BulkEvent::Settled(settled));
            return;
        }
        let entry = self.journal.remove(&key);
        let known = entry.is_some();
        self.admit(name, key, source, entry.unwrap_or_default(), known);
    }

    /// Answers a request for room: there will be a document or an end, but not now.
    ///
    /// Room is not asked for again before the next [`push`](Self::push). Until then the machine may have nothing to
    /// wait for by itself; whoever holds it polls it again after a push or a [`close`](Self::close).
    pub fn hold(&mut self) {
        self.held = true;
        self.asked_at = None;
    }

    /// Says that there are no more documents.
    pub fn close(&mut self) {
        self.closed = true;
    }

    fn admit(&mut self, name: String, key: ContentKey, source: Source, entry: Entry, known: bool) {
        // An earlier process had all it needed for a create, and may not have lived to write down that it was made.
        let was_about_to_be = entry.file_id.is_some() || matches!(source, Source::Held(_));
        let is_open = known && entry.job_id.is_none() && entry.report.is_none();
        let mut entrant = Entrant {
            names: vec![name],
            key,
            attempt: entry.attempt,
            faults: 0,
            replays: 0,
            file_is_old: entry.file_id.is_some(),
            file_id: entry.file_id,
            job_id: entry.job_id,
            may_be_bought: is_open && was_about_to_be,
            source,
        };
        let place = self.pushed;
        if let Some(report) = entry.report {
            // A further attempt that failed before this very round was interrupted is not paid for again in it.
            let is_retried = entry.attempt > 0 && entry.is_of_this_round;
            if !self.options.retry_failed || report.status.is_answered() || is_retried {
                return self.restore(entrant, report);
            }
            entrant.attempt += 1;
            (entrant.file_id, entrant.job_id, entrant.file_is_old) = (None, None, false);
        }
        if !known || entrant.attempt > entry.attempt {
            self.plan(&entrant);
        }
        self.by_key.insert(key, place);
        let job_id = entrant.job_id.clone();
        match (&job_id, &entrant.file_id, &entrant.source) {
            (Some(_), _, _) => {}
            (None, Some(_), _) | (None, None, Source::Held(_)) => self.to_create.push_back(place),
            (None, None, Source::Upload(_)) => self.to_upload.push_back(place),
        }
        self.documents.insert(place, entrant);
        if let Some(job_id) = job_id {
            if !self.rounds.open_unseen(job_id.clone(), place) {
                self.settle_as_taken(place, &job_id);
            }
        }
    }

    fn plan(&mut self, entrant: &Entrant) {
        let name = entrant.names.first().cloned().unwrap_or_default();
        self.record(Record::Planned {
            key: entrant.key,
            name,
            attempt: entrant.attempt,
        });
    }

    /// Asks for room once, and takes silence for an end.
    pub(super) fn ask_for_room(&mut self) -> Option<BulkEvent> {
        if self.held {
            return None;
        }
        if self.asked_at.take() == Some(self.pushed) {
            self.closed = true;
        }
        let room = self.room();
        // In handfuls, so that a caller is not asked for every single document.
        let worth_asking =
            room > 0 && (room * 8 >= self.options.max_in_flight || self.documents.is_empty());
        worth_asking.then(|| {
            self.asked_at = Some(self.pushed);
            BulkEvent::Room(room)
        })
    }
}
