//! `DELETE /api/v1/beta/configurations/{config_id}`

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

/// Deletes a saved configuration. Returns nothing.
///
/// If the response to an earlier attempt was lost, a 404 counts as success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeleteConfiguration {
    /// The id of the configuration (`cfg-…`).
    pub config_id: String,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

impl DeleteConfiguration {
    /// Creates the operation for the configuration with this id.
    #[must_use]
    pub fn new(config_id: impl Into<String>) -> Self {
        Self {
            config_id: config_id.into(),
            scope: Scope::default(),
        }
    }

    scope_setters!();
}

from_id!(DeleteConfiguration);

impl Operation for DeleteConfiguration {
    type Output = ();

    fn name(&self) -> &'static str {
        "configurations.delete"
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::idempotent().recovery(Recovery::NotFoundIsSuccess(|_| ()))
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        api.request(Method::DELETE, ROUTE)
            .segment("config_id", &self.config_id)?
            .scope(&self.scope)
            .empty()
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<(), Error> {
        // The response has no body today; a future one would be ignored.
        read_nothing(response)
    }

    fn annotate(&self, error: Error) -> Error {
        error.with_subject(&*self.config_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v2::examples::{api, outcome};

    fn status(code: u16) -> http::Response<Bytes> {
        http::Response::builder()
            .status(code)
            .body(Bytes::new())
            .unwrap()
    }

    #[test]
    fn configuration_delete_request_and_response() {
        let delete = DeleteConfiguration::new("cfg/1");
        let request = delete.build_request(&api()).unwrap();
        assert_eq!(request.method(), Method::DELETE);
        assert_eq!(request.uri().path(), "/api/v1/beta/configurations/cfg%2F1");
        delete.parse(status(204)).unwrap();
        assert!(delete.parse(status(404)).unwrap_err().is_not_found());
    }

    #[test]
    fn idempotency_configuration_delete_recovers_404_as_success() {
        let delete = || DeleteConfiguration::new("cfg-1");
        // `None` is a lost response.
        outcome(delete(), &[None, Some(404)]).unwrap();
        let conflict = outcome(delete(), &[None, Some(409)]).unwrap_err();
        assert_eq!(conflict.status().unwrap(), 409);
        assert!(outcome(delete(), &[Some(404)]).unwrap_err().is_not_found());
    }
}
