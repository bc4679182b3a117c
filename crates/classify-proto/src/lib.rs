//! Sans-IO client for `LlamaCloud`'s document classification API: builds requests, parses responses and decides about
//! retries, paging and polling, without IO.
//!
//! Its promise: **a document is classified once and paid for once, even if a request times out, the process crashes or
//! the same program runs again, and every wait ends with the job's real outcome or an error.**
//!
//! # In scope
//!
//! - Building [`http::Request`]s and parsing [`http::Response`]s, for each operation of the API ([`v2`], [`v1`],
//!   [`files`], [`configurations`], [`webhooks`]).
//! - Deciding whether a request may be sent again, how long to wait, when a list ends and when a job has ended
//!   ([`machine`]).
//! - Parsing leniently whatever a service may change at any time: enum values it adds, fields it drops, bodies that are
//!   not JSON.
//!
//! # Out of scope
//!
//! - Sockets, TLS, threads, an executor, the clock, randomness, files, the environment. A driver has those:
//!   `classify-ureq` (blocking), `classify-reqwest` (async), or one of your own in a page of code, as below.
//! - The content of documents. The core frames a document's bytes and does not parse them.
//!
//! # The run loop
//!
//! Everything that takes more than one request is a [`machine::Machine`], and every machine is run by one loop:
//!
//! 1. Call `poll` with the current time.
//! 2. `Send`: send the request and pass its reply to `handle` when it arrives. `Wait`: wait for a reply, or until the
//!    given time. `Event`: process it. `Done`: stop.
//! 3. Go to 1. One rule matters: after anything but `Wait`, poll again before waiting for anything.
//!
//! # A whole job
//!
//! This example classifies a document, from the upload to the result. A closure plays the service; a driver would use a
//! socket.
//!
//! ```
//! use classify_proto::machine::{Context, HashedDocument, Machine, Run, RunEvent, Step};
//! use classify_proto::v2::{Configuration, Outcome, Rule};
//! use classify_proto::{Api, Body, Seed, Time};
//!
//! let api = Api::builder("llx-key").build()?;
//! let rules = Configuration::new([
//!     Rule::new("invoice", "has an invoice number, line items and a total amount"),
//!     Rule::new("contract", "is an agreement that two parties sign"),
//! ]);
//! let document = HashedDocument::bytes("scan.txt", "Invoice 4711, total 12.00");
//! let mut run = Run::document(&api, document, rules, Seed::new([7; 16]));
//! let transaction = run.transaction_id().unwrap().to_owned(); // derived from the content and the rules
//!
//! let mut now = Time::from_millis(0);
//! let mut log = Vec::new();
//! let mut service = |request: http::Request<Body>| {
//!     log.push(format!("{} {}", request.method(), request.uri().path()));
//!     let body = match log.len() {
//!         1 => r#"{"id": "dfl-1", "name": "scan.txt"}"#.to_owned(),
//!         2 => {
//!             let body = request.body().in_memory().unwrap();
//!             assert!(std::str::from_utf8(&body).unwrap().contains(&transaction));
//!             r#"{"id": "clj-1", "status": "PENDING", "file_input": "dfl-1"}"#.to_owned()
//!         }
//!         3 => r#"{"id": "clj-1", "status": "RUNNING"}"#.to_owned(),
//!         _ => r#"{"id": "clj-1", "status": "COMPLETED",
//!                  "result": {"type": "invoice", "confidence": 0.9, "reasoning": "it says so"}}"#.to_owned(),
//!     };
//!     http::Response::new(body.into())
//! };
//!
//! let job = loop {
//!     match run.poll(Context::new(&api, now)) {
//!         Step::Send(ticket, request) => {
//!             let reply = Ok(service(request));
//!             run.handle(Context::new(&api, now), ticket, reply);
//!         }
//!         Step::Wait(until) => now = until.expect("no reply is owed"), // a driver sleeps
//!         Step::Event(RunEvent::Created(job)) => assert_eq!(job.id, "clj-1"), // known before the wait begins
//!         Step::Event(_) => {}
//!         Step::Done(result) => break result?,
//!     }
//! };
//! assert_eq!(job.outcome(), Outcome::Matched {
//!     r#type: "invoice", confidence: Some(0.9), reasoning: Some("it says so"),
//! });
//! assert_eq!(log, [
//!     "POST /api/v1/beta/files",
//!     "POST /api/v2/classify",
//!     "GET /api/v2/classify/clj-1",
//!     "GET /api/v2/classify/clj-1",
//! ]);
//! # Ok::<(), classify_proto::Error>(())
//! ```
//!
//! # Map
//!
//! | to … | use |
//! | --- | --- |
//! | set the base URL, the key, the project and the proxy | [`Api`], [`Region`] |
//! | parse a proxy's URL and credentials | [`Proxy`] |
//! | send one request, with retries of your own | an [`Operation`]: [`v2`], [`files`], [`configurations`], [`webhooks`] |
//! | send one request, with the crate's retries | [`machine::Call`] |
//! | save rules under a name | [`configurations`] |
//! | verify and parse the deliveries of a webhook | [`webhooks`] |
//! | use jobs of v1, or migrate from v1 | [`v1`], [`v1::migrate`] |
//! | upload a document once | [`machine::UploadOnce`] |
//! | list, wait, run, or run several at once | [`machine::Pager`], [`machine::Waiter`], [`machine::Run`], [`machine::Concurrent`] |
//! | classify thousands of documents and resume after a crash | [`machine::Bulk`], [`machine::Journal`], [`machine::Limiter`] |
//! | find the job of a v1 create whose response was lost; read v1 results | [`machine::Reconcile`], [`machine::ResultsWaiter`] |
//! | send fields or operations that this crate does not know yet | [`CallOptions`], [`RawOperation`] |
//! | read the HTTP response as well | [`machine::RawCall`], [`RawResponse`] |
//! | save a machine and resume it in another process | [`machine::Saved`] |
//! | handle an error | [`Error`] and its predicates, [`ErrorCode`], [`Hint`] |
//! | choose pages of a document | [`PageRanges`] |
//!
//! # Cargo features
//!
//! None is on by default. `jiff-0_2`, `chrono-0_4` and `time-0_3` convert [`Timestamp`] to and from those libraries;
//! `webhook-verify` checks the signature of received webhooks.

mod api;
mod body;
mod call_options;
pub mod configurations;
mod content_key;
mod content_source;
mod error;
pub mod files;
mod job_phase;
pub mod machine;
mod operation;
mod page;
mod page_ranges;
mod patch;
mod proxy;
mod raw_operation;
mod raw_response;
mod reply;
mod scope;
mod secret;
mod seed;
mod semantics;
mod text;
mod time;
mod transport_limits;
pub mod v1;
pub mod v2;
mod validation;
pub mod webhooks;

pub use bytes::Bytes;
pub use http;

pub use api::{Api, ApiBuilder, Region};
pub use body::{Body, Content, Multipart};
pub use call_options::CallOptions;
pub use content_source::{ContentSource, OpenedContent};
pub use error::{Error, ErrorCode, ErrorKind, Hint};
pub use job_phase::JobPhase;
pub use operation::Operation;
pub use page::{Page, Paged};
pub use page_ranges::PageRanges;
pub use patch::Patch;
pub use proxy::Proxy;
pub use raw_operation::RawOperation;
pub use raw_response::RawResponse;
pub use reply::{Failure, FailureKind, Reply};
pub use scope::Scope;
pub use secret::{Secret, SecretValue};
pub use seed::Seed;
pub use semantics::{
    Idempotency, RateClass, Recovery, ReservedField, Semantics, UniqueField, Verification,
};
pub use text::error_body::FieldError;
pub use text::open_enum::UnknownValue;
pub use text::timestamp::Timestamp;
pub use time::Time;
pub use transport_limits::TransportLimits;

/// Compiles the program in the README as a doctest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
