//! How many cases a property is tried with.

use proptest::prelude::ProptestConfig;

/// As many as `PROPTEST_CASES` says, which a number in a test would pass over; `default` where it says nothing.
pub(crate) fn cases(default: u32) -> ProptestConfig {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test is told how long it may take; the core still reads no environment"
    )]
    let told = std::env::var("PROPTEST_CASES");
    let told = told.ok().and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(told.unwrap_or(default))
}
