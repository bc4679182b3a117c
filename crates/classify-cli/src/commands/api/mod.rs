//! Commands that make one call to the service each. Tables define the flags and the parts of the request for their
//! values.
//!
//! ```text
//! tables (classify, classifier_jobs, files, configurations, webhook_configs)
//!    |-- flags               clap's arguments and the help
//!    |-- parameter_values    flags and stdin -> path, query, body
//!    |     |-- flag_values   the values of one flag, nested flags included
//!    |     `-- stdin
//!    `-- operation           the request, the response, the pages
//! ```
//!
//! Responses are printed unchanged, so that fields which this version does not know are printed too.

mod classifier_jobs;
mod classify;
mod configurations;
mod create_job;
pub(crate) mod endpoint;
pub(crate) mod execute;
mod files;
pub(crate) mod flag_text;
mod flag_values;
pub(crate) mod flags;
mod operation;
mod parameter_values;
mod request;
mod stdin;
mod upload_file;
mod webhook_configs;

use self::endpoint::Endpoint;

/// Returns all endpoints.
fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
    classify::ENDPOINTS
        .iter()
        .chain(classifier_jobs::ENDPOINTS)
        .chain(files::ENDPOINTS)
        .chain(configurations::ENDPOINTS)
        .chain(webhook_configs::ENDPOINTS)
}

/// Returns the endpoint of a command.
pub(crate) fn find(resource: &str, name: &str) -> Option<&'static Endpoint> {
    endpoints().find(|endpoint| endpoint.resource == resource && endpoint.name == name)
}
