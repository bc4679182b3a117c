//! Sends an HTTP POST to a URL that a caller has set: resolved once, checked, without following redirects.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const TIMEOUT: Duration = Duration::from_secs(30);

/// How long the body of a response is read. It is ignored.
const BODY_TIMEOUT: Duration = Duration::from_secs(1);

/// A response whose head has arrived.
struct ReceiverResponse {
    status: u16,
    body: Incoming,
    /// The task that runs the connection. It ends when this is dropped.
    _connection: JoinSet<Result<(), hyper::Error>>,
}

/// Sends a body and returns the status of the response.
pub(super) async fn post(
    url: &str,
    headers: HeaderMap,
    body: Vec<u8>,
    allow_private: bool,
) -> Result<u16, String> {
    let result = tokio::time::timeout(TIMEOUT, send(url, headers, body, allow_private)).await;
    let response =
        result.unwrap_or_else(|_| Err(format!("no answer within {} s", TIMEOUT.as_secs())))?;
    // Read, so that the receiver can send its whole response; the status counts in any case.
    let mut body = http_body_util::Limited::new(response.body, 1024 * 1024);
    let drain = async { while let Some(Ok(_)) = body.frame().await {} };
    let _ = tokio::time::timeout(BODY_TIMEOUT, drain).await;
    Ok(response.status)
}

async fn send(
    url: &str,
    headers: HeaderMap,
    body: Vec<u8>,
    allow_private: bool,
) -> Result<ReceiverResponse, String> {
    let uri: Uri = url.parse().map_err(|error| format!("not a URL: {error}"))?;
    let authority = uri.authority().ok_or("the URL has no host")?.clone();
    let host = authority.host().trim_matches(['[', ']']).to_owned();
    let encrypted = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err("the URL is neither http nor https".to_owned()),
    };
    let port = authority
        .port_u16()
        .unwrap_or(if encrypted { 443 } else { 80 });
    let addresses = resolve(&host, port).await?;
    if !allow_private && addresses.iter().any(|address| is_private(address.ip())) {
        return Err(
            "private and loopback addresses are blocked; Config::allow_loopback_webhooks allows them"
                .to_owned(),
        );
    }
    let mut request = Request::post(uri.path_and_query().map_or("/", |target| target.as_str()))
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())?;
    *request.headers_mut() = headers;
    // Credentials in a URL are not part of the host.
    let host_header = authority.port().map_or_else(
        || authority.host().to_owned(),
        |p| format!("{}:{p}", authority.host()),
    );
    request.headers_mut().insert(
        HOST,
        HeaderValue::try_from(host_header).map_err(|error| error.to_string())?,
    );
    // To the checked addresses: a second lookup could return others.
    let stream = TcpStream::connect(addresses.as_slice())
        .await
        .map_err(|error| format!("no connection: {error}"))?;
    if encrypted {
        exchange(tls::wrap(stream, &host).await?, request).await
    } else {
        exchange(stream, request).await
    }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<ReceiverResponse, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let mut connection_task = JoinSet::new();
    connection_task.spawn(connection);
    let reply = sender
        .send_request(request)
        .await
        .map_err(|error| format!("no answer: {error}"))?;
    Ok(ReceiverResponse {
        status: reply.status().as_u16(),
        body: reply.into_body(),
        _connection: connection_task,
    })
}

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let addresses = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| format!("{host} cannot be resolved: {error}"))?;
    Ok(addresses.collect())
}

fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
        }
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
        }
    }
}

#[cfg(feature = "https-webhooks")]
mod tls {
    use std::sync::Arc;

    use rustls_platform_verifier::BuilderVerifierExt;
    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream;
    use tokio_rustls::rustls::{ClientConfig, crypto::ring, pki_types::ServerName};

    pub(super) async fn wrap(
        stream: TcpStream,
        host: &str,
    ) -> Result<TlsStream<TcpStream>, String> {
        // With an explicit provider, since other crates may leave the process without a default one.
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(BuilderVerifierExt::with_platform_verifier)
            .map_err(|error| format!("TLS cannot be set up: {error}"))?
            .with_no_client_auth();
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .map_err(|error| format!("no TLS: {error}"))
    }
}

#[cfg(not(feature = "https-webhooks"))]
mod tls {
    use tokio::net::TcpStream;

    #[expect(
        clippy::unused_async,
        reason = "the same signature as with the feature"
    )]
    pub(super) async fn wrap(_stream: TcpStream, _host: &str) -> Result<TcpStream, String> {
        Err(
            "this build sends webhooks over plain http only; the feature https-webhooks adds https"
                .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhook_private_addresses_are_recognized() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "169.254.1.1",
            "::1",
            "fd00::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(
                is_private(private.parse().expect("an address")),
                "{private}"
            );
        }
        for public in ["93.184.216.34", "2606:2800:220:1::1"] {
            assert!(!is_private(public.parse().expect("an address")), "{public}");
        }
    }
}
