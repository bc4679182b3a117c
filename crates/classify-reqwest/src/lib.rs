//! Async client for `LlamaCloud`'s document classification API, on [reqwest] and [tokio].
//!
//! # In scope
//!
//! - Sending what [`classify_proto`] builds, and reading what comes back: sockets, TLS, files, tasks, the clock.
//! - The same behaviour as `classify-ureq`, its blocking twin: one suite of scenarios runs against both.
//!
//! # Out of scope
//!
//! - Decisions. What is repeated, how long to wait, when a list ends: that is [`machine`]'s, and re-exported here.
//!
//! # Map
//!
//! | to do this | use |
//! | --- | --- |
//! | one operation, with its retries | [`Client::call`] |
//! | a list, item by item or page by page | [`Client::list`], [`Client::pages`] |
//! | a document, once: from its upload to its type | [`Client::classify`] with a [`Document`] |
//! | thousands of documents, each once | [`Client::bulk`], [`Document::folder`] |
//! | documents of many callers | [`Client::pool`] |
//! | a job that exists | [`Client::wait`] |
//! | a job of your own, for a file that is uploaded already | [`Client::run`] |
//! | any machine, event by event | [`Client::start`], [`Client::drive`] |
//! | your own agent or client | [`Client::with_transport`] with a [`Transport`] made from it |
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
//! // One document. Asked again, here or elsewhere, it is the same job.
//! let job = client.classify(Document::open("scan.pdf")?, rules.clone()).await?;
//! println!("{:?}", job.outcome());
//!
//! // A folder of documents. The journal lets the next run continue.
//! let mut run = client.bulk(rules).journal("run.journal").run(Document::folder("inbox")?).await?;
//! while let Some(finished) = run.next().await {
//!     println!("{}: {:?}", finished.name(), finished.outcome());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What every request is held to
//!
//! - A response of any status is an answer; redirects are not followed, so that the key goes nowhere else.
//! - It goes through the proxy that the environment names, by the rules of [`Proxy`](classify_proto::Proxy), and never
//!   through one to this machine.
//! - Time, size and number are limited by [`TransportLimits`].
//! - A file is opened anew for each attempt and streamed, never held in memory.
//!
//! # Features
//!
//! | feature | what it does | default |
//! | --- | --- | --- |
//! | `rustls` | TLS by rustls with ring, which needs a C compiler and nothing else | yes |
//! | `aws-lc` | TLS by rustls with AWS-LC | |
//! | `native-tls` | TLS by the operating system | |
//! | `gzip` | compressed responses | yes |
//! | `tracing` | a span for each operation, and in it one for each attempt | |
//! | `webhook-verify`, `jiff-0_2`, `chrono-0_4`, `time-0_3` | the same features of [`classify_proto`] | |
//!
//! All three use the operating system's root certificates. None sets a process-wide provider. Where several are on, the
//! first of `native-tls`, `aws-lc`, `rustls` is used.

mod default_transport;
mod failure;
mod transport;

pub use classify_client;
pub use classify_client::{
    BulkBuilder, Document, DocumentError, Finished, Folder, FolderEntry, LeftOut, Pool, RunEvent,
    Running, StopHandle,
};
pub use classify_proto;
#[doc(no_inline)]
pub use classify_proto::{
    Api, CallOptions, Error, Region, TransportLimits, configurations, files, machine, v1, v2,
    webhooks,
};

pub use transport::Transport;

/// An async client on reqwest and tokio.
pub type Client = classify_client::Client<Transport>;

/// A bulk run over documents of a source `S`. Made by [`BulkBuilder::run`].
pub type BulkRun<S> = classify_client::BulkRun<Transport, S>;

/// The items of a list. Made by [`Client::list`].
pub type List<O> = classify_client::List<Transport, O>;

/// The pages of a list. Made by [`Client::pages`].
pub type Pages<O> = classify_client::Pages<Transport, O>;

/// The program in README is compiled with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
