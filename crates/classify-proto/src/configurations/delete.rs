//! `DELETE /api/v1/beta/configurations/{config_id}`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::ROUTE;
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::{Idempotency, Operation, RateClass, Recovery, Scope, scope_setters};

/// Deletes a saved configuration.
///
/// Where the answer to an earlier attempt was lost, finding no such configuration is success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteConfiguration {
    config_id: String,
    scope: Scope,
}

impl DeleteConfiguration {
    /// Deletes the configuration of this id.
    #[must_use]
    pub fn new(config_id: impl Into<String>) -> Self {
        Self {
            config_id: config_id.into(),
            scope: Scope::default(),
        }
    }

    scope_setters!();
}

impl Operation for DeleteConfiguration {
    type Output = ();

    const NAME: &'static str = "configurations.delete";

    fn idempotency(&self) -> Idempotency {
        Idempotency::Idempotent
    }

    fn rate_class(&self) -> RateClass {
        RateClass::Other
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        api.request(Method::DELETE, ROUTE)
            .segment("config_id", &self.config_id)?
            .scope(&self.scope)
            .empty()
    }

    fn parse_success(&self, _: http::Response<Bytes>) -> Result<(), Error> {
        // The status says it all; there is no body today, and one of tomorrow would change nothing.
        Ok(())
    }

    fn recover(&self, refusal: &Error) -> Recovery<()> {
        Recovery::of_delete(refusal, || ())
    }

    fn annotate(&self, error: Error) -> Error {
        error.with_subject(&*self.config_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v2::examples::api;

    fn status(code: u16) -> http::Response<Bytes> {
        http::Response::builder()
            .status(code)
            .body(Bytes::new())
            .unwrap()
    }

    #[test]
    fn the_request_and_its_empty_answer() {
        let delete = DeleteConfiguration::new("cfg/1");
        let request = delete.build_request(&api()).unwrap();
        assert_eq!(request.method(), Method::DELETE);
        assert_eq!(request.uri().path(), "/api/v1/beta/configurations/cfg%2F1");
        delete.parse(status(204)).unwrap();
        assert!(delete.parse(status(404)).unwrap_err().is_not_found());
    }

    #[test]
    fn finding_nothing_after_a_lost_answer_is_success() {
        let delete = DeleteConfiguration::new("cfg-1");
        let not_found = delete.parse(status(404)).unwrap_err();
        assert!(matches!(
            delete.recover(&not_found),
            Recovery::FinishedDocument(())
        ));
        let conflict = delete.parse(status(409)).unwrap_err();
        assert!(matches!(delete.recover(&conflict), Recovery::Failed));
    }
}
