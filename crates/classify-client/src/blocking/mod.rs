//! The blocking client.
//!
//! # Writing a transport
//!
//! A transport is one function, [`Transport::send`], or a closure. It sends a request, reads the response, and returns it;
//! the client does everything else. The obligations, each with the scenario of `classify-scenarios` that checks it:
//!
//! | a transport must | scenario |
//! | --- | --- |
//! | return a response of any status as `Ok` | `errors::*` |
//! | not follow redirects, so that the key goes nowhere else | `transport_limits::redirect_is_not_followed` |
//! | read the body from [`RequestBody`] and announce its length | `transport_limits::request_lengths_are_announced` |
//! | end within the [`Budget`] as far as it can | `transport_limits::*` |
//! | read at most [`Budget::response_bytes`] | `transport_limits::*` |
//! | report a failed connection as [`Failure::connect`](classify_proto::Failure::connect), and only that: such a request counts as not sent | `idempotency::*` |
//! | report a broken connection as [`Failure::broken`](classify_proto::Failure::broken), and a time limit as [`Failure::timeout`](classify_proto::Failure::timeout) | `idempotency::*` |
//!
//! The client itself opens the body anew for each attempt, prefers an error of the body's content over the transport's
//! error, treats a request whose body was not started as not sent, and turns a panic into a failure.

mod client;
mod list;
mod running;
mod threads;
mod transport;

pub use client::Client;
pub use list::{List, Pages};
pub use running::{Running, StopHandle};
pub use transport::{DefaultTransport, Transport};

#[cfg(doc)]
use crate::{Budget, RequestBody};
