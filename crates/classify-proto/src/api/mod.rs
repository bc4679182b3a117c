//! Settings of all requests: base URL, key, project, headers.

mod base_url;
mod request_builder;

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use crate::error::Error;
use crate::scope::Scope;
use crate::text::{quoted, redact};

pub(crate) use base_url::{is_local, is_loopback};
use request_builder::RequestBuilder;

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
    /// Returns the region's base URL.
    #[must_use]
    pub const fn base_url(self) -> &'static str {
        match self {
            Region::Na => "https://api.cloud.llamaindex.ai",
            Region::Eu => "https://api.cloud.eu.llamaindex.ai",
        }
    }
}

/// Parses the short name of a region, `na` or `eu`, in upper or lower case.
///
/// ```
/// use classify_proto::Region;
///
/// assert_eq!("EU".parse::<Region>()?, Region::Eu);
/// assert!("mars".parse::<Region>().is_err());
/// # Ok::<(), classify_proto::Error>(())
/// ```
impl FromStr for Region {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        [("na", Self::Na), ("eu", Self::Eu)]
            .into_iter()
            .find(|(known, _)| name.eq_ignore_ascii_case(known))
            .map(|(_, region)| region)
            .ok_or_else(|| {
                Error::invalid(
                    "region",
                    format!("is {}; known regions are na and eu", quoted(name)),
                )
            })
    }
}

/// The settings of all requests: base URL, key, project, organization and headers.
///
/// It is passed to machines at every step and never stored in one, so that saved states contain no key. Cloning copies
/// a few short strings; use an `Arc` to share it.
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
    base_uri: Uri,
    scope: Scope,
    headers: HeaderMap,
    validate: bool,
}

impl Api {
    /// Creates a builder with a key, for the North American region by default.
    pub fn builder(key: impl Into<String>) -> ApiBuilder {
        ApiBuilder {
            key: key.into(),
            base_url: Region::Na.base_url().to_owned(),
            scope: Scope::default(),
            headers: Vec::new(),
            environment: Vec::new(),
            agent: None,
            validate: true,
            plain_http: false,
        }
    }

    /// Creates a builder from environment variables, with the names of the official clients. `lookup` returns the value
    /// of a variable, such as `std::env::var(name).ok()`.
    ///
    /// - the key: `LLAMA_CLOUD_API_KEY`, or `LLAMA_PARSE_API_KEY` if that is absent or empty; white space, a byte order
    ///   mark and quotes around the key are removed, which `.env` files may leave
    /// - `LLAMA_CLOUD_BASE_URL`, unless it is absent or empty
    /// - `LLAMA_CLOUD_CUSTOM_HEADERS`, one `Name: value` per line; a header added with [`header`](ApiBuilder::header)
    ///   replaces one of these with the same name
    ///
    /// If the key is missing, [`build`](ApiBuilder::build) returns an error that names the variable.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> ApiBuilder {
        let value = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let key = |name: &str| {
            let text = lookup(name)?;
            Some(bare_key(&text).to_owned()).filter(|key| !key.is_empty())
        };
        let key = key("LLAMA_CLOUD_API_KEY").or_else(|| key("LLAMA_PARSE_API_KEY"));
        let mut builder = Self::builder(key.unwrap_or_default());
        if let Some(url) = value("LLAMA_CLOUD_BASE_URL") {
            builder = builder.base_url(url);
        }
        if let Some(headers) = value("LLAMA_CLOUD_CUSTOM_HEADERS") {
            builder.environment = Self::parse_headers(&headers);
        }
        builder
    }

    /// Returns the base URL as text, with its path and without a trailing slash. Journals record it.
    ///
    /// It is the text that was set, with the scheme in lower case and a non-ASCII host in Punycode.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Returns the base URL that requests are sent to: with the host in lower case and in Punycode, an IP address in
    /// its usual form, without a default port, dot segments or a trailing slash.
    ///
    /// ```
    /// use classify_proto::Api;
    ///
    /// let api = Api::builder("llx-key").base_url("https://Bücher.example:443/api").build()?;
    /// assert_eq!(api.base_uri(), "https://xn--bcher-kva.example/api");
    /// # Ok::<(), classify_proto::Error>(())
    /// ```
    #[must_use]
    pub fn base_uri(&self) -> &Uri {
        &self.base_uri
    }

    /// Returns the project of requests that set none; `None` for the key's default project.
    #[must_use]
    pub fn project(&self) -> Option<&str> {
        self.scope.project_id.as_deref()
    }

    /// Returns the organization of requests that set none; `None` for the key's default organization.
    #[must_use]
    pub fn organization(&self) -> Option<&str> {
        self.scope.organization_id.as_deref()
    }

    /// Returns `true` if requests are validated against the service's published limits. See [`ApiBuilder::validate`].
    #[must_use]
    pub fn validates(&self) -> bool {
        self.validate
    }

    /// Parses extra headers from the text of an environment variable, one `Name: value` per line. Lines without a colon
    /// are ignored, as by the official clients.
    #[must_use]
    pub fn parse_headers(text: &str) -> Vec<(String, String)> {
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .filter(|(name, _)| !name.is_empty())
            .collect()
    }

    /// Redacts the key and the values of extra headers in an error response: some gateways repeat them.
    ///
    /// A [`Call`](crate::machine::Call) redacts every response. Call this before
    /// [`Operation::parse`](crate::Operation::parse) in a program without a `Call`; otherwise an error's text may
    /// contain the key. A 2xx response is returned unchanged.
    #[must_use]
    pub fn redact(&self, mut response: http::Response<Bytes>) -> http::Response<Bytes> {
        self.redact_key(&mut response);
        response
    }

    /// Redacts the secrets in this client's headers.
    pub(crate) fn redact_key(&self, response: &mut http::Response<Bytes>) {
        let secrets = self.headers.values().filter(|value| value.is_sensitive());
        redact::redact_response(response, secrets.filter_map(|value| value.to_str().ok()));
    }

    pub(crate) fn request<'a>(&'a self, method: Method, path: &str) -> RequestBuilder<'a> {
        // An empty path is "/".
        let prefix = self.base_uri.path().trim_end_matches('/');
        let mut target = String::with_capacity(prefix.len() + 128);
        target.push_str(prefix);
        target.push_str(path);
        RequestBuilder::new(self, method, target)
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only header names: an extra header may be as secret as Authorization.
        f.debug_struct("Api")
            .field("base_url", &self.base_url)
            .field("project", &self.scope.project_id)
            .field("organization", &self.scope.organization_id)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("checks", &self.validate)
            .finish_non_exhaustive()
    }
}

/// Settings of an [`Api`]. [`build`](Self::build) checks all of them.
#[derive(Clone)]
#[must_use]
pub struct ApiBuilder {
    key: String,
    base_url: String,
    scope: Scope,
    headers: Vec<(String, String)>,
    /// Headers from the environment; those that the program adds replace them.
    environment: Vec<(String, String)>,
    agent: Option<String>,
    validate: bool,
    plain_http: bool,
}

impl ApiBuilder {
    /// Sets the base URL to a region's. Default: [`Region::Na`].
    pub fn region(self, region: Region) -> Self {
        self.base_url(region.base_url())
    }

    /// Sets the base URL. Its path is kept as a prefix, such as `https://proxy.example/llama`. The host may be an
    /// internationalized domain name.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// Sets the project of requests that set none. Default: the key's own project.
    pub fn project(mut self, id: impl Into<String>) -> Self {
        self.scope.project_id = Some(id.into());
        self
    }

    /// Sets the organization of requests that set none.
    pub fn organization(mut self, id: impl Into<String>) -> Self {
        self.scope.organization_id = Some(id.into());
        self
    }

    /// Adds a header to every request. It replaces a header of this crate, such as `Authorization`.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Appends the name of the embedding program to the `User-Agent`, after `classify-rs/<version>`.
    pub fn user_agent_suffix(mut self, suffix: impl Into<String>) -> Self {
        self.agent = Some(suffix.into());
        self
    }

    /// Sets whether requests are validated against the service's published limits. Default: `true`. Turn it off if the
    /// service has raised a limit that this version does not know yet.
    pub fn validate(mut self, validate: bool) -> Self {
        self.validate = validate;
        self
    }

    /// Allows `http://` to a host that is not this machine. The key and the documents are then sent unencrypted.
    pub fn allow_plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }

    /// Checks all settings and returns the [`Api`].
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid), naming the setting: a missing or malformed key, a base URL that is not a URL
    /// or contains credentials, a query or a fragment, `http://` to another machine, a header that cannot be sent.
    pub fn build(self) -> Result<Api, Error> {
        let base_url = base_url::parse_base(&self.base_url, self.plain_http)?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, agent(self.agent.as_deref())?);
        headers.insert(AUTHORIZATION, authorization(&self.key)?);
        let mut extra = HeaderMap::new();
        for (name, value) in &self.headers {
            let (name, value) = header(name, value)?;
            extra.append(name, value);
        }
        let mut of_environment = HeaderMap::new();
        for (name, value) in &self.environment {
            let (name, value) = header(name, value)?;
            if !extra.contains_key(&name) {
                of_environment.append(name, value);
            }
        }
        extra.extend(of_environment);
        for name in extra.keys() {
            headers.remove(name);
        }
        headers.extend(extra);

        Ok(Api {
            base_url: base_url.text,
            base_uri: base_url.uri,
            scope: self.scope,
            headers,
            validate: self.validate,
        })
    }
}

/// A key without white space, a byte order mark, and one pair of quotes.
fn bare_key(text: &str) -> &str {
    let trim = |text| str::trim_matches(text, |c: char| c.is_whitespace() || c == '\u{feff}');
    let text = trim(text);
    let inner = ['"', '\'']
        .into_iter()
        .find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote));
    inner.map_or(text, trim)
}

impl fmt::Debug for ApiBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiBuilder")
            // Not validated yet: it may be anything, such as a key or a password.
            .field("base_url", &base_url::origin(&self.base_url))
            .finish_non_exhaustive()
    }
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
    // Spaces inside are allowed: the service's own documentation writes `My API Key`.
    if !key
        .bytes()
        .all(|byte| byte.is_ascii_graphic() || byte == b' ')
    {
        return Err(invalid(
            "contains a control character or a character outside ASCII, which no key has",
        ));
    }
    let mut value = HeaderValue::try_from(format!("Bearer {key}"))
        .map_err(|_| invalid("contains a character that is not allowed in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn agent(suffix: Option<&str>) -> Result<HeaderValue, Error> {
    let text = suffix.map_or_else(|| AGENT.to_owned(), |suffix| format!("{AGENT} {suffix}"));
    HeaderValue::try_from(text).map_err(|_| {
        Error::invalid(
            "user_agent_suffix",
            "contains a character that is not allowed in a header",
        )
    })
}

/// Headers of the framing and the host, which the transport sets: a second one would contradict it.
const FRAMING_HEADERS: [&str; 5] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "content-type",
];

pub(crate) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let field = || format!("headers[{:?}]", crate::text::error_body::one_line(name));
    let parsed: HeaderName = name
        .parse()
        .map_err(|_| Error::invalid(field(), "is not a valid header name"))?;
    if FRAMING_HEADERS.contains(&parsed.as_str()) {
        return Err(Error::invalid(
            field(),
            "is set by the transport and cannot be replaced",
        ));
    }
    // The value may be secret, so the error does not quote it.
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        Error::invalid(
            field(),
            "has a value with a line break or a control character",
        )
    })?;
    value.set_sensitive(true);
    Ok((parsed, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn refused(builder: ApiBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    #[test]
    fn api_key_of_environment_is_trimmed_of_white_space_and_quotes() {
        for text in [
            "llx-a1",
            " llx-a1\r\n",
            "\"llx-a1\"",
            " 'llx-a1' \n",
            "\u{feff}llx-a1",
        ] {
            let api =
                Api::from_lookup(|name| (name == "LLAMA_CLOUD_API_KEY").then(|| text.to_owned()));
            let api = api.build().unwrap();
            assert_eq!(api.headers[AUTHORIZATION], "Bearer llx-a1", "{text:?}");
        }
        // A variable that contains only quotes is empty, and the next one is used.
        let api = Api::from_lookup(|name| match name {
            "LLAMA_CLOUD_API_KEY" => Some("\"\"".to_owned()),
            "LLAMA_PARSE_API_KEY" => Some("llx-b2".to_owned()),
            _ => None,
        });
        assert_eq!(api.build().unwrap().headers[AUTHORIZATION], "Bearer llx-b2");
    }

    #[test]
    fn base_url_path_prefix_is_kept() {
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
    fn validation_api_key_error_redacts_key() {
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
    fn redact_api_key_and_headers_in_debug() {
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
    fn redact_secret_headers_in_error_response() {
        use crate::operation::Operation as _;

        let output = "no: llx-canary, canary-1, Basic canary-1, canary-22";
        let refusal = |status: u16| {
            let body = serde_json::json!({ "detail": output }).to_string();
            http::Response::builder()
                .status(status)
                .body(Bytes::from(body))
                .unwrap()
        };
        let api = Api::builder("llx-canary")
            .header("x-token", "canary-22")
            .header("proxy-authorization", "Basic canary-1")
            .build()
            .unwrap();
        let error = crate::v2::GetJob::new("1")
            .parse(api.redact(refusal(403)))
            .unwrap_err();
        assert_eq!(
            error.message(),
            "no: [redacted], [redacted], [redacted], [redacted]"
        );
        let own = Api::builder("llx-canary")
            .header("authorization", "canary-1")
            .build()
            .unwrap();
        let cleaned = own.redact(refusal(500));
        assert!(!String::from_utf8_lossy(cleaned.body()).contains("canary-1"));
        // Only error responses are redacted.
        assert_eq!(api.redact(refusal(200)).body(), refusal(200).body());
    }

    #[test]
    fn headers_override_defaults_and_framing_headers_are_errors() {
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
    fn headers_are_parsed_from_environment_text() {
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
    fn config_from_environment_variables() {
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
        let explicit = Api::from_lookup(|name| {
            Some(
                match name {
                    "LLAMA_CLOUD_CUSTOM_HEADERS" => "X-Team: blue\nX-Team: red\nX-Other: c",
                    _ => "k",
                }
                .to_owned(),
            )
            .filter(|_| name != "LLAMA_CLOUD_BASE_URL")
        })
        .header("x-team", "green")
        .build()
        .unwrap();
        let teams: Vec<_> = explicit.headers.get_all("x-team").iter().collect();
        assert_eq!(
            teams,
            ["green"],
            "what a program says wins over its environment"
        );
        assert_eq!(explicit.headers["x-other"], "c");
        let none = api(&[("LLAMA_CLOUD_BASE_URL", "")]).unwrap_err();
        assert!(none.to_string().contains("LLAMA_CLOUD_API_KEY"), "{none}");
    }
}
