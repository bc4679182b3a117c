//! The value of a parameter, from its flag and its nested flags.
//!
//! A nested flag sets a field of the last object of its list, or starts another object if that field is set already. So
//! the order of the flags matters.

use clap::ArgMatches;
use serde_json::{Map, Value};

use super::endpoint::{Location, NestedParameter, Parameter, ValueKind};
use super::flag_text;
use crate::error::CliError;
use crate::printer::Printer;

/// The name of the first argument of commands that take an id.
pub(super) const POSITIONAL: &str = "ID";

/// Returns the value of a parameter, if one of its flags is set.
pub(super) fn flag_value(
    parameter: &Parameter,
    matches: &ArgMatches,
    printer: Printer,
) -> Result<Option<Value>, CliError> {
    let mut occurrences: Vec<(usize, Option<&NestedParameter>, &String)> = Vec::new();
    let mut collect = |id: &str, nested| {
        if let (Some(indices), Some(texts)) =
            (matches.indices_of(id), matches.get_many::<String>(id))
        {
            occurrences.extend(
                indices
                    .zip(texts)
                    .map(|(index, text)| (index, nested, text)),
            );
        }
    };
    collect(parameter.flag, None);
    if parameter.location == Location::Path {
        collect(POSITIONAL, None);
    }
    for nested in parameter.nested {
        collect(&format!("{}.{}", parameter.flag, nested.flag), Some(nested));
    }
    occurrences.sort_by_key(|(index, ..)| *index);
    // Nested flags of a single object take precedence in any position.
    if matches!(parameter.kind, ValueKind::Object | ValueKind::Configuration) {
        occurrences.sort_by_key(|(_, nested, _)| nested.is_some());
    }

    let mut value: Option<Value> = None;
    let mut state = NestedState::default();
    for (_, nested, text) in occurrences {
        match nested {
            None => {
                let parsed = flag_text::parse(parameter.flag, parameter.kind, text, printer)?;
                set_or_append(&mut value, parameter, parsed);
                state = NestedState::default();
            }
            Some(nested) => {
                let flag = format!("{}.{}", parameter.flag, nested.flag);
                let parsed = flag_text::parse(&flag, nested.kind, text, printer)?;
                let parsed = match (nested.kind, parsed) {
                    (ValueKind::TextList, Value::String(text)) => Value::Array(vec![text.into()]),
                    (_, parsed) => parsed,
                };
                set_nested(&mut value, parameter.kind, nested.name, parsed, &mut state).map_err(
                    |message| CliError::usage(format!("--{flag}: --{} {message}", parameter.flag)),
                )?;
            }
        }
    }
    Ok(value.map(|value| normalize_enum_value(parameter, value)))
}

/// Appends to a list, or replaces the value.
fn set_or_append(value: &mut Option<Value>, parameter: &Parameter, parsed: Value) {
    if !parameter.kind.repeats() || parsed.is_null() {
        if !(parsed.is_null() && value.is_some()) {
            *value = Some(parsed);
        }
        return;
    }
    let more = match parsed {
        Value::Array(items) => items,
        item => vec![item],
    };
    match value {
        Some(Value::Array(items)) => items.extend(more),
        _ => *value = Some(Value::Array(more)),
    }
}

/// The nested flags so far. They decide whether a repeated one continues an object or starts another.
#[derive(Debug, Default)]
struct NestedState {
    /// The previous nested flag.
    previous: &'static str,
    /// The nested flag that started the last object.
    first: &'static str,
    /// The fields of a single object that nested flags have set.
    set: Vec<&'static str>,
}

/// Appends to a list in a field, and returns whether it did. The flag that started the object starts the next one if it
/// is repeated after others.
fn append(field: Option<&mut Value>, name: &str, parsed: &mut Value, state: &NestedState) -> bool {
    let (Some(Value::Array(items)), Value::Array(more)) = (field, parsed) else {
        return false;
    };
    let continues = state.previous == name || state.first != name;
    if continues {
        items.append(more);
    }
    continues
}

/// Sets a field of an object, or of the last object of a list. A list in that field is extended.
fn set_nested(
    value: &mut Option<Value>,
    kind: ValueKind,
    name: &'static str,
    mut parsed: Value,
    state: &mut NestedState,
) -> Result<(), &'static str> {
    let value = value.get_or_insert(Value::Null);
    if kind.is_object_list() {
        if !value.is_array() {
            *value = Value::Array(Vec::new());
        }
        if let Value::Array(items) = value {
            let field = items.last_mut().and_then(|item| item.get_mut(name));
            let is_set = field.is_some();
            if append(field, name, &mut parsed, state) {
                state.previous = name;
                return Ok(());
            }
            if items.is_empty() || is_set {
                items.push(Value::Object(Map::new()));
                state.first = name;
            }
            state.previous = name;
            if let Some(Value::Object(item)) = items.last_mut() {
                item.insert(name.to_owned(), parsed);
                return Ok(());
            }
        }
        return Err("must contain objects only");
    }
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(fields) => {
            // The first nested flag replaces the field of the object; repeated ones extend it.
            let is_repeated = state.set.contains(&name);
            if !(is_repeated && append(fields.get_mut(name), name, &mut parsed, state)) {
                fields.insert(name.to_owned(), parsed);
                state.set.push(name);
            }
            Ok(())
        }
        _ => Err("is not an object"),
    }
}

/// Returns a known enum value in upper case. Unknown values are left to the service.
fn normalize_enum_value(parameter: &Parameter, value: Value) -> Value {
    match &value {
        Value::String(text) => {
            let upper = text.to_ascii_uppercase();
            if parameter.enum_values.contains(&upper.as_str()) {
                upper.into()
            } else {
                value
            }
        }
        _ => value,
    }
}
