//! The commands that are one call to the service each, as tables: which flags there are, and where their values go.
//!
//! ```text
//! tables (classify, classifier, files, configurations, webhook_configs)
//!    |-- command    the flags and the help
//!    |-- given      flags + stdin -> path, query, body
//!    `-- call       the request, its answer, its pages
//! ```
//!
//! A table keeps the answer as it came, so that a field which this version does not know is printed all the same.

pub(crate) mod call;
pub(crate) mod classifier;
pub(crate) mod classify;
pub(crate) mod command;
pub(crate) mod configuration;
pub(crate) mod configurations;
pub(crate) mod files;
pub(crate) mod given;
pub(crate) mod run;
pub(crate) mod stdin;
pub(crate) mod text;
pub(crate) mod webhook_configs;

use classify_proto::Idempotency;
use classify_proto::http::Method;

use self::call::Calls;

/// One command that is one call.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// What stands before the command's name: `files`, `classifier:jobs`.
    pub(crate) resource: &'static str,
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Notes and examples for the end of the help.
    pub(crate) help: &'static str,
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    /// What stands after the id in the path.
    pub(crate) then: &'static str,
    pub(crate) fields: &'static [Field],
    pub(crate) answer: Answer,
    pub(crate) idempotency: Idempotency,
    pub(crate) calls: Calls,
}

/// What comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// One object.
    One,
    /// One object whose items come in pages.
    Merged,
    /// One v2 job, which has a table of its own.
    Job,
    /// Pages of items.
    Pages,
    /// Pages of v2 jobs.
    Jobs,
    /// Nothing at all.
    Nothing,
}

impl Answer {
    pub(crate) fn is_list(self) -> bool {
        matches!(self, Self::Pages | Self::Jobs)
    }
}

/// One value of a call, under the API's name for it.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) flag: &'static str,
    pub(crate) place: Place,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    pub(crate) value: &'static str,
    pub(crate) help: &'static str,
    /// The flags that fill an object's fields one by one.
    pub(crate) inner: &'static [Inner],
    /// Words of the service, which may be written in any case.
    pub(crate) words: &'static [&'static str],
    /// The numbers that the service takes.
    pub(crate) range: Option<(i64, i64)>,
}

/// A field of an object that has a flag of its own.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) name: &'static str,
    pub(crate) flag: &'static str,
    pub(crate) kind: Kind,
    pub(crate) value: &'static str,
    pub(crate) help: &'static str,
}

/// Where a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Path,
    Query,
    Body,
}

/// How a value is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Bool,
    /// Any YAML or JSON: an object, or a list.
    Object,
    /// A configuration, in any shape that a rules file may have.
    Configuration,
    /// Its rules.
    Rules,
    /// Texts, one for each time that the flag is given.
    Texts,
    /// Objects, one for each time that the flag is given.
    Objects,
    /// A path, which is not read as anything else.
    File,
}

impl Kind {
    /// Whether the flag may be given more than once.
    pub(crate) fn repeats(self) -> bool {
        matches!(self, Kind::Texts | Kind::Objects)
    }
}

/// A field that need not be given.
pub(crate) const fn optional(
    place: Place,
    kind: Kind,
    name: &'static str,
    flag: &'static str,
    value: &'static str,
    help: &'static str,
) -> Field {
    Field {
        name,
        flag,
        place,
        kind,
        required: false,
        value,
        help,
        inner: &[],
        words: &[],
        range: None,
    }
}

impl Field {
    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(crate) const fn inner(mut self, inner: &'static [Inner]) -> Self {
        self.inner = inner;
        self
    }

    pub(crate) const fn range(mut self, least: i64, most: i64) -> Self {
        self.range = Some((least, most));
        self
    }

    pub(crate) const fn words(mut self, words: &'static [&'static str]) -> Self {
        self.words = words;
        self
    }
}

/// A field of an object that has a flag of its own.
pub(crate) const fn inner(
    kind: Kind,
    name: &'static str,
    flag: &'static str,
    value: &'static str,
    help: &'static str,
) -> Inner {
    Inner {
        name,
        flag,
        kind,
        value,
        help,
    }
}

/// The id that the path ends with, as a flag or as the first argument.
pub(crate) const fn id(name: &'static str, flag: &'static str, help: &'static str) -> Field {
    optional(Place::Path, Kind::Text, name, flag, "ID", help).required()
}

/// How many items to ask for at a time.
pub(crate) const PAGE_SIZE: Field = optional(
    Place::Query,
    Kind::Number,
    "page_size",
    "page-size",
    "NUMBER",
    "How many items to ask for in one request. It does not limit the list; --max-items does",
);

/// Where to begin.
pub(crate) const PAGE_TOKEN: Field = optional(
    Place::Query,
    Kind::Text,
    "page_token",
    "page-token",
    "TOKEN",
    "The token of the page to begin at",
);

/// What a webhook is made of, wherever one is described.
pub(crate) const WEBHOOK: &[Inner] = &[
    inner(
        Kind::Text,
        "webhook_url",
        "webhook-url",
        "URL",
        "Where to deliver",
    ),
    inner(
        Kind::Texts,
        "webhook_events",
        "webhook-events",
        "LIST",
        "Which events to deliver; all by default",
    ),
    inner(
        Kind::Object,
        "webhook_headers",
        "webhook-headers",
        "OBJECT",
        "Headers of every delivery",
    ),
    inner(
        Kind::Text,
        "webhook_output_format",
        "webhook-output-format",
        "FORMAT",
        "How the body is written: string or json",
    ),
    inner(
        Kind::Text,
        "webhook_signing_secret",
        "webhook-signing-secret",
        "SECRET",
        "Signs each delivery; @FILE keeps it out of the process list",
    ),
];

/// Every command that is one call.
pub(crate) fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
    classify::ENDPOINTS
        .iter()
        .chain(classifier::ENDPOINTS)
        .chain(files::ENDPOINTS)
        .chain(configurations::ENDPOINTS)
        .chain(webhook_configs::ENDPOINTS)
}

/// The command of this name.
pub(crate) fn find(resource: &str, name: &str) -> Option<&'static Endpoint> {
    endpoints().find(|endpoint| endpoint.resource == resource && endpoint.name == name)
}
