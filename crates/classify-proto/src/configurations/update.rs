//! `PUT /api/v1/beta/configurations/{config_id}`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{Parameters, ROUTE, SavedConfiguration};
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;
use crate::patch::Patch;
use crate::scope::{Scope, scope_setters};
use crate::semantics::Semantics;
use crate::text::json::read_json;
use crate::validation::ValidationErrors;

/// Changes a saved configuration. Fields that are not set keep their value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UpdateConfiguration {
    /// The id of the configuration (`cfg-…`).
    pub config_id: String,
    #[serde(flatten)]
    fields: ConfigurationFields,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

/// The body of the request. Saved states use the same field names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct ConfigurationFields {
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    name: Patch<String>,
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    parameters: Patch<Parameters>,
}

impl UpdateConfiguration {
    /// Creates the operation for the configuration with this id. It changes nothing until a field is set.
    #[must_use]
    pub fn new(config_id: impl Into<String>) -> Self {
        Self {
            config_id: config_id.into(),
            fields: ConfigurationFields {
                name: Patch::Keep,
                parameters: Patch::Keep,
            },
            scope: Scope::default(),
        }
    }

    scope_setters!();

    /// Sets the name, 1 to 255 characters.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.fields.name = Patch::Set(name.into());
        self
    }

    /// Replaces the content.
    #[must_use]
    pub fn parameters(mut self, parameters: impl Into<Parameters>) -> Self {
        self.fields.parameters = Patch::Set(parameters.into());
        self
    }

    /// Sets the name, clears it with `null`, or keeps it.
    #[must_use]
    pub fn change_name(mut self, change: Patch<String>) -> Self {
        self.fields.name = change;
        self
    }

    /// Sets the content, clears it with `null`, or keeps it.
    #[must_use]
    pub fn change_parameters(mut self, change: Patch<Parameters>) -> Self {
        self.fields.parameters = change;
        self
    }
}

impl Operation for UpdateConfiguration {
    type Output = SavedConfiguration;

    fn name(&self) -> &'static str {
        "configurations.update"
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::idempotent()
    }

    fn validate(&self) -> Result<(), Error> {
        let mut errors = ValidationErrors::default();
        if let Some(name) = self.fields.name.as_set() {
            errors.length("name", name, 1, 255);
        }
        if let Some(parameters) = self.fields.parameters.as_set() {
            parameters.collect_errors("parameters", &mut errors);
        }
        errors.finish()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        api.request(Method::PUT, ROUTE)
            .segment("config_id", &self.config_id)?
            .scope(&self.scope)
            .json(&self.fields)
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
    use crate::v2::{Configuration, Rule};

    fn body(update: &UpdateConfiguration) -> String {
        let request = update.build_request(&api()).unwrap();
        assert_eq!(request.method(), Method::PUT);
        let body = request.body().in_memory().unwrap();
        std::str::from_utf8(&body).unwrap().to_owned()
    }

    #[test]
    fn patch_configuration_update_keep_clear_and_set_requests() {
        let update = UpdateConfiguration::new("cfg-1");
        assert_eq!(body(&update), "{}");
        assert_eq!(body(&update.clone().name("n")), r#"{"name":"n"}"#);
        assert_eq!(
            body(&update.clone().change_name(Patch::Clear)),
            r#"{"name":null}"#
        );
        assert_eq!(
            body(&update.clone().change_parameters(Patch::Clear)),
            r#"{"parameters":null}"#
        );
        let rules = Configuration::new([Rule::new("invoice", "contains an invoice number")]);
        assert!(body(&update.clone().parameters(rules)).contains("classify_v2"));
        update.parse(ok(examples::CONFIGURATION)).unwrap();
    }

    #[test]
    fn saved_state_configuration_update_keeps_patch() {
        for update in [
            UpdateConfiguration::new("cfg-1"),
            UpdateConfiguration::new("cfg-1").name("n").project("p"),
            UpdateConfiguration::new("cfg-1").change_name(Patch::Clear),
            UpdateConfiguration::new("cfg-1").parameters(Configuration::default()),
        ] {
            let saved = serde_json::to_string(&update).unwrap();
            assert_eq!(
                serde_json::from_str::<UpdateConfiguration>(&saved).unwrap(),
                update,
                "{saved}"
            );
        }
    }

    #[test]
    fn validation_configuration_update_errors_name_field() {
        let error = UpdateConfiguration::new("cfg-1")
            .name("x".repeat(256))
            .parameters(Configuration::default())
            .build_request(&api())
            .unwrap_err();
        assert!(error.to_string().contains("name has 256"), "{error}");
        assert!(error.to_string().contains("parameters.rules"), "{error}");
    }
}
