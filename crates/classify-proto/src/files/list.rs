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
    /// In what order files are listed. Older servers took other texts, which can be given too.
    pub enum OrderBy {
        /// By name, from A to Z.
        Name = "name",
        /// By id.
        Id = "id",
        /// The newest first.
        CreatedAt = "created_at",
    }
}

/// Lists files, a page at a time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ListFiles {
    /// Items per page; `None` leaves it to the service.
    pub page_size: Option<u32>,
    /// The token of the page to read; `None` for the first page.
    pub page_token: Option<String>,
    /// The ids of the files.
    pub file_ids: Vec<String>,
    /// Only files of this name.
    pub file_name: Option<String>,
    /// The caller's own id of the file.
    pub external_file_id: Option<String>,
    /// The order of the list; `None` leaves it to the service.
    pub order_by: Option<OrderBy>,
    /// Parts to include that the service leaves out by default.
    pub expand: Vec<String>,
    /// The project and organization.
    pub scope: Scope,
}

impl ListFiles {
    /// Lists every file of the project.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    scope_setters!();

    /// How many files a page holds: 1 to 1000; 50 unless told otherwise.
    #[must_use]
    pub fn page_size(mut self, files: u32) -> Self {
        self.page_size = Some(files);
        self
    }

    /// Starts at the page of this token.
    #[must_use]
    pub fn page_token(mut self, token: impl Into<String>) -> Self {
        self.page_token = Some(token.into());
        self
    }

    /// Only these files.
    #[must_use]
    pub fn file_ids<S: Into<String>>(mut self, ids: impl IntoIterator<Item = S>) -> Self {
        self.file_ids = ids.into_iter().map(Into::into).collect();
        self
    }

    /// Only files of exactly this name.
    #[must_use]
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.file_name = Some(name.into());
        self
    }

    /// Only files that were uploaded under this id of the caller's own.
    #[must_use]
    pub fn external_file_id(mut self, id: impl Into<String>) -> Self {
        self.external_file_id = Some(id.into());
        self
    }

    /// In this order.
    #[must_use]
    pub fn order_by(mut self, order: impl Into<OrderBy>) -> Self {
        self.order_by = Some(order.into());
        self
    }

    /// Asks for a part that is left out by default. `download_url` is the only one published.
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
