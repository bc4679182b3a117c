//! Blocking client for `LlamaCloud`'s document classification API, on [ureq], without an async runtime.
//!
//! # In scope
//!
//! - Sending the requests of [`classify_proto`] and reading the responses: sockets, TLS, files, threads, the clock.
//! - The same behaviour as `classify-reqwest`, the async client: one suite of scenarios runs against both.
//!
//! # Out of scope
//!
//! - Decisions, for example which requests are retried, how long to wait, and when a list ends. The state machines of
//!   [`machine`] make them; they are re-exported here.
//!
//! # Overview
//!
//! | to … | use |
//! | --- | --- |
//! | call one operation, with retries | [`Client::call`] |
//! | read a list, by item or by page | [`Client::list`], [`Client::pages`] |
//! | classify a document, once | [`Client::classify`] with a [`Document`] |
//! | classify thousands of documents, each once | [`Client::bulk`], [`Document::folder`] |
//! | classify documents of many callers | [`Client::pool`] |
//! | wait for a job that exists | [`Client::wait`] |
//! | create a job for a file that is uploaded already | [`Client::run`] |
//! | run any state machine, event by event | [`Client::start`], [`Client::drive`] |
//! | use your own ureq agent | [`Client::with_transport`] with [`Transport::from_agent`] |
//!
//! # Example
//!
//! ```no_run
//! use classify_ureq::v2::{Configuration, Rule};
//! use classify_ureq::{Client, Document};
//!
//! let client = Client::from_env()?;
//! let rules = Configuration::new([
//!     Rule::new("invoice", "has an invoice number, line items and a total amount"),
//!     Rule::new("contract", "is an agreement that two parties sign"),
//! ]);
//!
//! // One document. Called again, here or on another machine, this returns the same job.
//! let job = client.classify(Document::open("scan.pdf")?, rules.clone())?;
//! println!("{:?}", job.outcome());
//!
//! // A folder of documents. The journal lets the next run continue after a crash.
//! for finished in client.bulk(rules).journal("run.journal").run(Document::folder("inbox")?)? {
//!     println!("{}: {:?}", finished.name(), finished.outcome());
//! }
//! # Ok::<(), classify_ureq::Error>(())
//! ```
//!
//! # Requests
//!
//! - Redirects are not followed, so that the API key is sent to no other server.
//! - Requests use the proxy of the environment variables, by the rules of [`Proxy`](classify_proto::Proxy). Requests to
//!   this machine never use a proxy.
//! - [`TransportLimits`] limits the time, the size and the number of concurrent requests.
//! - A file is opened again for each attempt and streamed; it is never held in memory.
//! - If you pass your own agent, its proxy and TLS settings apply.
//!
//! # Features
//!
//! | feature | adds | default |
//! | --- | --- | --- |
//! | `rustls` | TLS by rustls with ring, which needs a C compiler and nothing else | yes |
//! | `aws-lc` | TLS by rustls with AWS-LC | |
//! | `native-tls` | TLS by the operating system | |
//! | `gzip` | compressed responses | yes |
//! | `tracing` | a span for each operation, with a child span for each attempt | |
//! | `webhook-verify`, `jiff-0_2`, `chrono-0_4`, `time-0_3` | the same features of [`classify_proto`] | |
//!
//! All three TLS features use the operating system's root certificates, and none sets a process-wide provider. If
//! several are enabled, the first of `native-tls`, `aws-lc`, `rustls` is used. Without any, https requests fail.

mod connect_tracker;
mod default_transport;
mod failure;
mod transport;

pub use classify_client;
pub use classify_client::blocking::{Pool, Running, StopHandle};
pub use classify_client::{
    BulkBuilder, Document, DocumentError, Finished, Folder, FolderEntry, RunEvent, SkipReason,
};
pub use classify_proto;
#[doc(no_inline)]
pub use classify_proto::{
    Api, CallOptions, Error, Region, TransportLimits, configurations, files, machine, v1, v2,
    webhooks,
};

pub use transport::Transport;

/// The blocking client on ureq.
pub type Client = classify_client::blocking::Client<Transport>;

/// A bulk run over an iterator `I` of documents. Made by [`BulkBuilder::run`].
pub type BulkRun<I> = classify_client::blocking::BulkRun<Transport, I>;

/// An iterator over the items of a list. Made by [`Client::list`].
pub type List<O> = classify_client::blocking::List<Transport, O>;

/// An iterator over the pages of a list. Made by [`Client::pages`].
pub type Pages<O> = classify_client::blocking::Pages<Transport, O>;

/// Compiles the program in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
