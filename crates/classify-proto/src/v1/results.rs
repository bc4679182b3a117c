//! `GET /api/v1/classifier/jobs/{classify_job_id}/results`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{ClassifyResult, Outcome, ROUTE};
use crate::Timestamp;
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, paged};
use crate::scope::{Scope, from_id, scope_setters};
use crate::semantics::Semantics;
use crate::text::error_body::one_line;
use crate::text::id::same_id;
use crate::text::json::read_json;
use crate::text::response_object::response_object;

response_object! {
    /// The result of one file of a v1 job.
    pub struct FileResult {
        /// The id of the result.
        required id: String,
        /// The id of the job.
        optional classify_job_id: String,
        /// The time of the create.
        timestamp created_at: Timestamp,
        /// The id of the file.
        optional file_id: String,
        /// The result; absent if the file could not be classified, or if it cannot be parsed.
        optional result: ClassifyResult,
        /// The time of the last change.
        timestamp updated_at: Timestamp,
    }
}

impl FileResult {
    /// Returns the outcome of the file. [`JobResults::outcome`](super::JobResults::outcome) is more precise, because it
    /// knows the job's status.
    #[must_use]
    pub fn outcome(&self) -> Outcome<'_> {
        match &self.result {
            Some(result) => Outcome::from_result(result),
            None => Outcome::Missing,
        }
    }
}

/// Reads the results of a v1 job, one page per request. Deprecated, like all of [`v1`](super).
///
/// The published interface returns a token for the next page and has no parameter to send it, so the official clients
/// stop at the first page. This client sends it as `page_token`, as everywhere else in the API. If a server ignores it,
/// [`machine::Pager`](crate::machine::Pager) notices the repeated page and fails instead of losing results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GetJobResults {
    /// The id of the job whose results are read, a UUID.
    pub job_id: String,
    /// The token of the page to return; the first page if `None`.
    pub page_token: Option<String>,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

impl GetJobResults {
    /// Creates the operation for the results of the job with this id.
    #[must_use]
    pub fn new(job_id: impl Into<String>) -> Self {
        Self {
            job_id: job_id.into(),
            page_token: None,
            scope: Scope::default(),
        }
    }

    scope_setters!();

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

from_id!(GetJobResults);

impl Operation for GetJobResults {
    type Output = Page<FileResult>;

    fn name(&self) -> &'static str {
        "classifier.jobs.get_results"
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::safe()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        api.request(Method::GET, ROUTE)
            .segment("classify_job_id", &self.job_id)?
            .then("/results")
            .query("page_token", self.page_token.as_deref())
            .scope(&self.scope)
            .empty()
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<Page<FileResult>, Error> {
        let page: Page<FileResult> = read_json(response)?;
        let stray = page
            .items
            .iter()
            .filter_map(|result| result.classify_job_id.as_deref())
            .find(|id| !same_id(id, &self.job_id));
        match stray {
            None => Ok(page),
            Some(id) => Err(Error::unexpected_result(format!(
                "the service returned a result of another job: {}",
                one_line(id)
            ))),
        }
    }

    fn annotate(&self, error: Error) -> Error {
        error.with_job_id(&*self.job_id)
    }
}

paged!(GetJobResults of FileResult);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Paged as _;
    use crate::v1::examples;
    use crate::v2::examples::{api, ok};

    #[test]
    fn pagination_v1_results_match_documented_example() {
        let results = GetJobResults::new("a b");
        assert_eq!(
            results.build_request(&api()).unwrap().uri(),
            "https://api.example/api/v1/classifier/jobs/a%20b/results"
        );
        let page = GetJobResults::new("182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e")
            .parse(ok(examples::RESULTS))
            .unwrap();
        assert_eq!(page.items[0].outcome().matched(), Some("type"));
        assert_eq!(page.next_page_token.as_deref(), Some("next_page_token"));
        let next = results.with_page_token(page.next_page_token);
        assert_eq!(
            next.build_request(&api()).unwrap().uri().query(),
            Some("page_token=next_page_token")
        );
    }

    #[test]
    fn outcome_null_type_is_no_match_and_null_result_is_missing() {
        let page = GetJobResults::new("1")
            .parse(ok(
                r#"{"items":[{"id":"1","result":{"type":null}},{"id":"2","result":null}]}"#,
            ))
            .unwrap();
        assert!(matches!(page.items[0].outcome(), Outcome::NoMatch { .. }));
        assert_eq!(page.items[1].outcome(), Outcome::Missing);
    }

    #[test]
    fn conflict_if_v1_results_belong_to_another_job() {
        let read = |job: &str| {
            GetJobResults::new("a1").parse(ok(format!(
                r#"{{"items":[{{"id":"1"}},{{"id":"2","classify_job_id":{job}}}]}}"#
            )))
        };
        let error = read("\"a2\"").unwrap_err();
        assert!(
            error.is_conflict() && error.job_id() == Some("a1"),
            "{error}"
        );
        assert!(error.to_string().contains("a2"), "{error}");
        for own in ["\"a1\"", "\"A1\"", "null"] {
            assert_eq!(read(own).unwrap().items.len(), 2);
        }
    }
}
