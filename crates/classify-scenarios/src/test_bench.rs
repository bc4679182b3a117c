//! The emulator with a client, and shared test data.

use std::thread;
use std::time::Duration;

use classify_emulator::{Config, Emulator, RateLimits};
use classify_proto::Api;
use classify_proto::machine::HashedDocument;
use classify_proto::v2::{Configuration, CreateJob, Job, Rule};

use crate::driver::{Driver, Settings};

/// An emulator and a client for it.
pub struct TestBench<D> {
    /// The emulator, in place of the service.
    pub emulator: Emulator,
    /// The client for the emulator.
    pub driver: D,
}

impl<D: Driver> TestBench<D> {
    /// Starts an emulator without rate limits whose jobs end soon, and a client with short delays.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::with_settings(config, Settings::default())
    }

    /// Starts the same emulator, and a client with these settings.
    ///
    /// # Panics
    ///
    /// If the emulator cannot start.
    #[must_use]
    pub fn with_settings(config: Config, settings: Settings) -> Self {
        let config = config
            .rate_limits(RateLimits::none())
            .running_after(Duration::from_millis(5))
            .completed_after(Duration::from_millis(20));
        let emulator = Emulator::start(config).expect("the emulator starts");
        emulator.add_parse_job("pjb-1", "Invoice 4711, total amount 12.00");
        let driver = D::new(api(emulator.base_url(), emulator.key()), settings);
        Self { emulator, driver }
    }

    /// Creates this many jobs and returns their ids.
    ///
    /// # Panics
    ///
    /// If a create fails.
    #[must_use]
    pub fn jobs(&self, number: usize) -> Vec<Job> {
        (0..number)
            .map(|_| self.driver.call(create()).expect("a job is created"))
            .collect()
    }
}

/// Returns an [`Api`] for this base URL and key.
///
/// # Panics
///
/// If the URL or the key is invalid.
#[must_use]
pub fn api(base_url: &str, key: &str) -> Api {
    Api::builder(key)
        .base_url(base_url)
        .build()
        .expect("a loopback URL and a key")
}

/// Returns a create for a document that exists at the emulator.
#[must_use]
pub fn create() -> CreateJob {
    CreateJob::new("pjb-1", rules())
}

/// Returns two rules: invoice and contract.
#[must_use]
pub fn rules() -> Configuration {
    Configuration::new([
        Rule::new("invoice", "has an invoice number and a total amount"),
        Rule::new("contract", "an agreement that two parties sign"),
    ])
}

/// Returns a short document that matches the first rule.
#[must_use]
pub fn document() -> HashedDocument {
    HashedDocument::bytes("invoice.txt", "Invoice 4711. Total amount: 12.00.")
}

/// Waits until `reached` returns `true`, up to ten seconds.
pub fn wait_until(mut reached: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if reached() {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
}
