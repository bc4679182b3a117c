//! The scenarios, by topic.
#![expect(clippy::missing_panics_doc, reason = "a failed scenario panics")]

pub mod base_url;
pub mod bulk;
pub mod bulk_runs;
pub mod classify;
pub mod errors;
pub mod idempotency;
pub mod pagination;
pub mod polling;
pub mod pool;
pub mod proxy;
pub mod redaction;
pub mod transport_limits;
pub mod unexpected_responses;
pub mod uploads;
