//! `classify create`, `list`, `get`, `cancel` and `delete`.

use classify_proto::Idempotency;
use classify_proto::http::Method;

use super::endpoint::Location::{Body, Query};
use super::endpoint::ValueKind::{
    Configuration, Number, Object, ObjectList, Rules, Text, TextList,
};
use super::endpoint::{
    Endpoint, PAGE_TOKEN, Parameter, ResponseKind, WEBHOOK, nested, optional, path_id,
};

const PATH: &str = "/api/v2/classify";
const JOB: Parameter = path_id("job_id", "job-id", "Select the job by its id");

pub(crate) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        resource: "classify",
        name: "create",
        about: "Create a job for an uploaded file",
        help: "\
Prints the job without waiting for its end; `classify wait` waits for it. Objects and lists are YAML or JSON. Reads a \
map of values from stdin; in a loop that reads lines, or beside a pipe that stays open, add </dev/null or --no-stdin.

Examples:
  llamacloud-prod classify create --file-input dfl-123 --configuration-id cfg-456
  llamacloud-prod classify create --file-input dfl-123 --configuration @rules.yaml
  llamacloud-prod classify create --file-input dfl-123 \\
    --configuration.rules '[{type: invoice, description: asks for payment by a due date}]' \\
    --configuration.parsing-configuration '{lang: de, max_pages: 3}' --transaction-id order-4711
  echo '{file_input: dfl-123, configuration_id: cfg-456}' | llamacloud-prod classify create",
        method: Method::POST,
        path: PATH,
        path_suffix: "",
        parameters: &[
            optional(Body, Text, "file_input", "file-input", "ID", "Classify this file (dfl-…) or parse job (pjb-…)"),
            optional(Body, Text, "file_id", "file-id", "ID", "Same as --file-input (older name)"),
            optional(Body, Text, "parse_job_id", "parse-job-id", "ID", "Same as --file-input (older name)"),
            optional(Body, Configuration, "configuration", "configuration", "OBJECT", "Set the rules and all other settings").nested(&[
                nested(Rules, "rules", "rules", "LIST", "Set the rules: objects with type and description"),
                nested(Text, "mode", "mode", "MODE", "Set the mode: FAST"),
                nested(Object, "parsing_configuration", "parsing-configuration", "OBJECT", "Set lang, max_pages, target_pages"),
            ]),
            optional(Body, Text, "configuration_id", "configuration-id", "ID", "Use a saved configuration instead of rules"),
            optional(Body, Text, "transaction_id", "transaction-id", "ID", "Create at most one job with this id [default: random]"),
            optional(Body, TextList, "webhook_configuration_ids", "webhook-configuration-id", "ID", "Report to a saved webhook, up to four"),
            optional(Body, ObjectList, "webhook_configurations", "webhook-configuration", "OBJECT", "Report to a webhook").nested(WEBHOOK),
        ],
        response: ResponseKind::Job,
        idempotency: Idempotency::Idempotent,
        operation: "classify.create",
    },
    Endpoint {
        resource: "classify",
        name: "list",
        about: "List jobs",
        help: "\
Lists the jobs of all pages, up to --max-items. A status is PENDING, RUNNING, COMPLETED, FAILED or CANCELLED.

Examples:
  llamacloud-prod classify list --status COMPLETED --max-items 20
  llamacloud-prod classify list --job-id clj-123 --job-id clj-456 --format table
  llamacloud-prod classify list --transform result.type --raw-output",
        method: Method::GET,
        path: PATH,
        path_suffix: "",
        parameters: &[
            optional(Query, TextList, "job_ids", "job-id", "ID", "List only these jobs"),
            optional(Query, Text, "status", "status", "STATUS", "List only jobs with this status, such as COMPLETED")
                .enum_values(&["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]),
            optional(Query, Text, "configuration_id", "configuration-id", "ID", "List only jobs of this saved configuration"),
            optional(Query, Text, "created_at_on_or_after", "created-at-on-or-after", "TIME", "List only jobs created at 2026-01-02T03:04:05Z or later"),
            optional(Query, Text, "created_at_on_or_before", "created-at-on-or-before", "TIME", "List only jobs created at this time or earlier"),
            optional(Query, Number, "page_size", "page-size", "NUMBER", "Request this many jobs per page, 1 to 100").range(1, 100),
            PAGE_TOKEN,
        ],
        response: ResponseKind::JobPages,
        idempotency: Idempotency::Safe,
        operation: "classify.list",
    },
    Endpoint {
        resource: "classify",
        name: "get",
        about: "Show a job",
        help: "\
Examples:
  llamacloud-prod classify get clj-123
  llamacloud-prod classify get --job-id clj-123 --expand usage
  llamacloud-prod classify get clj-123 --transform result.type --raw-output",
        method: Method::GET,
        path: PATH,
        path_suffix: "",
        parameters: &[
            JOB,
            optional(Query, TextList, "expand", "expand", "PART", "Request an optional part of the job: usage (its cost)"),
        ],
        response: ResponseKind::Job,
        idempotency: Idempotency::Safe,
        operation: "classify.get",
    },
    Endpoint {
        resource: "classify",
        name: "cancel",
        about: "Cancel a job that has not ended",
        help: "\
The service rejects this if the job has ended.

Examples:
  llamacloud-prod classify cancel clj-123
  llamacloud-prod classify cancel --job-id clj-123",
        method: Method::POST,
        path: PATH,
        path_suffix: "/cancel",
        parameters: &[JOB],
        response: ResponseKind::Job,
        idempotency: Idempotency::Idempotent,
        operation: "classify.cancel",
    },
    Endpoint {
        resource: "classify",
        name: "delete",
        about: "Delete a job that has ended and its result",
        help: "\
Cancel a job first if it has not ended.

Examples:
  llamacloud-prod classify delete clj-123
  llamacloud-prod classify delete --job-id clj-123",
        method: Method::DELETE,
        path: PATH,
        path_suffix: "",
        parameters: &[JOB],
        response: ResponseKind::Object,
        idempotency: Idempotency::Idempotent,
        operation: "classify.delete",
    },
];
