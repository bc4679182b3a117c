//! Taking a secret out of what the service says: some gateways put the key that they refuse into the refusal, and an
//! error's text goes into logs.

use bytes::Bytes;
use memchr::memmem;

/// What stands in its place.
const PLACEHOLDER: &[u8] = b"[key]";
/// Anything shorter is found in words that mean something else, and is nobody's real key.
const SHORTEST: usize = 8;

/// The text without the secret; nothing where it is not in it.
pub(crate) fn without(text: &[u8], secret: &str) -> Option<Bytes> {
    let secret = secret.as_bytes();
    if secret.len() < SHORTEST {
        return None;
    }
    let mut rest = text;
    let mut clean = Vec::new();
    while let Some(place) = memmem::find(rest, secret) {
        let (before, found) = rest.split_at(place);
        clean.extend_from_slice(before);
        clean.extend_from_slice(PLACEHOLDER);
        rest = found.get(secret.len()..).unwrap_or_default();
    }
    (!clean.is_empty()).then(|| {
        clean.extend_from_slice(rest);
        clean.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_taken_out_wherever_it_stands() {
        let key = "llx-1234";
        for (text, clean) in [
            ("llx-1234", Some("[key]")),
            ("no llx-1234, nor llx-1234!", Some("no [key], nor [key]!")),
            ("llx-123", None),
            ("", None),
        ] {
            assert_eq!(
                without(text.as_bytes(), key).as_deref(),
                clean.map(str::as_bytes)
            );
        }
        // Bytes that are no text stay as they are.
        let found = without(b"\xff llx-1234 \xfe", key);
        assert_eq!(found.as_deref(), Some(&b"\xff [key] \xfe"[..]));
        assert_eq!(without(b"an answer", "an"), None);
        assert_eq!(without(b"an answer", ""), None);
    }
}
