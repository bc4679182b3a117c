//! `POST /api/v2/classify/{job_id}/cancel`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{GetJob, Job, JobStatus, ROUTE, job};
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;
use crate::scope::{Scope, from_id, scope_setters};
use crate::semantics::{Recovery, Semantics, Verification};

/// Cancels a job that has not ended.
///
/// The service refuses when it has. A refusal that follows a lost answer proves nothing, because the lost request may
/// itself have ended the job; then the job is read, and only a cancelled one counts as success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CancelJob {
    /// The job's id.
    pub job_id: String,
    /// The project and organization.
    pub scope: Scope,
}

impl CancelJob {
    /// Cancels the job of this id.
    #[must_use]
    pub fn new(job_id: impl Into<String>) -> Self {
        Self {
            job_id: job_id.into(),
            scope: Scope::default(),
        }
    }

    scope_setters!();

    pub(crate) fn scoped(mut self, scope: &Scope) -> Self {
        self.scope = scope.clone();
        self
    }

    /// Whether a cancel may have been refused because the job has ended. Which status says so is not published; any
    /// 4xx about the job's state will do.
    pub(crate) fn may_have_ended(error: &Error) -> bool {
        matches!(
            error.status().map(|status| status.as_u16()),
            Some(400 | 409 | 422)
        )
    }
}

from_id!(CancelJob);

impl Operation for CancelJob {
    type Output = Job;

    fn name(&self) -> &'static str {
        "classify.cancel"
    }

    fn semantics(&self) -> Semantics<Self> {
        // The read is another request, which keeps the scope of the cancel.
        Semantics::idempotent().recovery(Recovery::Verify(Verification::new(
            Self::may_have_ended,
            |cancel, api| {
                GetJob::new(&*cancel.job_id)
                    .scoped(&cancel.scope)
                    .build_request_unvalidated(api)
            },
            |job| job.status == JobStatus::Cancelled,
        )))
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        api.request(Method::POST, ROUTE)
            .segment("job_id", &self.job_id)?
            .then("/cancel")
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
    fn cancel_request_and_response() {
        let request = CancelJob::new("clj-1")
            .project("p")
            .build_request(&api())
            .unwrap();
        assert_eq!(request.method(), Method::POST);
        assert_eq!(
            request.uri(),
            "https://api.example/api/v2/classify/clj-1/cancel?project_id=p"
        );
        assert!(request.body().in_memory().unwrap().is_empty());
        assert_eq!(
            CancelJob::new("id").parse(ok(examples::JOB)).unwrap().id,
            "id"
        );
    }
}
