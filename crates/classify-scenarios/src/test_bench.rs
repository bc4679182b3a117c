//! The emulator with a driver beside it, and what they talk about.

use std::thread;
use std::time::Duration;

use classify_emulator::{Config, Emulator, RateLimits};
use classify_proto::Api;
use classify_proto::machine::HashedDocument;
use classify_proto::v2::{Configuration, CreateJob, Job, Rule};

use crate::driver::{Driver, Settings};

/// An emulator with a driver beside it.
pub struct TestBench<D> {
    /// The service.
    pub emulator: Emulator,
    /// The client.
    pub driver: D,
}

impl<D: Driver> TestBench<D> {
    /// Starts an emulator without rate limits, whose jobs end soon, and a driver with short delays.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::with_settings(config, Settings::default())
    }

    /// The same with these client settings.
    ///
    /// # Panics
    ///
    /// When the emulator cannot start.
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

    /// Creates so many jobs.
    ///
    /// # Panics
    ///
    /// When one is refused.
    #[must_use]
    pub fn jobs(&self, number: usize) -> Vec<Job> {
        (0..number)
            .map(|_| self.driver.call(create()).expect("a job is created"))
            .collect()
    }
}

/// Where requests go, on loopback.
///
/// # Panics
///
/// When the URL or the key is none.
#[must_use]
pub fn api(base_url: &str, key: &str) -> Api {
    Api::builder(key)
        .base_url(base_url)
        .build()
        .expect("a loopback URL and a key")
}

/// A create for a document that is there already.
#[must_use]
pub fn create() -> CreateJob {
    CreateJob::new("pjb-1", rules())
}

/// Two rules.
#[must_use]
pub fn rules() -> Configuration {
    Configuration::new([
        Rule::new("invoice", "has an invoice number and a total amount"),
        Rule::new("contract", "an agreement that two parties sign"),
    ])
}

/// A short document that fits the first rule.
#[must_use]
pub fn document() -> HashedDocument {
    HashedDocument::bytes("invoice.txt", "Invoice 4711. Total amount: 12.00.")
}

/// Lets other threads get on until `reached`, for ten seconds at most.
pub fn wait_until(mut reached: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if reached() {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
}
