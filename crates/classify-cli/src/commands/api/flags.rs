//! The flags and the help of the commands in the tables.

use std::ffi::OsString;
use std::path::Path;

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{Arg, ArgAction, Command, ValueHint, value_parser};
use classify_ureq::classify_client::path_name;

use super::endpoint::{Endpoint, Location, NestedParameter, Parameter, ValueKind};
use super::endpoints;
use super::flag_values::POSITIONAL;

/// Resources with their descriptions.
pub(crate) const RESOURCES: [(&str, &str); 4] = [
    (
        "classifier:jobs",
        "Manage jobs of the deprecated version 1 of the API",
    ),
    ("files", "Upload and manage files"),
    ("configurations", "Manage saved configurations"),
    ("webhook-configs", "Manage saved webhooks"),
];

/// Adds the commands of a resource.
pub(crate) fn add_commands(command: Command, resource: &str) -> Command {
    endpoints()
        .filter(|endpoint| endpoint.resource == resource)
        .fold(command, |command, endpoint| {
            command.subcommand(endpoint_command(endpoint))
        })
}

fn endpoint_command(endpoint: &'static Endpoint) -> Command {
    // `-h` has the examples only.
    let examples = endpoint.help.find("Examples:").unwrap_or_default();
    let mut command = Command::new(endpoint.name)
        .about(endpoint.about)
        .after_help(&endpoint.help[examples..])
        .after_long_help(endpoint.help);
    for parameter in endpoint.parameters {
        command = command.arg(parameter_arg(parameter));
        if parameter.location == Location::Path {
            command = command.arg(
                Arg::new(POSITIONAL)
                    .value_name(POSITIONAL)
                    .help(format!("{}, as --{}", parameter.help, parameter.flag))
                    .conflicts_with(parameter.flag),
            );
        }
        for nested in parameter.nested {
            command = command.arg(nested_arg(parameter, nested));
        }
    }
    if endpoint.response.is_list() {
        command = command.arg(
            Arg::new("max-items")
                .long("max-items")
                .value_name("NUMBER")
                .value_parser(value_parser!(i64).range(-1..))
                .allow_negative_numbers(true)
                .default_value("-1")
                .help("Print at most this many items; -1 prints all"),
        );
    }
    command.arg(
        Arg::new("output")
            .long("output")
            .value_name("FILE")
            .value_parser(value_parser!(std::path::PathBuf))
            .value_hint(ValueHint::FilePath)
            .help("Write the result to this file instead of to stdout"),
    )
}

fn parameter_arg(parameter: &'static Parameter) -> Arg {
    let mut help = parameter.help.to_owned();
    if parameter.kind.repeats() {
        help.push_str("; may be repeated");
    }
    if parameter.required && parameter.location != Location::Path {
        help.push_str(" [required]");
    }
    let arg = Arg::new(parameter.flag)
        .long(parameter.flag)
        .value_name(parameter.value_name)
        .help(help);
    let arg = if parameter.nested.is_empty() {
        arg
    } else {
        arg.help_heading(heading(parameter))
    };
    // The name of a file need not be UTF-8.
    let arg = if parameter.kind == ValueKind::File {
        let to_name = |path: OsString| path_name(Path::new(&path));
        arg.value_parser(OsStringValueParser::new().map(to_name))
    } else {
        arg
    };
    with_kind(arg, parameter.kind)
}

fn nested_arg(parameter: &'static Parameter, nested: &'static NestedParameter) -> Arg {
    let name = format!("{}.{}", parameter.flag, nested.flag);
    let arg = Arg::new(name.clone())
        .long(name)
        .value_name(nested.value_name)
        .help(nested.help)
        .help_heading(heading(parameter));
    if parameter.kind.repeats() {
        with_kind(arg, nested.kind).action(ArgAction::Append)
    } else {
        with_kind(arg, nested.kind)
    }
}

fn heading(parameter: &Parameter) -> String {
    let mut words = parameter.flag.replace('-', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

fn with_kind(arg: Arg, kind: ValueKind) -> Arg {
    match kind {
        ValueKind::TextList | ValueKind::ObjectList | ValueKind::RuleObjects => {
            arg.action(ArgAction::Append)
        }
        // `--latest-only` alone is true; `--latest-only=false` is false.
        ValueKind::Bool => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        ValueKind::Number => arg.allow_negative_numbers(true),
        ValueKind::File => arg.value_hint(ValueHint::FilePath),
        ValueKind::Text | ValueKind::Object | ValueKind::Configuration | ValueKind::Rules => arg,
    }
}
