//! Reads requests from sockets, calls handlers and sends replies; applies faults.

pub(crate) mod accept;
mod body;
mod fault_effects;
mod handle;
mod socket;
