//! The default reqwest client.

use classify_proto::{Proxy, TransportLimits};
use reqwest::{Client, ClientBuilder};

/// Whether this build supports TLS.
pub(crate) const HAS_TLS: bool = cfg!(any(feature = "_rustls", feature = "native-tls"));

/// Returns a client that does not follow redirects, or the reason why it cannot be built.
pub(crate) fn default_client(
    limits: &TransportLimits,
    proxy: Option<&Proxy>,
) -> Result<Client, String> {
    let mut builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(limits.connect)
        // reqwest reads proxy variables by other rules.
        .no_proxy();
    if let Some(proxy) = proxy {
        let set = reqwest::Proxy::all(proxy.url())
            .map_err(|_| format!("{} is not a valid proxy URL", proxy.variable()))?;
        builder = builder.proxy(set);
    }
    with_tls(builder)?
        .build()
        .map_err(|error| crate::failure::describe(&error))
}

#[cfg(not(any(feature = "_rustls", feature = "native-tls")))]
#[expect(clippy::unnecessary_wraps, reason = "with TLS it may fail")]
fn with_tls(builder: ClientBuilder) -> Result<ClientBuilder, String> {
    Ok(builder)
}

#[cfg(feature = "native-tls")]
#[expect(clippy::unnecessary_wraps, reason = "with rustls it may fail")]
fn with_tls(builder: ClientBuilder) -> Result<ClientBuilder, String> {
    Ok(builder.tls_backend_native())
}

/// Sets the TLS provider. Otherwise reqwest would use the process-wide provider, and panic without one.
#[cfg(all(feature = "_rustls", not(feature = "native-tls")))]
fn with_tls(builder: ClientBuilder) -> Result<ClientBuilder, String> {
    use std::sync::Arc;

    use rustls_platform_verifier::BuilderVerifierExt as _;

    #[cfg(feature = "aws-lc")]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "aws-lc"))]
    let provider = rustls::crypto::ring::default_provider();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        // The operating system's trust store, which also has the certificate authorities of a company.
        .and_then(rustls::ConfigBuilder::with_platform_verifier)
        .map_err(|error| format!("TLS: {error}"))?
        .with_no_client_auth();
    Ok(builder.tls_backend_preconfigured(config))
}
