//! The HTTP agent.
//!
//! By default the client's own agent is used, with the trust store of the operating system and the usual proxy
//! variables. An agent is built here only if the flags or the environment need another one.

use std::sync::Arc;

use classify_proto::{Api, Proxy};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use super::ca_certificates::{ca_file, read_certificates};
use super::request_log::RequestLog;
use crate::args::global::GlobalArgs;
use crate::error::CliError;

/// Returns the proxy that the environment names for the service.
pub(crate) fn proxy_from_env(api: &Api) -> Result<Option<Proxy>, CliError> {
    Proxy::from_lookup(api, |name| std::env::var(name).ok()).map_err(|error| {
        CliError::usage(error.to_string()).hint("unset it to connect without a proxy")
    })
}

/// Returns the agent for the flags; `None` if the default agent is sufficient.
pub(crate) fn custom_agent(
    global: &GlobalArgs,
    proxy: Option<&Proxy>,
) -> Result<Option<Agent>, CliError> {
    if ca_file(global).is_none() && !global.debug {
        return Ok(None);
    }
    build_agent(global, proxy).map(Some)
}

/// Returns an agent with the settings of the flags.
pub(crate) fn build_agent(global: &GlobalArgs, proxy: Option<&Proxy>) -> Result<Agent, CliError> {
    let roots = match ca_file(global) {
        Some((path, source)) => RootCerts::new_with_certs(&read_certificates(&path, source)?),
        None => RootCerts::PlatformVerifier,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = TlsConfig::builder()
        .root_certs(roots)
        .unversioned_rustls_crypto_provider(provider)
        .build();
    let proxy = proxy.map(|proxy| ureq::Proxy::new(proxy.url())).transpose();
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        // The error does not repeat the URL, which may contain a password.
        .proxy(proxy.map_err(|error| CliError::usage(error.to_string()))?)
        .tls_config(tls);
    if global.debug {
        config = config.middleware(RequestLog::default());
    }
    Ok(config.build().into())
}
