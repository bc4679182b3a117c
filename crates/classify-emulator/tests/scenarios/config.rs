//! The emulator's configuration (API keys, scripts, rate limits, seed) and its request log.

use std::time::Duration;

use classify_emulator::{Config, Emulator, RateLimits, Script};
use serde_json::{Value, json};

use crate::test_client::{Client, INVOICE, create_body};

fn started(config: Config) -> (Emulator, Client) {
    let emulator = Emulator::start(config).expect("an emulator");
    let client = Client::new(&emulator);
    (emulator, client)
}

fn quiet() -> (Emulator, Client) {
    started(Config::default().rate_limits(RateLimits::none()))
}

#[test]
fn auth_api_key_is_required_and_checked() {
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
fn script_determines_job_outcome_and_duration() {
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
            .rate_limits(RateLimits::none())
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
fn rate_limit_by_default_admits_40_creates() {
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
fn request_log_records_requests_and_redacts_api_key() {
    let (emulator, client) = quiet();
    let file = client.upload("bill.txt", INVOICE.as_bytes());
    let mut body = create_body(&file);
    body["transaction_id"] = json!("seen");
    client.post("/api/v2/classify", &body).ok();
    client.get("/api/v2/classify?page_size=3&status=").ok();
    let requests = emulator.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(
        requests[1]
            .body
            .as_ref()
            .map(|body| &body["transaction_id"]),
        Some(&json!("seen"))
    );
    assert_eq!(requests[2].query_parameter("page_size"), Some("3"));
    assert_eq!(
        (requests[2].status, requests[2].authorized),
        (Some(200), true)
    );
    assert_eq!(requests[2].header("authorization"), Some("(hidden)"));
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

#[test]
fn rate_limit_of_free_tier_is_20_requests_per_minute() {
    let (emulator, client) = started(
        Config::default()
            .virtual_clock()
            .rate_limits(RateLimits::free_tier()),
    );
    let statuses: Vec<u16> = (0..22)
        .map(|_| client.get("/api/v2/classify").status)
        .collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 20);
    assert!(
        client
            .get("/api/v2/classify")
            .detail()
            .contains("Rate limit")
    );
    emulator.advance(Duration::from_secs(60));
    assert_eq!(client.get("/api/v2/classify").status, 200);
}

#[test]
fn seed_makes_ids_reproducible() {
    let ids = |config: Config| -> Vec<String> {
        let (emulator, client) = started(config.rate_limits(RateLimits::none()).virtual_clock());
        let file = client.upload("bill.txt", INVOICE.as_bytes());
        let first = client.create(&file);
        emulator.advance(Duration::from_millis(60));
        let second = client.create(&file);
        emulator.advance(Duration::from_secs(1));
        let parse = |id: &str| {
            client.get(&format!("/api/v2/classify/{id}")).ok()["parse_job_id"].to_string()
        };
        vec![parse(&first), parse(&second), file, first, second]
    };
    let with_seed = ids(Config::default().seed(3));
    assert_eq!(with_seed, ids(Config::default().seed(3)));
    assert_ne!(with_seed, ids(Config::default().seed(4)));
    assert_ne!(
        ids(Config::default()),
        ids(Config::default()),
        "without a seed ids are new each time"
    );
}
