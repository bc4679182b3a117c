//! The keys that rules and configurations may have.
//!
//! The service ignores unknown keys, and a page limit that is ignored costs money. So they are rejected here.

use std::fmt;

use serde_json::Value;

use crate::parse_message::quote;

pub(crate) const RULES: &str = "rules";
const PARSING: &str = "parsing_configuration";

pub(crate) const CONFIGURATION_KEYS: [&str; 3] = [RULES, "mode", PARSING];
pub(crate) const RULE_KEYS: [&str; 2] = ["type", "description"];
const PARSING_KEYS: [&str; 3] = ["lang", "max_pages", "target_pages"];

/// A key that the service does not know.
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownKey {
    /// The object with the key, as a path; empty for the outermost one.
    path: String,
    key: String,
    nearest: String,
}

impl std::error::Error for UnknownKey {}

impl fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(
            f,
            "unknown key {}; did you mean `{}`?",
            quote(&self.key),
            self.nearest
        )
    }
}

/// Checks the keys of a configuration, which may also have `more` keys.
///
/// # Errors
///
/// The first unknown key.
pub fn check_configuration(value: &Value, more: &[&str]) -> Result<(), UnknownKey> {
    check_object(value, &[&CONFIGURATION_KEYS[..], more].concat(), "")?;
    check_object(&value[PARSING], &PARSING_KEYS, PARSING)?;
    check_list(&value[RULES], &RULE_KEYS, RULES)
}

/// Checks the keys of a list of rules.
///
/// # Errors
///
/// The first unknown key.
pub fn check_rules(value: &Value) -> Result<(), UnknownKey> {
    check_list(value, &RULE_KEYS, "")
}

/// Checks the keys of a parsing configuration.
///
/// # Errors
///
/// The first unknown key.
pub fn check_parsing(value: &Value) -> Result<(), UnknownKey> {
    check_object(value, &PARSING_KEYS, "")
}

/// Checks the keys of each object of a list.
///
/// # Errors
///
/// The first unknown key.
pub fn check_list(value: &Value, keys: &[&str], path: &str) -> Result<(), UnknownKey> {
    let items = value.as_array().into_iter().flatten();
    items
        .enumerate()
        .try_for_each(|(index, item)| check_object(item, keys, &format!("{path}[{index}]")))
}

fn check_object(value: &Value, keys: &[&str], path: &str) -> Result<(), UnknownKey> {
    let mut fields = value.as_object().into_iter().flatten();
    let Some((key, _)) = fields.find(|(key, _)| !keys.contains(&key.as_str())) else {
        return Ok(());
    };
    let similarity = |known: &&&str| (strsim::jaro_winkler(key, known) * 1000.0).round();
    let nearest = keys
        .iter()
        .max_by(|left, right| similarity(left).total_cmp(&similarity(right)))
        .copied()
        .unwrap_or_default();
    Err(UnknownKey {
        path: path.to_owned(),
        key: key.clone(),
        nearest: nearest.to_owned(),
    })
}
