//! TLS settings of a caller-supplied agent: its own certificate authority, and rejected certificates.

#![cfg(feature = "rustls")]

use std::sync::Arc;

use classify_proto::v2::GetJob;
use classify_scenarios::{TlsServer, api, response};
use classify_ureq::Client;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

fn server() -> TlsServer {
    let job = br#"{"id": "clj-1", "status": "RUNNING"}"#;
    TlsServer::start(response(200, &[], job))
}

/// Returns a client that trusts these certificate authorities.
fn client(base_url: &str, trusted: &[Certificate<'static>]) -> Client {
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::new_with_certs(trusted))
        .build();
    let agent = ureq::Agent::config_builder().tls_config(tls).build().into();
    Client::with_transport(
        classify_ureq::Transport::from_agent(agent),
        api(base_url, "llx-key"),
    )
}

fn authority(server: &TlsServer) -> Certificate<'static> {
    Certificate::from_der(server.authority()).to_owned()
}

#[test]
fn tls_custom_ca_is_trusted() {
    let server = server();
    let client = client(&server.base_url("localhost"), &[authority(&server)]);
    assert_eq!(client.call(GetJob::new("clj-1")).unwrap().id, "clj-1");
    assert_eq!(server.connections(), 1);
}

#[test]
fn tls_certificate_of_unknown_ca_fails_without_retry() {
    let (server, other) = (server(), server());
    let client = client(&server.base_url("localhost"), &[authority(&other)]);
    server.assert_refused_once(&client.call(GetJob::new("clj-1")).unwrap_err());
}

#[test]
fn tls_certificate_for_other_host_fails_without_retry() {
    let server = server();
    let client = client(&server.base_url("127.0.0.1"), &[authority(&server)]);
    server.assert_refused_once(&client.call(GetJob::new("clj-1")).unwrap_err());
}
