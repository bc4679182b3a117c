//! Documents in object stores, for the clients of `LlamaCloud`'s document classification API: `s3://`, `gs://` and
//! `az://`.
//!
//! An [`Object`] is a [`Document`](classify_client::Document) for `classify-ureq`, `classify-reqwest` or any other client
//! over `classify-client`. Its content is never held as a whole and never written to disk: one streamed read computes the
//! hash, and a second one is the upload. The second read asks for the `ETag` that the first one had, and the content is
//! hashed again while it is sent, so that an object that changed in between is an error and no job is created for it.
//!
//! # Example
//!
//! ```no_run
//! use classify_object_store::{ObjectUrl, Stores};
//!
//! # fn main() -> Result<(), classify_proto::Error> {
//! let stores = Stores::from_env()?;
//! let inbox: ObjectUrl = "s3://bucket/inbox/".parse()?;
//! for document in stores.list(&inbox)?.documents() {
//!     println!("{}", document.name());
//! }
//! let one = stores.stat(&"gs://bucket/scan.pdf".parse()?)?;
//! println!("{:?} {:?}", one.size(), one.etag());
//! # Ok(())
//! # }
//! ```
//!
//! To classify them all, pass `documents()` to `Client::bulk(rules).journal("run.journal").run(…)`. The journal records the
//! hash of each `ETag` and size, so that a resumed run does not read the same objects again.
//!
//! # URLs
//!
//! Everything after the bucket is the key as it is, as in the `aws` and `gsutil` commands: `%20` is not a space, and `?`
//! and `#` belong to the key. A URL of a bucket, or one that ends with `/`, names all objects below it. A listing skips
//! the objects whose name below the prefix a folder would skip too: hidden ones and temporary files of other programs
//! (see [`Document::folder`](classify_client::Document::folder)).
//!
//! # Credentials
//!
//! [`Stores::from_env`] reads the variables that `object_store` documents:
//!
//! | URL | feature | variables |
//! | --- | --- | --- |
//! | `s3://bucket/key` | `aws` | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP`, `AWS_SKIP_SIGNATURE` and others; without keys, those of the container, the pod or the instance |
//! | `gs://bucket/key` | `gcp` | `GOOGLE_SERVICE_ACCOUNT` (a file), `GOOGLE_APPLICATION_CREDENTIALS` and others; without them, those of the instance |
//! | `az://container/key` | `azure` | `AZURE_STORAGE_ACCOUNT_NAME` with `AZURE_STORAGE_ACCOUNT_KEY`, `AZURE_STORAGE_SAS_KEY` or `AZURE_CLIENT_ID` and others; without them, those of the instance |
//!
//! Profiles of the `aws` command are not read; `aws configure export-credentials --format env` prints the variables. To
//! obtain credentials in another way, configure a store of the `object_store` crate and pass it to
//! [`Stores::with_store`].
//!
//! # Threads
//!
//! The stores are asynchronous, and this crate is blocking. Each [`Stores`] has one background thread with a tokio runtime
//! that sends the requests; it ends when the last clone, object and document is dropped. [`list`](Stores::list),
//! [`stat`](Stores::stat) and the iterators block the calling thread. A document does not: the async client reads it on
//! its blocking executor, and up to four pieces wait between the two threads, so that a slow upload slows the read down.
//!
//! # Errors
//!
//! Errors name the URL, the cause and a remedy. They are of the kind
//! [`Content`](classify_proto::ErrorKind::Content), as for files: nothing was charged, a journal does not record them, and
//! the next run reads the object again. If the store and not only the object cannot be read (a missing bucket, expired
//! credentials, a wrong region or endpoint, no connection), a bulk run stops after
//! [`max_read_errors`](classify_proto::machine::BulkOptions::max_read_errors) of them in a row. Requests are retried up to
//! four times for up to a minute if the store does not respond or answers with 429 or 5xx.
//!
//! # Features
//!
//! | feature | adds |
//! | --- | --- |
//! | `aws`, `gcp`, `azure` | the provider, with reqwest, rustls and ring; none is on by default |
//!
//! The features enable reqwest's `rustls-no-provider` for the whole program. A client of reqwest that is built without a
//! TLS configuration panics then, so do not turn off the TLS features of `classify-reqwest` beside them.

mod error;
mod listing;
mod object;
mod object_url;
mod provider;
mod reader;
mod runtime;
mod stores;

pub use listing::{Documents, ObjectEntry, Objects};
pub use object::Object;
pub use object_url::{ObjectUrl, Scheme};
pub use stores::Stores;

/// Compiles the program in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
