//! Where requests go and in whose name: base URL, key, project, headers.

use std::fmt;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde::Serialize;

use crate::body::{Body, Framed};
use crate::error::Error;
use crate::operation::Scope;
use crate::text::unsaid;
use crate::text::url::{push_pair, push_segment};

const AGENT: &str = concat!("classify-rs/", env!("CARGO_PKG_VERSION"));

/// A region of the service. A key is valid in one region only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Region {
    /// North America.
    #[default]
    Na,
    /// Europe.
    Eu,
}

impl Region {
    /// The region's base URL.
    #[must_use]
    pub const fn base_url(self) -> &'static str {
        match self {
            Region::Na => "https://api.cloud.llamaindex.ai",
            Region::Eu => "https://api.cloud.eu.llamaindex.ai",
        }
    }
}

/// Where requests go and in whose name.
///
/// It is lent to machines at every step and never stored in one, so that a saved state holds no key. Cloning copies
/// a few short strings; share it in an `Arc` where that matters.
///
/// ```
/// use classify_proto::{Api, Region};
///
/// let api = Api::builder("llx-key").region(Region::Eu).project("my-project").build()?;
/// assert_eq!(api.base_url(), "https://api.cloud.eu.llamaindex.ai");
/// assert!(!format!("{api:?}").contains("llx-key"));
/// # Ok::<(), classify_proto::Error>(())
/// ```
#[derive(Clone)]
pub struct Api {
    base_url: String,
    scheme: Scheme,
    authority: Authority,
    /// Without a slash at its end.
    prefix: String,
    scope: Scope,
    headers: HeaderMap,
    checks: bool,
}

impl Api {
    /// Starts with a key, of the North American region unless told otherwise.
    pub fn builder(key: impl Into<String>) -> ApiBuilder {
        ApiBuilder {
            key: key.into(),
            base_url: Region::Na.base_url().to_owned(),
            scope: Scope::default(),
            headers: Vec::new(),
            agent: None,
            checks: true,
            plain_http: false,
        }
    }

    /// Starts with what the environment says, in the names that the official clients read. `lookup` is the driver's
    /// `std::env::var(name).ok()`, or the same for anything else that holds names and values.
    ///
    /// - the key: `LLAMA_CLOUD_API_KEY`, or `LLAMA_PARSE_API_KEY` where that is absent or empty
    /// - `LLAMA_CLOUD_BASE_URL`, unless it is absent or empty
    /// - `LLAMA_CLOUD_CUSTOM_HEADERS`, one `Name: value` a line
    ///
    /// A missing key is found by [`build`](ApiBuilder::build), which names the variable.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> ApiBuilder {
        let value = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let key = value("LLAMA_CLOUD_API_KEY").or_else(|| value("LLAMA_PARSE_API_KEY"));
        let mut builder = Self::builder(key.unwrap_or_default());
        if let Some(url) = value("LLAMA_CLOUD_BASE_URL") {
            builder = builder.base_url(url);
        }
        if let Some(headers) = value("LLAMA_CLOUD_CUSTOM_HEADERS") {
            for (name, value) in Self::parse_headers(&headers) {
                builder = builder.header(name, value);
            }
        }
        builder
    }

    /// The base URL, with its path prefix and without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The scheme and the host of the base URL.
    pub(crate) fn origin(&self) -> (&str, &Authority) {
        (self.scheme.as_str(), &self.authority)
    }

    /// The project that requests name unless they name another.
    #[must_use]
    pub fn project(&self) -> Option<&str> {
        self.scope.project_id.as_deref()
    }

    /// The organization that requests name unless they name another.
    #[must_use]
    pub fn organization(&self) -> Option<&str> {
        self.scope.organization_id.as_deref()
    }

    /// Whether the service's published limits are checked before sending.
    #[must_use]
    pub fn checks(&self) -> bool {
        self.checks
    }

    /// The extra headers in an environment variable's text: one `Name: value` a line; lines without a colon are
    /// passed over, as the official clients do.
    #[must_use]
    pub fn parse_headers(text: &str) -> Vec<(String, String)> {
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .filter(|(name, _)| !name.is_empty())
            .collect()
    }

    /// Takes the key out of a refusal that repeats it.
    pub(crate) fn unsay_key(&self, response: &mut http::Response<Bytes>) {
        if response.status().is_success() {
            return;
        }
        let value = self.headers.get(AUTHORIZATION);
        let key = value
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        if let Some(clean) = key.and_then(|key| unsaid::without(response.body(), key)) {
            *response.body_mut() = clean;
        }
    }

    pub(crate) fn request<'a>(&'a self, method: Method, path: &str) -> RequestBuilder<'a> {
        let mut target = String::with_capacity(self.prefix.len() + 128);
        target.push_str(&self.prefix);
        target.push_str(path);
        RequestBuilder {
            api: self,
            method,
            target,
            has_query: false,
        }
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers by name only: an extra header may hold a secret as well as Authorization does.
        f.debug_struct("Api")
            .field("base_url", &self.base_url)
            .field("project", &self.scope.project_id)
            .field("organization", &self.scope.organization_id)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("checks", &self.checks)
            .finish_non_exhaustive()
    }
}

/// Collects what an [`Api`] needs; every mistake is found by [`build`](Self::build).
#[derive(Clone)]
#[must_use]
pub struct ApiBuilder {
    key: String,
    base_url: String,
    scope: Scope,
    headers: Vec<(String, String)>,
    agent: Option<String>,
    checks: bool,
    plain_http: bool,
}

impl ApiBuilder {
    /// Sends requests to a region's base URL.
    pub fn region(self, region: Region) -> Self {
        self.base_url(region.base_url())
    }

    /// Sends requests to this base URL, whose path prefix is kept: `https://proxy.example/llama`.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// Names this project in every request that names none itself.
    pub fn project(mut self, id: impl Into<String>) -> Self {
        self.scope.project_id = Some(id.into());
        self
    }

    /// Names this organization in every request that names none itself.
    pub fn organization(mut self, id: impl Into<String>) -> Self {
        self.scope.organization_id = Some(id.into());
        self
    }

    /// Adds a header to every request. One that the core sets itself, such as `Authorization`, is replaced.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds the name of the embedding program to the `User-Agent`, after `classify-rs/<version>`.
    pub fn user_agent_suffix(mut self, suffix: impl Into<String>) -> Self {
        self.agent = Some(suffix.into());
        self
    }

    /// Whether the service's published limits are checked before sending. On by default; off is for the day when the
    /// service has raised a limit that this version still holds to.
    pub fn checks(mut self, checks: bool) -> Self {
        self.checks = checks;
        self
    }

    /// Allows `http://` to a host that is not this machine. The key and the documents then cross the network in the
    /// clear.
    pub fn allow_plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }

    /// Checks everything and makes the [`Api`].
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid), naming the setting: a missing or malformed key, a base URL without scheme
    /// or host or with a query, `http://` to another machine, a header that cannot be sent.
    pub fn build(self) -> Result<Api, Error> {
        let uri = parse_base(&self.base_url, self.plain_http)?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, agent(self.agent.as_deref())?);
        headers.insert(AUTHORIZATION, authorization(&self.key)?);
        let mut extra = HeaderMap::new();
        for (name, value) in &self.headers {
            let (name, value) = header(name, value)?;
            extra.append(name, value);
        }
        for name in extra.keys() {
            headers.remove(name);
        }
        headers.extend(extra);

        let prefix = uri.path().trim_end_matches('/').to_owned();
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(Error::invalid("base_url", "lacks a scheme or a host"));
        };
        Ok(Api {
            base_url: format!("{scheme}://{authority}{prefix}"),
            scheme,
            authority,
            prefix,
            scope: self.scope,
            headers,
            checks: self.checks,
        })
    }
}

impl fmt::Debug for ApiBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiBuilder")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

fn parse_base(text: &str, plain_http: bool) -> Result<Uri, Error> {
    let invalid = |message: String| Err(Error::invalid("base_url", message));
    let text = text.trim();
    if text.is_empty() {
        return invalid(
            "is empty; it should be a URL such as https://api.cloud.llamaindex.ai".to_owned(),
        );
    }
    if !text.contains("://") {
        return invalid(format!("{text:?} has no scheme; write https://{text}"));
    }
    if text.contains(['?', '#']) {
        return invalid(format!(
            "{text:?} has a query or a fragment; only a path prefix is kept"
        ));
    }
    let uri: Uri = match text.parse() {
        Ok(uri) => uri,
        Err(error) => {
            return invalid(format!(
                "{text:?} is not a URL: {error}; a host outside ASCII is written in its xn-- form"
            ));
        }
    };
    let Some(host) = uri.host().filter(|host| !host.is_empty()) else {
        return invalid(format!("{text:?} has no host"));
    };
    if uri
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'))
    {
        return invalid("holds a user name or a password; the key belongs in the key".to_owned());
    }
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if plain_http || is_loopback(host) => {}
        Some("http") => {
            return invalid(format!(
                "{text:?} would send the key and the documents in the clear; use https://, or allow plain http if that is meant"
            ));
        }
        _ => return invalid(format!("{text:?} has a scheme other than https and http")),
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

fn authorization(key: &str) -> Result<HeaderValue, Error> {
    let invalid = |message: &str| Error::invalid("api_key", message);
    if key.trim().is_empty() {
        return Err(invalid("is missing; set LLAMA_CLOUD_API_KEY or pass a key"));
    }
    if key.trim() != key {
        return Err(invalid(
            "begins or ends with white space; it was probably copied with a line break",
        ));
    }
    if key.to_ascii_lowercase().starts_with("bearer ") {
        return Err(invalid("begins with \"Bearer\"; pass the key alone"));
    }
    // Blanks inside are let through: the service's own documentation writes `My API Key`.
    if !key
        .bytes()
        .all(|byte| byte.is_ascii_graphic() || byte == b' ')
    {
        return Err(invalid(
            "holds a character that no key has: a control character or one outside ASCII",
        ));
    }
    let mut value = HeaderValue::try_from(format!("Bearer {key}"))
        .map_err(|_| invalid("cannot stand in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn agent(suffix: Option<&str>) -> Result<HeaderValue, Error> {
    let text = suffix.map_or_else(|| AGENT.to_owned(), |suffix| format!("{AGENT} {suffix}"));
    HeaderValue::try_from(text).map_err(|_| {
        Error::invalid(
            "user_agent_suffix",
            "holds a character that cannot stand in a header",
        )
    })
}

/// Headers that frame the message or name the host; a transport sets them, and two would contradict each other.
const FRAMING: [&str; 5] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "content-type",
];

pub(crate) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let field = || format!("headers[{:?}]", crate::text::service_words::one_line(name));
    let parsed: HeaderName = name
        .parse()
        .map_err(|_| Error::invalid(field(), "is not a header's name"))?;
    if FRAMING.contains(&parsed.as_str()) {
        return Err(Error::invalid(
            field(),
            "is set by the transport and cannot be replaced",
        ));
    }
    // The value may be a secret, so the error does not repeat it.
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        Error::invalid(
            field(),
            "has a value with a line break or a control character",
        )
    })?;
    value.set_sensitive(true);
    Ok((parsed, value))
}

/// A request in the making: method, path and query first, then one of the endings.
pub(crate) struct RequestBuilder<'a> {
    api: &'a Api,
    method: Method,
    /// Path and query in one piece, as they stand in the URL.
    target: String,
    has_query: bool,
}

impl RequestBuilder<'_> {
    /// Appends one segment to the path; `field` is the argument it came from.
    pub(crate) fn segment(mut self, field: &'static str, segment: &str) -> Result<Self, Error> {
        push_segment(&mut self.target, field, segment)?;
        Ok(self)
    }

    /// Appends fixed text to the path.
    pub(crate) fn then(mut self, path: &str) -> Self {
        self.target.push_str(path);
        self
    }

    pub(crate) fn query(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.push_pair(name, value);
        }
        self
    }

    pub(crate) fn query_all<S: AsRef<str>>(mut self, name: &str, values: &[S]) -> Self {
        for value in values {
            self.push_pair(name, value.as_ref());
        }
        self
    }

    fn push_pair(&mut self, name: &str, value: &str) {
        self.target.push(if self.has_query { '&' } else { '?' });
        self.has_query = true;
        push_pair(&mut self.target, name, value);
    }

    /// The project and the organization: the request's own, or the client's.
    pub(crate) fn scope(self, scope: &Scope) -> Self {
        let ours = &self.api.scope;
        let organization = scope
            .organization_id
            .as_deref()
            .or(ours.organization_id.as_deref());
        let project = scope.project_id.as_deref().or(ours.project_id.as_deref());
        self.query("organization_id", organization)
            .query("project_id", project)
    }

    pub(crate) fn empty(self) -> Result<http::Request<Body>, Error> {
        self.finish(Body::Empty, None)
    }

    pub(crate) fn json<T: Serialize>(self, body: &T) -> Result<http::Request<Body>, Error> {
        // Rules make most bodies about so long; growing to it would copy them several times over.
        let mut bytes = Vec::with_capacity(1024);
        serde_json::to_writer(&mut bytes, body).map_err(|error| {
            Error::invalid("body", format!("cannot be written as JSON: {error}"))
        })?;
        self.finish(
            Body::Bytes(bytes.into()),
            Some(HeaderValue::from_static("application/json")),
        )
    }

    pub(crate) fn multipart(
        self,
        boundary: &str,
        framed: Framed,
    ) -> Result<http::Request<Body>, Error> {
        let content_type =
            HeaderValue::try_from(format!("multipart/form-data; boundary={boundary}"))
                .map_err(|_| Error::invalid("boundary", "cannot stand in a header"))?;
        self.finish(Body::Framed(framed), Some(content_type))
    }

    fn finish(
        self,
        body: Body,
        content_type: Option<HeaderValue>,
    ) -> Result<http::Request<Body>, Error> {
        let too_long = |error: &dyn std::fmt::Display| {
            let what = format!("cannot be built: {error}; an argument is probably far too long");
            Error::invalid("url", what)
        };
        let mut parts = Parts::default();
        parts.scheme = Some(self.api.scheme.clone());
        parts.authority = Some(self.api.authority.clone());
        parts.path_and_query =
            Some(PathAndQuery::try_from(self.target).map_err(|error| too_long(&error))?);
        let uri = Uri::from_parts(parts).map_err(|error| too_long(&error))?;
        let mut request = http::Request::new(body);
        *request.method_mut() = self.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.api.headers.clone();
        if let Some(content_type) = content_type {
            request.headers_mut().insert(CONTENT_TYPE, content_type);
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(builder: ApiBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    #[test]
    fn a_prefix_is_kept() {
        for url in [
            "http://localhost:8080/llama/",
            "http://localhost:8080/llama",
        ] {
            let api = Api::builder("k").base_url(url).build().unwrap();
            let request = api
                .request(Method::GET, "/api/v2/classify")
                .empty()
                .unwrap();
            assert_eq!(request.uri(), "http://localhost:8080/llama/api/v2/classify");
        }
    }

    #[test]
    fn keys_that_cannot_be_right_are_refused_without_being_shown() {
        for key in [
            "",
            "  ",
            " canary",
            "canary\n",
            "Bearer canary",
            "canary ü",
            "can\u{7}ary",
        ] {
            let text = refused(Api::builder(key));
            assert!(
                text.contains("api_key") && !text.contains("canary"),
                "{text}"
            );
        }
    }

    #[test]
    fn base_urls_that_cannot_be_right_are_refused() {
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
    fn plain_http_stays_on_this_machine_unless_asked_for() {
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

    #[test]
    fn the_key_is_sensitive_and_never_printed() {
        let api = Api::builder("llx-canary")
            .header("X-Extra", "canary2")
            .build()
            .unwrap();
        let request = api.request(Method::GET, "/x").empty().unwrap();
        assert!(request.headers()[AUTHORIZATION].is_sensitive());
        assert_eq!(request.headers()[AUTHORIZATION], "Bearer llx-canary");
        let shown = format!(
            "{api:?} {request:?} {:?}",
            Api::builder("llx-canary").header("X-Extra", "canary2")
        );
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn headers_replace_ours_and_may_repeat_but_never_frame() {
        let api = Api::builder("k")
            .header("authorization", "Custom x")
            .header("x-a", "1")
            .header("x-a", "2")
            .user_agent_suffix("app/1")
            .build()
            .unwrap();
        let request = api.request(Method::GET, "/x").empty().unwrap();
        assert_eq!(request.headers().get_all(AUTHORIZATION).iter().count(), 1);
        assert_eq!(request.headers()[AUTHORIZATION], "Custom x");
        assert_eq!(request.headers().get_all("x-a").iter().count(), 2);
        assert_eq!(
            request.headers()[USER_AGENT],
            format!("{AGENT} app/1").as_str()
        );
        for (name, value) in [
            ("Content-Length", "3"),
            ("bad name", "x"),
            ("x-b", "a\r\nb: c"),
        ] {
            assert!(refused(Api::builder("k").header(name, value)).contains("headers["));
        }
    }

    #[test]
    fn headers_from_the_environment() {
        let pairs = Api::parse_headers("X-A: 1\n nothing \nX-B:2:3\r\n: x\n");
        assert_eq!(
            pairs,
            [
                ("X-A".to_owned(), "1".to_owned()),
                ("X-B".to_owned(), "2:3".to_owned())
            ]
        );
    }

    #[test]
    fn the_environment_fills_in_what_it_names() {
        let api = |pairs: &'static [(&str, &str)]| {
            Api::from_lookup(move |name| {
                let found = pairs.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
            .build()
        };
        let key = |api: &Api| api.headers[AUTHORIZATION].to_str().unwrap().to_owned();

        let both = api(&[("LLAMA_CLOUD_API_KEY", "a"), ("LLAMA_PARSE_API_KEY", "b")]).unwrap();
        assert_eq!(key(&both), "Bearer a");
        assert_eq!(both.base_url(), Region::Na.base_url());
        let second = api(&[
            ("LLAMA_CLOUD_API_KEY", ""),
            ("LLAMA_PARSE_API_KEY", "b"),
            ("LLAMA_CLOUD_BASE_URL", "https://proxy.example/llama/"),
            (
                "LLAMA_CLOUD_CUSTOM_HEADERS",
                "X-Team: blue\nstray\nX-Other: a: b",
            ),
        ])
        .unwrap();
        assert_eq!(key(&second), "Bearer b");
        assert_eq!(second.base_url(), "https://proxy.example/llama");
        assert_eq!(second.headers["x-team"], "blue");
        assert_eq!(second.headers["x-other"], "a: b");
        let none = api(&[("LLAMA_CLOUD_BASE_URL", "")]).unwrap_err();
        assert!(none.to_string().contains("LLAMA_CLOUD_API_KEY"), "{none}");
    }
}
