//! What a base URL may be, and what is said of one that it may not.

use http::Uri;

use crate::error::Error;

/// What may be shown of a base URL that is not known to be one: its scheme and host, where it has them.
pub(super) fn origin(text: &str) -> Option<String> {
    let (scheme, rest) = text.trim().split_once("://")?;
    let authority = authority_of(rest);
    // An address in brackets has colons of its own.
    let end = authority.rfind(']').unwrap_or_default();
    let host = match authority.get(end..)?.find(':') {
        Some(colon) => authority.get(..end + colon)?,
        None => authority,
    };
    let is_scheme = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_scheme && is_host(host)).then(|| format!("{scheme}://{host}"))
}

/// What stands before the path, the query and the fragment.
fn authority_of(text: &str) -> &str {
    text.split(['/', '?', '#', '\\']).next().unwrap_or_default()
}

/// Whether a text reads as a host, and not as a user's name or a key.
fn is_host(text: &str) -> bool {
    !text.is_empty()
        && !is_key(text)
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '[' | ']' | ':'))
}

/// Whether a text begins as the service's keys do.
fn is_key(text: &str) -> bool {
    text.get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("llx-"))
}

/// Reads a base URL. What is wrong with one is said without repeating more of it than its scheme and host: people
/// paste keys and URLs with passwords in them.
pub(super) fn parse_base(text: &str, plain_http: bool) -> Result<Uri, Error> {
    let invalid = |message: String| Err(Error::invalid("base_url", message));
    let text = text.trim();
    if text.is_empty() {
        return invalid(
            "is empty; it should be a URL such as https://api.cloud.llamaindex.ai".to_owned(),
        );
    }
    let after_scheme = text.split_once("://").map(|(_, rest)| rest);
    let authority = authority_of(after_scheme.unwrap_or(text));
    if authority.contains('@') {
        return invalid("holds a user name or a password; the key belongs in the key".to_owned());
    }
    if is_key(authority) {
        return invalid("looks like a key; the key belongs in the key".to_owned());
    }
    if after_scheme.is_none() {
        // A single word may be a secret as well as a host.
        let host = Some(authority).filter(|host| is_host(host) && host.contains('.'));
        return invalid(format!(
            "has no scheme; write https://{}",
            host.unwrap_or("in front of it")
        ));
    }
    let shown = origin(text).unwrap_or_else(|| "it".to_owned());
    if text.contains(['?', '#']) {
        return invalid(format!(
            "has a query or a fragment after {shown}; only a path prefix is kept"
        ));
    }
    let uri: Uri = match text.parse() {
        Ok(uri) => uri,
        Err(error) => {
            return invalid(format!(
                "is not a URL ({shown}): {error}; a host outside ASCII is written in its xn-- form"
            ));
        }
    };
    let Some(host) = uri.host().filter(|host| !host.is_empty()) else {
        return invalid("has no host".to_owned());
    };
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    let is_port = |port: &str| port.ends_with(']') || port.parse::<u16>().is_ok();
    if !port.is_none_or(|port| port.is_empty() || is_port(port)) {
        return invalid(format!("has a port that is no number after {shown}"));
    }
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if plain_http || is_loopback(host) => {}
        Some("http") => {
            return invalid(format!(
                "is plain http, so that {shown} would be sent the key and the documents in the clear; use https://, or allow plain http if that is meant"
            ));
        }
        _ => {
            return invalid(format!("has a scheme other than https and http: {shown}"));
        }
    }
    Ok(uri)
}

/// Whether a host is this machine, by its written form alone.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::super::Api;
    use super::super::tests::refused;

    #[test]
    fn validation_base_url_errors_name_problem() {
        for (url, word) in [
            ("", "empty"),
            ("api.cloud.llamaindex.ai", "https://api.cloud.llamaindex.ai"),
            ("ftp://x", "scheme"),
            ("https://", "base_url"),
            ("https://user:pass@host", "password"),
            ("https://host/?a=b", "query"),
            ("https://bücher.example", "xn--"),
            ("http://example.com", "clear"),
            ("http://127.0.0.1.example.com", "clear"),
        ] {
            let text = refused(Api::builder("k").base_url(url));
            assert!(text.contains(word), "{url}: {text}");
        }
    }

    #[test]
    fn redact_base_url_in_validation_error() {
        for url in [
            "https://user:canary@host/?a=b",
            "https://user:canary@host",
            "https://canary@host/#x",
            "user:canary@host",
            "https://host/canary?token=canary",
            "https://host:x/canary",
            "https://bücher.example/canary",
            "ftp://host/canary",
            "http://example.com/canary",
            "llx-canary",
            " llx-canary ",
            "LLX-canary",
            "https://llx-canary/",
            "https://llx-canary?x",
            "host/path?token=canary",
            "https:// canary",
        ] {
            let builder = Api::builder("k").base_url(url);
            let text = format!("{builder:?} {}", refused(builder.clone()));
            assert!(!text.contains("canary"), "{url}: {text}");
        }
        let text = refused(Api::builder("k").base_url("llx-canary"));
        assert!(text.contains("key"), "{text}");
        let text = refused(Api::builder("k").base_url("https://user:canary@host/?a=b"));
        assert!(text.contains("password"), "{text}");
        let text = refused(Api::builder("k").base_url("ftp://host:81/x"));
        assert!(text.contains("ftp://host"), "{text}");
    }

    #[test]
    fn validation_base_url_plain_http_is_loopback_only_unless_allowed() {
        for url in [
            "http://localhost:1",
            "http://127.0.0.1",
            "http://127.9.9.9:80",
            "http://[::1]:80/x",
            "http://api.localhost",
        ] {
            Api::builder("k").base_url(url).build().unwrap();
        }
        Api::builder("k")
            .base_url("http://example.com")
            .allow_plain_http()
            .build()
            .unwrap();
    }
}
