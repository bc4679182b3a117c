//! The requests in progress, each a small machine of its own.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::Time;
use crate::body::Body;
use crate::configurations::{GetConfiguration, SavedConfiguration};
use crate::error::Error;
use crate::files::{File, UploadFile};
use crate::machine::call::Call;
use crate::machine::context::Context;
use crate::machine::pager::Pager;
use crate::machine::step::{Machine, Step, Ticket};
use crate::machine::tickets::Tickets;
use crate::page::Page;
use crate::reply::Reply;
use crate::v2::{CancelJob, CreateJob, GetJob, Job, ListJobs};

/// A document's index in the run, in the order of `push`.
pub(super) type DocumentIndex = u64;

/// One request in progress, with its retries.
pub(super) enum Task {
    Upload(DocumentIndex, Box<Call<UploadFile>>),
    Create(DocumentIndex, Box<Call<CreateJob>>),
    Get(DocumentIndex, Box<Call<GetJob>>),
    Cancel(DocumentIndex, Box<Call<CancelJob>>),
    Poll(Box<Pager<ListJobs>>),
    /// Reads the saved configuration of the run.
    Configuration(Box<Call<GetConfiguration>>),
}

/// A task's next request, or its result and the document that it belongs to.
pub(super) enum TaskOutput {
    Send(Ticket, http::Request<Body>),
    Uploaded(DocumentIndex, Result<File, Error>),
    /// The flag says whether an earlier response to this create was lost, so that the job may be its own.
    Created(DocumentIndex, Result<Job, Error>, bool),
    Got(DocumentIndex, Result<Job, Error>),
    Cancelled(DocumentIndex, Result<Job, Error>),
    Page(Page<Job>),
    PollEnded(Result<(), Error>),
    Configuration(Result<SavedConfiguration, Error>),
}

/// All tasks in progress. A waiting task costs nothing until its time is reached or its reply arrives.
#[derive(Default)]
pub(super) struct InFlight {
    slots: BTreeMap<usize, Slot>,
    next_slot: usize,
    due: VecDeque<usize>,
    backing_off: BTreeSet<(Time, usize)>,
    tickets: Tickets,
    creating: usize,
    /// How long a rate limit delayed polls while nothing was on the wire.
    rate_limit_delay: Duration,
}

struct Slot {
    task: Task,
    next_wake: Option<Time>,
    /// Number of requests on the wire.
    outstanding: u32,
    /// Since when it has been waiting with nothing on the wire.
    idle: Option<Time>,
}

impl Task {
    /// Whether the task leads to a new job.
    fn is_creating(&self) -> bool {
        matches!(self, Task::Upload(..) | Task::Create(..))
    }

    fn poll(&mut self, cx: Context<'_>) -> Result<TaskOutput, Option<Time>> {
        /// Polls a call, which has no events.
        fn call<M: Machine<Event = std::convert::Infallible>>(
            machine: &mut M,
            cx: Context<'_>,
            done: impl FnOnce(M::Output) -> TaskOutput,
        ) -> Result<TaskOutput, Option<Time>> {
            match machine.poll(cx) {
                Step::Send(ticket, request) => Ok(TaskOutput::Send(ticket, request)),
                Step::Wait(until) => Err(until),
                Step::Event(never) => match never {},
                Step::Done(output) => Ok(done(output)),
            }
        }
        match self {
            Task::Upload(index, machine) => call(&mut **machine, cx, |result| {
                TaskOutput::Uploaded(*index, result)
            }),
            Task::Create(index, machine) => {
                let is_retry = machine.may_have_acted();
                call(&mut **machine, cx, |result| {
                    TaskOutput::Created(*index, result, is_retry)
                })
            }
            Task::Get(index, machine) => {
                call(&mut **machine, cx, |result| TaskOutput::Got(*index, result))
            }
            Task::Cancel(index, machine) => call(&mut **machine, cx, |result| {
                TaskOutput::Cancelled(*index, result)
            }),
            Task::Configuration(machine) => call(&mut **machine, cx, TaskOutput::Configuration),
            Task::Poll(pager) => match pager.poll(cx) {
                Step::Send(ticket, request) => Ok(TaskOutput::Send(ticket, request)),
                Step::Wait(until) => Err(until),
                Step::Event(page) => Ok(TaskOutput::Page(page)),
                Step::Done(result) => Ok(TaskOutput::PollEnded(result)),
            },
        }
    }

    fn machine(&mut self) -> &mut dyn TaskMachine {
        match self {
            Task::Upload(_, machine) => &mut **machine,
            Task::Create(_, machine) => &mut **machine,
            Task::Get(_, machine) => &mut **machine,
            Task::Cancel(_, machine) => &mut **machine,
            Task::Poll(machine) => &mut **machine,
            Task::Configuration(machine) => &mut **machine,
        }
    }
}

/// The methods of a task that do not depend on its output type.
trait TaskMachine {
    fn handle_reply(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply);
    fn resume_call(&mut self);
}

impl<M: Machine> TaskMachine for M {
    fn handle_reply(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply) {
        self.handle(cx, ticket, reply);
    }

    fn resume_call(&mut self) {
        self.resume();
    }
}

impl InFlight {
    pub(super) fn begin(&mut self, task: Task) {
        let id = self.next_slot;
        self.next_slot += 1;
        self.creating += usize::from(task.is_creating());
        self.slots.insert(
            id,
            Slot {
                task,
                next_wake: None,
                outstanding: 0,
                idle: None,
            },
        );
        self.due.push_back(id);
    }

    /// Number of uploads and creates in progress.
    pub(super) fn creating(&self) -> usize {
        self.creating
    }

    /// Number of tasks in progress, or the number of requests on the wire if that is higher.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slots
            .len()
            .max(self.tickets.len())
            .max(self.backing_off.len())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Polls the tasks. Returns the next output or request; `None` if all tasks are waiting.
    pub(super) fn poll(&mut self, cx: Context<'_>) -> Option<TaskOutput> {
        while let Some((time, id)) = self.backing_off.first().copied() {
            if time > cx.now {
                break;
            }
            self.backing_off.pop_first();
            self.due.push_back(id);
        }
        while let Some(id) = self.due.pop_front() {
            let Some(slot) = self.slots.get_mut(&id) else {
                continue;
            };
            if let (Task::Poll(_), Some(since)) = (&slot.task, slot.idle.take()) {
                self.rate_limit_delay = self.rate_limit_delay.saturating_add(cx.now.since(since));
            }
            match slot.task.poll(cx) {
                Ok(TaskOutput::Send(inner, request)) => {
                    slot.outstanding += 1;
                    self.due.push_front(id);
                    return Some(TaskOutput::Send(self.tickets.issue(id, inner), request));
                }
                Ok(TaskOutput::Page(page)) => {
                    self.due.push_front(id);
                    return Some(TaskOutput::Page(page));
                }
                Ok(end) => {
                    self.remove(id);
                    return Some(end);
                }
                Err(until) => {
                    slot.next_wake = until;
                    slot.idle = (slot.outstanding == 0).then_some(cx.now);
                    self.backing_off.extend(until.map(|until| (until, id)));
                }
            }
        }
        None
    }

    /// Returns how long polls have been delayed since the last call, and resets the value.
    pub(super) fn take_rate_limit_delay(&mut self) -> Duration {
        std::mem::take(&mut self.rate_limit_delay)
    }

    /// The earliest time at which a task continues without a reply.
    pub(super) fn next_wake(&self) -> Option<Time> {
        self.backing_off.first().map(|(time, _)| *time)
    }

    pub(super) fn handle(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply) {
        let Some((id, inner)) = self.tickets.redeem(ticket) else {
            return;
        };
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        slot.outstanding = slot.outstanding.saturating_sub(1);
        slot.task.machine().handle_reply(cx, inner, reply);
        if let Some(time) = slot.next_wake.take() {
            self.backing_off.remove(&(time, id));
        }
        self.due.push_back(id);
    }

    pub(super) fn resume(&mut self) {
        self.tickets.forget_all();
        self.backing_off.clear();
        self.due = self.slots.keys().copied().collect();
        for slot in self.slots.values_mut() {
            slot.next_wake = None;
            slot.outstanding = 0;
            slot.task.machine().resume_call();
        }
    }

    /// Drops the uploads and creates that have nothing on the wire, and returns their documents with whether a request
    /// may have had an effect. Call it only when all tasks are waiting, so that no response is lost.
    pub(super) fn drop_idle_creates(&mut self) -> Vec<(DocumentIndex, bool)> {
        let idle: Vec<_> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.outstanding == 0)
            .filter_map(|(id, slot)| match &slot.task {
                Task::Upload(index, _) => Some((*id, *index, false)),
                Task::Create(index, call) => Some((*id, *index, call.may_have_acted())),
                _ => None,
            })
            .collect();
        idle.into_iter()
            .map(|(id, index, may_have_acted)| {
                self.remove(id);
                (index, may_have_acted)
            })
            .collect()
    }

    /// Drops every read and every poll, even if it is on the wire.
    pub(super) fn drop_reads(&mut self) {
        let reads: Vec<_> = self
            .slots
            .iter()
            .filter(|(_, slot)| {
                matches!(
                    slot.task,
                    Task::Get(..) | Task::Poll(_) | Task::Configuration(_)
                )
            })
            .map(|(id, _)| *id)
            .collect();
        for id in reads {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: usize) {
        let Some(slot) = self.slots.remove(&id) else {
            return;
        };
        self.creating -= usize::from(slot.task.is_creating());
        if let Some(time) = slot.next_wake {
            self.backing_off.remove(&(time, id));
        }
        self.tickets.forget(id);
    }
}
