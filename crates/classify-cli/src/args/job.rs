//! Commands about jobs that exist: `classify get`, `cancel`, `delete` and `wait`.

use std::time::Duration;

use clap::Args;

use super::values;
use crate::exit::Problem;

/// The id of one job, as the first argument or as a flag.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct OneJob {
    /// The job's id
    #[arg(value_name = "JOB_ID")]
    positional: Option<String>,

    /// The same as the first argument
    #[arg(long, value_name = "ID")]
    job_id: Option<String>,
}

impl OneJob {
    /// The id; the parser has seen to it that there is one.
    pub(crate) fn id(&self) -> &str {
        self.positional
            .as_deref()
            .or(self.job_id.as_deref())
            .unwrap_or_default()
    }
}

/// The flags of `classify get`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  llamacloud-prod classify get clj-123
  llamacloud-prod classify get --job-id clj-123 --expand usage
  llamacloud-prod classify get clj-123 --format table")]
pub(crate) struct GetArgs {
    #[command(flatten)]
    pub(crate) job: OneJob,

    /// A part that is left out otherwise: usage, what the job cost; may be repeated
    #[arg(long, value_name = "PART")]
    pub(crate) expand: Vec<String>,
}

/// The flags of `classify cancel`.
#[derive(Debug, Args)]
#[command(after_help = "\
The service refuses to cancel a job that has ended.

Examples:
  llamacloud-prod classify cancel clj-123
  llamacloud-prod classify cancel --job-id clj-123")]
pub(crate) struct CancelArgs {
    #[command(flatten)]
    pub(crate) job: OneJob,
}

/// The flags of `classify delete`.
#[derive(Debug, Args)]
#[command(after_help = "\
A job that has not ended must be cancelled first.

Examples:
  llamacloud-prod classify delete clj-123
  llamacloud-prod classify delete --job-id clj-123")]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    pub(crate) job: OneJob,
}

/// The flags of `classify wait`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each job is printed when it has ended. Exit codes: 0 all completed, 9 one failed or was cancelled, 8 one had not ended \
in time, 130 interrupted. The jobs themselves go on whatever happens here.

Examples:
  llamacloud-prod classify wait clj-123
  llamacloud-prod classify wait clj-123 clj-456 --timeout 10m --format table")]
pub(crate) struct WaitArgs {
    /// The jobs' ids
    #[arg(value_name = "JOB_ID", required_unless_present = "job_id")]
    positional: Vec<String>,

    /// The same as the arguments; may be repeated
    #[arg(long, value_name = "ID")]
    job_id: Vec<String>,

    /// A part of the job that is left out otherwise: usage
    #[arg(long, value_name = "PART")]
    pub(crate) expand: Vec<String>,

    /// How long to wait; 0 looks once
    #[arg(long, visible_alias = "deadline", value_name = "TIME", default_value = "2h", value_parser = values::duration)]
    pub(crate) timeout: Duration,
}

impl WaitArgs {
    /// The ids, each once.
    pub(crate) fn ids(&self) -> Result<Vec<String>, Problem> {
        let mut ids: Vec<String> = Vec::new();
        for id in self
            .positional
            .iter()
            .cloned()
            .chain(values::words("job-id", &self.job_id)?)
        {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Ok(ids)
    }
}
