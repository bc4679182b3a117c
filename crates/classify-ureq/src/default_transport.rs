//! The default agent.

use classify_proto::{Proxy, TransportLimits};
use ureq::Agent;

use crate::connect_tracker::{Connections, Names};

/// Whether this build supports TLS.
pub(crate) const HAS_TLS: bool = cfg!(any(feature = "_rustls", feature = "native-tls"));

/// Returns an agent with the settings that every request uses, or the reason why it cannot be built.
///
/// The settings are not only set for each request, because ureq reuses a TLS configuration, with its roots and
/// sessions, only for requests with the agent's own settings.
pub(crate) fn default_agent(
    limits: &TransportLimits,
    proxy: Option<&Proxy>,
) -> Result<Agent, String> {
    let proxy = proxy
        .map(|proxy| {
            ureq::Proxy::new(proxy.url())
                .map_err(|_| format!("{} is not a valid proxy URL", proxy.variable()))
        })
        .transpose()?;
    let builder = Agent::config_builder()
        // ureq reads proxy variables by other rules.
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

    // The operating system's trust store, which also has the certificate authorities of a company.
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
