//! The CA certificates of `--ca-cert` and `SSL_CERT_FILE`.

use std::fs;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use ureq::tls::{Certificate, PemItem, parse_pem};

use crate::args::global::GlobalArgs;
use crate::error::CliError;
use classify_rules::text_encoding::decode_ascii;

/// The maximum size of a file of certificates.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Returns the file, and the flag or variable that names it.
pub(super) fn ca_file(global: &GlobalArgs) -> Option<(PathBuf, &'static str)> {
    let from_flag = global.ca_cert.clone().map(|path| (path, "--ca-cert"));
    from_flag.or_else(|| {
        let path = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty())?;
        Some((path.into(), "SSL_CERT_FILE"))
    })
}

/// Reads the certificates of a file in PEM or DER. `source` is the flag or variable that names it.
pub(super) fn read_certificates(
    path: &Path,
    source: &str,
) -> Result<Vec<Certificate<'static>>, CliError> {
    let path_text = path.display();
    let bytes = fs::metadata(path)
        .and_then(|metadata| {
            if metadata.len() > MAX_FILE_BYTES {
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
    let invalid = |(problem, remedy): Problem| {
        CliError::usage(format!("{source}: {path_text} {problem}")).hint(remedy)
    };
    parse(&bytes).map_err(invalid)
}

/// A problem of a file, and its remedy.
type Problem = (String, &'static str);

const PEM_LINES: &str = "expected lines that begin with -----BEGIN CERTIFICATE-----";
const EXPORT: &str =
    "export only the certificate of the authority, in PEM (\"Base-64 encoded X.509\") or DER";

fn parse(bytes: &[u8]) -> Result<Vec<Certificate<'static>>, Problem> {
    match der_content(bytes) {
        Some(DerContent::Certificate) => {
            let certificate = Certificate::from_der(bytes).to_owned();
            check(&certificate, 1)?;
            return Ok(vec![certificate]);
        }
        Some(DerContent::Pkcs7) => {
            return Err(("is a PKCS #7 file, not a certificate".to_owned(), EXPORT));
        }
        Some(DerContent::Pkcs12) => {
            return Err((
                "is a PKCS #12 file with a private key, not a certificate".to_owned(),
                EXPORT,
            ));
        }
        None => {}
    }
    let text = decode_ascii(bytes).map_err(|_| ("is neither PEM nor DER".to_owned(), EXPORT))?;
    let mut certificates = Vec::new();
    let mut has_key = false;
    for item in parse_pem(text.as_bytes()) {
        match item {
            Ok(PemItem::Certificate(certificate)) => {
                check(&certificate, certificates.len() + 1)?;
                certificates.push(certificate);
            }
            Ok(_) => has_key = true,
            Err(error) => return Err((format!("is not in PEM: {error}"), PEM_LINES)),
        }
    }
    if !certificates.is_empty() {
        return Ok(certificates);
    }
    let problem = if has_key {
        "contains a private key but no certificate"
    } else if text.contains("-----BEGIN PKCS7-----") {
        return Err(("is a PKCS #7 file, not a certificate".to_owned(), EXPORT));
    } else {
        "contains no certificate"
    };
    Err((problem.to_owned(), PEM_LINES))
}

/// Rejects a certificate that would be ignored without an error when a connection is made.
fn check(certificate: &Certificate<'_>, number: usize) -> Result<(), Problem> {
    let der = rustls::pki_types::CertificateDer::from(certificate.der());
    RootCertStore::empty().add(der).map_err(|error| {
        (
            format!("has an invalid certificate, number {number}: {error}"),
            EXPORT,
        )
    })
}

/// The content of a binary file.
enum DerContent {
    Certificate,
    Pkcs7,
    Pkcs12,
}

/// Distinguishes binary files, each of which is a DER sequence, by the first element.
fn der_content(bytes: &[u8]) -> Option<DerContent> {
    let [0x30, length, rest @ ..] = bytes else {
        return None;
    };
    // A length of more than 127 bytes is written in as many bytes as the low bits say.
    let length_bytes = match length {
        0x81..=0x84 => usize::from(length & 0x7f),
        _ => 0,
    };
    match rest.get(length_bytes)? {
        0x30 => Some(DerContent::Certificate),
        0x06 => Some(DerContent::Pkcs7),
        0x02 => Some(DerContent::Pkcs12),
        _ => None,
    }
}
