//! `GET /api/v1/beta/configurations/{config_id}`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{ROUTE, SavedConfiguration};
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::{Idempotency, Operation, RateClass, Scope, read_json, scope_setters};

/// Reads a saved configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetConfiguration {
    config_id: String,
    scope: Scope,
}

impl GetConfiguration {
    /// Reads the configuration of this id.
    #[must_use]
    pub fn new(config_id: impl Into<String>) -> Self {
        Self {
            config_id: config_id.into(),
            scope: Scope::default(),
        }
    }

    scope_setters!();
}

impl Operation for GetConfiguration {
    type Output = SavedConfiguration;

    const NAME: &'static str = "configurations.get";

    fn idempotency(&self) -> Idempotency {
        Idempotency::Safe
    }

    fn rate_class(&self) -> RateClass {
        RateClass::Other
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
    fn the_request_and_its_answer() {
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
