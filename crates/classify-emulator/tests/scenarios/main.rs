//! The emulator as a client sees it: scenarios over real connections on loopback.

mod bad_input;
mod classifier;
mod classify;
mod client;
mod configurations;
mod control;
mod course;
mod documents;
mod faults;
mod files;
mod lists;
mod schema;
mod serve;
mod state;
mod webhooks;
mod wire;
