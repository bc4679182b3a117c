//! Settings from environment variables.

use classify_proto::{Api, Error, Proxy};

/// Returns an [`Api`] configured from the environment variables of this process; [`Api::from_lookup`] lists them.
///
/// # Errors
///
/// [`is_invalid`](Error::is_invalid) if the key is missing or malformed, or another variable is invalid.
pub fn api_from_env() -> Result<Api, Error> {
    Api::from_lookup(variable).build()
}

/// Returns the proxy that the environment variables of this process set for requests of `api`; `None` if requests are
/// sent directly. [`Proxy`] documents the variables.
///
/// # Errors
///
/// [`is_invalid`](Error::is_invalid) if a variable is not a valid proxy URL.
pub fn proxy_from_env(api: &Api) -> Result<Option<Proxy>, Error> {
    Proxy::from_lookup(api, variable)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
