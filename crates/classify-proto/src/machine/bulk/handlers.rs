//! Handles the result of each upload, create, read and cancel.

use std::sync::Arc;
use std::time::Duration;

use super::error_scope::ErrorScope;
use super::in_flight::DocumentIndex;
use super::report_cache::PaymentState;
use super::{
    Bulk, BulkEvent, ConfigurationInForce, CreatedIn, DocumentReport, DocumentState,
    DocumentStatus, FinishedDocument, Record, RunEnd, Source, StopMode,
};
use crate::Time;
use crate::body::Content;
use crate::configurations::{Parameters, SavedConfiguration};
use crate::error::{Error, ErrorCode, ErrorKind};
use crate::files::File;
use crate::job_phase::JobPhase;
use crate::machine::context::Context;
use crate::reply::Failure;
use crate::text::error_body::one_line;
use crate::v2::{CancelJob, Job, Rerun};

/// How often a document that met a faulty service is tried again, each time with all retries.
const MAX_FAILURES: u32 = 5;
/// How many earlier jobs of a document may be found to have failed before that is its result.
const MAX_FAILED_JOBS: u32 = 8;
/// How long a create rests whose repeat was refused; twice as long each further time.
const INITIAL_BACKOFF: Duration = Duration::from_secs(2);

/// Which of the two steps that lead to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Upload,
    Create,
}

impl Bulk {
    pub(super) fn on_uploaded(
        &mut self,
        cx: Context<'_>,
        index: DocumentIndex,
        result: Result<File, Error>,
    ) {
        match result {
            Ok(file) => {
                self.circuit_breaker.on_success();
                let Some(document) = self.documents.get_mut(&index) else {
                    return;
                };
                document.file_id = Some(file.id.clone());
                document.is_file_from_journal = false;
                if let Source::Upload(upload) = &mut document.source {
                    // A document in memory is not needed any more.
                    upload.set_content(Content::Omitted);
                }
                let key = document.key;
                self.record(Record::Uploaded {
                    key,
                    file_id: file.id,
                });
                self.to_create.push_back(index);
            }
            Err(error) => self.on_stage_error(cx.now, index, &error, Stage::Upload),
        }
    }

    /// `is_retry` says that an earlier answer to the same create was lost.
    pub(super) fn on_created(
        &mut self,
        cx: Context<'_>,
        index: DocumentIndex,
        result: Result<Job, Error>,
        is_retry: bool,
    ) {
        match result {
            Ok(job) => {
                self.circuit_breaker.on_success();
                self.on_job_created(cx, index, job, is_retry);
            }
            Err(error) => {
                if let Some(document) = self.documents.get_mut(&index) {
                    // A 409 over a create speaks of a job of this transaction id, made or being made.
                    let is_taken = error.is_conflict() && !error.shows_job_of_create();
                    document.job_may_exist |= error.is_ambiguous() || is_taken;
                }
                if self.forget_missing_file(index, &error) {
                    self.circuit_breaker.on_abandoned(cx.now);
                    return self.to_upload.push_back(index);
                }
                self.on_stage_error(cx.now, index, &error, Stage::Create);
            }
        }
    }

    fn on_job_created(&mut self, cx: Context<'_>, index: DocumentIndex, job: Job, is_retry: bool) {
        let retries_failed = self.retries_failed();
        let Some(document) = self.documents.get_mut(&index) else {
            return;
        };
        // A job that has failed already is an earlier run's: this is the answer to a repeated create, and the next
        // attempt is another create. Unless this run asked for it before, and may have bought it just now.
        let is_of_this_pass =
            is_retry || document.job_may_exist || document.created_in == CreatedIn::ThisPass;
        let has_no_result = matches!(job.status.phase(), JobPhase::Failed | JobPhase::Cancelled);
        let is_earlier = has_no_result && !is_of_this_pass;
        if retries_failed && document.failed_jobs < MAX_FAILED_JOBS && is_earlier {
            document.failed_jobs += 1;
            return self.start_next_run(index);
        }
        self.has_created = true;
        document.job_id = Some(job.id.clone());
        let transaction_id = job.transaction_id.clone();
        let key = document.key;
        let transaction_id = transaction_id
            .or_else(|| {
                self.documents
                    .get(&index)
                    .map(|document| self.transaction_id(document))
            })
            .unwrap_or_default();
        self.record(Record::Created {
            key,
            job_id: job.id.clone(),
            transaction_id,
        });
        if let Some(report) = DocumentReport::of_job(&job) {
            self.finish(index, report, Some(job));
        } else if !self.poller.add_created(&job, index, cx.now) {
            self.finish_as_conflict(index, &job.id);
        }
    }

    /// Starts the next paid run of a document whose job belongs to an earlier pass and has no result.
    fn start_next_run(&mut self, index: DocumentIndex) {
        let Some(document) = self.documents.get_mut(&index) else {
            return;
        };
        document.run_number += 1;
        document.job_id = None;
        (document.job_may_exist, document.created_in) = (false, CreatedIn::Unknown);
        let (key, run_number, next) = (document.key, document.run_number, document.next());
        let name = document.names.first().cloned().unwrap_or_default();
        let file_id = document.file_id.clone();
        self.record(Record::Planned {
            key,
            name,
            run_number,
        });
        // The planned record forgets the file in a journal, and so it is told anew.
        if let Some(file_id) = file_id {
            self.record(Record::Uploaded { key, file_id });
        }
        self.queue(index, next);
    }

    /// The service knows nothing of a document's job any more: somebody has deleted it.
    pub(super) fn on_missing(&mut self, index: DocumentIndex, error: &Error) {
        let is_replaceable = self
            .documents
            .get(&index)
            .is_some_and(|document| document.created_in == CreatedIn::EarlierPass);
        if self.retries_failed() && is_replaceable && self.stop.is_none() {
            return self.start_next_run(index);
        }
        self.finish(
            index,
            DocumentReport::of_error(DocumentStatus::Missing, error),
            None,
        );
    }

    /// The service gave one job to two documents; the second has no result of its own.
    pub(super) fn finish_as_conflict(&mut self, index: DocumentIndex, job_id: &str) {
        let mut report = DocumentReport::new(DocumentStatus::Error);
        let id = one_line(job_id);
        report.error_code = Some(ErrorCode::Conflict);
        report.error = Some(format!(
            "the service answered with job {id}, which is another document's"
        ));
        self.finish(index, report, None);
    }

    /// Whether a create failed because the file of an earlier process is gone; then it is forgotten.
    fn forget_missing_file(&mut self, index: DocumentIndex, error: &Error) -> bool {
        let gone = matches!(
            error.status().map(|status| status.as_u16()),
            Some(400 | 404)
        );
        let Some(document) = self
            .documents
            .get_mut(&index)
            .filter(|document| document.is_file_from_journal && gone)
        else {
            return false;
        };
        if matches!(document.source, Source::Id(_)) {
            return false;
        }
        document.is_file_from_journal = false;
        document.file_id = None;
        true
    }

    /// An upload or a create that failed with all its retries.
    fn on_stage_error(&mut self, now: Time, index: DocumentIndex, error: &Error, stage: Stage) {
        match self.error_scope(index, error, stage) {
            ErrorScope::Run => {
                self.circuit_breaker.on_abandoned(now);
                self.finish_without_job_of(index, error, ErrorScope::Run);
                self.stop_with(error.duplicate());
            }
            ErrorScope::Document => {
                self.circuit_breaker.on_success();
                self.on_permanent_error(now, index, error, stage);
            }
            ErrorScope::Transient => self.on_transient_error(now, index, error, stage),
        }
    }

    /// Whose fault it is, as far as can be told: a 404 may be about the document or about what all of them share.
    fn error_scope(&self, index: DocumentIndex, error: &Error, stage: Stage) -> ErrorScope {
        if !error.is_not_found() {
            return ErrorScope::of(error);
        }
        let is_shared = match stage {
            // An upload names nothing of its own.
            Stage::Upload => true,
            Stage::Create if self.job_options.is_self_contained() => false,
            Stage::Create => {
                let is_just_uploaded = self.documents.get(&index).is_some_and(|document| {
                    matches!(document.source, Source::Upload(_)) && !document.is_file_from_journal
                });
                // The file is there, so that it is the saved configuration or a webhook that is missing; unless a
                // job of this run shows that they are there too.
                let words = error.message().to_ascii_lowercase();
                (is_just_uploaded && !self.has_created) || words.contains("configuration")
            }
        };
        if is_shared {
            ErrorScope::Run
        } else {
            ErrorScope::Document
        }
    }

    /// The service turned the document down.
    fn on_permanent_error(&mut self, now: Time, index: DocumentIndex, error: &Error, stage: Stage) {
        let Some(document) = self.documents.get_mut(&index) else {
            return;
        };
        // The file changed or could not be read. Another run may read it, so this is not the document's result.
        if error.kind() == ErrorKind::Content {
            return self.finish_without_job_of(index, error, ErrorScope::Document);
        }
        // What was asked for before may be there all the same, and whoever takes the refusal of a repeat for the end
        // pays for the next attempt while the first one has a job.
        let is_unsure = document.job_may_exist && !error.shows_job_of_create();
        if !is_unsure {
            return self.finish(
                index,
                DocumentReport::of_error(DocumentStatus::Error, error),
                None,
            );
        }
        // An upload says nothing about the job, and the next one would fail too.
        if stage == Stage::Upload {
            return self.finish_without_job_of(index, error, ErrorScope::Document);
        }
        document.failures += 1;
        if document.failures >= MAX_FAILURES {
            return self.finish_without_job_of(index, error, ErrorScope::Document);
        }
        let backoff = INITIAL_BACKOFF.saturating_mul(2u32.saturating_pow(document.failures - 1));
        self.backing_off.insert((now + backoff, index));
    }

    /// The run's saved configuration was read, or could not be.
    pub(super) fn on_configuration(
        &mut self,
        now: Time,
        result: Result<SavedConfiguration, Error>,
    ) {
        let error = match result {
            Ok(saved) => {
                self.circuit_breaker.on_success();
                let parameters = saved.parameters.as_ref();
                let configuration = parameters.and_then(Parameters::as_classify);
                self.configuration = if let Some(configuration) = configuration {
                    ConfigurationInForce::Known(Arc::new(configuration.clone()))
                } else {
                    let notice = "the saved configuration has a form that this version does not know; jobs of earlier \
                                  runs are not compared with it";
                    self.events.push_back(BulkEvent::Notice(notice.to_owned()));
                    ConfigurationInForce::Unneeded
                };
                return;
            }
            Err(error) => error,
        };
        self.configuration = ConfigurationInForce::Unread;
        if ErrorScope::of(&error) == ErrorScope::Transient {
            self.on_service_failure(now, &error);
        } else {
            // No document can be created without it.
            self.circuit_breaker.on_abandoned(now);
            self.stop_with(error);
        }
    }

    /// Backs off after a failure of the service. `true` if the run stops.
    fn on_service_failure(&mut self, now: Time, error: &Error) -> bool {
        if error.failure().is_none_or(Failure::may_have_been_sent) {
            self.circuit_breaker.on_reached();
        }
        let Some(backoff) = self.circuit_breaker.on_failure(now, error.retry_after()) else {
            return false;
        };
        if self.circuit_breaker.is_exhausted(backoff) {
            self.stop_with(error.duplicate());
            return true;
        }
        let notice = format!(
            "the service is at fault; nothing new is begun for {} s ({error})",
            backoff.as_secs()
        );
        self.events.push_back(BulkEvent::Notice(notice));
        false
    }

    /// The service, or the way to it, is not well.
    fn on_transient_error(&mut self, now: Time, index: DocumentIndex, error: &Error, stage: Stage) {
        if self.on_service_failure(now, error) {
            return self.finish_without_job_of(index, error, ErrorScope::Run);
        }
        let Some(document) = self.documents.get_mut(&index) else {
            return;
        };
        document.failures += 1;
        if document.failures >= MAX_FAILURES {
            return self.finish_without_job_of(index, error, ErrorScope::Transient);
        }
        self.queue(index, stage);
    }

    /// The run is through with a document that has no job, as far as it knows.
    pub(super) fn finish_without_job(
        &mut self,
        index: DocumentIndex,
        why: String,
        scope: ErrorScope,
    ) {
        let report = self.report_without_job(index, why);
        self.finish_in_scope(index, report, None, Some(scope));
    }

    /// The run is through with a document whose upload or create failed.
    fn finish_without_job_of(&mut self, index: DocumentIndex, error: &Error, scope: ErrorScope) {
        let mut report = self.report_without_job(index, error.to_string());
        report.error_code = Some(error.code());
        self.finish_in_scope(index, report, None, Some(scope));
    }

    fn report_without_job(&self, index: DocumentIndex, why: String) -> DocumentReport {
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

    pub(super) fn on_cancelled(&mut self, index: DocumentIndex, result: Result<Job, Error>) {
        match result {
            Ok(job) => {
                let report = DocumentReport::of_job(&job)
                    .unwrap_or_else(|| DocumentReport::new(DocumentStatus::Open));
                self.finish(index, report, Some(job));
            }
            // It ended before it could be cancelled, and is worth what it cost.
            Err(error) if CancelJob::may_have_ended(&error) => self.read_job(index),
            Err(error) => self.finish(
                index,
                DocumentReport::of_error(DocumentStatus::Open, &error),
                None,
            ),
        }
    }

    /// A refusal that every further request would meet too.
    pub(super) fn stop_with(&mut self, error: Error) {
        // Without rights, or without TLS, nothing can be read either; without credits what is paid for can.
        let stop = if ErrorScope::of(&error) == ErrorScope::Run && !error.is_quota() {
            StopMode::Leave
        } else {
            StopMode::Wait
        };
        // A run that waits for what it has bought may find that it cannot even do that.
        if self.stop.is_none_or(|stop| stop == StopMode::Wait) {
            self.stop = Some(stop);
        }
        if self.summary.is_complete() {
            self.events
                .push_back(BulkEvent::Notice(format!("the run stops: {error}")));
            self.summary.end = RunEnd::Failed(error);
        }
    }

    /// The deadline, while there is anything left that it could end.
    pub(super) fn deadline(&self) -> Option<Time> {
        let is_going = self.stop.is_none_or(|stop| stop == StopMode::Wait);
        self.options.deadline.filter(|_| is_going)
    }

    pub(super) fn check_deadline(&mut self, now: Time) {
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            let is_repeatable = self.job_options.rerun == Rerun::Never;
            self.stop_with(
                Error::deadline("the deadline of the run came before its end")
                    .with_repeatable(is_repeatable),
            );
        }
    }

    /// A document that an earlier process was through with.
    pub(super) fn restore(&mut self, document: DocumentState, report: DocumentReport) {
        self.summary.restored += 1;
        let scope = self.scope_of(&report);
        self.report(document, report, None, true, scope);
    }

    /// The run is through with a document.
    pub(super) fn finish(
        &mut self,
        index: DocumentIndex,
        report: DocumentReport,
        job: Option<Job>,
    ) {
        let scope = self.scope_of(&report);
        self.finish_in_scope(index, report, job, scope);
    }

    /// Returns what the error of a report concerns.
    pub(super) fn scope_of(&self, report: &DocumentReport) -> Option<ErrorScope> {
        match report.status {
            DocumentStatus::Completed => None,
            DocumentStatus::Open if self.stop.is_some() => Some(ErrorScope::Run),
            DocumentStatus::NotStarted | DocumentStatus::Ambiguous => Some(ErrorScope::Transient),
            _ => Some(ErrorScope::Document),
        }
    }

    fn finish_in_scope(
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
        // As it was created, and not as a list writes it.
        report.job_id = document.job_id.clone().or(report.job_id);
        if report.status.is_final() {
            self.record(Record::Finished {
                key: document.key,
                report: report.clone(),
            });
        }
        self.report(document, report, job, false, scope);
    }

    fn report(
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
        if report.status.is_final() && (has_result || self.options.caches_failures) {
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
