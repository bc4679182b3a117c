//! What every document of a run is classified by: rules and page limits, from a file and from flags.

use classify_proto::Operation as _;
use classify_proto::v2::{Configuration, CreateJob, ParsingConfiguration};

use crate::args::Global;
use crate::args::run::RunArgs;
use crate::exit::Problem;
use crate::rules_file;

/// What every document gets.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) create: CreateJob,
    /// Which pages are read; a saved configuration keeps that to itself.
    pub(super) parsing: Option<ParsingConfiguration>,
}

/// The create that every document gets, checked.
pub(super) fn template(args: &RunArgs, global: &Global) -> Result<Template, Problem> {
    let create = CreateJob::new("");
    if let Some(id) = &args.configuration_id {
        if id.trim().is_empty() {
            return Err(Problem::usage("--configuration-id is empty")
                .hint("`llamacloud-prod configurations list` shows the ids that there are"));
        }
        return Ok(Template {
            create: create.configuration_id(id),
            parsing: None,
        });
    }
    let mut configuration = match &args.rules {
        Some(path) => rules_file::read(path)?,
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
    let create = create.configuration(configuration.clone());
    if !global.no_checks {
        let checked = create.clone().for_input("dfl-to-be-uploaded").validate();
        checked.map_err(|error| explain(&error, args, &configuration, from_file))?;
    }
    Ok(Template {
        create,
        parsing: configuration.parsing_configuration,
    })
}

/// What the service would refuse, in the words of the file or the flags that say it.
fn explain(
    error: &classify_proto::Error,
    args: &RunArgs,
    configuration: &Configuration,
    from_file: usize,
) -> Problem {
    let file = args.rules.as_ref().map(|path| path.display().to_string());
    let lines: Vec<String> = error
        .field_errors()
        .iter()
        .map(|found| {
            let field = found
                .field
                .strip_prefix("configuration.")
                .unwrap_or(&found.field);
            let index = field
                .strip_prefix("rules[")
                .and_then(|rest| rest.split_once(']'))
                .and_then(|(index, rest)| Some((index.parse::<usize>().ok()?, rest)));
            let flag = |name: &str, given: bool| given.then(|| format!("--{name}"));
            let place = match (index, field.rsplit('.').next()) {
                (Some((index, rest)), _) => {
                    let name = configuration
                        .rules
                        .get(index)
                        .map_or("", |rule| rule.r#type.as_str());
                    let rest = rest.trim_start_matches('.');
                    match index.checked_sub(from_file) {
                        Some(nth) => format!("--rule number {} ({name:?}): {rest}", nth + 1),
                        None => format!(
                            "{}: rules[{index}] ({name:?}): {rest}",
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
            format!("{place} {}", found.message)
        })
        .collect();
    Problem::usage(lines.join("\n  ")).hint(
        "nothing was sent; --no-checks sends it all the same, if the service's limits have moved",
    )
}

fn in_file(file: Option<&str>, field: &str) -> String {
    match file {
        Some(file) => format!("{file}: {field}"),
        None => field.to_owned(),
    }
}
