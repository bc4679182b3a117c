//! The commands.

pub(crate) mod cancel;
pub(crate) mod results;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod submit;
