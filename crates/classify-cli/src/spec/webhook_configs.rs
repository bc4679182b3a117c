//! `webhook-configs create`, `list`, `retrieve`, `update` and `delete`.

use classify_proto::Idempotency;
use classify_proto::http::Method;

use super::Kind::{Object, Text, Texts};
use super::Place::Body;
use super::call::named;
use super::{Answer, Endpoint, Field, PAGE_SIZE, PAGE_TOKEN, id, optional};

const RESOURCE: &str = "webhook-configs";
const PATH: &str = "/api/v1/beta/webhook-configs";
const CONFIG: Field = id("config_id", "config-id", "The webhook's id");
const URL: Field = optional(
    Body,
    Text,
    "webhook_url",
    "webhook-url",
    "URL",
    "Where to deliver",
);
const EVENTS: Field = optional(
    Body,
    Texts,
    "webhook_events",
    "webhook-event",
    "EVENT",
    "An event to deliver, such as classify.success; all by default",
);
const HEADERS: Field = optional(
    Body,
    Object,
    "webhook_headers",
    "webhook-headers",
    "OBJECT",
    "Headers of every delivery",
);
const FORMAT: Field = optional(
    Body,
    Text,
    "webhook_output_format",
    "webhook-output-format",
    "FORMAT",
    "How the body is written: string or json",
);
const SECRET: Field = optional(
    Body,
    Text,
    "webhook_signing_secret",
    "webhook-signing-secret",
    "SECRET",
    "Signs each delivery; @FILE keeps it out of the process list",
);

pub(crate) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        resource: RESOURCE,
        name: "create",
        about: "Save a webhook, for jobs to name by its id",
        help: "\
The signing secret never comes back; keep it where the receiver finds it.

Examples:
  llamacloud-prod webhook-configs create --webhook-url https://example.com/hook
  llamacloud-prod webhook-configs create --webhook-url https://example.com/hook \\
    --webhook-event classify.success --webhook-event classify.error \\
    --webhook-output-format json --webhook-signing-secret @secret.txt",
        method: Method::POST,
        path: PATH,
        then: "",
        fields: &[URL.required(), EVENTS, HEADERS, FORMAT, SECRET],
        answer: Answer::One,
        idempotency: Idempotency::NonIdempotent,
        calls: named!("webhook_configs.create"),
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
        then: "",
        fields: &[PAGE_SIZE, PAGE_TOKEN],
        answer: Answer::Pages,
        idempotency: Idempotency::Safe,
        calls: named!("webhook_configs.list"),
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
        then: "",
        fields: &[CONFIG],
        answer: Answer::One,
        idempotency: Idempotency::Safe,
        calls: named!("webhook_configs.get"),
    },
    Endpoint {
        resource: RESOURCE,
        name: "update",
        about: "Patch a saved webhook; what is not given stays as it is",
        help: "\
A secret that is given takes the place of the old one at once. `null` clears a value.

Examples:
  llamacloud-prod webhook-configs update whc-123 --webhook-url https://example.com/new
  llamacloud-prod webhook-configs update whc-123 --webhook-event null \\
    --webhook-signing-secret @secret.txt",
        method: Method::PUT,
        path: PATH,
        then: "",
        fields: &[CONFIG, URL, EVENTS, HEADERS, FORMAT, SECRET],
        answer: Answer::One,
        idempotency: Idempotency::Idempotent,
        calls: named!("webhook_configs.update"),
    },
    Endpoint {
        resource: RESOURCE,
        name: "delete",
        about: "Delete a saved webhook",
        help: "\
Nothing is printed when it is done.

Examples:
  llamacloud-prod webhook-configs delete whc-123
  llamacloud-prod webhook-configs delete --config-id whc-123",
        method: Method::DELETE,
        path: PATH,
        then: "",
        fields: &[CONFIG],
        answer: Answer::Nothing,
        idempotency: Idempotency::Idempotent,
        calls: named!("webhook_configs.delete"),
    },
];
