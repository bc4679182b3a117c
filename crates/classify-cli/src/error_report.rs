//! An error as the user sees it: as text, or as one JSON object.

use std::error::Error as _;

use classify_proto::Error;
use serde_json::{Map, Value, json};

use crate::exit_code::ExitCode;

/// The number of open jobs that the text names. The rows and the journal have all of them.
const MAX_LISTED_JOBS: usize = 100;

/// The maximum length of a message, in characters. Paths and lists of invalid fields are shorter.
const MAX_MESSAGE_CHARS: usize = 8000;

/// An error with everything that is reported about it.
#[derive(Debug)]
pub(crate) struct ErrorReport {
    pub(crate) code: ExitCode,
    pub(crate) message: String,
    /// The remedy.
    pub(crate) hint: Option<String>,
    /// The command that resumes the run.
    pub(crate) resume: Option<String>,
    /// Jobs that are still open at the service.
    pub(crate) open_jobs: Vec<String>,
    /// Ids of objects that were created before the error, under their JSON keys.
    pub(crate) created: Vec<(&'static str, String)>,
    /// The core's error, for its details.
    pub(crate) source: Option<Error>,
}

/// Shortens a message that is longer than any text of this command, because it quotes an input.
fn bounded(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(MAX_MESSAGE_CHARS) {
        message.truncate(end);
        message.push('…');
    }
    message
}

impl ErrorReport {
    pub(crate) fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: bounded(message.into()),
            hint: None,
            resume: None,
            open_jobs: Vec::new(),
            created: Vec::new(),
            source: None,
        }
    }

    /// Returns the report as text of one or more lines.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("error: {}", self.message);
        if let Some(cause) = self.source.as_ref().and_then(|error| error.source()) {
            text.push_str("\n  cause: ");
            text.push_str(&cause.to_string());
        }
        if !self.created.is_empty() {
            let created: Vec<_> = self
                .created
                .iter()
                .map(|(name, value)| format!("{name} {value}"))
                .collect();
            text.push_str("\n  created before the error: ");
            text.push_str(&created.join(", "));
        }
        if let Some(hint) = &self.hint {
            text.push_str("\n  ");
            text.push_str(hint);
        }
        if let Some(command) = &self.resume {
            text.push_str("\n  to resume: ");
            text.push_str(command);
        }
        let (listed, others) = self
            .open_jobs
            .split_at(self.open_jobs.len().min(MAX_LISTED_JOBS));
        if !listed.is_empty() {
            text.push_str("\n  open jobs: ");
            text.push_str(&listed.join(" "));
        }
        if !others.is_empty() {
            text.push_str(" and more: ");
            text.push_str(&others.len().to_string());
        }
        text
    }

    /// Returns the report as one JSON object.
    pub(crate) fn to_json(&self) -> Value {
        let mut fields = Map::new();
        fields.insert("kind".into(), self.code.kind().into());
        fields.insert("exit_code".into(), (self.code as u8).into());
        fields.insert("message".into(), self.message.as_str().into());
        if let Some(hint) = &self.hint {
            fields.insert("hint".into(), hint.as_str().into());
        }
        if let Some(command) = &self.resume {
            fields.insert("resume".into(), command.as_str().into());
        }
        if !self.open_jobs.is_empty() {
            fields.insert("open_jobs".into(), self.open_jobs.clone().into());
        }
        for (name, value) in &self.created {
            fields.insert((*name).into(), value.as_str().into());
        }
        if let Some(error) = &self.source {
            let mut add = |name: &str, value: Option<Value>| {
                if let Some(value) = value {
                    fields.insert(name.into(), value);
                }
            };
            add("code", Some(error.code().as_str().into()));
            add(
                "cause",
                error.source().map(|cause| cause.to_string().into()),
            );
            add("operation", error.operation().map(Value::from));
            add(
                "status",
                error.status().map(|status| status.as_u16().into()),
            );
            add("job_id", error.job_id().map(Value::from));
            add("file_id", error.file_id().map(Value::from));
            add("transaction_id", error.transaction_id().map(Value::from));
            add("request_id", error.request_id().map(Value::from));
            add(
                "retry_after_seconds",
                error.retry_after().map(|delay| delay.as_secs_f64().into()),
            );
            let invalid: Vec<_> = error
                .field_errors()
                .iter()
                .map(|field| json!({"field": field.field, "message": field.message}))
                .collect();
            add("fields", (!invalid.is_empty()).then(|| invalid.into()));
        }
        json!({ "error": fields })
    }
}
