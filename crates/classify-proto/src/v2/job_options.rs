//! Options that are the same for every document.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Configuration, WebhookConfiguration};
use crate::call_options::CallOptions;
use crate::error::Error;
use crate::scope::{Scope, scope_setters};
use crate::secret::Secret;
use crate::validation::ValidationErrors;

/// The options of a job: rules, webhooks, project and headers. Everything except the document.
///
/// Rules are required: either a [`Configuration`] or the id of a saved one.
///
/// ```
/// use classify_proto::v2::{Configuration, JobOptions, Rule};
///
/// let rules = Configuration::new([Rule::new("invoice", "has an invoice number and a total amount")]);
/// let options = JobOptions::from(rules).project("prj-1").webhook_configuration_ids(["whc-1"]);
/// let saved = JobOptions::from_configuration_id("cfg-1");
/// # let _ = (options, saved);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobOptions {
    /// The rules, if they are sent with the create.
    pub configuration: Option<Arc<Configuration>>,
    /// The id of a saved configuration (`cfg-…`), in place of rules.
    pub configuration_id: Option<String>,
    /// The ids of saved webhooks (`whc-…`) to notify, at most four.
    pub webhook_configuration_ids: Option<Vec<String>>,
    /// Webhooks to notify that are not saved but sent with the create.
    pub webhook_configurations: Option<Vec<WebhookConfiguration>>,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
    /// Extra headers, query parameters and body fields of the create.
    #[serde(default, skip_serializing_if = "CallOptions::is_empty")]
    pub call_options: CallOptions,
    /// The documents with a job that are classified and charged again. [`Rerun::Never`] by default.
    ///
    /// Used by `classify`, bulk runs and pools. A [`CreateJob`](super::CreateJob) sent by itself ignores it.
    #[serde(default, skip_serializing_if = "Rerun::is_never")]
    pub rerun: Rerun,
}

/// The documents with a job that are classified, and charged, again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rerun {
    /// None: the job of the first paid run is the result, even if it failed or was cancelled.
    #[default]
    Never,
    /// Documents whose job failed, was cancelled or was deleted. Charges at most one job per document.
    Failed,
    /// Every document.
    Always,
}

impl Rerun {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    fn is_never(&self) -> bool {
        *self == Self::Never
    }
}

impl JobOptions {
    /// Creates options with these rules. An `Arc` is shared between jobs.
    #[must_use]
    pub fn new(configuration: impl Into<Arc<Configuration>>) -> Self {
        Self {
            configuration: Some(configuration.into()),
            ..Self::default()
        }
    }

    /// Creates options with a saved configuration (`cfg-…`) in place of rules.
    #[must_use]
    pub fn from_configuration_id(id: impl Into<String>) -> Self {
        Self {
            configuration_id: Some(id.into()),
            ..Self::default()
        }
    }

    scope_setters!();

    /// Sets the saved webhooks (`whc-…`) to notify, at most four.
    #[must_use]
    pub fn webhook_configuration_ids<S: Into<String>>(
        mut self,
        ids: impl IntoIterator<Item = S>,
    ) -> Self {
        self.webhook_configuration_ids = Some(ids.into_iter().map(Into::into).collect());
        self
    }

    /// Adds a webhook to notify.
    #[must_use]
    pub fn webhook(mut self, webhook: WebhookConfiguration) -> Self {
        self.webhook_configurations
            .get_or_insert_default()
            .push(webhook);
        self
    }

    /// Adds a header to the create. The value is redacted in `Debug`, errors and saved states.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.call_options = self.call_options.header(name, value);
        self
    }

    /// Classifies and charges documents again whose job failed, was cancelled or was deleted: [`Rerun::Failed`].
    /// Charges at most one job per document.
    #[must_use]
    pub fn retry_failed(mut self) -> Self {
        self.rerun = Rerun::Failed;
        self
    }

    /// Classifies and charges every document again: [`Rerun::Always`].
    #[must_use]
    pub fn fresh(mut self) -> Self {
        self.rerun = Rerun::Always;
        self
    }

    /// Validates the options before a document is known.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let mut errors = ValidationErrors::default();
        self.collect_rule_errors(&mut errors);
        self.collect_webhook_errors(&mut errors);
        errors
            .finish()
            .map_err(|error| error.with_operation("classify.create"))
    }

    /// Adds the validation errors of the rules.
    pub(super) fn collect_rule_errors(&self, errors: &mut ValidationErrors) {
        match (&self.configuration, &self.configuration_id) {
            (None, None) => errors.add(
                "configuration",
                "is missing; give rules, or the id of a saved configuration",
            ),
            (Some(_), Some(_)) => errors.add(
                "configuration_id",
                "cannot be combined with configuration; give one of the two",
            ),
            (Some(configuration), None) => {
                configuration.collect_errors("configuration", errors);
            }
            (None, Some(id)) if id.is_empty() => errors.add("configuration_id", "is empty"),
            (None, Some(_)) => {}
        }
    }

    /// Adds the validation errors of the webhooks.
    pub(super) fn collect_webhook_errors(&self, errors: &mut ValidationErrors) {
        let ids = self.webhook_configuration_ids.as_ref();
        if let Some(ids) = ids.filter(|ids| ids.len() > 4) {
            errors.add(
                "webhook_configuration_ids",
                format!("has {} items; at most 4 are allowed", ids.len()),
            );
        }
        for (index, webhook) in self.webhook_configurations.iter().flatten().enumerate() {
            webhook.collect_errors(&format!("webhook_configurations[{index}]"), errors);
        }
    }

    /// Whether the input is the only resource that the create refers to.
    pub(crate) fn is_self_contained(&self) -> bool {
        let webhooks = self.webhook_configuration_ids.as_deref();
        self.configuration_id.is_none() && webhooks.is_none_or(<[_]>::is_empty)
    }
}

impl From<Configuration> for JobOptions {
    fn from(configuration: Configuration) -> Self {
        Self::new(configuration)
    }
}

impl From<Arc<Configuration>> for JobOptions {
    fn from(configuration: Arc<Configuration>) -> Self {
        Self::new(configuration)
    }
}

impl From<&JobOptions> for JobOptions {
    fn from(options: &JobOptions) -> Self {
        options.clone()
    }
}
