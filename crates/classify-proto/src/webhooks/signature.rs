//! Signatures of deliveries.

use std::fmt::{self, Write as _};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::secret::Secret;

/// Name of the header that contains a delivery's signature.
pub const SIGNATURE_HEADER: &str = "lc-signature";

/// Number of bytes of an HMAC-SHA256.
const DIGEST: usize = 32;

/// The reason why a signature is not valid.
///
/// It is meant for the receiver's own log. Tell the sender only that the verification failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureError {
    /// There is no signature header.
    Missing,
    /// The header is not `<algorithm>=<hexadecimal digits>` with the number of digits that the algorithm has.
    Malformed,
    /// The signature uses another algorithm than SHA-256.
    WrongAlgorithm,
    /// None of the secrets gives this signature for this body.
    Mismatch,
    /// The signature is valid only without the last line break of the body or of the secret: an editor or `echo` has
    /// added one. The delivery is rejected all the same.
    ExtraLineBreak {
        /// Whether the body has an extra line break.
        body: bool,
        /// Whether the secret has an extra line break.
        secret: bool,
    },
    /// There is no secret: none was given, or all are empty or missing because they were loaded from a saved state.
    NoSecret,
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "the delivery has no LC-Signature header",
            Self::Malformed => "the LC-Signature header is not sha256=<64 hexadecimal digits>",
            Self::WrongAlgorithm => "the LC-Signature header uses another algorithm than sha256",
            Self::Mismatch => "none of the secrets gives this signature for this body",
            Self::ExtraLineBreak { body, secret } => match (body, secret) {
                (true, false) => "the signature is valid only without the last line break of the body",
                (false, _) => "the signature is valid only without the last line break of the secret",
                (true, true) => {
                    "the signature is valid only without the last line break of the body and that of the secret"
                }
            },
            Self::NoSecret => "there is no secret to check the signature with",
        })
    }
}

impl std::error::Error for SignatureError {}

/// Verifies the signature of a delivery. `header` is the value of the `LC-Signature` header, `sha256=<hex>`.
///
/// `raw_body` is the body byte for byte; JSON that was parsed and serialized again has another signature. The signature
/// is valid if any of the secrets gives it: pass the old and the new one while rotating a secret. The comparison takes
/// constant time, and all secrets are tried.
///
/// Signatures do not expire: see [the module](super) about replay.
///
/// ```
/// use classify_proto::Secret;
/// use classify_proto::webhooks::{SignatureError, verify};
///
/// let secrets = [Secret::new("whsec_new"), Secret::new("whsec_old")];
/// let body = br#""{\"event_type\": \"classify.error\"}""#;
/// let header = b"sha256=8b6ab78dcee5e0c2c19e8a49da268193ad6a1e973c5c2749d3e7b4be7bb603ac";
/// verify(body, Some(header), &secrets)?;
/// assert_eq!(verify(b"another body", Some(header), &secrets), Err(SignatureError::Mismatch));
/// # Ok::<(), SignatureError>(())
/// ```
///
/// # Errors
///
/// A [`SignatureError`] with the reason.
pub fn verify(
    raw_body: &[u8],
    header: Option<&[u8]>,
    secrets: &[Secret],
) -> Result<(), SignatureError> {
    let header = header.ok_or(SignatureError::Missing)?.trim_ascii();
    if header.is_empty() {
        return Err(SignatureError::Missing);
    }
    let given = read(header)?;
    // Anybody can sign with an empty secret.
    let secrets: Vec<&[u8]> = secrets
        .iter()
        .filter_map(Secret::expose_secret)
        .map(str::as_bytes)
        .filter(|secret| !secret.is_empty())
        .collect();
    if secrets.is_empty() {
        return Err(SignatureError::NoSecret);
    }
    if fits_any(raw_body, &given, secrets.iter().copied()) {
        return Ok(());
    }
    // The reason is only determined after the delivery is rejected.
    let shorter_body = without_line_break(raw_body);
    let shorter_secrets = || {
        secrets
            .iter()
            .filter_map(|secret| without_line_break(secret))
    };
    let extra = |body, secret| Err(SignatureError::ExtraLineBreak { body, secret });
    if fits_any(raw_body, &given, shorter_secrets()) {
        return extra(false, true);
    }
    if let Some(body) = shorter_body {
        if fits_any(body, &given, secrets.iter().copied()) {
            return extra(true, false);
        }
        if fits_any(body, &given, shorter_secrets()) {
            return extra(true, true);
        }
    }
    Err(SignatureError::Mismatch)
}

/// Whether any of the secrets gives the signature. Tries all of them, for constant time.
fn fits_any<'a>(
    body: &[u8],
    given: &[u8; DIGEST],
    secrets: impl Iterator<Item = &'a [u8]>,
) -> bool {
    let mut fits = false;
    for secret in secrets {
        // HMAC takes keys of any length, so this never fails.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else {
            continue;
        };
        mac.update(body);
        fits |= mac.verify_slice(given).is_ok();
    }
    fits
}

/// The text without its last line break; `None` if it does not end with one, or would be empty.
fn without_line_break(text: &[u8]) -> Option<&[u8]> {
    let shorter = text
        .strip_suffix(b"\r\n")
        .or_else(|| text.strip_suffix(b"\n"))
        .or_else(|| text.strip_suffix(b"\r"))?;
    (!shorter.is_empty()).then_some(shorter)
}

/// Returns the value of the `LC-Signature` header for a body, for tests that play the service.
///
/// ```
/// use classify_proto::Secret;
/// use classify_proto::webhooks::{sign, verify};
///
/// let secret = Secret::new("whsec_test");
/// let header = sign(b"a body", &secret)?;
/// verify(b"a body", Some(header.as_bytes()), &[secret])?;
/// # Ok::<(), classify_proto::webhooks::SignatureError>(())
/// ```
///
/// # Errors
///
/// [`SignatureError::NoSecret`] if the secret is empty or missing because it was loaded from a saved state.
pub fn sign(raw_body: &[u8], secret: &Secret) -> Result<String, SignatureError> {
    let secret = secret.expose_secret().filter(|secret| !secret.is_empty());
    let secret = secret.ok_or(SignatureError::NoSecret)?;
    // HMAC takes keys of any length, so this never fails.
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|_| SignatureError::NoSecret)?;
    mac.update(raw_body);
    let mut header = "sha256=".to_owned();
    for byte in mac.finalize().into_bytes() {
        // Writing to a String cannot fail.
        let _ = write!(header, "{byte:02x}");
    }
    Ok(header)
}

/// Parses the digest in a header. It is not secret, so the time that parsing takes may depend on it.
fn read(header: &[u8]) -> Result<[u8; DIGEST], SignatureError> {
    let split = header
        .iter()
        .position(|byte| *byte == b'=')
        .ok_or(SignatureError::Malformed)?;
    let (algorithm, digits) = (&header[..split], &header[split + 1..]);
    if !algorithm.eq_ignore_ascii_case(b"sha256") {
        return Err(if algorithm.is_empty() {
            SignatureError::Malformed
        } else {
            SignatureError::WrongAlgorithm
        });
    }
    let mut digest = [0; DIGEST];
    if digits.len() != 2 * DIGEST {
        return Err(SignatureError::Malformed);
    }
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
    }
    Ok(digest)
}

fn digit(byte: u8) -> Result<u8, SignatureError> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        b'A'..=b'F' => Ok(byte - b'A' + 10),
        _ => Err(SignatureError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sign_returns_header_of_other_implementations() {
        assert_eq!(sign(BODY, &Secret::new(SECRET)).as_deref(), Ok(HEADER));
        assert_eq!(sign(BODY, &Secret::new("")), Err(SignatureError::NoSecret));
    }

    const BODY: &[u8] = br#"{"event_id":"3f0c","event_type":"classify.success","timestamp":1577470279.117,"data":{"job_id":"clj-1"}}"#;
    const SECRET: &str = "whsec_rotate-me";
    /// The signature of the body with the secret, from Python's `hmac`, like all digests here.
    const HEADER: &str = "sha256=3e04511313c822582b511a55da13f48b733596efbaee81301165ec49e0c64f6c";

    fn check(body: &[u8], header: &str, secrets: &[&str]) -> Result<(), SignatureError> {
        let secrets: Vec<_> = secrets.iter().map(|text| Secret::new(*text)).collect();
        verify(body, Some(header.as_bytes()), &secrets)
    }

    fn extra(body: bool, secret: bool) -> SignatureError {
        SignatureError::ExtraLineBreak { body, secret }
    }

    #[test]
    fn webhook_signature_with_extra_line_break_is_refused_and_named() {
        for end in ["\n", "\r\n", "\r"] {
            let body = [BODY, end.as_bytes()].concat();
            let secret = SECRET.to_owned() + end;
            let other = "whsec_other";
            assert_eq!(
                check(&body, HEADER, &[other, SECRET]),
                Err(extra(true, false))
            );
            assert_eq!(
                check(BODY, HEADER, &[&secret, other]),
                Err(extra(false, true))
            );
            assert_eq!(check(&body, HEADER, &[&secret]), Err(extra(true, true)));
            // The correct secret is enough, beside one with a line break.
            assert_eq!(check(BODY, HEADER, &[&secret, SECRET]), Ok(()));
            assert_eq!(
                check(&body, HEADER, &[other]),
                Err(SignatureError::Mismatch)
            );
            // More than one, one at the beginning, and a body that was signed with one.
            let more = [&body, end.as_bytes()].concat();
            assert_eq!(
                check(&more, HEADER, &[SECRET]),
                Err(SignatureError::Mismatch)
            );
            let first = [end.as_bytes(), BODY].concat();
            assert_eq!(
                check(&first, HEADER, &[SECRET]),
                Err(SignatureError::Mismatch)
            );
            let signed = sign(&body, &Secret::new(SECRET)).unwrap();
            assert_eq!(check(&body, &signed, &[SECRET]), Ok(()));
            assert_eq!(
                check(BODY, &signed, &[SECRET]),
                Err(SignatureError::Mismatch)
            );
            assert_eq!(check(BODY, HEADER, &[end]), Err(SignatureError::Mismatch));
        }
    }

    #[test]
    fn webhook_signature_error_messages_are_distinct() {
        let reasons = [
            SignatureError::Missing,
            SignatureError::Malformed,
            SignatureError::WrongAlgorithm,
            SignatureError::Mismatch,
            SignatureError::NoSecret,
            extra(true, false),
            extra(false, true),
            extra(true, true),
        ];
        let words: std::collections::BTreeSet<_> = reasons.map(|why| why.to_string()).into();
        assert_eq!(words.len(), reasons.len());
        assert!(words.iter().all(|words| words.contains(' ')));
    }

    #[test]
    fn webhook_signature_made_by_python_verifies() {
        let bytes: Vec<u8> = (0..=255).collect();
        let long = "k".repeat(100);
        for (secret, body, digest) in [
            (
                SECRET,
                BODY,
                "3e04511313c822582b511a55da13f48b733596efbaee81301165ec49e0c64f6c",
            ),
            (
                "clé secrète ✓",
                b"",
                "b3a9c80aa504e327cbdada34849c5f83e518e7cda1b22c69ad5b180a81596c46",
            ),
            (
                &long,
                &bytes,
                "8d122ff30588a023f0a5eddb0d2f237d150dd0a5c39aea336ca452067d4efe69",
            ),
            (
                "whsec_old",
                br#""{\"event_type\": \"classify.error\"}""#,
                "8b6ab78dcee5e0c2c19e8a49da268193ad6a1e973c5c2749d3e7b4be7bb603ac",
            ),
        ] {
            for header in [
                format!("sha256={digest}"),
                format!("SHA256={}", digest.to_uppercase()),
                format!(" sha256={digest} "),
            ] {
                assert_eq!(check(body, &header, &[secret]), Ok(()), "{header}");
            }
        }
    }

    #[test]
    fn webhook_signature_verifies_with_any_of_several_secrets() {
        for secrets in [
            &[SECRET, "old"][..],
            &["new", SECRET],
            &["", SECRET],
            &[SECRET, SECRET],
        ] {
            assert_eq!(check(BODY, HEADER, secrets), Ok(()));
        }
        assert_eq!(
            check(BODY, HEADER, &["new", "old"]),
            Err(SignatureError::Mismatch)
        );
    }

    #[test]
    fn webhook_signature_errors_by_cause() {
        let secrets = [Secret::new(SECRET)];
        for header in [None, Some(&b""[..]), Some(b"  ")] {
            assert_eq!(verify(BODY, header, &secrets), Err(SignatureError::Missing));
        }
        let digits = &HEADER[7..];
        for (header, reason) in [
            (digits.to_owned(), SignatureError::Malformed),
            (format!("={digits}"), SignatureError::Malformed),
            (
                format!("sha256={}", &digits[1..]),
                SignatureError::Malformed,
            ),
            (format!("sha256={digits}0"), SignatureError::Malformed),
            (
                format!("sha256={}g", &digits[1..]),
                SignatureError::Malformed,
            ),
            ("sha256=".to_owned(), SignatureError::Malformed),
            (format!("sha1={digits}"), SignatureError::WrongAlgorithm),
            (format!("sha512={digits}"), SignatureError::WrongAlgorithm),
            (
                format!("sha256={}", "0".repeat(64)),
                SignatureError::Mismatch,
            ),
        ] {
            assert_eq!(check(BODY, &header, &[SECRET]), Err(reason), "{header}");
        }
        let omitted: Secret =
            serde_json::from_str(&serde_json::to_string(&Secret::new(SECRET)).unwrap()).unwrap();
        for secrets in [&[][..], &[Secret::new("")], &[omitted]] {
            assert_eq!(
                verify(BODY, Some(HEADER.as_bytes()), secrets),
                Err(SignatureError::NoSecret)
            );
        }
    }

    #[test]
    fn webhook_signature_with_empty_secret_is_rejected() {
        // hmac.new(b"", b"", sha256)
        let header = "sha256=b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
        assert_eq!(check(b"", header, &[""]), Err(SignatureError::NoSecret));
    }

    #[test]
    fn webhook_signature_rejects_any_flipped_bit() {
        let secrets = [Secret::new(SECRET)];
        let flips = |text: &[u8]| {
            let text = text.to_vec();
            (0..text.len() * 8).map(move |bit| {
                let mut flipped = text.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                flipped
            })
        };
        for body in flips(BODY) {
            assert!(verify(&body, Some(HEADER.as_bytes()), &secrets).is_err());
        }
        for header in flips(HEADER.as_bytes()) {
            // Upper case is the same digest.
            if header.eq_ignore_ascii_case(HEADER.as_bytes()) {
                continue;
            }
            assert!(verify(BODY, Some(&header), &secrets).is_err());
        }
        for secret in flips(SECRET.as_bytes()) {
            if let Ok(secret) = String::from_utf8(secret) {
                assert!(check(BODY, HEADER, &[&secret]).is_err());
            }
        }
    }

    #[test]
    fn webhook_signature_rejects_any_other_digest() {
        let digest = read(HEADER.as_bytes()).unwrap();
        for bit in 0..DIGEST * 8 {
            let mut flipped = digest;
            flipped[bit / 8] ^= 1 << (bit % 8);
            let mut header = "sha256=".to_owned();
            for byte in flipped {
                write!(header, "{byte:02x}").unwrap();
            }
            assert_eq!(
                check(BODY, &header, &[SECRET]),
                Err(SignatureError::Mismatch)
            );
        }
    }

    proptest! {
        #[test]
        fn webhook_signature_verify_of_any_bytes_is_an_error(body in proptest::collection::vec(any::<u8>(), 0..100), header in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..100)), secret in ".{0,20}") {
            prop_assert!(verify(&body, header.as_deref(), &[Secret::new(secret)]).is_err());
        }

        #[test]
        fn webhook_signature_verify_of_any_plausible_header_is_an_error(header in "(sha256|sha1|SHA256)?=?[0-9a-fA-F]{60,68}") {
            prop_assert!(check(BODY, &header, &[SECRET]).is_err());
        }
    }
}
