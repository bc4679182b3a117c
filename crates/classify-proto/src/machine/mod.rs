//! Everything that takes more than one request, or more than one try, as machines without IO.
//!
//! A machine is asked what to do with [`Machine::poll`] and told what happened with [`Machine::handle`]. It never
//! blocks, reads no clock and draws no randomness. Every machine here is run by the same loop:
//!
//! 1. `poll` the machine at the present time.
//! 2. [`Step::Send`]: put the request on the wire, then poll again. When its reply comes, `handle` it under the same
//!    ticket.
//! 3. [`Step::Wait`]: do nothing until a reply comes or the time is reached, then poll again.
//! 4. [`Step::Event`]: take the event, then poll again.
//! 5. [`Step::Done`]: take the output and stop.
//!
//! The one rule: after anything but `Wait`, poll again before waiting for anything.
//!
//! Composition is containment. [`Call`] is one operation with its retries, and the only place that knows of a 503;
//! [`Pager`], [`Waiter`] and [`Run`] hold calls, and [`Concurrent`] holds any number of machines.
//!
//! | machine | what it does | events | output |
//! | --- | --- | --- | --- |
//! | [`Call`] | one operation with its retries | none | what the operation returns |
//! | [`Pager`] | follows a list to its end | each page | nothing, or why it stopped early |
//! | [`Waiter`] | waits until a job has ended | progress | the job, or why it has no result |
//! | [`ResultsWaiter`] | waits for a v1 job and reads its results | progress | each file's result, or why there is none |
//! | [`Reconcile`] | looks for the job of a v1 create whose answer was lost | none | the jobs that may be it |
//! | [`UploadOnce`] | uploads a document unless it is there | none | the file |
//! | [`Run`] | uploads if need be, creates, waits | uploaded, created, progress | the job, or why it has no result |
//! | [`Concurrent`] | runs several machines side by side | theirs, and their outputs as they come | nothing |
//! | [`Bulk`] | classifies any number of documents, each once | requests for documents, records, finished documents | a summary |

mod backoff;
mod bulk;
mod call;
mod concurrent;
mod context;
mod document;
mod limiter;
mod observer;
mod pager;
mod rate_limits;
mod raw_call;
mod reconcile;
mod response_deadline;
mod results_waiter;
mod retry;
mod run;
mod saved;
mod step;
mod tickets;
mod transaction;
mod upload_once;
mod waitable;
mod waiter;

pub use crate::content_key::{ContentHasher, ContentKey};
pub use backoff::PollInterval;
pub use bulk::{
    Bulk, BulkEvent, BulkOptions, DocumentReport, DocumentStatus, ErrorScope, FinishedDocument,
    Journal, JournalHeader, Record, RunEnd, Summary,
};
pub use call::Call;
pub use concurrent::{Concurrent, ConcurrentEvent};
pub use context::Context;
pub use document::HashedDocument;
pub use limiter::Limiter;
pub use observer::{AttemptInfo, AttemptOutcome, CircuitState, Observer, WaitInfo, WaitReason};
pub use pager::Pager;
pub use rate_limits::{RateFeedback, RateLimits, ReducedRate};
pub use raw_call::RawCall;
pub use reconcile::{Candidate, Reconcile, Reconciliation};
pub use response_deadline::ResponseDeadline;
pub use results_waiter::ResultsWaiter;
pub use retry::Retry;
pub use run::{Run, RunEvent};
pub use saved::Saved;
pub use step::{Machine, Step, Ticket};
pub use transaction::transaction_id;
pub use upload_once::{UploadOnce, UploadOutcome};
pub use waitable::{IntoWaitable, Waitable};
pub use waiter::{Progress, Waiter};
