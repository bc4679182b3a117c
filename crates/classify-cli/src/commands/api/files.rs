//! `files create`, `list`, `retrieve`, `delete`, `content` and `query`.

use classify_proto::Idempotency;
use classify_proto::http::Method;

use super::endpoint::Location::{Body, Query};
use super::endpoint::ValueKind::{Bool, File, Number, Object, Text, TextList};
use super::endpoint::{
    Endpoint, PAGE_SIZE, PAGE_TOKEN, Parameter, ResponseKind, nested, optional, path_id,
};

const PATH: &str = "/api/v1/beta/files";
const FILE: Parameter = path_id("file_id", "file-id", "Select the file by its id");
const EXPAND: Parameter = optional(
    Query,
    TextList,
    "expand",
    "expand",
    "PART",
    "Request an optional part: download_url",
);
const ORDER_BY: &str = "Sort by name, id, or created_at (newest first)";

pub(crate) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        resource: "files",
        name: "create",
        about: "Upload a file",
        help: "\
Streams the file without holding it in memory. A purpose is classify, parse, extract, split, sheet, user_data or agent_app.

Examples:
  llamacloud-prod files create --file scan.pdf --purpose classify
  llamacloud-prod files create --file scan.pdf --purpose classify --external-file-id order-4711
  llamacloud-prod files create --file scan.pdf --purpose classify --transform id --raw-output",
        method: Method::POST,
        path: PATH,
        path_suffix: "",
        parameters: &[
            optional(Body, File, "file", "file", "PATH", "Upload this file, or stdin with -").required(),
            optional(
                Body,
                Text,
                "purpose",
                "purpose",
                "PURPOSE",
                "Set the purpose, such as classify, parse or extract",
            )
            .required(),
            optional(
                Body,
                Text,
                "external_file_id",
                "external-file-id",
                "ID",
                "Set an id of your own",
            ),
        ],
        response: ResponseKind::Object,
        idempotency: Idempotency::NonIdempotent,
        operation: "files.create",
    },
    Endpoint {
        resource: "files",
        name: "list",
        about: "List files",
        help: "\
Examples:
  llamacloud-prod files list --file-name scan.pdf
  llamacloud-prod files list --file-id ID --file-id ID --expand download_url
  llamacloud-prod files list --order-by created_at --max-items 10 --format table",
        method: Method::GET,
        path: PATH,
        path_suffix: "",
        parameters: &[
            optional(
                Query,
                TextList,
                "file_ids",
                "file-id",
                "ID",
                "List only these files",
            ),
            optional(
                Query,
                Text,
                "file_name",
                "file-name",
                "NAME",
                "List only files with exactly this name",
            ),
            optional(
                Query,
                Text,
                "external_file_id",
                "external-file-id",
                "ID",
                "List only the file with this id of your own",
            ),
            optional(Query, Text, "order_by", "order-by", "FIELD", ORDER_BY),
            EXPAND,
            PAGE_SIZE.range(1, 1000),
            PAGE_TOKEN,
        ],
        response: ResponseKind::Pages,
        idempotency: Idempotency::Safe,
        operation: "files.list",
    },
    Endpoint {
        resource: "files",
        name: "retrieve",
        about: "Show a file",
        help: "\
Examples:
  llamacloud-prod files retrieve dfl-123
  llamacloud-prod files retrieve --file-id dfl-123 --expand download_url",
        method: Method::GET,
        path: PATH,
        path_suffix: "",
        parameters: &[FILE, EXPAND],
        response: ResponseKind::Object,
        idempotency: Idempotency::Safe,
        operation: "files.get",
    },
    Endpoint {
        resource: "files",
        name: "delete",
        about: "Delete a file",
        help: "\
Prints nothing on success.

Examples:
  llamacloud-prod files delete dfl-123
  llamacloud-prod files delete --file-id dfl-123",
        method: Method::DELETE,
        path: PATH,
        path_suffix: "",
        parameters: &[FILE],
        response: ResponseKind::Empty,
        idempotency: Idempotency::Idempotent,
        operation: "files.delete",
    },
    Endpoint {
        resource: "files",
        name: "content",
        about: "Print a URL from which a file can be downloaded",
        help: "\
The URL needs no key: anyone who has it can read the file until it expires.

Examples:
  llamacloud-prod files content dfl-123
  llamacloud-prod files content dfl-123 --expires-at-seconds 600 --transform url --raw-output",
        method: Method::GET,
        path: PATH,
        path_suffix: "/content",
        parameters: &[
            FILE,
            optional(
                Query,
                Number,
                "expires_at_seconds",
                "expires-at-seconds",
                "SECONDS",
                "Set how long the URL is valid",
            ),
        ],
        response: ResponseKind::Object,
        idempotency: Idempotency::Safe,
        operation: "files.content",
    },
    Endpoint {
        resource: "files",
        name: "query",
        about: "List files by a filter (older; use `files list`)",
        help: "\
Examples:
  llamacloud-prod files query --filter '{file_name: scan.pdf}'
  llamacloud-prod files query --filter.file-name scan.pdf --max-items 10",
        method: Method::POST,
        path: PATH,
        path_suffix: "/query",
        parameters: &[
            optional(Body, Object, "filter", "filter", "OBJECT", "Set the filter").nested(&[
                nested(
                    Text,
                    "data_source_id",
                    "data-source-id",
                    "ID",
                    "List only files of this data source",
                ),
                nested(
                    Text,
                    "external_file_id",
                    "external-file-id",
                    "ID",
                    "List only files with this id of your own",
                ),
                nested(Object, "file_ids", "file-ids", "LIST", "List only these files"),
                nested(
                    Text,
                    "file_name",
                    "file-name",
                    "NAME",
                    "List only files with exactly this name",
                ),
                nested(
                    Bool,
                    "only_manually_uploaded",
                    "only-manually-uploaded",
                    "BOOL",
                    "List only files without a data source",
                ),
                nested(Text, "project_id", "project-id", "ID", "List only files of this project"),
            ]),
            optional(Body, Text, "order_by", "order-by", "FIELD", ORDER_BY),
            optional(
                Body,
                Number,
                "page_size",
                "page-size",
                "NUMBER",
                "Request this many files per page",
            )
            .range(1, i64::MAX),
            optional(
                Body,
                Text,
                "page_token",
                "page-token",
                "TOKEN",
                "Begin at the page of this token",
            ),
        ],
        response: ResponseKind::Pages,
        idempotency: Idempotency::Safe,
        operation: "files.query",
    },
];
