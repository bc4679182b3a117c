//! `GET /api/v1/beta/files/{file_id}/content`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{PresignedUrl, ROUTE};
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;
use crate::scope::{Scope, from_id, scope_setters};
use crate::semantics::Semantics;
use crate::text::json::read_json;
use crate::validation::ValidationErrors;

/// Requests a URL from which a file's content can be downloaded. Returns a [`PresignedUrl`](super::PresignedUrl), not
/// the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GetFileContent {
    /// The id of the file to download (`dfl-…`).
    pub file_id: String,
    /// Validity of the URL in seconds; the service's default if `None`.
    pub expires_at_seconds: Option<u64>,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

impl GetFileContent {
    /// Creates the operation for the file with this id.
    #[must_use]
    pub fn new(file_id: impl Into<String>) -> Self {
        Self {
            file_id: file_id.into(),
            expires_at_seconds: None,
            scope: Scope::default(),
        }
    }

    scope_setters!();

    /// Sets the validity of the URL in seconds, at least 1. The service calls it `expires_at_seconds`.
    #[must_use]
    pub fn expires_at_seconds(mut self, seconds: u64) -> Self {
        self.expires_at_seconds = Some(seconds);
        self
    }
}

from_id!(GetFileContent);

impl Operation for GetFileContent {
    type Output = PresignedUrl;

    fn name(&self) -> &'static str {
        "files.content"
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::safe()
    }

    fn validate(&self) -> Result<(), Error> {
        let mut errors = ValidationErrors::default();
        if self.expires_at_seconds == Some(0) {
            errors.add("expires_at_seconds", "is 0; the URL would expire at once");
        }
        errors.finish()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        let seconds = self.expires_at_seconds.map(|seconds| seconds.to_string());
        api.request(Method::GET, ROUTE)
            .segment("file_id", &self.file_id)?
            .then("/content")
            .query("expires_at_seconds", seconds.as_deref())
            .scope(&self.scope)
            .empty()
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<PresignedUrl, Error> {
        read_json(response)
    }

    fn annotate(&self, error: Error) -> Error {
        error.with_subject(&*self.file_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v2::examples::{api, ok};

    #[test]
    fn file_content_request_and_redacted_url() {
        let content = GetFileContent::new("dfl-1").expires_at_seconds(60);
        assert_eq!(
            content.build_request(&api()).unwrap().uri(),
            "https://api.example/api/v1/beta/files/dfl-1/content?expires_at_seconds=60"
        );
        let url = content
            .parse(ok(
                r#"{"url":"https://s.example/a?sig=canary","expires_at":"2019-12-27T18:11:19.117Z","form_fields":null}"#,
            ))
            .unwrap();
        assert_eq!(url.url.as_str(), "https://s.example/a?sig=canary");
        assert!(!format!("{url:?}").contains("canary"));
        assert!(
            GetFileContent::new("a")
                .expires_at_seconds(0)
                .build_request(&api())
                .is_err()
        );
    }
}
