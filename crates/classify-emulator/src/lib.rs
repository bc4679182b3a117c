//! `LlamaCloud`'s document classification API as a local server, for tests and for a first run without a key.
//!
//! # In scope
//!
//! - The API's routes with real state: jobs move from PENDING to RUNNING to COMPLETED, files are stored and expire,
//!   pages have tokens, a `transaction_id` creates one job and never two, limits hold.
//! - Real documents: txt, md, html, csv, json and pdf are read and scored against the rules' words. Of a PDF the text
//!   that its pages draw themselves is read, and nothing is recognised in images.
//! - Real failures: a [`Fault`] for each way in which the network or the service can fail a call, set off by
//!   probability with a seed, by schedule, or by route ([`FaultSchedule`]).
//!
//! # Out of scope
//!
//! **It is a stand-in: its labels are not the service's.** Documents are scored by the words they share with the rules
//! (BM25), which can be followed and repeated, and which no model does. It knows no accounts and bills nothing. It
//! listens on loopback only and trusts everyone there: give it no secret that matters, since webhook secrets lie in its
//! memory and in its state file as they were given (keys are neither kept nor shown). It shares no code with the clients
//! that are tested against it, so that one mistake is not made twice.
//!
//! # Use
//!
//! ```
//! use classify_emulator::{Config, Emulator, Fault, FaultSchedule, Route};
//!
//! # fn main() -> std::io::Result<()> {
//! let config = Config::default()
//!     .faults(FaultSchedule::new().with(Fault::ResetAfter.nth(1).on(Route::ClassifyCreate)));
//! let emulator = Emulator::start(config)?;
//!
//! // Point a client at `emulator.base_url()`, with the key `emulator.key()`.
//! assert!(emulator.base_url().starts_with("http://127.0.0.1:"));
//!
//! // Afterwards, context what it saw.
//! assert_eq!(emulator.count(Route::ClassifyCreate), 0);
//! assert_eq!(emulator.job_count(), 0);
//! # Ok(())
//! # }
//! ```
//!
//! For a process of its own there is [`serve()`]. The command `llamacloud-prod emulator` is one around it,
//! and is what the scripts around the official clients start (`tests/official/run.sh`).
//!
//! # Map
//!
//! | what | where |
//! | --- | --- |
//! | start, look inside, stop | [`Emulator`] |
//! | a process of its own | [`serve()`] |
//! | times, limits, keys, folders, the clock, state that lasts | [`Config`], [`RateLimits`] |
//! | what goes wrong, and when | [`Fault`], [`FaultRule`], [`Trigger`], [`FaultSchedule`] |
//! | outcomes fixed beforehand | [`Script`], and both from a file: [`Config::scenario_file`] |
//! | what was asked | [`LoggedRequest`], [`Route`], [`JobView`] |
//! | webhooks that were sent | [`Delivery`] |
//! | the same from another process | `GET /_emulator` lists it |
//!
//! Inside: `net` takes requests from sockets and plays faults, `api` has one function for each operation, `state` is
//! what is remembered, `read` and `score` are what becomes of documents.
//!
//! # Choices where the API is silent
//!
//! - Cancelling an ended job and deleting an unended one are refused with 409.
//! - A list without `page_size` has 20 jobs, newest first. A token with other filters is refused with 400. Version 1
//!   names no largest `page_size`; beyond 1,000 it has 1,000.
//! - `configuration` beside `configuration_id` is refused with 422; `file_input` goes before the names it replaced.
//! - A `transaction_id` names its job, whatever became of it, until the job is deleted; then it is free again.
//! - Uploads expire after 48 hours. `download_url` and `content` point to the emulator itself and need no key.
//! - A saved configuration that is created again keeps its id and gets a new version.
//! - Results of version 1 are an empty list until the job has ended; what failed has a null `result`.
//! - A rule whose type is `other` (or another word for the rest) takes what no other rule matches.
//! - Webhooks without an address are accepted and never sent. Their delays are real time under any clock. A create brings
//!   at most 100 of them along, and 64 attempts are under way at once; an answer counts from its status on.
//! - A saved webhook shows `********` for the value of every header and for a password in its URL. An update that sends
//!   that back keeps the stored value; of a header that is not stored it is refused with 422.
//! - A `page_size` below 1 is refused with 422 on every list, also where no list of pages is.
//! - An inline `webhook_events` of `[]` means every event; in a saved webhook it is refused, as documented.
//! - A JSON body has to come within [`Config::read_timeout`] as a whole.

mod api;
mod clock;
mod config;
mod emulator;
mod fault;
mod net;
mod outcome;
mod page;
mod query;
mod rate_limits;
mod read;
mod reply;
mod request_context;
mod request_log;
mod route;
mod scenario_file;
mod schedule;
mod score;
mod script;
mod serve;
mod shared_state;
mod state;
mod validate;
mod webhook;

pub use config::Config;
pub use emulator::{Emulator, JobView};
pub use fault::{Fault, UnknownFault};
pub use rate_limits::RateLimits;
pub use request_log::LoggedRequest;
pub use route::Route;
pub use scenario_file::Scenario;
pub use schedule::{FaultRule, FaultSchedule, InvalidFaultRule, Trigger};
pub use script::Script;
pub use serve::serve;
pub use webhook::Delivery;

/// The program in README is compiled with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
