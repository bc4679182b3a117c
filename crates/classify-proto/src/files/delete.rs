//! `DELETE /api/v1/beta/files/{file_id}`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::ROUTE;
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::{Operation, RateClass, Recovery, Repeat, Scope, scope_setters};

/// Deletes a file.
///
/// Where the answer to an earlier attempt was lost, finding no such file is success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delete {
    file_id: String,
    scope: Scope,
}

impl Delete {
    /// Deletes the file of this id.
    #[must_use]
    pub fn new(file_id: impl Into<String>) -> Self {
        Self {
            file_id: file_id.into(),
            scope: Scope::default(),
        }
    }

    scope_setters!();
}

impl Operation for Delete {
    type Output = ();

    const NAME: &'static str = "files.delete";

    fn repeat(&self) -> Repeat {
        Repeat::Idempotent
    }

    fn rate_class(&self) -> RateClass {
        RateClass::Other
    }

    fn encode(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        api.request(Method::DELETE, ROUTE)
            .segment("file_id", &self.file_id)?
            .scope(&self.scope)
            .empty()
    }

    fn decode(&self, _: http::Response<Bytes>) -> Result<(), Error> {
        // The status says it all; there is no body today, and one of tomorrow would change nothing.
        Ok(())
    }

    fn recover(&self, refusal: &Error) -> Recovery<()> {
        Recovery::of_delete(refusal, || ())
    }

    fn annotate(&self, error: Error) -> Error {
        error.with_subject(&*self.file_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Call, Cx, Machine as _, Step};
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
    fn the_request_and_its_empty_answer() {
        let delete = Delete::new("dfl/1");
        let request = delete.request(&api()).unwrap();
        assert_eq!(request.method(), Method::DELETE);
        assert_eq!(request.uri().path(), "/api/v1/beta/files/dfl%2F1");
        delete.parse(status(204)).unwrap();
        assert!(delete.parse(status(404)).unwrap_err().is_not_found());
    }

    #[test]
    fn finding_nothing_is_success_only_after_a_lost_answer() {
        let api = api();
        let mut call = Call::new(Delete::new("dfl-1"), Seed::new([0; 16]));
        let mut now = Time::from_millis(0);
        let Step::Send(ticket, _) = call.poll(Cx::new(&api, now)) else {
            panic!()
        };
        call.handle(Cx::new(&api, now), ticket, Err(Failure::broken("reset")));
        let Step::Wait(Some(later)) = call.poll(Cx::new(&api, now)) else {
            panic!()
        };
        now = later;
        let Step::Send(ticket, _) = call.poll(Cx::new(&api, now)) else {
            panic!()
        };
        call.handle(Cx::new(&api, now), ticket, Ok(status(404)));
        assert!(matches!(call.poll(Cx::new(&api, now)), Step::Done(Ok(()))));

        let mut call = Call::new(Delete::new("dfl-1"), Seed::new([0; 16]));
        let Step::Send(ticket, _) = call.poll(Cx::new(&api, now)) else {
            panic!()
        };
        call.handle(Cx::new(&api, now), ticket, Ok(status(404)));
        assert!(matches!(call.poll(Cx::new(&api, now)), Step::Done(Err(_))));
    }
}
