//! The commands about single jobs and lists of them.

mod jobs;
mod wait;

pub(crate) use jobs::{cancel, create, delete, get, list};
pub(crate) use wait::wait;
