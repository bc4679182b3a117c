//! A classification job, as returned by the service.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::{Configuration, Outcome};
use crate::Timestamp;
use crate::error::Error;
use crate::job_phase::JobPhase;
use crate::text::error_body::one_line;
use crate::text::id::same_id;
use crate::text::json::read_json;
use crate::text::open_enum::open_enum;
use crate::text::response_object::response_object;

open_enum! {
    /// The stage of a job, from accepted to ended.
    pub enum JobStatus {
        /// Accepted, not started.
        Pending = "PENDING",
        /// Being worked on.
        Running = "RUNNING",
        /// Ended with a result; the result may be that no rule matched.
        Completed = "COMPLETED",
        /// Ended with an error.
        Failed = "FAILED",
        /// Cancelled on request.
        Cancelled = "CANCELLED",
    }
}

impl JobStatus {
    /// Returns the phase of the status. A status that this version does not know is [`JobPhase::Pending`].
    #[must_use]
    pub fn phase(&self) -> JobPhase {
        match self {
            Self::Completed => JobPhase::Succeeded,
            Self::Failed => JobPhase::Failed,
            Self::Cancelled => JobPhase::Cancelled,
            _ => JobPhase::Pending,
        }
    }

    /// Returns `true` if the job has ended.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.phase().is_terminal()
    }
}

open_enum! {
    /// The kind of a job's input.
    pub enum DocumentInputType {
        /// A URL. No published request asks for one.
        Url = "url",
        /// An uploaded file.
        FileId = "file_id",
        /// A parse job whose text is used again.
        ParseJobId = "parse_job_id",
    }
}

response_object! {
    /// A classification job: one document and its result.
    ///
    /// Only `id` and `status` are always present. Fields that this version does not know are kept;
    /// [`extra`](Self::extra) returns them. A field whose value has an unexpected type is `None`, and its value is an
    /// extra too.
    pub struct Job {
        /// The id of the job, such as `clj-…`.
        required id: String,
        /// The status of the job when the response was sent.
        required status: JobStatus,
        /// The rules that the job was created with, also if they came from a saved configuration.
        interned configuration: Arc<Configuration>,
        /// The kind of the job's input.
        optional document_input_type: DocumentInputType,
        /// The id of the file (`dfl-…`) or of the parse job (`pjb-…`) that is classified.
        optional file_input: String,
        /// The id of the job's project.
        optional project_id: String,
        /// The id of the user who created the job.
        optional user_id: String,
        /// The id of the saved configuration (`cfg-…`), if the job was created with one.
        optional configuration_id: String,
        /// The time of the create.
        timestamp created_at: Timestamp,
        /// The service's error message, if the job failed.
        optional error_message: String,
        /// The id of the parse job (`pjb-…`) that parsed the document.
        optional parse_job_id: String,
        /// The result of a completed job. [`outcome`](Self::outcome) combines it with the status.
        optional result: ClassifyResult,
        /// The transaction id of the create. A repeated create with the same id returns this job.
        optional transaction_id: String,
        /// The time of the last change.
        timestamp updated_at: Timestamp,
        /// The cost of the job; only in the response to a get with `expand("usage")`.
        optional usage: Usage,
    }
}

response_object! {
    /// The result of a classification.
    pub struct ClassifyResult {
        /// The service's confidence, from 0.0 to 1.0.
        optional confidence: f64,
        /// The service's explanation of why the document matched or did not.
        optional reasoning: String,
        /// The type of the rule that matched; `None` if no rule matched.
        strict r#type: String,
    }
}

response_object! {
    /// The cost of a job in credits. Classification is billed through the parse job that it starts.
    pub struct Usage {
        /// Credits of the job; absent until they are recorded, and zero if the input was a parse job.
        optional credits: f64,
        /// Credits of the parse job that the job started; absent if the input was a parse job.
        optional parse_credits: f64,
    }
}

/// Parses the response to a request about one job. Another job's response must not pass for its result.
pub(super) fn read_of(job_id: &str, response: http::Response<Bytes>) -> Result<Job, Error> {
    let job: Job = read_json(response)?;
    if same_id(&job.id, job_id) {
        return Ok(job);
    }
    let message = format!("the service returned another job: {}", one_line(&job.id));
    Err(Error::conflict(message, job).about_job(job_id))
}

impl Job {
    /// Returns the outcome of the document, from the status and the result together.
    ///
    /// ```
    /// use classify_proto::v2::{Job, Outcome};
    ///
    /// let job: Job = serde_json::from_str(
    ///     r#"{"id": "clj-1", "status": "COMPLETED", "result": {"type": "invoice", "confidence": 0.9}}"#,
    /// )?;
    /// assert_eq!(job.outcome().matched(), Some("invoice"));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn outcome(&self) -> Outcome<'_> {
        match self.status.phase() {
            JobPhase::Succeeded => match &self.result {
                Some(result) => Outcome::from_result(result),
                None => Outcome::Missing,
            },
            JobPhase::Failed => Outcome::Failed {
                message: self.error_message.as_deref(),
            },
            JobPhase::Cancelled => Outcome::Cancelled,
            JobPhase::Pending => Outcome::NotFinished {
                status: &self.status,
            },
        }
    }

    /// Returns every field as JSON, including those that this version does not know.
    ///
    /// A field that could not be parsed is written as it was received. Operations and saved states parse such a job
    /// again; serde's `Deserialize` rejects it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        // No field has a key or a number that JSON cannot represent.
        serde_json::to_value(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v2::examples;
    use proptest::prelude::*;

    fn job(text: &str) -> Job {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn job_documented_example_round_trips() {
        let read = job(examples::JOB);
        assert_eq!(read.status, JobStatus::Pending);
        assert_eq!(read.result.as_ref().unwrap().confidence, Some(0.0));
        assert_eq!(
            read.configuration.as_ref().unwrap().rules[0].r#type,
            "invoice"
        );
        assert_eq!(read.extras().count(), 0);
        let mut written = read.to_json();
        let mut given: Value = serde_json::from_str(examples::JOB).unwrap();
        // 0 and 0.0 are equal numbers in JSON.
        for value in [&mut written, &mut given] {
            value["result"]["confidence"] = 0.0.into();
        }
        assert_eq!(written, given);
    }

    #[test]
    fn job_requires_only_id_and_status() {
        let read = job(r#"{"id": "clj-1", "status": "ARCHIVED"}"#);
        assert_eq!(read.status.as_str(), "ARCHIVED");
        assert!(!read.status.is_terminal());
        assert_eq!(
            read.to_json(),
            serde_json::json!({"id": "clj-1", "status": "ARCHIVED"})
        );
        for missing in [
            r#"{"id": "clj-1"}"#,
            r#"{"status": "PENDING"}"#,
            "{}",
            "[]",
            r#"{"id": null, "status": "PENDING"}"#,
        ] {
            assert!(serde_json::from_str::<Job>(missing).is_err(), "{missing}");
        }
    }

    #[test]
    fn job_optional_fields_may_be_null() {
        let given: Value = serde_json::from_str(examples::JOB).unwrap();
        for name in given
            .as_object()
            .unwrap()
            .keys()
            .filter(|name| *name != "id" && *name != "status")
        {
            let mut changed = given.clone();
            changed[name] = Value::Null;
            let read: Job = serde_json::from_value(changed).unwrap();
            assert!(read.to_json().get(name).is_none(), "{name}");
        }
    }

    #[test]
    fn job_unknown_fields_round_trip() {
        let text =
            r#"{"id":"a","status":"COMPLETED","new":{"x":[1]},"result":{"type":null,"model":"m"}}"#;
        let read = job(text);
        assert_eq!(read.extra("new").unwrap()["x"][0], 1);
        assert_eq!(read.result.as_ref().unwrap().extra("model").unwrap(), "m");
        assert_eq!(read.to_json()["new"]["x"][0], 1);
        assert_eq!(read.extra("newer"), None);
    }

    #[test]
    fn job_invalid_timestamp_is_kept_raw() {
        for time in ["\"soon\"", "12345", "1.5", "-3"] {
            let read = job(&format!(
                r#"{{"id":"a","status":"COMPLETED","created_at":{time},"updated_at":"2019-12-27T18:11:19.117"}}"#
            ));
            assert_eq!(read.created_at, None);
            assert_eq!(read.extra("created_at").unwrap().to_string(), time);
            assert_eq!(read.to_json()["created_at"].to_string(), time);
            assert!(read.updated_at.is_some());
        }
    }

    #[test]
    fn redact_unknown_field_values_in_job_debug() {
        let read = job(
            r#"{"id":"a","status":"COMPLETED","webhook_signing_secret":"canary","result":{"type":null,"new":["canary"]}}"#,
        );
        let shown = format!("{read:?}");
        assert!(
            shown.contains("webhook_signing_secret") && !shown.contains("canary"),
            "{shown}"
        );
    }

    proptest! {
        #[test]
        fn job_any_mix_of_known_unknown_and_null_fields_round_trips(
            status in "[A-Z_]{1,12}",
            names in proptest::collection::btree_map("[a-z_]{1,14}", prop_oneof![Just(Value::Null), any::<i32>().prop_map(Value::from), "[ -~]{0,8}".prop_map(Value::from)], 0..6),
            r#type in proptest::option::of("[a-z]{0,6}"),
        ) {
            let known: Value = serde_json::from_str(examples::JOB).unwrap();
            let mut given = serde_json::json!({"id": "x", "status": status, "result": {"type": r#type, "confidence": 0.5}});
            for (name, value) in names.into_iter().filter(|(name, _)| known.get(name).is_none() && name != "usage") {
                given[name] = value;
            }
            let read: Job = serde_json::from_value(given.clone()).unwrap();
            let mut expected = given;
            if r#type.is_none() {
                expected["result"].as_object_mut().unwrap().remove("type");
            }
            prop_assert_eq!(read.to_json(), expected);
            let again: Job = serde_json::from_value(read.to_json()).unwrap();
            prop_assert_eq!(again, read);
        }
    }
}
