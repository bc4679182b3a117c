//! From sockets to handlers and back, and the place where faults are played.

pub(crate) mod accept;
mod answer;
mod body;
mod socket;
mod spoil;
