//! A v1 job as the service describes it.

use serde_json::Value;

use super::{ParsingConfiguration, Rule};
use crate::Timestamp;
use crate::job_phase::JobPhase;
use crate::text::open_enum::open_enum;
use crate::text::response_object::response_object;

open_enum! {
    /// Where a v1 job stands.
    pub enum JobStatus {
        /// Taken on, or being worked on: v1 has no word of its own for that.
        Pending = "PENDING",
        /// Ended with a result for every file.
        Success = "SUCCESS",
        /// Ended without results.
        Error = "ERROR",
        /// Ended with results for some files.
        PartialSuccess = "PARTIAL_SUCCESS",
        /// Ended because somebody asked.
        Cancelled = "CANCELLED",
    }
}

impl JobStatus {
    /// Returns how far the job has come. A status that this version does not know is [`JobPhase::Pending`].
    #[must_use]
    pub fn phase(&self) -> JobPhase {
        match self {
            Self::Success | Self::PartialSuccess => JobPhase::Succeeded,
            Self::Error => JobPhase::Failed,
            Self::Cancelled => JobPhase::Cancelled,
            _ => JobPhase::Pending,
        }
    }

    /// Whether the job has ended.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.phase().is_terminal()
    }
}

open_enum! {
    /// How documents are read in v1.
    pub enum Mode {
        /// By their text: one credit a page. The default.
        Fast = "FAST",
        /// By their looks as well: two credits a page. v2 has no counterpart.
        Multimodal = "MULTIMODAL",
    }
}

response_object! {
    /// A v1 job: up to 500 files, classified by the same rules. Its results are read apart from it.
    ///
    /// Only `id` and `status` are certain to be there. Fields that this version does not know are kept and read
    /// with [`extra`](Self::extra); so is a value in an answer that is not of its field's type, which is then absent.
    /// The service does not say which files it holds.
    pub struct Job {
        /// The job's id, a UUID.
        required id: String,
        /// The project the job belongs to.
        optional project_id: String,
        /// The rules the job was made with.
        optional rules: Vec<Rule>,
        /// Where the job stands.
        required status: JobStatus,
        /// Who created the job.
        optional user_id: String,
        /// When the job was created.
        timestamp created_at: Timestamp,
        /// Since when the status holds.
        timestamp effective_at: Timestamp,
        /// What went wrong in the latest try.
        optional error_message: String,
        /// The record behind the status.
        optional job_record_id: String,
        /// How the documents are read; FAST where it is absent.
        optional mode: Mode,
        /// Which part of the documents is read.
        optional parsing_configuration: ParsingConfiguration,
        /// When the job last changed.
        timestamp updated_at: Timestamp,
    }
}

impl Job {
    /// Every field as JSON, those this version does not know included.
    #[must_use]
    pub fn to_json(&self) -> Value {
        // No field has a key or a number that JSON could not hold.
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
