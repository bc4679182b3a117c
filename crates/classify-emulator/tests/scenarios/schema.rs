//! Every reply that a scenario sees is checked against the schema that the official clients' scenarios use as well.

use std::sync::LazyLock;

use jsonschema::Validator;
use regex::Regex;
use serde_json::{Value, json};

use crate::test_client::Reply;

struct Route {
    method: String,
    path: Regex,
    status: u16,
    /// None where there is no body.
    body: Option<Validator>,
}

struct Schema {
    routes: Vec<Route>,
    error: Validator,
    invalid: Validator,
}

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let source: Value =
        serde_json::from_str(include_str!("../official/schema.json")).expect("JSON");
    let compiled = |mut schema: Value| {
        schema["$defs"] = source["$defs"].clone();
        jsonschema::validator_for(&schema).expect("a schema")
    };
    let named = |name: &str| json!({ "$ref": format!("#/$defs/{name}") });
    let routes = source["routes"]
        .as_array()
        .expect("routes")
        .iter()
        .map(|route| {
            let text = |name: &str| route[name].as_str().map(str::to_owned);
            let page = |name: &str| {
                json!({
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["items"],
                    "properties": {
                        "items": { "type": "array", "items": named(name) },
                        "next_page_token": { "type": ["string", "null"] },
                        "total_size": { "type": ["integer", "null"] },
                    },
                })
            };
            let list = |name: &str| json!({ "type": "array", "items": named(name) });
            let body = text("schema")
                .map(|name| named(&name))
                .or_else(|| text("page_of").map(|name| page(&name)))
                .or_else(|| text("list_of").map(|name| list(&name)));
            Route {
                method: text("method").expect("a method"),
                path: Regex::new(&text("path").expect("a path")).expect("a pattern"),
                status: route["status"]
                    .as_u64()
                    .and_then(|status| status.try_into().ok())
                    .expect("a status"),
                body: body.map(compiled),
            }
        });
    Schema {
        routes: routes.collect(),
        error: compiled(named("error")),
        invalid: compiled(named("invalid")),
    }
});

/// Checks a reply of the API; the emulator's own routes are passed by.
#[track_caller]
pub(crate) fn check(method: &str, path_and_query: &str, reply: &Reply) {
    let path = path_and_query.split('?').next().unwrap_or_default();
    if path.starts_with("/_emulator") {
        return;
    }
    let conforms = |validator: &Validator| {
        let body = reply.json();
        let errors: Vec<String> = validator
            .iter_errors(&body)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(
            errors.is_empty(),
            "{method} {path} {}: {body}\n{}",
            reply.status,
            errors.join("\n")
        );
    };
    match reply.status {
        422 => conforms(&SCHEMA.invalid),
        400.. => conforms(&SCHEMA.error),
        status => {
            let fits = |route: &&Route| route.method == method && route.path.is_match(path);
            let Some(route) = SCHEMA.routes.iter().find(fits) else {
                panic!("no schema for {method} {path}");
            };
            assert_eq!(status, route.status, "{method} {path}");
            match &route.body {
                Some(validator) => conforms(validator),
                None => assert_eq!(reply.text, "", "{method} {path} has no body"),
            }
        }
    }
}
