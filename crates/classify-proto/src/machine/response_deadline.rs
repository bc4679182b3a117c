//! The latest time for a response.

use crate::Time;

/// When the machine stops waiting for a reply: an extension of every request that a machine sends.
///
/// A driver gives the request no more time than that. One that cannot still ends, because the machine gives up by
/// itself when it is polled then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseDeadline(pub Time);
