//! The default agent.

use classify_proto::{Proxy, TransportLimits};
use ureq::Agent;

use crate::connect_tracker::{Connections, Names};

/// Whether this build can speak TLS.
pub(crate) const HAS_TLS: bool = cfg!(any(feature = "_rustls", feature = "native-tls"));

/// An agent whose own settings are those that every request gets, or why there is none.
///
/// They are set here and not only for each request because ureq keeps a TLS configuration, with its roots and its
/// sessions, only for requests that are sent with the agent's own settings.
pub(crate) fn default_agent(
    limits: &TransportLimits,
    proxy: Option<&Proxy>,
) -> Result<Agent, String> {
    let proxy = proxy
        .map(|proxy| {
            ureq::Proxy::new(proxy.url())
                .map_err(|_| format!("{}: is not the URL of a proxy", proxy.variable()))
        })
        .transpose()?;
    let builder = Agent::config_builder()
        // ureq would look into the environment by rules of its own.
        .proxy(proxy)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_idle_connections(limits.max_concurrency.saturating_mul(2).max(8))
        .max_idle_connections_per_host(limits.max_concurrency.max(4))
        .timeout_resolve(Some(limits.connect))
        .timeout_connect(Some(limits.connect))
        .timeout_recv_response(Some(limits.response))
        .timeout_global(Some(limits.attempt));
    let config = with_tls(builder).build();
    Ok(Agent::with_parts(
        config,
        Connections::default(),
        Names::default(),
    ))
}

type Builder = ureq::config::ConfigBuilder<ureq::typestate::AgentScope>;

#[cfg(not(any(feature = "_rustls", feature = "native-tls")))]
fn with_tls(builder: Builder) -> Builder {
    builder
}

#[cfg(any(feature = "_rustls", feature = "native-tls"))]
fn with_tls(builder: Builder) -> Builder {
    use ureq::tls::{RootCerts, TlsConfig};

    // The operating system's trust store: a company's own authority is known there and nowhere else.
    builder.tls_config(
        with_provider(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier)).build(),
    )
}

#[cfg(feature = "native-tls")]
fn with_provider(builder: ureq::tls::TlsConfigBuilder) -> ureq::tls::TlsConfigBuilder {
    builder.provider(ureq::tls::TlsProvider::NativeTls)
}

#[cfg(all(feature = "_rustls", not(feature = "native-tls")))]
fn with_provider(builder: ureq::tls::TlsConfigBuilder) -> ureq::tls::TlsConfigBuilder {
    #[cfg(feature = "aws-lc")]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "aws-lc"))]
    let provider = rustls::crypto::ring::default_provider();
    builder.unversioned_rustls_crypto_provider(std::sync::Arc::new(provider))
}
