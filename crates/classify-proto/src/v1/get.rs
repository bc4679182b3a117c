//! `GET /api/v1/classifier/jobs/{classify_job_id}`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{Job, ROUTE};
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;
use crate::scope::{Scope, from_id, scope_setters};
use crate::semantics::Semantics;
use crate::text::error_body::one_line;
use crate::text::id::same_id;
use crate::text::json::read_json;

/// Reads a v1 job. Deprecated, like all of [`v1`](super).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GetJob {
    /// The id of the job to read, a UUID.
    pub job_id: String,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

impl GetJob {
    /// Creates the operation for the job with this id.
    #[must_use]
    pub fn new(job_id: impl Into<String>) -> Self {
        Self {
            job_id: job_id.into(),
            scope: Scope::default(),
        }
    }

    scope_setters!();
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
        "classifier.jobs.get"
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::safe()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        api.request(Method::GET, ROUTE)
            .segment("classify_job_id", &self.job_id)?
            .scope(&self.scope)
            .empty()
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<Job, Error> {
        let job: Job = read_json(response)?;
        // Another job must not pass for the requested one.
        if same_id(&job.id, &self.job_id) {
            return Ok(job);
        }
        let message = format!("the service returned another job: {}", one_line(&job.id));
        Err(Error::v1_conflict(message, job).about_job(&self.job_id))
    }

    fn annotate(&self, error: Error) -> Error {
        error.with_job_id(&*self.job_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::examples;
    use crate::v2::examples::{api, ok};

    #[test]
    fn v1_get_request_matches_documented_example() {
        let get = GetJob::new("182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e");
        assert_eq!(
            get.build_request(&api()).unwrap().uri().path(),
            "/api/v1/classifier/jobs/182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"
        );
        let job = get.parse(ok(examples::JOB)).unwrap();
        assert_eq!(job.job_record_id.as_deref(), Some("job_record_id"));
    }

    #[test]
    fn url_v1_job_id_is_encoded_as_one_segment() {
        let request = GetJob::new("a/../b?x=1").build_request(&api()).unwrap();
        assert_eq!(
            request.uri().path(),
            "/api/v1/classifier/jobs/a%2F..%2Fb%3Fx=1"
        );
        assert_eq!(request.uri().query(), None);
        for id in ["", ".", ".."] {
            let error = GetJob::new(id).build_request(&api()).unwrap_err();
            assert!(error.to_string().contains("classify_job_id"), "{error}");
        }
    }

    #[test]
    fn conflict_if_v1_get_returns_another_job() {
        let error = GetJob::new("a1")
            .parse(ok(r#"{"id":"a2","status":"SUCCESS"}"#))
            .unwrap_err();
        assert!(
            error.is_conflict() && error.job_id() == Some("a1"),
            "{error}"
        );
        assert!(error.to_string().contains("a2"), "{error}");
        for id in ["A1", "a1"] {
            GetJob::new(id)
                .parse(ok(r#"{"id":"a1","status":"PENDING"}"#))
                .unwrap();
        }
    }
}
