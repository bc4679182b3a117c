//! Validates a body or a query against the API's schema; collects every error in the shape of the service's 422.

use std::cell::RefCell;

use serde_json::{Map, Value, json};

use crate::reply::ApiError;

/// The errors found so far in a request.
#[derive(Debug, Default)]
pub(crate) struct Validator {
    errors: RefCell<Vec<Value>>,
}

impl Validator {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The root of a body.
    pub(crate) fn body<'a>(&'a self, value: &'a Value) -> Node<'a> {
        Node {
            validator: self,
            loc: vec![json!("body")],
            value: Some(value),
        }
    }

    /// Adds the error of a parameter in `query` or `path`.
    pub(crate) fn add_error(
        &self,
        location: &str,
        name: &str,
        kind: &str,
        message: &str,
        input: &str,
    ) {
        let add_error =
            json!({ "loc": [location, name], "msg": message, "type": kind, "input": input });
        self.errors.borrow_mut().push(add_error);
    }

    /// Fails if any errors were found.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        let errors = self.errors.into_inner();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(ApiError::Invalid(errors))
        }
    }
}

/// A location in a body: a value, or `None` if the field is absent.
#[derive(Debug, Clone)]
pub(crate) struct Node<'a> {
    validator: &'a Validator,
    loc: Vec<Value>,
    value: Option<&'a Value>,
}

impl<'a> Node<'a> {
    pub(crate) fn add_error(&self, kind: &str, message: &str) {
        let mut add_error = json!({ "loc": self.loc, "msg": message, "type": kind });
        // Long values are not repeated in errors: only short ones help.
        if let Some(value) = self
            .value
            .filter(|value| !value.is_object() && !value.is_array())
        {
            let short = value.as_str().is_none_or(|text| text.len() <= 200);
            if short {
                add_error["input"] = value.clone();
            }
        }
        self.validator.errors.borrow_mut().push(add_error);
    }

    pub(crate) fn field(&self, name: &str) -> Node<'a> {
        let mut loc = self.loc.clone();
        loc.push(json!(name));
        let value = self
            .value
            .and_then(Value::as_object)
            .and_then(|object| object.get(name));
        Node {
            validator: self.validator,
            loc,
            value,
        }
    }

    /// The node, unless it is absent or null.
    pub(crate) fn non_null(&self) -> Option<Node<'a>> {
        self.value
            .filter(|value| !value.is_null())
            .map(|_| self.clone())
    }

    /// The node, unless it is absent; the next check handles null.
    pub(crate) fn present(&self) -> Option<Node<'a>> {
        self.value.map(|_| self.clone())
    }

    fn required(&self) -> Option<&'a Value> {
        if self.value.is_none() {
            self.add_error("missing", "Field required");
        }
        self.value
    }

    pub(crate) fn object(&self) -> Option<&'a Map<String, Value>> {
        let object = self.required()?.as_object();
        if object.is_none() {
            self.add_error("model_attributes_type", "Input should be an object");
        }
        object
    }

    pub(crate) fn any(&self) -> Option<&'a Value> {
        self.required()
    }

    pub(crate) fn string(&self, min: usize, max: usize) -> Option<String> {
        let Some(text) = self.required()?.as_str() else {
            self.add_error("string_type", "Input should be a string");
            return None;
        };
        let length = text.chars().count();
        if length < min {
            self.add_error(
                "string_too_short",
                &format!("String should have at least {min} characters"),
            );
            return None;
        }
        if length > max {
            self.add_error(
                "string_too_long",
                &format!("String should have at most {max} characters"),
            );
            return None;
        }
        Some(text.to_owned())
    }

    pub(crate) fn optional_string(&self, max: usize) -> Option<String> {
        self.non_null()?.string(0, max)
    }

    pub(crate) fn one_of(&self, allowed: &[&str], kind: &str) -> Option<String> {
        let value = self.required()?;
        let one_of = value.as_str().filter(|text| allowed.contains(text));
        if one_of.is_none() {
            self.add_error(
                kind,
                &format!("Input should be one of: {}", allowed.join(", ")),
            );
        }
        one_of.map(str::to_owned)
    }

    pub(crate) fn integer(&self, min: i64) -> Option<i64> {
        let Some(number) = self.required()?.as_i64() else {
            self.add_error("int_type", "Input should be an integer");
            return None;
        };
        if number < min {
            self.add_error(
                "greater_than_equal",
                &format!("Input should be greater than or equal to {min}"),
            );
            return None;
        }
        Some(number)
    }

    pub(crate) fn items(&self, min: usize, max: usize) -> Option<Vec<Node<'a>>> {
        let Some(items) = self.required()?.as_array() else {
            self.add_error("list_type", "Input should be a list");
            return None;
        };
        if items.len() < min {
            self.add_error(
                "too_short",
                &format!("List should have at least {min} items"),
            );
        }
        if items.len() > max {
            self.add_error("too_long", &format!("List should have at most {max} items"));
        }
        let nodes = items.iter().enumerate().map(|(index, value)| {
            let mut loc = self.loc.clone();
            loc.push(json!(index));
            Node {
                validator: self.validator,
                loc,
                value: Some(value),
            }
        });
        Some(nodes.collect())
    }

    pub(crate) fn strings(&self, min: usize, max: usize) -> Option<Vec<String>> {
        let items = self.items(min, max)?;
        Some(
            items
                .iter()
                .filter_map(|item| item.string(0, usize::MAX))
                .collect(),
        )
    }

    pub(crate) fn deny_unknown(&self, known: &[&str]) {
        for name in self
            .value
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(Map::keys)
        {
            if !known.contains(&name.as_str()) {
                self.field(name)
                    .add_error("extra_forbidden", "Extra inputs are not permitted");
            }
        }
    }
}
