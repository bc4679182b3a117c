//! State that outlives the emulator.

use std::time::Duration;

use classify_emulator::{Config, Emulator, RateLimits};
use serde_json::{Value, json};

use crate::test_client::{Client, INVOICE, create_body, rules};

fn started(folder: &tempfile::TempDir) -> (Emulator, Client) {
    let config = Config::default()
        .rate_limits(RateLimits::none())
        .virtual_clock()
        .seed(1)
        .state_file(folder.path().join("state.jsonl"));
    let emulator = Emulator::start(config).expect("an emulator");
    let client = Client::new(&emulator);
    (emulator, client)
}

#[test]
fn state_file_restores_everything_after_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let (emulator, client) = started(&folder);
    let file = client.upload("bill.txt", INVOICE.as_bytes());
    let deleted = client.upload("gone.txt", INVOICE.as_bytes());
    client.delete(&format!("/api/v1/beta/files/{deleted}"));
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
    let webhook = client
        .post(
            "/api/v1/beta/webhook-configs",
            &json!({ "webhook_url": "http://x.test" }),
        )
        .ok();
    emulator.add_parse_job("pjb-1", INVOICE);
    let now = emulator.now();
    for leftover in ["upload-Ab3dE9.part", "00000000-0000-4000-8000-000000000000"] {
        std::fs::write(emulator.upload_dir().join(leftover), b"x").expect("written");
    }
    emulator.stop();

    let (emulator, client) = started(&folder);
    let path = |id: &Value| format!("/api/v2/classify/{}", id.as_str().expect("an id"));
    assert_eq!(emulator.now(), now, "the clock resumes from the saved time");
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
        client.get(&format!("/api/v1/beta/files/{deleted}")).status,
        404
    );
    let configuration_path = format!(
        "/api/v1/beta/configurations/{}",
        saved["id"].as_str().expect("an id")
    );
    assert_eq!(client.get(&configuration_path).ok(), saved);
    let webhook_path = format!(
        "/api/v1/beta/webhook-configs/{}",
        webhook["id"].as_str().expect("an id")
    );
    assert_eq!(client.get(&webhook_path).ok(), webhook);
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
fn state_file_truncated_last_line_is_ignored() {
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
fn state_file_with_invalid_content_is_rejected_and_unchanged() {
    let folder = tempfile::tempdir().expect("a folder");
    for (text, part) in [
        ("my shopping list\n", "line 1"),
        ("\"canary\"\n", "line 1"),
        ("{\"t\":\"canary\"}\n", "line 1"),
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
        assert!(!error.to_string().contains("canary"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), text);
    }
}

#[test]
fn state_file_keeps_reset_across_restart() {
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
fn state_file_is_used_by_one_emulator_at_a_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.jsonl");
    let first = Emulator::start(Config::default().state_file(&path)).expect("an emulator");
    let error = Emulator::start(Config::default().state_file(&path)).expect_err("it is in use");
    assert!(error.to_string().contains("another emulator"), "{error}");
    first.stop();
    Emulator::start(Config::default().state_file(&path)).expect("it is free again");
}

/// The names in a folder, sorted.
fn names(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            let name = entry.expect("an entry").file_name();
            name.into_string().expect("a plain name")
        })
        .collect();
    names.sort();
    names
}

#[test]
fn state_file_upload_folder_keeps_unrelated_files() {
    const UNRELATED: [&str; 4] = [
        "00000000-0000-4000-8000-000000000000.pdf",
        "report.pdf",
        "upload-report",
        "upload-wish-list.part",
    ];
    let outside = tempfile::tempdir().expect("a folder");
    let beside = outside.path().join("state.jsonl.files");
    let given = outside.path().join("given");
    let path = outside.path().join("state.jsonl");
    let config = || Config::default().state_file(&path);
    for (config, folder) in [(config(), &beside), (config().upload_dir(&given), &given)] {
        std::fs::create_dir_all(folder).expect("a folder");
        for name in UNRELATED {
            std::fs::write(folder.join(name), b"dear to somebody").expect("written");
        }
        for _ in 0..2 {
            Emulator::start(config.clone()).expect("an emulator").stop();
            assert_eq!(names(folder), UNRELATED);
        }
    }
}

#[test]
fn state_file_when_new_deletes_only_partial_uploads() {
    let folder = tempfile::tempdir().expect("a folder");
    let id = "00000000-0000-4000-8000-000000000000";
    let uploads = folder.path().join("state.jsonl.files");
    std::fs::create_dir_all(&uploads).expect("a folder");
    for name in [id, "upload-Ab3dE9.part"] {
        std::fs::write(uploads.join(name), b"x").expect("written");
    }
    let (emulator, _client) = started(&folder);
    assert_eq!(
        names(emulator.upload_dir()),
        [id],
        "whose state it was is not known any more"
    );
}

#[test]
fn state_file_keeps_virtual_clock_across_restarts_and_resets() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = 1_767_323_045_678;
    let path = folder.path().join("state.jsonl");
    let first = Emulator::start(Config::default().virtual_clock_at(start).state_file(&path))
        .expect("an emulator");
    first.stop();
    let (emulator, _client) = started(&folder);
    assert_eq!(emulator.now(), start, "although it was never moved");
    emulator.advance(Duration::from_secs(60));
    emulator.reset();
    drop(emulator);
    let (emulator, _client) = started(&folder);
    assert_eq!(
        emulator.now(),
        start + 60_000,
        "a reset does not change the clock"
    );
}

#[test]
fn state_file_lock_survives_replacement_of_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.jsonl");
    let config = || Config::default().state_file(&path);
    let first = Emulator::start(config()).expect("an emulator");
    // A process that opened the file before it was replaced still has the old file open.
    std::fs::rename(&path, folder.path().join("moved")).expect("renamed");
    std::fs::write(&path, b"").expect("written");
    Emulator::start(config()).expect_err("the name is in use, whatever file has it");
    drop(first);
    Emulator::start(config()).expect("it is free again");
}
