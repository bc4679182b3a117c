//! `GET /api/v1/beta/files`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{File, ROUTE};
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, paged};
use crate::scope::{Scope, scope_setters};
use crate::semantics::Semantics;
use crate::text::json::read_json;
use crate::text::open_enum::open_enum;
use crate::validation::ValidationErrors;

open_enum! {
    /// The order of a list of files. Other values are sent unchanged, for servers that know others.
    pub enum OrderBy {
        /// By name, A to Z.
        Name = "name",
        /// By id.
        Id = "id",
        /// Newest first.
        CreatedAt = "created_at",
    }
}

/// Lists files, one page per request.
///
/// ```
/// use classify_proto::files::{ListFiles, OrderBy};
///
/// let list = ListFiles::new().page_size(100).order_by(OrderBy::CreatedAt);
/// # let _ = list;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ListFiles {
    /// Files per page, 1 to 1000; 50 if `None`.
    pub page_size: Option<u32>,
    /// The token of the page to return; the first page if `None`.
    pub page_token: Option<String>,
    /// Only files with these ids; all files if empty.
    pub file_ids: Vec<String>,
    /// Only files with exactly this name.
    pub file_name: Option<String>,
    /// Only files uploaded with this id of the caller.
    pub external_file_id: Option<String>,
    /// The order of the list; the service's default if `None`.
    pub order_by: Option<OrderBy>,
    /// Parts to include that the service omits by default.
    pub expand: Vec<String>,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

impl ListFiles {
    /// Creates the operation for all files of the project.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    scope_setters!();

    /// Sets the number of files per page: 1 to 1000, 50 by default.
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

    /// Returns only the files with these ids.
    #[must_use]
    pub fn file_ids<S: Into<String>>(mut self, ids: impl IntoIterator<Item = S>) -> Self {
        self.file_ids = ids.into_iter().map(Into::into).collect();
        self
    }

    /// Returns only files with exactly this name.
    #[must_use]
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.file_name = Some(name.into());
        self
    }

    /// Returns only files that were uploaded with this id of the caller.
    #[must_use]
    pub fn external_file_id(mut self, id: impl Into<String>) -> Self {
        self.external_file_id = Some(id.into());
        self
    }

    /// Sets the order of the list.
    #[must_use]
    pub fn order_by(mut self, order: impl Into<OrderBy>) -> Self {
        self.order_by = Some(order.into());
        self
    }

    /// Includes a part that the service omits by default. The only documented one is `download_url`.
    #[must_use]
    pub fn expand(mut self, part: impl Into<String>) -> Self {
        self.expand.push(part.into());
        self
    }

    pub(crate) fn scoped(mut self, scope: &Scope) -> Self {
        self.scope = scope.clone();
        self
    }
}

impl Operation for ListFiles {
    type Output = Page<File>;

    fn name(&self) -> &'static str {
        "files.list"
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::safe()
    }

    fn validate(&self) -> Result<(), Error> {
        let mut errors = ValidationErrors::default();
        errors.page_size(self.page_size, Some(1000));
        errors.finish()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        let page_size = self.page_size.map(|size| size.to_string());
        api.request(Method::GET, ROUTE)
            .query_all("expand", &self.expand)
            .query("external_file_id", self.external_file_id.as_deref())
            .query_all("file_ids", &self.file_ids)
            .query("file_name", self.file_name.as_deref())
            .query("order_by", self.order_by.as_ref().map(OrderBy::as_str))
            .query("page_size", page_size.as_deref())
            .query("page_token", self.page_token.as_deref())
            .scope(&self.scope)
            .empty()
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<Page<File>, Error> {
        read_json(response)
    }
}

paged!(ListFiles of File);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::examples;
    use crate::v2::examples::{api, ok};

    #[test]
    fn file_list_sends_every_filter_and_repeated_keys() {
        let list = ListFiles::new()
            .page_size(1000)
            .page_token("t")
            .file_ids(["1", "2"])
            .file_name("a b.pdf")
            .external_file_id("ext-1")
            .order_by(OrderBy::CreatedAt)
            .expand("download_url")
            .project("p");
        assert_eq!(
            list.build_request(&api()).unwrap().uri().query().unwrap(),
            "expand=download_url&external_file_id=ext-1&file_ids=1&file_ids=2&file_name=a%20b.pdf\
             &order_by=created_at&page_size=1000&page_token=t&project_id=p"
        );
        let page = list
            .parse(ok(format!(
                r#"{{"items":[{}],"next_page_token":""}}"#,
                examples::FILE
            )))
            .unwrap();
        assert_eq!(page.items.len(), 1);
        assert_eq!(page.next_page_token, None);
    }

    #[test]
    fn validation_file_list_page_size_is_1_to_1000() {
        for size in [0, 1001] {
            assert!(
                ListFiles::new()
                    .page_size(size)
                    .build_request(&api())
                    .is_err()
            );
        }
    }
}
