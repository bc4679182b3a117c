//! Async client for `LlamaCloud`'s document classification API, on [reqwest] and [tokio].
//!
//! # In scope
//!
//! - Sending the requests of [`classify_proto`] and reading the responses: sockets, TLS, files, tasks, the clock.
//! - The same behaviour as `classify-ureq`, the blocking client: one suite of scenarios runs against both.
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
//! | use your own reqwest client | [`Client::with_transport`] with [`Transport::from_client`] |
//!
//! # Example
//!
//! ```no_run
//! # async fn example() -> Result<(), classify_reqwest::Error> {
//! use classify_reqwest::v2::{Configuration, Rule};
//! use classify_reqwest::{Client, Document};
//!
//! let client = Client::from_env()?;
//! let rules = Configuration::new([
//!     Rule::new("invoice", "has an invoice number, line items and a total amount"),
//!     Rule::new("contract", "is an agreement that two parties sign"),
//! ]);
//!
//! // One document. Called again, here or on another machine, this returns the same job.
//! let job = client.classify(Document::open("scan.pdf")?, rules.clone()).await?;
//! println!("{:?}", job.outcome());
//!
//! // A folder of documents. The journal lets the next run continue after a crash.
//! let mut run = client.bulk(rules).journal("run.journal").run(Document::folder("inbox")?).await?;
//! while let Some(finished) = run.next().await {
//!     println!("{}: {:?}", finished.name(), finished.outcome());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Requests
//!
//! - Redirects are not followed, so that the API key is sent to no other server.
//! - Requests use the proxy of the environment variables, by the rules of [`Proxy`](classify_proto::Proxy). Requests to
//!   this machine never use a proxy.
//! - [`TransportLimits`] limits the time, the size and the number of concurrent requests.
//! - A file is opened again for each attempt and streamed; it is never held in memory.
//! - If you pass your own client, its proxy and TLS settings apply.
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

mod default_transport;
mod failure;
mod transport;

pub use classify_client;
pub use classify_client::{
    BulkBuilder, Document, DocumentError, Finished, Folder, FolderEntry, Pool, RunEvent, Running,
    SkipReason, StopHandle,
};
pub use classify_proto;
#[doc(no_inline)]
pub use classify_proto::{
    Api, CallOptions, Error, Region, TransportLimits, configurations, files, machine, v1, v2,
    webhooks,
};

pub use transport::Transport;

/// The async client on reqwest and tokio.
pub type Client = classify_client::Client<Transport>;

/// A bulk run over a source `S` of documents. Made by [`BulkBuilder::run`].
pub type BulkRun<S> = classify_client::BulkRun<Transport, S>;

/// A stream of the items of a list. Made by [`Client::list`].
pub type List<O> = classify_client::List<Transport, O>;

/// A stream of the pages of a list. Made by [`Client::pages`].
pub type Pages<O> = classify_client::Pages<Transport, O>;

/// Compiles the program in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
