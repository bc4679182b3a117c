//! Input of a run: accepts documents.

use super::Source;
use super::error_scope::ErrorScope;
use super::in_flight::DocumentIndex;
use super::journal::{JournalEntry, Record};
use super::report_cache::PaymentState;
use super::state::{CreatedIn, DocumentState, InputState, RunPhase, Stage};
use super::stop::RUN_STOPPED;
use super::{Bulk, BulkEvent, ContentKey, FinishedDocument, HashedDocument};

impl Bulk {
    /// Returns how many documents may be pushed now. A duplicate of a document in flight counts like any other.
    #[must_use]
    pub fn capacity(&self) -> usize {
        if self.input_state == InputState::Closed || self.stop.is_some() {
            return 0;
        }
        self.options
            .max_in_flight
            .saturating_sub(self.documents.len().saturating_add(self.extra_names))
    }

    /// Adds a document. Documents beyond the [`capacity`](Self::capacity) are accepted too.
    ///
    /// After the run has stopped, the document is reported at once: as not started, as open if an earlier process
    /// created its job, or with the earlier process's report. After the run has ended, it is ignored.
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

    /// Answers [`BulkEvent::NeedDocuments`] if no document is available yet but more will come.
    ///
    /// The run requests no documents before the next [`push`](Self::push). Until then it may return
    /// [`Step::Wait`](crate::machine::Step::Wait) without a time; poll it again after a push or a
    /// [`close`](Self::close).
    pub fn pause_input(&mut self) {
        if self.input_state == InputState::Open {
            self.input_state = InputState::Paused;
        }
        self.requested_at = None;
    }

    /// Ends the input: no more documents will be pushed.
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
        // A document finished earlier in this run and evicted from the cache is not in the journal that was read.
        let payment = self.report_cache.payment_state(key);
        let is_planned = is_known || payment != PaymentState::default();
        let entry = entry.unwrap_or_else(|| JournalEntry {
            run_number: payment.run_number,
            job_id: payment.job_id,
            ..JournalEntry::default()
        });
        // An earlier process was ready to create the job, and may have crashed before it recorded the job.
        let was_about_to_be = entry.file_id.is_some() || matches!(source, Source::Id(_));
        let is_open = is_known && entry.job_id.is_none() && entry.report.is_none();
        // If a further paid run failed before this pass was interrupted, this pass does not pay for another.
        let is_retried = entry.run_number > 0 && entry.is_of_this_pass;
        // If the document finished, its job may exist even if the report names none, and a duplicate would find it.
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

    /// Queues a document for its next upload or create.
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

    /// Requests documents once. If none is pushed, the input has ended.
    pub(super) fn request_documents(&mut self) -> Option<BulkEvent> {
        if self.input_state == InputState::Paused {
            return None;
        }
        if self.requested_at.take() == Some(self.pushed) {
            self.input_state = InputState::Closed;
        }
        let capacity = self.capacity();
        // Requested in batches, so that the caller is not interrupted for every document.
        let batch = self.options.max_in_flight.div_ceil(8);
        let is_worthwhile = capacity > 0 && (capacity >= batch || self.documents.is_empty());
        is_worthwhile.then(|| {
            self.requested_at = Some(self.pushed);
            BulkEvent::NeedDocuments(capacity)
        })
    }
}
