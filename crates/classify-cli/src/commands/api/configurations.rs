//! `configurations create`, `list`, `retrieve`, `update` and `delete`.

use classify_proto::Idempotency;
use classify_proto::http::Method;

use super::endpoint::Location::{Body, Query};
use super::endpoint::ValueKind::{Bool, Object, Text, TextList};
use super::endpoint::{
    Endpoint, PAGE_SIZE, PAGE_TOKEN, Parameter, ResponseKind, optional, path_id,
};

const PATH: &str = "/api/v1/beta/configurations";
const CONFIG: Parameter = path_id(
    "config_id",
    "config-id",
    "Select the configuration by its id",
);
const NAME: Parameter = optional(Body, Text, "name", "name", "NAME", "Set the name");
const PARAMETERS: Parameter = optional(
    Body,
    Object,
    "parameters",
    "parameters",
    "OBJECT",
    "Set the parameters: {product_type: classify_v2, rules: […]}",
);

pub(crate) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        resource: "configurations",
        name: "create",
        about: "Save a configuration, replacing one of the same name and product type",
        help: "\
Examples:
  llamacloud-prod configurations create --name invoices --parameters \\
    '{product_type: classify_v2, rules: [{type: invoice, description: asks for payment by a due date}]}'
  llamacloud-prod configurations create --name invoices --parameters @parameters.yaml",
        method: Method::POST,
        path: PATH,
        path_suffix: "",
        parameters: &[NAME.required(), PARAMETERS.required()],
        response: ResponseKind::Object,
        idempotency: Idempotency::Idempotent,
        operation: "configurations.create",
    },
    Endpoint {
        resource: "configurations",
        name: "list",
        about: "List saved configurations",
        help: "\
A product type is classify_v2, extract_v2, parse_v2, split_v1 or spreadsheet_v1.

Examples:
  llamacloud-prod configurations list --product-type classify_v2 --latest-only
  llamacloud-prod configurations list \\
    --product-type classify_v2 --product-type extract_v2 --format table",
        method: Method::GET,
        path: PATH,
        path_suffix: "",
        parameters: &[
            optional(Query, TextList, "product_type", "product-type", "TYPE", "List only this product type, such as classify_v2"),
            optional(Query, Text, "name", "name", "NAME", "List only configurations of this name"),
            optional(Query, Bool, "latest_only", "latest-only", "BOOL", "List only the newest version of each name"),
            PAGE_SIZE,
            PAGE_TOKEN,
        ],
        response: ResponseKind::Pages,
        idempotency: Idempotency::Safe,
        operation: "configurations.list",
    },
    Endpoint {
        resource: "configurations",
        name: "retrieve",
        about: "Show a saved configuration",
        help: "\
Examples:
  llamacloud-prod configurations retrieve cfg-123
  llamacloud-prod configurations retrieve --config-id cfg-123 --transform parameters.rules",
        method: Method::GET,
        path: PATH,
        path_suffix: "",
        parameters: &[CONFIG],
        response: ResponseKind::Object,
        idempotency: Idempotency::Safe,
        operation: "configurations.get",
    },
    Endpoint {
        resource: "configurations",
        name: "update",
        about: "Change the given fields of a saved configuration",
        help: "\
Examples:
  llamacloud-prod configurations update cfg-123 --name bills
  llamacloud-prod configurations update --config-id cfg-123 --parameters @parameters.yaml",
        method: Method::PUT,
        path: PATH,
        path_suffix: "",
        parameters: &[CONFIG, NAME, PARAMETERS],
        response: ResponseKind::Object,
        idempotency: Idempotency::Idempotent,
        operation: "configurations.update",
    },
    Endpoint {
        resource: "configurations",
        name: "delete",
        about: "Delete a saved configuration",
        help: "\
Prints nothing on success.

Examples:
  llamacloud-prod configurations delete cfg-123
  llamacloud-prod configurations delete --config-id cfg-123",
        method: Method::DELETE,
        path: PATH,
        path_suffix: "",
        parameters: &[CONFIG],
        response: ResponseKind::Empty,
        idempotency: Idempotency::Idempotent,
        operation: "configurations.delete",
    },
];
