//! `GET /api/v1/beta/webhook-configs`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{ROUTE, SavedWebhook};
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;
use crate::scope::{Scope, scope_setters};
use crate::semantics::Semantics;
use crate::text::json::read_json;

/// Lists all saved webhook configurations in one response, newest first. Deprecated by the service in favor of
/// [`ListWebhookConfigurations`](super::ListWebhookConfigurations).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ListAllWebhookConfigurations {
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

impl ListAllWebhookConfigurations {
    /// Creates the operation for all webhook configurations of the project.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    scope_setters!();
}

impl Operation for ListAllWebhookConfigurations {
    type Output = Vec<SavedWebhook>;

    fn name(&self) -> &'static str {
        "webhook_configs.list_all"
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::safe()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        api.request(Method::GET, ROUTE).scope(&self.scope).empty()
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<Vec<SavedWebhook>, Error> {
        read_json(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v2::examples::{api, ok};
    use crate::webhooks::examples;

    #[test]
    fn webhook_list_all_response_is_a_bare_array() {
        let list = ListAllWebhookConfigurations::new();
        assert_eq!(
            list.build_request(&api()).unwrap().uri(),
            "https://api.example/api/v1/beta/webhook-configs"
        );
        let all = list.parse(ok(format!("[{}]", examples::WEBHOOK))).unwrap();
        assert_eq!(all[0].id, "whc-1");
        assert!(list.parse(ok(r#"{"items":[]}"#)).unwrap_err().is_decode());
    }
}
