//! Checks of a body or a query against the API's schema, collecting every problem in the service's 422 shape.

use std::cell::RefCell;

use serde_json::{Map, Value, json};

use crate::clock::{Millis, parse_stamp};
use crate::reply::Refusal;

/// The problems found so far in one request.
#[derive(Debug, Default)]
pub(crate) struct Check {
    problems: RefCell<Vec<Value>>,
}

impl Check {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The value at the root of a body.
    pub(crate) fn body<'a>(&'a self, value: &'a Value) -> Node<'a> {
        Node {
            check: self,
            loc: vec![json!("body")],
            value: Some(value),
        }
    }

    /// A parameter, wherever it stands (`query` or `path`).
    pub(crate) fn problem(&self, place: &str, name: &str, kind: &str, message: &str, input: &str) {
        let problem = json!({ "loc": [place, name], "msg": message, "type": kind, "input": input });
        self.problems.borrow_mut().push(problem);
    }

    /// Refuses the request if anything was wrong with it.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        let problems = self.problems.into_inner();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Refusal::Invalid(problems))
        }
    }
}

/// A place in a body: a value, or nothing where a field is absent.
#[derive(Debug, Clone)]
pub(crate) struct Node<'a> {
    check: &'a Check,
    loc: Vec<Value>,
    value: Option<&'a Value>,
}

impl<'a> Node<'a> {
    pub(crate) fn problem(&self, kind: &str, message: &str) {
        let mut problem = json!({ "loc": self.loc, "msg": message, "type": kind });
        // A whole document is never echoed: only what is short enough to help.
        if let Some(value) = self
            .value
            .filter(|value| !value.is_object() && !value.is_array())
        {
            let short = value.as_str().is_none_or(|text| text.len() <= 200);
            if short {
                problem["input"] = value.clone();
            }
        }
        self.check.problems.borrow_mut().push(problem);
    }

    pub(crate) fn field(&self, name: &str) -> Node<'a> {
        let mut loc = self.loc.clone();
        loc.push(json!(name));
        let value = self
            .value
            .and_then(Value::as_object)
            .and_then(|object| object.get(name));
        Node {
            check: self.check,
            loc,
            value,
        }
    }

    /// The node, unless it is absent or null.
    pub(crate) fn given(&self) -> Option<Node<'a>> {
        self.value
            .filter(|value| !value.is_null())
            .map(|_| self.clone())
    }

    /// The node unless it is absent; null is a problem left to the next check.
    pub(crate) fn present(&self) -> Option<Node<'a>> {
        self.value.map(|_| self.clone())
    }

    fn required(&self) -> Option<&'a Value> {
        if self.value.is_none() {
            self.problem("missing", "Field required");
        }
        self.value
    }

    pub(crate) fn object(&self) -> Option<&'a Map<String, Value>> {
        let object = self.required()?.as_object();
        if object.is_none() {
            self.problem("model_attributes_type", "Input should be an object");
        }
        object
    }

    pub(crate) fn any(&self) -> Option<&'a Value> {
        self.required()
    }

    pub(crate) fn string(&self, min: usize, max: usize) -> Option<String> {
        let Some(text) = self.required()?.as_str() else {
            self.problem("string_type", "Input should be a string");
            return None;
        };
        let length = text.chars().count();
        if length < min {
            self.problem(
                "string_too_short",
                &format!("String should have at least {min} characters"),
            );
            return None;
        }
        if length > max {
            self.problem(
                "string_too_long",
                &format!("String should have at most {max} characters"),
            );
            return None;
        }
        Some(text.to_owned())
    }

    pub(crate) fn optional_string(&self, max: usize) -> Option<String> {
        self.given()?.string(0, max)
    }

    pub(crate) fn word(&self, words: &[&str], kind: &str) -> Option<String> {
        let value = self.required()?;
        let word = value.as_str().filter(|text| words.contains(text));
        if word.is_none() {
            self.problem(
                kind,
                &format!("Input should be one of: {}", words.join(", ")),
            );
        }
        word.map(str::to_owned)
    }

    pub(crate) fn integer(&self, min: i64) -> Option<i64> {
        let Some(number) = self.required()?.as_i64() else {
            self.problem("int_type", "Input should be an integer");
            return None;
        };
        if number < min {
            self.problem(
                "greater_than_equal",
                &format!("Input should be greater than or equal to {min}"),
            );
            return None;
        }
        Some(number)
    }

    pub(crate) fn items(&self, min: usize, max: usize) -> Option<Vec<Node<'a>>> {
        let Some(items) = self.required()?.as_array() else {
            self.problem("list_type", "Input should be a list");
            return None;
        };
        if items.len() < min {
            self.problem(
                "too_short",
                &format!("List should have at least {min} items"),
            );
        }
        if items.len() > max {
            self.problem("too_long", &format!("List should have at most {max} items"));
        }
        let nodes = items.iter().enumerate().map(|(index, value)| {
            let mut loc = self.loc.clone();
            loc.push(json!(index));
            Node {
                check: self.check,
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

    pub(crate) fn only(&self, known: &[&str]) {
        for name in self
            .value
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(Map::keys)
        {
            if !known.contains(&name.as_str()) {
                self.field(name)
                    .problem("extra_forbidden", "Extra inputs are not permitted");
            }
        }
    }
}

/// A query string, decoded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(pub(crate) Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        Self(
            form_urlencoded::parse(text.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    /// The last value of a parameter; an empty one counts as absent, since one official client sends null that way.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let given = self
            .0
            .iter()
            .filter(|(key, value)| key == name && !value.is_empty());
        given.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn integer(&self, check: &Check, name: &str, min: u64, max: u64) -> Option<u64> {
        let text = self.one(name)?;
        let Ok(number) = text.parse::<i128>() else {
            check.problem(
                "query",
                name,
                "int_parsing",
                "Input should be an integer",
                text,
            );
            return None;
        };
        if number < i128::from(min) {
            let message = format!("Input should be greater than or equal to {min}");
            check.problem("query", name, "greater_than_equal", &message, text);
            return None;
        }
        if number > i128::from(max) {
            let message = format!("Input should be less than or equal to {max}");
            check.problem("query", name, "less_than_equal", &message, text);
            return None;
        }
        u64::try_from(number).ok()
    }

    pub(crate) fn flag(&self, check: &Check, name: &str) -> bool {
        match self.one(name) {
            None | Some("false" | "0") => false,
            Some("true" | "1") => true,
            Some(text) => {
                check.problem(
                    "query",
                    name,
                    "bool_parsing",
                    "Input should be true or false",
                    text,
                );
                false
            }
        }
    }

    pub(crate) fn word<'q>(&'q self, check: &Check, name: &str, words: &[&str]) -> Option<&'q str> {
        let text = self.one(name)?;
        if words.contains(&text) {
            return Some(text);
        }
        check.problem(
            "query",
            name,
            "enum",
            &format!("Input should be one of: {}", words.join(", ")),
            text,
        );
        None
    }

    pub(crate) fn moment(&self, check: &Check, name: &str) -> Option<Millis> {
        let text = self.one(name)?;
        let at = parse_stamp(text);
        if at.is_none() {
            check.problem(
                "query",
                name,
                "datetime_parsing",
                "Input should be a date and time",
                text,
            );
        }
        at
    }

    pub(crate) fn uuid(&self, check: &Check, name: &str) -> Option<String> {
        let text = self.one(name)?;
        let id = uuid::Uuid::parse_str(text).ok();
        if id.is_none() {
            check.problem(
                "query",
                name,
                "uuid_parsing",
                "Input should be a UUID",
                text,
            );
        }
        id.map(|id| id.to_string())
    }
}
