//! Version 2 jobs: their life, their lists, their keys.

use std::time::Duration;

use classify_emulator::{Config, Emulator, RateLimits};
use serde_json::{Value, json};

use crate::test_client::{Client, INVOICE, create_body, rules};

fn started(config: Config) -> (Emulator, Client) {
    let emulator = Emulator::start(config).expect("an emulator");
    let client = Client::new(&emulator);
    (emulator, client)
}

fn quiet() -> (Emulator, Client) {
    started(Config::default().rate_limits(RateLimits::none()))
}

/// One whose time stands still.
fn stopped_clock() -> (Emulator, Client) {
    started(
        Config::default()
            .rate_limits(RateLimits::none())
            .virtual_clock_at(1_767_323_045_678),
    )
}

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items");
    items
        .iter()
        .map(|item| item["id"].as_str().expect("an id").to_owned())
        .collect()
}

#[test]
fn v2_job_goes_from_pending_through_running_to_completed() {
    let (emulator, client) = stopped_clock();
    let file = client.upload("bill.txt", INVOICE.as_bytes());
    let created = client.post("/api/v2/classify", &create_body(&file));
    assert_eq!(created.status, 200);
    let created = created.json();
    assert!(
        created["id"]
            .as_str()
            .is_some_and(|id| id.starts_with("clj-"))
    );
    assert_eq!(created["status"], "PENDING");
    assert_eq!(created["file_input"], json!(file));
    assert_eq!(created["document_input_type"], "file_id");
    assert_eq!(created["configuration"]["mode"], "FAST");
    assert_eq!(created["configuration"]["rules"], rules());
    assert_eq!(created["result"], Value::Null);
    assert_eq!(created["created_at"], "2026-01-02T03:04:05.678Z");
    let path = format!(
        "/api/v2/classify/{}",
        created["id"].as_str().expect("an id")
    );

    emulator.advance(Duration::from_millis(49));
    assert_eq!(client.get(&path).ok()["status"], "PENDING");
    emulator.advance(Duration::from_millis(1));
    let running = client.get(&path).ok();
    assert_eq!(running["status"], "RUNNING");
    assert!(
        running["parse_job_id"]
            .as_str()
            .is_some_and(|id| id.starts_with("pjb-"))
    );
    emulator.advance(Duration::from_millis(100));
    let ended = client.get(&format!("{path}?expand=usage")).ok();
    assert_eq!(ended["status"], "COMPLETED");
    assert_eq!(ended["result"]["type"], "invoice");
    assert_eq!(ended["usage"], json!({ "credits": 1, "parse_credits": 1 }));
    assert_eq!(ended["updated_at"], "2026-01-02T03:04:05.828Z");
    let again = client.get(&path).ok();
    assert_eq!(again["result"], ended["result"], "results repeat");
    assert_eq!(again.get("usage"), None, "usage comes only when asked for");
}

#[test]
fn v2_job_completes_on_system_clock() {
    let (_emulator, client) = quiet();
    let job = client.classified("bill.txt", INVOICE.as_bytes());
    assert_eq!(job["status"], "COMPLETED", "{job}");
}

#[test]
fn idempotency_transaction_id_creates_one_job_per_project() {
    let (emulator, client) = quiet();
    let file = client.upload("bill.txt", INVOICE.as_bytes());
    let mut body = create_body(&file);
    body["transaction_id"] = json!("once");
    let first = client.post("/api/v2/classify", &body).ok();
    body["file_input"] = json!("dfl-00000000-0000-4000-8000-000000000000");
    body["configuration"]["rules"][0]["type"] = json!("else");
    let second = client.post("/api/v2/classify", &body).ok();
    assert_eq!(second["id"], first["id"]);
    assert_eq!(
        second["file_input"], first["file_input"],
        "the second body is ignored"
    );
    assert_eq!(emulator.job_count(), 1);

    let mut again = create_body(&file);
    again["transaction_id"] = json!("twice");
    let gone = client.post("/api/v2/classify", &again).ok();
    client.ended(gone["id"].as_str().expect("an id"));
    client.delete(&format!(
        "/api/v2/classify/{}",
        gone["id"].as_str().expect("an id")
    ));
    assert_ne!(
        client.post("/api/v2/classify", &again).ok()["id"],
        gone["id"],
        "the key of a deleted job is free"
    );

    let project = "?project_id=0c8ce2fe-2f4f-4a5b-9d0c-000000000002";
    let form = client.upload_form(
        project,
        &[("purpose", "classify")],
        Some(("b.txt", b"text")),
    );
    let mut body = create_body(form.ok()["id"].as_str().expect("an id"));
    body["transaction_id"] = json!("once");
    let other = client
        .post(&format!("/api/v2/classify{project}"), &body)
        .ok();
    assert_ne!(other["id"], first["id"]);
    assert_eq!(other["project_id"], "0c8ce2fe-2f4f-4a5b-9d0c-000000000002");
    let seen = client.get(&format!(
        "/api/v2/classify/{}{project}",
        first["id"].as_str().expect("an id")
    ));
    assert_eq!(seen.status, 404, "a job of another project");
}

#[test]
fn cancel_and_delete_depend_on_job_status() {
    let (emulator, client) = stopped_clock();
    let file = client.upload("bill.txt", INVOICE.as_bytes());
    let id = client.create(&file);
    let path = format!("/api/v2/classify/{id}");
    let cancel = || {
        client
            .send("POST", &format!("{path}/cancel"), None, Some(Vec::new()))
            .expect("a reply")
    };
    assert_eq!(client.delete(&path).status, 409, "not before it has ended");
    let cancelled = cancel();
    assert_eq!(
        (cancelled.status, &cancelled.json()["status"]),
        (200, &json!("CANCELLED"))
    );
    assert_eq!(cancel().status, 409, "not twice");
    emulator.advance(Duration::from_secs(10));
    assert_eq!(
        client.get(&path).ok()["status"],
        "CANCELLED",
        "cancelled for good"
    );
    let deleted = client.delete(&path).ok();
    assert_eq!(deleted["id"], json!(id));
    assert!(deleted["project_id"].is_string());
    assert_eq!(client.get(&path).status, 404);
    assert_eq!(client.delete(&path).status, 404);
    assert_eq!(
        ids(&client.get("/api/v2/classify").ok()),
        Vec::<String>::new()
    );
}

#[test]
fn validation_of_create_body_reports_each_field() {
    let (_emulator, client) = quiet();
    let file = client.upload("bill.txt", INVOICE.as_bytes());
    let validation_errors = |change: &dyn Fn(&mut Value)| {
        let mut body = create_body(&file);
        change(&mut body);
        client.post("/api/v2/classify", &body).validation_errors()
    };
    assert_eq!(
        validation_errors(&|b| *b = json!({})),
        [
            "body.configuration: value_error",
            "body.file_input: missing"
        ]
    );
    assert_eq!(
        validation_errors(&|b| *b = json!([]))
            .first()
            .map(String::as_str),
        Some("body: model_attributes_type")
    );
    assert_eq!(
        validation_errors(&|b| b["file_input"] = json!("x".repeat(201)))
            .first()
            .map(String::as_str),
        Some("body.file_input: string_too_long")
    );
    assert_eq!(
        validation_errors(&|b| b["configuration"] = json!({})),
        ["body.configuration.rules: missing"]
    );
    assert_eq!(
        validation_errors(&|b| b["configuration"]["rules"] = json!([])),
        ["body.configuration.rules: too_short"]
    );
    let rule = "body.configuration.rules.0";
    assert_eq!(
        validation_errors(&|b| b["configuration"]["rules"][0]["type"] = json!("x".repeat(51))),
        [format!("{rule}.type: string_too_long")]
    );
    assert_eq!(
        validation_errors(&|b| b["configuration"]["rules"][0]["type"] = json!("a/b")),
        [format!("{rule}.type: value_error")]
    );
    assert_eq!(
        validation_errors(&|b| b["configuration"]["rules"][0]["description"] = json!("short")),
        [format!("{rule}.description: string_too_short")]
    );
    assert_eq!(
        validation_errors(
            &|b| b["configuration"]["rules"][0]["description"] = json!("x".repeat(2001))
        ),
        [format!("{rule}.description: string_too_long")]
    );
    assert_eq!(
        validation_errors(&|b| b["configuration"]["rules"][1]["type"] = json!("invoice")),
        ["body.configuration.rules.1.type: value_error"]
    );
    assert_eq!(
        validation_errors(&|b| b["configuration"]["mode"] = json!("SLOW")),
        ["body.configuration.mode: literal_error"]
    );
    let parsing = "body.configuration.parsing_configuration";
    assert_eq!(
        validation_errors(
            &|b| b["configuration"]["parsing_configuration"] = json!({ "max_pages": 0 })
        ),
        [format!("{parsing}.max_pages: greater_than_equal")]
    );
    assert_eq!(
        validation_errors(
            &|b| b["configuration"]["parsing_configuration"] = json!({ "target_pages": "0-2" })
        ),
        [format!("{parsing}.target_pages: value_error")]
    );
    assert_eq!(
        validation_errors(&|b| b["transaction_id"] = json!("x".repeat(256))),
        ["body.transaction_id: string_too_long"]
    );
    assert_eq!(
        validation_errors(&|b| b["webhook_configuration_ids"] = json!(["a", "b", "c", "d", "e"])),
        ["body.webhook_configuration_ids: too_long"]
    );
    assert_eq!(
        validation_errors(&|b| b["configuration_id"] = json!("cfg-1")),
        ["body.configuration_id: value_error"]
    );

    let mut body = create_body(&file);
    body["added_later"] = json!({ "x": 1 });
    body["webhook_configurations"] = Value::Null;
    body["configuration"]["parsing_configuration"] = Value::Null;
    assert_eq!(
        client.post("/api/v2/classify", &body).status,
        200,
        "unknown fields and nulls are accepted"
    );
}

#[test]
fn v2_create_resolves_or_rejects_input_ids() {
    let (emulator, client) = quiet();
    let missing = client.post(
        "/api/v2/classify",
        &create_body("dfl-00000000-0000-4000-8000-000000000000"),
    );
    assert_eq!(missing.status, 400);
    assert!(missing.detail().contains("project"), "{}", missing.text);
    let mut body = create_body("x");
    body["configuration"] = Value::Null;
    body["configuration_id"] = json!("cfg-none");
    assert_eq!(client.post("/api/v2/classify", &body).status, 404);

    let file = client.upload("bill.txt", INVOICE.as_bytes());
    let bare = file.trim_start_matches("dfl-");
    let by_old_name = json!({ "file_id": bare, "configuration": { "rules": rules() } });
    assert_eq!(
        client.post("/api/v2/classify", &by_old_name).ok()["file_input"],
        json!(bare)
    );

    emulator.add_parse_job(
        "pjb-known",
        "This agreement between the parties, with clauses",
    );
    let known = client.ended(&client.create("pjb-known"));
    assert_eq!(known["document_input_type"], "parse_job_id");
    assert_eq!(known["parse_job_id"], "pjb-known");
    assert_eq!(known["result"]["type"], "contract");
    let usage = client
        .get(&format!(
            "/api/v2/classify/{}?expand=usage",
            known["id"].as_str().expect("an id")
        ))
        .ok();
    assert_eq!(
        usage["usage"],
        json!({ "credits": 0, "parse_credits": null })
    );
    let unknown = client.ended(&client.create("pjb-unknown"));
    assert!(
        unknown["error_message"]
            .as_str()
            .is_some_and(|m| m.starts_with("NO_DATA_FOUND_IN_FILE")),
        "{unknown}"
    );
}
