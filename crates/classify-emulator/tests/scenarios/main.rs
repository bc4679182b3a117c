//! The emulator as a client sees it: scenarios over real connections on loopback.

mod config;
mod configurations;
mod control;
mod documents;
mod faults;
mod files;
mod malformed_requests;
mod schema;
mod serve;
mod state_file;
mod test_client;
mod transport_faults;
mod v1_jobs;
mod v2_job_lists;
mod v2_jobs;
mod webhooks;
