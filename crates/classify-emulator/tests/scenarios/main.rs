//! The emulator as a client sees it: scenarios over real connections on loopback.

mod bad_input;
mod classify;
mod client;
mod documents;
mod faults;
mod files;
