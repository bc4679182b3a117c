//! `GET /api/v1/beta/files/{file_id}`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{File, ROUTE};
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;
use crate::scope::{Scope, from_id, scope_setters};
use crate::semantics::Semantics;
use crate::text::json::read_json;

/// Reads the metadata of a file. Returns a [`File`](super::File).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GetFile {
    /// The id of the file to read (`dfl-…`).
    pub file_id: String,
    /// Parts to include that the service omits by default.
    pub expand: Vec<String>,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

impl GetFile {
    /// Creates the operation for the file with this id.
    #[must_use]
    pub fn new(file_id: impl Into<String>) -> Self {
        Self {
            file_id: file_id.into(),
            expand: Vec::new(),
            scope: Scope::default(),
        }
    }

    scope_setters!();

    /// Includes a part that the service omits by default. The only documented one is `download_url`.
    #[must_use]
    pub fn expand(mut self, part: impl Into<String>) -> Self {
        self.expand.push(part.into());
        self
    }
}

from_id!(GetFile);

impl Operation for GetFile {
    type Output = File;

    fn name(&self) -> &'static str {
        "files.get"
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::safe()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        api.request(Method::GET, ROUTE)
            .segment("file_id", &self.file_id)?
            .query_all("expand", &self.expand)
            .scope(&self.scope)
            .empty()
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<File, Error> {
        read_json(response)
    }

    fn annotate(&self, error: Error) -> Error {
        error.with_subject(&*self.file_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::examples;
    use crate::v2::examples::{api, ok};

    #[test]
    fn file_get_request_and_response() {
        let get = GetFile::new("dfl-1").expand("download_url");
        assert_eq!(
            get.build_request(&api()).unwrap().uri(),
            "https://api.example/api/v1/beta/files/dfl-1?expand=download_url"
        );
        let file = get.parse(ok(examples::FILE)).unwrap();
        assert_eq!(file.file_type.as_deref(), Some("pdf"));
    }

    #[test]
    fn url_file_id_is_encoded_as_one_segment() {
        let request = GetFile::new("a/b c?d#e").build_request(&api()).unwrap();
        assert_eq!(request.uri().path(), "/api/v1/beta/files/a%2Fb%20c%3Fd%23e");
        for id in ["", ".", ".."] {
            let error = GetFile::new(id).build_request(&api()).unwrap_err();
            assert!(error.to_string().contains("file_id"), "{error}");
        }
    }
}
