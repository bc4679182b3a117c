//! Version 1 jobs, from many files to their results.

use std::time::Duration;

use classify_emulator::{Config, Emulator, RateLimits, Script};
use serde_json::{Value, json};

use crate::test_client::{Client, INVOICE, rules};

fn started() -> (Emulator, Client) {
    let scripts = vec![Script::file("broken*").fails("PDF_IS_BROKEN")];
    let config = Config::default()
        .rate_limits(RateLimits::none())
        .virtual_clock_at(1_767_323_045_678)
        .scripts(scripts);
    let emulator = Emulator::start(config).expect("an emulator");
    let client = Client::new(&emulator);
    (emulator, client)
}

fn bare(id: &str) -> String {
    id.replace("dfl-", "")
}

#[test]
fn v1_job_returns_a_result_for_every_file() {
    let (emulator, client) = started();
    let good = bare(&client.upload("bill.txt", INVOICE.as_bytes()));
    let other = bare(&client.upload(
        "deal.txt",
        b"This agreement between the parties, its clauses and signatures",
    ));
    let created = client
        .post(
            "/api/v1/classifier/jobs",
            &json!({ "file_ids": [good, other], "rules": rules() }),
        )
        .ok();
    assert_eq!(
        (&created["status"], &created["mode"]),
        (&json!("PENDING"), &json!("FAST"))
    );
    assert_eq!(
        created["parsing_configuration"],
        json!({ "lang": "en", "max_pages": 5, "target_pages": null })
    );
    assert_eq!(created["rules"], rules());
    let id = created["id"].as_str().expect("an id");
    assert_eq!(id.len(), 36, "a bare uuid: {id}");
    let path = format!("/api/v1/classifier/jobs/{id}");
    emulator.advance(Duration::from_millis(60));
    assert_eq!(
        client.get(&path).ok()["status"],
        "PENDING",
        "this version shows no RUNNING"
    );
    assert_eq!(
        client.get(&format!("{path}/results")).ok()["items"],
        json!([])
    );
    emulator.advance(Duration::from_secs(1));
    assert_eq!(client.get(&path).ok()["status"], "SUCCESS");
    let results = client.get(&format!("{path}/results")).ok();
    let found: Vec<(&Value, &Value)> = results["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| {
            assert_eq!(item["classify_job_id"], json!(id));
            (&item["file_id"], &item["result"]["type"])
        })
        .collect();
    assert_eq!(
        found,
        [
            (&json!(good), &json!("invoice")),
            (&json!(other), &json!("contract"))
        ]
    );
    assert_eq!(
        client.get(&format!("{path}/results")).ok(),
        results,
        "results repeat"
    );
}

#[test]
fn v1_job_with_failed_files_is_partial_success_or_error() {
    let (emulator, client) = started();
    let good = bare(&client.upload("bill.txt", INVOICE.as_bytes()));
    let broken = bare(&client.upload("broken.txt", INVOICE.as_bytes()));
    let create = |files: Value| {
        let body = json!({ "file_ids": files, "rules": rules() });
        let created = client.post("/api/v1/classifier/jobs", &body).ok();
        emulator.advance(Duration::from_secs(1));
        let path = format!(
            "/api/v1/classifier/jobs/{}",
            created["id"].as_str().expect("an id")
        );
        (
            client.get(&path).ok(),
            client.get(&format!("{path}/results")).ok(),
        )
    };
    let (partial, results) = create(json!([good, broken]));
    assert_eq!(partial["status"], "PARTIAL_SUCCESS");
    assert!(
        partial["error_message"]
            .as_str()
            .is_some_and(|m| m.contains("PDF_IS_BROKEN")),
        "{partial}"
    );
    assert_eq!(results["items"][1]["result"], Value::Null);
    let (whole, _) = create(json!([broken]));
    assert_eq!(whole["status"], "ERROR");
    let list = client.get("/api/v1/classifier/jobs?page_size=1").ok();
    assert_eq!(list["items"][0]["id"], whole["id"], "newest first");
    assert_eq!(
        client.get("/api/v1/classifier/jobs?page_size=99999").ok()["items"]
            .as_array()
            .map(Vec::len),
        Some(2),
        "no bound is published"
    );
    let token = list["next_page_token"].as_str().expect("a token");
    let next = client
        .get(&format!(
            "/api/v1/classifier/jobs?page_size=1&page_token={token}"
        ))
        .ok();
    assert_eq!(
        (&next["items"][0]["id"], &next["next_page_token"]),
        (&partial["id"], &Value::Null)
    );
    assert_eq!(
        client.get("/api/v2/classify").ok()["items"],
        json!([]),
        "the versions do not mix"
    );
    assert_eq!(
        client
            .get(&format!(
                "/api/v2/classify/{}",
                whole["id"].as_str().expect("an id")
            ))
            .status,
        404
    );
}

#[test]
fn validation_rejects_invalid_v1_bodies_and_ids() {
    let (_emulator, client) = started();
    let path = "/api/v1/classifier/jobs";
    let file = bare(&client.upload("bill.txt", INVOICE.as_bytes()));
    let errors = |body: Value| client.post(path, &body).validation_errors();
    assert_eq!(
        errors(json!({})),
        ["body.file_ids: missing", "body.rules: missing"]
    );
    assert_eq!(
        errors(json!({ "file_ids": [], "rules": rules() })),
        ["body.file_ids: too_short"]
    );
    let many: Vec<&str> = std::iter::repeat_n(file.as_str(), 501).collect();
    assert_eq!(
        errors(json!({ "file_ids": many, "rules": rules() })),
        ["body.file_ids: too_long"]
    );
    assert_eq!(
        errors(json!({ "file_ids": ["x"], "rules": rules() })),
        ["body.file_ids.0: uuid_parsing"]
    );
    let with = |name: &str, value: Value| {
        let mut body = json!({ "file_ids": [file], "rules": rules() });
        body[name] = value;
        body
    };
    assert_eq!(errors(with("mode", json!("SLOW"))), ["body.mode: enum"]);
    assert_eq!(
        errors(with("parsing_configuration", Value::Null)),
        ["body.parsing_configuration: model_attributes_type"]
    );
    assert_eq!(
        errors(with("parsing_configuration", json!({ "lang": "zh" }))),
        ["body.parsing_configuration.lang: enum"]
    );
    assert_eq!(
        errors(with("parsing_configuration", json!({ "target_pages": [] }))),
        ["body.parsing_configuration.target_pages: too_short"]
    );
    assert_eq!(
        errors(with(
            "parsing_configuration",
            json!({ "target_pages": [-1] })
        )),
        ["body.parsing_configuration.target_pages.0: greater_than_equal"]
    );
    assert_eq!(
        errors(with(
            "webhook_configurations",
            json!([{ "webhook_url": "ftp://x" }])
        )),
        ["body.webhook_configurations.0.webhook_url: value_error"]
    );
    assert_eq!(
        errors(with("webhook_configurations", json!([{ "extra": 1 }]))),
        ["body.webhook_configurations.0.extra: extra_forbidden"]
    );
    let json = client.post(path, &with("mode", json!("MULTIMODAL"))).ok();
    assert_eq!(json["mode"], "MULTIMODAL");
    assert_eq!(
        client
            .post(
                path,
                &with("file_ids", json!(["00000000-0000-4000-8000-000000000000"]))
            )
            .status,
        400
    );
    assert_eq!(
        client.get(&format!("{path}/x")).validation_errors(),
        ["path.classify_job_id: uuid_parsing"]
    );
    assert_eq!(
        client
            .get(&format!(
                "{path}/00000000-0000-4000-8000-000000000000/results"
            ))
            .status,
        404
    );
}

#[test]
fn v1_job_ends_with_its_slowest_document() {
    let scripts = vec![
        Script::file("slow*").takes(Duration::from_secs(3_600)),
        Script::file("quick*").takes(Duration::from_secs(1)),
    ];
    // One reader, so that the quick one is read last.
    let config = Config::default()
        .rate_limits(RateLimits::none())
        .virtual_clock()
        .reader_threads(1)
        .scripts(scripts);
    let emulator = Emulator::start(config).expect("an emulator");
    let client = Client::new(&emulator);
    let files: Vec<String> = ["slow.txt", "quick.txt"]
        .iter()
        .map(|name| bare(&client.upload(name, INVOICE.as_bytes())))
        .collect();
    let created = client
        .post(
            "/api/v1/classifier/jobs",
            &json!({ "file_ids": files, "rules": rules() }),
        )
        .ok();
    let path = format!(
        "/api/v1/classifier/jobs/{}",
        created["id"].as_str().expect("an id")
    );
    emulator.advance(Duration::from_secs(3_599));
    assert_eq!(client.get(&path).ok()["status"], "PENDING");
    emulator.advance(Duration::from_secs(1));
    assert_eq!(client.get(&path).ok()["status"], "SUCCESS");
}

#[test]
fn v1_job_document_without_script_takes_default_duration() {
    let config = Config::default()
        .rate_limits(RateLimits::none())
        .virtual_clock()
        .reader_threads(1)
        .completed_after(Duration::from_secs(10))
        .script(Script::file("quick*").takes(Duration::from_secs(1)));
    let emulator = Emulator::start(config).expect("an emulator");
    let client = Client::new(&emulator);
    // With one reader they are read in the order in which they are named.
    for names in [["quick.txt", "plain.txt"], ["plain.txt", "quick.txt"]] {
        let files: Vec<String> = names
            .iter()
            .map(|name| bare(&client.upload(name, INVOICE.as_bytes())))
            .collect();
        let body = json!({ "file_ids": files, "rules": rules() });
        let created = client.post("/api/v1/classifier/jobs", &body).ok();
        let path = format!(
            "/api/v1/classifier/jobs/{}",
            created["id"].as_str().expect("an id")
        );
        emulator.advance(Duration::from_millis(9_999));
        assert_eq!(client.get(&path).ok()["status"], "PENDING", "{names:?}");
        emulator.advance(Duration::from_millis(1));
        assert_eq!(client.get(&path).ok()["status"], "SUCCESS", "{names:?}");
    }
}
