//! `POST /api/v1/beta/files/query`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{File, OrderBy, ROUTE};
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, paged};
use crate::scope::{Scope, scope_setters};
use crate::semantics::{Idempotency, Semantics};
use crate::text::json::read_json;
use crate::validation::ValidationErrors;

/// Lists files by a filter, one page per request. Deprecated by the service in favor of
/// [`ListFiles`](super::ListFiles).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QueryFiles {
    /// The conditions; all files if `None`.
    pub filter: Option<Filter>,
    /// The order of the list; the service's default if `None`.
    pub order_by: Option<OrderBy>,
    /// Files per page; the service's default if `None`.
    pub page_size: Option<u32>,
    /// The token of the page to return; the first page if `None`.
    pub page_token: Option<String>,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

/// The conditions of a [`QueryFiles`]. A file must meet all that are set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Filter {
    /// Only files of this data source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_source_id: Option<String>,
    /// Only files uploaded with this id of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_file_id: Option<String>,
    /// Only files with these ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_ids: Option<Vec<String>>,
    /// Only files with exactly this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// Only files that were uploaded, and none that were imported from a data source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_manually_uploaded: Option<bool>,
    /// Only files of this project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
}

impl Filter {
    /// Creates a filter without conditions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl QueryFiles {
    /// Creates the operation for all files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    scope_setters!();

    /// Returns only files that match this filter.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Sets the order of the list.
    #[must_use]
    pub fn order_by(mut self, order: impl Into<OrderBy>) -> Self {
        self.order_by = Some(order.into());
        self
    }

    /// Sets the number of files per page: at least 1; the service returns at most 1000.
    #[must_use]
    pub fn page_size(mut self, files: u32) -> Self {
        self.page_size = Some(files);
        self
    }

    /// Sets the token of the page to return.
    #[must_use]
    pub fn page_token(mut self, token: impl Into<String>) -> Self {
        self.page_token = Some(token.into());
        self
    }
}

#[derive(Serialize)]
struct QueryFilesBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<&'a Filter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_by: Option<&'a OrderBy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_token: Option<&'a str>,
}

impl Operation for QueryFiles {
    type Output = Page<File>;

    fn name(&self) -> &'static str {
        "files.query"
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::new(
            // A POST that changes nothing.
            Idempotency::Safe,
        )
    }

    fn validate(&self) -> Result<(), Error> {
        let mut errors = ValidationErrors::default();
        // The service treats a larger size as 1000.
        errors.page_size(self.page_size, None);
        errors.finish()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        api.request(Method::POST, ROUTE)
            .then("/query")
            .scope(&self.scope)
            .json(&QueryFilesBody {
                filter: self.filter.as_ref(),
                order_by: self.order_by.as_ref(),
                page_size: self.page_size,
                page_token: self.page_token.as_deref(),
            })
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<Page<File>, Error> {
        read_json(response)
    }
}

paged!(QueryFiles of File);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::examples;
    use crate::page::Paged as _;
    use crate::v2::examples::{api, ok};

    #[test]
    fn file_query_sends_filter_and_page_token_in_body() {
        let mut filter = Filter::new();
        filter.external_file_id = Some("ext-1".to_owned());
        filter.only_manually_uploaded = Some(true);
        let query = QueryFiles::new()
            .filter(filter)
            .order_by("name")
            .page_size(2)
            .project("p")
            .with_page_token(Some("t".to_owned()));
        let request = query.build_request(&api()).unwrap();
        assert_eq!(
            request.uri(),
            "https://api.example/api/v1/beta/files/query?project_id=p"
        );
        let body: serde_json::Value =
            serde_json::from_slice(&request.body().in_memory().unwrap()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "filter": {"external_file_id": "ext-1", "only_manually_uploaded": true},
                "order_by": "name", "page_size": 2, "page_token": "t",
            })
        );
        let body = QueryFiles::new()
            .build_request(&api())
            .unwrap()
            .body()
            .in_memory();
        assert_eq!(&body.unwrap()[..], b"{}");
        let page = query
            .parse(ok(format!(r#"{{"items":[{}]}}"#, examples::FILE)))
            .unwrap();
        assert_eq!(page.items[0].name.as_deref(), Some("invoice.pdf"));
    }
}
