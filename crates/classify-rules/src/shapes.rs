//! Rules and configurations in the shapes that flags, stdin and bodies of the API have.
//!
//! The functions return JSON values in the API's form. The errors name the place and quote no long value.

use classify_proto::v2::{Configuration, Rule};
use serde::Deserialize;
use serde_json::Value;

use crate::parse_message::describe_json;
use crate::tree::Tree;
use crate::yaml;

/// Parses a rule written as `type=description`.
///
/// # Errors
///
/// The text has no equals sign.
pub fn parse_rule(text: &str) -> Result<Rule, String> {
    match text.split_once('=') {
        Some((r#type, description)) => Ok(Rule::new(r#type.trim(), description.trim())),
        None => Err(
            "write type=description, for example 'invoice=asks for payment by a due date'"
                .to_owned(),
        ),
    }
}

/// Parses a rule, or a list of rules, in the API's form.
///
/// # Errors
///
/// The text is not valid YAML or has another shape.
pub fn parse_rule_objects(text: &str) -> Result<Value, String> {
    yaml::from_str(text).map(Tree::into_value)
}

/// Parses a list of rules, or a mapping from type to description. Returns them in the API's form.
///
/// # Errors
///
/// The text is not valid YAML or has another shape.
pub fn parse_rules(text: &str) -> Result<Value, String> {
    yaml::from_str(text).map(Tree::into_rules)
}

/// Parses a configuration in any shape of a rules file. Returns it in the API's form.
///
/// # Errors
///
/// The text is not valid YAML or has another shape.
pub fn parse_configuration(text: &str) -> Result<Value, String> {
    yaml::from_str(text).map(Tree::into_configuration)
}

/// Parses the configuration in a body of the API. The rest of the body is ignored.
///
/// # Errors
///
/// The text is not valid YAML or has another shape.
pub fn parse_configuration_of_body(text: &str) -> Result<Option<Value>, String> {
    #[derive(Deserialize)]
    struct JobBody {
        configuration: Option<Tree>,
    }
    let body: JobBody = yaml::from_str(text)?;
    Ok(body.configuration.map(Tree::into_configuration))
}

/// Converts a configuration from the API's form.
///
/// # Errors
///
/// The value is not a configuration: the path and the kind of value that was found.
pub fn to_configuration(value: Value) -> Result<Configuration, String> {
    serde_path_to_error::deserialize(value)
        .map_err(|error| yaml::at_path(&error.path().clone(), &describe_json(&error.into_inner())))
}

/// Makes a single page a string: it may be written without quotes.
pub fn quote_target_pages(configuration: &mut Value) {
    if let Some(pages) = configuration.pointer_mut("/parsing_configuration/target_pages")
        && pages.is_u64()
    {
        *pages = pages.to_string().into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{file, keys};

    #[test]
    fn rule_flag_splits_at_first_equals_sign() {
        let found = parse_rule("invoice = has a total, such as a=b").unwrap();
        assert_eq!(found, Rule::new("invoice", "has a total, such as a=b"));
        assert!(parse_rule("invoice").is_err());
    }

    #[test]
    fn rules_have_the_same_shapes_in_flags_and_files() {
        let rules = serde_json::json!([
            {"type": "invoice", "description": "asks for payment"},
            {"type": "1099", "description": "a tax form"},
        ]);
        for text in [
            "[{type: invoice, description: asks for payment}, {type: 1099, description: a tax form}]",
            "rules: [{type: invoice, description: asks for payment}, {type: 1099, description: a tax form}]",
            "rules: {invoice: asks for payment, 1099: a tax form}",
            "{invoice: asks for payment, 1099: a tax form}",
            "{mode: FAST, invoice: asks for payment, 1099: a tax form}",
        ] {
            assert_eq!(parse_configuration(text).unwrap()["rules"], rules, "{text}");
            let file = file::parse(text, file::RulesFormat::Yaml).unwrap();
            assert_eq!(serde_json::json!(file.rules), rules, "{text}");
        }
        let list = "[{type: invoice, description: asks for payment}, {type: 1099, description: a tax form}]";
        assert_eq!(parse_rules(list).unwrap(), rules);
        assert_eq!(parse_rule_objects(list).unwrap(), rules);
    }

    #[test]
    fn configuration_without_rules_keeps_unknown_keys() {
        let text = "{rulse: [], mode: FAST}";
        let configuration = parse_configuration(text).unwrap();
        let unknown = keys::check_configuration(&configuration, &[]).unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "unknown key `rulse`; did you mean `rules`?"
        );
    }
}
