//! `classify list`

use clap::Args;
use classify_proto::v2::{JobStatus, List};

use super::values::{nullable, words};
use crate::exit::Problem;

/// The flags of `classify list`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct ListArgs {
    /// Only these jobs; may be repeated
    #[arg(long, value_name = "ID")]
    pub(crate) job_id: Vec<String>,

    /// Only jobs of this status: PENDING, RUNNING, COMPLETED, FAILED, CANCELLED
    #[arg(long)]
    pub(crate) status: Option<String>,

    /// Only jobs made from this saved configuration
    #[arg(long, value_name = "ID")]
    pub(crate) configuration_id: Option<String>,

    /// Only jobs created then or later, such as 2026-01-02T03:04:05Z
    #[arg(long, value_name = "TIME")]
    pub(crate) created_at_on_or_after: Option<String>,

    /// Only jobs created then or earlier
    #[arg(long, value_name = "TIME")]
    pub(crate) created_at_on_or_before: Option<String>,

    /// How many jobs to ask for in one request: 1 to 100. It does not limit the list; --max-items does
    #[arg(long, value_name = "NUMBER")]
    pub(crate) page_size: Option<u32>,

    /// The token of the page to begin at
    #[arg(long, value_name = "TOKEN")]
    pub(crate) page_token: Option<String>,

    /// The most jobs to print; -1 prints all
    #[arg(
        long,
        value_name = "NUMBER",
        default_value = "-1",
        allow_negative_numbers = true
    )]
    pub(crate) max_items: i64,
}

impl ListArgs {
    /// The list as the core asks for it.
    pub(crate) fn operation(&self) -> Result<List, Problem> {
        let mut list = List::new().job_ids(words("job-id", &self.job_id)?);
        if let Some(size) = self.page_size {
            list = list.page_size(size);
        }
        if let Some(token) = nullable(self.page_token.as_ref()) {
            list = list.page_token(token);
        }
        if let Some(status) = nullable(self.status.as_ref()) {
            // A word this version knows may be written small; any other is the service's to judge.
            let upper = status.to_ascii_uppercase();
            let known = JobStatus::KNOWN.contains(&upper.as_str());
            list = list.status(if known { upper } else { status });
        }
        if let Some(id) = nullable(self.configuration_id.as_ref()) {
            list = list.configuration_id(id);
        }
        if let Some(time) = nullable(self.created_at_on_or_after.as_ref()) {
            list = list.created_at_on_or_after(time);
        }
        if let Some(time) = nullable(self.created_at_on_or_before.as_ref()) {
            list = list.created_at_on_or_before(time);
        }
        Ok(list)
    }

    /// How many jobs to print at most; `None` for all.
    pub(crate) fn limit(&self) -> Result<Option<usize>, Problem> {
        match self.max_items {
            -1 => Ok(None),
            number => usize::try_from(number).map(Some).map_err(|_| {
                Problem::usage(format!(
                    "--max-items {number}: write a number from 0, or -1 for all"
                ))
            }),
        }
    }
}

const HELP: &str = "\
Pages are followed to the end of the list, or to --max-items. On a terminal and with --format json the list is one \
JSON array; in a pipe and with --format jsonl it is a line a job, printed as pages come.

Examples:
  llamacloud-prod classify list --max-items 20 --format table
  llamacloud-prod classify list --job-id clj-1 --job-id clj-2
  llamacloud-prod classify list --status FAILED --created-at-on-or-after 2026-01-01T00:00:00Z --format jsonl";
