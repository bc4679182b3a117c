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
const JOB: Parameter = path_id("job_id", "job-id", "The job's id");

pub(crate) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        resource: "classify",
        name: "create",
        about: "Create a job for a file that is uploaded already",
        help: "\
The job is printed as soon as it is created; `classify wait` waits for it. Objects and lists are YAML or JSON. A \
map on stdin is read to its end; in a loop over lines, or beside a pipe that stays open, add </dev/null or --no-stdin.

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
            optional(Body, Text, "file_input", "file-input", "ID", "What to classify: an uploaded file (dfl-…) or a parse job (pjb-…)"),
            optional(Body, Text, "file_id", "file-id", "ID", "An older name for --file-input"),
            optional(Body, Text, "parse_job_id", "parse-job-id", "ID", "An older name for --file-input"),
            optional(Body, Configuration, "configuration", "configuration", "OBJECT", "The rules, with all that belongs to them").nested(&[
                nested(Rules, "rules", "rules", "LIST", "The rules: objects with type and description"),
                nested(Text, "mode", "mode", "MODE", "The mode: FAST"),
                nested(Object, "parsing_configuration", "parsing-configuration", "OBJECT", "How documents are read: lang, max_pages, target_pages"),
            ]),
            optional(Body, Text, "configuration_id", "configuration-id", "ID", "A saved configuration, in place of rules"),
            optional(Body, Text, "transaction_id", "transaction-id", "ID", "Makes the create repeatable: under the same id there is one job, and one bill [default: drawn at random]"),
            optional(Body, TextList, "webhook_configuration_ids", "webhook-configuration-id", "ID", "A saved webhook to report to, up to four"),
            optional(Body, ObjectList, "webhook_configurations", "webhook-configuration", "OBJECT", "A webhook to report to").nested(WEBHOOK),
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
Every page is followed, so the list is the whole list unless --max-items says otherwise.

Examples:
  llamacloud-prod classify list --status COMPLETED --max-items 20
  llamacloud-prod classify list --job-id clj-123 --job-id clj-456 --format table
  llamacloud-prod classify list --transform result.type --raw-output",
        method: Method::GET,
        path: PATH,
        path_suffix: "",
        parameters: &[
            optional(Query, TextList, "job_ids", "job-id", "ID", "Only these jobs"),
            optional(Query, Text, "status", "status", "STATUS", "Only jobs of this status: PENDING, RUNNING, COMPLETED, FAILED, CANCELLED")
                .enum_values(&["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]),
            optional(Query, Text, "configuration_id", "configuration-id", "ID", "Only jobs made from this saved configuration"),
            optional(Query, Text, "created_at_on_or_after", "created-at-on-or-after", "TIME", "Only jobs created then or later, such as 2026-01-02T03:04:05Z"),
            optional(Query, Text, "created_at_on_or_before", "created-at-on-or-before", "TIME", "Only jobs created then or earlier"),
            optional(Query, Number, "page_size", "page-size", "NUMBER", "How many jobs to ask for in one request: 1 to 100. It does not limit the list; --max-items does").range(1, 100),
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
            optional(Query, TextList, "expand", "expand", "PART", "A part that is left out otherwise: usage, what the job cost"),
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
The service refuses to cancel a job that has ended.

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
        about: "Delete a job that has ended, and its result",
        help: "\
A job that has not ended must be cancelled first.

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
