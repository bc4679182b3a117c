//! The commands other than `classify run`.

pub(crate) mod api;
pub(crate) mod check_rules;
pub(crate) mod completion;
pub(crate) mod doctor;
pub(crate) mod emulator;
pub(crate) mod man;
pub(crate) mod wait;
pub(crate) mod webhooks;
