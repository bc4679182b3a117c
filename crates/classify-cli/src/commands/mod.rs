//! The commands about single jobs and lists of them.

mod emulator;
mod jobs;
mod wait;

pub(crate) use emulator::emulator;
pub(crate) use jobs::{cancel, create, delete, get, list};
pub(crate) use wait::wait;
