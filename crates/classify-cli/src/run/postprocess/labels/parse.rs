//! Parses files of labels: CSV, JSON or JSON lines. Other columns and keys are ignored.

use std::ffi::OsStr;
use std::path::Path;

use serde_json::Value;

/// A label and its line.
#[derive(Debug, PartialEq)]
pub(super) struct Label {
    pub(super) line: u64,
    pub(super) path: String,
    pub(super) r#type: Option<String>,
}

/// Reads a file. The extension is the format; the default is CSV.
pub(super) fn read_labels(file: &Path) -> Result<Vec<Label>, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot be read: {error}"))?;
    // Spreadsheets write a byte order mark.
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
    let column_index = |name: &str| {
        let mut columns = names
            .iter()
            .enumerate()
            .filter(|(_, column)| **column == name);
        match (columns.next(), columns.next()) {
            (Some((index, _)), None) => Ok(index),
            (Some(_), Some(_)) => Err(format!("line 1: there are two columns `{name}`")),
            (None, _) => Err(missing_column(name, &names)),
        }
    };
    let (path, r#type) = (column_index("path")?, column_index("type")?);
    let status = column_index("status").ok();
    let mut labels = Vec::new();
    let mut position = Position {
        rest: text.as_bytes(),
        offset: 0,
        line: 1,
    };
    for record in reader.records() {
        // The error says the line.
        let record = record.map_err(|error| error.to_string())?;
        position.advance(record.position().map_or(0, csv::Position::byte));
        let line = position.line;
        let cell = |index: usize| record.get(index).unwrap_or_default();
        labels.extend(to_label(
            line,
            cell(path),
            Some(cell(r#type)),
            status.map(cell),
        )?);
    }
    Ok(labels)
}

/// A position in a text. The CSV reader counts blank lines to the next record, so its line numbers differ from those of
/// an editor.
struct Position<'a> {
    rest: &'a [u8],
    offset: u64,
    line: u64,
}

impl Position<'_> {
    /// Advances to the record that starts at this byte, or after the blank lines there.
    fn advance(&mut self, start: u64) {
        while let Some((byte, rest)) = self.rest.split_first()
            && (self.offset < start || matches!(byte, b'\n' | b'\r'))
        {
            self.line += u64::from(*byte == b'\n');
            self.offset += 1;
            self.rest = rest;
        }
    }
}

fn missing_column(name: &str, names: &[&str]) -> String {
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
    for (number, value) in (1..).zip(&values) {
        labels.extend(
            from_value(number, value).map_err(|reason| format!("number {number}: {reason}"))?,
        );
    }
    Ok(labels)
}

fn from_json_lines(text: &str) -> Result<Vec<Label>, String> {
    let mut labels = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let label = serde_json::from_str(text)
            .map_err(|error| error.to_string())
            .and_then(|value| from_value(line, &value))
            .map_err(|reason| format!("line {line}: {reason}"))?;
        labels.extend(label);
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
    to_label(line, path, text("type")?, text("status").ok().flatten())
}

/// Returns a label; `None` for a row of an unclassified document without a type.
fn to_label(
    line: u64,
    path: &str,
    r#type: Option<&str>,
    status: Option<&str>,
) -> Result<Option<Label>, String> {
    if path.is_empty() {
        return Err(format!("line {line}: there is no path"));
    }
    let r#type = r#type.filter(|r#type| !r#type.is_empty());
    let is_unclassified = status.is_some_and(|status| !status.is_empty() && status != "COMPLETED");
    if r#type.is_none() && is_unclassified {
        return Ok(None);
    }
    Ok(Some(Label {
        line,
        path: path.to_owned(),
        r#type: r#type.map(str::to_owned),
    }))
}
