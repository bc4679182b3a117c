//! The arguments of the commands, and how their values are parsed.

pub(crate) mod completion;
pub(crate) mod doctor;
pub(crate) mod emulator;
pub(crate) mod folder_template;
pub(crate) mod global;
pub(crate) mod man;
#[cfg(feature = "mcp")]
pub(crate) mod mcp;
pub(crate) mod rules;
pub(crate) mod run;
pub(crate) mod values;
pub(crate) mod wait;
pub(crate) mod webhooks;
