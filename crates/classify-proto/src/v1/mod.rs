//! Classification jobs of the first version, `/api/v1/classifier/jobs`: one job for many files.
//!
//! **Deprecated.** The service never called this version ready, and took it out of its published interface on
//! 2026-09-08. It may answer 404 or 410 any day. New programs use [`v2`](crate::v2); [`migrate`] turns requests of
//! this version into those of v2 and says what changes. It is here for those who have jobs to fetch or code to move.
//! (The items carry no `#[deprecated]`: that would warn of every line in this crate, its drivers and its tests that
//! keeps the old routes working, and a user who calls them knows.)
//!
//! | operation | request | repeated |
//! | --- | --- | --- |
//! | [`CreateJob`] | `POST /api/v1/classifier/jobs` | only when the service provably did not act |
//! | [`ListJobs`] | `GET /api/v1/classifier/jobs` | yes |
//! | [`GetJob`] | `GET /api/v1/classifier/jobs/{classify_job_id}` | yes |
//! | [`GetJobResults`] | `GET /api/v1/classifier/jobs/{classify_job_id}/results` | yes |
//!
//! What differs from v2: a job holds 1 to 500 files and its results are read apart from it; there is no transaction
//! id, so a create whose answer is lost is [`is_ambiguous`](crate::Error::is_ambiguous) and
//! [`machine::Reconcile`](crate::machine::Reconcile) looks for its job; pages are counted from 0; at most five pages
//! of a file are read unless told otherwise. [`machine::ResultsWaiter`](crate::machine::ResultsWaiter) waits for a
//! job and then reads every page of its results.

mod create;
mod get;
mod job;
mod job_results;
mod language;
mod list;
pub mod migrate;
mod parsing;
mod results;
mod webhook;

pub use crate::v2::{ClassifyResult, Outcome, Rule};
pub use crate::webhooks::WebhookOutputFormat;
pub use create::CreateJob;
pub use get::GetJob;
pub use job::{Job, JobStatus, Mode};
pub use job_results::JobResults;
pub use language::Language;
pub use list::ListJobs;
pub use parsing::{MaxPages, ParsingConfiguration};
pub use results::{FileResult, GetJobResults};
pub use webhook::WebhookConfiguration;

/// The route of every operation here.
const ROUTE: &str = "/api/v1/classifier/jobs";

#[cfg(test)]
pub(crate) mod examples {
    /// The job of the service's documentation.
    pub(crate) const JOB: &str = r#"{
        "id": "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
        "project_id": "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
        "rules": [{"description": "contains invoice number, line items, and total amount", "type": "invoice"}],
        "status": "PENDING",
        "user_id": "user_id",
        "created_at": "2019-12-27T18:11:19.117Z",
        "effective_at": "2019-12-27T18:11:19.117Z",
        "error_message": "error_message",
        "job_record_id": "job_record_id",
        "mode": "FAST",
        "parsing_configuration": {"lang": "af", "max_pages": 0, "target_pages": [0]},
        "updated_at": "2019-12-27T18:11:19.117Z"
    }"#;

    /// The results of the service's documentation.
    pub(crate) const RESULTS: &str = r#"{
        "items": [{
            "id": "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
            "classify_job_id": "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
            "created_at": "2019-12-27T18:11:19.117Z",
            "file_id": "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
            "result": {"confidence": 0, "reasoning": "reasoning", "type": "type"},
            "updated_at": "2019-12-27T18:11:19.117Z"
        }],
        "next_page_token": "next_page_token",
        "total_size": 0
    }"#;
}
