//! The description of a command that makes one call.

use classify_proto::Idempotency;
use classify_proto::http::Method;

/// A command that makes one call.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// The first argument: `files`, `classifier:jobs`.
    pub(crate) resource: &'static str,
    /// The second argument: `create`, `list`.
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Notes and examples at the end of the help.
    pub(crate) help: &'static str,
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    /// The part of the path after the id.
    pub(crate) path_suffix: &'static str,
    pub(crate) parameters: &'static [Parameter],
    pub(crate) response: ResponseKind,
    pub(crate) idempotency: Idempotency,
    /// The operation's name in errors.
    pub(crate) operation: &'static str,
}

impl Endpoint {
    /// Whether the request has a body.
    pub(crate) fn has_body(&self) -> bool {
        self.parameters
            .iter()
            .any(|parameter| parameter.location == Location::Body)
    }
}

/// The content of a successful response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseKind {
    Object,
    /// One object with items in pages, which are merged.
    MergedPages,
    /// A v2 job, which has a table of its own.
    Job,
    /// Pages of items.
    Pages,
    /// Pages of v2 jobs.
    JobPages,
    /// No body.
    Empty,
}

impl ResponseKind {
    pub(crate) fn is_list(self) -> bool {
        matches!(self, Self::Pages | Self::JobPages)
    }
}

/// A parameter of a call.
#[derive(Debug)]
pub(crate) struct Parameter {
    /// The API's name.
    pub(crate) name: &'static str,
    pub(crate) flag: &'static str,
    pub(crate) location: Location,
    pub(crate) kind: ValueKind,
    pub(crate) required: bool,
    pub(crate) value_name: &'static str,
    pub(crate) help: &'static str,
    /// Flags for the fields of an object.
    pub(crate) nested: &'static [NestedParameter],
    /// Enum values of the service, which may be written in any case.
    pub(crate) enum_values: &'static [&'static str],
    /// The numbers that the service accepts.
    pub(crate) range: Option<(i64, i64)>,
}

/// A field of an object with a flag of its own.
#[derive(Debug)]
pub(crate) struct NestedParameter {
    pub(crate) name: &'static str,
    pub(crate) flag: &'static str,
    pub(crate) kind: ValueKind,
    pub(crate) value_name: &'static str,
    pub(crate) help: &'static str,
}

/// The part of the request that contains a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Location {
    Path,
    Query,
    Body,
}

/// How a value is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueKind {
    Text,
    Number,
    Bool,
    /// YAML or JSON: an object, or a list.
    Object,
    /// A configuration, in any shape of a rules file.
    Configuration,
    /// The rules of a configuration.
    Rules,
    /// A list of texts; the flag may be repeated.
    TextList,
    /// A list of objects; the flag may be repeated.
    ObjectList,
    /// A list of rules; the flag may be repeated.
    RuleObjects,
    /// The path of a file to upload.
    File,
}

impl ValueKind {
    /// Whether the flag may be repeated.
    pub(crate) fn repeats(self) -> bool {
        matches!(self, Self::TextList) || self.is_object_list()
    }

    /// Whether each value of the flag is an object of a list.
    pub(crate) fn is_object_list(self) -> bool {
        matches!(self, Self::ObjectList | Self::RuleObjects)
    }
}

/// Returns an optional parameter.
pub(super) const fn optional(
    location: Location,
    kind: ValueKind,
    name: &'static str,
    flag: &'static str,
    value_name: &'static str,
    help: &'static str,
) -> Parameter {
    Parameter {
        name,
        flag,
        location,
        kind,
        required: false,
        value_name,
        help,
        nested: &[],
        enum_values: &[],
        range: None,
    }
}

impl Parameter {
    pub(super) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(super) const fn nested(mut self, nested: &'static [NestedParameter]) -> Self {
        self.nested = nested;
        self
    }

    pub(super) const fn range(mut self, min: i64, max: i64) -> Self {
        self.range = Some((min, max));
        self
    }

    pub(super) const fn enum_values(mut self, values: &'static [&'static str]) -> Self {
        self.enum_values = values;
        self
    }
}

/// Returns a field of an object with a flag of its own.
pub(super) const fn nested(
    kind: ValueKind,
    name: &'static str,
    flag: &'static str,
    value_name: &'static str,
    help: &'static str,
) -> NestedParameter {
    NestedParameter {
        name,
        flag,
        kind,
        value_name,
        help,
    }
}

/// Returns the id at the end of the path. It is a flag or the first argument.
pub(super) const fn path_id(
    name: &'static str,
    flag: &'static str,
    help: &'static str,
) -> Parameter {
    optional(Location::Path, ValueKind::Text, name, flag, "ID", help).required()
}

/// The page size of a list.
pub(super) const PAGE_SIZE: Parameter = optional(
    Location::Query,
    ValueKind::Number,
    "page_size",
    "page-size",
    "NUMBER",
    "Request this many items per page; --max-items limits the list",
)
.range(1, i64::MAX);

/// The first page of a list.
pub(super) const PAGE_TOKEN: Parameter = optional(
    Location::Query,
    ValueKind::Text,
    "page_token",
    "page-token",
    "TOKEN",
    "Begin at the page of this token",
);

/// The fields of a webhook configuration.
pub(super) const WEBHOOK: &[NestedParameter] = &[
    nested(
        ValueKind::Text,
        "webhook_url",
        "webhook-url",
        "URL",
        "Set the URL to deliver to",
    ),
    nested(
        ValueKind::TextList,
        "webhook_events",
        "webhook-events",
        "LIST",
        "Deliver only these events [default: all]",
    ),
    nested(
        ValueKind::Object,
        "webhook_headers",
        "webhook-headers",
        "OBJECT",
        "Add these headers to each delivery",
    ),
    nested(
        ValueKind::Text,
        "webhook_output_format",
        "webhook-output-format",
        "FORMAT",
        "Set the format of the body: string or json",
    ),
    nested(
        ValueKind::Text,
        "webhook_signing_secret",
        "webhook-signing-secret",
        "SECRET",
        "Sign each delivery with this secret or @FILE",
    ),
];
