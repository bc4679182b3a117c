//! Client for `LlamaCloud`'s document classification API over any HTTP transport, blocking and async.
//!
//! A transport sends one request and returns one response. You provide the transport; this crate provides the rest of
//! the client: calls with retries, lists, waits, bulk runs with a journal, rate limits and observers. Documents are
//! classified once and paid for once, even if a request times out or the process crashes.
//!
//! Most programs use `classify-ureq` or `classify-reqwest`, which are this client with a transport. Use this crate
//! directly to send requests with your own HTTP stack.
//!
//! | you want | use |
//! | --- | --- |
//! | a blocking client on ureq, ready to use | `classify-ureq` |
//! | an async client on reqwest and tokio, ready to use | `classify-reqwest` |
//! | a blocking client over your own HTTP stack | [`blocking::Client`], feature `blocking` |
//! | an async client over your own HTTP stack, also in wasm | [`Client`], feature `async` |
//! | a `tower` service as the transport | `TowerTransport`, feature `tower` |
//!
//! # Example
//!
//! A closure is a transport. This one returns a fixed response instead of sending the request:
//!
//! ```
//! # #[cfg(feature = "blocking")] {
//! use classify_client::blocking::Client;
//! use classify_client::{Budget, RequestBody};
//! use classify_proto::{Api, Reply, http, v2};
//!
//! let send = |request: http::Request<RequestBody>, budget: Budget| -> Reply {
//!     println!("{} {} within {:?}", request.method(), request.uri(), budget.total);
//!     Ok(http::Response::new(r#"{"id": "clj-1", "status": "RUNNING"}"#.into()))
//! };
//! let client = Client::with_transport(send, Api::builder("llx-key").build()?);
//! let job = client.call(v2::GetJob::new("clj-1"))?;
//! assert_eq!(job.id, "clj-1");
//! # }
//! # Ok::<(), classify_proto::Error>(())
//! ```
//!
//! # In scope
//!
//! - Running the state machines of [`classify_proto`]: sending requests in order and within limits, reading the clock,
//!   using threads or futures, reading environment variables.
//! - Reading documents: files, folders, readers, and the journal of a bulk run.
//! - The rules that prevent a second charge and do not depend on the transport. [`blocking`] lists the rules that a
//!   transport must keep, under "Writing a transport".
//!
//! # Out of scope
//!
//! - HTTP, TLS and an async runtime, which the transport provides.
//! - Decisions about retries, paging, waiting and rate limits, which `classify_proto` makes.
//!
//! # Overview
//!
//! | to … | use |
//! | --- | --- |
//! | call one operation | `Client::call`; `call_raw` returns the HTTP response too |
//! | read a list | `Client::list`, `pages` |
//! | classify a document, once | `Client::classify` with a [`Document`] |
//! | classify thousands, each once | `Client::bulk`, [`Document::folder`] |
//! | classify documents of many callers | `Client::pool` |
//! | wait for a job that exists | `Client::wait` |
//! | create a job without uploading a document | `Client::run` with a [`CreateJob`](classify_proto::v2::CreateJob) |
//! | run any machine, event by event | `Client::start`, which returns `Running` |
//! | log or measure attempts and waits | `Client::observer` |
//! | share rate limits with other processes | `Client::rate_limits` |
//!
//! # Features
//!
//! | feature | adds |
//! | --- | --- |
//! | `async` | [`Client`] over an async [`Transport`] |
//! | `blocking` | [`blocking::Client`] over a [`blocking::Transport`], without futures |
//! | `timer` | `Timer`, for async transports whose HTTP stack has none |
//! | `tower` | `TowerTransport` |
//! | `tracing` | a span for each operation, with a child span for each attempt |
//! | `webhook-verify`, `jiff-0_2`, `chrono-0_4`, `time-0_3` | the same features of `classify-proto` |

#[cfg(any(feature = "async", feature = "blocking"))]
mod body;
#[cfg(any(feature = "async", feature = "blocking"))]
mod budget;
#[cfg(any(feature = "async", feature = "blocking"))]
mod bulk;
#[cfg(any(feature = "async", feature = "blocking"))]
mod clock;
#[cfg(any(feature = "async", feature = "blocking"))]
mod content;
#[cfg(any(feature = "async", feature = "blocking"))]
mod document;
mod environment;
#[cfg(all(
    any(feature = "async", feature = "blocking"),
    not(all(target_family = "wasm", target_os = "unknown"))
))]
mod folder;
#[cfg(any(feature = "async", feature = "blocking"))]
mod observe;
mod path_name;
#[cfg(any(feature = "async", feature = "blocking"))]
mod pool;
mod seed;
#[cfg(any(feature = "async", feature = "blocking"))]
mod send_queue;
#[cfg(any(feature = "async", feature = "blocking"))]
mod settings;

#[cfg(feature = "async")]
mod async_client;
#[cfg(feature = "blocking")]
pub mod blocking;

pub use classify_proto;

#[cfg(any(feature = "async", feature = "blocking"))]
pub use body::{BodyState, RequestBody};
#[cfg(any(feature = "async", feature = "blocking"))]
pub use budget::Budget;
#[cfg(any(feature = "async", feature = "blocking"))]
pub use bulk::{BulkBuilder, DocumentError, Finished, JournalFile, RunEvent};
#[cfg(all(
    any(feature = "async", feature = "blocking"),
    not(all(target_family = "wasm", target_os = "unknown"))
))]
pub use clock::now;
#[cfg(any(feature = "async", feature = "blocking"))]
pub use document::Document;
pub use environment::{api_from_env, proxy_from_env};
#[cfg(all(
    any(feature = "async", feature = "blocking"),
    not(all(target_family = "wasm", target_os = "unknown"))
))]
pub use folder::{Folder, FolderEntry, SkipReason};
pub use path_name::{name_path, path_name};
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use seed::random_seed;

#[cfg(feature = "timer")]
pub use async_client::Timer;
#[cfg(feature = "tower")]
pub use async_client::TowerTransport;
#[cfg(feature = "async")]
pub use async_client::{
    BlockingExecutor, BulkRun, Client, DefaultTransport, FromIterator, FromStream, List, Pages,
    Pool, PoolDriver, Running, Source, StopHandle, Transport,
};

/// Compiles the program in the README.
#[cfg(all(doctest, feature = "blocking"))]
#[doc = include_str!("../README.md")]
struct Readme;
