//! What the fuzz targets share: replies made of arbitrary bytes, and the loop that drives a machine with them.

pub mod driver;
pub mod reply;

use classify_proto::v2::{Configuration, CreateJob, Rule};
use classify_proto::{Api, Error, Seed};

/// In the key, in secrets and in documents: it must never be seen in a saved state, in `Debug` or in an error.
pub const CANARY: &str = "canary";

/// A client whose key holds the canary.
#[must_use]
pub fn api() -> Api {
    Api::builder("llx-canary-key")
        .base_url("https://service.example")
        .build()
        .expect("a good key and a good URL")
}

/// A configuration of one rule.
#[must_use]
pub fn rules() -> Configuration {
    Configuration::new([Rule::new("invoice", "has an invoice number")])
}

/// A create that keeps to every limit.
#[must_use]
pub fn create(input: &str) -> CreateJob {
    CreateJob::new(input, rules())
}

/// The seed of every machine here.
#[must_use]
pub fn seed() -> Seed {
    Seed::new([9; 16])
}

/// What every error must hold to, whatever it is made of.
pub fn check_error(error: &Error) {
    let message = error.to_string();
    assert!(
        !message.contains(['\n', '\r']),
        "more than one line: {message:?}"
    );
    assert!(!message.trim().is_empty(), "an error without a word");
    // The service's own words are repeated, whatever they are.
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
