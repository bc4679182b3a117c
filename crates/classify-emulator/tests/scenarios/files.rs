//! Files: uploads, lists, links and their end.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use classify_emulator::{Config, Emulator, RateLimits};
use serde_json::{Value, json};

use crate::test_client::{Client, create_body, form};

fn started(config: Config) -> (Emulator, Client) {
    let emulator = Emulator::start(config.rate_limits(RateLimits::none())).expect("an emulator");
    let client = Client::new(&emulator);
    (emulator, client)
}

fn names(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items");
    items
        .iter()
        .map(|item| item["name"].as_str().expect("a name").to_owned())
        .collect()
}

fn on_disk(emulator: &Emulator) -> usize {
    std::fs::read_dir(emulator.upload_dir())
        .expect("the folder")
        .count()
}

#[test]
fn upload_content_is_returned_unchanged_until_deleted() {
    let (emulator, client) = started(Config::default());
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let texts = [("purpose", "classify"), ("external_file_id", "mine-1")];
    let reply = client.upload_form("", &texts, Some(("Ä file.TXT", &bytes)));
    assert_eq!(reply.status, 201, "{}", reply.text);
    let file = reply.json();
    assert_eq!(file["name"], "Ä file.TXT");
    assert_eq!(
        (&file["file_type"], &file["purpose"]),
        (&json!("txt"), &json!("classify"))
    );
    assert_eq!(file["external_file_id"], "mine-1");
    assert!(file["project_id"].is_string() && file["expires_at"].is_string());
    let id = file["id"].as_str().expect("an id");
    let path = format!("/api/v1/beta/files/{id}");
    assert_eq!(client.get(&path).ok(), file);
    let bare = path.replace("dfl-", "");
    assert_eq!(
        client.get(&bare).ok(),
        file,
        "a bare uuid names the same file"
    );
    let linked = client.get(&format!("{path}?expand=download_url")).ok();
    assert!(linked["download_url"]["url"].is_string());

    let link = client.get(&format!("{path}/content")).ok();
    let url = link["url"].as_str().expect("a url").to_owned();
    let mut content = Vec::new();
    ureq::get(&url)
        .call()
        .expect("the content")
        .body_mut()
        .as_reader()
        .read_to_end(&mut content)
        .expect("bytes");
    assert!(content == bytes, "the bytes are the same");

    let deleted = client.delete(&path);
    assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
    assert_eq!(client.get(&path).status, 404);
    assert_eq!(client.delete(&path).status, 404);
    assert_eq!(on_disk(&emulator), 0);
}

#[test]
fn upload_multipart_parts_are_accepted_in_any_order() {
    let (_emulator, client) = started(Config::default());
    let (kind, _) = form(&[], None);
    let boundary = kind.split_once("boundary=").expect("a boundary").1;
    let body = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\ntext\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"unknown\"\r\n\r\nx\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nclassify\r\n--{boundary}--\r\n"
    );
    let reply = client
        .send(
            "POST",
            "/api/v1/beta/files",
            Some(&kind),
            Some(body.into_bytes()),
        )
        .expect("a reply");
    assert_eq!(reply.status, 201, "{}", reply.text);
}

#[test]
fn upload_validation_rejects_bad_forms_and_stores_nothing() {
    let (emulator, client) = started(Config::default().upload_limit(1_000));
    let purpose = [("purpose", "classify")];
    let status = |file: Option<(&str, &[u8])>| client.upload_form("", &purpose, file);
    assert!(status(None).detail().contains("no part named file"));
    assert_eq!(status(None).status, 400);
    assert_eq!(status(Some(("", b"text"))).status, 400, "no file name");
    assert_eq!(status(Some(("a.txt", b""))).status, 400, "empty");
    assert_eq!(
        status(Some(("a.txt", &[b'x'; 1_000]))).status,
        201,
        "exactly the limit"
    );
    let large = status(Some(("a.txt", &vec![b'x'; 3_000_000])));
    assert_eq!(large.status, 413);
    assert!(large.detail().contains("1000"), "{}", large.text);
    let no_purpose = client.upload_form("", &[], Some(("a.txt", b"text")));
    assert_eq!(no_purpose.validation_errors(), ["body.purpose: missing"]);
    let long = "n".repeat(3_001);
    assert_eq!(
        status(Some((&long, b"text"))).validation_errors(),
        ["body.file: string_too_long"]
    );
    let no_form = client.post("/api/v1/beta/files", &json!({}));
    assert_eq!(no_form.status, 400);
    assert_eq!((on_disk(&emulator), emulator.file_count()), (1, 1));
}

#[test]
fn upload_aborted_by_client_leaves_no_file() {
    let (emulator, client) = started(Config::default());
    let (kind, body) = form(
        &[("purpose", "classify")],
        Some(("a.txt", &vec![b'x'; 200_000])),
    );
    let mut socket = std::net::TcpStream::connect(emulator.address()).expect("a connection");
    let head = format!(
        "POST /api/v1/beta/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\ncontent-type: {kind}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).expect("sent");
    socket.write_all(&body[..150_000]).expect("sent");
    let deadline = Instant::now() + Duration::from_secs(30);
    while on_disk(&emulator) == 0 {
        assert!(Instant::now() < deadline, "the upload has begun on disk");
        std::thread::sleep(Duration::from_millis(2));
    }
    drop(socket);
    while on_disk(&emulator) > 0 {
        assert!(Instant::now() < deadline, "the file that was begun is gone");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(client.get("/api/v1/beta/files").ok()["items"], json!([]));
}

#[test]
fn upload_multipart_limits_bound_heads_and_unknown_parts() {
    let (emulator, client) = started(Config::default().upload_limit(1_000_000));
    let (kind, _) = form(&[], None);
    let boundary = kind.split_once("boundary=").expect("a boundary").1;
    let send = |body: String| {
        let reply = client.send(
            "POST",
            "/api/v1/beta/files",
            Some(&kind),
            Some(body.into_bytes()),
        );
        let reply = reply.expect("a reply");
        (reply.status, reply.detail())
    };
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; x=\"{}",
        "h".repeat(900_000)
    );
    let (status, detail) = send(head);
    assert_eq!(status, 400);
    assert!(detail.contains("head of a part"), "{detail}");
    let part = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n{}\r\n",
        "x".repeat(99_000)
    );
    let endless = format!("{}--{boundary}--\r\n", part.repeat(40));
    assert_eq!(send(endless).0, 413, "unknown parts count too");
    let long = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n{}\r\n",
        "x".repeat(20_000)
    );
    assert_eq!(send(long).0, 400);
    assert_eq!(on_disk(&emulator), 0);
}

#[test]
fn upload_timeout_ends_stalled_upload_with_408() {
    let (emulator, _client) = started(Config::default().read_timeout(Duration::from_secs(1)));
    let (kind, body) = form(&[("purpose", "classify")], Some(("a.txt", &[b'x'; 9_000])));
    let mut socket = std::net::TcpStream::connect(emulator.address()).expect("a connection");
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a timeout");
    let head = format!(
        "POST /api/v1/beta/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\ncontent-type: {kind}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).expect("sent");
    socket.write_all(&body[..5_000]).expect("sent");
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 408");
    assert_eq!(on_disk(&emulator), 0);
}

#[test]
fn pagination_filter_and_sort_apply_to_file_lists_and_queries() {
    let (emulator, client) = started(Config::default().virtual_clock());
    let mut ids = Vec::new();
    for (name, external) in [
        ("b.txt", "x-1"),
        ("a.txt", "x-2"),
        ("c.txt", "x-3"),
        ("a.txt", "x-4"),
    ] {
        let texts = [("purpose", "classify"), ("external_file_id", external)];
        let file = client.upload_form("", &texts, Some((name, b"text"))).ok();
        ids.push(file["id"].as_str().expect("an id").to_owned());
        emulator.advance(Duration::from_secs(1));
    }
    let list = |query: &str| names(&client.get(&format!("/api/v1/beta/files?{query}")).ok());
    assert_eq!(
        list(""),
        ["a.txt", "c.txt", "a.txt", "b.txt"],
        "newest first"
    );
    assert_eq!(list("order_by=created_at"), list(""));
    assert_eq!(list("order_by=name"), ["a.txt", "a.txt", "b.txt", "c.txt"]);
    assert_eq!(list("file_name=a.txt"), ["a.txt", "a.txt"]);
    assert_eq!(list("external_file_id=x-3"), ["c.txt"]);
    assert_eq!(
        list(&format!(
            "file_ids={}&file_ids={}",
            ids[0],
            ids[2].replace("dfl-", "")
        )),
        ["c.txt", "b.txt"]
    );
    let errors = |query: &str| {
        client
            .get(&format!("/api/v1/beta/files?{query}"))
            .validation_errors()
    };
    assert_eq!(errors("order_by=size"), ["query.order_by: enum"]);
    assert_eq!(
        errors("page_size=1001"),
        ["query.page_size: less_than_equal"]
    );
    assert_eq!(errors("file_ids=x"), ["query.file_ids: uuid_parsing"]);
    let by_id: Vec<Value> = client.get("/api/v1/beta/files?order_by=id").ok()["items"]
        .as_array()
        .expect("items")
        .clone();
    assert!(by_id.is_sorted_by_key(|file| file["id"].as_str().expect("an id").to_owned()));

    for order in ["name", "id", "created_at"] {
        let mut seen = Vec::new();
        let mut token = String::new();
        loop {
            let page = client
                .get(&format!(
                    "/api/v1/beta/files?order_by={order}&page_size=1&page_token={token}"
                ))
                .ok();
            seen.extend(
                page["items"]
                    .as_array()
                    .expect("items")
                    .iter()
                    .map(|file| file["id"].clone()),
            );
            let Some(next) = page["next_page_token"].as_str() else {
                break;
            };
            next.clone_into(&mut token);
            assert!(seen.len() < 9, "the pages end");
        }
        let all = client
            .get(&format!("/api/v1/beta/files?order_by={order}"))
            .ok();
        let all: Vec<Value> = all["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|file| file["id"].clone())
            .collect();
        assert_eq!(seen, all, "{order}");
    }

    let query = |body: Value| names(&client.post("/api/v1/beta/files/query", &body).ok());
    assert_eq!(query(json!({})).len(), 4);
    assert_eq!(
        query(json!({ "filter": { "file_name": "a.txt" }, "page_size": 1 })),
        ["a.txt"]
    );
    assert_eq!(
        query(json!({ "filter": { "file_ids": [ids[0]] }, "page_size": 9_999 })),
        ["b.txt"],
        "clamped"
    );
    assert_eq!(
        query(json!({ "filter": { "external_file_id": "x-2" }, "order_by": "name" })),
        ["a.txt"]
    );
    assert_eq!(query(json!({ "filter": null })).len(), 4);
}

#[test]
fn files_expire_after_48_hours() {
    let (emulator, client) = started(Config::default().virtual_clock());
    let id = client.upload("a.txt", b"text");
    emulator.advance(Duration::from_secs(48 * 3_600));
    assert_eq!(client.get(&format!("/api/v1/beta/files/{id}")).status, 404);
    assert_eq!(
        client.post("/api/v2/classify", &create_body(&id)).status,
        400
    );
    assert_eq!(on_disk(&emulator), 0);
}

#[test]
fn validation_rejects_invalid_file_ids() {
    let (_emulator, client) = started(Config::default());
    assert_eq!(
        client
            .get("/api/v1/beta/files/nonsense")
            .validation_errors(),
        ["path.file_id: uuid_parsing"]
    );
    let absent = "/api/v1/beta/files/00000000-0000-4000-8000-000000000000";
    assert_eq!(client.get(absent).status, 404);
    assert_eq!(
        client
            .get(&format!("{absent}/content?expires_at_seconds=0"))
            .status,
        422
    );
}

#[test]
fn rate_limit_applies_to_uploads() {
    let emulator = Emulator::start(Config::default().virtual_clock()).expect("an emulator");
    let client = Client::new(&emulator);
    let upload = || {
        client
            .upload_form("", &[("purpose", "classify")], Some(("a.txt", b"text")))
            .status
    };
    let statuses: Vec<u16> = (0..52).map(|_| upload()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 50);
    assert_eq!(upload(), 429);
    emulator.advance(Duration::from_secs(5));
    assert_eq!(upload(), 201);
}
