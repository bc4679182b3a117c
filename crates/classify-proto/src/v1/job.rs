//! A v1 job, as returned by the service.

use serde_json::Value;

use super::{ParsingConfiguration, Rule};
use crate::Timestamp;
use crate::job_phase::JobPhase;
use crate::text::open_enum::open_enum;
use crate::text::response_object::response_object;

open_enum! {
    /// The status of a v1 job.
    pub enum JobStatus {
        /// Accepted or running: v1 does not distinguish them.
        Pending = "PENDING",
        /// Ended with a result for every file.
        Success = "SUCCESS",
        /// Ended with an error and without results.
        Error = "ERROR",
        /// Ended with results for some files.
        PartialSuccess = "PARTIAL_SUCCESS",
        /// Cancelled on request.
        Cancelled = "CANCELLED",
    }
}

impl JobStatus {
    /// Returns the phase of the status. A status that this version does not know is [`JobPhase::Pending`].
    #[must_use]
    pub fn phase(&self) -> JobPhase {
        match self {
            Self::Success | Self::PartialSuccess => JobPhase::Succeeded,
            Self::Error => JobPhase::Failed,
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
    /// How documents are parsed in v1.
    pub enum Mode {
        /// By their text: one credit per page. The default.
        Fast = "FAST",
        /// By their text and their visual appearance: two credits per page. v2 has no equivalent.
        Multimodal = "MULTIMODAL",
    }
}

response_object! {
    /// A v1 job: up to 500 files, classified with the same rules. Its results are a separate request.
    ///
    /// Only `id` and `status` are always present. Fields that this version does not know are kept;
    /// [`extra`](Self::extra) returns them. A field whose value has an unexpected type is `None`, and its value is an
    /// extra too. The service does not return the ids of the job's files.
    pub struct Job {
        /// The id of the job, a UUID.
        required id: String,
        /// The id of the job's project.
        optional project_id: String,
        /// The rules that the job was created with.
        optional rules: Vec<Rule>,
        /// The status of the job when the response was sent.
        required status: JobStatus,
        /// The id of the user who created the job.
        optional user_id: String,
        /// The time of the create.
        timestamp created_at: Timestamp,
        /// The time since which the job has had its status.
        timestamp effective_at: Timestamp,
        /// The error message of the latest attempt.
        optional error_message: String,
        /// The id of the record behind the status.
        optional job_record_id: String,
        /// How the documents are parsed. FAST if absent.
        optional mode: Mode,
        /// The pages to parse and the language.
        optional parsing_configuration: ParsingConfiguration,
        /// The time of the last change.
        timestamp updated_at: Timestamp,
    }
}

impl Job {
    /// Returns every field as JSON, including those that this version does not know.
    #[must_use]
    pub fn to_json(&self) -> Value {
        // No field has a key or a number that JSON cannot represent.
        serde_json::to_value(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::examples;

    #[test]
    fn v1_job_documented_example_round_trips() {
        let job: Job = serde_json::from_str(examples::JOB).unwrap();
        assert_eq!(job.status, JobStatus::Pending);
        assert_eq!(job.extras().count(), 0);
        assert_eq!(
            job.to_json(),
            serde_json::from_str::<Value>(examples::JOB).unwrap()
        );
    }

    #[test]
    fn v1_job_requires_id_and_status_and_unknown_status_is_not_terminal() {
        let job: Job = serde_json::from_str(r#"{"id": "1", "status": "RUNNING"}"#).unwrap();
        assert!(!job.status.is_terminal());
        assert_eq!(job.status.as_str(), "RUNNING");
        for ended in ["SUCCESS", "PARTIAL_SUCCESS", "ERROR", "CANCELLED"] {
            assert!(JobStatus::from(ended).is_terminal(), "{ended}");
        }
        assert!(serde_json::from_str::<Job>(r#"{"id": "1"}"#).is_err());
        assert!(serde_json::from_str::<Job>(r#"{"status": "SUCCESS"}"#).is_err());
    }
}
