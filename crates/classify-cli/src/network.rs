//! The way to the service: certificates, proxies, and the log of `--debug`.
//!
//! The operating system's trust store and the usual proxy variables count without any of this. An agent of our own is
//! made only where something else is asked for.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use classify_proto::{Api, Proxy};
use ureq::Agent;
use ureq::middleware::{Middleware, MiddlewareNext};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::args::Global;
use crate::exit::Problem;
use crate::output::printable;

/// A bundle of certificates is smaller.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The proxy on the way to the service, by the environment.
pub(crate) fn proxy(api: &Api) -> Result<Option<Proxy>, Problem> {
    Proxy::from_lookup(api, |name| std::env::var(name).ok())
        .map_err(|error| Problem::usage(error.to_string()).hint("unset it to go without a proxy"))
}

/// The agent that the flags ask for; `None` where the client's own will do.
pub(crate) fn agent(global: &Global, proxy: Option<&Proxy>) -> Result<Option<Agent>, Problem> {
    if bundle(global).is_none() && !global.debug {
        return Ok(None);
    }
    make(global, proxy).map(Some)
}

/// An agent as the flags ask for it.
pub(crate) fn make(global: &Global, proxy: Option<&Proxy>) -> Result<Agent, Problem> {
    let roots = match bundle(global) {
        Some((path, from)) => RootCerts::new_with_certs(&certificates(&path, from)?),
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
        // Its error does not repeat the URL, which may hold a password.
        .proxy(proxy.map_err(|error| Problem::usage(error.to_string()))?)
        .tls_config(tls);
    if global.debug {
        config = config.middleware(Log::default());
    }
    Ok(config.build().into())
}

/// The file of certificates, and who named it.
fn bundle(global: &Global) -> Option<(PathBuf, &'static str)> {
    let named = global.ca_cert.clone().map(|path| (path, "--ca-cert"));
    named.or_else(|| {
        let path = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty())?;
        Some((path.into(), "SSL_CERT_FILE"))
    })
}

fn certificates(path: &Path, from: &str) -> Result<Vec<Certificate<'static>>, Problem> {
    let shown = path.display();
    let found = fs::metadata(path)
        .and_then(|found| {
            if found.len() > LARGEST {
                Err(std::io::Error::other(
                    "it is far too large for certificates",
                ))
            } else {
                fs::read(path)
            }
        })
        .map_err(|error| Problem::usage(format!("{from}: {shown} cannot be read: {error}")))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&found) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(error) => {
                return Err(Problem::usage(format!(
                    "{from}: {shown} is not in PEM: {error}"
                )));
            }
        }
    }
    if certificates.is_empty() {
        return Err(
            Problem::usage(format!("{from}: {shown} holds no certificate"))
                .hint("it should have lines that begin with -----BEGIN CERTIFICATE-----"),
        );
    }
    Ok(certificates)
}

/// What to do about a server's certificate that was refused, going by what is said of it: neither the core nor the
/// driver has a kind of its own for it.
pub(crate) fn remedy(message: &str) -> Option<&'static str> {
    let message = message.to_ascii_lowercase();
    if !message.contains("certificate") {
        None
    } else if message.contains("not valid for name") {
        Some(
            "the server's certificate is for another name: check --base-url and LLAMA_CLOUD_BASE_URL, and the proxy",
        )
    } else if message.contains("expired") || message.contains("not valid yet") {
        Some("the server's certificate is out of date, or this machine's clock is wrong")
    } else {
        Some(
            "a proxy of your company may sign with its own authority: give it with --ca-cert FILE or SSL_CERT_FILE",
        )
    }
}

/// Logs what an attempt was and how it ended. Only what is listed here is written: a new header, a query or a body
/// cannot slip in.
#[derive(Default)]
struct Log {
    /// The attempts in a row that failed, by method and path.
    failed: Mutex<HashMap<String, u32>>,
}

impl Middleware for Log {
    fn handle(
        &self,
        request: ureq::http::Request<ureq::SendBody<'_>>,
        next: MiddlewareNext<'_>,
    ) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        let what = format!("{} {}", request.method(), request.uri().path());
        let begun = Instant::now();
        let answer = next.handle(request);
        let time = begun.elapsed().as_millis();
        let (status, is_good) = match &answer {
            Ok(response) => (
                response.status().as_u16().to_string(),
                response.status().is_success(),
            ),
            Err(error) => (format!("no answer ({})", kind(error)), false),
        };
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let before = failed.get(&what).copied().unwrap_or(0);
        if is_good {
            failed.remove(&what);
        } else {
            failed.insert(what.clone(), before + 1);
        }
        drop(failed);
        crate::console::say(&printable(&format!(
            "debug: {what} -> {status}, attempt {}, {time} ms",
            before + 1
        )));
        answer
    }
}

/// The kind of a failure, in a word: its text could hold anything.
fn kind(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::Timeout(_) => "time ran out",
        ureq::Error::HostNotFound => "the host is not known",
        ureq::Error::ConnectionFailed => "no connection",
        ureq::Error::Io(_) => "the connection broke",
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::Pem(_) => "TLS",
        ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => "the proxy",
        _ => "other",
    }
}
