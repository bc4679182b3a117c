//! Stops a run early.

use super::Bulk;
use super::error_scope::ErrorScope;
use super::event::{BulkEvent, RunEnd};
use super::in_flight::{DocumentIndex, Task};
use super::report::{DocumentReport, DocumentStatus};
use super::state::RunPhase;
use crate::Time;
use crate::error::Error;
use crate::machine::call::Call;
use crate::v2::{CancelJob, Job, JobStatus, Rerun};

/// The error of a document that a stopped run has not started.
pub(super) const RUN_STOPPED: &str = "the run stopped first";

/// How a run stops early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopMode {
    /// Start nothing new; wait for the open jobs.
    Wait,
    /// Start nothing new; leave the open jobs.
    Leave,
    /// Start nothing new; cancel the open jobs.
    Cancel,
}

impl Bulk {
    /// Stops the run: starts nothing new, handles the replies to requests on the wire, and reports which jobs remain
    /// open.
    pub fn stop(&mut self) {
        self.stop = Some(
            self.stop
                .filter(|stop| *stop == StopMode::Cancel)
                .unwrap_or(StopMode::Leave),
        );
    }

    /// Stops the run and cancels every open job.
    pub fn stop_and_cancel(&mut self) {
        self.stop = Some(StopMode::Cancel);
    }

    /// Returns the error that stops the run, while it is stopping; `None` if it is not stopping because of an error.
    #[must_use]
    pub fn stop_error(&self) -> Option<&Error> {
        self.summary.error()
    }

    /// Returns `true` if the run is stopping before all documents were processed.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_some()
    }

    /// Stops with an error that would affect every further request.
    pub(super) fn stop_with(&mut self, error: Error) {
        // Without permission or TLS, jobs cannot be read either; without credits, existing jobs can.
        let nothing_can_be_read =
            ErrorScope::of(&error) == ErrorScope::Run || error.is_intercepted();
        let stop = if nothing_can_be_read && !error.is_quota() {
            StopMode::Leave
        } else {
            StopMode::Wait
        };
        // A run that waits for its jobs may find that it cannot read them.
        if self.stop.is_none_or(|stop| stop == StopMode::Wait) {
            self.stop = Some(stop);
        }
        if self.summary.is_complete() {
            self.events
                .push_back(BulkEvent::Notice(format!("the run stops: {error}")));
            self.summary.end = RunEnd::Failed(error);
        }
    }

    /// The deadline, as long as there is anything that it could stop.
    pub(super) fn deadline(&self) -> Option<Time> {
        let is_going = self.stop.is_none_or(|stop| stop == StopMode::Wait);
        self.options.deadline.filter(|_| is_going)
    }

    pub(super) fn check_deadline(&mut self, now: Time) {
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            let is_repeatable = self.job_options.rerun == Rerun::Never;
            self.stop_with(
                Error::deadline("the run reached its deadline before its end")
                    .with_repeatable(is_repeatable),
            );
        }
    }

    /// One step of a run that is stopping; `false` if there is nothing to stop.
    pub(super) fn step_shutdown(&mut self) -> bool {
        let Some(stop) = self.stop else {
            return false;
        };
        let mut dropped: Vec<DocumentIndex> = self
            .to_upload
            .drain(..)
            .chain(self.to_create.drain(..))
            .chain(
                std::mem::take(&mut self.backing_off)
                    .into_iter()
                    .map(|(_, index)| index),
            )
            .collect();
        for (index, may_have_acted) in self.in_flight.drop_idle_creates() {
            if let Some(document) = self.documents.get_mut(&index) {
                document.job_may_exist |= may_have_acted;
            }
            dropped.push(index);
        }
        let any_dropped = !dropped.is_empty();
        for index in dropped {
            self.finish_without_job(index, RUN_STOPPED.to_owned(), ErrorScope::Run);
        }
        if stop == StopMode::Wait
            || self.in_flight.creating() > 0
            || self.phase != RunPhase::Running
        {
            return any_dropped;
        }
        self.phase = RunPhase::Stopped;
        self.in_flight.drop_reads();
        for (job_id, index, status) in self.poller.drain() {
            if stop == StopMode::Cancel {
                let call = Call::new(
                    CancelJob::new(job_id).scoped(&self.job_options.scope),
                    self.seed.derive(index),
                );
                self.in_flight.begin(Task::Cancel(
                    index,
                    Box::new(call.retry(self.options.retry)),
                ));
            } else {
                self.finish_as_open(index, job_id, status.as_ref());
            }
        }
        true
    }

    pub(super) fn finish_as_open(
        &mut self,
        index: DocumentIndex,
        job_id: String,
        status: Option<&JobStatus>,
    ) {
        let mut report = DocumentReport::new(DocumentStatus::Open);
        let status = status.map_or_else(
            || "has not been polled yet".to_owned(),
            |status| format!("had the status {status}"),
        );
        report.error = Some(format!("the job {status}; the run did not wait any longer"));
        report.job_id = Some(job_id);
        self.finish(index, report, None);
    }

    pub(super) fn on_cancelled(&mut self, index: DocumentIndex, result: Result<Job, Error>) {
        match result {
            Ok(job) => {
                let report = DocumentReport::of_job(&job)
                    .unwrap_or_else(|| DocumentReport::new(DocumentStatus::Open));
                self.finish(index, report, Some(job));
            }
            // It ended before it could be cancelled, so its result is reported.
            Err(error) if CancelJob::may_have_ended(&error) => self.read_job(index),
            Err(error) => self.finish(
                index,
                DocumentReport::of_error(DocumentStatus::Open, &error),
                None,
            ),
        }
    }
}
