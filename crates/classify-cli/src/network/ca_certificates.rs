//! The CA certificates of `--ca-cert` and `SSL_CERT_FILE`.

use std::fs;
use std::path::{Path, PathBuf};

use ureq::tls::{Certificate, PemItem, parse_pem};

use crate::args::global::GlobalArgs;
use crate::error::CliError;

/// The maximum size of a PEM file.
const MAX_PEM_BYTES: u64 = 16 * 1024 * 1024;

/// Returns the PEM file, and the flag or variable that names it.
pub(super) fn ca_file(global: &GlobalArgs) -> Option<(PathBuf, &'static str)> {
    let from_flag = global.ca_cert.clone().map(|path| (path, "--ca-cert"));
    from_flag.or_else(|| {
        let path = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty())?;
        Some((path.into(), "SSL_CERT_FILE"))
    })
}

/// Reads the certificates of a PEM file. `source` is the flag or variable that names it.
pub(super) fn read_certificates(
    path: &Path,
    source: &str,
) -> Result<Vec<Certificate<'static>>, CliError> {
    let path_text = path.display();
    let pem = fs::metadata(path)
        .and_then(|metadata| {
            if metadata.len() > MAX_PEM_BYTES {
                Err(std::io::Error::other(
                    "the file is too large for certificates",
                ))
            } else {
                fs::read(path)
            }
        })
        .map_err(|error| {
            CliError::usage(format!("{source}: {path_text} cannot be read: {error}"))
                .path_hint(path)
        })?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(error) => {
                return Err(CliError::usage(format!(
                    "{source}: {path_text} is not in PEM: {error}"
                )));
            }
        }
    }
    if certificates.is_empty() {
        return Err(
            CliError::usage(format!("{source}: {path_text} contains no certificate"))
                .hint("expected lines that begin with -----BEGIN CERTIFICATE-----"),
        );
    }
    Ok(certificates)
}
