//! The emulator's own surface, while it runs.

use std::time::Duration;

use classify_emulator::{Config, Emulator, Fault, RateLimits, Route};
use serde_json::{Value, json};

use crate::test_client::{Client, INVOICE};

fn started(config: Config) -> (Emulator, Client) {
    let emulator = Emulator::start(config.rate_limits(RateLimits::none())).expect("an emulator");
    let client = Client::new(&emulator);
    (emulator, client)
}

#[test]
fn virtual_clock_completes_hour_long_poll_without_waiting() {
    let hour = Duration::from_secs(3_600);
    let (_emulator, client) = started(Config::default().virtual_clock().completed_after(hour));
    let id = client.create(&client.upload("bill.txt", INVOICE.as_bytes()));
    let path = format!("/api/v2/classify/{id}");
    let mut polls = 0;
    while client.get(&path).ok()["status"] != "COMPLETED" {
        let clock = client
            .post("/_emulator/clock", &json!({ "advance_ms": 5_000 }))
            .ok();
        assert_eq!(clock["virtual"], true);
        polls += 1;
        assert!(polls <= 720, "an hour has passed");
    }
    assert_eq!(polls, 720);
    assert_eq!(client.get(&path).ok()["result"]["type"], "invoice");
}

#[test]
fn virtual_clock_can_be_set_and_rejects_invalid_moves() {
    let (emulator, client) = started(Config::default().virtual_clock_at(1_767_323_045_678));
    let now = client
        .post("/_emulator/clock", &json!({ "to": "2026-01-02T03:05:00Z" }))
        .ok();
    assert_eq!(now["now"], "2026-01-02T03:05:00.000Z");
    assert_eq!(
        client.get("/_emulator/clock").ok()["now_ms"],
        json!(emulator.now())
    );
    for invalid in [
        json!({ "to": "2020-01-01T00:00:00Z" }),
        json!({}),
        json!({ "advance_ms": -1 }),
        json!(null),
    ] {
        assert_eq!(
            client.post("/_emulator/clock", &invalid).status,
            400,
            "{invalid}"
        );
    }
    let (_emulator, client) = started(Config::default());
    assert_eq!(
        client
            .post("/_emulator/clock", &json!({ "advance_ms": 1 }))
            .status,
        409,
        "the machine's clock"
    );
}

#[test]
fn scripts_and_faults_can_be_changed_at_runtime() {
    let (emulator, client) = started(Config::default());
    let put = client
        .put(
            "/_emulator/scripts",
            &json!([{ "file": "a*", "type": "x", "confidence": 0.5 }]),
        )
        .ok();
    assert_eq!(put[0]["type"], "x");
    assert_eq!(
        client.classified("a.txt", INVOICE.as_bytes())["result"]["type"],
        "x"
    );
    client
        .post(
            "/_emulator/scripts",
            &json!([{ "file": "a*", "fails": "TIMEOUT" }]),
        )
        .ok();
    assert_eq!(
        client.classified("a.txt", INVOICE.as_bytes())["status"],
        "FAILED",
        "a new script goes first"
    );
    assert_eq!(
        client
            .get("/_emulator/scripts")
            .ok()
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    client.delete("/_emulator/scripts").ok();
    assert_eq!(
        client.classified("a.txt", INVOICE.as_bytes())["result"]["type"],
        "invoice"
    );
    let invalid = client.put("/_emulator/scripts", &json!([{ "content": "(" }]));
    assert!(invalid.detail().contains("script 1"), "{}", invalid.text);

    let schedule = json!({ "seed": 1, "rules": [{ "fault": "503", "route": "classify.list", "when": { "nth": 2 } }] });
    client.put("/_emulator/faults", &schedule).ok();
    let statuses: Vec<u16> = (0..3)
        .map(|_| client.get("/api/v2/classify").status)
        .collect();
    assert_eq!(statuses, [200, 503, 200]);
    assert_eq!(
        client.get("/_emulator/faults").ok()["rules"][0]["fault"],
        "503"
    );
    client.delete("/_emulator/faults").ok();
    assert!(
        client
            .put(
                "/_emulator/faults",
                &json!({ "rules": [{ "fault": "flood" }] })
            )
            .detail()
            .contains("flood")
    );
    client.put("/_emulator/faults", &schedule).ok();
    for (invalid, part) in [
        (json!({ "rule": [] }), "rule"),
        (
            json!({ "rules": [{ "fault": "503", "rout": "classify.list" }] }),
            "rout",
        ),
        (
            json!({ "rules": [{ "fault": "503", "when": { "chance": 7 } }] }),
            "between 0 and 1",
        ),
    ] {
        let refused = client.put("/_emulator/faults", &invalid);
        assert_eq!(refused.status, 400, "{invalid}");
        assert!(refused.detail().contains(part), "{}", refused.text);
    }
    assert_eq!(
        client.get("/_emulator/faults").ok(),
        schedule,
        "the schedule stays as it was"
    );
    client.delete("/_emulator/faults").ok();
    assert_eq!(
        emulator
            .requests()
            .iter()
            .filter(|one| one.fault == Some(Fault::Unavailable))
            .count(),
        1
    );
}

#[test]
fn control_api_exposes_counters_request_log_and_reset() {
    let (emulator, client) = started(Config::default());
    client.classified("a.txt", INVOICE.as_bytes());
    client
        .put("/_emulator/parse-jobs/pjb-1", &json!({ "text": INVOICE }))
        .ok();
    assert_eq!(
        client.ended(&client.create("pjb-1"))["result"]["type"],
        "invoice"
    );
    let counters = client.get("/_emulator/counters").ok();
    assert_eq!(
        (
            &counters["requests"]["files.create"],
            &counters["requests"]["classify.create"]
        ),
        (&json!(1), &json!(2))
    );
    assert_eq!(counters["jobs"], json!({ "COMPLETED": 2 }));
    assert_eq!(counters["requests_total"], json!(emulator.request_count()));
    let request_log = client.get("/_emulator/requests").ok();
    assert_eq!(request_log[0]["route"], "files.create");
    assert_eq!(request_log[0]["status"], 201);
    assert!(
        !request_log.to_string().contains(emulator.key()),
        "the request log keeps no key"
    );
    assert_eq!(client.get("/_emulator/health").ok()["status"], "ok");
    assert!(client.get("/_emulator").ok().is_object());
    let reset = client
        .send("POST", "/_emulator/reset", None, Some(Vec::new()))
        .expect("a reply")
        .ok();
    assert_eq!(
        (&reset["jobs_total"], &reset["files"], &reset["requests"]),
        (&json!(0), &json!(0), &json!({}))
    );
    assert_eq!(client.get("/api/v2/classify").ok()["items"], json!([]));
    assert_eq!(emulator.count(Route::FileCreate), 0);
    assert_eq!(client.get("/_emulator/nothing").status, 404);
    assert_eq!(
        client
            .put("/_emulator/parse-jobs/pjb-1", &Value::Null)
            .status,
        400
    );
}
