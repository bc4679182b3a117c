//! The latest time for a response.

use crate::Time;

/// The time at which the machine stops waiting for a response; an extension of every request that a machine sends.
///
/// A driver aborts the request at that time. If it cannot, it only has to poll the machine then: the machine gives up
/// the request by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseDeadline(pub Time);
