//! Version 2 jobs: their life, their lists, their keys.

use std::time::Duration;

use classify_emulator::{Config, Emulator, Limits, Script};
use serde_json::{Value, json};

use crate::client::{Client, INVOICE, create_body, rules};

fn started(config: Config) -> (Emulator, Client) {
    let emulator = Emulator::start(config).expect("an emulator");
    let client = Client::new(&emulator);
    (emulator, client)
}

fn quiet() -> (Emulator, Client) {
    started(Config::default().limits(Limits::none()))
}

/// One whose time stands still.
fn stopped_clock() -> (Emulator, Client) {
    started(
        Config::default()
            .limits(Limits::none())
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
fn a_job_lives_from_pending_to_completed() {
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
fn the_clock_of_the_machine_moves_jobs_too() {
    let (_emulator, client) = quiet();
    let job = client.classified("bill.txt", INVOICE.as_bytes());
    assert_eq!(job["status"], "COMPLETED", "{job}");
}

#[test]
fn a_transaction_id_creates_one_job_in_each_project() {
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
fn a_key_is_asked_for() {
    let (_emulator, client) = started(Config::default().keys(["llx-good"]));
    let path = "/api/v2/classify";
    assert_eq!(client.get(path).status, 200);
    let client = client.with_key(None);
    let refused = client.get(path);
    assert_eq!(refused.status, 401);
    assert!(refused.detail().contains("key"), "{}", refused.text);
    assert_eq!(client.with_key(Some("llx-bad")).get(path).status, 401);

    let (_emulator, client) = quiet();
    assert_eq!(client.with_key(Some("anything")).get(path).status, 200);
}

#[test]
fn lists_are_paged_newest_first() {
    let (_emulator, client) = quiet();
    let file = client.upload("bill.txt", INVOICE.as_bytes());
    let mut created: Vec<String> = (0..5).map(|_| client.create(&file)).collect();
    created.reverse();
    let mut seen = Vec::new();
    let mut path = "/api/v2/classify?page_size=2".to_owned();
    for size in [2, 2, 1] {
        let page = client.get(&path).ok();
        assert_eq!(ids(&page).len(), size);
        assert_eq!(page["total_size"], Value::Null);
        seen.extend(ids(&page));
        let Some(token) = page["next_page_token"].as_str() else {
            break;
        };
        path = format!("/api/v2/classify?page_size=2&page_token={token}");
        // A job that comes in between belongs to no page that follows.
        client.create(&file);
    }
    assert_eq!(seen, created);
    let page = client.get("/api/v2/classify?page_size=100").ok();
    assert_eq!(
        (ids(&page).len(), &page["next_page_token"]),
        (7, &Value::Null)
    );
}

#[test]
fn page_sizes_and_tokens_are_checked() {
    let (_emulator, client) = quiet();
    let problems = |query: &str| client.get(&format!("/api/v2/classify?{query}")).problems();
    assert_eq!(
        problems("page_size=0"),
        ["query.page_size: greater_than_equal"]
    );
    assert_eq!(
        problems("page_size=101"),
        ["query.page_size: less_than_equal"]
    );
    assert_eq!(problems("page_size=ten"), ["query.page_size: int_parsing"]);
    assert_eq!(problems("status=DONE"), ["query.status: enum"]);
    assert_eq!(
        problems("project_id=mine"),
        ["query.project_id: uuid_parsing"]
    );
    assert_eq!(
        problems("created_at_on_or_after=now"),
        ["query.created_at_on_or_after: datetime_parsing"]
    );
    assert_eq!(client.get("/api/v2/classify?page_token=x").status, 400);
    let nulls = "/api/v2/classify?page_size=&page_token=&status=&project_id=";
    assert_eq!(
        client.get(nulls).status,
        200,
        "empty values are absent ones"
    );
}

#[test]
fn every_filter_filters() {
    let (emulator, client) = stopped_clock();
    let file = client.upload("bill.txt", INVOICE.as_bytes());
    let saved = client
        .post(
            "/api/v1/beta/configurations",
            &json!({ "name": "bills",
            "parameters": { "product_type": "classify_v2", "rules": rules() } }),
        )
        .ok();
    let old = client.create(&file);
    emulator.advance(Duration::from_secs(60));
    let body = json!({ "file_input": file, "configuration_id": saved["id"] });
    let new = client.post("/api/v2/classify", &body).ok();
    let new = new["id"].as_str().expect("an id").to_owned();
    let both = [new.clone(), old.clone()];
    let (only_new, only_old) = (vec![new.clone()], vec![old.clone()]);
    let list = |query: &str| ids(&client.get(&format!("/api/v2/classify?{query}")).ok());
    assert_eq!(list(""), both);
    assert_eq!(list("status=COMPLETED"), only_old);
    assert_eq!(list("status=PENDING"), only_new);
    assert_eq!(list("status=CANCELLED"), Vec::<String>::new());
    assert_eq!(list(&format!("job_ids={old}")), only_old);
    assert_eq!(
        list(&format!("job_ids={old}&job_ids={new}&job_ids=clj-none")),
        both
    );
    assert_eq!(
        list(&format!(
            "configuration_id={}",
            saved["id"].as_str().expect("an id")
        )),
        only_new
    );
    let edge = "2026-01-02T03%3A04%3A05.678Z";
    assert_eq!(
        list(&format!("created_at_on_or_before={edge}")),
        only_old,
        "inclusive"
    );
    assert_eq!(
        list(&format!("created_at_on_or_after={edge}")),
        both,
        "inclusive"
    );
    assert_eq!(
        list("created_at_on_or_after=2026-01-02T05%3A05%3A00%2B02:00"),
        only_new
    );
    assert_eq!(
        list("project_id=0c8ce2fe-2f4f-4a5b-9d0c-000000000002"),
        Vec::<String>::new()
    );
}

#[test]
fn cancel_and_delete_go_by_the_state() {
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
fn bodies_are_checked_field_by_field() {
    let (_emulator, client) = quiet();
    let file = client.upload("bill.txt", INVOICE.as_bytes());
    let problems = |change: &dyn Fn(&mut Value)| {
        let mut body = create_body(&file);
        change(&mut body);
        client.post("/api/v2/classify", &body).problems()
    };
    assert_eq!(
        problems(&|b| *b = json!({})),
        [
            "body.configuration: value_error",
            "body.file_input: missing"
        ]
    );
    assert_eq!(
        problems(&|b| *b = json!([])).first().map(String::as_str),
        Some("body: model_attributes_type")
    );
    assert_eq!(
        problems(&|b| b["file_input"] = json!("x".repeat(201)))
            .first()
            .map(String::as_str),
        Some("body.file_input: string_too_long")
    );
    assert_eq!(
        problems(&|b| b["configuration"] = json!({})),
        ["body.configuration.rules: missing"]
    );
    assert_eq!(
        problems(&|b| b["configuration"]["rules"] = json!([])),
        ["body.configuration.rules: too_short"]
    );
    let rule = "body.configuration.rules.0";
    assert_eq!(
        problems(&|b| b["configuration"]["rules"][0]["type"] = json!("x".repeat(51))),
        [format!("{rule}.type: string_too_long")]
    );
    assert_eq!(
        problems(&|b| b["configuration"]["rules"][0]["type"] = json!("a/b")),
        [format!("{rule}.type: value_error")]
    );
    assert_eq!(
        problems(&|b| b["configuration"]["rules"][0]["description"] = json!("short")),
        [format!("{rule}.description: string_too_short")]
    );
    assert_eq!(
        problems(&|b| b["configuration"]["rules"][0]["description"] = json!("x".repeat(2001))),
        [format!("{rule}.description: string_too_long")]
    );
    assert_eq!(
        problems(&|b| b["configuration"]["rules"][1]["type"] = json!("invoice")),
        ["body.configuration.rules.1.type: value_error"]
    );
    assert_eq!(
        problems(&|b| b["configuration"]["mode"] = json!("SLOW")),
        ["body.configuration.mode: literal_error"]
    );
    let parsing = "body.configuration.parsing_configuration";
    assert_eq!(
        problems(&|b| b["configuration"]["parsing_configuration"] = json!({ "max_pages": 0 })),
        [format!("{parsing}.max_pages: greater_than_equal")]
    );
    assert_eq!(
        problems(
            &|b| b["configuration"]["parsing_configuration"] = json!({ "target_pages": "0-2" })
        ),
        [format!("{parsing}.target_pages: value_error")]
    );
    assert_eq!(
        problems(&|b| b["transaction_id"] = json!("x".repeat(256))),
        ["body.transaction_id: string_too_long"]
    );
    assert_eq!(
        problems(&|b| b["webhook_configuration_ids"] = json!(["a", "b", "c", "d", "e"])),
        ["body.webhook_configuration_ids: too_long"]
    );
    assert_eq!(
        problems(&|b| b["configuration_id"] = json!("cfg-1")),
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
fn inputs_are_looked_up() {
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

#[test]
fn scripts_fix_outcomes() {
    let scripts = vec![
        Script::file("fixed*").labels("anything", 0.5),
        Script::file("nothing*").matches_nothing(),
        Script::file("broken*").fails("PDF_IS_BROKEN"),
        Script::file("cancelled*").is_cancelled(),
        Script::file("stuck*").never_ends(),
        Script::content("(?i)top secret").fails("PDF_IS_PROTECTED"),
        Script::file("slow*").takes(Duration::from_secs(3600)),
    ];
    let (emulator, client) = started(
        Config::default()
            .limits(Limits::none())
            .virtual_clock()
            .scripts(scripts),
    );
    let create = |name: &str, text: &str| client.create(&client.upload(name, text.as_bytes()));
    let jobs: Vec<String> = [
        "fixed.txt",
        "nothing.txt",
        "broken.txt",
        "cancelled.txt",
        "stuck.txt",
        "slow.txt",
    ]
    .iter()
    .map(|name| create(name, INVOICE))
    .collect();
    let secret = create("plain.txt", "TOP SECRET");
    emulator.advance(Duration::from_secs(60));
    let job = |id: &str| client.get(&format!("/api/v2/classify/{id}")).ok();
    assert_eq!(job(&jobs[0])["result"]["type"], "anything");
    assert_eq!(job(&jobs[0])["result"]["confidence"], 0.5);
    assert_eq!(
        (&job(&jobs[1])["status"], &job(&jobs[1])["result"]["type"]),
        (&json!("COMPLETED"), &Value::Null)
    );
    assert_eq!(job(&jobs[2])["status"], "FAILED");
    assert_eq!(job(&jobs[3])["status"], "CANCELLED");
    assert_eq!(job(&jobs[4])["status"], "RUNNING");
    assert_eq!(job(&jobs[5])["status"], "RUNNING");
    assert!(
        job(&secret)["error_message"]
            .as_str()
            .is_some_and(|m| m.starts_with("PDF_IS_PROTECTED"))
    );
    emulator.advance(Duration::from_secs(3600));
    assert_eq!(job(&jobs[5])["result"]["type"], "invoice");
    assert_eq!(job(&jobs[4])["status"], "RUNNING", "never means never");
    let cancelled = client.send(
        "POST",
        &format!("/api/v2/classify/{}/cancel", jobs[4]),
        None,
        Some(Vec::new()),
    );
    assert_eq!(cancelled.expect("a reply").ok()["status"], "CANCELLED");
}

#[test]
fn the_published_limits_hold() {
    let (_emulator, client) = started(Config::default().virtual_clock());
    let file = client.upload("bill.txt", INVOICE.as_bytes());
    let statuses: Vec<u16> = (0..45)
        .map(|_| client.post("/api/v2/classify", &create_body(&file)).status)
        .collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 40);
    assert_eq!(statuses[40..], [429; 5]);
    assert_eq!(
        client.get("/api/v2/classify").status,
        200,
        "other routes are free"
    );
}

#[test]
fn what_was_asked_can_be_seen() {
    let (emulator, client) = quiet();
    let file = client.upload("bill.txt", INVOICE.as_bytes());
    let mut body = create_body(&file);
    body["transaction_id"] = json!("seen");
    client.post("/api/v2/classify", &body).ok();
    client.get("/api/v2/classify?page_size=3&status=").ok();
    let seen = emulator.requests();
    assert_eq!(seen.len(), 3);
    assert_eq!(
        seen[1].body.as_ref().map(|body| &body["transaction_id"]),
        Some(&json!("seen"))
    );
    assert_eq!(seen[2].parameter("page_size"), Some("3"));
    assert_eq!((seen[2].status, seen[2].authorized), (Some(200), true));
    assert_eq!(seen[2].header("authorization"), Some("(hidden)"));
    assert_eq!(emulator.jobs()[0].transaction_id.as_deref(), Some("seen"));
    emulator.reset();
    assert_eq!(
        (
            emulator.requests().len(),
            emulator.job_count(),
            emulator.file_count()
        ),
        (0, 0, 0)
    );
    assert_eq!(
        std::fs::read_dir(emulator.upload_dir())
            .expect("the folder")
            .count(),
        0
    );
}
