//! Code that the fuzz targets share: replies made of arbitrary bytes, and the loop that drives a machine with them.

pub mod driver;
pub mod reply;

use classify_proto::v2::{Configuration, CreateJob, Rule};
use classify_proto::{Api, Error, Seed};

/// A part of the key, secrets and documents that must never appear in a saved state, in `Debug` or in an error.
pub const CANARY: &str = "canary";

/// Returns an [`Api`] whose key contains the canary.
#[must_use]
pub fn api() -> Api {
    Api::builder("llx-canary-key")
        .base_url("https://service.example")
        .build()
        .expect("a good key and a good URL")
}

/// Returns a configuration with one rule.
#[must_use]
pub fn rules() -> Configuration {
    Configuration::new([Rule::new("invoice", "has an invoice number")])
}

/// Returns a create within all limits.
#[must_use]
pub fn create(input: &str) -> CreateJob {
    CreateJob::new(input, rules())
}

/// Returns the seed of every machine in the fuzz targets.
#[must_use]
pub fn seed() -> Seed {
    Seed::new([9; 16])
}

/// Asserts the properties of every error.
pub fn check_error(error: &Error) {
    let message = error.to_string();
    assert!(
        !message.contains(['\n', '\r']),
        "more than one line: {message:?}"
    );
    assert!(!message.trim().is_empty(), "an error without a word");
    // The error repeats the service's text, which may be anything.
    let sent_to_us = error.raw_body().is_some_and(|body| {
        body.windows(CANARY.len())
            .any(|part| part == CANARY.as_bytes())
    });
    let debug = format!("{error:?}");
    assert!(
        sent_to_us || !(debug.contains(CANARY) || message.contains(CANARY)),
        "a secret is shown: {message} {debug}"
    );
    let _ = (
        error.kind(),
        error.status(),
        error.request_id(),
        error.retry_after(),
        error.field_errors(),
        error.is_transient(),
        error.is_quota(),
    );
}
