//! Classification jobs, `/api/v2/classify`: one file per operation, with its request and its response.
//!
//! | operation | request | repeated after a lost response |
//! | --- | --- | --- |
//! | [`CreateJob`] | `POST /api/v2/classify` | yes, with the same transaction id |
//! | [`ListJobs`] | `GET /api/v2/classify` | yes |
//! | [`GetJob`] | `GET /api/v2/classify/{job_id}` | yes |
//! | [`CancelJob`] | `POST /api/v2/classify/{job_id}/cancel` | yes; if that is rejected, a get decides |
//! | [`DeleteJob`] | `DELETE /api/v2/classify/{job_id}` | yes; a 404 is then success |

mod cancel;
mod configuration;
mod create;
mod delete;
mod get;
mod job;
mod job_options;
mod job_page;
mod list;
mod outcome;
mod webhook;

pub use crate::webhooks::{WebhookEvent, WebhookOutputFormat};
pub use cancel::CancelJob;
pub use configuration::{Configuration, Mode, ParsingConfiguration, Rule};
pub use create::CreateJob;
pub use delete::{DeleteJob, Deleted};
pub use get::GetJob;
pub use job::{ClassifyResult, DocumentInputType, Job, JobStatus, Usage};
pub use job_options::{JobOptions, Rerun};
pub use list::{ListJobs, TimeBound};
pub use outcome::Outcome;
pub use webhook::WebhookConfiguration;

/// The path of the operations of this module.
const ROUTE: &str = "/api/v2/classify";

#[cfg(test)]
pub(crate) mod examples {
    /// The example job of the service's documentation.
    pub(crate) const JOB: &str = r#"{
        "id": "id",
        "configuration": {
            "rules": [{"description": "contains invoice number, line items, and total amount", "type": "invoice"}],
            "mode": "FAST",
            "parsing_configuration": {"lang": "en", "max_pages": 10, "target_pages": "1,3,5-7"}
        },
        "document_input_type": "url",
        "file_input": "file_input",
        "project_id": "project_id",
        "status": "PENDING",
        "user_id": "user_id",
        "configuration_id": "configuration_id",
        "created_at": "2019-12-27T18:11:19.117Z",
        "error_message": "error_message",
        "parse_job_id": "parse_job_id",
        "result": {"confidence": 0, "reasoning": "reasoning", "type": "type"},
        "transaction_id": "transaction_id",
        "updated_at": "2019-12-27T18:11:19.117Z"
    }"#;

    /// A client for tests that build requests and send none.
    pub(crate) fn api() -> crate::Api {
        crate::Api::builder("llx-test")
            .base_url("https://api.example")
            .build()
            .unwrap()
    }

    pub(crate) fn ok(body: impl Into<bytes::Bytes>) -> http::Response<bytes::Bytes> {
        http::Response::new(body.into())
    }

    /// Runs a call in which each attempt gets the next status and an empty body, or loses its response.
    pub(crate) fn outcome<O: crate::Operation>(
        operation: O,
        statuses: &[Option<u16>],
    ) -> Result<O::Output, crate::Error> {
        use crate::machine::{Call, Context, Machine as _, Step};
        let api = api();
        let mut call = Call::new(operation, crate::Seed::new([0; 16]));
        let mut now = crate::Time::from_millis(0);
        let mut statuses = statuses.iter();
        loop {
            match call.poll(Context::new(&api, now)) {
                Step::Send(ticket, _) => {
                    let reply = match statuses.next().unwrap() {
                        Some(status) => Ok(http::Response::builder()
                            .status(*status)
                            .body(bytes::Bytes::new())
                            .unwrap()),
                        None => Err(crate::Failure::broken("reset")),
                    };
                    call.handle(Context::new(&api, now), ticket, reply);
                }
                Step::Wait(until) => now = until.unwrap(),
                Step::Event(never) => match never {},
                Step::Done(result) => return result,
            }
        }
    }
}
