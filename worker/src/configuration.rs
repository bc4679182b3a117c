//! The rules of a command line.

use std::path::Path;

use classify_proto::Operation as _;
use classify_proto::v2::{CreateJob, JobOptions};

use crate::args::RulesArgs;
use crate::error::CliError;
use crate::printer::Printer;
use crate::rules::file;
use crate::yaml::print_lost_texts;

/// Returns the validated rules of `--rules` or `--configuration-id`; `None` if neither is set.
pub(crate) fn job_options(
    args: &RulesArgs,
    printer: Printer,
) -> Result<Option<JobOptions>, CliError> {
    let options = match (&args.rules, &args.configuration_id) {
        (Some(path), _) => read(path, printer)?,
        (None, Some(id)) if id.trim().is_empty() => {
            return Err(CliError::usage("--configuration-id is empty"));
        }
        (None, Some(id)) => JobOptions::from_configuration_id(id),
        (None, None) => return Ok(None),
    };
    Ok(Some(options))
}

fn read(path: &Path, printer: Printer) -> Result<JobOptions, CliError> {
    let file = file::read(path)?;
    print_lost_texts(&path.display().to_string(), &file.lost_texts, printer);
    let options = JobOptions::from(file.configuration);
    CreateJob::new("dfl-to-be-uploaded", &options)
        .validate()
        .map_err(|error| CliError::usage(format!("{}: {error}", path.display())))?;
    Ok(options)
}
