//! `classifier:jobs create`, `list`, `get` and `get-results`: version 1 of the API.

use classify_proto::Idempotency;
use classify_proto::http::Method;

use super::Kind::{Number, Object, Objects, Text, Texts};
use super::Place::Body;
use super::call::named;
use super::{Answer, Endpoint, Field, PAGE_SIZE, PAGE_TOKEN, WEBHOOK, id, inner, optional};

const RESOURCE: &str = "classifier:jobs";
const PATH: &str = "/api/v1/classifier/jobs";
const JOB: Field = id("classify_job_id", "classify-job-id", "The job's id");

pub(crate) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        resource: RESOURCE,
        name: "create",
        about: "Create a job of version 1, for up to 500 files",
        help: "\
Version 1 is deprecated, and the service may stop answering it; `classify create` and `classify run` take its place.

Examples:
  llamacloud-prod classifier:jobs create --file-id 182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e \\
    --rule '{type: invoice, description: asks for payment by a due date}'
  llamacloud-prod classifier:jobs create --file-id ID --file-id ID \\
    --rule.type invoice --rule.description 'asks for payment by a due date' \\
    --rule.type recipe --rule.description 'lists ingredients and steps'",
        method: Method::POST,
        path: PATH,
        then: "",
        fields: &[
            optional(Body, Texts, "file_ids", "file-id", "ID", "A file to classify").required(),
            optional(Body, Objects, "rules", "rule", "OBJECT", "A rule: an object with type and description").required().inner(&[
                inner(Text, "type", "type", "TYPE", "The type of the documents that the rule matches"),
                inner(Text, "description", "description", "TEXT", "What such documents are like"),
            ]),
            optional(Body, Text, "mode", "mode", "MODE", "FAST or MULTIMODAL").words(&["FAST", "MULTIMODAL"]),
            optional(Body, Object, "parsing_configuration", "parsing-configuration", "OBJECT", "How files are read").inner(&[
                inner(Text, "lang", "lang", "CODE", "The language"),
                inner(Number, "max_pages", "max-pages", "NUMBER", "The most pages to read"),
                inner(Object, "target_pages", "target-pages", "LIST", "The pages to read, counted from 0"),
            ]),
            optional(Body, Objects, "webhook_configurations", "webhook-configuration", "OBJECT", "A webhook to report to").inner(WEBHOOK),
        ],
        answer: Answer::One,
        idempotency: Idempotency::NonIdempotent,
        calls: named!("classifier.create"),
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
        then: "",
        fields: &[PAGE_SIZE, PAGE_TOKEN],
        answer: Answer::Pages,
        idempotency: Idempotency::Safe,
        calls: named!("classifier.list"),
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
        then: "",
        fields: &[JOB],
        answer: Answer::One,
        idempotency: Idempotency::Safe,
        calls: named!("classifier.get"),
    },
    Endpoint {
        resource: RESOURCE,
        name: "get-results",
        about: "Show what a job of version 1 found, file by file",
        help: "\
Every page is followed, and all items stand in one object; --format raw shows one page as it came.

Examples:
  llamacloud-prod classifier:jobs get-results 182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e
  llamacloud-prod classifier:jobs get-results ID --transform 'items.#.result.type'",
        method: Method::GET,
        path: PATH,
        then: "/results",
        fields: &[JOB],
        answer: Answer::Merged,
        idempotency: Idempotency::Safe,
        calls: named!("classifier.results"),
    },
];
