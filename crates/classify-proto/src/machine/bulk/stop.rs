//! How a run stops before its end.

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

/// How a run stops before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopMode {
    /// Begin nothing; wait for the open jobs.
    Wait,
    /// Begin nothing; leave the open jobs.
    Leave,
    /// Begin nothing; cancel the open jobs.
    Cancel,
}

impl Bulk {
    /// Stops: begins nothing more, takes in what is on the wire, and reports which jobs remain open.
    pub fn stop(&mut self) {
        self.stop = Some(
            self.stop
                .filter(|stop| *stop == StopMode::Cancel)
                .unwrap_or(StopMode::Leave),
        );
    }

    /// Stops, and cancels every open job.
    pub fn stop_and_cancel(&mut self) {
        self.stop = Some(StopMode::Cancel);
    }

    /// Returns the error that stops the run, while it ends.
    #[must_use]
    pub fn stop_error(&self) -> Option<&Error> {
        self.summary.error()
    }

    /// Whether the run is stopping before its end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_some()
    }

    /// A refusal that every further request would meet too.
    pub(super) fn stop_with(&mut self, error: Error) {
        // Without rights, or without TLS, nothing can be read either; without credits what is paid for can.
        let nothing_can_be_read =
            ErrorScope::of(&error) == ErrorScope::Run || error.is_intercepted();
        let stop = if nothing_can_be_read && !error.is_quota() {
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

    /// One step of stopping, where the run is stopping; `false` when there is nothing to stop.
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
            || "has not been seen yet".to_owned(),
            |status| format!("stands at {status}"),
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
            // It ended before it could be cancelled, and is worth what it cost.
            Err(error) if CancelJob::may_have_ended(&error) => self.read_job(index),
            Err(error) => self.finish(
                index,
                DocumentReport::of_error(DocumentStatus::Open, &error),
                None,
            ),
        }
    }
}
