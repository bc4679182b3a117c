//! One step of a run.

use std::sync::Arc;

use super::Bulk;
use super::circuit_breaker::Permit;
use super::event::{BulkEvent, RunEnd, Summary};
use super::in_flight::{DocumentIndex, Task, TaskOutput};
use super::journal::Record;
use super::state::{ConfigurationInForce, InputState, RunPhase};
use crate::Time;
use crate::machine::call::Call;
use crate::machine::context::Context;
use crate::machine::document::Source;
use crate::machine::step::{Machine, Step, Ticket};
use crate::reply::Reply;
use crate::semantics::RateClass;
use crate::v2::CreateJob;

impl Machine for Bulk {
    type Event = BulkEvent;
    type Output = Summary;

    fn poll(&mut self, cx: Context<'_>) -> Step<BulkEvent, Summary> {
        let step = self.step(cx);
        self.report_circuit(cx);
        step
    }

    fn handle(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply) {
        let is_rejection = matches!(&reply, Ok(response) if response.status() == 429);
        self.in_flight.handle(cx, ticket, reply);
        if is_rejection {
            self.report_reduced_rate(cx);
        }
    }

    fn resume(&mut self) {
        self.in_flight.resume();
    }
}

impl Bulk {
    pub(super) fn step(&mut self, cx: Context<'_>) -> Step<BulkEvent, Summary> {
        loop {
            if self.phase == RunPhase::Unstarted {
                self.phase = RunPhase::Running;
                // Before any record of the documents that were already pushed.
                let run = Record::Run(self.header.clone());
                self.events.push_front(BulkEvent::Record(run));
            }
            if let Some(event) = self.events.pop_front() {
                return Step::Event(event);
            }
            if self.phase == RunPhase::Ended {
                return Step::Wait(None);
            }
            self.check_deadline(cx.now);
            if let Some(event) = self.request_documents() {
                return Step::Event(event);
            }
            match self.in_flight.poll(cx) {
                Some(TaskOutput::Send(ticket, request)) => return Step::Send(ticket, request),
                Some(output) => {
                    self.on_task_output(cx, output);
                    continue;
                }
                None => {}
            }
            if self.step_shutdown() {
                continue;
            }
            let available_at = match self.begin_next(cx) {
                Ok(()) => continue,
                Err(available_at) => available_at,
            };
            if !self.events.is_empty() || self.begin_poll(cx.now) {
                continue;
            }
            if self.in_flight.is_empty()
                && self.documents.is_empty()
                && (self.input_state == InputState::Closed || self.stop.is_some())
            {
                if self.stop.is_none() && !self.is_end_recorded {
                    self.record(Record::Ended);
                    continue;
                }
                self.phase = RunPhase::Ended;
                if self.stop.is_some() && self.summary.is_complete() {
                    self.summary.end = RunEnd::Stopped;
                }
                return Step::Done(std::mem::take(&mut self.summary));
            }
            let backoff_until = self.backing_off.first().map(|(time, _)| *time);
            let next_wake = [
                self.in_flight.next_wake(),
                available_at,
                backoff_until,
                self.next_poll(),
                self.deadline(),
            ];
            return Step::Wait(next_wake.into_iter().flatten().min());
        }
    }

    /// Starts the next upload or create. Otherwise returns the time at which one may start.
    pub(super) fn begin_next(&mut self, cx: Context<'_>) -> Result<(), Option<Time>> {
        while let Some((_, index)) = self.backing_off.first().filter(|(time, _)| *time <= cx.now) {
            self.to_create.push_back(*index);
            self.backing_off.pop_first();
        }
        let nothing = self.to_create.is_empty() && self.to_upload.is_empty();
        if nothing || self.stop.is_some() || self.in_flight.creating() >= self.options.max_requests
        {
            return Err(None);
        }
        match self.circuit_breaker.permit(cx.now) {
            Permit::Granted => {}
            Permit::At(time) => return Err(Some(time)),
            Permit::Denied => return Err(None),
        }
        match self.configuration {
            // Before the first upload: nothing is uploaded if the configuration does not exist.
            ConfigurationInForce::Unread => {
                self.read_configuration();
                return Ok(());
            }
            ConfigurationInForce::Reading => return Err(None),
            ConfigurationInForce::Unneeded | ConfigurationInForce::Known(_) => {}
        }
        // Creates first: a document that is uploaded already is closer to its result.
        let mut next_wake: Option<Time> = None;
        for class in [RateClass::Create, RateClass::Upload] {
            let queue = if class == RateClass::Create {
                &mut self.to_create
            } else {
                &mut self.to_upload
            };
            if queue.is_empty() {
                continue;
            }
            let available_at = cx.available_at(class);
            if available_at > cx.now {
                next_wake =
                    Some(next_wake.map_or(available_at, |earlier| earlier.min(available_at)));
                continue;
            }
            if let Some(index) = queue.pop_front() {
                if let Some(task) = self.task(index) {
                    self.circuit_breaker.begin();
                    self.in_flight.begin(task);
                }
                return Ok(());
            }
        }
        Err(next_wake)
    }

    pub(super) fn task(&self, index: DocumentIndex) -> Option<Task> {
        let document = self.documents.get(&index)?;
        let seed = self.seed.derive(index);
        let input = match (&document.source, &document.file_id) {
            (Source::Id(id), _) | (Source::Upload(_), Some(id)) => id,
            (Source::Upload(upload), None) => {
                let upload = (**upload).clone().scoped(&self.job_options.scope);
                return Some(Task::Upload(
                    index,
                    Box::new(Call::new(upload, seed).retry(self.options.retry)),
                ));
            }
        };
        let mut create =
            CreateJob::new(input, &self.job_options).transaction_id(self.transaction_id(document));
        if matches!(document.source, Source::Upload(_)) {
            create = create.accepts_any_copy();
        }
        if let ConfigurationInForce::Known(configuration) = &self.configuration {
            create = create.configuration_in_force(Arc::clone(configuration));
        }
        Some(Task::Create(
            index,
            Box::new(Call::new(create, seed).retry(self.options.retry)),
        ))
    }

    pub(super) fn on_task_output(&mut self, cx: Context<'_>, output: TaskOutput) {
        match output {
            TaskOutput::Send(..) => {}
            TaskOutput::Uploaded(index, result) => self.on_uploaded(cx, index, result),
            TaskOutput::Created(index, result, is_retry) => {
                self.on_created(cx, index, result, is_retry);
            }
            TaskOutput::Got(index, result) => self.on_polled(index, result),
            TaskOutput::Cancelled(index, result) => self.on_cancelled(index, result),
            TaskOutput::Page(page) => {
                for job in page.items {
                    self.on_job(job);
                }
            }
            TaskOutput::PollEnded(result) => self.on_poll_ended(cx, result),
            TaskOutput::Configuration(result) => self.on_configuration(cx.now, result),
        }
    }
}
