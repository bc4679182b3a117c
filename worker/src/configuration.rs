//! The rules of a command line.

use std::path::Path;

use classify_proto::Operation as _;
use classify_proto::v2::{CreateJob, JobOptions};

use classify_rules::file::{self, RulesFileErrorKind};

use crate::args::RulesArgs;
use crate::error::CliError;
use crate::printer::Printer;

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
    let file = file::read(path).map_err(|error| {
        let cli_error = CliError::usage(error.to_string());
        match error.kind() {
            RulesFileErrorKind::UnknownFormat => {
                cli_error.hint("name the file .yaml, .json or .toml")
            }
            RulesFileErrorKind::Encoding => cli_error.hint("save the file as UTF-8"),
            _ => cli_error,
        }
    })?;
    for lost in &file.lost_texts {
        let source = path.display();
        printer.warning(&format!("{source}, line {}: {}", lost.line, lost.message));
    }
    let options = JobOptions::from(file.configuration);
    CreateJob::new("dfl-to-be-uploaded", &options)
        .validate()
        .map_err(|error| CliError::usage(format!("{}: {error}", path.display())))?;
    Ok(options)
}
