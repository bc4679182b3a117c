//! The workflow of a document.
//!
//! Its key is the document's transaction id ([`classify_proto::machine::transaction_id`]), so the engine accepts each
//! classification once, and a second submission gets the first result. The names of the service, the handler and the
//! journal entry are the format of the engine's journal: if one of them changes, the worker is a new deployment.

use std::sync::Arc;
use std::time::Duration;

use classify_proto::v2::{Configuration, JobOptions};
use restate_sdk::endpoint::{HandlerOptions, ServiceOptions};
use restate_sdk::prelude::*;
use restate_sdk::service::ServiceDefinition;
use serde::{Deserialize, Serialize};

use crate::pools::{Pools, Unanswered};
use crate::row::Row;

/// The name of the workflow's service.
pub(crate) const SERVICE: &str = "ClassifyDocument";
/// The code of a document that was not classified.
pub(crate) const FAILURE_CODE: u16 = 500;

/// The engine takes a document back if its worker has held it for this long.
const INACTIVITY_TIMEOUT: Duration = Duration::from_secs(3 * 60 * 60);
const ABORT_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// A finished document's journal is kept for this long, for a look at it.
const JOURNAL_RETENTION: Duration = Duration::from_secs(60 * 60);
/// Attempts before the engine pauses a document. Documents wait for days if the service is away or a credit is missing.
const MAX_ATTEMPTS: u64 = 1_000_000;

/// A submitted document.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Submission {
    /// A path or URL that every worker sees.
    pub(crate) path: String,
    /// The hash of the content when it was submitted.
    pub(crate) content: String,
    /// The rules. Without rules, those of the worker are used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) configuration: Option<Configuration>,
    /// The id of a saved configuration, in place of rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) configuration_id: Option<String>,
}

impl Submission {
    /// Returns the rules of the submission; `None` for those of the worker.
    pub(crate) fn job_options(&self) -> Option<JobOptions> {
        match (&self.configuration, &self.configuration_id) {
            (Some(configuration), _) => Some(configuration.clone().into()),
            (None, Some(id)) => Some(JobOptions::from_configuration_id(id)),
            (None, None) => None,
        }
    }
}

/// Classifies a document once.
pub(crate) struct DocumentWorkflow(pub(crate) Arc<Pools>);

#[restate_sdk::workflow(name = "ClassifyDocument", client_visibility = "pub(crate)")]
impl DocumentWorkflow {
    #[handler]
    async fn run(
        &self,
        ctx: WorkflowContext<'_>,
        submission: Json<Submission>,
    ) -> HandlerResult<Json<Row>> {
        let key = ctx.key().to_owned();
        let Json(submission) = submission;
        // One journal entry. The engine repeats the closure until it has an answer or a failure.
        let row = ctx
            .run(async || match self.0.classify(&key, submission).await {
                Ok(row) => Ok(Json(row)),
                Err(Unanswered::Later(reason)) => Err(HandlerError::from(reason)),
                Err(Unanswered::Failure(row)) => Err(failure(&row).into()),
            })
            .name("classify")
            .await?;
        Ok(row)
    }
}

/// Returns a failure, which `submit` removes and submits again. Its message is the row, so that `status` and `results`
/// can name the document.
fn failure(row: &Row) -> TerminalError {
    let text = serde_json::to_string(row).unwrap_or_else(|_| row.path.clone());
    TerminalError::new_with_code(FAILURE_CODE, text)
}

/// Returns the service of the workflow, whose results are kept for `retention`.
pub(crate) fn service(pools: Arc<Pools>, retention: Duration) -> ServiceDefinition {
    DocumentWorkflow(pools).into_service_definition().options(
        ServiceOptions::new()
            .inactivity_timeout(INACTIVITY_TIMEOUT)
            .abort_timeout(ABORT_TIMEOUT)
            .journal_retention(JOURNAL_RETENTION.min(retention))
            .retry_policy_initial_interval(Duration::from_millis(500))
            .retry_policy_exponentiation_factor(2.0)
            .retry_policy_max_interval(Duration::from_secs(60))
            .retry_policy_max_attempts(MAX_ATTEMPTS)
            .retry_policy_pause_on_max_attempts()
            .handler("run", HandlerOptions::new().workflow_retention(retention)),
    )
}
