//! From the command line and stdin to the values of one call.
//!
//! An inner flag fills the last object of its list, or begins another when that has the field already; so the order in
//! which the flags stand matters, and is read from the matches by hand.

use clap::ArgMatches;
use serde_json::{Map, Value};

use super::call::Request;
use super::configuration::{check_keys, quote_pages};
use super::stdin::Wait;
use super::{Endpoint, Field, Kind, Place, stdin, text};
use crate::console::Console;
use crate::exit::Problem;

/// The first argument, where a command takes an id.
pub(crate) const POSITIONAL: &str = "ID";

/// The values of a call, by the API's names.
#[derive(Debug)]
pub(crate) struct Given {
    values: Map<String, Value>,
    /// What stdin held beside them, for the body.
    others: Map<String, Value>,
}

impl Given {
    /// Reads flags and stdin. Flags win.
    pub(crate) fn read(
        endpoint: &Endpoint,
        matches: &ArgMatches,
        stdin_is_free: bool,
        checks: bool,
        console: Console,
    ) -> Result<Self, Problem> {
        let mut values = Map::new();
        for field in endpoint.fields {
            if let Some(value) = flag(field, matches)? {
                values.insert(field.name.to_owned(), value);
            }
        }
        let takes_body = endpoint
            .fields
            .iter()
            .any(|field| field.place == Place::Body);
        let lacks_id = endpoint
            .fields
            .iter()
            .any(|field| field.required && !values.contains_key(field.name));
        let is_list = endpoint.answer.is_list();
        let mut others = Map::new();
        // A command that has all it needs leaves stdin to whoever is after it: a loop over lines, for example.
        if stdin_is_free && (takes_body || lacks_id || is_list) {
            let wait = if is_list { Wait::Briefly } else { Wait::ForIt };
            for (name, value) in stdin::read(wait, console)? {
                if endpoint.fields.iter().any(|field| field.name == name) {
                    values.entry(name).or_insert(value);
                } else {
                    others.insert(name, value);
                }
            }
        }
        if let Some(configuration) = values.get_mut("configuration") {
            quote_pages(configuration);
        }
        let given = Self { values, others };
        given.check(endpoint)?;
        if checks {
            given.check_ranges(endpoint)?;
            check_keys(endpoint, &given)?;
        }
        Ok(given)
    }

    fn check(&self, endpoint: &Endpoint) -> Result<(), Problem> {
        let missing: Vec<_> = endpoint
            .fields
            .iter()
            .filter(|field| field.required && self.get(field.name).is_none())
            .map(|field| format!("--{}", field.flag))
            .collect();
        if missing.is_empty() {
            return self.check_id(endpoint);
        }
        let line = format!("llamacloud-prod {} {}", endpoint.resource, endpoint.name);
        Err(
            Problem::usage(format!("`{line}` needs {}", missing.join(" and ")))
                .hint(format!("`{line} --help` shows how to write it")),
        )
    }

    /// An id is one piece of the path; what would name another path is no id.
    fn check_id(&self, endpoint: &Endpoint) -> Result<(), Problem> {
        for field in endpoint
            .fields
            .iter()
            .filter(|field| field.place == Place::Path)
        {
            let id = self.text(field.name).unwrap_or_default();
            if matches!(id.trim(), "" | "." | "..") {
                return Err(Problem::usage(format!(
                    "{} is {id:?}, which is no id",
                    field.name
                )));
            }
        }
        Ok(())
    }

    fn check_ranges(&self, endpoint: &Endpoint) -> Result<(), Problem> {
        for field in endpoint.fields {
            let (Some((least, most)), Some(value)) = (field.range, self.get(field.name)) else {
                continue;
            };
            if value
                .as_i64()
                .is_none_or(|number| !(least..=most).contains(&number))
            {
                return Err(Problem::usage(format!(
                    "--{} is {value}; the service takes {least} to {most}",
                    field.flag
                )));
            }
        }
        Ok(())
    }

    /// A value that is given and is not null.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name).filter(|value| !value.is_null())
    }

    /// The same as text, however it was written.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(plain)
    }

    /// Every field of the body, under the API's names.
    pub(crate) fn body(&self, endpoint: &Endpoint) -> Map<String, Value> {
        let mut body = self.others.clone();
        for field in endpoint.fields {
            if let (Place::Body, Some(value)) = (field.place, self.values.get(field.name)) {
                body.insert(field.name.to_owned(), value.clone());
            }
        }
        body
    }

    /// The request, as the table says where each value goes.
    pub(crate) fn request(&self, endpoint: &Endpoint) -> Request {
        let mut id = None;
        let mut query = Vec::new();
        for field in endpoint.fields {
            let Some(value) = self.get(field.name) else {
                continue;
            };
            match field.place {
                Place::Path => id = Some(plain(value)),
                Place::Query => match value {
                    Value::Array(items) => query.extend(
                        items
                            .iter()
                            .filter(|item| !item.is_null())
                            .map(|item| (field.name.to_owned(), plain(item))),
                    ),
                    value => query.push((field.name.to_owned(), plain(value))),
                },
                Place::Body => {}
            }
        }
        let takes_body = endpoint
            .fields
            .iter()
            .any(|field| field.place == Place::Body);
        if !takes_body {
            // A name that this version does not know may be one of the service's.
            query.extend(
                self.others
                    .iter()
                    .map(|(name, value)| (name.clone(), plain(value))),
            );
        }
        Request {
            method: endpoint.method.clone(),
            path: endpoint.path,
            id,
            then: endpoint.then,
            query,
            body: takes_body.then(|| self.body(endpoint)),
            idempotency: endpoint.idempotency,
        }
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// What the flags of one field say, in the order in which they stand.
fn flag(field: &Field, matches: &ArgMatches) -> Result<Option<Value>, Problem> {
    let mut found: Vec<(usize, Option<&super::Inner>, &String)> = Vec::new();
    let mut collect = |id: &str, inner| {
        if let (Some(places), Some(texts)) =
            (matches.indices_of(id), matches.get_many::<String>(id))
        {
            found.extend(places.zip(texts).map(|(place, text)| (place, inner, text)));
        }
    };
    collect(field.flag, None);
    if field.place == Place::Path {
        collect(POSITIONAL, None);
    }
    for inner in field.inner {
        collect(&format!("{}.{}", field.flag, inner.flag), Some(inner));
    }
    found.sort_by_key(|(place, ..)| *place);
    // Of an object, the inner flags win wherever they stand.
    if matches!(field.kind, Kind::Object | Kind::Configuration) {
        found.sort_by_key(|(_, inner, _)| inner.is_some());
    }

    let mut value: Option<Value> = None;
    let mut last = Last::default();
    for (_, inner, given) in found {
        match inner {
            None => {
                let read = text::read(field.flag, field.kind, given)?;
                take(&mut value, field, read);
                last = Last::default();
            }
            Some(inner) => {
                let name = format!("{}.{}", field.flag, inner.flag);
                let read = text::read(&name, inner.kind, given)?;
                let read = match (inner.kind, read) {
                    (Kind::Texts, Value::String(word)) => Value::Array(vec![word.into()]),
                    (_, read) => read,
                };
                fill(&mut value, field.kind, inner.name, read, &mut last)
                    .map_err(|what| Problem::usage(format!("--{name}: --{} {what}", field.flag)))?;
            }
        }
    }
    Ok(value.map(|value| known_word(field, value)))
}

/// Adds to a list, or takes the place of what was there.
fn take(value: &mut Option<Value>, field: &Field, read: Value) {
    if !field.kind.repeats() || read.is_null() {
        if !(read.is_null() && value.is_some()) {
            *value = Some(read);
        }
        return;
    }
    let more = match read {
        Value::Array(items) => items,
        item => vec![item],
    };
    match value {
        Some(Value::Array(items)) => items.extend(more),
        _ => *value = Some(Value::Array(more)),
    }
}

/// Which inner flags stood before, on which it hangs whether a repeated one goes on with an object or begins another.
#[derive(Debug, Default)]
struct Last {
    /// The one just before.
    name: &'static str,
    /// The one that began the last object.
    first: &'static str,
    /// Those that an object has from inner flags.
    set: Vec<&'static str>,
}

/// Whether a list is added to. One that begins its object, and comes again after others, begins the next.
fn goes_on(held: Option<&mut Value>, name: &str, read: &mut Value, last: &Last) -> bool {
    let (Some(Value::Array(held)), Value::Array(more)) = (held, read) else {
        return false;
    };
    let goes_on = last.name == name || last.first != name;
    if goes_on {
        held.append(more);
    }
    goes_on
}

/// Sets one field of an object, or of the last of a list; a list in it that is there already is added to.
fn fill(
    value: &mut Option<Value>,
    kind: Kind,
    name: &'static str,
    mut read: Value,
    last: &mut Last,
) -> Result<(), &'static str> {
    let slot = value.get_or_insert(Value::Null);
    if kind == Kind::Objects {
        if !slot.is_array() {
            *slot = Value::Array(Vec::new());
        }
        if let Value::Array(items) = slot {
            let held = items.last_mut().and_then(|item| item.get_mut(name));
            let is_there = held.is_some();
            if goes_on(held, name, &mut read, last) {
                last.name = name;
                return Ok(());
            }
            if items.is_empty() || is_there {
                items.push(Value::Object(Map::new()));
                last.first = name;
            }
            last.name = name;
            if let Some(Value::Object(item)) = items.last_mut() {
                item.insert(name.to_owned(), read);
                return Ok(());
            }
        }
        return Err("holds something else than objects");
    }
    if slot.is_null() {
        *slot = Value::Object(Map::new());
    }
    match slot {
        Value::Object(fields) => {
            // The first inner flag takes the place of what the object says; the next of the same name add to it.
            let again = last.set.contains(&name);
            if !(again && goes_on(fields.get_mut(name), name, &mut read, last)) {
                fields.insert(name.to_owned(), read);
                last.set.push(name);
            }
            Ok(())
        }
        _ => Err("is no object"),
    }
}

/// A word that this version knows may be written small; any other is the service's to judge.
fn known_word(field: &Field, value: Value) -> Value {
    match &value {
        Value::String(text) => {
            let upper = text.to_ascii_uppercase();
            if field.words.contains(&upper.as_str()) {
                upper.into()
            } else {
                value
            }
        }
        _ => value,
    }
}
