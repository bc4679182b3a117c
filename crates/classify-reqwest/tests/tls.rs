//! TLS settings of a caller-supplied client: its own certificate authority, and rejected certificates.

#![cfg(feature = "rustls")]

use std::sync::Arc;

use classify_proto::v2::GetJob;
use classify_reqwest::Client;
use classify_scenarios::{TlsServer, api, response};
use rustls::RootCertStore;

fn server() -> TlsServer {
    let job = br#"{"id": "clj-1", "status": "RUNNING"}"#;
    TlsServer::start(response(200, &[], job))
}

/// Returns a client that trusts this server's certificate authority.
fn client(base_url: &str, trusted: &TlsServer) -> Client {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.authority().to_vec().into()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(config)
        .build()
        .unwrap();
    Client::with_transport(
        classify_reqwest::Transport::from_client(client),
        api(base_url, "llx-key"),
    )
}

#[tokio::test]
async fn tls_custom_ca_is_trusted() {
    let server = server();
    let client = client(&server.base_url("localhost"), &server);
    assert_eq!(client.call(GetJob::new("clj-1")).await.unwrap().id, "clj-1");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn tls_certificate_of_unknown_ca_fails_without_retry() {
    let (server, other) = (server(), server());
    let client = client(&server.base_url("localhost"), &other);
    server.assert_refused_once(&client.call(GetJob::new("clj-1")).await.unwrap_err());
}

#[tokio::test]
async fn tls_certificate_for_other_host_fails_without_retry() {
    let server = server();
    let client = client(&server.base_url("127.0.0.1"), &server);
    server.assert_refused_once(&client.call(GetJob::new("clj-1")).await.unwrap_err());
}
