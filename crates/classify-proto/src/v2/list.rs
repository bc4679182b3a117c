//! `GET /api/v2/classify`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{Job, JobStatus, ROUTE, job_page};
use crate::Timestamp;
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, paged};
use crate::scope::{Scope, scope_setters};
use crate::semantics::Semantics;
use crate::text::json::read_json;
use crate::validation::ValidationErrors;

/// Lists jobs, newest first as far as is known, one page per request.
///
/// One operation returns one page; [`machine::Pager`](crate::machine::Pager) follows the tokens to the last page.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ListJobs {
    /// Jobs per page, 1 to 100; the service's default if `None`.
    pub page_size: Option<u32>,
    /// The token of the page to return; the first page if `None`.
    pub page_token: Option<String>,
    /// Only jobs with this status.
    pub status: Option<JobStatus>,
    /// Only jobs with these ids; all jobs if empty.
    pub job_ids: Vec<String>,
    /// Only jobs created with this saved configuration.
    pub configuration_id: Option<String>,
    /// Only jobs created at this time or later.
    pub created_at_on_or_after: Option<TimeBound>,
    /// Only jobs created at this time or earlier.
    pub created_at_on_or_before: Option<TimeBound>,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

/// An inclusive bound of a time range: a [`Timestamp`], or text in RFC 3339.
///
/// Text is sent unchanged, so that its offset and fraction are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimeBound(String);

impl From<Timestamp> for TimeBound {
    fn from(timestamp: Timestamp) -> Self {
        Self(timestamp.to_string())
    }
}

impl From<&str> for TimeBound {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for TimeBound {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl ListJobs {
    /// Creates the operation for all jobs of the project.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    scope_setters!();

    /// Sets the number of jobs per page: 1 to 100.
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

    /// Returns only jobs with this status.
    #[must_use]
    pub fn status(mut self, status: impl Into<JobStatus>) -> Self {
        self.status = Some(status.into());
        self
    }

    /// Returns only the jobs with these ids.
    #[must_use]
    pub fn job_ids<S: Into<String>>(mut self, ids: impl IntoIterator<Item = S>) -> Self {
        self.job_ids = ids.into_iter().map(Into::into).collect();
        self
    }

    /// Returns only jobs created with this saved configuration.
    #[must_use]
    pub fn configuration_id(mut self, id: impl Into<String>) -> Self {
        self.configuration_id = Some(id.into());
        self
    }

    /// Returns only jobs created at this time or later.
    #[must_use]
    pub fn created_at_on_or_after(mut self, bound: impl Into<TimeBound>) -> Self {
        self.created_at_on_or_after = Some(bound.into());
        self
    }

    /// Returns only jobs created at this time or earlier.
    #[must_use]
    pub fn created_at_on_or_before(mut self, bound: impl Into<TimeBound>) -> Self {
        self.created_at_on_or_before = Some(bound.into());
        self
    }
}

impl ListJobs {
    pub(crate) fn scoped(mut self, scope: &Scope) -> Self {
        self.scope = scope.clone();
        self
    }
}

impl Operation for ListJobs {
    type Output = Page<Job>;

    fn name(&self) -> &'static str {
        "classify.list"
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::safe()
    }

    fn validate(&self) -> Result<(), Error> {
        let mut errors = ValidationErrors::default();
        errors.page_size(self.page_size, Some(100));
        let bounds = [
            ("created_at_on_or_after", &self.created_at_on_or_after),
            ("created_at_on_or_before", &self.created_at_on_or_before),
        ];
        for (field, bound) in bounds {
            if let Some(Err(error)) = bound.as_ref().map(|bound| bound.0.parse::<Timestamp>()) {
                errors.add(
                    field,
                    error
                        .field_errors()
                        .first()
                        .map_or("", |found| &*found.message),
                );
            }
        }
        errors.finish()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        let page_size = self.page_size.map(|size| size.to_string());
        let text = |bound: &Option<TimeBound>| bound.as_ref().map(|bound| bound.0.clone());
        api.request(Method::GET, ROUTE)
            .query("configuration_id", self.configuration_id.as_deref())
            .query(
                "created_at_on_or_after",
                text(&self.created_at_on_or_after).as_deref(),
            )
            .query(
                "created_at_on_or_before",
                text(&self.created_at_on_or_before).as_deref(),
            )
            .query_all("job_ids", &self.job_ids)
            .query("page_size", page_size.as_deref())
            .query("page_token", self.page_token.as_deref())
            .query("status", self.status.as_ref().map(JobStatus::as_str))
            .scope(&self.scope)
            .empty()
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<Page<Job>, Error> {
        let text = std::str::from_utf8(response.body()).ok();
        match text.map(job_page::read) {
            Some(Ok(page)) => Ok(page),
            // Parsed again, for the position of the error.
            _ => read_json(response),
        }
    }
}

paged!(ListJobs of Job);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v2::examples::{self, api, ok};

    #[test]
    fn pagination_list_matches_documented_example() {
        let page = ListJobs::new()
            .parse(ok(format!(
                r#"{{"items": [{}], "next_page_token": "next_page_token", "total_size": 0}}"#,
                examples::JOB
            )))
            .unwrap();
        assert_eq!(page.items[0].id, "id");
        assert_eq!(page.next_page_token.as_deref(), Some("next_page_token"));
        assert_eq!(page.total_size, Some(0));
    }

    #[test]
    fn list_sends_every_filter_and_repeated_keys() {
        let request = ListJobs::new()
            .page_size(2)
            .page_token("a+b/c==")
            .status("RUNNING")
            .job_ids(["1", "2"])
            .configuration_id("cfg-1")
            .created_at_on_or_after("2025-06-01T00:00:00+05:30")
            .created_at_on_or_before("2026-01-02T03:04:05.250Z".parse::<Timestamp>().unwrap())
            .organization("o")
            .project("p")
            .build_request(&api())
            .unwrap();
        assert_eq!(
            request.uri().query().unwrap(),
            "configuration_id=cfg-1&created_at_on_or_after=2025-06-01T00%3A00%3A00%2B05%3A30\
             &created_at_on_or_before=2026-01-02T03%3A04%3A05.25Z&job_ids=1&job_ids=2&page_size=2\
             &page_token=a%2Bb%2Fc%3D%3D&status=RUNNING&organization_id=o&project_id=p"
        );
    }

    #[test]
    fn pagination_ends_at_absent_null_or_empty_token() {
        for body in [
            "{}",
            r#"{"items":null,"next_page_token":null}"#,
            r#"{"items":[],"next_page_token":""}"#,
        ] {
            let page = ListJobs::new().parse(ok(body)).unwrap();
            assert!(
                page.items.is_empty() && page.next_page_token.is_none(),
                "{body}"
            );
        }
    }

    #[test]
    fn validation_list_errors_name_field() {
        let error = ListJobs::new()
            .page_size(101)
            .created_at_on_or_after("yesterday")
            .build_request(&api())
            .unwrap_err();
        let fields: Vec<_> = error
            .field_errors()
            .iter()
            .map(|found| &*found.field)
            .collect();
        assert_eq!(fields, ["page_size", "created_at_on_or_after"]);
        assert!(ListJobs::new().page_size(0).build_request(&api()).is_err());
    }
}
