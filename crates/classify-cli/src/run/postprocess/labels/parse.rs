//! Parses labels files: CSV, JSON or JSON lines. Other columns and keys are ignored.

use std::ffi::OsStr;
use std::path::Path;

use serde_json::Value;

use classify_rules::parse_message::{describe_json, quote};
use classify_rules::text_encoding;

/// A label and its line.
#[derive(Debug, PartialEq)]
pub(super) struct Label {
    pub(super) line: u64,
    pub(super) path: String,
    pub(super) r#type: Option<String>,
}

/// The delimiters of CSV files: a spreadsheet writes semicolons if the comma is the decimal sign, and tabs for
/// "Unicode Text".
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];
/// The first bytes of an Excel workbook, which is a ZIP archive.
const ZIP_SIGNATURE: &[u8] = b"PK\x03\x04";
/// The maximum number of columns that an error names.
const MAX_NAMED_COLUMNS: usize = 10;

/// Reads a file. The extension is the format; the default is CSV.
pub(super) fn read_labels(file: &Path) -> Result<Vec<Label>, String> {
    let bytes = std::fs::read(file).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.starts_with(ZIP_SIGNATURE) {
        return Err("the file is a workbook or an archive; save it as CSV UTF-8".to_owned());
    }
    let text = text_encoding::decode(bytes).map_err(|error| {
        format!("{error}; save it as CSV UTF-8 (a choice of \"Save as\" in Excel)")
    })?;
    let extension = file.extension().and_then(OsStr::to_str).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "json" => from_json(&text),
        "jsonl" | "ndjson" => from_json_lines(&text),
        _ => from_csv(&text),
    }
}

fn from_csv(text: &str) -> Result<Vec<Label>, String> {
    let (delimiter, rows) = match separator_line(text) {
        Some((delimiter, rows)) => (delimiter, rows),
        None => (header_delimiter(text), text),
    };
    let mut position = Position {
        rest: rows.as_bytes(),
        offset: 0,
        // The separator line is the first one.
        line: if rows.len() < text.len() { 2 } else { 1 },
    };
    let header_line = position.line;
    let mut reader = csv_reader(rows, delimiter);
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let names: Vec<_> = header.iter().map(column_name).collect();
    let column_index = |name: &str| {
        let mut columns = names
            .iter()
            .enumerate()
            .filter(|(_, column)| **column == name);
        match (columns.next(), columns.next()) {
            (Some((index, _)), None) => Ok(index),
            (Some(_), Some(_)) => Err(format!("line {header_line}: duplicate column `{name}`")),
            (None, _) => Err(format!(
                "line {header_line}: missing column `{name}`; found {}; `path` and `type` are required",
                found_columns(&header)
            )),
        }
    };
    let (path, r#type) = (column_index("path")?, column_index("type")?);
    let status = column_index("status").ok();
    let mut labels = Vec::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                position.advance(error.position().map_or(0, csv::Position::byte));
                return Err(format!("line {}: {}", position.line, csv_reason(&error)));
            }
        };
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

fn csv_reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .has_headers(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes())
}

/// Returns the delimiter of Excel's separator line, such as `sep=;`, and the text after that line.
fn separator_line(text: &str) -> Option<(u8, &str)> {
    let (line, rows) = text.split_once('\n')?;
    let line = line.trim_end_matches('\r').trim_matches('"');
    let (name, delimiter) = line.split_at_checked(4)?;
    match delimiter.as_bytes() {
        [delimiter] if name.eq_ignore_ascii_case("sep=") => Some((*delimiter, rows)),
        _ => None,
    }
}

/// Returns the delimiter with which the header has the most of the required columns; by default a comma.
fn header_delimiter(text: &str) -> u8 {
    let required_columns = |delimiter: u8| {
        let mut reader = csv_reader(text, delimiter);
        let header = reader.headers().ok();
        let names = header.into_iter().flatten().map(column_name);
        names
            .filter(|name| name == "path" || name == "type")
            .count()
    };
    // The first of equal delimiters, which is the last in reverse.
    let delimiters = DELIMITERS.into_iter().rev();
    delimiters
        .max_by_key(|delimiter| required_columns(*delimiter))
        .unwrap_or(b',')
}

/// Returns the name of a column as it is compared: spreadsheets change the case.
fn column_name(cell: &str) -> String {
    cell.trim().to_lowercase()
}

fn found_columns(header: &csv::StringRecord) -> String {
    let mut names: Vec<_> = header
        .iter()
        .take(MAX_NAMED_COLUMNS)
        .map(|name| quote(name.trim()))
        .collect();
    if header.len() > MAX_NAMED_COLUMNS {
        names.push(format!("{} more", header.len() - MAX_NAMED_COLUMNS));
    }
    if names.is_empty() {
        return "no columns".to_owned();
    }
    names.join(", ")
}

fn csv_reason(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!(
            "the row has {len} columns and the header {expected_len}; put cells with a delimiter in quotes"
        ),
        _ => "it is not valid CSV".to_owned(),
    }
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

fn from_json(text: &str) -> Result<Vec<Label>, String> {
    let values: Vec<Value> = serde_json::from_str(text)
        .map_err(|error| format!("it is not a list of objects: {}", describe_json(&error)))?;
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
            .map_err(|error| describe_json(&error))
            .and_then(|value| from_value(line, &value))
            .map_err(|reason| format!("line {line}: {reason}"))?;
        labels.extend(label);
    }
    Ok(labels)
}

fn from_value(line: u64, value: &Value) -> Result<Option<Label>, String> {
    let Value::Object(fields) = value else {
        return Err("it is not an object with `path` and `type`".to_owned());
    };
    let text = |name: &str| match fields.get(name) {
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(Value::Null) => Ok(None),
        Some(_) => Err(format!("`{name}` is not a text")),
        None => Err(format!("missing key `{name}`")),
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
        return Err(format!("line {line}: the path is empty"));
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
