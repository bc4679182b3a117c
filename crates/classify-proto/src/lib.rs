//! Sans-IO client for document classification: requests, responses and every decision, no IO.

mod api;
mod body;
mod change;
pub mod configurations;
mod error;
pub mod files;
pub mod machine;
mod operation;
mod page;
mod pages;
mod reply;
mod secret;
mod text;
mod time;
pub mod v1;
pub mod v2;
pub mod webhooks;

pub use bytes::Bytes;
pub use http;

pub use api::{Api, ApiBuilder, Region};
pub use body::{Body, Content, Framed};
pub use change::Change;
pub use error::{Error, ErrorKind};
pub use operation::{Operation, RateClass, Recovery, Repeat, Seed};
pub use page::{Page, Paged};
pub use pages::PageRanges;
pub use reply::{Failure, FailureKind, Reply};
pub use secret::{Secret, SecretValue};
pub use text::open_enum::UnknownWord;
pub use text::service_words::FieldError;
pub use text::timestamp::Timestamp;
pub use time::Time;
