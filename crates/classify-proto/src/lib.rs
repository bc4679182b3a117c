//! Sans-IO client for `LlamaCloud`'s document classification API: requests, responses and every decision, no IO.
//!
//! The promise it is built around: **a document is classified once and paid for once, whatever the network does, and
//! every wait ends with the job's real outcome or an error.**
//!
//! # In scope
//!
//! - Building [`http::Request`]s and parsing [`http::Response`]s, for each operation of the API ([`v2`], [`v1`],
//!   [`files`], [`configurations`], [`webhooks`]).
//! - Deciding: what may be repeated, how long to wait, when a list ends, when a job has ended ([`machine`]).
//! - Reading leniently what a service may change at any time: words it adds, fields it drops, bodies that are no JSON.
//!
//! # Out of scope
//!
//! - Sockets, TLS, threads, an executor, the clock, randomness, files, the environment. A driver has those:
//!   `classify-ureq` (blocking) and `classify-reqwest` (async), or your own in a page of code, as below.
//! - What a document says. The core frames its bytes and never looks at them.
//!
//! # The run loop
//!
//! Everything that takes more than one request is a [`machine::Machine`], and every machine is run by one loop:
//!
//! 1. `poll` it at the present time.
//! 2. `Send`: put the request on the wire and, when its reply is there, `handle` it. `Wait`: until a reply is there or
//!    the time is reached. `Event`: take it. `Done`: stop.
//! 3. Go to 1. The one rule: after anything but `Wait`, poll again before waiting for anything.
//!
//! # A whole job
//!
//! Here a job lives its life, from the upload to its result. A closure plays the service; a driver would use a socket.
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
//! | say where requests go and in whose name | [`Api`], [`Region`] |
//! | know the proxy on the way there | [`Proxy`] |
//! | make one request with retries of your own | an [`Operation`]: [`v2`], [`files`], [`configurations`], [`webhooks`] |
//! | make a call with its retries | [`machine::Call`] |
//! | save rules under a name | [`configurations`] |
//! | trust and read what a webhook receives | [`webhooks`] |
//! | have jobs of the first version, or move off it | [`v1`], [`v1::migrate`] |
//! | upload a document once | [`machine::UploadOnce`] |
//! | list, wait, run, run some side by side | [`machine::Pager`], [`machine::Waiter`], [`machine::Run`], [`machine::Concurrent`] |
//! | classify thousands, each once, over crashes | [`machine::Bulk`], [`machine::Journal`], [`machine::Limiter`] |
//! | find out what became of a v1 create; read v1 results | [`machine::Reconcile`], [`machine::ResultsWaiter`] |
//! | send what this crate does not know yet | [`CallOptions`], [`RawOperation`] |
//! | see the HTTP response too | [`machine::RawCall`], [`RawResponse`] |
//! | stop today and go on tomorrow | [`machine::Saved`] |
//! | know what went wrong | [`Error`] and its predicates, [`ErrorCode`], [`Hint`] |
//! | choose pages | [`PageRanges`] |
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

/// The program in README is compiled with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
