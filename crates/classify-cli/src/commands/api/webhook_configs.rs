//! `webhook-configs create`, `list`, `retrieve`, `update` and `delete`.

use classify_proto::Idempotency;
use classify_proto::http::Method;

use super::endpoint::Location::Body;
use super::endpoint::ValueKind::{Object, Text, TextList};
use super::endpoint::{
    Endpoint, PAGE_SIZE, PAGE_TOKEN, Parameter, ResponseKind, optional, path_id,
};

const RESOURCE: &str = "webhook-configs";
const PATH: &str = "/api/v1/beta/webhook-configs";
const CONFIG: Parameter = path_id("config_id", "config-id", "Select the webhook by its id");
const URL: Parameter = optional(
    Body,
    Text,
    "webhook_url",
    "webhook-url",
    "URL",
    "Set the URL to deliver to",
);
const EVENTS: Parameter = optional(
    Body,
    TextList,
    "webhook_events",
    "webhook-event",
    "EVENT",
    "Deliver this event, such as classify.success [default: all]",
);
const HEADERS: Parameter = optional(
    Body,
    Object,
    "webhook_headers",
    "webhook-headers",
    "OBJECT",
    "Add these headers to each delivery",
);
const FORMAT: Parameter = optional(
    Body,
    Text,
    "webhook_output_format",
    "webhook-output-format",
    "FORMAT",
    "Set the format of the body: string or json",
);
const SECRET: Parameter = optional(
    Body,
    Text,
    "webhook_signing_secret",
    "webhook-signing-secret",
    "SECRET",
    "Sign each delivery with this secret or @FILE",
);

pub(crate) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        resource: RESOURCE,
        name: "create",
        about: "Save a webhook",
        help: "\
The service does not return the signing secret; store it for the receiver.

Examples:
  llamacloud-prod webhook-configs create --webhook-url https://example.com/hook
  llamacloud-prod webhook-configs create --webhook-url https://example.com/hook \\
    --webhook-event classify.success --webhook-event classify.error \\
    --webhook-output-format json --webhook-signing-secret @secret.txt",
        method: Method::POST,
        path: PATH,
        path_suffix: "",
        parameters: &[URL.required(), EVENTS, HEADERS, FORMAT, SECRET],
        response: ResponseKind::Object,
        idempotency: Idempotency::NonIdempotent,
        operation: "webhook_configs.create",
    },
    Endpoint {
        resource: RESOURCE,
        name: "list",
        about: "List saved webhooks",
        help: "\
Examples:
  llamacloud-prod webhook-configs list
  llamacloud-prod webhook-configs list --format table",
        method: Method::GET,
        path: "/api/v2/webhook-configs",
        path_suffix: "",
        parameters: &[PAGE_SIZE, PAGE_TOKEN],
        response: ResponseKind::Pages,
        idempotency: Idempotency::Safe,
        operation: "webhook_configs.list",
    },
    Endpoint {
        resource: RESOURCE,
        name: "retrieve",
        about: "Show a saved webhook",
        help: "\
Examples:
  llamacloud-prod webhook-configs retrieve whc-123
  llamacloud-prod webhook-configs retrieve --config-id whc-123",
        method: Method::GET,
        path: PATH,
        path_suffix: "",
        parameters: &[CONFIG],
        response: ResponseKind::Object,
        idempotency: Idempotency::Safe,
        operation: "webhook_configs.get",
    },
    Endpoint {
        resource: RESOURCE,
        name: "update",
        about: "Change the given fields of a saved webhook",
        help: "\
A new secret replaces the old one at once. `null` clears a value. The service returns credentials masked; sending a mask \
back keeps the stored value.

Examples:
  llamacloud-prod webhook-configs update whc-123 --webhook-url https://example.com/new
  llamacloud-prod webhook-configs update whc-123 --webhook-event null \\
    --webhook-signing-secret @secret.txt",
        method: Method::PUT,
        path: PATH,
        path_suffix: "",
        parameters: &[CONFIG, URL, EVENTS, HEADERS, FORMAT, SECRET],
        response: ResponseKind::Object,
        idempotency: Idempotency::Idempotent,
        operation: "webhook_configs.update",
    },
    Endpoint {
        resource: RESOURCE,
        name: "delete",
        about: "Delete a saved webhook",
        help: "\
Prints nothing on success.

Examples:
  llamacloud-prod webhook-configs delete whc-123
  llamacloud-prod webhook-configs delete --config-id whc-123",
        method: Method::DELETE,
        path: PATH,
        path_suffix: "",
        parameters: &[CONFIG],
        response: ResponseKind::Empty,
        idempotency: Idempotency::Idempotent,
        operation: "webhook_configs.delete",
    },
];
