//! The flags and the help of the commands that the tables describe.

use clap::{Arg, ArgAction, Command, ValueHint, value_parser};

use super::given::POSITIONAL;
use super::{Endpoint, Field, Inner, Kind, Place, endpoints};

/// Resources that have no command but those of the tables, with what they are about.
pub(crate) const RESOURCES: [(&str, &str); 4] = [
    (
        "classifier:jobs",
        "Jobs of version 1 of the API, which is deprecated",
    ),
    ("files", "Upload files, and look after them"),
    (
        "configurations",
        "Saved configurations, which jobs name by their id",
    ),
    (
        "webhook-configs",
        "Saved webhooks, which jobs name by their id",
    ),
];

/// Adds the commands of a resource to it.
pub(crate) fn add_to(command: Command, resource: &str) -> Command {
    endpoints()
        .filter(|endpoint| endpoint.resource == resource)
        .fold(command, |command, endpoint| {
            command.subcommand(of(endpoint))
        })
}

fn of(endpoint: &'static Endpoint) -> Command {
    let mut command = Command::new(endpoint.name)
        .about(endpoint.about)
        .after_help(endpoint.help);
    for field in endpoint.fields {
        command = command.arg(arg(field));
        if field.place == Place::Path {
            command = command.arg(
                Arg::new(POSITIONAL)
                    .value_name(POSITIONAL)
                    .help(format!("{}; the same as --{}", field.help, field.flag))
                    .conflicts_with(field.flag),
            );
        }
        for inner in field.inner {
            command = command.arg(inner_arg(field, inner));
        }
    }
    if endpoint.answer.is_list() {
        command = command.arg(
            Arg::new("max-items")
                .long("max-items")
                .value_name("NUMBER")
                .value_parser(value_parser!(i64).range(-1..))
                .allow_negative_numbers(true)
                .default_value("-1")
                .help("The most items to print; -1 prints all"),
        );
    }
    command.arg(
        Arg::new("output")
            .long("output")
            .value_name("FILE")
            .value_parser(value_parser!(std::path::PathBuf))
            .value_hint(ValueHint::FilePath)
            .help("Writes the result into this file, all at once, in place of stdout"),
    )
}

fn arg(field: &'static Field) -> Arg {
    let mut help = field.help.to_owned();
    if field.kind.repeats() {
        help.push_str("; may be repeated");
    }
    if field.required && field.place != Place::Path {
        help.push_str(" [required]");
    }
    let arg = Arg::new(field.flag)
        .long(field.flag)
        .value_name(field.value)
        .help(help);
    let arg = if field.inner.is_empty() {
        arg
    } else {
        arg.help_heading(heading(field))
    };
    finish(arg, field.kind)
}

fn inner_arg(field: &'static Field, inner: &'static Inner) -> Arg {
    let name = format!("{}.{}", field.flag, inner.flag);
    let arg = Arg::new(name.clone())
        .long(name)
        .value_name(inner.value)
        .help(inner.help)
        .help_heading(heading(field));
    if field.kind.repeats() {
        finish(arg, inner.kind).action(ArgAction::Append)
    } else {
        finish(arg, inner.kind)
    }
}

fn heading(field: &Field) -> String {
    let mut words = field.flag.replace('-', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

fn finish(arg: Arg, kind: Kind) -> Arg {
    match kind {
        Kind::Texts | Kind::Objects => arg.action(ArgAction::Append),
        // `--latest-only` alone says yes; `--latest-only=false` says no.
        Kind::Bool => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        Kind::Number => arg.allow_negative_numbers(true),
        Kind::File => arg.value_hint(ValueHint::FilePath),
        Kind::Text | Kind::Object | Kind::Configuration | Kind::Rules => arg,
    }
}
