//! Every fault, as a client meets it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use classify_emulator::{Config, Emulator, Fault, FaultRule, FaultSchedule, RateLimits, Route};
use serde_json::{Value, json};

use crate::test_client::{Client, INVOICE, Reply, create_body};

/// An emulator that stores one file; its faults are set afterwards.
pub(crate) struct Fixture {
    pub(crate) emulator: Emulator,
    client: Client,
    file: String,
}

pub(crate) fn fixture(config: Config) -> Fixture {
    let emulator = Emulator::start(
        config
            .rate_limits(RateLimits::none())
            .virtual_clock_at(1_767_323_045_678),
    );
    let emulator = emulator.expect("an emulator");
    let client = Client::new(&emulator).unchecked();
    let file = client.upload("bill.txt", INVOICE.as_bytes());
    Fixture {
        emulator,
        client,
        file,
    }
}

impl Fixture {
    pub(crate) fn set_fault(&self, rule: FaultRule) -> &Self {
        self.emulator.set_faults(FaultSchedule::new().with(rule));
        self
    }

    /// Creates a job under a fault, and gives the reply (or none) and how many jobs there are after it.
    fn create(&self, fault: Fault) -> (Result<Reply, ureq::Error>, usize) {
        self.emulator.reset();
        let file = self
            .set_fault(Fault::Gzip.nth(9))
            .client
            .upload("bill.txt", INVOICE.as_bytes());
        self.set_fault(fault.nth(1).on(Route::ClassifyCreate));
        let reply = self
            .client
            .try_json("POST", "/api/v2/classify", &create_body(&file));
        let record = self.emulator.requests().pop().expect("a record");
        assert_eq!(record.fault, Some(fault), "the request log names the fault");
        assert_eq!(
            record.status,
            reply
                .as_ref()
                .ok()
                .map(|reply| reply.status)
                .or(record.status)
        );
        (reply, self.emulator.job_count())
    }
}

#[test]
fn fault_before_processing_replaces_response_and_creates_no_job() {
    let fixture = fixture(Config::default());
    for (fault, status, header) in [
        (Fault::BadGatewayHtml, 502, None),
        (Fault::ForbiddenHtml, 403, None),
        (Fault::CaptivePortal, 200, None),
        (Fault::CreditCap, 402, None),
        (Fault::ExpiredKey, 401, None),
        (Fault::ServerErrorBefore, 500, None),
        (Fault::Unavailable, 503, None),
        (
            Fault::UnavailableShouldRetry,
            503,
            Some(("x-should-retry", "true")),
        ),
        (
            Fault::UnavailableShouldNotRetry,
            503,
            Some(("x-should-retry", "false")),
        ),
        (Fault::RateLimited, 429, None),
        (Fault::RateLimitedSeconds, 429, Some(("retry-after", "1"))),
        (
            Fault::RateLimitedMillis,
            429,
            Some(("retry-after-ms", "20")),
        ),
        (
            Fault::RateLimitedDate,
            429,
            Some(("retry-after", "Fri, 02 Jan 2026 03:04:06 GMT")),
        ),
        (
            Fault::RateLimitedAbsurd,
            429,
            Some(("retry-after", "99999999999999")),
        ),
        (
            Fault::RateLimitedGarbage,
            429,
            Some(("retry-after", "soon")),
        ),
        (Fault::PaymentRequired, 402, None),
        (Fault::Unauthorized, 401, None),
        (Fault::RequestTimeout, 408, None),
        (Fault::Conflict, 409, None),
        (
            Fault::Redirect,
            307,
            Some(("location", "http://elsewhere.invalid/api/v2/classify")),
        ),
    ] {
        let (reply, jobs) = fixture.create(fault);
        let reply = reply.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!((reply.status, jobs), (status, 0), "{fault:?}");
        assert!(!fault.server_acts(), "{fault:?}");
        for name in [
            "retry-after",
            "retry-after-ms",
            "x-should-retry",
            "location",
        ] {
            let expected = header
                .filter(|(key, _)| *key == name)
                .map(|(_, value)| value);
            let found = reply
                .headers
                .get(name)
                .map(|value| value.to_str().expect("text"));
            assert_eq!(found, expected, "{fault:?} {name}");
        }
        match fault {
            Fault::BadGatewayHtml | Fault::ForbiddenHtml | Fault::CaptivePortal => {
                assert!(reply.text.starts_with("<html>"), "{}", reply.text);
            }
            Fault::Redirect => {}
            _ => assert!(!reply.detail().is_empty()),
        }
    }
}

#[test]
fn fault_after_processing_loses_or_changes_response_of_created_job() {
    let fixture = fixture(Config::default());
    for (fault, status) in [
        (Fault::ServerErrorAfter, 500),
        (Fault::GatewayTimeoutAfter, 504),
        (Fault::NotJson, 200),
        (Fault::SlowDrip, 200),
        (Fault::UnknownStatus, 200),
        (Fault::ExtraFields, 200),
        (Fault::WrongLength, 200),
    ] {
        let (reply, jobs) = fixture.create(fault);
        let reply = reply.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!((reply.status, jobs), (status, 1), "{fault:?}");
        assert!(fault.server_acts(), "{fault:?}");
        let body: Option<Value> = serde_json::from_str(&reply.text).ok();
        match fault {
            Fault::NotJson | Fault::WrongLength | Fault::GatewayTimeoutAfter => {
                assert_eq!(body, None, "{fault:?}: {}", reply.text);
            }
            Fault::UnknownStatus => assert_eq!(reply.json()["status"], "HIBERNATING"),
            Fault::ExtraFields => assert!(reply.json()["x_added_later"].is_object()),
            _ => assert!(body.is_some(), "{fault:?}: {}", reply.text),
        }
    }
    for fault in [Fault::ResetAfter, Fault::CloseAfter, Fault::BodyCut] {
        let (reply, jobs) = fixture.create(fault);
        assert!(reply.is_err(), "{fault:?}: {reply:?}");
        assert_eq!(jobs, 1, "{fault:?}");
    }
    for fault in [Fault::ResetBefore, Fault::CloseBefore] {
        let (reply, jobs) = fixture.create(fault);
        assert!(reply.is_err(), "{fault:?}: {reply:?}");
        assert_eq!(jobs, 0, "{fault:?}");
    }
}

#[test]
fn fault_hang_sends_no_response_until_client_timeout() {
    let fixture = fixture(Config::default());
    let body = create_body(&fixture.file);
    for (fault, jobs) in [(Fault::HangBefore, 0), (Fault::HangAfter, 1)] {
        fixture.set_fault(fault.nth(1));
        let short_timeout_client =
            Client::new(&fixture.emulator).with_timeout(Duration::from_secs(1));
        let reply = short_timeout_client.try_json("POST", "/api/v2/classify", &body);
        assert!(matches!(reply, Err(ureq::Error::Timeout(_))), "{reply:?}");
        // On a busy machine the client may give up before the server has come to act.
        let deadline = Instant::now() + Duration::from_secs(60);
        while fixture.emulator.job_count() < jobs && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(fixture.emulator.job_count(), jobs, "{fault:?}");
        assert_eq!(
            fixture.emulator.requests().pop().expect("a record").status,
            None
        );
    }
    assert_eq!(
        fixture.client.get("/api/v2/classify").status,
        200,
        "others are served meanwhile"
    );
}

#[test]
fn fault_on_job_removes_fields_and_changes_timestamps() {
    let fixture = fixture(Config::default());
    let id = fixture.client.create(&fixture.file);
    let get = |fault: Fault| {
        fixture
            .set_fault(fault.always())
            .client
            .get(&format!("/api/v2/classify/{id}"))
            .ok()
    };
    assert_eq!(
        get(Fault::MissingFields),
        json!({ "id": id, "status": "PENDING" })
    );
    let nulls = get(Fault::NullFields);
    assert_eq!(
        (&nulls["id"], &nulls["project_id"], &nulls["created_at"]),
        (&json!(id), &Value::Null, &Value::Null)
    );
    assert_eq!(
        get(Fault::NaiveTimestamps)["created_at"],
        "2026-01-02T03:04:05.678"
    );
    assert_eq!(
        get(Fault::OffsetTimestamps)["created_at"],
        "2026-01-02T05:04:05.678000+02:00"
    );
    let listed = fixture
        .set_fault(Fault::MissingFields.always())
        .client
        .get("/api/v2/classify")
        .ok();
    assert_eq!(listed["items"], json!([{ "id": id, "status": "PENDING" }]));
}

#[test]
fn fault_on_pagination_returns_empty_pages_and_repeated_tokens() {
    let fixture = fixture(Config::default());
    let mut ids: Vec<Value> = (0..5)
        .map(|_| json!(fixture.client.create(&fixture.file)))
        .collect();
    ids.reverse();
    let page = |token: Option<&str>| {
        let token = token
            .map(|token| format!("&page_token={token}"))
            .unwrap_or_default();
        let page = fixture
            .client
            .get(&format!("/api/v2/classify?page_size=2{token}"))
            .ok();
        let items: Vec<Value> = page["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|i| i["id"].clone())
            .collect();
        (items, page["next_page_token"].as_str().map(str::to_owned))
    };
    let follow_pages = |page_limit: usize| {
        let mut items_seen = Vec::new();
        let mut tokens: Vec<String> = Vec::new();
        for _ in 0..page_limit {
            let (items, token) = page(tokens.last().map(String::as_str));
            items_seen.extend(items);
            let Some(token) = token else { break };
            tokens.push(token);
        }
        (items_seen, tokens)
    };
    fixture.set_fault(Fault::EmptyPage.nth(2).on(Route::ClassifyList));
    let (items_seen, tokens) = follow_pages(9);
    assert_eq!(
        (items_seen, tokens.len()),
        (ids.clone(), 3),
        "one page more, and no job less"
    );
    fixture.set_fault(Fault::RepeatedToken.always());
    let (_, tokens) = follow_pages(4);
    assert!(
        tokens.len() == 4 && tokens.iter().all(|token| *token == tokens[0]),
        "{tokens:?}"
    );
    fixture.set_fault(Fault::CyclicTokens.always());
    let (_, tokens) = follow_pages(5);
    assert!(
        tokens[0] == tokens[2] && tokens[1] == tokens[3] && tokens[0] != tokens[1],
        "{tokens:?}"
    );
    fixture.set_fault(Fault::EmptyPage.always());
    assert!(
        follow_pages(6).0.is_empty(),
        "for ever empty, and always another page"
    );
}

#[test]
fn fault_seed_makes_failed_requests_reproducible() {
    let statuses = |seed: u64| -> Vec<u16> {
        let schedule = FaultSchedule::new()
            .seed(seed)
            .with(Fault::Unavailable.chance(0.3))
            .with(Fault::Conflict.chance(0.2));
        let fixture = fixture(Config::default());
        fixture.emulator.set_faults(schedule);
        (0..40)
            .map(|_| fixture.client.get("/api/v2/classify").status)
            .collect()
    };
    let first = statuses(5);
    assert_eq!(first, statuses(5));
    assert_ne!(first, statuses(6));
    assert!(
        [200, 409, 503].iter().all(|status| first.contains(status)),
        "{first:?}"
    );
}

#[test]
fn fault_applies_only_to_its_route_and_never_to_control_api() {
    let fixture = fixture(Config::default());
    fixture.set_fault(Fault::Unavailable.always().on(Route::ClassifyCreate));
    assert_eq!(fixture.client.get("/api/v2/classify").status, 200);
    assert_eq!(
        fixture
            .client
            .post("/api/v2/classify", &create_body(&fixture.file))
            .status,
        503
    );
    fixture.set_fault(Fault::Unavailable.always());
    assert_eq!(
        fixture.client.get("/_emulator/health").status,
        200,
        "the emulator's own surface never fails"
    );
    assert_eq!(
        fixture.emulator.count(Route::ClassifyCreate),
        1,
        "faulted requests are counted"
    );
}

#[test]
fn fault_redirect_leads_to_configured_host() {
    let other = Emulator::start(Config::default()).expect("an emulator");
    let fixture = fixture(Config::default().redirect_to(other.base_url()));
    fixture.set_fault(Fault::Redirect.always());
    let following = Client::new(&fixture.emulator).with_timeout(Duration::from_secs(20));
    assert_eq!(
        following.get("/api/v2/classify?page_size=3").status,
        401,
        "this client leaves its key at home"
    );
    let observe_reply = other.requests();
    assert_eq!(
        (
            observe_reply[0].query_parameter("page_size"),
            observe_reply[0].authorized
        ),
        (Some("3"), false)
    );
}

/// Every route but the emulator's own.
const ROUTES: [Route; 28] = [
    Route::ClassifyCreate,
    Route::ClassifyList,
    Route::ClassifyGet,
    Route::ClassifyDelete,
    Route::ClassifyCancel,
    Route::ClassifierCreate,
    Route::ClassifierList,
    Route::ClassifierGet,
    Route::ClassifierResults,
    Route::FileCreate,
    Route::FileList,
    Route::FileGet,
    Route::FileContent,
    Route::FileDelete,
    Route::FileQuery,
    Route::ConfigurationCreate,
    Route::ConfigurationList,
    Route::ConfigurationGet,
    Route::ConfigurationUpdate,
    Route::ConfigurationDelete,
    Route::WebhookCreate,
    Route::WebhookList,
    Route::WebhookPages,
    Route::WebhookGet,
    Route::WebhookUpdate,
    Route::WebhookDelete,
    Route::WrongMethod,
    Route::Unknown,
];

/// One of everything that requests are about.
struct Resources {
    client: Client,
    file: String,
    job: String,
    old_job: String,
    saved: String,
    webhook: String,
}

fn id(json: &Value) -> String {
    json["id"].as_str().expect("an id").to_owned()
}

impl Resources {
    fn new(fixture: &Fixture) -> Self {
        let client = Client::new(&fixture.emulator);
        let mut resources = Self {
            job: client.create(&fixture.file),
            file: fixture.file.clone(),
            old_job: String::new(),
            saved: String::new(),
            webhook: String::new(),
            client,
        };
        let post = |route: Route| {
            let (method, path, body) = resources.request(route);
            assert_eq!(method, "POST");
            resources.client.post(&path, &body)
        };
        let (old_job, saved, webhook) = (
            id(&post(Route::ClassifierCreate).ok()),
            id(&post(Route::ConfigurationCreate).ok()),
            id(&post(Route::WebhookCreate).ok()),
        );
        (resources.old_job, resources.saved, resources.webhook) = (old_job, saved, webhook);
        fixture.emulator.advance(Duration::from_secs(1));
        resources
    }

    /// A request for a route that succeeds; what it takes away is made first.
    fn request(&self, route: Route) -> (&'static str, String, Value) {
        let v2 = "/api/v2/classify".to_owned();
        let v1 = "/api/v1/classifier/jobs".to_owned();
        let files = "/api/v1/beta/files".to_owned();
        let configurations = "/api/v1/beta/configurations".to_owned();
        let webhooks = "/api/v1/beta/webhook-configs".to_owned();
        let Self {
            client,
            file,
            job,
            old_job,
            saved,
            webhook,
        } = self;
        let rules = crate::test_client::rules();
        let configuration =
            json!({ "name": "c", "parameters": { "product_type": "classify_v2", "rules": rules } });
        let webhook_job = json!({ "webhook_url": "http://x.test" });
        let cancel = |job: &str| format!("{v2}/{job}/cancel");
        let get = |path: String| ("GET", path, Value::Null);
        match route {
            Route::ClassifyCreate => ("POST", v2, create_body(file)),
            // Whole lists: a token that repeats the next one is not seen.
            Route::ClassifyList => get(format!("{v2}?page_size=100")),
            Route::ClassifyGet => get(format!("{v2}/{job}")),
            Route::ClassifyDelete => {
                let job = client.create(file);
                let ended = client.send("POST", &cancel(&job), None, Some(Vec::new()));
                ended.expect("a reply").ok();
                ("DELETE", format!("{v2}/{job}"), Value::Null)
            }
            Route::ClassifyCancel => ("POST", cancel(&client.create(file)), Value::Null),
            Route::ClassifierCreate => {
                let body = json!({ "file_ids": [file.replace("dfl-", "")], "rules": rules });
                ("POST", v1, body)
            }
            Route::ClassifierList => get(format!("{v1}?page_size=100")),
            Route::ClassifierGet => get(format!("{v1}/{old_job}")),
            Route::ClassifierResults => get(format!("{v1}/{old_job}/results")),
            Route::FileCreate => ("POST", files, Value::Null),
            Route::FileList => get(format!("{files}?page_size=100")),
            Route::FileGet => get(format!("{files}/{file}")),
            Route::FileContent => get(format!("{files}/{file}/content")),
            Route::FileDelete => {
                let file = client.upload("a.txt", b"text");
                ("DELETE", format!("{files}/{file}"), Value::Null)
            }
            Route::FileQuery => (
                "POST",
                format!("{files}/query"),
                json!({ "page_size": 100 }),
            ),
            Route::ConfigurationCreate => ("POST", configurations, configuration),
            Route::ConfigurationList => get(format!("{configurations}?page_size=100")),
            Route::ConfigurationGet => get(format!("{configurations}/{saved}")),
            Route::ConfigurationUpdate => ("PUT", format!("{configurations}/{saved}"), json!({})),
            Route::ConfigurationDelete => {
                let mut other = configuration;
                other["name"] = json!("other");
                let other = id(&client.post(&configurations, &other).ok());
                ("DELETE", format!("{configurations}/{other}"), Value::Null)
            }
            Route::WebhookCreate => ("POST", webhooks, webhook_job),
            Route::WebhookList => get(webhooks),
            Route::WebhookPages => get("/api/v2/webhook-configs?page_size=100".to_owned()),
            Route::WebhookGet => get(format!("{webhooks}/{webhook}")),
            Route::WebhookUpdate => ("PUT", format!("{webhooks}/{webhook}"), json!({})),
            Route::WebhookDelete => {
                let other = id(&client.post(&webhooks, &webhook_job).ok());
                ("DELETE", format!("{webhooks}/{other}"), Value::Null)
            }
            Route::WrongMethod => ("PATCH", v2, Value::Null),
            _ => get("/nothing".to_owned()),
        }
    }
}

/// The bytes of a request, ready to be sent.
fn request_bytes((method, path, body): (&str, String, Value), route: Route) -> Vec<u8> {
    let (kind, body) = match route {
        Route::FileCreate => {
            crate::test_client::form(&[("purpose", "x")], Some(("a.txt", b"text")))
        }
        _ if body.is_null() => (String::new(), Vec::new()),
        _ => ("application/json".to_owned(), body.to_string().into_bytes()),
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer k\r\n\
         content-type: {kind}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body].concat()
}

/// All that a client sees of the answer, and how it ends; without what differs from one answer to the next.
fn observe_reply(
    emulator: &Emulator,
    request: &[u8],
    timeout: Duration,
) -> (String, Option<ErrorKind>) {
    let mut socket = TcpStream::connect(emulator.address()).expect("a connection");
    socket.set_read_timeout(Some(timeout)).expect("a timeout");
    let _ = socket.write_all(request);
    let mut bytes = Vec::new();
    let end = socket.read_to_end(&mut bytes).err();
    let text = String::from_utf8_lossy(&bytes);
    let uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
    let varying = format!("{uuid}|\r\ndate: [^\r]*|\"version\":\"[^\"]*\"");
    let varying = regex::Regex::new(&varying).expect("a pattern");
    (
        varying.replace_all(&text, "~").into_owned(),
        end.map(|error| error.kind()),
    )
}

#[test]
fn fault_is_observable_on_every_route_it_applies_to() {
    // Side by side, since much of it is waiting for what does not come.
    let pairs: usize = std::thread::scope(|scope| {
        let workers: Vec<_> = ROUTES
            .chunks(7)
            .map(|routes| scope.spawn(|| triggered_faults(routes)))
            .collect();
        let counts = workers
            .into_iter()
            .map(|worker| worker.join().expect("no panic"));
        counts.sum()
    });
    assert!(pairs > 900, "{pairs}");
}

/// Plays every fault on each of these routes, and gives the number of pairs.
fn triggered_faults(routes: &[Route]) -> usize {
    let fixture = fixture(Config::default().drip_interval(Duration::from_secs(3_600)));
    let resources = Resources::new(&fixture);
    let mut pairs = 0;
    for &route in routes {
        for &fault in Fault::ALL.iter().filter(|fault| fault.applies_to(route)) {
            let send_with = |rule: Option<FaultRule>, timeout: Duration| {
                fixture.emulator.set_faults(FaultSchedule::new());
                let request = request_bytes(resources.request(route), route);
                if let Some(rule) = rule {
                    fixture.set_fault(rule);
                }
                observe_reply(&fixture.emulator, &request, timeout)
            };
            let unfaulted = send_with(None, Duration::from_secs(30));
            assert!(
                unfaulted.0.starts_with("HTTP/1.1 2")
                    || matches!(route, Route::WrongMethod | Route::Unknown),
                "{route:?}: {unfaulted:?}"
            );
            // These two send nothing for ever, and nothing more for an hour.
            let timeout = match fault {
                Fault::HangBefore | Fault::HangAfter | Fault::SlowDrip => Duration::from_millis(40),
                _ => Duration::from_secs(30),
            };
            let faulted = send_with(Some(fault.always().on(route)), timeout);
            assert_ne!(faulted, unfaulted, "{fault:?} on {route:?}");
            let record = fixture.emulator.requests().pop().expect("a record");
            assert_eq!(
                (record.route, record.fault),
                (route, Some(fault)),
                "{fault:?} on {route:?}"
            );
            pairs += 1;
        }
    }
    fixture.emulator.set_faults(FaultSchedule::new());
    assert_eq!(fixture.client.get("/api/v2/classify").status, 200);
    pairs
}

#[test]
fn fault_without_effect_is_not_recorded() {
    let fixture = fixture(Config::default());
    for (fault, path) in [
        (Fault::NullFields, "/api/v2/classify/clj-none"),
        (Fault::MissingFields, "/api/v2/classify?page_size=0"),
        (Fault::EmptyPage, "/api/v2/classify?page_size=0"),
        (Fault::NaiveTimestamps, "/api/v2/classify"),
    ] {
        fixture.set_fault(fault.always());
        let reply = fixture.client.get(path);
        let record = fixture.emulator.requests().pop().expect("a record");
        assert_eq!((record.fault, record.status), (None, Some(reply.status)));
    }
    let counters = fixture.client.get("/_emulator/counters").ok();
    assert_eq!(counters["faults"], json!({}));
}
