//! Version 2 lists: filters, pages, tokens.

use std::time::Duration;

use classify_emulator::{Config, Emulator, RateLimits};
use serde_json::{Value, json};

use crate::test_client::{Client, INVOICE, rules};

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
fn pagination_of_jobs_is_newest_first_and_ignores_new_jobs() {
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
fn validation_rejects_invalid_list_parameters() {
    let (_emulator, client) = quiet();
    let errors = |query: &str| {
        client
            .get(&format!("/api/v2/classify?{query}"))
            .validation_errors()
    };
    assert_eq!(
        errors("page_size=0"),
        ["query.page_size: greater_than_equal"]
    );
    assert_eq!(
        errors("page_size=101"),
        ["query.page_size: less_than_equal"]
    );
    assert_eq!(errors("page_size=ten"), ["query.page_size: int_parsing"]);
    assert_eq!(errors("status=DONE"), ["query.status: enum"]);
    assert_eq!(
        errors("project_id=mine"),
        ["query.project_id: uuid_parsing"]
    );
    assert_eq!(
        errors("created_at_on_or_after=now"),
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
fn list_filters_select_matching_jobs() {
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
