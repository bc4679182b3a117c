//! Test data of the benches: a page as a bulk run receives it, and a create with six rules.

use std::ops::Range;

use bytes::Bytes;
use classify_proto::v2::{Configuration, CreateJob, Rule};

use crate::plain;

/// The type of each of the six rules.
pub const RULE_TYPES: [&str; 6] = [
    "invoice",
    "receipt",
    "contract",
    "resume",
    "bank_statement",
    "payslip",
];

/// The id of the first job of the page.
pub const FIRST_JOB_ID: &str = "clj-8f14e45f-ceea-467f-a9c1-000000000000";

fn description(kind: &str) -> String {
    format!(
        "A {kind}: names its parties, a date and a reference number, and says in its heading that it is a {kind}."
    )
}

/// Returns a page of 100 jobs with one configuration, as a bulk run receives it.
#[must_use]
pub fn page() -> Bytes {
    page_of(0..100, RuleSharing::Shared, Some("eyJvIjoxMDB9"))
}

/// Returns the first job of [`page`].
///
/// # Panics
///
/// Never: the page is valid.
#[must_use]
pub fn job() -> Bytes {
    let page: serde_json::Value = serde_json::from_slice(&page()).expect("a valid page");
    page["items"][0].to_string().into()
}

/// Whether the jobs of a page have the same rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleSharing {
    /// All jobs have the same rules.
    Shared,
    /// Each job has its own rules, so that nothing can be shared.
    Distinct,
}

/// Returns a page of the jobs with these numbers.
#[must_use]
pub fn page_of(jobs: Range<usize>, rules: RuleSharing, next_page_token: Option<&str>) -> Bytes {
    let items: Vec<_> = jobs
        .map(|n| {
            let describe = |kind| match rules {
                RuleSharing::Shared => description(kind),
                RuleSharing::Distinct => description(kind).replace("its parties", &format!("party {n:07}")),
            };
            let rules: Vec<_> = RULE_TYPES
                .iter()
                .map(|kind| serde_json::json!({"type": kind, "description": describe(kind)}))
                .collect();
            serde_json::json!({
                "id": format!("clj-8f14e45f-ceea-467f-a9c1-{n:012}"),
                "configuration": {
                    "rules": rules, "mode": "FAST",
                    "parsing_configuration": {"lang": "en", "max_pages": 10, "target_pages": "1,3,5-7"},
                },
                "document_input_type": "file_id",
                "file_input": format!("dfl-1f0e3dad-9990-4345-b743-{n:012}"),
                "project_id": "c4ca4238-a0b9-4382-8dcc-509a6f75849b",
                "status": "COMPLETED",
                "user_id": "user_4711",
                "configuration_id": null,
                "created_at": "2026-11-22T18:11:19.117Z",
                "error_message": null,
                "parse_job_id": format!("pjb-6512bd43-d9ca-4666-8012-{n:012}"),
                "result": {
                    "confidence": 0.93,
                    "reasoning": "The heading says invoice, and there are a number, line items and a total amount.",
                    "type": RULE_TYPES[n % RULE_TYPES.len()],
                },
                "transaction_id": format!("{n:064x}"),
                "updated_at": "2026-11-22T18:11:21.503Z",
            })
        })
        .collect();
    serde_json::json!({"items": items, "next_page_token": next_page_token, "total_size": null})
        .to_string()
        .into()
}

/// Returns a configuration with six rules.
#[must_use]
pub fn rules() -> Configuration {
    Configuration::new(RULE_TYPES.map(|kind| Rule::new(kind, description(kind))))
}

/// Returns a create with six rules.
#[must_use]
pub fn create() -> CreateJob {
    CreateJob::new("dfl-1", rules()).transaction_id("t-1")
}

/// Returns the same create as plain structs.
#[must_use]
pub fn plain_create() -> plain::Create {
    plain::Create {
        file_input: "dfl-1".into(),
        configuration: plain::Configuration {
            rules: RULE_TYPES
                .map(|kind| plain::Rule {
                    r#type: kind.into(),
                    description: description(kind),
                })
                .into(),
            mode: None,
            parsing_configuration: None,
        },
        transaction_id: "t-1".into(),
    }
}
