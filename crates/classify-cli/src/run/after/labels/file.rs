//! The forms that labels come in: CSV, JSON, JSON lines. What else people write beside a label is passed over.

use std::ffi::OsStr;
use std::path::Path;

use serde_json::Value;

/// One label, and the line that it stands on.
#[derive(Debug, PartialEq)]
pub(super) struct Label {
    pub(super) line: u64,
    pub(super) path: String,
    pub(super) r#type: Option<String>,
}

/// Reads a file in the form that its name's extension tells, or else as CSV.
pub(super) fn read(file: &Path) -> Result<Vec<Label>, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot be read: {error}"))?;
    // Spreadsheets begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let extension = file.extension().and_then(OsStr::to_str).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "json" => from_json(text),
        "jsonl" | "ndjson" => from_json_lines(text),
        _ => from_csv(text),
    }
}

fn from_csv(text: &str) -> Result<Vec<Label>, String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(true)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let names: Vec<&str> = header.iter().map(str::trim).collect();
    let place = |name: &str| {
        let mut found = names
            .iter()
            .enumerate()
            .filter(|(_, found)| **found == name);
        match (found.next(), found.next()) {
            (Some((place, _)), None) => Ok(place),
            (Some(_), Some(_)) => Err(format!("line 1: there are two columns `{name}`")),
            (None, _) => Err(missing(name, &names)),
        }
    };
    let (path, r#type) = (place("path")?, place("type")?);
    let status = place("status").ok();
    let mut labels = Vec::new();
    let mut line = Line {
        rest: text.as_bytes(),
        passed: 0,
        number: 1,
    };
    for record in reader.records() {
        // The error says the line.
        let record = record.map_err(|error| error.to_string())?;
        line.reach(record.position().map_or(0, csv::Position::byte));
        let line = line.number;
        let cell = |place: usize| record.get(place).unwrap_or_default();
        labels.extend(label(
            line,
            cell(path),
            Some(cell(r#type)),
            status.map(cell),
        )?);
    }
    Ok(labels)
}

/// Where a text has been read up to. The reader of CSV counts a blank line to the record after it, so its own numbers
/// are not those that an editor shows.
struct Line<'a> {
    rest: &'a [u8],
    passed: u64,
    number: u64,
}

impl Line<'_> {
    /// Goes on to the record that begins at this byte, or after the blank lines there.
    fn reach(&mut self, start: u64) {
        while let Some((byte, rest)) = self.rest.split_first()
            && (self.passed < start || matches!(byte, b'\n' | b'\r'))
        {
            self.number += u64::from(*byte == b'\n');
            self.passed += 1;
            self.rest = rest;
        }
    }
}

fn missing(name: &str, names: &[&str]) -> String {
    let hint = match names {
        [one] if one.contains([';', '\t']) => {
            "; its columns must be separated by commas".to_owned()
        }
        _ => format!("; it has {}", quoted(names)),
    };
    format!("line 1: there is no column `{name}`{hint}, and needs `path` and `type`")
}

fn quoted(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn from_json(text: &str) -> Result<Vec<Label>, String> {
    let values: Vec<Value> =
        serde_json::from_str(text).map_err(|error| format!("it is no list of objects: {error}"))?;
    let mut labels = Vec::new();
    for (nth, value) in (1..).zip(&values) {
        labels.extend(from_value(nth, value).map_err(|why| format!("number {nth}: {why}"))?);
    }
    Ok(labels)
}

fn from_json_lines(text: &str) -> Result<Vec<Label>, String> {
    let mut labels = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let found = serde_json::from_str(text)
            .map_err(|error| error.to_string())
            .and_then(|value| from_value(line, &value))
            .map_err(|why| format!("line {line}: {why}"))?;
        labels.extend(found);
    }
    Ok(labels)
}

fn from_value(line: u64, value: &Value) -> Result<Option<Label>, String> {
    let Value::Object(fields) = value else {
        return Err("it is no object with `path` and `type`".to_owned());
    };
    let text = |name: &str| match fields.get(name) {
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(Value::Null) => Ok(None),
        Some(_) => Err(format!("`{name}` is no text")),
        None => Err(format!("there is no `{name}`")),
    };
    let path = text("path")?.unwrap_or_default();
    label(line, path, text("type")?, text("status").ok().flatten())
}

/// A label; none where a row says that its document had no answer, and nobody has put in a type.
fn label(
    line: u64,
    path: &str,
    r#type: Option<&str>,
    status: Option<&str>,
) -> Result<Option<Label>, String> {
    if path.is_empty() {
        return Err(format!("line {line}: there is no path"));
    }
    let r#type = r#type.filter(|r#type| !r#type.is_empty());
    let unanswered = status.is_some_and(|status| !status.is_empty() && status != "COMPLETED");
    if r#type.is_none() && unanswered {
        return Ok(None);
    }
    Ok(Some(Label {
        line,
        path: path.to_owned(),
        r#type: r#type.map(str::to_owned),
    }))
}
