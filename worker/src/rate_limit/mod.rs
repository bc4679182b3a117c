//! One rate limit for all workers.
//!
//! The state is a virtual object of the engine for each project and class ([`object`]), with the logic in [`window`].
//! Each worker leases a few permits at a time and refills them in the background ([`permits`]).

pub(crate) mod object;
pub(crate) mod permits;
pub(crate) mod window;
