//! The configuration of a run: rules and page limits, from a file and from flags.

use classify_proto::Operation as _;
use classify_proto::v2::{Configuration, CreateJob, JobOptions, ParsingConfiguration};

use crate::args::global::GlobalArgs;
use crate::args::run::RunArgs;
use crate::error::CliError;
use crate::printer::Printer;
use crate::rules;
use crate::yaml::print_lost_texts;
use classify_rules::parse_message::quote_text;

/// The maximum number of invalid fields that an error lists.
const MAX_LISTED_ERRORS: usize = 20;

/// The settings that all documents of a run share.
#[derive(Debug)]
pub(super) struct RunConfiguration {
    pub(super) options: JobOptions,
    /// The pages to read; those of a saved configuration are unknown.
    pub(super) parsing: Option<ParsingConfiguration>,
}

/// Returns the validated configuration.
pub(super) fn run_configuration(
    args: &RunArgs,
    global: &GlobalArgs,
) -> Result<RunConfiguration, CliError> {
    if let Some(id) = &args.configuration_id {
        if id.trim().is_empty() {
            return Err(CliError::usage("--configuration-id is empty")
                .hint("`llamacloud-prod configurations list` shows the ids"));
        }
        return Ok(RunConfiguration {
            options: with_rerun(JobOptions::from_configuration_id(id), args),
            parsing: None,
        });
    }
    let mut configuration = match &args.rules {
        Some(path) => {
            let file = rules::file::read(path)?;
            let printer = Printer::new(global.printer_settings());
            print_lost_texts(&path.display().to_string(), &file.lost_texts, printer);
            file.configuration
        }
        None => Configuration::new([]),
    };
    let from_file = configuration.rules.len();
    configuration.rules.extend(args.rule.iter().cloned());
    if args.lang.is_some() || args.target_pages.is_some() || args.max_pages.is_some() {
        let parsing = configuration.parsing_configuration.get_or_insert_default();
        parsing.lang = args.lang.clone().or(parsing.lang.take());
        parsing.target_pages = args.target_pages.clone().or(parsing.target_pages.take());
        parsing.max_pages = args.max_pages.or(parsing.max_pages);
    }
    let options = with_rerun(configuration.clone().into(), args);
    if !global.no_validate {
        let checked = CreateJob::new("dfl-to-be-uploaded", &options).validate();
        checked.map_err(|error| validation_error(&error, args, &configuration, from_file))?;
    }
    Ok(RunConfiguration {
        options,
        parsing: configuration.parsing_configuration,
    })
}

fn with_rerun(options: JobOptions, args: &RunArgs) -> JobOptions {
    if args.fresh {
        options.fresh()
    } else if args.retry_failed {
        options.retry_failed()
    } else {
        options
    }
}

/// Names the file or flag of each invalid field.
fn validation_error(
    error: &classify_proto::Error,
    args: &RunArgs,
    configuration: &Configuration,
    from_file: usize,
) -> CliError {
    let file = args.rules.as_ref().map(|path| path.display().to_string());
    let lines: Vec<String> = error
        .field_errors()
        .iter()
        .take(MAX_LISTED_ERRORS)
        .map(|invalid| {
            let field = invalid
                .field
                .strip_prefix("configuration.")
                .unwrap_or(&invalid.field);
            let index = field
                .strip_prefix("rules[")
                .and_then(|rest| rest.split_once(']'))
                .and_then(|(index, rest)| Some((index.parse::<usize>().ok()?, rest)));
            let flag = |name: &str, is_set: bool| is_set.then(|| format!("--{name}"));
            let source = match (index, field.rsplit('.').next()) {
                (Some((index, rest)), _) => {
                    let name = configuration
                        .rules
                        .get(index)
                        .map_or("", |rule| rule.r#type.as_str());
                    let name = quote_text(name);
                    let rest = rest.trim_start_matches('.');
                    match index.checked_sub(from_file) {
                        Some(index) => format!("--rule number {} ({name}): {rest}", index + 1),
                        None => format!(
                            "{}: rules[{index}] ({name}): {rest}",
                            file.as_deref().unwrap_or_default()
                        ),
                    }
                }
                (None, Some("target_pages")) => flag("target-pages", args.target_pages.is_some())
                    .unwrap_or_else(|| in_file(file.as_deref(), field)),
                (None, Some("max_pages")) => flag("max-pages", args.max_pages.is_some())
                    .unwrap_or_else(|| in_file(file.as_deref(), field)),
                _ => in_file(file.as_deref(), field),
            };
            format!("{source} {}", invalid.message)
        })
        .collect();
    let mut lines = lines;
    if let Some(more) = error
        .field_errors()
        .len()
        .checked_sub(MAX_LISTED_ERRORS + 1)
    {
        lines.push(format!("and {} more", more + 1));
    }
    CliError::usage(lines.join("\n  ")).hint(
        "nothing was sent; if the service's limits have changed, --no-validate sends it anyway",
    )
}

fn in_file(file: Option<&str>, field: &str) -> String {
    match file {
        Some(file) => format!("{file}: {field}"),
        None => field.to_owned(),
    }
}
