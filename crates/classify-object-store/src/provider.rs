//! Opens the store of a bucket, as the environment configures it.

use std::sync::Arc;

use classify_proto::Failure;
use object_store::ObjectStore;

#[cfg(feature = "_http")]
use crate::error;
use crate::object_url::{ObjectUrl, Scheme};

/// Opens the store of a bucket. Sends no request.
pub(crate) fn open(bucket: &ObjectUrl) -> Result<Arc<dyn ObjectStore>, Failure> {
    // A provider's builder takes its variables from the environment, and the bucket from the URL.
    #[cfg(feature = "_http")]
    macro_rules! build {
        ($builder:ty) => {
            <$builder>::from_env()
                .with_url(bucket.to_string())
                .with_retry(http::retries())
                .with_http_connector(http::Connector)
                .build()
                .map(|store| Arc::new(store) as Arc<dyn ObjectStore>)
                .map_err(|error| error::failure(bucket, &error))
        };
    }
    match bucket.scheme() {
        #[cfg(feature = "aws")]
        Scheme::S3 => build!(object_store::aws::AmazonS3Builder),
        #[cfg(feature = "gcp")]
        Scheme::Gs => build!(object_store::gcp::GoogleCloudStorageBuilder),
        #[cfg(feature = "azure")]
        Scheme::Az => build!(object_store::azure::MicrosoftAzureBuilder),
        #[cfg(not(all(feature = "aws", feature = "gcp", feature = "azure")))]
        other => Err(missing(bucket, other)),
    }
}

#[cfg(not(all(feature = "aws", feature = "gcp", feature = "azure")))]
fn missing(bucket: &ObjectUrl, scheme: Scheme) -> Failure {
    let feature = match scheme {
        Scheme::S3 => "aws",
        Scheme::Gs => "gcp",
        Scheme::Az => "azure",
    };
    let scheme = scheme.as_str();
    let message = format!(
        "{bucket}: this build cannot read {scheme}:// URLs; enable the feature {feature} of classify-object-store"
    );
    Failure::content(message)
        .with_io_kind(std::io::ErrorKind::Unsupported)
        .source_lost(true)
}

#[cfg(feature = "_http")]
mod http {
    use std::sync::Arc;
    use std::time::Duration;

    use object_store::client::{ClientConfigKey, HttpClient, HttpConnector};
    use object_store::{ClientOptions, RetryConfig};
    use rustls_platform_verifier::BuilderVerifierExt as _;

    /// A read that receives nothing for this long has failed. While nobody takes what was received, time does not count.
    const READ_TIMEOUT: Duration = Duration::from_secs(30);
    const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
    /// For the credentials of an instance, which other machines do not have.
    const METADATA_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

    /// Fewer retries than by default, so that a wrong endpoint is reported within a minute.
    pub(super) fn retries() -> RetryConfig {
        RetryConfig {
            max_retries: 4,
            retry_timeout: Duration::from_secs(60),
            ..RetryConfig::default()
        }
    }

    /// Connects with the system's certificates. The connector of `object_store` would need a process-wide TLS provider,
    /// and would limit the time of a whole download.
    #[derive(Debug)]
    pub(super) struct Connector;

    impl HttpConnector for Connector {
        fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
            let option = |key: ClientConfigKey| options.get_config_value(&key);
            let allows_http = option(ClientConfigKey::AllowHttp).as_deref() == Some("true");
            let is_metadata = option(ClientConfigKey::ConnectTimeout).as_deref() == Some("1s");
            let provider = rustls::crypto::ring::default_provider();
            let tls = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
                .with_safe_default_protocol_versions()
                .and_then(rustls::ConfigBuilder::with_platform_verifier)
                .map_err(generic)?
                .with_no_client_auth();
            let mut builder = reqwest::Client::builder()
                .tls_backend_preconfigured(tls)
                .https_only(!allows_http)
                // The bytes of an object are its content, also if its metadata says that they are compressed. Another
                // crate of the program may have enabled these features of reqwest.
                .no_gzip()
                .no_brotli()
                .no_zstd()
                .no_deflate()
                .user_agent(concat!("classify-object-store/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(if is_metadata {
                    METADATA_CONNECT_TIMEOUT
                } else {
                    CONNECT_TIMEOUT
                })
                .read_timeout(READ_TIMEOUT);
            if let Some(proxy) = option(ClientConfigKey::ProxyUrl) {
                builder = builder.proxy(reqwest::Proxy::all(proxy).map_err(generic)?);
            }
            Ok(HttpClient::new(builder.build().map_err(generic)?))
        }
    }

    fn generic(error: impl std::error::Error + Send + Sync + 'static) -> object_store::Error {
        object_store::Error::Generic {
            store: "HTTP client",
            source: Box::new(error),
        }
    }
}

#[cfg(all(test, feature = "aws"))]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use object_store::aws::AmazonS3Builder;

    use super::http::{Connector, retries};
    use crate::Stores;

    #[test]
    fn object_with_content_encoding_is_read_as_it_is_stored() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                socket.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\ncontent-encoding: gzip\r\netag: \"a\"\r\n\
                        last-modified: Mon, 30 Nov 2026 00:00:00 GMT\r\nconnection: close\r\n\r\n";
            socket.write_all(head.as_bytes()).unwrap();
            socket.write_all(b"content").unwrap();
            String::from_utf8(request).unwrap().to_ascii_lowercase()
        });
        let store = AmazonS3Builder::new()
            .with_bucket_name("bucket")
            .with_endpoint(endpoint)
            .with_allow_http(true)
            .with_access_key_id("id")
            .with_secret_access_key("key")
            .with_retry(retries())
            .with_http_connector(Connector)
            .build()
            .unwrap();
        let url = "s3://bucket/a.txt.gz".parse().unwrap();
        let stores = Stores::from_env()
            .unwrap()
            .with_store(&url, std::sync::Arc::new(store));
        let document = stores.object(&url).unwrap().document().hash().unwrap();
        let expected = classify_proto::machine::ContentKey::of(b"content");
        assert_eq!(document.key(), expected);
        let request = server.join().unwrap();
        assert!(request.starts_with("get /bucket/a.txt.gz "), "{request}");
        assert!(!request.contains("accept-encoding"), "{request}");
    }
}
