//! How many cases a property is tried with.

use proptest::prelude::ProptestConfig;

/// As many as `PROPTEST_CASES` says, which a number in a test would pass over; `default` where it says nothing.
pub(crate) fn cases(default: u32) -> ProptestConfig {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test is told how long it may take; the core still reads no environment"
    )]
    let from_env = std::env::var("PROPTEST_CASES");
    let from_env = from_env.ok().and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(from_env.unwrap_or(default))
}
