//! `classify wait` and `classifier:jobs wait`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values;
use crate::error::CliError;

/// The flags of `classify wait`.
#[derive(Debug, Args)]
#[command(after_help = "\
Prints each job when it has ended. Stopping the command does not stop the jobs. Exit codes: 0 all jobs completed, 9 a \
job failed or was cancelled, 8 the timeout was reached, 130 interrupted.

Examples:
  llamacloud-prod classify wait clj-123
  llamacloud-prod classify wait clj-123 clj-456 --timeout 10m --format table")]
pub(crate) struct WaitArgs {
    /// Wait for these jobs
    #[arg(value_name = "JOB_ID", required_unless_present = "job_id")]
    arguments: Vec<String>,

    /// Wait for this job too; may be repeated
    #[arg(long, value_name = "ID")]
    job_id: Vec<String>,

    /// Request an optional part of the job: usage
    #[arg(long, value_name = "PART")]
    pub(crate) expand: Vec<String>,

    /// Wait up to this long; 0 polls once
    #[arg(long, visible_alias = "deadline", value_name = "TIME", default_value = "2h", value_parser = values::parse_duration)]
    pub(crate) timeout: Duration,

    /// Write the result to this file instead of to stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// The flags of `classifier:jobs wait`.
#[derive(Debug, Args)]
#[command(after_help = "\
The exit codes are those of `classify wait`. `classifier:jobs get-results` prints the results.

Examples:
  llamacloud-prod classifier:jobs wait 182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e --timeout 10m")]
pub(crate) struct ClassifierWaitArgs {
    /// Wait for these jobs
    #[arg(value_name = "JOB_ID", required_unless_present = "classify_job_id")]
    arguments: Vec<String>,

    /// Wait for this job too; may be repeated
    #[arg(long, value_name = "ID")]
    classify_job_id: Vec<String>,

    /// Wait up to this long; 0 polls once
    #[arg(long, visible_alias = "deadline", value_name = "TIME", default_value = "2h", value_parser = values::parse_duration)]
    pub(crate) timeout: Duration,

    /// Write the result to this file instead of to stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

impl ClassifierWaitArgs {
    /// Returns the ids, each once.
    pub(crate) fn ids(&self) -> Result<Vec<String>, CliError> {
        unique_ids("classify-job-id", &self.arguments, &self.classify_job_id)
    }
}

/// Returns the ids of the arguments and of the flag, each once.
fn unique_ids(flag: &str, arguments: &[String], flags: &[String]) -> Result<Vec<String>, CliError> {
    let mut ids: Vec<String> = Vec::new();
    for id in arguments
        .iter()
        .cloned()
        .chain(values::parse_list(flag, flags)?)
    {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

impl WaitArgs {
    /// Returns the ids, each once.
    pub(crate) fn ids(&self) -> Result<Vec<String>, CliError> {
        unique_ids("job-id", &self.arguments, &self.job_id)
    }
}
