//! The blocking client.
//!
//! # Writing a transport
//!
//! A transport is one function, [`Transport::send`], or a closure. It sends a request, reads the response, and returns
//! it. The client does everything else. The table lists its obligations, each with the scenario in `classify-scenarios`
//! that checks it:
//!
//! | a transport must | scenario |
//! | --- | --- |
//! | return a response of any status as `Ok` | `errors::retry_after_beyond_cap_is_returned_without_retry` |
//! | not follow redirects, so that the key goes nowhere else | `transport_limits::redirect_is_returned_as_error_and_not_followed` |
//! | send the length of the body, and none with a GET | `transport_limits::headers_of_empty_requests_have_content_length_only_for_post` |
//! | stream the body, and read a response that comes before the end of the body | `uploads::upload_early_rejection_is_returned_without_retry` |
//! | end an exchange without a response within [`Budget::response`] | `transport_limits::timeout_without_response_ends_every_attempt_and_create_is_ambiguous` |
//! | end a connection attempt, TLS included, within [`Budget::connect`] | `transport_limits::timeout_of_tls_handshake_uses_connect_limit_and_is_not_ambiguous` |
//! | end every exchange within [`Budget::total`] | `transport_limits::total_timeout_ends_attempt_before_its_own_limit` |
//! | read at most [`Budget::response_bytes`], after decompression | `transport_limits::response_size_over_limit_fails_without_retry` |
//! | fail if a response is cut short | `transport_limits::response_body_timeout_or_truncation_fails_after_retry` |
//! | report a failed connection, and nothing else, as [`Failure::connect`](classify_proto::Failure::connect): such a request counts as not sent | `idempotency::ambiguous_is_not_set_by_attempts_that_never_connected` |
//! | report a broken connection as [`Failure::broken`](classify_proto::Failure::broken) | `idempotency::idempotency_v1_create_without_key_retry_only_if_not_connected` |
//! | never send a request twice | `idempotency::idempotency_v1_create_is_not_resent_on_closed_keep_alive_connection` |
//! | report an untrusted certificate as [`Failure::refused`](classify_proto::Failure::refused), [attempted](classify_proto::Failure::attempted) | `errors::tls_untrusted_certificate_fails_without_retry` |
//! | send [`TransportLimits::max_concurrency`](classify_proto::TransportLimits::max_concurrency) requests concurrently | `transport_limits::max_concurrency_is_reached_and_not_exceeded` |
//!
//! The client opens the body again for each attempt. If the document cannot be read, it returns that error and not the
//! transport's. It treats a request whose body was never read as not sent, and a panic as a failure.

mod bulk;
mod client;
mod list;
mod pool;
mod running;
mod threads;
mod transport;

pub use bulk::BulkRun;
pub use client::Client;
pub use list::{List, Pages};
pub use pool::Pool;
pub use running::{Running, StopHandle};
pub use transport::{DefaultTransport, Transport};

#[cfg(doc)]
use crate::{Budget, RequestBody};
