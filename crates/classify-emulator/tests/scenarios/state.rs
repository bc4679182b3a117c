//! State that outlives the emulator.

use std::time::Duration;

use classify_emulator::{Config, Emulator, Limits};
use serde_json::{Value, json};

use crate::client::{Client, INVOICE, create_body, rules};

fn started(folder: &tempfile::TempDir) -> (Emulator, Client) {
    let config = Config::default()
        .limits(Limits::none())
        .virtual_clock()
        .seed(1)
        .state_file(folder.path().join("state.jsonl"));
    let emulator = Emulator::start(config).expect("an emulator");
    let client = Client::new(&emulator);
    (emulator, client)
}

#[test]
fn everything_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let (emulator, client) = started(&folder);
    let file = client.upload("bill.txt", INVOICE.as_bytes());
    let gone = client.upload("gone.txt", INVOICE.as_bytes());
    client.delete(&format!("/api/v1/beta/files/{gone}"));
    let done = client.create(&file);
    emulator.advance(Duration::from_secs(1));
    let done = client.get(&format!("/api/v2/classify/{done}")).ok();
    let mut body = create_body(&file);
    body["transaction_id"] = json!("once");
    let open = client.post("/api/v2/classify", &body).ok();
    let saved = client
        .post(
            "/api/v1/beta/configurations",
            &json!({ "name": "c",
            "parameters": { "product_type": "classify_v2", "rules": rules() } }),
        )
        .ok();
    let hook = client
        .post(
            "/api/v1/beta/webhook-configs",
            &json!({ "webhook_url": "http://x.test" }),
        )
        .ok();
    emulator.add_parse_job("pjb-1", INVOICE);
    let now = emulator.now();
    std::fs::write(emulator.upload_dir().join("upload-left-over"), b"x").expect("written");
    emulator.stop();

    let (emulator, client) = started(&folder);
    let path = |id: &Value| format!("/api/v2/classify/{}", id.as_str().expect("an id"));
    assert_eq!(emulator.now(), now, "the clock goes on where it stood");
    assert_eq!(client.get(&path(&done["id"])).ok(), done);
    assert_eq!(
        client.post("/api/v2/classify", &body).ok()["id"],
        open["id"],
        "the key still names its job"
    );
    emulator.advance(Duration::from_secs(1));
    let ended = client.get(&path(&open["id"])).ok();
    assert_eq!(
        (&ended["status"], &ended["result"]["type"]),
        (&json!("COMPLETED"), &json!("invoice"))
    );
    let listed = client.get("/api/v2/classify").ok();
    assert_eq!(listed["items"][0]["id"], open["id"], "the order is kept");
    assert_eq!(
        client.get(&format!("/api/v1/beta/files/{file}")).status,
        200
    );
    assert_eq!(
        client.get(&format!("/api/v1/beta/files/{gone}")).status,
        404
    );
    let configuration = format!(
        "/api/v1/beta/configurations/{}",
        saved["id"].as_str().expect("an id")
    );
    assert_eq!(client.get(&configuration).ok(), saved);
    let webhook = format!(
        "/api/v1/beta/webhook-configs/{}",
        hook["id"].as_str().expect("an id")
    );
    assert_eq!(client.get(&webhook).ok(), hook);
    assert_eq!(
        std::fs::read_dir(emulator.upload_dir())
            .expect("a folder")
            .count(),
        1,
        "nothing is left over"
    );
    let parse = client.create("pjb-1");
    emulator.advance(Duration::from_secs(1));
    assert_eq!(
        client.get(&format!("/api/v2/classify/{parse}")).ok()["result"]["type"],
        "invoice"
    );
    let again = client.upload("bill.txt", INVOICE.as_bytes());
    assert_ne!(again, file, "a seed draws no id twice");
}

#[test]
fn a_line_cut_off_with_the_process_is_passed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.jsonl");
    let (emulator, client) = started(&folder);
    let id = client.create(&client.upload("bill.txt", INVOICE.as_bytes()));
    let before = std::fs::read_to_string(&path).expect("a state file");
    drop(emulator);
    let half_a_line = "{\"t\":\"job\",\"k\":1,\"row\":{\"id";
    std::fs::write(&path, before + half_a_line).expect("written");
    let (emulator, client) = started(&folder);
    assert_eq!(
        client.get(&format!("/api/v2/classify/{id}")).status,
        200,
        "what was answered is kept"
    );
    emulator.advance(Duration::from_secs(1));
    assert_eq!(
        client.get(&format!("/api/v2/classify/{id}")).ok()["status"],
        "COMPLETED"
    );
}

#[test]
fn a_file_that_is_no_state_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    for (text, part) in [
        ("my shopping list\n", "line 1"),
        ("{\"t\":\"head\",\"v\":9}\n", "version 9"),
    ] {
        let path = folder.path().join("state.jsonl");
        std::fs::write(&path, text).expect("written");
        let error =
            Emulator::start(Config::default().state_file(&path)).expect_err("it is refused");
        assert!(
            error.to_string().contains(part) && error.to_string().contains("state.jsonl"),
            "{error}"
        );
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), text);
    }
}

#[test]
fn a_reset_is_remembered() {
    let folder = tempfile::tempdir().expect("a folder");
    let (emulator, client) = started(&folder);
    client.upload("bill.txt", INVOICE.as_bytes());
    emulator.reset();
    client.upload("new.txt", INVOICE.as_bytes());
    drop(emulator);
    let (emulator, client) = started(&folder);
    let files = client.get("/api/v1/beta/files").ok();
    assert_eq!(
        (emulator.file_count(), &files["items"][0]["name"]),
        (1, &json!("new.txt"))
    );
}

#[test]
fn one_emulator_at_a_time_uses_a_state_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.jsonl");
    let first = Emulator::start(Config::default().state_file(&path)).expect("an emulator");
    let error = Emulator::start(Config::default().state_file(&path)).expect_err("it is in use");
    assert!(error.to_string().contains("another emulator"), "{error}");
    first.stop();
    Emulator::start(Config::default().state_file(&path)).expect("it is free again");
}
