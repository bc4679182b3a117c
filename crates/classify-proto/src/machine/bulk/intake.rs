//! How documents come in.

use super::document::Source;
use super::flow::Buying;
use super::journal::{Entry, Record};
use super::memory::Mark;
use super::works::Place;
use super::{Bought, Bulk, BulkEvent, ContentKey, Document, Entrant, Phase, Settled, Supply};

impl Bulk {
    /// How many documents may be pushed now. A further copy of one that is on its way takes room like any other.
    #[must_use]
    pub fn room(&self) -> usize {
        if self.supply == Supply::Ended || self.stop.is_some() {
            return 0;
        }
        self.options
            .max_in_flight
            .saturating_sub(self.documents.len().saturating_add(self.copies))
    }

    /// Takes in a document. Beyond [`room`](Self::room) it is taken all the same.
    ///
    /// After the run has stopped it is reported at once: as not started, as open where an earlier process has created
    /// its job, or as what an earlier process found. After the end of the run it is not heard.
    pub fn push(&mut self, document: Document) {
        if self.phase == Phase::Ended {
            return;
        }
        self.pushed += 1;
        if self.supply == Supply::Held {
            self.supply = Supply::Flowing;
        }
        let Document { name, key, source } = document;
        if let Some(entrant) = self
            .by_key
            .get(&key)
            .and_then(|place| self.documents.get_mut(place))
        {
            entrant.names.push(name);
            self.copies += 1;
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
        self.admit(name, key, source, entry);
    }

    /// Answers a request for room: there will be a document or an end, but not now.
    ///
    /// Room is not asked for again before the next [`push`](Self::push). Until then the machine may have nothing to
    /// wait for by itself; whoever holds it polls it again after a push or a [`close`](Self::close).
    pub fn hold(&mut self) {
        if self.supply == Supply::Flowing {
            self.supply = Supply::Held;
        }
        self.asked_at = None;
    }

    /// Says that there are no more documents.
    pub fn close(&mut self) {
        self.supply = Supply::Ended;
    }

    fn admit(&mut self, name: String, key: ContentKey, source: Source, entry: Option<Entry>) {
        let is_known = entry.is_some();
        // What came before in this run and was forgotten is in no journal that was read.
        let mark = self.settled.mark(key);
        let is_planned = is_known || mark != Mark::default();
        let entry = entry.unwrap_or_else(|| Entry {
            attempt: mark.attempt,
            ..Entry::default()
        });
        // An earlier process had all it needed for a create, and may not have lived to write down that it was made.
        let was_about_to_be = entry.file_id.is_some() || matches!(source, Source::Held(_));
        let is_open = is_known && entry.job_id.is_none() && entry.report.is_none();
        // A further attempt that failed before this very round was interrupted is not paid for again in it.
        let is_retried = entry.attempt > 0 && entry.is_of_this_round;
        let mut entrant = Entrant {
            names: vec![name],
            key,
            attempt: entry.attempt,
            faults: 0,
            replays: 0,
            file_is_old: entry.file_id.is_some(),
            file_id: entry.file_id,
            bought: match entry.job_id {
                Some(_) if !is_retried => Bought::Earlier,
                _ if mark.is_own => Bought::Now,
                _ => Bought::Unknown,
            },
            job_id: entry.job_id,
            may_be_bought: mark.may_be_bought || (is_open && was_about_to_be),
            source,
        };
        let place = self.pushed;
        if let Some(report) = entry.report {
            let is_wanted = self.options.retry_failed && self.stop.is_none();
            if !is_wanted || report.status.is_answered() || is_retried {
                return self.restore(entrant, report);
            }
            entrant.attempt += 1;
            (entrant.file_id, entrant.file_is_old) = (None, false);
            (entrant.job_id, entrant.bought) = (None, Bought::Unknown);
        }
        let job_id = entrant.job_id.clone();
        let is_new = !is_planned || entrant.attempt > entry.attempt;
        if is_new && self.stop.is_none() {
            self.plan(&entrant);
        }
        let next = entrant.next();
        self.by_key.insert(key, place);
        self.documents.insert(place, entrant);
        match job_id {
            Some(job_id) if self.stop.is_some() => self.leave(place, job_id, None),
            None if self.stop.is_some() => {
                self.settle_unbought(place, "the run stopped first".to_owned());
            }
            Some(job_id) => {
                if !self.rounds.open_unseen(job_id.clone(), place) {
                    self.settle_as_taken(place, &job_id);
                }
            }
            None => self.queue(place, next),
        }
    }

    /// Has a document wait for its next upload or create.
    pub(super) fn queue(&mut self, place: Place, next: Buying) {
        match next {
            Buying::Upload => self.to_upload.push_back(place),
            Buying::Create => self.to_create.push_back(place),
        }
    }

    pub(super) fn plan(&mut self, entrant: &Entrant) {
        let name = entrant.names.first().cloned().unwrap_or_default();
        self.record(Record::Planned {
            key: entrant.key,
            name,
            attempt: entrant.attempt,
        });
    }

    /// Asks for room once, and takes silence for an end.
    pub(super) fn ask_for_room(&mut self) -> Option<BulkEvent> {
        if self.supply == Supply::Held {
            return None;
        }
        if self.asked_at.take() == Some(self.pushed) {
            self.supply = Supply::Ended;
        }
        let room = self.room();
        // In handfuls, so that a caller is not asked for every single document.
        let handful = self.options.max_in_flight.div_ceil(8);
        let worth_asking = room > 0 && (room >= handful || self.documents.is_empty());
        worth_asking.then(|| {
            self.asked_at = Some(self.pushed);
            BulkEvent::Room(room)
        })
    }
}
