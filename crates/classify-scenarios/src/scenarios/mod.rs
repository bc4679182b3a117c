//! The scenarios, by what they are about.
#![expect(
    clippy::missing_panics_doc,
    reason = "a scenario that does not hold panics; that is what it is for"
)]

pub mod bulk;
pub mod drift;
pub mod errors;
pub mod exactly_once;
pub mod limits;
pub mod lists;
pub mod proxies;
pub mod secrets;
pub mod uploads;
pub mod waiting;
