//! `LlamaCloud`'s document classification API as a local server, for tests and for trying the client without a key.
//!
//! # In scope
//!
//! - The API's routes with real state: jobs move from PENDING to RUNNING to COMPLETED, files are stored and expire,
//!   lists have pages with tokens, a `transaction_id` creates one job only, limits are enforced.
//! - Real documents: txt, md, html, csv, json and pdf files are parsed and scored against the words of the rules. Only
//!   text that a PDF's pages draw themselves is extracted; there is no OCR.
//! - Real failures: a [`Fault`] for each way in which the network or the service can fail a call, triggered by
//!   probability with a seed, by schedule, or by route ([`FaultSchedule`]).
//!
//! # Out of scope
//!
//! **Its labels are not the service's.** Documents are scored by the words they share with the rules (BM25): a simple,
//! repeatable method, and not a model. The emulator has no accounts and charges nothing. It listens on loopback only
//! and trusts every local process. Do not give it secrets that matter: webhook secrets are stored in its memory and its
//! state file as plain text (keys are neither stored nor shown). It shares no code with the clients that are tested
//! against it, so that a mistake in one does not hide in the other.
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
//! // Afterwards, check the requests that it received.
//! assert_eq!(emulator.count(Route::ClassifyCreate), 0);
//! assert_eq!(emulator.job_count(), 0);
//! # Ok(())
//! # }
//! ```
//!
//! To run it as a process of its own, use [`serve()`]. The command `llamacloud-prod emulator` does that; the tests of
//! the official clients start it (`tests/official/run.sh`).
//!
//! # Map
//!
//! | to … | use |
//! | --- | --- |
//! | start it, inspect it, stop it | [`Emulator`] |
//! | run it as a process of its own | [`serve()`] |
//! | set times, limits, keys, folders, the clock, persistent state | [`Config`], [`RateLimits`] |
//! | inject faults | [`Fault`], [`FaultRule`], [`Trigger`], [`FaultSchedule`] |
//! | fix the outcomes of documents | [`Script`]; faults and scripts from a file: [`Config::scenario_file`] |
//! | check the requests and jobs | [`LoggedRequest`], [`Route`], [`JobView`] |
//! | check the webhooks that were sent | [`Delivery`] |
//! | do the same from another process | `GET /_emulator` lists the routes |
//!
//! Modules: `net` reads requests from sockets and applies faults, `api` has one function per operation, `state` stores
//! everything, `read` and `score` parse and classify documents.
//!
//! # Behavior that the API's documentation does not define
//!
//! - Cancelling an ended job and deleting a job that has not ended return 409.
//! - A list without `page_size` returns 20 jobs, newest first. A token used with other filters returns 400. Version 1
//!   documents no maximum `page_size`; here it is 1,000, and larger values count as 1,000.
//! - `configuration` together with `configuration_id` returns 422; `file_input` takes precedence over the fields it
//!   replaced.
//! - A `transaction_id` identifies its job in any status until the job is deleted; then it can be used again.
//! - Uploads expire after 48 hours. `download_url` and `content` point to the emulator itself and need no key.
//! - Creating a saved configuration again keeps its id and adds a version.
//! - In version 1, results are an empty list until the job has ended; the `result` of a failed file is null.
//! - A rule whose type is `other` (or a similar word) gets the documents that no other rule matches.
//! - Webhooks without a URL are accepted and never sent. Their delays are real time under any clock. A create may have
//!   at most 100 webhooks, and at most 64 deliveries are attempted at once; a delivery has succeeded when the status
//!   arrives.
//! - A saved webhook is returned with `********` as the value of every header and as the password in its URL. An update
//!   that sends this mask back keeps the stored value; the mask of a header that is not stored returns 422.
//! - A `page_size` below 1 returns 422 on every list, even on one without pages.
//! - An inline `webhook_events` of `[]` means every event; in a saved webhook it returns 422, as documented.
//! - A complete JSON body must arrive within [`Config::read_timeout`].

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

/// Compiles the program in the README as a doctest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
