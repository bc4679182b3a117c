//! `GET /api/v1/beta/webhook-configs/{config_id}`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{ROUTE, SavedWebhook};
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;
use crate::scope::{Scope, from_id, scope_setters};
use crate::semantics::Semantics;
use crate::text::json::read_json;

/// Reads a saved webhook configuration. Returns a [`SavedWebhook`](super::SavedWebhook).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GetWebhookConfiguration {
    /// The id of the configuration (`whc-…`).
    pub config_id: String,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

impl GetWebhookConfiguration {
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

from_id!(GetWebhookConfiguration);

impl Operation for GetWebhookConfiguration {
    type Output = SavedWebhook;

    fn name(&self) -> &'static str {
        "webhook_configs.get"
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

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<SavedWebhook, Error> {
        read_json(response)
    }

    fn annotate(&self, error: Error) -> Error {
        error.with_subject(&*self.config_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v2::examples::{api, ok};
    use crate::webhooks::examples;

    #[test]
    fn webhook_get_request_and_response() {
        let get = GetWebhookConfiguration::new("whc 1/2").project("p");
        assert_eq!(
            get.build_request(&api()).unwrap().uri(),
            "https://api.example/api/v1/beta/webhook-configs/whc%201%2F2?project_id=p"
        );
        assert!(
            get.parse(ok(examples::WEBHOOK))
                .unwrap()
                .id
                .starts_with("whc-")
        );
        assert!(
            GetWebhookConfiguration::new("..")
                .build_request(&api())
                .is_err()
        );
    }
}
