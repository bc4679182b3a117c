//! The values of one call, from flags and stdin.

use clap::ArgMatches;
use classify_proto::webhooks::is_masked;
use serde_json::{Map, Value};

use super::endpoint::{Endpoint, Location, WEBHOOK};
use super::flag_values::flag_value;
use super::request::Request;
use super::stdin;
use super::stdin::Wait;
use crate::error::CliError;
use crate::printer::Printer;
use crate::rules;
use crate::rules::keys;
use crate::terminal::escape;
use classify_rules::parse_message::shorten;

/// The values of a call, under the API's names.
#[derive(Debug)]
pub(super) struct ParameterValues {
    values: Map<String, Value>,
    /// Fields of stdin that are not parameters.
    unknown: Map<String, Value>,
}

impl ParameterValues {
    /// Parses flags and stdin. Flags win.
    pub(super) fn parse(
        endpoint: &Endpoint,
        matches: &ArgMatches,
        may_read_stdin: bool,
        validates: bool,
        printer: Printer,
    ) -> Result<Self, CliError> {
        let mut values = Map::new();
        for parameter in endpoint.parameters {
            if let Some(value) = flag_value(parameter, matches, printer)? {
                values.insert(parameter.name.to_owned(), value);
            }
        }
        let is_incomplete = endpoint
            .parameters
            .iter()
            .any(|parameter| parameter.required && !values.contains_key(parameter.name));
        let is_list = endpoint.response.is_list();
        let mut unknown = Map::new();
        // A command that needs no stdin leaves it to the caller, for example to a loop that reads lines.
        if may_read_stdin && (endpoint.has_body() || is_incomplete || is_list) {
            let wait = if is_list {
                Wait::Briefly
            } else {
                Wait::UntilEnd
            };
            for (name, value) in stdin::read(wait, printer)? {
                if endpoint
                    .parameters
                    .iter()
                    .any(|parameter| parameter.name == name)
                {
                    values.entry(name).or_insert(value);
                } else {
                    unknown.insert(name, value);
                }
            }
        }
        if let Some(configuration) = values.get_mut("configuration") {
            rules::quote_target_pages(configuration);
        }
        let values = Self { values, unknown };
        values.check_required(endpoint)?;
        values.check_id(endpoint)?;
        if validates {
            values.check_ranges(endpoint)?;
            values.check_keys(endpoint)?;
            values.check_masks(endpoint)?;
        }
        Ok(values)
    }

    fn check_required(&self, endpoint: &Endpoint) -> Result<(), CliError> {
        let missing: Vec<_> = endpoint
            .parameters
            .iter()
            .filter(|parameter| parameter.required && self.get(parameter.name).is_none())
            .map(|parameter| format!("--{}", parameter.flag))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let command = format!("llamacloud-prod {} {}", endpoint.resource, endpoint.name);
        Err(
            CliError::usage(format!("`{command}` needs {}", missing.join(" and ")))
                .hint(format!("`{command} --help` shows how to write it")),
        )
    }

    /// An id is one segment of the path. It must not lead to another path.
    fn check_id(&self, endpoint: &Endpoint) -> Result<(), CliError> {
        for parameter in endpoint
            .parameters
            .iter()
            .filter(|parameter| parameter.location == Location::Path)
        {
            let id = self.text(parameter.name).unwrap_or_default();
            if matches!(id.trim(), "" | "." | "..") {
                return Err(CliError::usage(format!(
                    "{} is {id:?}, which is not an id",
                    parameter.name
                )));
            }
        }
        Ok(())
    }

    fn check_ranges(&self, endpoint: &Endpoint) -> Result<(), CliError> {
        for parameter in endpoint.parameters {
            let (Some((min, max)), Some(value)) = (parameter.range, self.get(parameter.name))
            else {
                continue;
            };
            if value
                .as_i64()
                .is_none_or(|number| !(min..=max).contains(&number))
            {
                let range = match max {
                    i64::MAX => format!("{min} or more"),
                    max => format!("{min} to {max}"),
                };
                return Err(CliError::usage(format!(
                    "--{} is {}; it must be {range}",
                    parameter.flag,
                    shorten(&value.to_string(), 40)
                )));
            }
        }
        Ok(())
    }

    /// Rejects unknown keys in the body of a create.
    fn check_keys(&self, endpoint: &Endpoint) -> Result<(), CliError> {
        if endpoint.name != "create" {
            return Ok(());
        }
        let webhook_keys: Vec<&str> = WEBHOOK.iter().map(|field| field.name).collect();
        for parameter in endpoint.parameters {
            let Some(value) = self.get(parameter.name) else {
                continue;
            };
            let checked = match parameter.name {
                "configuration" => keys::check_configuration(value, &[]),
                "parameters" if value["product_type"] == "classify_v2" => {
                    keys::check_configuration(value, &["product_type"])
                }
                "rules" => keys::check_rules(value),
                "parsing_configuration" => keys::check_parsing(value),
                "webhook_configurations" => keys::check_list(value, &webhook_keys, ""),
                _ => Ok(()),
            };
            checked.map_err(|unknown| {
                CliError::usage(format!("--{}: {unknown}", parameter.flag)).hint(
                    "nothing was sent; if the service knows the key, --no-validate sends it as it is",
                )
            })?;
        }
        Ok(())
    }

    /// Rejects masked values in a create, which would be stored as the credential. An update may send them back.
    fn check_masks(&self, endpoint: &Endpoint) -> Result<(), CliError> {
        if endpoint.name != "create" {
            return Ok(());
        }
        let inline = self
            .get("webhook_configurations")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|webhook| (webhook.get("webhook_url"), webhook.get("webhook_headers")));
        let own = (self.get("webhook_url"), self.get("webhook_headers"));
        for (url, headers) in inline.chain([own]) {
            let headers = headers.and_then(Value::as_object).into_iter().flatten();
            let url = url.map(|url| ("webhook_url".to_owned(), url));
            let headers =
                headers.map(|(name, value)| (format!("webhook_headers.{}", escape(name)), value));
            for (name, value) in url.into_iter().chain(headers) {
                if value.as_str().is_some_and(is_masked) {
                    return Err(CliError::usage(format!(
                        "{name} is a masked value; use the value itself"
                    ))
                    .hint("nothing was sent; --no-validate sends it as it is"));
                }
            }
        }
        Ok(())
    }

    /// Returns a value that is set and not null.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name).filter(|value| !value.is_null())
    }

    /// Returns a value as text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(to_text)
    }

    /// Returns the fields of the body.
    pub(super) fn body(&self, endpoint: &Endpoint) -> Map<String, Value> {
        let mut body = self.unknown.clone();
        for parameter in endpoint.parameters {
            if let (Location::Body, Some(value)) =
                (parameter.location, self.values.get(parameter.name))
            {
                body.insert(parameter.name.to_owned(), value.clone());
            }
        }
        body
    }

    /// Returns the request.
    pub(super) fn request(&self, endpoint: &Endpoint) -> Request {
        let mut id = None;
        let mut query = Vec::new();
        for parameter in endpoint.parameters {
            let Some(value) = self.get(parameter.name) else {
                continue;
            };
            match parameter.location {
                Location::Path => id = Some(to_text(value)),
                Location::Query => match value {
                    Value::Array(items) => query.extend(
                        items
                            .iter()
                            .filter(|item| !item.is_null())
                            .map(|item| (parameter.name.to_owned(), to_text(item))),
                    ),
                    value => query.push((parameter.name.to_owned(), to_text(value))),
                },
                Location::Body => {}
            }
        }
        let has_body = endpoint.has_body();
        if !has_body {
            // The service may know parameters that this version does not.
            query.extend(
                self.unknown
                    .iter()
                    .map(|(name, value)| (name.clone(), to_text(value))),
            );
        }
        Request {
            method: endpoint.method.clone(),
            path: endpoint.path,
            id,
            path_suffix: endpoint.path_suffix,
            query,
            body: has_body.then(|| self.body(endpoint)),
            idempotency: endpoint.idempotency,
        }
    }
}

fn to_text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
