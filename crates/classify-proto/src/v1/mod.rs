//! Classification jobs of API version 1, `/api/v1/classifier/jobs`: one job for many files.
//!
//! **Deprecated.** The service never declared this version stable, and removed it from its published interface on
//! 2026-09-08. It may answer 404 or 410 at any time. New programs use [`v2`](crate::v2); [`migrate`] converts v1
//! requests to v2 and reports what changes. Use this module to read existing jobs or to migrate code. (The items have
//! no `#[deprecated]`: it would warn about every line in this crate, its drivers and its tests that supports v1, and
//! users who call v1 know.)
//!
//! | operation | request | repeated after a lost response |
//! | --- | --- | --- |
//! | [`CreateJob`] | `POST /api/v1/classifier/jobs` | only if the service provably did not act |
//! | [`ListJobs`] | `GET /api/v1/classifier/jobs` | yes |
//! | [`GetJob`] | `GET /api/v1/classifier/jobs/{classify_job_id}` | yes |
//! | [`GetJobResults`] | `GET /api/v1/classifier/jobs/{classify_job_id}/results` | yes |
//!
//! Differences from v2: a job has 1 to 500 files, and its results are a separate request; there are no transaction ids,
//! so a create whose response is lost is [`is_ambiguous`](crate::Error::is_ambiguous) and
//! [`machine::Reconcile`](crate::machine::Reconcile) finds its job; pages are counted from 0; at most five pages of a
//! file are parsed by default. [`machine::ResultsWaiter`](crate::machine::ResultsWaiter) waits for a job and then reads
//! all pages of its results.

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

/// The path of the operations of this module.
const ROUTE: &str = "/api/v1/classifier/jobs";

#[cfg(test)]
pub(crate) mod examples {
    /// The example job of the service's documentation.
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

    /// The example results of the service's documentation.
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
