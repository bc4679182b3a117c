//! The engine's queue of documents.
//!
//! A document's idempotency key in the engine is its transaction id ([`classify_proto::machine::transaction_id`]), so the
//! engine accepts each classification once, and a second submission gets the first result.
//!
//! The documents wait in lanes: the keys of a virtual object, of which the engine runs one document at a time. An
//! invocation that runs, or is retried, occupies one of the places that each partition of the engine has (1,000 by
//! default). Workers lease permits by invocations too. If waiting documents could occupy all places, no permit would be
//! leased, and no document would finish. The lanes are fewer than the places of one partition.
//!
//! The names of the object, the handler and the journal entry are the format of the engine's journal: if one of them
//! changes, the worker is a new deployment.

use std::sync::Arc;
use std::time::Duration;

use classify_proto::v2::{Configuration, JobOptions};
use restate_sdk::endpoint::ServiceOptions;
use restate_sdk::prelude::*;
use restate_sdk::service::ServiceDefinition;
use serde::{Deserialize, Serialize};

use crate::pools::{Pools, Unanswered};
use crate::row::Row;

/// The name of the object.
pub(crate) const SERVICE: &str = "ClassifyDocuments";
/// The number of lanes, and so of documents that all workers hold. Another number makes copies of waiting documents
/// unknown to each other; they are still one job.
const LANES: u32 = 900;
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
    /// The transaction id.
    pub(crate) key: String,
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

/// Classifies the documents of a lane, one after the other.
pub(crate) struct DocumentLane(pub(crate) Arc<Pools>);

#[restate_sdk::object(name = "ClassifyDocuments", client_visibility = "pub(crate)")]
impl DocumentLane {
    #[handler]
    async fn classify(
        &self,
        ctx: ObjectContext<'_>,
        submission: Json<Submission>,
    ) -> HandlerResult<Json<Row>> {
        let Json(submission) = submission;
        // One journal entry. The engine repeats the closure until it has an answer or a failure.
        let row = ctx
            .run(async || match self.0.classify(submission).await {
                Ok(row) => Ok(Json(row)),
                Err(Unanswered::Later(reason)) => Err(HandlerError::from(reason)),
                Err(Unanswered::Failure(row)) => Err(failure(&row).into()),
            })
            .name("classify")
            .await?;
        Ok(row)
    }
}

/// Returns the lane of a document: the first eight hexadecimal digits of its transaction id, modulo the number of lanes.
pub(crate) fn lane(key: &str) -> u32 {
    let digits = key.strip_prefix("cr1-").and_then(|digits| digits.get(..8));
    let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    number.unwrap_or(0) % LANES
}

/// Returns a failure, which `submit` removes and submits again. Its message is the row, so that `status` and `results`
/// can name the document.
fn failure(row: &Row) -> TerminalError {
    let text = serde_json::to_string(row).unwrap_or_else(|_| row.path.clone());
    TerminalError::new_with_code(FAILURE_CODE, text)
}

/// Returns the service of the lanes, whose results are kept for `retention`.
pub(crate) fn service(pools: Arc<Pools>, retention: Duration) -> ServiceDefinition {
    DocumentLane(pools).into_service_definition().options(
        ServiceOptions::new()
            .inactivity_timeout(INACTIVITY_TIMEOUT)
            .abort_timeout(ABORT_TIMEOUT)
            .journal_retention(JOURNAL_RETENTION.min(retention))
            .retry_policy_initial_interval(Duration::from_millis(500))
            .retry_policy_exponentiation_factor(2.0)
            .retry_policy_max_interval(Duration::from_secs(60))
            .retry_policy_max_attempts(MAX_ATTEMPTS)
            .retry_policy_pause_on_max_attempts()
            .idempotency_retention(retention),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lane_is_stable_across_releases() {
        let key = "cr1-499e6013e382c4b15e62bc2a044653cced25f8cbbe4155a5599f4e2e3152f774";
        assert_eq!(lane(key), 0x499e_6013 % 900);
        assert_eq!(lane("another"), 0);
    }
}
