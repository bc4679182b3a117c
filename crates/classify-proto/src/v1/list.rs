//! `GET /api/v1/classifier/jobs`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{Job, ROUTE};
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, paged};
use crate::scope::{Scope, scope_setters};
use crate::semantics::Semantics;
use crate::text::json::read_json;
use crate::validation::ValidationErrors;

/// Lists v1 jobs, one page per request, without filters. Deprecated, like all of [`v1`](super).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ListJobs {
    /// Jobs per page; the service's default if `None`.
    pub page_size: Option<u32>,
    /// The token of the page to return; the first page if `None`.
    pub page_token: Option<String>,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

impl ListJobs {
    /// Creates the operation for all v1 jobs of the project.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    scope_setters!();

    /// Sets the number of jobs per page: at least 1. No maximum is documented.
    #[must_use]
    pub fn page_size(mut self, jobs: u32) -> Self {
        self.page_size = Some(jobs);
        self
    }

    /// Sets the token of the page to return.
    #[must_use]
    pub fn page_token(mut self, token: impl Into<String>) -> Self {
        self.page_token = Some(token.into());
        self
    }

    pub(crate) fn scoped(mut self, scope: &Scope) -> Self {
        self.scope = scope.clone();
        self
    }
}

impl Operation for ListJobs {
    type Output = Page<Job>;

    fn name(&self) -> &'static str {
        "classifier.jobs.list"
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::safe()
    }

    fn validate(&self) -> Result<(), Error> {
        let mut errors = ValidationErrors::default();
        errors.page_size(self.page_size, None);
        errors.finish()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        let page_size = self.page_size.map(|size| size.to_string());
        api.request(Method::GET, ROUTE)
            .query("page_size", page_size.as_deref())
            .query("page_token", self.page_token.as_deref())
            .scope(&self.scope)
            .empty()
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<Page<Job>, Error> {
        read_json(response)
    }
}

paged!(ListJobs of Job);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::examples;
    use crate::v2::examples::{api, ok};

    #[test]
    fn pagination_v1_list_matches_documented_example() {
        let list = ListJobs::new()
            .page_size(1)
            .page_token("a+b/c==")
            .project("p");
        assert_eq!(
            list.build_request(&api()).unwrap().uri().query().unwrap(),
            "page_size=1&page_token=a%2Bb%2Fc%3D%3D&project_id=p"
        );
        let page = list
            .parse(ok(format!(
                r#"{{"items": [{}], "next_page_token": "next_page_token", "total_size": 0}}"#,
                examples::JOB
            )))
            .unwrap();
        assert_eq!(page.items[0].user_id.as_deref(), Some("user_id"));
        assert_eq!(page.next_page_token.as_deref(), Some("next_page_token"));
    }
}
