//! Last stage of a document: its report.

use super::Bulk;
use super::error_scope::ErrorScope;
use super::event::{BulkEvent, FinishedDocument};
use super::in_flight::DocumentIndex;
use super::journal::Record;
use super::report::{DocumentReport, DocumentStatus};
use super::report_cache::PaymentState;
use super::state::{CreatedIn, DocumentState};
use crate::error::Error;
use crate::v2::Job;

impl Bulk {
    /// Finishes a document.
    pub(super) fn finish(
        &mut self,
        index: DocumentIndex,
        report: DocumentReport,
        job: Option<Job>,
    ) {
        let scope = self.scope_of(&report);
        self.finish_in_scope(index, report, job, scope);
    }

    /// Finishes a document that has no known job.
    pub(super) fn finish_without_job(
        &mut self,
        index: DocumentIndex,
        why: String,
        scope: ErrorScope,
    ) {
        let report = self.report_without_job(index, why);
        self.finish_in_scope(index, report, None, Some(scope));
    }

    /// Finishes a document whose upload or create failed.
    pub(super) fn finish_without_job_of(
        &mut self,
        index: DocumentIndex,
        error: &Error,
        scope: ErrorScope,
    ) {
        let mut report = self.report_without_job(index, error.to_string());
        report.error_code = Some(error.code());
        self.finish_in_scope(index, report, None, Some(scope));
    }

    pub(super) fn report_without_job(&self, index: DocumentIndex, why: String) -> DocumentReport {
        let unsure = self
            .documents
            .get(&index)
            .is_some_and(|document| document.job_may_exist);
        let mut report = DocumentReport::new(if unsure {
            DocumentStatus::Ambiguous
        } else {
            DocumentStatus::NotStarted
        });
        report.error = Some(why);
        report
    }

    /// Reports a document that an earlier process finished.
    pub(super) fn restore(&mut self, document: DocumentState, report: DocumentReport) {
        self.summary.restored += 1;
        let scope = self.scope_of(&report);
        self.report(document, report, None, true, scope);
    }

    pub(super) fn finish_in_scope(
        &mut self,
        index: DocumentIndex,
        mut report: DocumentReport,
        job: Option<Job>,
        scope: Option<ErrorScope>,
    ) {
        let Some(document) = self.documents.remove(&index) else {
            return;
        };
        self.by_key.remove(&document.key);
        self.extra_names -= document.names.len().saturating_sub(1);
        report.file_id = report.file_id.or_else(|| document.file_id.clone());
        // The id as the create returned it; lists may write it differently.
        report.job_id = document.job_id.clone().or(report.job_id);
        if report.is_settled() {
            self.record(Record::Finished {
                key: document.key,
                report: report.clone(),
            });
        }
        self.report(document, report, job, false, scope);
    }

    /// The scope of a report's error.
    pub(super) fn scope_of(&self, report: &DocumentReport) -> Option<ErrorScope> {
        match report.status {
            DocumentStatus::Completed => None,
            DocumentStatus::Open if self.stop.is_some() => Some(ErrorScope::Run),
            DocumentStatus::NotStarted | DocumentStatus::Ambiguous => Some(ErrorScope::Transient),
            _ => Some(ErrorScope::Document),
        }
    }

    pub(super) fn report(
        &mut self,
        document: DocumentState,
        report: DocumentReport,
        job: Option<Job>,
        restored: bool,
        scope: Option<ErrorScope>,
    ) {
        *self
            .summary
            .statuses
            .entry(report.status.clone())
            .or_default() += 1;
        self.summary.no_match += usize::from(report.status.has_result() && report.r#type.is_none());
        let has_result = report.status.has_result();
        let may_be_retried = self.retries_failed() || document.job_may_exist;
        // The job was deleted, or the run did not wait for it.
        let is_unfinished = !report.status.is_final() && document.job_id.is_some();
        let is_needed = document.run_number > 0 || is_unfinished || (!has_result && may_be_retried);
        let payment = if is_needed {
            PaymentState {
                run_number: document.run_number,
                job_may_exist: document.job_may_exist,
                is_of_this_pass: document.created_in == CreatedIn::ThisPass
                    || report.job_id.is_some(),
                job_id: document.job_id,
            }
        } else {
            PaymentState::default()
        };
        self.report_cache.set_payment_state(document.key, payment);
        if report.is_settled() && (has_result || self.options.caches_failures) {
            self.report_cache
                .insert(document.key, report.clone(), restored);
        }
        self.events.push_back(BulkEvent::Finished(FinishedDocument {
            names: document.names,
            key: document.key,
            report,
            job: job.map(Box::new),
            restored,
            scope,
        }));
    }
}
