//! State machines without IO for everything that takes several requests or several attempts.
//!
//! [`Machine::poll`] returns the next step and [`Machine::handle`] takes the replies. A machine never blocks, reads no
//! clock and uses no random numbers of its own. All machines are run by the same loop:
//!
//! 1. `poll` the machine with the current time.
//! 2. [`Step::Send`]: start to send the request, then poll again. When its reply arrives, pass it to `handle` with the
//!    same ticket.
//! 3. [`Step::Wait`]: wait for a reply, or until the given time, then poll again.
//! 4. [`Step::Event`]: process the event, then poll again.
//! 5. [`Step::Done`]: take the output and stop.
//!
//! One rule matters: after anything but `Wait`, poll again before waiting for anything.
//!
//! Machines contain each other. [`Call`] is one operation with its retries; [`Pager`], [`Waiter`] and [`Run`] contain
//! calls, and [`Concurrent`] contains any number of machines. Only `Call` decides about retries.
//!
//! | machine | purpose | events | output |
//! | --- | --- | --- | --- |
//! | [`Call`] | sends one operation with its retries | none | the operation's output |
//! | [`Pager`] | follows a list to its last page | each page | nothing, or the error that ended it early |
//! | [`Waiter`] | waits until a job has ended | progress | the job, or an error if it has no result |
//! | [`ResultsWaiter`] | waits for a v1 job and reads its results | progress | the result or the error of each file |
//! | [`Reconcile`] | finds the job of a v1 create whose response was lost | none | the candidate jobs |
//! | [`UploadOnce`] | uploads a document unless the service has it | none | the file |
//! | [`Run`] | uploads a document if needed, creates a job, waits for it | uploaded, created, progress | the job, or an error if it has no result |
//! | [`Concurrent`] | runs several machines at once | the events and outputs of the machines | nothing |
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
    Journal, JournalHeader, KnownKeys, Record, RunEnd, Summary,
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
