//! Validation of webhooks, for saved ones and for those of a create.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};

use crate::error::Error;
use crate::secret::Secret;
use crate::text::error_body::one_line;
use crate::text::{mask, shortened};
use crate::validation::ValidationErrors;

/// The URL must be `http:` or `https:`.
pub(crate) fn url(path: &str, url: &str, errors: &mut ValidationErrors) {
    let scheme = url.split_once(':').map(|(scheme, _)| scheme);
    let known = scheme.is_some_and(|scheme| {
        scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
    });
    if !known {
        errors.add(
            field(path, "webhook_url"),
            "does not begin with http: or https:",
        );
    }
}

/// Validates the values that only the service may see.
pub(crate) fn secrets(
    headers: Option<&BTreeMap<String, Secret>>,
    signing: Option<&Secret>,
) -> Vec<String> {
    let headers = headers.into_iter().flat_map(BTreeMap::values);
    headers
        .chain(signing)
        .filter_map(Secret::expose_secret)
        .map(str::to_owned)
        .collect()
}

pub(crate) fn headers(
    path: &str,
    headers: Option<&BTreeMap<String, Secret>>,
    errors: &mut ValidationErrors,
) {
    for (name, value) in headers.into_iter().flatten() {
        header(path, name, value.expose_secret(), errors);
    }
}

/// Rejects masks: the service would store the mask as the credential. Only an update may send one back.
pub(crate) fn masks<'a>(
    path: &str,
    url: Option<&str>,
    headers: impl Iterator<Item = (&'a String, Option<&'a str>)>,
    errors: &mut ValidationErrors,
) {
    if url.is_some_and(mask::is_masked) {
        errors.add(field(path, "webhook_url"), MASKED);
    }
    for (name, value) in headers {
        if value.is_some_and(mask::is_masked) {
            let name = format!("webhook_headers.{}", one_line(name));
            errors.add(field(path, &name), MASKED);
        }
    }
}

/// Rejects masks among the headers of a new webhook.
pub(crate) fn masks_of_new(
    path: &str,
    url: Option<&str>,
    headers: Option<&BTreeMap<String, Secret>>,
    errors: &mut ValidationErrors,
) {
    let headers = headers.into_iter().flatten();
    let headers = headers.map(|(name, value)| (name, value.secret_or_mask()));
    masks(path, url, headers, errors);
}

/// The service never returns a signing secret, so a mask of one is always a mistake.
pub(crate) fn signing_secret(path: &str, secret: Option<&Secret>, errors: &mut ValidationErrors) {
    if secret
        .and_then(Secret::secret_or_mask)
        .is_some_and(mask::is_whole_mask)
    {
        errors.add(field(path, "webhook_signing_secret"), MASKED);
    }
}

const MASKED: &str = "is a mask of a stored value; pass the value itself";

/// Rejects a header that cannot be sent or that contains a line break, which could add another header. The value may be
/// secret and is not quoted.
pub(crate) fn header(path: &str, name: &str, value: Option<&str>, errors: &mut ValidationErrors) {
    let place = || field(path, &format!("webhook_headers.{}", one_line(name)));
    if name.parse::<HeaderName>().is_err() {
        errors.add(place(), "is not a valid header name");
    }
    if value.is_some_and(|value| HeaderValue::from_str(value).is_err()) {
        errors.add(
            place(),
            "has a value with a line break or a control character",
        );
    }
}

/// Rejects an empty list, which would deliver nothing. The service rejects it in a saved webhook; for a create that is
/// not documented.
pub(crate) fn events<T>(path: &str, events: Option<&[T]>, errors: &mut ValidationErrors) {
    if events.is_some_and(<[T]>::is_empty) {
        errors.add(
            field(path, "webhook_events"),
            "is empty; omit it to receive every event",
        );
    }
}

pub(crate) fn expose_headers<'a>(
    headers: &'a BTreeMap<String, Secret>,
    path: &str,
) -> Result<BTreeMap<&'a str, &'a str>, Error> {
    headers
        .iter()
        .map(|(name, value)| {
            let value = value
                .secret_or_mask()
                .ok_or_else(|| missing_secret(header_field(path, name)))?;
            Ok((&**name, value))
        })
        .collect()
}

pub(crate) fn expose_secret<'a>(
    secret: Option<&'a Secret>,
    path: &str,
) -> Result<Option<&'a str>, Error> {
    secret
        .map(|secret| {
            secret
                .expose_secret()
                .ok_or_else(|| missing_secret(field(path, "webhook_signing_secret")))
        })
        .transpose()
}

/// The error of a secret that a saved state does not contain and that must be set again.
pub(crate) fn missing_secret(field: impl Into<String>) -> Error {
    Error::invalid(
        field,
        "is not part of the saved state; set it again before resuming",
    )
}

/// The field name of a header. A very long header name is shortened.
fn header_field(path: &str, name: &str) -> String {
    field(path, &format!("webhook_headers.{}", shortened(name)))
}

fn field(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validation_webhook_url_must_be_http_or_https() {
        let refused = |text| {
            let mut errors = ValidationErrors::default();
            url("", text, &mut errors);
            errors.finish().is_err()
        };
        for good in ["http://a", "https://a/b?c", "HTTPS://a"] {
            assert!(!refused(good), "{good}");
        }
        for bad in ["", "example.com", "ftp://a", "javascript:x", "httpsx://a"] {
            assert!(refused(bad), "{bad}");
        }
    }
}
