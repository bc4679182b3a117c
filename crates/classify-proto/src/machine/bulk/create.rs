//! Stage 2 of a document: the create of its job.

use std::sync::Arc;

use super::Bulk;
use super::error_scope::ErrorScope;
use super::event::BulkEvent;
use super::in_flight::{DocumentIndex, Task};
use super::journal::Record;
use super::report::{DocumentReport, DocumentStatus};
use super::state::{ConfigurationInForce, CreatedIn, Stage};
use crate::Time;
use crate::configurations::{GetConfiguration, Parameters, SavedConfiguration};
use crate::error::{Error, ErrorCode};
use crate::job_phase::JobPhase;
use crate::machine::call::Call;
use crate::machine::context::Context;
use crate::machine::document::Source;
use crate::text::error_body::one_line;
use crate::v2::Job;

/// Number of failed earlier jobs after which a document is reported as failed.
const MAX_FAILED_JOBS: u32 = 8;

impl Bulk {
    /// Reads the saved configuration of the run.
    pub(super) fn read_configuration(&mut self) {
        let id = self.job_options.configuration_id.clone();
        let get = GetConfiguration::new(id.unwrap_or_default()).scoped(&self.job_options.scope);
        let call = Call::new(get, self.seed).retry(self.options.retry);
        self.circuit_breaker.begin();
        self.in_flight.begin(Task::Configuration(Box::new(call)));
        self.configuration = ConfigurationInForce::Reading;
    }

    /// Handles the response to the read of the run's saved configuration.
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
            // No job can be created without it.
            self.circuit_breaker.on_abandoned(now);
            self.stop_with(error);
        }
    }

    /// `is_retry`: an earlier response to the same create was lost.
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
                    // A 409 on a create is about a job with this transaction id that exists or is being created.
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

    pub(super) fn on_job_created(
        &mut self,
        cx: Context<'_>,
        index: DocumentIndex,
        job: Job,
        is_retry: bool,
    ) {
        let retries_failed = self.retries_failed();
        let Some(document) = self.documents.get_mut(&index) else {
            return;
        };
        // The job of an earlier run that failed: the retried create returned it, and the next paid run needs another
        // create. Not if this run may have created it just now.
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
    pub(super) fn start_next_run(&mut self, index: DocumentIndex) {
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
        // In a journal, the planned record removes the file, so the file is recorded again.
        if let Some(file_id) = file_id {
            self.record(Record::Uploaded { key, file_id });
        }
        self.queue(index, next);
    }

    /// Whether a create failed because a file that an earlier process uploaded is gone. If so, the document forgets the
    /// file.
    pub(super) fn forget_missing_file(&mut self, index: DocumentIndex, error: &Error) -> bool {
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

    /// The service returned one job for two documents; the second has no result of its own.
    pub(super) fn finish_as_conflict(&mut self, index: DocumentIndex, job_id: &str) {
        let mut report = DocumentReport::new(DocumentStatus::Error);
        let id = one_line(job_id);
        report.error_code = Some(ErrorCode::Conflict);
        report.error = Some(format!(
            "the service returned job {id}, which belongs to another document"
        ));
        self.finish(index, report, None);
    }
}
