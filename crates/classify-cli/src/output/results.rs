//! Writes results of the service, unchanged, in the format of `--format`.

use std::io::{self, IsTerminal as _};
use std::marker::PhantomData;
use std::path::Path;

use classify_proto::v2::Job;
use comfy_table::Cell;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_transcode::Transcoder;

use super::format::Format;
use super::sink::OutputSink;
use super::table::{self, ColumnKind, RenderTarget, TableParts};
use super::{jobs, transform};
use crate::error::CliError;
use crate::exit_code::ExitCode;

/// The kind of the results, which selects their table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResultKind {
    /// v2 jobs, which have a table of their own.
    Job,
    Other,
}

/// The settings of the flags for results.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResultSettings<'a> {
    pub(crate) format: Format,
    /// A GJSON path that is applied to each result.
    pub(crate) transform: Option<&'a str>,
    /// Write strings without quotes.
    pub(crate) raw_output: bool,
    /// Begin CSV with a byte order mark.
    pub(crate) csv_bom: bool,
    /// Show a list that is longer than the screen in a pager.
    pub(crate) pager: bool,
}

/// The number of results to expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResultCount {
    One,
    /// A list: JSON is an array, and YAML a stream.
    Many,
    /// A list that arrives over a long time: the same, but on a terminal each result is written by itself.
    Stream,
}

/// Writes results one by one.
#[derive(Debug)]
pub(crate) struct ResultWriter {
    sink: OutputSink,
    format: ValueFormat,
    kind: ResultKind,
    transform: Option<String>,
    raw_output: bool,
    /// A byte order mark, or nothing.
    csv_start: &'static str,
    /// Whether JSON is an array, and YAML a stream.
    is_list: bool,
    /// Whether the first item of the JSON array was written.
    array_started: bool,
    /// Results of a table or CSV file, which is written at the end.
    buffered: Vec<String>,
    /// The table of a list for a pager, which is written in parts.
    parts: Option<TableParts>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ValueFormat {
    Json,
    Jsonl,
    Yaml,
    Table,
    Csv,
    Raw,
}

impl ValueFormat {
    fn resolve(format: Format, file: Option<&Path>) -> Self {
        match format {
            Format::Json => Self::Json,
            Format::Jsonl => Self::Jsonl,
            Format::Yaml => Self::Yaml,
            Format::Table | Format::Pretty => Self::Table,
            Format::Csv => Self::Csv,
            Format::Raw => Self::Raw,
            Format::Auto | Format::Explore => match file
                .and_then(Path::extension)
                .and_then(|name| name.to_str())
                .map(str::to_ascii_lowercase)
                .as_deref()
            {
                Some("json") => Self::Json,
                Some("yaml" | "yml") => Self::Yaml,
                Some("csv") => Self::Csv,
                None if file.is_none() && io::stdout().is_terminal() => Self::Json,
                _ => Self::Jsonl,
            },
        }
    }
}

impl ResultWriter {
    pub(crate) fn open(
        settings: ResultSettings<'_>,
        file: Option<&Path>,
        kind: ResultKind,
        count: ResultCount,
    ) -> Result<Self, CliError> {
        let format = ValueFormat::resolve(settings.format, file);
        let is_terminal =
            settings.format == Format::Auto && file.is_none() && format == ValueFormat::Json;
        Ok(Self {
            format,
            sink: if settings.pager && file.is_none() && count == ResultCount::Many {
                OutputSink::open_paged()
            } else {
                OutputSink::open(file)?
            },
            // A part of a job is not a job.
            kind: if settings.transform.is_some() {
                ResultKind::Other
            } else {
                kind
            },
            transform: settings.transform.map(str::to_owned),
            raw_output: settings.raw_output,
            csv_start: if settings.csv_bom { "\u{feff}" } else { "" },
            is_list: count == ResultCount::Many || (count == ResultCount::Stream && !is_terminal),
            array_started: false,
            buffered: Vec::new(),
            parts: None,
        })
    }

    /// Whether the body of a response is written as it is.
    pub(crate) fn is_raw(&self) -> bool {
        self.format == ValueFormat::Raw
    }

    /// Writes a result, or buffers it for a table.
    pub(crate) fn write(&mut self, json: &str) -> Result<(), CliError> {
        let selected;
        let json = match &self.transform {
            Some(path) => {
                selected = transform::apply(json, path)?;
                &selected
            }
            None => json,
        };
        if self.raw_output && self.format != ValueFormat::Csv && self.format != ValueFormat::Table {
            if let Ok(text) = serde_json::from_str::<String>(json) {
                return self.sink.line(&text);
            }
            return match self.format {
                ValueFormat::Json | ValueFormat::Yaml => self.write_single(json),
                _ => self.sink.line(&compact(json)?),
            };
        }
        match self.format {
            // Only JSON as it was received is known to be valid.
            ValueFormat::Jsonl if self.transform.is_none() && is_compact(json) => {
                self.sink.line(json)
            }
            ValueFormat::Jsonl => self.sink.line(&compact(json)?),
            ValueFormat::Raw => self.sink.line(json),
            ValueFormat::Json | ValueFormat::Yaml if !self.is_list => self.write_single(json),
            ValueFormat::Yaml => {
                self.sink.line("---")?;
                self.write_single(json)
            }
            ValueFormat::Json => {
                let item = pretty(json)?.replace('\n', "\n  ");
                let before = if self.array_started { "," } else { "[" };
                self.array_started = true;
                // No line break: a comma may follow.
                self.sink.write(&format!("{before}\n  {item}"))
            }
            ValueFormat::Table | ValueFormat::Csv => {
                self.buffered.push(json.to_owned());
                match self.sink.pager_rows() {
                    // The first rows are shown as soon as they fill the screen, and then each row.
                    Some(rows) if self.format == ValueFormat::Table => {
                        if self.parts.is_some() || self.buffered.len() >= rows {
                            self.table_part()?;
                        }
                        Ok(())
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    /// Writes the buffered results as a part of a table.
    fn table_part(&mut self) -> Result<(), CliError> {
        let buffered = std::mem::take(&mut self.buffered);
        let target = self.sink.target();
        let (columns, rows) = if let Some(jobs) = self.as_jobs(&buffered) {
            let columns = jobs::row_columns(target).to_vec();
            let rows = jobs.iter().map(|job| jobs::row_cells(job, columns.len()));
            let rows = rows.collect::<Vec<_>>();
            let columns = columns
                .into_iter()
                .map(|(name, kind)| (name.to_owned(), kind));
            (columns.collect::<Vec<_>>(), rows)
        } else {
            let (columns, records) = columns_and_records(&buffered)?;
            let mut shown = shown_columns(&columns, &records);
            // Fields that these results do not have keep their column.
            if let Some(parts) = self
                .parts
                .as_ref()
                .filter(|_| self.kind == ResultKind::Other)
            {
                let mut earlier = parts.column_names();
                shown.retain(|name| !earlier.contains(name));
                earlier.append(&mut shown);
                shown = earlier;
            }
            let rows = records.iter().map(|record| record_cells(&shown, record));
            let rows = rows.collect();
            let columns = shown.into_iter().map(|name| {
                let kind = column_kind(&name);
                (name, kind)
            });
            (columns.collect(), rows)
        };
        let columns: Vec<_> = columns
            .iter()
            .map(|(name, kind)| (name.as_str(), *kind))
            .collect();
        if !self
            .parts
            .as_ref()
            .is_some_and(|parts| parts.has_columns(&columns))
        {
            if self.parts.is_some() {
                self.sink.write("\n")?;
            }
            self.parts = Some(TableParts::new(&columns, target));
        }
        let text = self.parts.as_mut().map(|parts| parts.render(&rows));
        self.sink.table(&text.unwrap_or_default())
    }

    fn write_single(&mut self, json: &str) -> Result<(), CliError> {
        if self.format == ValueFormat::Yaml {
            let text = to_yaml(json)?;
            self.sink.line(text.trim_end_matches('\n'))
        } else {
            self.sink.line(&pretty(json)?)
        }
    }

    /// Writes the results of a page. They reach the reader before the next page is requested.
    pub(crate) fn write_page<J: AsRef<str>>(
        &mut self,
        items: impl IntoIterator<Item = J>,
    ) -> Result<(), CliError> {
        self.sink.hold();
        for item in items {
            self.write(item.as_ref())?;
        }
        self.sink.release()
    }

    /// Writes the buffered results, and replaces the file.
    pub(crate) fn finish(mut self) -> Result<(), CliError> {
        let buffered = std::mem::take(&mut self.buffered);
        match self.format {
            ValueFormat::Json if self.is_list && !self.raw_output => {
                self.sink
                    .line(if self.array_started { "\n]" } else { "[]" })?;
            }
            ValueFormat::Table if self.parts.is_some() => {}
            ValueFormat::Table => self.table(&buffered)?,
            ValueFormat::Csv => self.csv(&buffered)?,
            _ => {}
        }
        self.sink.finish()
    }

    fn as_jobs(&self, buffered: &[String]) -> Option<Vec<Job>> {
        let jobs = buffered.iter().map(|json| serde_json::from_str(json).ok());
        (self.kind == ResultKind::Job).then(|| jobs.collect())?
    }

    fn table(&mut self, buffered: &[String]) -> Result<(), CliError> {
        let target = self.sink.target();
        let text = match (self.as_jobs(buffered), buffered) {
            (Some(jobs), _) => match jobs.as_slice() {
                [job] if !self.is_list => jobs::fields_table(job, target),
                jobs => {
                    let columns = jobs::row_columns(target);
                    let rows = jobs.iter().map(|job| jobs::row_cells(job, columns.len()));
                    TableParts::new(columns, target).render(&rows.collect::<Vec<_>>())
                }
            },
            (None, [one]) if !self.is_list => {
                let mut table = table::new(
                    &[("Field", ColumnKind::Word), ("Value", ColumnKind::Prose)],
                    target,
                );
                for (name, value) in parse_fields::<Value>(one)? {
                    if !value.is_null() {
                        table::add(
                            &mut table,
                            [
                                table::cell(&name, None),
                                table::cell(&plain_text(&value), None),
                            ],
                        );
                    }
                }
                table::render(table)
            }
            (None, _) => rows(buffered, target)?,
        };
        self.sink.table(&text)
    }

    fn csv(&mut self, buffered: &[String]) -> Result<(), CliError> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let written = |result: csv::Result<()>| result.map_err(|error| write_error(&error));
        if let Some(jobs) = self.as_jobs(buffered) {
            written(writer.write_record(jobs::COLUMNS))?;
            for job in &jobs {
                written(writer.write_record(jobs::csv_record(job)))?;
            }
        } else {
            let (columns, records) = columns_and_records(buffered)?;
            if !columns.is_empty() {
                written(writer.write_record(&columns))?;
            }
            for record in records {
                written(writer.write_record(columns.iter().map(|column| {
                    let found = record.iter().find(|(name, _)| name == column);
                    found
                        .map(|(_, value)| plain_text(value))
                        .unwrap_or_default()
                })))?;
            }
        }
        let bytes = writer.into_inner().map_err(|error| write_error(&error))?;
        self.sink.write(self.csv_start)?;
        self.sink.write(&String::from_utf8_lossy(&bytes))
    }
}

/// Columns that are left out of tables: they are long, and the same in every row.
const OWNER_COLUMNS: [&str; 5] = [
    "project_id",
    "organization_id",
    "user_id",
    "tenant_id",
    "tenant_type",
];
/// Columns that come first.
const LEADING_COLUMNS: [&str; 3] = ["id", "name", "status"];

/// Returns a table of the results, with a column for each field that is never an object or a list.
fn rows(buffered: &[String], target: RenderTarget) -> Result<String, CliError> {
    let (columns, records) = columns_and_records(buffered)?;
    let shown = shown_columns(&columns, &records);
    let headings: Vec<_> = shown
        .iter()
        .map(|name| (name.as_str(), column_kind(name)))
        .collect();
    let rows = records.iter().map(|record| record_cells(&shown, record));
    Ok(TableParts::new(&headings, target).render(&rows.collect::<Vec<_>>()))
}

/// Returns the columns of a table of the results.
fn shown_columns(columns: &[String], records: &[RecordFields]) -> Vec<String> {
    let mut shown: Vec<_> = columns
        .iter()
        .filter(|column| {
            let values = records.iter().flatten().filter(|(name, _)| name == *column);
            let mut plain = values
                .map(|(_, value)| value)
                .filter(|value| !value.is_null())
                .peekable();
            plain.peek().is_some() && plain.all(|value| !value.is_object() && !value.is_array())
        })
        .cloned()
        .collect();
    shown.retain(|name| !OWNER_COLUMNS.contains(&name.as_str()));
    shown.sort_by_key(|name| {
        LEADING_COLUMNS
            .iter()
            .position(|first| first == name)
            .unwrap_or(LEADING_COLUMNS.len())
    });
    shown
}

fn column_kind(name: &str) -> ColumnKind {
    match name {
        // A wrapped id cannot be copied.
        "id" => ColumnKind::Word,
        "status" | "type" => ColumnKind::Label,
        _ => ColumnKind::Prose,
    }
}

/// Returns the cells of a result for these columns.
fn record_cells(columns: &[String], record: &RecordFields) -> Vec<Cell> {
    let cells = columns.iter().map(|column| {
        let found = record.iter().find(|(name, _)| name == column);
        let text = found
            .map(|(_, value)| plain_text(value))
            .unwrap_or_default();
        table::cell(&text, None)
    });
    cells.collect()
}

type RecordFields = Vec<(String, Value)>;

/// Returns the columns in the order of their first appearance, and the fields of every result.
fn columns_and_records(buffered: &[String]) -> Result<(Vec<String>, Vec<RecordFields>), CliError> {
    let records = buffered
        .iter()
        .map(|json| parse_fields(json))
        .collect::<Result<Vec<_>, _>>()?;
    let mut columns: Vec<String> = Vec::new();
    for (name, _) in records.iter().flatten() {
        if !columns.contains(name) {
            columns.push(name.clone());
        }
    }
    Ok((columns, records))
}

/// Returns the fields of an object in their order. Any other value becomes a field called `value`.
pub(crate) fn parse_fields<V: DeserializeOwned>(json: &str) -> Result<Vec<(String, V)>, CliError> {
    struct FieldsVisitor<V>(PhantomData<V>);
    impl<'de, V: Deserialize<'de>> Visitor<'de> for FieldsVisitor<V> {
        type Value = Vec<(String, V)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut fields = Vec::new();
            while let Some(field) = map.next_entry()? {
                fields.push(field);
            }
            Ok(fields)
        }
    }
    if json.trim_start().starts_with('{') {
        let mut reader = serde_json::Deserializer::from_str(json);
        reader
            .deserialize_map(FieldsVisitor(PhantomData))
            .map_err(|error| write_error(&error))
    } else {
        let value = serde_json::from_str(json).map_err(|error| write_error(&error))?;
        Ok(vec![("value".to_owned(), value)])
    }
}

fn plain_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether valid JSON has no white space outside of its strings.
fn is_compact(json: &str) -> bool {
    let mut rest = json.as_bytes();
    loop {
        let string = memchr::memchr(b'"', rest).unwrap_or(rest.len());
        if rest[..string].iter().any(u8::is_ascii_whitespace) {
            return false;
        }
        let Some(mut inside) = rest.get(string + 1..) else {
            return true;
        };
        loop {
            let Some(end) = memchr::memchr2(b'"', b'\\', inside) else {
                return true;
            };
            let is_escape = inside[end] == b'\\';
            inside = inside
                .get(end + 1 + usize::from(is_escape)..)
                .unwrap_or_default();
            if !is_escape {
                break;
            }
        }
        rest = inside;
    }
}

/// Returns JSON on one line, with the order of fields and the digits of numbers unchanged.
fn compact(json: &str) -> Result<String, CliError> {
    let value: &serde_json::value::RawValue =
        Deserialize::deserialize(&mut serde_json::Deserializer::from_str(json))
            .map_err(|error| write_error(&error))?;
    let mut reader = serde_json::Deserializer::from_str(value.get());
    serde_json::to_string(&Transcoder::new(&mut reader)).map_err(|error| write_error(&error))
}

/// Returns indented JSON.
fn pretty(json: &str) -> Result<String, CliError> {
    let mut reader = serde_json::Deserializer::from_str(json);
    serde_json::to_string_pretty(&Transcoder::new(&mut reader)).map_err(|error| write_error(&error))
}

fn to_yaml(json: &str) -> Result<String, CliError> {
    let mut reader = serde_json::Deserializer::from_str(json);
    serde_saphyr::to_string(&Transcoder::new(&mut reader)).map_err(|error| write_error(&error))
}

fn write_error(error: &impl std::fmt::Display) -> CliError {
    CliError::new(
        ExitCode::Unexpected,
        format!("a result cannot be written: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json() -> impl Strategy<Value = Value> {
        let text = r#"[a-z "\\\\{}\[\]:,\t\n\u{e9}]{0,8}"#;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i32>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((text, inner), 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_is_passed_on_only_without_white_space_outside_of_strings(value in json()) {
            let short = value.to_string();
            prop_assert!(is_compact(&short), "{}", short);
            let long = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(is_compact(&long), long == short, "{}", long);
            for spaced in [format!(" {short}"), format!("{short}\n"), short.replacen(':', ": ", 1)] {
                // The colon may be in a string.
                let is_same = serde_json::from_str::<Value>(&spaced).is_ok_and(|read| read == value);
                prop_assert!(!is_same || spaced == short || !is_compact(&spaced), "{}", spaced);
                let expected = compact(&spaced);
                prop_assert!(!is_same || expected.is_ok_and(|text| text == short));
            }
        }
    }
}
