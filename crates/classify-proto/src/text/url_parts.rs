//! Parses URLs with the `url` crate.
//!
//! The crate follows the URL standard of browsers, which accepts and changes more than a configuration should: it
//! removes tabs and line breaks, reads `\` as `/`, and finds a host in `https:host` and in `https:///host`. Such text is
//! rejected before it is parsed. The remaining changes (a host in lower case and in Punycode, `127.1` as `127.0.0.1`,
//! resolved dot segments) are part of the parsed URL, which is the one that is checked and sent.

use url::{ParseError, Url};

/// The parts of a URL as they were written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UrlParts<'a> {
    pub(crate) scheme: &'a str,
    /// Between `//` and the path, the query or the fragment: credentials, host and port.
    pub(crate) authority: &'a str,
    /// Path, query and fragment.
    pub(crate) rest: &'a str,
}

impl<'a> UrlParts<'a> {
    /// Splits a URL; `None` if the text does not begin with a scheme and `://`.
    pub(crate) fn split(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        is_scheme.then(|| Self::with_scheme(scheme, rest))
    }

    /// `rest` is the text after `://`.
    pub(crate) fn with_scheme(scheme: &'a str, rest: &'a str) -> Self {
        let authority = authority(rest);
        Self {
            scheme,
            authority,
            rest: rest.get(authority.len()..).unwrap_or_default(),
        }
    }

    /// The host and the port, without credentials.
    pub(crate) fn host_and_port(&self) -> &'a str {
        match self.authority.rsplit_once('@') {
            Some((_, host_and_port)) => host_and_port,
            None => self.authority,
        }
    }

    /// The port as it was written, with its colon; empty if there is none.
    pub(crate) fn port(&self) -> &'a str {
        let host_and_port = self.host_and_port();
        // An IPv6 address has colons between its brackets.
        let end = host_and_port.rfind(']').unwrap_or_default();
        let port = host_and_port.get(end..).and_then(|text| text.find(':'));
        port.and_then(|start| host_and_port.get(end + start..))
            .unwrap_or_default()
    }

    /// Parses the URL. Errors do not quote the text, which may contain a secret.
    pub(crate) fn parse(&self) -> Result<Url, &'static str> {
        for part in [self.authority, self.rest] {
            for c in part.chars() {
                match c {
                    '\\' => return Err("contains a backslash; write / instead"),
                    '\t' => return Err("contains a tab"),
                    '\n' | '\r' => return Err("contains a line break"),
                    c if c.is_whitespace() => return Err("contains a space"),
                    c if c.is_control() => return Err("contains a control character"),
                    _ => {}
                }
            }
        }
        if self.host_and_port() == self.port() {
            return Err("has no host");
        }
        // The `url` crate would decode it.
        if self.host_and_port().contains('%') {
            return Err("has a % in its host");
        }
        let text = format!("{}://{}{}", self.scheme, self.authority, self.rest);
        Url::parse(&text).map_err(|error| match error {
            ParseError::EmptyHost => "has no host",
            ParseError::IdnaError => "has a host that is not a valid domain name",
            ParseError::InvalidPort => "has a port that is not a number from 0 to 65535",
            ParseError::InvalidIpv4Address => "has a host that is not a valid IPv4 address",
            ParseError::InvalidIpv6Address => "has a host that is not a valid IPv6 address",
            ParseError::InvalidDomainCharacter => {
                "has a host with a character that is not allowed in a domain name"
            }
            _ => "is not a URL",
        })
    }
}

/// The text before the path, the query and the fragment.
pub(crate) fn authority(text: &str) -> &str {
    text.split(['/', '?', '#', '\\']).next().unwrap_or_default()
}

/// The scheme and the host of a URL, the parts that cannot be secret; `None` if the text is not a URL with a host.
pub(crate) fn origin(text: &str) -> Option<String> {
    let url = UrlParts::split(text)?.parse().ok()?;
    Some(format!("{}://{}", url.scheme(), url.host_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, &'static str> {
        let parts = UrlParts::split(text).ok_or("has no scheme")?;
        parts.parse().map(String::from)
    }

    #[test]
    fn url_parse_rejects_text_that_the_url_crate_repairs() {
        for (text, word) in [
            ("https:host", "scheme"),
            ("https:/host", "scheme"),
            ("//host", "scheme"),
            ("1://host", "scheme"),
            ("https:///host", "no host"),
            ("https://", "no host"),
            ("https://:80", "no host"),
            ("https://user@:80", "no host"),
            ("https://?host", "no host"),
            ("https:\\\\host", "scheme"),
            ("https://host\\path", "backslash"),
            ("https://host/a\\b", "backslash"),
            ("https://\thost", "tab"),
            ("https://ho\nst", "line break"),
            ("https://host/a\rb", "line break"),
            ("https://ho st", "space"),
            ("https://host/a\u{a0}b", "space"),
            ("https://host/\u{0}", "control"),
            ("https://ex%41mple.com", "%"),
            ("https://host:x", "port"),
            ("https://host:+1", "port"),
            ("https://host:65536", "port"),
            ("https://host:80:80", "port"),
            ("https://1.2.3.256", "IPv4"),
            ("https://[::1", "IPv6"),
            ("https://[fe80::1%25eth0]", "%"),
            ("https://xn--a", "domain name"),
            ("https://a<b", "domain name"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(word), "{text:?}: {error}");
        }
    }

    #[test]
    fn url_parse_normalizes_host_and_path() {
        for (text, expected) in [
            ("https://bücher.example", "https://xn--bcher-kva.example/"),
            ("https://BÜCHER.example", "https://xn--bcher-kva.example/"),
            ("HTTPS://API.Example:443/A", "https://api.example/A"),
            ("http://127.1:80", "http://127.0.0.1/"),
            ("http://0x7f.1", "http://127.0.0.1/"),
            ("http://2130706433", "http://127.0.0.1/"),
            ("http://１２７．0.0.1", "http://127.0.0.1/"),
            ("http://[0:0:0:0:0:0:0:1]:81", "http://[::1]:81/"),
            ("https://host:", "https://host/"),
            ("https://host./a//b/", "https://host./a//b/"),
            ("https://host/a/../%2e/b", "https://host/b"),
            ("https://host/é", "https://host/%C3%A9"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn redact_url_to_scheme_and_host() {
        for (text, expected) in [
            ("https://user:canary@host:81/canary", Some("https://host")),
            (
                "https://bücher.example",
                Some("https://xn--bcher-kva.example"),
            ),
            ("ftp://host?canary", Some("ftp://host")),
            ("https:canary", None),
            ("https:///canary", None),
            ("//canary", None),
            ("/login?next=https://canary", None),
            ("mailto:canary@host", None),
            ("canary", None),
        ] {
            assert_eq!(origin(text).as_deref(), expected, "{text}");
        }
    }
}
