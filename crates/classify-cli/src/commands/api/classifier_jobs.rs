//! `classifier:jobs create`, `list`, `get` and `get-results`: version 1 of the API.

use classify_proto::Idempotency;
use classify_proto::http::Method;

use super::endpoint::Location::Body;
use super::endpoint::ValueKind::{Number, Object, ObjectList, RuleObjects, Text, TextList};
use super::endpoint::{
    Endpoint, PAGE_SIZE, PAGE_TOKEN, Parameter, ResponseKind, WEBHOOK, nested, optional, path_id,
};

const RESOURCE: &str = "classifier:jobs";
const PATH: &str = "/api/v1/classifier/jobs";
const JOB: Parameter = path_id(
    "classify_job_id",
    "classify-job-id",
    "Select the job by its id",
);

pub(crate) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        resource: RESOURCE,
        name: "create",
        about: "Create a job of version 1, for up to 500 files",
        help: "\
Version 1 is deprecated and may be removed by the service; use `classify create` or `classify run` instead.

Examples:
  llamacloud-prod classifier:jobs create --file-id 182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e \\
    --rule '{type: invoice, description: asks for payment by a due date}'
  llamacloud-prod classifier:jobs create --file-id ID --file-id ID \\
    --rule.type invoice --rule.description 'asks for payment by a due date' \\
    --rule.type recipe --rule.description 'lists ingredients and steps'",
        method: Method::POST,
        path: PATH,
        path_suffix: "",
        parameters: &[
            optional(Body, TextList, "file_ids", "file-id", "ID", "Classify this file").required(),
            optional(Body, RuleObjects, "rules", "rule", "OBJECT", "Add a rule: {type: …, description: …}").required().nested(&[
                nested(Text, "type", "type", "TYPE", "Set the type of a rule"),
                nested(Text, "description", "description", "TEXT", "Set the description of a rule"),
            ]),
            optional(Body, Text, "mode", "mode", "MODE", "Set the mode: FAST or MULTIMODAL").enum_values(&["FAST", "MULTIMODAL"]),
            optional(Body, Object, "parsing_configuration", "parsing-configuration", "OBJECT", "Set lang, max_pages, target_pages").nested(&[
                nested(Text, "lang", "lang", "CODE", "Set the language, such as en or de"),
                nested(Number, "max_pages", "max-pages", "NUMBER", "Read at most this many pages"),
                nested(Object, "target_pages", "target-pages", "LIST", "Read only these pages, counted from 0"),
            ]),
            optional(Body, ObjectList, "webhook_configurations", "webhook-configuration", "OBJECT", "Report to a webhook").nested(WEBHOOK),
        ],
        response: ResponseKind::Object,
        idempotency: Idempotency::NonIdempotent,
        operation: "classifier.create",
    },
    Endpoint {
        resource: RESOURCE,
        name: "list",
        about: "List jobs of version 1",
        help: "\
Examples:
  llamacloud-prod classifier:jobs list
  llamacloud-prod classifier:jobs list --max-items 10 --transform status --raw-output",
        method: Method::GET,
        path: PATH,
        path_suffix: "",
        parameters: &[PAGE_SIZE, PAGE_TOKEN],
        response: ResponseKind::Pages,
        idempotency: Idempotency::Safe,
        operation: "classifier.list",
    },
    Endpoint {
        resource: RESOURCE,
        name: "get",
        about: "Show a job of version 1",
        help: "\
Examples:
  llamacloud-prod classifier:jobs get 182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e
  llamacloud-prod classifier:jobs get --classify-job-id 182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
        method: Method::GET,
        path: PATH,
        path_suffix: "",
        parameters: &[JOB],
        response: ResponseKind::Object,
        idempotency: Idempotency::Safe,
        operation: "classifier.get",
    },
    Endpoint {
        resource: RESOURCE,
        name: "get-results",
        about: "Show the results of a job of version 1",
        help: "\
Combines the items of all pages in one object; --format raw prints one page as the service sent it.

Examples:
  llamacloud-prod classifier:jobs get-results 182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e
  llamacloud-prod classifier:jobs get-results ID --transform 'items.#.result.type'",
        method: Method::GET,
        path: PATH,
        path_suffix: "/results",
        parameters: &[JOB],
        response: ResponseKind::MergedPages,
        idempotency: Idempotency::Safe,
        operation: "classifier.results",
    },
];
