//! Webhooks, received by a listener with scripted responses.

use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use classify_emulator::{Config, Emulator, RateLimits};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};

use crate::test_client::{Client, INVOICE, create_body};

#[derive(Debug)]
struct Received {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Received {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    fn event(&self) -> Value {
        let value: Value = serde_json::from_slice(&self.body).expect("JSON");
        match value.as_str() {
            Some(text) => serde_json::from_str(text).expect("JSON within the string"),
            None => value,
        }
    }
}

/// Reads one request to its end: an answer that comes before it would be an answer to nothing.
fn request(reader: &mut impl BufRead) -> Received {
    let mut headers = Vec::new();
    let mut line = String::new();
    reader.read_line(&mut line).expect("a request line");
    loop {
        line.clear();
        reader.read_line(&mut line).expect("a header");
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .map(|(_, v)| v.parse().expect("a number"));
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).expect("a body");
    Received { headers, body }
}

/// Reads the request of a connection, and answers it.
fn answer(stream: &mut std::net::TcpStream, bytes: &[u8]) {
    request(&mut BufReader::new(&mut *stream));
    let _ = stream.write_all(bytes);
}

const OK: &[u8] = b"HTTP/1.1 200 X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Listens, answers each request with the next status (the last one for all that follow), and hands it on.
fn receiver(statuses: &'static [u16]) -> (String, Receiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let (sender, received) = channel();
    std::thread::spawn(move || {
        for (index, stream) in listener.incoming().enumerate() {
            let Ok(stream) = stream else { return };
            let mut reader = BufReader::new(stream);
            let request = request(&mut reader);
            let status = statuses.get(index).or(statuses.last()).expect("a status");
            let answer =
                format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = reader.get_mut().write_all(answer.as_bytes());
            if sender.send(request).is_err() {
                return;
            }
        }
    });
    (url, received)
}

fn started(loopback: bool) -> (Emulator, Client) {
    let config = Config::default()
        .rate_limits(RateLimits::none())
        .allow_loopback_webhooks(loopback)
        .webhook_retry_delay(Duration::from_millis(5));
    let emulator = Emulator::start(config).expect("an emulator");
    let client = Client::new(&emulator);
    (emulator, client)
}

fn create(client: &Client, webhook: &Value) -> Value {
    let mut body = create_body(&client.upload("bill.txt", INVOICE.as_bytes()));
    body["webhook_configurations"] = json!([webhook]);
    client.post("/api/v2/classify", &body).ok()
}

fn next(received: &Receiver<Received>) -> Received {
    received
        .recv_timeout(Duration::from_secs(60))
        .expect("a webhook")
}

#[test]
fn webhook_events_are_signed_and_complete() {
    let (_emulator, client) = started(true);
    let (url, received) = receiver(&[200]);
    let job = create(
        &client,
        &json!({ "webhook_url": url, "webhook_signing_secret": "key",
        "webhook_output_format": "json", "webhook_headers": { "x-mine": "yes", "user-agent": "mine" } }),
    );
    let mut types = Vec::new();
    for _ in 0..3 {
        let one = next(&received);
        let event = one.event();
        assert!(one.body.starts_with(b"{"), "an object");
        assert_eq!(one.header("content-type"), Some("application/json"));
        assert_eq!(
            one.header("user-agent"),
            Some("llamaindex-webhook-service/1.0"),
            "ours wins"
        );
        assert_eq!(one.header("x-mine"), Some("yes"));
        assert_eq!(one.header("x-webhook-event-id"), event["event_id"].as_str());
        assert_eq!(
            one.header("x-webhook-event-type"),
            event["event_type"].as_str()
        );
        assert_eq!(
            event["data"],
            json!({ "id": job["id"], "job_id": job["id"] })
        );
        assert!(event["timestamp"].is_f64());
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"key").expect("a key");
        mac.update(&one.body);
        let hex: Vec<String> = mac
            .finalize()
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let hex = hex.concat();
        assert_eq!(
            one.header("lc-signature"),
            Some(format!("sha256={hex}").as_str())
        );
        types.push(event["event_type"].as_str().expect("a word").to_owned());
    }
    types.sort();
    assert_eq!(
        types,
        ["classify.pending", "classify.running", "classify.success"]
    );
}

#[test]
fn webhook_sends_only_selected_events_and_string_by_default() {
    let (_emulator, client) = started(true);
    let (url, received) = receiver(&[200]);
    let saved = client
        .post(
            "/api/v1/beta/webhook-configs",
            &json!({ "webhook_url": url, "webhook_events": ["classify.success"] }),
        )
        .ok();
    let mut body = create_body(&client.upload("bill.txt", INVOICE.as_bytes()));
    body["webhook_configuration_ids"] = json!([saved["id"]]);
    client.post("/api/v2/classify", &body).ok();
    let one = next(&received);
    assert!(one.body.starts_with(b"\""), "a JSON string");
    assert_eq!(one.event()["event_type"], "classify.success");
    assert_eq!(one.header("lc-signature"), None, "no secret, no signature");
}

#[test]
fn webhook_of_v1_job_reports_partial_success() {
    let (emulator, client) = started(true);
    emulator
        .set_scripts(vec![
            classify_emulator::Script::file("broken*").fails("PDF_IS_BROKEN"),
        ])
        .expect("a script");
    let (url, received) = receiver(&[200]);
    let files: Vec<String> = ["bill.txt", "broken.txt"]
        .iter()
        .map(|name| client.upload(name, INVOICE.as_bytes()).replace("dfl-", ""))
        .collect();
    let webhook = json!({ "webhook_url": url, "webhook_headers": { "x-number": 5 }, "webhook_output_format": "json",
        "webhook_events": ["classify.partial_success", "classify.success"] });
    let body = json!({ "file_ids": files, "rules": crate::test_client::rules(), "webhook_configurations": [webhook] });
    let job = client.post("/api/v1/classifier/jobs", &body).ok();
    let one = next(&received);
    assert_eq!(one.event()["event_type"], "classify.partial_success");
    assert_eq!(one.event()["data"]["job_id"], job["id"]);
    assert_eq!(
        one.header("x-number"),
        Some("5"),
        "any value of a header, as text"
    );
}

#[test]
fn webhook_retry_stops_after_three_attempts() {
    let (emulator, client) = started(true);
    let (url, received) = receiver(&[500, 503, 404, 200]);
    let webhook = json!({ "webhook_url": url, "webhook_events": ["classify.success"] });
    create(&client, &webhook);
    let attempts = [next(&received), next(&received), next(&received)];
    assert!(
        attempts.iter().all(|one| one.body == attempts[0].body),
        "the same event each time"
    );
    create(&client, &webhook);
    assert_ne!(
        next(&received).event()["event_id"],
        attempts[0].event()["event_id"],
        "the first one was given up"
    );
    let deadline = Instant::now() + Duration::from_secs(60);
    while emulator.deliveries().len() < 4 {
        assert!(Instant::now() < deadline, "the attempts are noted");
        std::thread::sleep(Duration::from_millis(2));
    }
    let noted: Vec<(u32, Option<u16>)> = emulator
        .deliveries()
        .iter()
        .map(|d| (d.attempt, d.status))
        .collect();
    assert_eq!(
        noted,
        [
            (1, Some(500)),
            (2, Some(503)),
            (3, Some(404)),
            (1, Some(200))
        ]
    );
}

#[test]
fn webhook_to_loopback_is_blocked_by_default() {
    let (emulator, client) = started(false);
    let (url, received) = receiver(&[200]);
    create(
        &client,
        &json!({ "webhook_url": url, "webhook_events": ["classify.pending"] }),
    );
    let deadline = Instant::now() + Duration::from_secs(60);
    while emulator.deliveries().len() < 3 {
        assert!(Instant::now() < deadline, "the attempts are noted");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(
        emulator
            .deliveries()
            .iter()
            .all(|d| d.error.as_ref().is_some_and(|e| e.contains("blocked")))
    );
    assert!(received.try_recv().is_err(), "nothing was sent");
}

#[test]
fn webhook_delivery_failure_is_recorded_with_reason() {
    let (emulator, client) = started(true);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let encrypted = format!(
        "https://{}/hook",
        listener.local_addr().expect("an address")
    );
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(b"no TLS is spoken here\r\n");
        }
    });
    let reason = if cfg!(feature = "https-webhooks") {
        "no TLS"
    } else {
        "https-webhooks"
    };
    for (url, reason) in [
        (encrypted.as_str(), reason),
        ("http://127.0.0.1:1/hook", "no connection"),
        ("http://no-such-host.invalid/hook", "cannot be resolved"),
        ("http://", "not a URL"),
    ] {
        emulator.reset();
        create(
            &client,
            &json!({ "webhook_url": url, "webhook_events": ["classify.pending"] }),
        );
        let deadline = Instant::now() + Duration::from_secs(60);
        while emulator.deliveries().len() < 3 {
            assert!(Instant::now() < deadline, "{url}: the attempts are noted");
            std::thread::sleep(Duration::from_millis(2));
        }
        let errors: Vec<String> = emulator
            .deliveries()
            .into_iter()
            .filter_map(|delivery| delivery.error)
            .collect();
        assert!(
            errors.len() == 3 && errors.iter().all(|error| error.contains(reason)),
            "{url}: {errors:?}"
        );
    }
}

/// Listens, and hands each connection on as it comes.
fn connections() -> (String, Receiver<std::net::TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let (sender, came) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if sender.send(stream).is_err() {
                return;
            }
        }
    });
    (url, came)
}

#[test]
fn webhook_max_concurrency_is_reached_and_not_exceeded() {
    const MAX_CONCURRENT: usize = 64;
    let (emulator, client) = started(true);
    let (url, came) = connections();
    let webhook = json!({ "webhook_url": url, "webhook_events": ["classify.pending"] });
    let mut body = create_body(&client.upload("bill.txt", INVOICE.as_bytes()));
    body["webhook_configurations"] = json!(vec![webhook; 100]);
    client.post("/api/v2/classify", &body).ok();
    client.post("/api/v2/classify", &body).ok();
    let mut open: Vec<std::net::TcpStream> = Vec::new();
    let mut answered = 0;
    let mut max_open = 0;
    while answered < 200 {
        let wait = if open.len() < MAX_CONCURRENT && answered + open.len() < 200 {
            Duration::from_secs(60)
        } else {
            // Nothing more may come before one of these has been answered.
            Duration::from_millis(100)
        };
        if let Ok(stream) = came.recv_timeout(wait) {
            open.push(stream);
            max_open = max_open.max(open.len());
            continue;
        }
        assert!(!open.is_empty(), "{answered} of 200 have come");
        for mut stream in open.drain(..) {
            answer(&mut stream, OK);
            answered += 1;
        }
    }
    assert_eq!(max_open, MAX_CONCURRENT);
    let deadline = Instant::now() + Duration::from_secs(60);
    while emulator.deliveries().len() < 200 {
        assert!(Instant::now() < deadline, "the attempts are noted");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(emulator.deliveries().iter().all(|d| d.status == Some(200)));
    body["webhook_configurations"] = json!(vec![hook_without_address(); 101]);
    assert_eq!(
        client.post("/api/v2/classify", &body).validation_errors(),
        ["body.webhook_configurations: too_long"]
    );
}

fn hook_without_address() -> Value {
    json!({})
}

#[test]
fn webhook_delivery_accepts_response_with_unfinished_body() {
    let (emulator, client) = started(true);
    let (url, came) = connections();
    create(
        &client,
        &json!({ "webhook_url": url, "webhook_events": ["classify.pending"] }),
    );
    let mut stream = came
        .recv_timeout(Duration::from_secs(60))
        .expect("a webhook");
    answer(
        &mut stream,
        b"HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\nthe rest will foll",
    );
    let deadline = Instant::now() + Duration::from_secs(60);
    while emulator.deliveries().is_empty() {
        assert!(Instant::now() < deadline, "the attempt is noted");
        std::thread::sleep(Duration::from_millis(2));
    }
    let delivery = emulator.deliveries().remove(0);
    assert_eq!((delivery.attempt, delivery.status), (1, Some(200)));
    assert_eq!(delivery.error, None);
    drop(stream);
}

#[test]
fn webhook_in_flight_at_reset_is_not_recorded() {
    let (emulator, client) = started(true);
    let (url, came) = connections();
    let webhook = json!({ "webhook_url": url, "webhook_events": ["classify.pending"] });
    create(&client, &webhook);
    let first = came
        .recv_timeout(Duration::from_secs(60))
        .expect("a webhook");
    emulator.reset();
    // Not answered, and so to be tried again, if anybody still asked for it.
    drop(first);
    let job = create(&client, &webhook);
    let mut second = came
        .recv_timeout(Duration::from_secs(60))
        .expect("a webhook");
    answer(&mut second, OK);
    let deadline = Instant::now() + Duration::from_secs(60);
    while emulator.deliveries().is_empty() {
        assert!(Instant::now() < deadline, "the attempt is noted");
        std::thread::sleep(Duration::from_millis(2));
    }
    let jobs: Vec<String> = emulator
        .deliveries()
        .into_iter()
        .map(|delivery| delivery.job_id)
        .collect();
    assert_eq!(jobs, [job["id"].as_str().expect("an id")]);
}

/// The 38 events that the service has, by product.
const EVENTS: [(&str, &str); 7] = [
    ("batch", "cancelled error pending running success"),
    (
        "classify",
        "cancelled error partial_success pending running success",
    ),
    ("extract", "cancelled error partial_success pending success"),
    (
        "parse",
        "cancelled error partial_success pending running success",
    ),
    ("sheets", "cancelled error partial_success pending success"),
    ("split", "cancelled error pending processing success"),
    ("verify", "cancelled error pending running success"),
];

#[test]
fn webhook_event_validation_rejects_unknown_events_except_in_v1() {
    let (_emulator, client) = started(true);
    let known: Vec<String> = EVENTS
        .iter()
        .flat_map(|(product, events)| {
            events
                .split(' ')
                .map(move |event| format!("{product}.{event}"))
        })
        .chain(["unmapped_event".to_owned()])
        .collect();
    assert_eq!(known.len(), 38);
    let file = client.upload("bill.txt", INVOICE.as_bytes());
    let inline = |events: &Value| {
        let mut body = create_body(&file);
        body["webhook_configurations"] = json!([{ "webhook_events": events }]);
        client.post("/api/v2/classify", &body)
    };
    let url = "https://example.test/hook";
    let saved = |events: &Value| {
        let body = json!({ "webhook_url": url, "webhook_events": events });
        client.post("/api/v1/beta/webhook-configs", &body)
    };
    inline(&json!(known)).ok();
    inline(&json!([])).ok();
    let webhook = saved(&json!(known)).ok();
    let path = format!(
        "/api/v1/beta/webhook-configs/{}",
        webhook["id"].as_str().expect("an id")
    );
    let update = |events: &Value| client.put(&path, &json!({ "webhook_events": events }));
    update(&json!(known)).ok();
    for unknown in [
        "classify.done",
        "classify",
        "CLASSIFY.SUCCESS",
        "split.running",
    ] {
        let events = json!(["classify.success", unknown]);
        assert_eq!(
            inline(&events).validation_errors(),
            ["body.webhook_configurations.0.webhook_events.1: enum"]
        );
        assert_eq!(
            saved(&events).validation_errors(),
            ["body.webhook_events.1: enum"]
        );
        assert_eq!(
            update(&events).validation_errors(),
            ["body.webhook_events.1: enum"]
        );
        // Version 1 has free texts there.
        let body = json!({ "file_ids": [file.replace("dfl-", "")], "rules": crate::test_client::rules(),
            "webhook_configurations": [{ "webhook_events": events }] });
        client.post("/api/v1/classifier/jobs", &body).ok();
    }
}

/// Read, change one header, write all of them: what is delivered has the stored value of the others.
#[test]
fn saved_webhook_credentials_are_masked_and_survive_update() {
    let (_emulator, client) = started(true);
    let (url, received) = receiver(&[200]);
    let path = "/api/v1/beta/webhook-configs";
    let with_password = url.replace("http://", "http://user:canary1@");
    let created = client.post(
        path,
        &json!({ "webhook_url": with_password, "webhook_output_format": "json",
        "webhook_headers": { "x-token": "canary2", "x-team": "canary3" } }),
    );
    let one = format!("{path}/{}", created.json()["id"].as_str().expect("an id"));
    for shown in [
        created.text,
        client.get(&one).text,
        client.get(path).text,
        client.get("/api/v2/webhook-configs").text,
    ] {
        assert!(!shown.contains("canary"), "{shown}");
    }
    let mut read = client.get(&one).ok();
    assert_eq!(
        read["webhook_url"],
        url.replace("http://", "http://user:********@")
    );
    read["webhook_headers"]["x-team"] = json!("green");
    let written = client
        .put(
            &one,
            &json!({ "webhook_url": read["webhook_url"], "webhook_headers": read["webhook_headers"] }),
        )
        .ok();
    assert_eq!(written["webhook_url"], read["webhook_url"]);
    assert_eq!(
        client
            .put(&one, &json!({ "webhook_headers": { "x-new": "********" } }))
            .validation_errors(),
        ["body.webhook_headers.x-new: value_error"]
    );

    let mut body = create_body(&client.upload("bill.txt", INVOICE.as_bytes()));
    body["webhook_configuration_ids"] = json!([read["id"]]);
    client.post("/api/v2/classify", &body).ok();
    let delivered = next(&received);
    assert_eq!(delivered.header("x-token"), Some("canary2"));
    assert_eq!(delivered.header("x-team"), Some("green"));
}
