//! How many cases a property is tried with.

use proptest::prelude::ProptestConfig;

/// Returns a configuration with `PROPTEST_CASES` cases, or `default` if the variable is unset. A number in a test would
/// ignore the variable.
pub(crate) fn cases(default: u32) -> ProptestConfig {
    #[expect(
        clippy::disallowed_methods,
        reason = "the environment limits the duration of tests; the core does not read it"
    )]
    let from_env = std::env::var("PROPTEST_CASES");
    let from_env = from_env.ok().and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(from_env.unwrap_or(default))
}
