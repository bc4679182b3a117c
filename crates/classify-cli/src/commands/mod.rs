//! The commands that are more than one call to the service.

mod doctor;
mod emulator;
mod rules;
mod tools;
mod wait;
mod webhooks;

pub(crate) use doctor::doctor;
pub(crate) use emulator::emulator;
pub(crate) use rules::check as check_rules;
pub(crate) use tools::{completion, man};
pub(crate) use wait::{how_to_wait, wait, wait_old};
pub(crate) use webhooks::{listen, verify};
