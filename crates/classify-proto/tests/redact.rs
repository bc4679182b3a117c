//! Secrets and document contents are sent and parsed, but do not occur in `Debug` output or error messages.

use classify_proto::machine::{Call, Context, Machine, Step};
use classify_proto::{
    Api, Body, Bytes, Operation, Patch, Seed, Time, files, http, v1, v2, webhooks,
};
use serde_json::json;

const CANARY: &str = "canary-5b1f";

fn api() -> Api {
    Api::builder("llx-canary-5b1f")
        .header("x-extra", CANARY)
        .build()
        .unwrap()
}

/// The request is shown as it is built, and as a machine hands it to a driver that logs its steps.
fn is_sent_unseen<O>(mut operation: O)
where
    O: Operation + std::fmt::Debug,
    O::Output: std::fmt::Debug,
{
    let api = api();
    operation.prepare(Seed::new([1; 16]));
    let request = operation.build_request(&api).unwrap();
    let body = request.body().in_memory().unwrap();
    assert!(
        body.windows(CANARY.len())
            .any(|part| part == CANARY.as_bytes()),
        "{} sends it",
        operation.name()
    );
    let shown = format!("{operation:?} {request:?} {:?}", request.body());
    assert!(!shown.contains("canary"), "{shown}");

    // The service's error responses contain the whole request.
    for status in [400, 422, 500] {
        let text = String::from_utf8_lossy(&body);
        let detail = match status {
            422 => {
                json!([{ "loc": ["body"], "msg": format!("not {text}"), "type": "value_error" }])
            }
            _ => json!(format!("not {text}")),
        };
        let response = http::Response::builder()
            .status(status)
            .body(Bytes::from(json!({ "detail": detail }).to_string()))
            .unwrap();
        if operation.name() == "files.create" {
            continue; // Nobody repeats a document.
        }
        let error = operation.parse(response).unwrap_err();
        let shown = format!("{error} {error:?} {:?}", error.field_errors());
        assert!(!shown.contains("canary"), "{} {shown}", operation.name());
    }

    let mut call = Call::new(operation, Seed::new([1; 16]));
    let step: Step<_, _> = call.poll(Context::new(&api, Time::from_millis(0)));
    assert!(matches!(&step, Step::Send(_, request) if !matches!(request.body(), Body::Empty)));
    let shown = format!("{step:?} {call:?}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn redact_request_content_in_debug_and_errors() {
    let rule = || v2::Rule::new("invoice", "has an invoice number");
    let options = v2::JobOptions::from(v2::Configuration::new([rule()]))
        .header("x-tenant", CANARY)
        .webhook(
            v2::WebhookConfiguration::new("https://example.com")
                .header("X-Token", CANARY)
                .signing_secret(CANARY),
        );
    is_sent_unseen(v2::CreateJob::new("dfl-1", options));
    is_sent_unseen(
        v1::CreateJob::new(["1"], [rule()]).webhook(
            v1::WebhookConfiguration::new("https://example.com")
                .header("X-Token", json!({ "nested": CANARY }))
                .signing_secret(CANARY),
        ),
    );
    is_sent_unseen(
        webhooks::CreateWebhookConfiguration::new("https://example.com")
            .header("X-Token", CANARY)
            .signing_secret(CANARY),
    );
    is_sent_unseen(
        webhooks::UpdateWebhookConfiguration::new("whc-1")
            .signing_secret(Patch::Set(CANARY.into())),
    );
    is_sent_unseen(files::UploadFile::new("a.txt", CANARY.as_bytes().to_vec()));
}

/// A service that says again what was said to it: neither a job nor an error passes it on.
#[test]
fn redact_secrets_in_response_debug() {
    let jobs = json!({"items": [{
        "id": "1", "status": "COMPLETED", "webhook_signing_secret": CANARY, "usage": CANARY,
        "configuration": {"rules": CANARY},
    }]});
    let page = v2::ListJobs::new()
        .parse(http::Response::new(jobs.to_string().into()))
        .unwrap();
    assert_eq!(page.items[0].extra("usage").unwrap(), CANARY);
    assert_eq!(page.items[0].configuration, None);
    let shown = format!("{page:?}");
    assert!(!shown.contains("canary"), "{shown}");

    let saved = json!({
        "id": "1", "product_type": "parse_v2", "parameters": {"product_type": "parse_v2", "vendor_key": CANARY},
    });
    let saved = classify_proto::configurations::GetConfiguration::new("1")
        .parse(http::Response::new(saved.to_string().into()))
        .unwrap();
    assert!(!format!("{saved:?}").contains("canary"));

    // A webhook header of an unknown shape is redacted too.
    let webhook = json!({"id": "1", "webhook_headers": {"X-Token": CANARY, "x": 7}});
    let webhook = webhooks::GetWebhookConfiguration::new("1")
        .parse(http::Response::new(webhook.to_string().into()))
        .unwrap();
    let written = serde_json::to_string(&webhook).unwrap();
    assert!(
        !format!("{webhook:?} {written}").contains("canary"),
        "{written}"
    );
}

/// One document of a page that cannot be understood costs neither the others nor its own id.
#[test]
fn lenient_json_wrong_type_keeps_job_and_page() {
    let page = json!({"total_size": "many", "next_page_token": "t", "items": [
        {"id": "1", "status": "COMPLETED", "result": {"type": 7, "confidence": 1}},
        {"id": "2", "status": "COMPLETED", "result": {"type": "a", "confidence": "high"}, "created_at": true},
        {"id": "3", "status": "COMPLETED", "result": {"type": null}, "configuration": [], "updated_at": {"at": [1]}},
    ]});
    let body = Bytes::from(page.to_string());
    let page = v2::ListJobs::new()
        .parse(http::Response::new(body))
        .unwrap();
    assert_eq!(page.total_size, None);
    assert_eq!(page.next_page_token.as_deref(), Some("t"));
    let [odd_type, odd_confidence, odd_rest] = &page.items[..] else {
        panic!("three jobs")
    };
    // A value of the wrong type is kept in `extra`, unlike an absent value.
    assert_eq!(odd_type.outcome(), v2::Outcome::Missing);
    assert_eq!(odd_type.extra("result").unwrap()["type"], 7);
    assert_eq!(odd_confidence.outcome().matched(), Some("a"));
    assert_eq!(odd_confidence.extra("created_at"), Some(&json!(true)));
    let result = odd_confidence.result.as_ref().unwrap();
    assert_eq!(
        (result.confidence, result.extra("confidence")),
        (None, Some(&json!("high")))
    );
    assert!(matches!(odd_rest.outcome(), v2::Outcome::NoMatch { .. }));
    assert_eq!(odd_rest.to_json()["updated_at"], json!({"at": [1]}));

    for strict in [
        json!({"items": [{"id": 7, "status": "PENDING"}]}),
        json!({"items": [{"id": "1", "status": 7}]}),
        json!({"items": [], "next_page_token": 7}),
        json!({"items": {}}),
    ] {
        let body = Bytes::from(strict.to_string());
        let error = v2::ListJobs::new()
            .parse(http::Response::new(body))
            .unwrap_err();
        assert!(error.is_decode(), "{strict}");
    }

    let results = json!({"items": [{"id": "1", "file_id": "f", "result": {"type": 7}}]});
    let page = v1::GetJobResults::new("1")
        .parse(http::Response::new(results.to_string().into()))
        .unwrap();
    assert_eq!(page.items[0].outcome(), v1::Outcome::Missing);
    assert!(page.items[0].extra("result").is_some());
}
