//! `DELETE /api/v2/classify/{job_id}`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::ROUTE;
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;
use crate::scope::{Scope, from_id, scope_setters};
use crate::semantics::{Recovery, Semantics};
use crate::text::json::read_json;
use crate::text::response_object::response_object;

response_object! {
    /// The response to a delete.
    pub struct Deleted {
        /// The id of the deleted job.
        required id: String,
        /// The project of the deleted job.
        optional project_id: String,
    }
}

/// Deletes a job that has ended, together with its result.
///
/// The service refuses to delete a job that has not ended; cancel it first. If the response to an earlier attempt was
/// lost, a 404 counts as success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeleteJob {
    /// The id of the job to delete.
    pub job_id: String,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

impl DeleteJob {
    /// Creates the operation for the job with this id.
    #[must_use]
    pub fn new(job_id: impl Into<String>) -> Self {
        Self {
            job_id: job_id.into(),
            scope: Scope::default(),
        }
    }

    scope_setters!();

    fn done(&self) -> Deleted {
        Deleted {
            id: self.job_id.clone(),
            project_id: None,
            extra: crate::text::response_object::Extra::default(),
        }
    }
}

from_id!(DeleteJob);

impl Operation for DeleteJob {
    type Output = Deleted;

    fn name(&self) -> &'static str {
        "classify.delete"
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::idempotent().recovery(Recovery::NotFoundIsSuccess(Self::done))
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        api.request(Method::DELETE, ROUTE)
            .segment("job_id", &self.job_id)?
            .scope(&self.scope)
            .empty()
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<Deleted, Error> {
        // The success status is not documented. A 2xx without a body is enough.
        if response.body().is_empty() {
            Ok(self.done())
        } else {
            read_json(response)
        }
    }

    fn annotate(&self, error: Error) -> Error {
        error.with_job_id(&*self.job_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v2::examples::{api, ok};

    #[test]
    fn delete_request_and_both_responses() {
        let delete = DeleteJob::new("clj-1");
        let request = delete.build_request(&api()).unwrap();
        assert_eq!(request.method(), Method::DELETE);
        assert_eq!(request.uri(), "https://api.example/api/v2/classify/clj-1");
        let deleted = delete
            .parse(ok(r#"{"id":"clj-1","project_id":"p"}"#))
            .unwrap();
        assert_eq!(
            (&*deleted.id, deleted.project_id.as_deref()),
            ("clj-1", Some("p"))
        );
        let empty = http::Response::builder()
            .status(204)
            .body(Bytes::new())
            .unwrap();
        assert_eq!(delete.parse(empty).unwrap().id, "clj-1");
    }
}
