//! `GET /api/v2/classify/{job_id}`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{Job, ROUTE, job};
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;
use crate::scope::{Scope, from_id, scope_setters};
use crate::semantics::Semantics;

/// Reads a job. Returns it with the parts that [`expand`](Self::expand) names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GetJob {
    /// The id of the job to read.
    pub job_id: String,
    /// Parts to include that the service omits by default.
    pub expand: Vec<String>,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

impl GetJob {
    /// Creates the operation for the job with this id.
    #[must_use]
    pub fn new(job_id: impl Into<String>) -> Self {
        Self {
            job_id: job_id.into(),
            expand: Vec::new(),
            scope: Scope::default(),
        }
    }

    scope_setters!();

    /// Includes a part that the service omits by default. The only documented one is `usage`, the cost of the job.
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

/// Reads the job again, in the job's own project.
impl From<&Job> for GetJob {
    fn from(job: &Job) -> Self {
        let get = Self::new(&*job.id);
        match &job.project_id {
            Some(project) => get.project(project),
            None => get,
        }
    }
}

from_id!(GetJob);

impl Operation for GetJob {
    type Output = Job;

    fn name(&self) -> &'static str {
        "classify.get"
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::safe()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        api.request(Method::GET, ROUTE)
            .segment("job_id", &self.job_id)?
            .query_all("expand", &self.expand)
            .scope(&self.scope)
            .empty()
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<Job, Error> {
        job::read_of(&self.job_id, response)
    }

    fn annotate(&self, error: Error) -> Error {
        error.with_job_id(&*self.job_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v2::examples::{self, api, ok};

    #[test]
    fn get_request_matches_documented_example() {
        let get = GetJob::new("clj-1").expand("usage");
        let request = get.build_request(&api()).unwrap();
        assert_eq!(request.method(), Method::GET);
        assert_eq!(
            request.uri(),
            "https://api.example/api/v2/classify/clj-1?expand=usage"
        );
        assert_eq!(request.headers()["accept"], "application/json");
        assert!(request.headers().get("content-type").is_none());
        assert_eq!(
            GetJob::new("id")
                .parse(ok(examples::JOB))
                .unwrap()
                .user_id
                .as_deref(),
            Some("user_id")
        );
    }

    #[test]
    fn conflict_if_get_returns_another_job() {
        let error = GetJob::new("clj-1")
            .parse(ok(r#"{"id":"clj-2","status":"COMPLETED"}"#))
            .unwrap_err();
        assert!(
            error.is_conflict() && error.job_id() == Some("clj-1"),
            "{error}"
        );
        assert!(error.to_string().contains("clj-2"), "{error}");
        for id in ["clj-A1", "a1"] {
            GetJob::new(id)
                .parse(ok(r#"{"id":"clj-a1","status":"PENDING"}"#))
                .unwrap();
        }
    }

    #[test]
    fn url_job_id_is_encoded_as_one_segment() {
        let request = GetJob::new("a/b ?x").build_request(&api()).unwrap();
        assert_eq!(request.uri().path(), "/api/v2/classify/a%2Fb%20%3Fx");
        for id in ["", ".", ".."] {
            let error = GetJob::new(id).build_request(&api()).unwrap_err();
            assert!(
                error.is_invalid() && error.to_string().starts_with("classify.get: job_id"),
                "{error}"
            );
        }
    }

    #[test]
    fn job_usage_is_parsed() {
        let job = GetJob::new("a")
            .parse(ok(
                r#"{"id":"a","status":"COMPLETED","usage":{"credits":null,"parse_credits":3}}"#,
            ))
            .unwrap();
        assert_eq!(job.usage.unwrap().parse_credits, Some(3.0));
    }
}
