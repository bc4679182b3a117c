//! Errors of an upload or a create, by their scope.

use std::time::Duration;

use super::Bulk;
use super::error_scope::ErrorScope;
use super::event::BulkEvent;
use super::in_flight::DocumentIndex;
use super::report::{DocumentReport, DocumentStatus};
use super::state::Stage;
use crate::Time;
use crate::error::{Error, Hint};
use crate::machine::context::Context;
use crate::machine::document::Source;
use crate::reply::Failure;
use crate::semantics::RateClass;

/// Number of times a document is tried again after a transient error, each time with all retries.
const MAX_FAILURES: u32 = 5;
/// Delay before a create is sent again whose retry was rejected. It doubles each time.
const INITIAL_BACKOFF: Duration = Duration::from_secs(2);

impl Bulk {
    /// Handles an upload or a create that failed with all its retries.
    pub(super) fn on_stage_error(
        &mut self,
        now: Time,
        index: DocumentIndex,
        error: &Error,
        stage: Stage,
    ) {
        match self.error_scope(index, error, stage) {
            ErrorScope::Run => {
                self.circuit_breaker.on_abandoned(now);
                self.finish_without_job_of(index, error, ErrorScope::Run);
                self.stop_with(error.duplicate());
            }
            ErrorScope::Document => {
                self.circuit_breaker.on_success();
                self.on_permanent_error(now, index, error, stage);
                self.on_read_error(error);
            }
            ErrorScope::Transient => self.on_transient_error(now, index, error, stage),
        }
    }

    /// Reports a document that could not be read and was not pushed. It counts like a failed read during an upload: if
    /// several in a row fail because their [source is lost](Failure::is_source_lost), the run stops (see
    /// [`max_read_errors`](super::BulkOptions::max_read_errors)).
    pub fn on_read_error(&mut self, error: &Error) {
        let is_lost = error.failure().is_some_and(Failure::is_source_lost);
        let Some(kind) = error.io_kind().filter(|_| is_lost) else {
            return;
        };
        let before = match self.read_errors {
            Some((last, count)) if last == kind => count,
            _ => 0,
        };
        self.read_errors = Some((kind, before + 1));
        if before + 1 >= self.options.max_read_errors {
            let message = format!(
                "{} documents in a row could not be read: {error}",
                before + 1
            );
            let failure = Failure::content(message).with_io_kind(kind);
            self.stop_with(failure.source_lost(true).into());
        }
    }

    /// Reports a document that was read and was not pushed, because it belongs to another shard.
    pub fn on_read(&mut self) {
        self.read_errors = None;
    }

    /// The scope of an error, as far as known: a 404 may be about the document or about a resource that all documents
    /// share.
    pub(super) fn error_scope(
        &self,
        index: DocumentIndex,
        error: &Error,
        stage: Stage,
    ) -> ErrorScope {
        if stage == Stage::Upload && error.is_intercepted() {
            return ErrorScope::Run;
        }
        if !error.is_not_found() || error.is_intercepted() {
            return ErrorScope::of(error);
        }
        let is_shared = match stage {
            // An upload refers to no other resource.
            Stage::Upload => true,
            Stage::Create if self.job_options.is_self_contained() => false,
            Stage::Create => {
                let is_just_uploaded = self.documents.get(&index).is_some_and(|document| {
                    matches!(document.source, Source::Upload(_)) && !document.is_file_from_journal
                });
                // The file exists, so the saved configuration or a webhook is missing, unless a job of this run shows
                // that they exist.
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

    /// The service rejected the document.
    pub(super) fn on_permanent_error(
        &mut self,
        now: Time,
        index: DocumentIndex,
        error: &Error,
        stage: Stage,
    ) {
        let Some(document) = self.documents.get_mut(&index) else {
            return;
        };
        // An earlier create may have succeeded. If the rejection of the retry were taken as final, the next run would
        // be charged although the first has a job.
        let is_unsure = document.job_may_exist && !error.shows_job_of_create();
        if !is_unsure {
            return self.finish(
                index,
                DocumentReport::of_error(DocumentStatus::Error, error),
                None,
            );
        }
        // The error of an upload says nothing about the job, and the next upload would fail too.
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

    /// The service or the connection failed.
    pub(super) fn on_transient_error(
        &mut self,
        now: Time,
        index: DocumentIndex,
        error: &Error,
        stage: Stage,
    ) {
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

    /// Backs off after a failure of the service. Returns `true` if the run stops.
    pub(super) fn on_service_failure(&mut self, now: Time, error: &Error) -> bool {
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
        let reason = if error.is_rate_limited() {
            "the service limits the rate of requests"
        } else {
            "the service fails"
        };
        let notice = format!(
            "{reason}; no new document is started for {} s ({error})",
            backoff.as_secs()
        );
        self.events.push_back(BulkEvent::Notice(notice));
        false
    }

    /// Reports a rate that a 429 has reduced, and reports it again if it falls below its lowest value so far.
    pub(super) fn report_reduced_rate(&mut self, cx: Context<'_>) {
        let Some(limits) = cx.rate_limits else {
            return;
        };
        for (class, name) in [
            (RateClass::Create, "creates"),
            (RateClass::Upload, "uploads"),
            (RateClass::Other, "other requests"),
        ] {
            let Some(rate) = limits.reduced_rate(class) else {
                continue;
            };
            let lowest = self.lowest_rates.get(&class);
            if lowest.is_some_and(|lowest| rate.per_second() >= *lowest) {
                continue;
            }
            let mut notice = format!(
                "the service limits the rate of requests (429); {name} are reduced to {rate} for now"
            );
            // The advice is the same for every rate, so it is given once.
            if self.lowest_rates.is_empty() {
                notice.push_str("; ");
                notice.push_str(Hint::SlowDown.text());
            }
            self.lowest_rates.insert(class, rate.per_second());
            self.events.push_back(BulkEvent::Notice(notice));
        }
    }

    /// Reports a change of the circuit breaker to the observer.
    pub(super) fn report_circuit(&mut self, cx: Context<'_>) {
        let state = self.circuit_breaker.state();
        if state != self.reported_circuit {
            self.reported_circuit = state;
            if let Some(observer) = cx.observer {
                observer.circuit_breaker(state);
            }
        }
    }
}
