//! The scenarios, by what they are about.
#![expect(
    clippy::missing_panics_doc,
    reason = "a scenario that does not hold panics; that is what it is for"
)]

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
