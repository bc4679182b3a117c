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

/// Cancels a job that has not ended. Returns the cancelled job.
///
/// The service rejects the cancel of a job that has ended. If an earlier response was lost, a rejection proves nothing,
/// because the lost request may have cancelled the job. The job is then read, and the cancel succeeded only if the job
/// is cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CancelJob {
    /// The id of the job to cancel.
    pub job_id: String,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

impl CancelJob {
    /// Creates the operation for the job with this id.
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

    /// Whether a cancel may have been rejected because the job has ended. The status is not documented, so any 4xx that
    /// can be about the job's state counts.
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
        // The verifying read is a request of its own and needs the scope of the cancel.
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
