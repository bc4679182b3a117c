//! `GET /api/v1/beta/webhook-configs/{config_id}`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{ROUTE, SavedWebhook};
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::{Operation, RateClass, Repeat, Scope, read_json, scope_setters};

/// Reads a saved webhook configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Get {
    config_id: String,
    scope: Scope,
}

impl Get {
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

impl Operation for Get {
    type Output = SavedWebhook;

    const NAME: &'static str = "webhook_configs.get";

    fn repeat(&self) -> Repeat {
        Repeat::Read
    }

    fn rate_class(&self) -> RateClass {
        RateClass::Other
    }

    fn encode(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        api.request(Method::GET, ROUTE)
            .segment("config_id", &self.config_id)?
            .scope(&self.scope)
            .empty()
    }

    fn decode(&self, response: http::Response<Bytes>) -> Result<SavedWebhook, Error> {
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
    fn the_request_and_its_answer() {
        let get = Get::new("whc 1/2").project("p");
        assert_eq!(
            get.request(&api()).unwrap().uri(),
            "https://api.example/api/v1/beta/webhook-configs/whc%201%2F2?project_id=p"
        );
        assert!(
            get.parse(ok(examples::WEBHOOK))
                .unwrap()
                .id
                .starts_with("whc-")
        );
        assert!(Get::new("..").request(&api()).is_err());
    }
}
