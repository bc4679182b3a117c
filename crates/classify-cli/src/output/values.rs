//! Answers as they came, in the form that was asked for.

use std::io::{self, IsTerminal as _};
use std::marker::PhantomData;
use std::path::Path;

use classify_proto::v2::Job;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_transcode::Transcoder;

use super::sink::Sink;
use super::table::{self, Holds, Onto};
use super::{jobs, transform};
use crate::args::{Format, Global};
use crate::exit::{Code, Problem};

/// What a form is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shows {
    Jobs,
    Anything,
}

/// How many answers there will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expects {
    One,
    /// A list: JSON is an array, and YAML a stream.
    Many,
    /// Some, over a long time: the same, but that a person is shown each by itself.
    Stream,
}

/// Writes answers one by one.
#[derive(Debug)]
pub(crate) struct Values {
    sink: Sink,
    form: Form,
    shows: Shows,
    path: Option<String>,
    bare: bool,
    /// Whether several are expected: then JSON is an array, and YAML a stream.
    many: bool,
    /// Whether the array has begun.
    begun: bool,
    /// What a table must wait for.
    kept: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Jsonl,
    Yaml,
    Table,
    Csv,
    Raw,
}

impl Form {
    fn of(format: Format, file: Option<&Path>) -> Self {
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

impl Values {
    pub(crate) fn open(
        global: &Global,
        file: Option<&Path>,
        shows: Shows,
        expects: Expects,
    ) -> Result<Self, Problem> {
        let form = Form::of(global.format, file);
        let is_watched = global.format == Format::Auto && file.is_none() && form == Form::Json;
        Ok(Self {
            form,
            sink: Sink::open(file)?,
            // A part of a job is no job.
            shows: if global.transform.is_some() {
                Shows::Anything
            } else {
                shows
            },
            path: global.transform.clone(),
            bare: global.raw_output,
            many: expects == Expects::Many || (expects == Expects::Stream && !is_watched),
            begun: false,
            kept: Vec::new(),
        })
    }

    /// Whether the service's own bytes are wanted.
    pub(crate) fn is_raw(&self) -> bool {
        self.form == Form::Raw
    }

    /// Takes an answer.
    pub(crate) fn take(&mut self, json: &str) -> Result<(), Problem> {
        let picked;
        let json = match &self.path {
            Some(path) => {
                picked = transform::pick(json, path)?;
                &picked
            }
            None => json,
        };
        if self.bare && self.form != Form::Csv && self.form != Form::Table {
            if let Ok(text) = serde_json::from_str::<String>(json) {
                return self.sink.line(&text);
            }
            return match self.form {
                Form::Json | Form::Yaml => self.one(json),
                _ => self.sink.line(&compact(json)?),
            };
        }
        match self.form {
            Form::Jsonl => self.sink.line(&compact(json)?),
            Form::Raw => self.sink.line(json),
            Form::Json | Form::Yaml if !self.many => self.one(json),
            Form::Yaml => {
                self.sink.line("---")?;
                self.one(json)
            }
            Form::Json => {
                let item = pretty(json)?.replace('\n', "\n  ");
                let before = if self.begun { "," } else { "[" };
                self.begun = true;
                // No line break after it: a comma may follow.
                self.sink.write(&format!("{before}\n  {item}"))
            }
            Form::Table | Form::Csv => {
                self.kept.push(json.to_owned());
                Ok(())
            }
        }
    }

    fn one(&mut self, json: &str) -> Result<(), Problem> {
        if self.form == Form::Yaml {
            let text = yaml(json)?;
            self.sink.line(text.trim_end_matches('\n'))
        } else {
            self.sink.line(&pretty(json)?)
        }
    }

    /// Writes what was kept, and puts a file in its place.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        let kept = std::mem::take(&mut self.kept);
        match self.form {
            Form::Json if self.many && !self.bare => {
                self.sink.line(if self.begun { "\n]" } else { "[]" })?;
            }
            Form::Table => self.table(&kept)?,
            Form::Csv => self.csv(&kept)?,
            _ => {}
        }
        self.sink.finish()
    }

    fn as_jobs(&self, kept: &[String]) -> Option<Vec<Job>> {
        let jobs = kept.iter().map(|json| serde_json::from_str(json).ok());
        (self.shows == Shows::Jobs).then(|| jobs.collect())?
    }

    fn table(&mut self, kept: &[String]) -> Result<(), Problem> {
        let onto = self.sink.onto();
        let text = match (self.as_jobs(kept), kept) {
            (Some(jobs), _) => match jobs.as_slice() {
                [job] if !self.many => jobs::as_fields(job, onto),
                jobs => jobs::as_rows(jobs, onto),
            },
            (None, [one]) if !self.many => {
                let mut table = table::new(&[("Field", Holds::Word), ("Value", Holds::Text)], onto);
                for (name, value) in read::<Value>(one)? {
                    if !value.is_null() {
                        table::add(
                            &mut table,
                            [table::cell(&name, None), table::cell(&plain(&value), None)],
                        );
                    }
                }
                table::render(&table)
            }
            (None, _) => rows(kept, onto)?,
        };
        self.sink.table(&text)
    }

    fn csv(&mut self, kept: &[String]) -> Result<(), Problem> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let written = |result: csv::Result<()>| result.map_err(|error| unwritable(&error));
        if let Some(jobs) = self.as_jobs(kept) {
            written(writer.write_record(jobs::COLUMNS))?;
            for job in &jobs {
                written(writer.write_record(jobs::record(job)))?;
            }
        } else {
            let (columns, records) = tabular(kept)?;
            if !columns.is_empty() {
                written(writer.write_record(&columns))?;
            }
            for record in records {
                written(writer.write_record(columns.iter().map(|column| {
                    let found = record.iter().find(|(name, _)| name == column);
                    found.map(|(_, value)| plain(value)).unwrap_or_default()
                })))?;
            }
        }
        let bytes = writer.into_inner().map_err(|error| unwritable(&error))?;
        self.sink.write(&String::from_utf8_lossy(&bytes))
    }
}

/// Whose something is: the same in every row, and long.
const WHOSE: [&str; 5] = [
    "project_id",
    "organization_id",
    "user_id",
    "tenant_id",
    "tenant_type",
];
/// What people look for first.
const FIRST: [&str; 3] = ["id", "name", "status"];

/// Items as rows, with a column for each plain field that any of them has.
fn rows(kept: &[String], onto: Onto) -> Result<String, Problem> {
    let (columns, records) = tabular(kept)?;
    let mut shown: Vec<&String> = columns
        .iter()
        .filter(|column| {
            let values = records.iter().flatten().filter(|(name, _)| name == *column);
            let mut plain = values
                .map(|(_, value)| value)
                .filter(|value| !value.is_null())
                .peekable();
            plain.peek().is_some() && plain.all(|value| !value.is_object() && !value.is_array())
        })
        .collect();
    shown.retain(|name| !WHOSE.contains(&name.as_str()));
    shown.sort_by_key(|name| {
        FIRST
            .iter()
            .position(|first| first == name)
            .unwrap_or(FIRST.len())
    });
    // An id that is cut in pieces cannot be copied.
    let holds = |name: &str| {
        if name == "id" {
            Holds::Word
        } else {
            Holds::Text
        }
    };
    let headings: Vec<_> = shown
        .iter()
        .map(|name| (name.as_str(), holds(name)))
        .collect();
    let mut table = table::new(&headings, onto);
    for record in &records {
        table::add(
            &mut table,
            shown.iter().map(|column| {
                let found = record.iter().find(|(name, _)| name == *column);
                let text = found.map(|(_, value)| plain(value)).unwrap_or_default();
                table::cell(&text, None)
            }),
        );
    }
    Ok(table::render(&table))
}

type Record = Vec<(String, Value)>;

/// Every column in the order of its first appearance, and the fields of every item.
fn tabular(kept: &[String]) -> Result<(Vec<String>, Vec<Record>), Problem> {
    let records = kept
        .iter()
        .map(|json| read(json))
        .collect::<Result<Vec<_>, _>>()?;
    let mut columns: Vec<String> = Vec::new();
    for (name, _) in records.iter().flatten() {
        if !columns.contains(name) {
            columns.push(name.clone());
        }
    }
    Ok((columns, records))
}

/// The fields of an object in the service's order; anything else is a field called `value`.
pub(crate) fn read<V: DeserializeOwned>(json: &str) -> Result<Vec<(String, V)>, Problem> {
    struct Fields<V>(PhantomData<V>);
    impl<'de, V: Deserialize<'de>> Visitor<'de> for Fields<V> {
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
            .deserialize_map(Fields(PhantomData))
            .map_err(|error| unwritable(&error))
    } else {
        let value = serde_json::from_str(json).map_err(|error| unwritable(&error))?;
        Ok(vec![("value".to_owned(), value)])
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// One line of JSON, with fields in the service's order and numbers in its digits.
fn compact(json: &str) -> Result<String, Problem> {
    let value: &serde_json::value::RawValue =
        Deserialize::deserialize(&mut serde_json::Deserializer::from_str(json))
            .map_err(|error| unwritable(&error))?;
    let mut reader = serde_json::Deserializer::from_str(value.get());
    serde_json::to_string(&Transcoder::new(&mut reader)).map_err(|error| unwritable(&error))
}

/// Indented JSON.
pub(crate) fn pretty(json: &str) -> Result<String, Problem> {
    let mut reader = serde_json::Deserializer::from_str(json);
    serde_json::to_string_pretty(&Transcoder::new(&mut reader)).map_err(|error| unwritable(&error))
}

fn yaml(json: &str) -> Result<String, Problem> {
    let mut reader = serde_json::Deserializer::from_str(json);
    serde_saphyr::to_string(&Transcoder::new(&mut reader)).map_err(|error| unwritable(&error))
}

fn unwritable(error: &impl std::fmt::Display) -> Problem {
    Problem::new(
        Code::Unexpected,
        format!("a result cannot be written: {error}"),
    )
}
