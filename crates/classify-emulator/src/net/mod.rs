//! From sockets to handlers and back; applies faults.

pub(crate) mod accept;
mod body;
mod fault_effects;
mod handle;
mod socket;
