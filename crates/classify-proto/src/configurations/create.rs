//! `POST /api/v1/beta/configurations`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{Parameters, ROUTE, SavedConfiguration};
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::{
    Idempotency, Operation, RateClass, Scope, ValidationErrors, read_json, scope_setters,
};

/// Saves a configuration under a name.
///
/// A second create of the same name, product and project saves over the first, so a create may be repeated.
///
/// ```
/// use classify_proto::configurations::CreateConfiguration;
/// use classify_proto::v2::{Configuration, Rule};
///
/// let rules = Configuration::new([Rule::new("invoice", "has an invoice number and a total amount")]);
/// let create = CreateConfiguration::new("incoming mail", rules);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CreateConfiguration {
    name: String,
    parameters: Parameters,
    scope: Scope,
}

impl CreateConfiguration {
    /// Saves a [`v2::Configuration`](crate::v2::Configuration), or [`Parameters`] of another product, under a name of
    /// 1 to 255 characters.
    #[must_use]
    pub fn new(name: impl Into<String>, parameters: impl Into<Parameters>) -> Self {
        Self {
            name: name.into(),
            parameters: parameters.into(),
            scope: Scope::default(),
        }
    }

    scope_setters!();
}

#[derive(Serialize)]
struct Wire<'a> {
    name: &'a str,
    parameters: &'a Parameters,
}

impl Operation for CreateConfiguration {
    type Output = SavedConfiguration;

    const NAME: &'static str = "configurations.create";

    fn idempotency(&self) -> Idempotency {
        Idempotency::Idempotent
    }

    fn rate_class(&self) -> RateClass {
        RateClass::Other
    }

    fn validate(&self) -> Result<(), Error> {
        let mut errors = ValidationErrors::default();
        errors.length("name", &self.name, 1, 255);
        self.parameters.collect_errors("parameters", &mut errors);
        errors.finish()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        api.request(Method::POST, ROUTE)
            .scope(&self.scope)
            .json(&Wire {
                name: &self.name,
                parameters: &self.parameters,
            })
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<SavedConfiguration, Error> {
        read_json(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configurations::examples;
    use crate::v2::examples::{api, ok};
    use crate::v2::{Configuration, Rule};

    #[test]
    fn the_request_and_its_answer() {
        let create = CreateConfiguration::new(
            "preset one",
            Configuration::new([Rule::new("invoice", "contains an invoice number")]),
        );
        let request = create.build_request(&api()).unwrap();
        assert_eq!(request.method(), Method::POST);
        let body: serde_json::Value =
            serde_json::from_slice(&request.body().in_memory().unwrap()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({"name": "preset one", "parameters": {
                "product_type": "classify_v2",
                "rules": [{"type": "invoice", "description": "contains an invoice number"}],
            }})
        );
        let saved = create.parse(ok(examples::CONFIGURATION)).unwrap();
        assert_eq!(saved.name.as_deref(), Some("preset one"));
    }

    #[test]
    fn the_limits_are_checked_by_name() {
        let error = CreateConfiguration::new("", Configuration::new([]))
            .build_request(&api())
            .unwrap_err();
        let fields: Vec<_> = error
            .field_errors()
            .iter()
            .map(|found| &*found.field)
            .collect();
        assert_eq!(fields, ["name", "parameters.rules"]);
    }
}
