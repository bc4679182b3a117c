//! Rules and configurations, for rules files, for the flags and the stdin of the API commands, and for
//! `classify run --rule`. `classify-rules` parses them.

pub(crate) mod file;

pub(crate) use classify_rules::keys;
pub(crate) use classify_rules::shapes::{
    parse_configuration, parse_configuration_of_body, parse_rule, parse_rule_objects, parse_rules,
    quote_target_pages, to_configuration,
};
