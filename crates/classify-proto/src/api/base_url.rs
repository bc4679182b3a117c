//! Validates base URLs.

use http::Uri;
use url::{Position, Url};

use crate::error::Error;
use crate::text::url_parts::{UrlParts, authority};

/// A valid base URL.
#[derive(Debug)]
pub(super) struct BaseUrl {
    /// The text for journals: the scheme in lower case, the host as it was written if it is ASCII, and the path without
    /// trailing slashes.
    pub(super) text: String,
    /// The parsed URL that requests are sent to, without trailing slashes.
    pub(super) uri: Uri,
}

/// The scheme and the host of text that may not be a URL; `None` if they are missing or may be secret.
pub(super) fn origin(text: &str) -> Option<String> {
    let parts = UrlParts::split(text.trim())?;
    let host = parts.authority.strip_suffix(parts.port())?;
    is_host(host).then(|| format!("{}://{host}", parts.scheme))
}

/// Whether text looks like a host, and not like a user name or a key.
fn is_host(text: &str) -> bool {
    !text.is_empty()
        && !is_key(text)
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '[' | ']' | ':'))
}

/// Whether text begins like the service's keys.
fn is_key(text: &str) -> bool {
    text.get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("llx-"))
}

/// Parses a base URL. Errors quote at most the scheme and the host: users paste keys, and URLs with passwords.
pub(super) fn parse_base(text: &str, plain_http: bool) -> Result<BaseUrl, Error> {
    let invalid = |message: String| Error::invalid("base_url", message);
    let text = text.trim();
    if text.is_empty() {
        return Err(invalid(
            "is empty; set a URL such as https://api.cloud.llamaindex.ai".to_owned(),
        ));
    }
    let parts = UrlParts::split(text);
    let authority = parts.map_or_else(|| authority(text), |parts| parts.authority);
    if authority.contains('@') {
        return Err(invalid(
            "must not contain a user name or a password; pass the API key separately".to_owned(),
        ));
    }
    if is_key(authority) {
        return Err(invalid(
            "looks like an API key; pass the API key separately".to_owned(),
        ));
    }
    let Some(parts) = parts else {
        return Err(invalid(without_scheme(text, authority)));
    };
    let at = origin(text).map_or_else(String::new, |origin| format!(" ({origin})"));
    let is_plain = match parts.scheme.to_ascii_lowercase().as_str() {
        "https" => false,
        "http" => true,
        _ => {
            return Err(invalid(format!(
                "has a scheme other than https and http{at}"
            )));
        }
    };
    if parts.rest.contains(['?', '#']) {
        return Err(invalid(format!(
            "must not contain a query or a fragment{at}; only a path is kept"
        )));
    }
    let url = parts
        .parse()
        .map_err(|problem| invalid(format!("{problem}{at}")))?;
    if is_plain && !plain_http && !is_loopback(url.host_str().unwrap_or_default()) {
        return Err(invalid(format!(
            "uses plain http{at}, which sends the API key and the documents in the clear; use https://, or allow plain http if that is intended"
        )));
    }
    if let Some(route) = API_ROUTES
        .iter()
        .find(|route| url.path().trim_end_matches('/').ends_with(*route))
    {
        return Err(invalid(format!(
            "must not end in {route}{at}; every request adds its path by itself"
        )));
    }
    // The `url` crate allows a few characters in a host that HTTP does not.
    let path = url.path().trim_end_matches('/');
    let uri = format!("{}{path}", &url[..Position::BeforePath])
        .parse::<Uri>()
        .map_err(|error| invalid(format!("cannot be sent{at}: {error}")))?;
    Ok(BaseUrl {
        text: written(&parts, &url),
        uri,
    })
}

/// Ends of URLs that were copied from a request instead of the base URL.
const API_ROUTES: [&str; 7] = [
    "/api/v1",
    "/api/v2",
    "/api/v1/beta",
    "/api/v1/beta/files",
    "/api/v1/classifier",
    "/api/v1/classifier/jobs",
    "/api/v2/classify",
];

/// Describes text that has a scheme without `://`, or no scheme.
fn without_scheme(text: &str, authority: &str) -> String {
    for scheme in ["https:", "http:"] {
        let start = text.get(..scheme.len());
        if start.is_some_and(|start| start.eq_ignore_ascii_case(scheme)) {
            return format!("must have // after {scheme}");
        }
    }
    // A single word may be a secret as well as a host.
    let host = Some(authority).filter(|host| is_host(host) && host.contains('.'));
    match host {
        Some(host) => format!("has no scheme; write https://{host}"),
        None => "has no scheme; write https:// in front of it".to_owned(),
    }
}

/// The text of a base URL for [`Api::base_url`](super::Api::base_url) and journals.
fn written(parts: &UrlParts<'_>, url: &Url) -> String {
    let path = parts.rest.trim_end_matches('/');
    let scheme = url.scheme();
    if parts.authority.is_ascii() {
        return format!("{scheme}://{}{path}", parts.authority);
    }
    let host = url.host_str().unwrap_or_default();
    format!("{scheme}://{host}{}{path}", parts.port())
}

/// Whether a base URL's host is this machine.
pub(crate) fn is_local(base_url: &str) -> bool {
    let url = UrlParts::split(base_url).and_then(|parts| parts.parse().ok());
    url.is_some_and(|url| url.host_str().is_some_and(is_loopback))
}

/// Whether a parsed URL's host is this machine, judged by its name or address alone.
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
    use proptest::prelude::*;

    use super::super::Api;
    use super::super::tests::refused;

    #[test]
    fn validation_base_url_errors_name_problem() {
        for (url, word) in [
            ("", "empty"),
            ("api.cloud.llamaindex.ai", "https://api.cloud.llamaindex.ai"),
            ("ftp://x", "scheme"),
            ("myhost", "write https:// in front of it"),
            ("https://", "base_url"),
            ("https://user:pass@host", "password"),
            ("https://host/?a=b", "query"),
            ("https:api.example", "// after https:"),
            ("HTTP:/api.example", "// after http:"),
            ("https:///api.example", "no host"),
            ("https:\\\\api.example", "// after https:"),
            ("https://api.example\\x", "backslash"),
            ("https://api.example/a\tb", "tab"),
            ("https://api.exa\nmple", "line break"),
            ("https://api.example/a b", "space"),
            ("https://api.example:x", "port"),
            ("https://api.example:x", "https://api.example)"),
            ("https://api.example#x", "fragment"),
            ("https://a..%62", "%"),
            ("https://1.2.3.256", "IPv4"),
            ("https://xn--a", "domain name"),
            ("https://a{b", "cannot be sent"),
            ("https://api.example/api/v2", "must not end in /api/v2"),
            ("https://api.example/prefix/api/v1/", "/api/v1"),
            ("https://api.example/api/v2/classify", "/api/v2/classify"),
            ("http://example.com", "clear"),
            ("http://localhost.example.com", "clear"),
            ("http://0.0.0.0", "clear"),
            ("http://128.1", "clear"),
            ("http://[::ffff:127.0.0.1]", "clear"),
            ("http://bücher.example", "clear"),
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
            "http://bücher.example/canary",
            "https://host/canary\\",
            "https:canary",
            "https:/canary",
            "https:///canary",
            "https:\\\\canary",
            "https://user：canary＠host",
            "https://can\tary",
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
            "http://LOCALHOST",
            // The host that is sent is the one that was checked.
            "http://127.1",
            "http://0x7f.1",
            "http://2130706433",
            "http://１２７.0.0.1",
            "http://[0:0:0:0:0:0:0:1]",
        ] {
            let api = Api::builder("k").base_url(url).build().unwrap();
            let host = api.base_uri().host().unwrap();
            assert!(super::is_loopback(host), "{url}: {host}");
        }
        Api::builder("k")
            .base_url("http://example.com")
            .allow_plain_http()
            .build()
            .unwrap();
    }

    #[test]
    fn base_url_text_is_as_written_and_uri_is_normalized() {
        for (url, text, uri) in [
            (
                "https://api.example",
                "https://api.example",
                "https://api.example/",
            ),
            (
                " https://api.example// ",
                "https://api.example",
                "https://api.example/",
            ),
            (
                "HTTPS://API.Example/A/",
                "https://API.Example/A",
                "https://api.example/A",
            ),
            (
                "https://api.example:443/a",
                "https://api.example:443/a",
                "https://api.example/a",
            ),
            (
                "https://api.example:",
                "https://api.example:",
                "https://api.example/",
            ),
            (
                "https://api.example:8443",
                "https://api.example:8443",
                "https://api.example:8443/",
            ),
            (
                "https://api.example.",
                "https://api.example.",
                "https://api.example./",
            ),
            (
                "https://[FD00::0:7]:81/",
                "https://[FD00::0:7]:81",
                "https://[fd00::7]:81/",
            ),
            ("https://10.1", "https://10.1", "https://10.0.0.1/"),
            (
                "https://a_b.example/c/../d",
                "https://a_b.example/c/../d",
                "https://a_b.example/d",
            ),
            (
                "https://api.example/é",
                "https://api.example/é",
                "https://api.example/%C3%A9",
            ),
            (
                "https://api.example/@:a",
                "https://api.example/@:a",
                "https://api.example/@:a",
            ),
            (
                "https://bücher.example",
                "https://xn--bcher-kva.example",
                "https://xn--bcher-kva.example/",
            ),
            (
                "https://BÜCHER.example:8443/a/",
                "https://xn--bcher-kva.example:8443/a",
                "https://xn--bcher-kva.example:8443/a",
            ),
        ] {
            let api = Api::builder("k").base_url(url).build().unwrap();
            assert_eq!(api.base_url(), text, "{url}");
            assert_eq!(api.base_uri(), uri, "{url}");
        }
    }

    #[test]
    fn base_url_request_goes_to_the_normalized_url() {
        for (url, expected) in [
            (
                "https://bücher.example",
                "https://xn--bcher-kva.example/api/v2/x",
            ),
            ("https://API.Example:443//", "https://api.example/api/v2/x"),
            ("http://127.1:80/a/%2e%2E/b/", "http://127.0.0.1/b/api/v2/x"),
        ] {
            let api = Api::builder("k").base_url(url).build().unwrap();
            let request = api.request(http::Method::GET, "/api/v2/x").empty().unwrap();
            assert_eq!(request.uri(), expected, "{url}");
        }
    }

    proptest! {
        /// The `url` crate, with which some transports parse it again, reads the URI of a request as the core does.
        #[test]
        fn base_url_is_rejected_or_sent_as_it_was_checked(
            url in "(https?|HTTP)://([a-zé.:0-9@%-]{1,8}|127[.]1|[\\PC\t\\\\]{1,6})(:[0-9]{0,5})?(/[.a-zé%2e\\\\ ?{]{0,4}){0,3}",
        ) {
            let Ok(api) = Api::builder("k").base_url(&url).build() else {
                return Ok(());
            };
            let uri = api.base_uri();
            let parsed = url::Url::parse(&uri.to_string()).unwrap();
            prop_assert_eq!(parsed.as_str(), uri.to_string());
            prop_assert_eq!(parsed.host_str(), uri.host());
            prop_assert!(uri.query().is_none() && !uri.authority().unwrap().as_str().contains('@'));
            prop_assert!(uri.scheme_str() == Some("https") || super::is_loopback(uri.host().unwrap()));
            // The text that a journal records parses to the same URL.
            let again = Api::builder("k").base_url(api.base_url()).build().unwrap();
            prop_assert_eq!(again.base_url(), api.base_url());
            prop_assert_eq!(again.base_uri(), uri);
        }
    }
}
