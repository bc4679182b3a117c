//! The proxy that the environment sets for requests to the service.

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use url::{Host, Position};

use crate::api::{Api, is_loopback};
use crate::error::Error;
use crate::text::url_parts::UrlParts;

/// The proxy for the requests to an [`Api`].
///
/// Tools read the proxy variables in different ways. All drivers use this type, so that they agree, and configure their
/// transport with its result only:
///
/// - For an `https` base URL: `https_proxy`, then `HTTPS_PROXY`. For `http`: `http_proxy`, then `HTTP_PROXY`; the
///   latter is ignored if `REQUEST_METHOD` is set, because a CGI server derives it from a header of the request. If
///   none is set: `all_proxy`, then `ALL_PROXY`. An empty variable counts as not set.
/// - `no_proxy`, then `NO_PROXY`, lists the hosts that are reached directly: domain names with all their subdomains,
///   with or without a leading `.` or `*.`, IP addresses, and networks such as `10.0.0.0/8`, each with or without a
///   port, separated by commas or spaces; `*` matches all hosts.
/// - Hosts on this machine are always reached directly: plain HTTP, which is allowed for them, would send the key to
///   the proxy.
/// - The proxy is an HTTP or HTTPS proxy, HTTP if it has no scheme. Other schemes are an error: to connect without the
///   proxy could be a surprise.
///
/// ```
/// use classify_proto::{Api, Proxy};
///
/// let api = Api::builder("llx-key").build()?;
/// let lookup = |name: &str| (name == "HTTPS_PROXY").then(|| "http://user:secret@proxy.example:3128".to_owned());
/// let proxy = Proxy::from_lookup(&api, lookup)?.expect("one is set");
/// assert_eq!(proxy.to_string(), "http://proxy.example:3128");
/// # Ok::<(), classify_proto::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    variable: &'static str,
    url: String,
    scheme: &'static str,
    host: String,
    port: u16,
}

impl Proxy {
    /// Returns the proxy for the base URL of `api`; `None` if it is reached directly. `lookup` returns the value of an
    /// environment variable, such as `std::env::var(name).ok()`.
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid), naming the variable, if its value is not the URL of a proxy, or of a proxy
    /// that is neither HTTP nor HTTPS.
    pub fn from_lookup(
        api: &Api,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, Error> {
        let uri = api.base_uri();
        let is_https = uri.scheme_str() == Some("https");
        let host = bare(uri.host().unwrap_or_default());
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        if is_loopback(host) {
            return Ok(None);
        }
        let value = |name: &str| {
            let value = lookup(name)?;
            Some(value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let first = |names: [&'static str; 2]| {
            let mut set = names.into_iter();
            set.find_map(|name| Some((name, value(name)?)))
        };
        let of_scheme = match is_https {
            true => first(["https_proxy", "HTTPS_PROXY"]),
            false if value("REQUEST_METHOD").is_some() => first(["http_proxy", "http_proxy"]),
            false => first(["http_proxy", "HTTP_PROXY"]),
        };
        let Some((variable, url)) = of_scheme.or_else(|| first(["all_proxy", "ALL_PROXY"])) else {
            return Ok(None);
        };
        let excepted = first(["no_proxy", "NO_PROXY"]);
        if excepted.is_some_and(|(_, list)| is_excepted(&list, host, port)) {
            return Ok(None);
        }
        Self::parse(variable, &url).map(Some)
    }

    /// Returns the URL for a transport, with its host in Punycode. It may contain a user name and a password; do not
    /// print it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the host; an IPv6 address has brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port; the scheme's default if the URL has none.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the name of the variable that set the proxy.
    #[must_use]
    pub fn variable(&self) -> &str {
        self.variable
    }

    fn parse(variable: &'static str, text: &str) -> Result<Self, Error> {
        // Errors do not quote the text, which may contain a password.
        let invalid = |problem: String| Error::invalid(variable, problem);
        let malformed = |problem: &str| {
            invalid(format!(
                "is not the URL of a proxy: it {problem}; write http://HOST:PORT"
            ))
        };
        let parts = match UrlParts::split(text) {
            Some(parts) => parts,
            None if text.contains("://") => return Err(malformed("has no scheme before ://")),
            None => UrlParts::with_scheme("http", text),
        };
        let scheme = match parts.scheme.to_ascii_lowercase().as_str() {
            "http" => "http",
            "https" => "https",
            other => {
                return Err(invalid(format!(
                    "is the URL of a proxy with the scheme {other}; only http and https are supported"
                )));
            }
        };
        let parsed = parts.parse().map_err(malformed)?;
        let (Some(host), Some(port)) = (parsed.host_str(), parsed.port_or_known_default()) else {
            return Err(malformed("has no host"));
        };
        let login = &parsed[Position::BeforeUsername..Position::BeforeHost];
        // Parsing adds a slash and removes a default port.
        let path = if parts.rest.is_empty() {
            ""
        } else {
            &parsed[Position::BeforePath..]
        };
        let url = match parts.port() {
            "" | ":" => format!("{scheme}://{login}{host}{path}"),
            _ => format!("{scheme}://{login}{host}:{port}{path}"),
        };
        // A transport that cannot parse the URL may connect without a proxy.
        if url.parse::<Uri>().is_err() {
            return Err(malformed(
                "contains a character that is not allowed in a URL",
            ));
        }
        Ok(Self {
            variable,
            scheme,
            host: host.to_owned(),
            port,
            url,
        })
    }
}

/// The URL without user name and password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("variable", &self.variable)
            .field("url", &format_args!("{self}"))
            .finish_non_exhaustive()
    }
}

/// A host without the brackets of an IPv6 address and without a trailing dot.
fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
        .trim_end_matches('.')
}

fn is_excepted(list: &str, host: &str, port: u16) -> bool {
    list.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|entry| !entry.is_empty())
        .any(|entry| excepts(entry, host, port))
}

fn excepts(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    let address = host.parse::<IpAddr>().ok();
    if let Some((network, bits)) = entry.split_once('/') {
        let network = bare(network).parse().ok();
        return network
            .zip(address)
            .zip(bits.parse().ok())
            .is_some_and(|((network, address), bits)| contains(network, bits, address));
    }
    let (name, only) = port_of(entry);
    if only.is_some_and(|only| only != port) {
        return false;
    }
    let name = bare(name);
    match (name.parse::<IpAddr>(), address) {
        (Ok(excepted), Some(address)) => excepted == address,
        (Err(_), None) => {
            let name = name.strip_prefix('*').unwrap_or(name);
            let name = name.trim_start_matches('.');
            if name.is_ascii() {
                is_within(host, name)
            } else {
                // The host of a parsed URL is in Punycode.
                Host::parse(name).is_ok_and(|name| is_within(host, &name.to_string()))
            }
        }
        _ => false,
    }
}

/// The host and the port of an entry. An IPv6 address without brackets has no port.
fn port_of(entry: &str) -> (&str, Option<u16>) {
    if entry.parse::<IpAddr>().is_ok() {
        return (entry, None);
    }
    match entry.rsplit_once(':') {
        Some((host, port)) => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (entry, None),
        },
        None => (entry, None),
    }
}

/// Whether a host is a domain or one of its subdomains.
fn is_within(host: &str, name: &str) -> bool {
    let Some(head) = host.len().checked_sub(name.len()) else {
        return false;
    };
    let (above, tail) = host.as_bytes().split_at(head);
    !name.is_empty()
        && tail.eq_ignore_ascii_case(name.as_bytes())
        && (above.is_empty() || above.ends_with(b"."))
}

/// Whether the first `bits` of an address and of a network are equal.
fn contains(network: IpAddr, bits: u32, address: IpAddr) -> bool {
    let (network, address, width) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => (
            u128::from(network.to_bits()),
            u128::from(address.to_bits()),
            32,
        ),
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits(), address.to_bits(), 128),
        _ => return false,
    };
    let Some(rest) = u32::checked_sub(width, bits) else {
        return false;
    };
    // A shift by the full width, for the network of all addresses, is not defined.
    let cut = |value: u128| value.checked_shr(rest).unwrap_or(0);
    cut(network) == cut(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(url: &str, set: &[(&str, &str)]) -> Result<Option<Proxy>, Error> {
        let api = Api::builder("k")
            .base_url(url)
            .allow_plain_http()
            .build()
            .unwrap();
        Proxy::from_lookup(&api, |name| {
            let found = set.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    /// The proxy's address, or `direct`.
    fn by(url: &str, set: &[(&str, &str)]) -> String {
        found(url, set)
            .unwrap()
            .map_or_else(|| "direct".to_owned(), |proxy| proxy.to_string())
    }

    #[test]
    fn proxy_scheme_variable_takes_precedence_over_all_proxy() {
        const A: &str = "http://a:1";
        const B: &str = "http://b:2";
        for (url, set, expected) in [
            ("https://s.example", &[][..], "direct"),
            ("https://s.example", &[("HTTPS_PROXY", A)], A),
            (
                "https://s.example",
                &[("HTTPS_PROXY", B), ("https_proxy", A)],
                A,
            ),
            (
                "https://s.example",
                &[("https_proxy", " "), ("HTTPS_PROXY", A)],
                A,
            ),
            (
                "https://s.example",
                &[("HTTP_PROXY", A), ("http_proxy", A)],
                "direct",
            ),
            (
                "https://s.example",
                &[("ALL_PROXY", B), ("HTTPS_PROXY", A)],
                A,
            ),
            ("https://s.example", &[("ALL_PROXY", A)], A),
            (
                "https://s.example",
                &[("ALL_PROXY", B), ("all_proxy", A)],
                A,
            ),
            ("http://s.example", &[("HTTP_PROXY", A)], A),
            (
                "http://s.example",
                &[("HTTP_PROXY", B), ("http_proxy", A)],
                A,
            ),
            ("http://s.example", &[("HTTPS_PROXY", A)], "direct"),
            ("http://s.example", &[("all_proxy", A)], A),
            // A CGI server sets it from a request's `Proxy:` header.
            (
                "http://s.example",
                &[("HTTP_PROXY", A), ("REQUEST_METHOD", "GET")],
                "direct",
            ),
            (
                "http://s.example",
                &[("http_proxy", A), ("REQUEST_METHOD", "GET")],
                A,
            ),
            (
                "https://s.example",
                &[("HTTPS_PROXY", A), ("REQUEST_METHOD", "GET")],
                A,
            ),
        ] {
            assert_eq!(by(url, set), expected, "{url} {set:?}");
        }
    }

    #[test]
    fn proxy_is_not_used_for_loopback_hosts() {
        let all = [
            ("HTTP_PROXY", "http://a:1"),
            ("HTTPS_PROXY", "socks5://a:1"),
            ("ALL_PROXY", "http://a:1"),
        ];
        for url in [
            "http://127.0.0.1:8080",
            "http://localhost",
            "https://localhost:8443",
            "http://[::1]:80",
            "http://api.localhost",
            "http://127.9.9.9",
            "http://127.1",
            "http://0x7f.1",
            "https://localhost.",
        ] {
            assert_eq!(by(url, &all), "direct", "{url}");
        }
    }

    #[test]
    fn proxy_no_proxy_matches_name_address_network_and_port() {
        let excepted = |url: &str, list: &str| {
            let set = [("HTTPS_PROXY", "http://a:1"), ("NO_PROXY", list)];
            by(url, &set) == "direct"
        };
        for (url, list, expected) in [
            ("https://s.example", "*", true),
            ("https://s.example", "", false),
            ("https://s.example", ",, ", false),
            ("https://s.example", "s.example", true),
            ("https://s.example", "other.example, S.EXAMPLE ,x", true),
            ("https://s.example", "other.example s.example", true),
            ("https://s.example", "example", true),
            ("https://s.example", ".example", true),
            ("https://s.example", "*.example", true),
            ("https://s.example", ".s.example", true),
            ("https://s.example.", "s.example", true),
            ("https://s.example", "s.example.", true),
            ("https://s.example", ".", false),
            ("https://s.example", "xample", false),
            ("https://s.example", "a.s.example", false),
            ("https://s.example", "10.0.0.0/8", false),
            ("https://s.example", "s.example:443", true),
            ("https://s.example", "s.example:8443", false),
            ("https://s.example:8443", "s.example:8443", true),
            ("https://s.example:8443", "s.example", true),
            ("https://10.1.2.3", "10.1.2.3", true),
            ("https://10.1.2.3", "10.1.2.4", false),
            ("https://10.1.2.3", "2.3", false),
            ("https://10.1.2.3:81", "10.1.2.3:81", true),
            ("https://10.1.2.3", "10.0.0.0/8", true),
            ("https://10.1.2.3", "11.0.0.0/8", false),
            ("https://10.1.2.3", "0.0.0.0/0", true),
            ("https://10.1.2.3", "10.1.2.3/32", true),
            ("https://10.1.2.3", "10.1.2.2/32", false),
            ("https://10.1.2.3", "10.1.2.3/33", false),
            ("https://10.1.2.3", "10.1.2.3/x", false),
            ("https://10.1.2.3", "::/0", false),
            ("https://[fd00::7]", "fd00::7", true),
            ("https://[fd00::7]", "[fd00::7]", true),
            ("https://[fd00::7]:81", "[fd00::7]:81", true),
            ("https://[fd00::7]", "[fd00::7]:81", false),
            ("https://[fd00::7]", "fd00::/8", true),
            ("https://[fd00::7]", "fe00::/8", false),
            ("https://[fd00::7]", "::/0", true),
            ("https://S.Example", "s.example", true),
            ("https://10.66051", "10.1.2.3", true),
            ("https://[fd00:0:0::7]", "fd00::7", true),
            ("https://bücher.example", "bücher.example", true),
            ("https://bücher.example", "*.BÜCHER.example", true),
            ("https://bücher.example", "xn--bcher-kva.example", true),
            ("https://a.bücher.example", ".bücher.example:443", true),
            ("https://xn--bcher-kva.example", "bücher.example", true),
            ("https://bücher.example", "büche.example", false),
            ("https://bücher.example", "ü", false),
        ] {
            assert_eq!(excepted(url, list), expected, "{url} {list:?}");
        }
        let lower = [("HTTPS_PROXY", "a"), ("no_proxy", "x"), ("NO_PROXY", "*")];
        assert_eq!(by("https://s.example", &lower), "http://a:80");
    }

    #[test]
    fn proxy_url_formats_are_parsed_and_redacted() {
        for (text, shown, url) in [
            ("proxy", "http://proxy:80", "http://proxy"),
            ("proxy:3128", "http://proxy:3128", "http://proxy:3128"),
            (
                "HTTP://proxy:3128/",
                "http://proxy:3128",
                "http://proxy:3128/",
            ),
            ("https://proxy", "https://proxy:443", "https://proxy"),
            (
                "http://[fd00::1]:80",
                "http://[fd00::1]:80",
                "http://[fd00::1]:80",
            ),
            (
                "u:p%40ss@proxy:1",
                "http://proxy:1",
                "http://u:p%40ss@proxy:1",
            ),
            // An @ in a password, which some transports would read as the end of it.
            (
                "u:p@ss@proxy:1",
                "http://proxy:1",
                "http://u:p%40ss@proxy:1",
            ),
            (
                "bücher.example:3128",
                "http://xn--bcher-kva.example:3128",
                "http://xn--bcher-kva.example:3128",
            ),
            ("PROXY:", "http://proxy:80", "http://proxy"),
            ("http://127.1", "http://127.0.0.1:80", "http://127.0.0.1"),
            (
                "https://proxy:443/a/../b",
                "https://proxy:443",
                "https://proxy:443/b",
            ),
        ] {
            let proxy = found("https://s.example", &[("HTTPS_PROXY", text)]);
            let proxy = proxy.unwrap().unwrap();
            assert_eq!((proxy.to_string().as_str(), proxy.url()), (shown, url));
            assert_eq!(proxy.variable(), "HTTPS_PROXY");
            assert!(!format!("{proxy:?}").contains("p%40ss"), "{proxy:?}");
        }
    }

    #[test]
    fn proxy_unusable_url_error_redacts_password() {
        for (text, word) in [
            ("socks5://u:canary@proxy:1080", "socks5"),
            ("socks5h://proxy", "socks5h"),
            ("ftp://proxy", "ftp"),
            ("http://", "http://HOST:PORT"),
            ("http://u:canary@", "http://HOST:PORT"),
            ("u:canary@proxy:port", "http://HOST:PORT"),
            ("can ary", "http://HOST:PORT"),
            ("canary://", "canary"),
            ("can/ary://x", "http://HOST:PORT"),
            ("http:///canary@", "no host"),
            ("http://u:canary@:80", "no host"),
            ("u:canary@ex%61mple", "%"),
            ("u:canary@\\proxy", "backslash"),
            ("http://u:canary@pro\txy", "tab"),
            ("u:canary@1.2.3.256", "IPv4"),
            ("u:canary@a{b", "not allowed in a URL"),
        ] {
            let error = found("https://s.example", &[("ALL_PROXY", text)]).unwrap_err();
            let message = error.to_string();
            assert!(error.is_invalid(), "{error}");
            assert!(
                message.contains("ALL_PROXY") && message.contains(word),
                "{text}: {message}"
            );
            assert!(
                !message.contains("canary@") && !message.contains("ary "),
                "{message}"
            );
            // The variable is not read for an excepted host.
            let set = [("ALL_PROXY", text), ("NO_PROXY", "example")];
            assert_eq!(by("https://s.example", &set), "direct");
        }
    }
}
