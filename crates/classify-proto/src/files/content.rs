//! `GET /api/v1/beta/files/{file_id}/content`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{PresignedUrl, ROUTE};
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::{
    Idempotency, Operation, RateClass, Scope, ValidationErrors, read_json, scope_setters,
};

/// Asks where a file's content can be fetched. The answer is a URL and not the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetFileContent {
    file_id: String,
    expires_at_seconds: Option<u64>,
    scope: Scope,
}

impl GetFileContent {
    /// Asks for the content of the file of this id.
    #[must_use]
    pub fn new(file_id: impl Into<String>) -> Self {
        Self {
            file_id: file_id.into(),
            expires_at_seconds: None,
            scope: Scope::default(),
        }
    }

    scope_setters!();

    /// When the URL is to expire, in seconds; the service's parameter is called `expires_at_seconds`.
    #[must_use]
    pub fn expires_at_seconds(mut self, seconds: u64) -> Self {
        self.expires_at_seconds = Some(seconds);
        self
    }
}

impl Operation for GetFileContent {
    type Output = PresignedUrl;

    const NAME: &'static str = "files.content";

    fn idempotency(&self) -> Idempotency {
        Idempotency::Safe
    }

    fn rate_class(&self) -> RateClass {
        RateClass::Other
    }

    fn validate(&self) -> Result<(), Error> {
        let mut errors = ValidationErrors::default();
        if self.expires_at_seconds == Some(0) {
            errors.add("expires_at_seconds", "is 0; the URL would never work");
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
    fn the_request_and_its_answer() {
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
