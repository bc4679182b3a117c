//! Accepts documents into a run.

use super::Source;
use super::error_scope::ErrorScope;
use super::in_flight::DocumentIndex;
use super::journal::{JournalEntry, Record};
use super::report_cache::PaymentState;
use super::state::{CreatedIn, DocumentState, InputState, RunPhase, Stage};
use super::stop::RUN_STOPPED;
use super::{Bulk, BulkEvent, ContentKey, FinishedDocument, HashedDocument};

impl Bulk {
    /// How many documents may be pushed now. A further copy of one that is on its way counts like any other.
    #[must_use]
    pub fn capacity(&self) -> usize {
        if self.input_state == InputState::Closed || self.stop.is_some() {
            return 0;
        }
        self.options
            .max_in_flight
            .saturating_sub(self.documents.len().saturating_add(self.extra_names))
    }

    /// Takes in a document. Beyond the [`capacity`](Self::capacity) it is taken all the same.
    ///
    /// After the run has stopped it is reported at once: as not started, as open where an earlier process has created
    /// its job, or as what an earlier process found. After the end of the run it is not heard.
    pub fn push(&mut self, document: HashedDocument) {
        if self.phase == RunPhase::Ended {
            return;
        }
        self.pushed += 1;
        self.read_errors = None;
        if self.input_state == InputState::Paused {
            self.input_state = InputState::Open;
        }
        let HashedDocument { name, key, source } = document;
        if let Some(document) = self
            .by_key
            .get(&key)
            .and_then(|index| self.documents.get_mut(index))
        {
            document.names.push(name);
            self.extra_names += 1;
            self.summary.duplicates += 1;
            return;
        }
        if let Some((report, restored)) = self.report_cache.get(key) {
            self.summary.duplicates += 1;
            let scope = self.scope_of(report);
            let finished = FinishedDocument {
                names: vec![name],
                key,
                report: report.clone(),
                job: None,
                restored,
                scope,
            };
            self.events.push_back(BulkEvent::Finished(finished));
            return;
        }
        let entry = self.journal.remove(&key);
        self.admit(name, key, source, entry);
    }

    /// Answers a request for documents: there will be a document or an end, but not now.
    ///
    /// No documents are requested before the next [`push`](Self::push). Until then the machine may have nothing to
    /// wait for by itself; whoever holds it polls it again after a push or a [`close`](Self::close).
    pub fn pause_input(&mut self) {
        if self.input_state == InputState::Open {
            self.input_state = InputState::Paused;
        }
        self.requested_at = None;
    }

    /// Says that there are no more documents.
    pub fn close(&mut self) {
        self.input_state = InputState::Closed;
    }

    fn admit(
        &mut self,
        name: String,
        key: ContentKey,
        source: Source,
        entry: Option<JournalEntry>,
    ) {
        let is_known = entry.is_some();
        // What came before in this run and was forgotten is in no journal that was read.
        let payment = self.report_cache.payment_state(key);
        let is_planned = is_known || payment != PaymentState::default();
        let entry = entry.unwrap_or_else(|| JournalEntry {
            run_number: payment.run_number,
            job_id: payment.job_id,
            ..JournalEntry::default()
        });
        // An earlier process had all it needed for a create, and may not have lived to write down that it was made.
        let was_about_to_be = entry.file_id.is_some() || matches!(source, Source::Id(_));
        let is_open = is_known && entry.job_id.is_none() && entry.report.is_none();
        // A further attempt that failed before this very round was interrupted is not paid for again in it.
        let is_retried = entry.run_number > 0 && entry.is_of_this_pass;
        // If it finished, its job may exist even if the report names none, and a copy would find it.
        let is_of_this_pass = payment.is_of_this_pass || (is_retried && entry.report.is_some());
        let mut document = DocumentState {
            names: vec![name],
            key,
            run_number: entry.run_number,
            failures: 0,
            failed_jobs: 0,
            is_file_from_journal: entry.file_id.is_some(),
            file_id: entry.file_id,
            created_in: if is_of_this_pass {
                CreatedIn::ThisPass
            } else if entry.job_id.is_some() && !is_retried {
                CreatedIn::EarlierPass
            } else {
                CreatedIn::Unknown
            },
            job_id: entry.job_id,
            job_may_exist: payment.job_may_exist || (is_open && was_about_to_be),
            source,
        };
        let index = self.pushed;
        if let Some(report) = entry.report {
            let is_wanted = self.retries_failed() && self.stop.is_none();
            if !is_wanted || report.status.has_result() || is_retried {
                return self.restore(document, report);
            }
            document.run_number += 1;
            (document.file_id, document.is_file_from_journal) = (None, false);
            (document.job_id, document.created_in) = (None, CreatedIn::Unknown);
        }
        let job_id = document.job_id.clone();
        let is_new = !is_planned || document.run_number > entry.run_number;
        if is_new && self.stop.is_none() {
            self.plan(&document);
        }
        let next = document.next();
        self.by_key.insert(key, index);
        self.documents.insert(index, document);
        match job_id {
            Some(job_id) if self.stop.is_some() => self.finish_as_open(index, job_id, None),
            None if self.stop.is_some() => {
                self.finish_without_job(index, RUN_STOPPED.to_owned(), ErrorScope::Run);
            }
            Some(job_id) => {
                if !self.poller.add_from_journal(job_id.clone(), index) {
                    self.finish_as_conflict(index, &job_id);
                }
            }
            None => self.queue(index, next),
        }
    }

    /// Has a document wait for its next upload or create.
    pub(super) fn queue(&mut self, index: DocumentIndex, next: Stage) {
        match next {
            Stage::Upload => self.to_upload.push_back(index),
            Stage::Create => self.to_create.push_back(index),
        }
    }

    pub(super) fn plan(&mut self, document: &DocumentState) {
        let name = document.names.first().cloned().unwrap_or_default();
        self.record(Record::Planned {
            key: document.key,
            name,
            run_number: document.run_number,
        });
    }

    /// Requests documents once; if none is pushed, the input has ended.
    pub(super) fn request_documents(&mut self) -> Option<BulkEvent> {
        if self.input_state == InputState::Paused {
            return None;
        }
        if self.requested_at.take() == Some(self.pushed) {
            self.input_state = InputState::Closed;
        }
        let capacity = self.capacity();
        // In handfuls, so that a caller is not asked for every single document.
        let batch = self.options.max_in_flight.div_ceil(8);
        let is_worthwhile = capacity > 0 && (capacity >= batch || self.documents.is_empty());
        is_worthwhile.then(|| {
            self.requested_at = Some(self.pushed);
            BulkEvent::NeedDocuments(capacity)
        })
    }
}
