//! A call to an endpoint that this crate does not know.

use std::fmt;

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;
use crate::scope::{Scope, scope_setters};
use crate::semantics::{Idempotency, Semantics};
use crate::text::json::read_json;
use crate::text::{quoted, redact};

/// A call to an endpoint that this crate does not know. Returns the JSON of the response.
///
/// It is sent to the client's base URL, with the client's key, project and organization. `idempotency` decides whether
/// it is sent again.
///
/// ```
/// use classify_proto::{Api, Operation, Idempotency, RawOperation, http::Method};
///
/// let api = Api::builder("llx-key").build()?;
/// let read = RawOperation::new(Method::GET, "/api/v2/batches", Idempotency::Safe)
///     .segment("btc 1")
///     .query("expand", "results");
/// let request = read.build_request(&api)?;
/// assert_eq!(request.uri().path(), "/api/v2/batches/btc%201");
/// assert_eq!(request.uri().query(), Some("expand=results"));
/// # Ok::<(), classify_proto::Error>(())
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct RawOperation {
    #[serde(serialize_with = "write_method", deserialize_with = "read_method")]
    method: Method,
    path: Vec<PathPart>,
    query: Vec<(String, String)>,
    body: Option<Value>,
    idempotency: Idempotency,
    scope: Scope,
}

/// Fixed text or one variable segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PathPart {
    /// Fixed text, sent unchanged.
    Fixed(String),
    /// One segment, encoded when it is sent.
    Segment(String),
}

impl RawOperation {
    /// Creates an operation for `path`, which begins with a slash, is sent unchanged, and has no query. Pass ids to
    /// [`segment`](Self::segment), which encodes them.
    #[must_use]
    pub fn new(method: Method, path: impl Into<String>, idempotency: Idempotency) -> Self {
        Self {
            method,
            path: vec![PathPart::Fixed(path.into())],
            query: Vec::new(),
            body: None,
            idempotency,
            scope: Scope::default(),
        }
    }

    scope_setters!();

    /// Appends one segment to the path and encodes it.
    #[must_use]
    pub fn segment(mut self, segment: impl Into<String>) -> Self {
        self.path.push(PathPart::Segment(segment.into()));
        self
    }

    /// Appends fixed text to the path. It begins with a slash.
    #[must_use]
    pub fn then(mut self, path: impl Into<String>) -> Self {
        self.path.push(PathPart::Fixed(path.into()));
        self
    }

    /// Adds a query parameter. A name may be added several times.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Sets the JSON body. It is part of a saved state, so it should not contain a secret.
    #[must_use]
    pub fn json(mut self, body: impl Into<Value>) -> Self {
        self.body = Some(body.into());
        self
    }
}

impl fmt::Debug for RawOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The names of the query and whether there is a body: values may be secret.
        let names: Vec<_> = self.query.iter().map(|(name, _)| name).collect();
        f.debug_struct("RawOperation")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &names)
            .field("has_body", &self.body.is_some())
            .field("idempotency", &self.idempotency)
            .finish_non_exhaustive()
    }
}

/// Whether text can be a path or the end of one: a slash, and segments that are neither empty nor `.` nor `..`.
fn is_path(text: &str) -> bool {
    // Percent signs are allowed, so that a caller can encode a segment; encoded dot segments are not.
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".contains(&byte));
    let Some(segments) = text.strip_prefix('/') else {
        return false;
    };
    plain
        && segments.split('/').all(|segment| {
            let decoded = segment.to_ascii_lowercase().replace("%2e", ".");
            !matches!(&*decoded, "" | "." | "..")
        })
}

impl Operation for RawOperation {
    type Output = Value;

    fn name(&self) -> &'static str {
        "untyped"
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::new(self.idempotency)
    }

    fn secrets(&self) -> Vec<String> {
        let fields = self.body.iter().filter_map(Value::as_object).flatten();
        redact::secrets_in(fields)
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        let mut request = api.request(self.method.clone(), "");
        for part in &self.path {
            request = match part {
                PathPart::Fixed(text) if is_path(text) => request.then(text),
                PathPart::Fixed(text) => {
                    return Err(Error::invalid(
                        "path",
                        format!(
                            "{} is not a path such as /api/v2/classify; pass queries to `query` and ids to `segment`",
                            quoted(text)
                        ),
                    ));
                }
                PathPart::Segment(text) => request.segment("path", text)?,
            };
        }
        for (name, value) in &self.query {
            request = request.query(name, Some(value));
        }
        let request = request.scope(&self.scope);
        match &self.body {
            Some(body) => request.json(body),
            None => request.empty(),
        }
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<Value, Error> {
        if response.body().is_empty() {
            Ok(Value::Null)
        } else {
            read_json(response)
        }
    }

    fn annotate(&self, error: Error) -> Error {
        let path: Vec<_> = self
            .path
            .iter()
            .map(|part| match part {
                PathPart::Fixed(text) => text.clone(),
                PathPart::Segment(text) => format!("/{text}"),
            })
            .collect();
        error.with_subject(format!("{} {}", self.method, path.concat()))
    }
}

fn write_method<S: Serializer>(method: &Method, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(method.as_str())
}

fn read_method<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Method, D::Error> {
    String::deserialize(deserializer)?
        .parse()
        .map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v2::examples::{api, ok};
    use serde_json::json;

    fn get(path: &str) -> RawOperation {
        RawOperation::new(Method::GET, path, Idempotency::Safe)
    }

    #[test]
    fn raw_operation_request_parts_and_response() {
        let call = RawOperation::new(Method::PUT, "/api/v9/things", Idempotency::Idempotent)
            .segment("a/b")
            .then("/parts")
            .query("x", "1")
            .query("x", "a b")
            .json(json!({"k": [1]}))
            .project("p");
        let request = call.build_request(&api()).unwrap();
        assert_eq!(request.method(), Method::PUT);
        assert_eq!(
            request.uri(),
            "https://api.example/api/v9/things/a%2Fb/parts?x=1&x=a%20b&project_id=p"
        );
        assert_eq!(&request.body().in_memory().unwrap()[..], br#"{"k":[1]}"#);
        assert_eq!(call.parse(ok("[1]")).unwrap(), json!([1]));
        assert_eq!(call.parse(ok("")).unwrap(), Value::Null);
        assert!(call.parse(ok("<html>")).unwrap_err().is_decode());
        let saved = serde_json::to_string(&call).unwrap();
        assert_eq!(serde_json::from_str::<RawOperation>(&saved).unwrap(), call);
    }

    #[test]
    fn redact_raw_operation_values_in_debug() {
        let call = get("/x").query("token", "canary").json("canary");
        let shown = format!("{call:?}");
        assert!(
            shown.contains("token") && !shown.contains("canary"),
            "{shown}"
        );
    }

    #[test]
    fn validation_raw_operation_path_stays_on_base_url() {
        for path in [
            "",
            "api/v2",
            "//evil.example/x",
            "/a//b",
            "/a/",
            "/a/../b",
            "/a/%2e%2E/b",
            "/a/.",
            "/a?b=c",
            "/a#b",
            "/a b",
            "/a\r\nb",
            "/é",
            "https://evil.example/",
            "@evil.example/",
        ] {
            let error = get(path).build_request(&api()).unwrap_err();
            assert!(error.is_invalid(), "{path}");
        }
        assert!(get("/a").then("b").build_request(&api()).is_err());
        assert!(get("/a").segment("..").build_request(&api()).is_err());
        let request = get("/a").then("/...").build_request(&api()).unwrap();
        assert_eq!(request.uri(), "https://api.example/a/...");
    }

    #[test]
    fn raw_operation_error_names_endpoint() {
        let response = http::Response::builder()
            .status(404)
            .body(Bytes::new())
            .unwrap();
        let error = get("/api/v9/x").segment("1").parse(response).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("GET /api/v9/x/1: untyped: 404"),
            "{error}"
        );
    }
}
