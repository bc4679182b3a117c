//! `DELETE /api/v1/beta/files/{file_id}`

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
use crate::text::json::read_nothing;

/// Deletes a file. Returns nothing.
///
/// If the response to an earlier attempt was lost, a 404 counts as success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeleteFile {
    /// The id of the file to delete (`dfl-…`).
    pub file_id: String,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

impl DeleteFile {
    /// Creates the operation for the file with this id.
    #[must_use]
    pub fn new(file_id: impl Into<String>) -> Self {
        Self {
            file_id: file_id.into(),
            scope: Scope::default(),
        }
    }

    scope_setters!();
}

from_id!(DeleteFile);

impl Operation for DeleteFile {
    type Output = ();

    fn name(&self) -> &'static str {
        "files.delete"
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::idempotent().recovery(Recovery::NotFoundIsSuccess(|_| ()))
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        api.request(Method::DELETE, ROUTE)
            .segment("file_id", &self.file_id)?
            .scope(&self.scope)
            .empty()
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<(), Error> {
        // The response has no body today; a future one would be ignored.
        read_nothing(response)
    }

    fn annotate(&self, error: Error) -> Error {
        error.with_subject(&*self.file_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Call, Context, Machine as _, Step};
    use crate::reply::Failure;
    use crate::v2::examples::api;
    use crate::{Seed, Time};

    fn status(code: u16) -> http::Response<Bytes> {
        http::Response::builder()
            .status(code)
            .body(Bytes::new())
            .unwrap()
    }

    #[test]
    fn file_delete_request_and_response() {
        let delete = DeleteFile::new("dfl/1");
        let request = delete.build_request(&api()).unwrap();
        assert_eq!(request.method(), Method::DELETE);
        assert_eq!(request.uri().path(), "/api/v1/beta/files/dfl%2F1");
        delete.parse(status(204)).unwrap();
        assert!(delete.parse(status(404)).unwrap_err().is_not_found());
    }

    #[test]
    fn idempotency_file_delete_404_is_success_only_after_retry() {
        let api = api();
        let mut call = Call::new(DeleteFile::new("dfl-1"), Seed::new([0; 16]));
        let mut now = Time::from_millis(0);
        let Step::Send(ticket, _) = call.poll(Context::new(&api, now)) else {
            panic!()
        };
        call.handle(
            Context::new(&api, now),
            ticket,
            Err(Failure::broken("reset")),
        );
        let Step::Wait(Some(later)) = call.poll(Context::new(&api, now)) else {
            panic!()
        };
        now = later;
        let Step::Send(ticket, _) = call.poll(Context::new(&api, now)) else {
            panic!()
        };
        call.handle(Context::new(&api, now), ticket, Ok(status(404)));
        assert!(matches!(
            call.poll(Context::new(&api, now)),
            Step::Done(Ok(()))
        ));

        let mut call = Call::new(DeleteFile::new("dfl-1"), Seed::new([0; 16]));
        let Step::Send(ticket, _) = call.poll(Context::new(&api, now)) else {
            panic!()
        };
        call.handle(Context::new(&api, now), ticket, Ok(status(404)));
        assert!(matches!(
            call.poll(Context::new(&api, now)),
            Step::Done(Err(_))
        ));
    }
}
