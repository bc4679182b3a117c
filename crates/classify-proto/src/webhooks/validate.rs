//! What the service, or HTTP, refuses of a webhook; alike for saved webhooks and for those of a job.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};

use crate::error::Error;
use crate::secret::Secret;
use crate::text::error_body::one_line;
use crate::text::{mask, shortened};
use crate::validation::ValidationErrors;

/// A delivery goes to an `http:` or `https:` URL.
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

/// What a webhook carries that nobody but the service may see.
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

/// What the service shows in place of a stored credential would be stored as the credential. An update may send it back.
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

/// The masks among the headers of a webhook that is new.
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

/// The service never shows a signing secret, so that a mask is always a mistake.
pub(crate) fn signing_secret(path: &str, secret: Option<&Secret>, errors: &mut ValidationErrors) {
    if secret
        .and_then(Secret::secret_or_mask)
        .is_some_and(mask::is_whole_mask)
    {
        errors.add(field(path, "webhook_signing_secret"), MASKED);
    }
}

const MASKED: &str = "is a mask that stands for a stored value; give the value itself";

/// A header that could not be sent, or that would smuggle in another. The value may be a secret and is not repeated.
pub(crate) fn header(path: &str, name: &str, value: Option<&str>, errors: &mut ValidationErrors) {
    let place = || field(path, &format!("webhook_headers.{}", one_line(name)));
    if name.parse::<HeaderName>().is_err() {
        errors.add(place(), "is not a header's name");
    }
    if value.is_some_and(|value| HeaderValue::from_str(value).is_err()) {
        errors.add(
            place(),
            "has a value with a line break or a control character",
        );
    }
}

/// A list without events reports nothing. The service refuses it in a saved webhook; of a job's own webhook it is not
/// published what it does, and such a list is taken for a mistake there too.
pub(crate) fn events<T>(path: &str, events: Option<&[T]>, errors: &mut ValidationErrors) {
    if events.is_some_and(<[T]>::is_empty) {
        errors.add(
            field(path, "webhook_events"),
            "is empty; leave it out to be told of every event",
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

/// A secret that must be set again.
pub(crate) fn missing_secret(field: impl Into<String>) -> Error {
    Error::invalid(
        field,
        "was left out of the saved state; set it again before going on",
    )
}

/// The place of a header, whose name is cut if it is very long.
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
