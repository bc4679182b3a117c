//! Settings from environment variables.

use classify_proto::{Api, Error, Proxy};

/// Builds an [`Api`] from this process's environment; [`Api::from_lookup`] lists the variables.
///
/// # Errors
///
/// [`is_invalid`](Error::is_invalid) if the key is missing or malformed, or a variable cannot be used.
pub fn api_from_env() -> Result<Api, Error> {
    Api::from_lookup(variable).build()
}

/// Returns the proxy that this process's environment names for requests of `api`; [`Proxy`] has the rules.
///
/// # Errors
///
/// [`is_invalid`](Error::is_invalid) if a variable is not the URL of a proxy.
pub fn proxy_from_env(api: &Api) -> Result<Option<Proxy>, Error> {
    Proxy::from_lookup(api, variable)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
