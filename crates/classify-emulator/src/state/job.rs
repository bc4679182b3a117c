//! A classify job of either version: its request, its state, and its JSON.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::table::Row;
use crate::clock::{Millis, format_timestamp};
use crate::outcome::DocumentOutcome;

/// The API version of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Version {
    V1,
    V2,
}

/// The state of a job in both API versions, which name some states differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum JobState {
    Pending,
    Running,
    Completed,
    /// Version 1 only: some documents could not be read.
    #[serde(rename = "Partial")]
    PartialSuccess,
    Failed,
    Cancelled,
}

impl JobState {
    pub(crate) fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }

    pub(crate) fn api_name(self, version: Version) -> &'static str {
        match (version, self) {
            (_, Self::Pending) | (Version::V1, Self::Running) => "PENDING",
            (Version::V2, Self::Running) => "RUNNING",
            (Version::V2, Self::Completed | Self::PartialSuccess) => "COMPLETED",
            (Version::V1, Self::Completed) => "SUCCESS",
            (Version::V1, Self::PartialSuccess) => "PARTIAL_SUCCESS",
            (Version::V2, Self::Failed) => "FAILED",
            (Version::V1, Self::Failed) => "ERROR",
            (_, Self::Cancelled) => "CANCELLED",
        }
    }

    /// The webhook event for this state.
    pub(crate) fn webhook_event(self) -> &'static str {
        match self {
            Self::Pending => "classify.pending",
            Self::Running => "classify.running",
            Self::Completed => "classify.success",
            Self::PartialSuccess => "classify.partial_success",
            Self::Failed => "classify.error",
            Self::Cancelled => "classify.cancelled",
        }
    }
}

/// One document of a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Input {
    /// The id as the caller sent it.
    #[serde(rename = "given")]
    pub(crate) requested_id: String,
    pub(crate) kind: InputKind,
    pub(crate) outcome: Option<DocumentOutcome>,
    /// How long it takes from the job's creation, after it has been read; `None` if it never ends.
    #[serde(rename = "takes")]
    pub(crate) duration: Option<Millis>,
    /// The UUID of the result in version 1, or of the parse job in version 2. It is created with the job, so that ids
    /// do not depend on timing.
    pub(crate) result_id: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum InputKind {
    /// A stored file, by its UUID.
    File(String),
    /// The text of a registered parse job.
    ParseJob(String),
}

/// A webhook of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct WebhookTarget {
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    /// The events to deliver; all events if `None`.
    pub(crate) events: Option<Vec<String>>,
    /// Whether the payload is a JSON object, and not a string that contains one.
    pub(crate) as_object: bool,
    pub(crate) secret: Option<String>,
}

/// The configuration of a job, with the defaults of absent fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct JobConfiguration {
    pub(crate) rules: Vec<Rule>,
    pub(crate) lang: String,
    /// The pages to read; all pages if `None`.
    pub(crate) pages: Option<Pages>,
    pub(crate) max_pages: Option<u32>,
    /// The configuration as JSON, in the shape of its version.
    #[serde(rename = "shown")]
    pub(crate) json: Value,
}

/// 0-based pages as inclusive ranges: a range may be long, and every job has its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pages(Vec<(u32, u32)>);

impl Pages {
    pub(crate) fn new(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::new();
        for (from, to) in ranges {
            match merged.last_mut() {
                Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        Self(merged)
    }

    pub(crate) fn contains(&self, page: u32) -> bool {
        let next = self.0.partition_point(|(from, _)| *from <= page);
        next.checked_sub(1)
            .and_then(|index| self.0.get(index))
            .is_some_and(|(_, to)| page <= *to)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rule {
    #[serde(rename = "type")]
    pub(crate) label: String,
    pub(crate) description: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) version: Version,
    pub(crate) project: String,
    pub(crate) inputs: Vec<Input>,
    #[serde(rename = "instructions")]
    pub(crate) configuration: Arc<JobConfiguration>,
    pub(crate) configuration_id: Option<String>,
    pub(crate) transaction_id: Option<String>,
    #[serde(rename = "phase")]
    pub(crate) state: JobState,
    pub(crate) error: Option<String>,
    pub(crate) created: Millis,
    pub(crate) updated: Millis,
    pub(crate) running_at: Millis,
    /// `None` while a script says that the job never ends.
    pub(crate) ends_at: Option<Millis>,
    /// The time when the last document was read.
    pub(crate) read_at: Millis,
    pub(crate) parse_job_id: Option<String>,
    #[serde(rename = "hooks")]
    pub(crate) webhooks: Vec<WebhookTarget>,
    /// The time of the job's entry in the schedule.
    #[serde(skip)]
    pub(crate) due: Option<Millis>,
}

impl Row for Job {
    fn id(&self) -> &str {
        &self.id
    }
}

/// The user of all jobs: the emulator has no users.
pub(crate) const USER: &str = "emulator-user";

impl Job {
    pub(crate) fn status(&self) -> &'static str {
        self.state.api_name(self.version)
    }

    pub(crate) fn is_read(&self) -> bool {
        self.inputs.iter().all(|input| input.outcome.is_some())
    }

    /// The time of the next transition, if it is known.
    pub(crate) fn next_transition(&self) -> Option<Millis> {
        match self.state {
            JobState::Pending => Some(self.ends_at.map_or(self.running_at, |final_state| {
                final_state.min(self.running_at)
            })),
            JobState::Running if self.is_read() => self.ends_at,
            _ => None,
        }
    }

    /// The final state of a job whose documents have all been read.
    pub(crate) fn final_state(&self) -> (JobState, Option<String>) {
        let outcomes = || {
            self.inputs
                .iter()
                .filter_map(|input| input.outcome.as_ref())
        };
        if outcomes().any(|outcome| *outcome == DocumentOutcome::Cancelled) {
            return (JobState::Cancelled, None);
        }
        let failures: Vec<String> = outcomes()
            .filter_map(|outcome| match outcome {
                DocumentOutcome::Failed { code, message } => {
                    Some(format!("{}: {message}", code.as_str()))
                }
                _ => None,
            })
            .collect();
        match failures.first() {
            None => (JobState::Completed, None),
            Some(first) if failures.len() == self.inputs.len() => {
                (JobState::Failed, Some(first.clone()))
            }
            Some(first) => {
                let text = format!(
                    "{} of {} files failed; {first}",
                    failures.len(),
                    self.inputs.len()
                );
                (JobState::PartialSuccess, Some(text))
            }
        }
    }

    fn pages(&self) -> u32 {
        self.inputs
            .iter()
            .map(|input| match input.outcome {
                Some(DocumentOutcome::Labelled { pages, .. }) => pages,
                _ => 0,
            })
            .sum()
    }

    /// The job as JSON in version 2.
    pub(crate) fn to_json(&self, with_usage: bool) -> Value {
        let input = self.inputs.first();
        let kind = match input.map(|input| &input.kind) {
            Some(InputKind::ParseJob(_)) => "parse_job_id",
            _ => "file_id",
        };
        let result = match input.and_then(|input| input.outcome.as_ref()) {
            Some(outcome) if self.state == JobState::Completed => result(outcome),
            _ => Value::Null,
        };
        let mut json = json!({
            "id": self.id,
            "status": self.status(),
            "file_input": input.map(|input| input.requested_id.clone()),
            "document_input_type": kind,
            "configuration": self.configuration.json,
            "configuration_id": self.configuration_id,
            "project_id": self.project,
            "user_id": USER,
            "parse_job_id": self.parse_job_id,
            "transaction_id": self.transaction_id,
            "error_message": self.error,
            "result": result,
            "created_at": format_timestamp(self.created),
            "updated_at": format_timestamp(self.updated),
        });
        if with_usage {
            // Nothing is charged before the end, and nothing for an existing parse job.
            json["usage"] = match (self.state, kind) {
                (JobState::Completed, "parse_job_id") => {
                    json!({ "credits": 0, "parse_credits": null })
                }
                (JobState::Completed, _) => {
                    json!({ "credits": self.pages(), "parse_credits": self.pages() })
                }
                _ => json!({ "credits": null, "parse_credits": null }),
            };
        }
        json
    }

    /// The job as JSON in version 1.
    pub(crate) fn to_json_v1(&self) -> Value {
        let json = &self.configuration.json;
        json!({
            "id": self.id,
            "project_id": self.project,
            "user_id": USER,
            "rules": json["rules"],
            "status": self.status(),
            "mode": json["mode"],
            "parsing_configuration": json["parsing_configuration"],
            "effective_at": format_timestamp(self.created),
            "created_at": format_timestamp(self.created),
            "updated_at": format_timestamp(self.updated),
            "error_message": self.error,
            "job_record_id": null,
        })
    }

    /// The results in version 1; empty before the end.
    pub(crate) fn results_v1(&self) -> Vec<Value> {
        if !self.state.is_terminal() || self.state == JobState::Cancelled {
            return Vec::new();
        }
        let items = self.inputs.iter().map(|input| {
            let file = match &input.kind {
                InputKind::File(id) | InputKind::ParseJob(id) => id,
            };
            json!({
                "id": input.result_id,
                "classify_job_id": self.id,
                "file_id": file,
                "result": input.outcome.as_ref().map_or(Value::Null, result),
                "created_at": format_timestamp(self.updated),
                "updated_at": format_timestamp(self.updated),
            })
        });
        items.collect()
    }
}

fn result(outcome: &DocumentOutcome) -> Value {
    match outcome {
        DocumentOutcome::Labelled {
            label,
            confidence,
            reasoning,
            ..
        } => {
            json!({ "type": label, "confidence": confidence, "reasoning": reasoning })
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[test]
    fn page_ranges_are_merged_and_sorted() {
        let pages = Pages::new(vec![
            (9, 9),
            (0, 4),
            (3, 6),
            (7, 7),
            (20, u32::MAX),
            (30, 40),
        ]);
        assert_eq!(pages, Pages(vec![(0, 7), (9, 9), (20, u32::MAX)]));
        let inside: Vec<u32> = (0..22).filter(|page| pages.contains(*page)).collect();
        assert_eq!(inside, [0, 1, 2, 3, 4, 5, 6, 7, 9, 20, 21]);
        assert!(pages.contains(u32::MAX) && !Pages::new(Vec::new()).contains(0));
    }

    /// A job of version 1 with the id `job` and this many documents.
    pub(crate) fn job(documents: usize) -> Job {
        let input = |index: usize| Input {
            requested_id: format!("dfl-{index}"),
            kind: InputKind::File(format!("{index}")),
            outcome: None,
            duration: None,
            result_id: format!("{index}"),
        };
        Job {
            id: "job".to_owned(),
            version: Version::V1,
            project: "p".to_owned(),
            inputs: (0..documents).map(input).collect(),
            configuration: Arc::new(JobConfiguration {
                rules: Vec::new(),
                lang: "en".to_owned(),
                pages: None,
                max_pages: None,
                json: Value::Null,
            }),
            configuration_id: None,
            transaction_id: None,
            state: JobState::Pending,
            error: None,
            created: 0,
            updated: 0,
            running_at: 1,
            ends_at: Some(2),
            read_at: 0,
            parse_job_id: None,
            webhooks: Vec::new(),
            due: None,
        }
    }
}
