//! Redacts secrets in responses: some gateways repeat the key in their error message, and errors are logged.

use bytes::Bytes;
use memchr::memmem;
use serde_json::Value;

use crate::secret::REDACTED;

/// The replacement of a secret.
const PLACEHOLDER: &[u8] = REDACTED.as_bytes();
/// Shorter texts occur as part of other text, and are not real keys.
const MIN_SECRET_BYTES: usize = 8;

/// Redacts these values in an error response: as a whole, and without a scheme such as `Bearer`.
pub(crate) fn redact_response(
    response: &mut http::Response<Bytes>,
    values: impl IntoIterator<Item: AsRef<str>>,
) {
    if response.status().is_success() {
        return;
    }
    for value in values {
        let value = value.as_ref();
        redact_one(response, value);
        // JSON escapes quotation marks, backslashes and control characters.
        if value.contains(|c: char| c.is_control() || matches!(c, '"' | '\\')) {
            let quoted = Value::from(value).to_string();
            redact_one(
                response,
                quoted.get(1..quoted.len() - 1).unwrap_or_default(),
            );
        }
    }
}

fn redact_one(response: &mut http::Response<Bytes>, secret: &str) {
    let without_scheme = secret.split_once(' ').map(|(_, rest)| rest.trim_start());
    if let Some(rest) = without_scheme.filter(|rest| rest.len() >= MIN_SECRET_BYTES) {
        // If the part without the scheme does not occur, the whole does not either.
        if memmem::find(response.body(), rest.as_bytes()).is_none() {
            return;
        }
    }
    for form in [Some(secret), without_scheme].into_iter().flatten() {
        if let Some(clean) = redact_text(response.body(), form) {
            *response.body_mut() = clean;
        }
    }
}

/// The secrets in a JSON body of unknown meaning, found by the names of their fields.
pub(crate) fn secrets_in<'a>(fields: impl Iterator<Item = (&'a String, &'a Value)>) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest: Vec<(bool, &Value)> = Vec::new();
    let is_secret = |name: &str| matches!(name, "webhook_signing_secret" | "webhook_headers");
    rest.extend(fields.map(|(name, value)| (is_secret(name), value)));
    while let Some((secret, value)) = rest.pop() {
        match value {
            Value::String(text) if secret => found.push(text.clone()),
            Value::Array(items) => rest.extend(items.iter().map(|item| (secret, item))),
            Value::Object(fields) => {
                let fields = fields.iter();
                rest.extend(fields.map(|(name, value)| (secret || is_secret(name), value)));
            }
            _ => {}
        }
    }
    found
}

/// The text without the secret; `None` if it does not contain it.
pub(crate) fn redact_text(text: &[u8], secret: &str) -> Option<Bytes> {
    let secret = secret.as_bytes();
    if secret.len() < MIN_SECRET_BYTES {
        return None;
    }
    let mut rest = text;
    let mut clean = Vec::new();
    while let Some(position) = memmem::find(rest, secret) {
        let (before, found) = rest.split_at(position);
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
    fn redact_finds_secrets_in_body_by_field_name() {
        let body = serde_json::json!({
            "webhook_signing_secret": "a", "name": "no", "secret": "no",
            "webhook_configurations": [{
                "webhook_url": "no", "webhook_headers": {"x": "b", "y": ["c", {"z": "d"}]},
                "webhook_signing_secret": "e",
            }],
        });
        let mut found = secrets_in(body.as_object().unwrap().iter());
        found.sort_unstable();
        assert_eq!(found, ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn redact_secret_in_its_json_escaped_form() {
        let secret = r#"a "quoted" secret"#;
        let body = serde_json::json!({ "detail": format!("not {secret}, no") }).to_string();
        let mut refusal = http::Response::builder()
            .status(400)
            .body(Bytes::from(body))
            .unwrap();
        redact_response(&mut refusal, [secret]);
        assert_eq!(refusal.body(), &r#"{"detail":"not [redacted], no"}"#);
    }

    #[test]
    fn redact_secret_at_every_position() {
        let key = "llx-1234";
        for (text, clean) in [
            ("llx-1234", Some("[redacted]")),
            (
                "no llx-1234, nor llx-1234!",
                Some("no [redacted], nor [redacted]!"),
            ),
            ("llx-123", None),
            ("", None),
        ] {
            assert_eq!(
                redact_text(text.as_bytes(), key).as_deref(),
                clean.map(str::as_bytes)
            );
        }
        // Bytes that are not text are unchanged.
        let found = redact_text(b"\xff llx-1234 \xfe", key);
        assert_eq!(found.as_deref(), Some(&b"\xff [redacted] \xfe"[..]));
        assert_eq!(redact_text(b"an answer", "an"), None);
        assert_eq!(redact_text(b"an answer", ""), None);
    }
}
