//! The settings of the workers, for `submit` without rules.

#![expect(clippy::unused_async, reason = "a handler is async")]

use classify_proto::v2::{Configuration, JobOptions};
use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};

/// The name of the service.
pub(crate) const SERVICE: &str = "ClassifySettings";

/// The project of a worker, and the rules of submissions that have none.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct WorkerSettings {
    pub(crate) project: Option<String>,
    pub(crate) configuration: Option<Configuration>,
    pub(crate) configuration_id: Option<String>,
}

impl WorkerSettings {
    pub(crate) fn new(project: Option<&str>, options: Option<&JobOptions>) -> Self {
        Self {
            project: project.map(str::to_owned),
            configuration: options.and_then(|options| options.configuration.as_deref().cloned()),
            configuration_id: options.and_then(|options| options.configuration_id.clone()),
        }
    }

    /// Returns the rules; `None` if the worker has none.
    pub(crate) fn job_options(&self) -> Option<JobOptions> {
        match (&self.configuration, &self.configuration_id) {
            (Some(configuration), _) => Some(configuration.clone().into()),
            (None, Some(id)) => Some(JobOptions::from_configuration_id(id)),
            (None, None) => None,
        }
    }
}

/// Returns the settings of a worker.
pub(crate) struct SettingsService(pub(crate) WorkerSettings);

#[restate_sdk::service(name = "ClassifySettings", client_visibility = "pub(crate)")]
impl SettingsService {
    #[handler]
    async fn get(&self, _ctx: Context<'_>) -> HandlerResult<Json<WorkerSettings>> {
        Ok(Json(self.0.clone()))
    }
}
