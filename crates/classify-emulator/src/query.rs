//! The query string of a request.

use crate::clock::{Millis, parse_timestamp};
use crate::validate::Validator;

/// A decoded query string.
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

    /// The last value of a parameter. An empty one counts as absent, because one official client sends null that way.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    }

    pub(crate) fn get_all(&self, name: &str) -> Vec<&str> {
        let non_null = self
            .0
            .iter()
            .filter(|(key, value)| key == name && !value.is_empty());
        non_null.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn integer(
        &self,
        validator: &Validator,
        name: &str,
        min: u64,
        max: u64,
    ) -> Option<u64> {
        let text = self.get(name)?;
        let Ok(number) = text.parse::<i128>() else {
            validator.add_error(
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
            validator.add_error("query", name, "greater_than_equal", &message, text);
            return None;
        }
        if number > i128::from(max) {
            let message = format!("Input should be less than or equal to {max}");
            validator.add_error("query", name, "less_than_equal", &message, text);
            return None;
        }
        u64::try_from(number).ok()
    }

    pub(crate) fn boolean(&self, validator: &Validator, name: &str) -> bool {
        match self.get(name) {
            None | Some("false" | "0") => false,
            Some("true" | "1") => true,
            Some(text) => {
                validator.add_error(
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

    pub(crate) fn one_of<'q>(
        &'q self,
        validator: &Validator,
        name: &str,
        allowed: &[&str],
    ) -> Option<&'q str> {
        let text = self.get(name)?;
        if allowed.contains(&text) {
            return Some(text);
        }
        validator.add_error(
            "query",
            name,
            "enum",
            &format!("Input should be one of: {}", allowed.join(", ")),
            text,
        );
        None
    }

    pub(crate) fn timestamp(&self, validator: &Validator, name: &str) -> Option<Millis> {
        let text = self.get(name)?;
        let at = parse_timestamp(text);
        if at.is_none() {
            validator.add_error(
                "query",
                name,
                "datetime_parsing",
                "Input should be a date and time",
                text,
            );
        }
        at
    }

    pub(crate) fn uuid(&self, validator: &Validator, name: &str) -> Option<String> {
        let text = self.get(name)?;
        let id = uuid::Uuid::parse_str(text).ok();
        if id.is_none() {
            validator.add_error(
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
