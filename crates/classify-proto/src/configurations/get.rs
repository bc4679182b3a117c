//! `GET /api/v1/beta/configurations/{config_id}`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{ROUTE, SavedConfiguration};
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;
use crate::scope::{Scope, from_id, scope_setters};
use crate::semantics::Semantics;
use crate::text::json::read_json;

/// Reads a saved configuration. Returns a [`SavedConfiguration`](super::SavedConfiguration).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GetConfiguration {
    /// The id of the configuration (`cfg-…`).
    pub config_id: String,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

impl GetConfiguration {
    /// Creates the operation for the configuration with this id.
    #[must_use]
    pub fn new(config_id: impl Into<String>) -> Self {
        Self {
            config_id: config_id.into(),
            scope: Scope::default(),
        }
    }

    scope_setters!();

    pub(crate) fn scoped(mut self, scope: &Scope) -> Self {
        self.scope = scope.clone();
        self
    }
}

from_id!(GetConfiguration);

impl Operation for GetConfiguration {
    type Output = SavedConfiguration;

    fn name(&self) -> &'static str {
        "configurations.get"
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::safe()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        api.request(Method::GET, ROUTE)
            .segment("config_id", &self.config_id)?
            .scope(&self.scope)
            .empty()
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<SavedConfiguration, Error> {
        read_json(response)
    }

    fn annotate(&self, error: Error) -> Error {
        error.with_subject(&*self.config_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configurations::examples;
    use crate::v2::examples::{api, ok};

    #[test]
    fn configuration_get_request_and_response() {
        let get = GetConfiguration::new("cfg 1/2").project("p");
        assert_eq!(
            get.build_request(&api()).unwrap().uri(),
            "https://api.example/api/v1/beta/configurations/cfg%201%2F2?project_id=p"
        );
        assert!(
            get.parse(ok(examples::CONFIGURATION))
                .unwrap()
                .id
                .starts_with("cfg-")
        );
        assert!(GetConfiguration::new("..").build_request(&api()).is_err());
    }
}
