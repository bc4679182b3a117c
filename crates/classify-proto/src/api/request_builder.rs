//! Builds a request.

use http::header::CONTENT_TYPE;
use http::uri::{Parts, PathAndQuery};
use http::{HeaderValue, Method, Uri};
use serde::Serialize;

use super::Api;
use crate::body::{Body, Multipart};
use crate::error::Error;
use crate::scope::Scope;
use crate::text::url::{push_pair, push_segment};

/// A request that is being built: method, path and query first, then the body.
pub(crate) struct RequestBuilder<'a> {
    api: &'a Api,
    method: Method,
    /// Path and query, encoded.
    target: String,
    has_query: bool,
}

impl<'a> RequestBuilder<'a> {
    /// `target` is the path so far, including that of the base URL.
    pub(super) fn new(api: &'a Api, method: Method, target: String) -> Self {
        Self {
            api,
            method,
            target,
            has_query: false,
        }
    }

    /// Appends one segment to the path. `field` is the argument that errors name.
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

    /// Adds the project and the organization: those of the operation, or else those of the client.
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
        // Most bodies have about this size; growing to it would copy them several times.
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
        multipart: Multipart,
    ) -> Result<http::Request<Body>, Error> {
        let content_type = HeaderValue::try_from(format!(
            "multipart/form-data; boundary={boundary}"
        ))
        .map_err(|_| {
            Error::invalid(
                "boundary",
                "contains a character that is not allowed in a header",
            )
        })?;
        self.finish(Body::Multipart(multipart), Some(content_type))
    }

    fn finish(
        self,
        body: Body,
        content_type: Option<HeaderValue>,
    ) -> Result<http::Request<Body>, Error> {
        let too_long = |error: &dyn std::fmt::Display| {
            let what = format!("cannot be built: {error}; an argument is probably too long");
            Error::invalid("url", what)
        };
        let mut parts = Parts::default();
        parts.scheme = self.api.base_uri.scheme().cloned();
        parts.authority = self.api.base_uri.authority().cloned();
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
