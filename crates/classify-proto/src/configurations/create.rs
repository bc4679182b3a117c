//! `POST /api/v1/beta/configurations`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{Parameters, ROUTE, SavedConfiguration};
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;
use crate::scope::{Scope, scope_setters};
use crate::semantics::Semantics;
use crate::text::json::read_json;
use crate::validation::ValidationErrors;

/// Saves a configuration under a name. Returns it with its id.
///
/// A second create with the same name, product and project overwrites the first, so a create may be repeated.
///
/// ```
/// use classify_proto::configurations::CreateConfiguration;
/// use classify_proto::v2::{Configuration, Rule};
///
/// let rules = Configuration::new([Rule::new("invoice", "has an invoice number and a total amount")]);
/// let create = CreateConfiguration::new("incoming mail", rules);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CreateConfiguration {
    /// The name, 1 to 255 characters.
    pub name: String,
    /// The configuration and its product.
    pub parameters: Parameters,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

impl CreateConfiguration {
    /// Creates the operation for a [`v2::Configuration`](crate::v2::Configuration), or for [`Parameters`] of another
    /// product, with a name of 1 to 255 characters.
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
struct CreateConfigurationBody<'a> {
    name: &'a str,
    parameters: &'a Parameters,
}

impl Operation for CreateConfiguration {
    type Output = SavedConfiguration;

    fn name(&self) -> &'static str {
        "configurations.create"
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::idempotent()
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
            .json(&CreateConfigurationBody {
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
    fn configuration_create_request_and_response() {
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
    fn validation_configuration_create_errors_name_field() {
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
