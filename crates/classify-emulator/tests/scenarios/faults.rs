//! Every fault, as a client meets it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use classify_emulator::{Config, Emulator, Fault, FaultRule, Faults, Limits, Route};
use serde_json::{Value, json};

use crate::client::{Client, INVOICE, Reply, create_body};

/// An emulator that holds one file, and then fails as it is told.
pub(crate) struct Scene {
    pub(crate) emulator: Emulator,
    client: Client,
    file: String,
}

pub(crate) fn scene(config: Config) -> Scene {
    let emulator = Emulator::start(
        config
            .limits(Limits::none())
            .virtual_clock_at(1_767_323_045_678),
    );
    let emulator = emulator.expect("an emulator");
    let client = Client::new(&emulator).unchecked();
    let file = client.upload("bill.txt", INVOICE.as_bytes());
    Scene {
        emulator,
        client,
        file,
    }
}

impl Scene {
    pub(crate) fn fail(&self, rule: FaultRule) -> &Self {
        self.emulator.set_faults(Faults::new().with(rule));
        self
    }

    /// Creates a job under a fault, and gives the reply (or none) and how many jobs there are after it.
    fn create(&self, fault: Fault) -> (Result<Reply, ureq::Error>, usize) {
        self.emulator.reset();
        let file = self
            .fail(Fault::Gzip.nth(9))
            .client
            .upload("bill.txt", INVOICE.as_bytes());
        self.fail(fault.nth(1).on(Route::ClassifyCreate));
        let reply = self
            .client
            .try_json("POST", "/api/v2/classify", &create_body(&file));
        let record = self.emulator.requests().pop().expect("a record");
        assert_eq!(record.fault, Some(fault), "the journal names the fault");
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
fn replies_that_take_the_place_of_acting() {
    let scene = scene(Config::default());
    for (fault, status, header) in [
        (Fault::BadGatewayHtml, 502, None),
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
        let (reply, jobs) = scene.create(fault);
        let reply = reply.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!((reply.status, jobs), (status, 0), "{fault:?}");
        assert!(!fault.acts(), "{fault:?}");
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
            Fault::BadGatewayHtml => assert!(reply.text.starts_with("<html>"), "{}", reply.text),
            Fault::Redirect => {}
            _ => assert!(!reply.detail().is_empty()),
        }
    }
}

#[test]
fn replies_that_are_lost_or_spoiled_after_acting() {
    let scene = scene(Config::default());
    for (fault, status) in [
        (Fault::ServerErrorAfter, 500),
        (Fault::GatewayTimeoutAfter, 504),
        (Fault::NotJson, 200),
        (Fault::SlowDrip, 200),
        (Fault::UnknownStatus, 200),
        (Fault::ExtraFields, 200),
        (Fault::WrongLength, 200),
    ] {
        let (reply, jobs) = scene.create(fault);
        let reply = reply.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!((reply.status, jobs), (status, 1), "{fault:?}");
        assert!(fault.acts(), "{fault:?}");
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
        let (reply, jobs) = scene.create(fault);
        assert!(reply.is_err(), "{fault:?}: {reply:?}");
        assert_eq!(jobs, 1, "{fault:?}");
    }
    for fault in [Fault::ResetBefore, Fault::CloseBefore] {
        let (reply, jobs) = scene.create(fault);
        assert!(reply.is_err(), "{fault:?}: {reply:?}");
        assert_eq!(jobs, 0, "{fault:?}");
    }
}

#[test]
fn a_hang_is_silence() {
    let scene = scene(Config::default());
    let body = create_body(&scene.file);
    for (fault, jobs) in [(Fault::HangBefore, 0), (Fault::HangAfter, 1)] {
        scene.fail(fault.nth(1));
        let impatient = Client::new(&scene.emulator).with_timeout(Duration::from_secs(1));
        let reply = impatient.try_json("POST", "/api/v2/classify", &body);
        assert!(matches!(reply, Err(ureq::Error::Timeout(_))), "{reply:?}");
        // On a busy machine the client may give up before the server has come to act.
        let deadline = Instant::now() + Duration::from_secs(60);
        while scene.emulator.job_count() < jobs && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(scene.emulator.job_count(), jobs, "{fault:?}");
        assert_eq!(
            scene.emulator.requests().pop().expect("a record").status,
            None
        );
    }
    assert_eq!(
        scene.client.get("/api/v2/classify").status,
        200,
        "others are served meanwhile"
    );
}

#[test]
fn fields_go_missing_and_timestamps_lose_their_zone() {
    let scene = scene(Config::default());
    let id = scene.client.create(&scene.file);
    let get = |fault: Fault| {
        scene
            .fail(fault.always())
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
    let listed = scene
        .fail(Fault::MissingFields.always())
        .client
        .get("/api/v2/classify")
        .ok();
    assert_eq!(listed["items"], json!([{ "id": id, "status": "PENDING" }]));
}

#[test]
fn pages_go_empty_and_tokens_go_round() {
    let scene = scene(Config::default());
    let mut ids: Vec<Value> = (0..5)
        .map(|_| json!(scene.client.create(&scene.file)))
        .collect();
    ids.reverse();
    let page = |token: Option<&str>| {
        let token = token
            .map(|token| format!("&page_token={token}"))
            .unwrap_or_default();
        let page = scene
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
    let walk = |most: usize| {
        let mut seen = Vec::new();
        let mut tokens: Vec<String> = Vec::new();
        for _ in 0..most {
            let (items, token) = page(tokens.last().map(String::as_str));
            seen.extend(items);
            let Some(token) = token else { break };
            tokens.push(token);
        }
        (seen, tokens)
    };
    scene.fail(Fault::EmptyPage.nth(2).on(Route::ClassifyList));
    let (seen, tokens) = walk(9);
    assert_eq!(
        (seen, tokens.len()),
        (ids.clone(), 3),
        "one page more, and no job less"
    );
    scene.fail(Fault::RepeatedToken.always());
    let (_, tokens) = walk(4);
    assert!(
        tokens.len() == 4 && tokens.iter().all(|token| *token == tokens[0]),
        "{tokens:?}"
    );
    scene.fail(Fault::CyclicTokens.always());
    let (_, tokens) = walk(5);
    assert!(
        tokens[0] == tokens[2] && tokens[1] == tokens[3] && tokens[0] != tokens[1],
        "{tokens:?}"
    );
    scene.fail(Fault::EmptyPage.always());
    assert!(
        walk(6).0.is_empty(),
        "for ever empty, and always another page"
    );
}

#[test]
fn the_same_seed_fails_the_same_requests() {
    let statuses = |seed: u64| -> Vec<u16> {
        let plan = Faults::new()
            .seed(seed)
            .with(Fault::Unavailable.chance(0.3))
            .with(Fault::Conflict.chance(0.2));
        let scene = scene(Config::default());
        scene.emulator.set_faults(plan);
        (0..40)
            .map(|_| scene.client.get("/api/v2/classify").status)
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
fn faults_spare_what_they_are_not_for() {
    let scene = scene(Config::default());
    scene.fail(Fault::Unavailable.always().on(Route::ClassifyCreate));
    assert_eq!(scene.client.get("/api/v2/classify").status, 200);
    assert_eq!(
        scene
            .client
            .post("/api/v2/classify", &create_body(&scene.file))
            .status,
        503
    );
    scene.fail(Fault::Unavailable.always());
    assert_eq!(
        scene.client.get("/_emulator/health").status,
        200,
        "the emulator's own surface never fails"
    );
    assert_eq!(
        scene.emulator.count(Route::ClassifyCreate),
        1,
        "faulted requests are counted"
    );
}

#[test]
fn redirects_lead_to_the_host_that_was_named() {
    let other = Emulator::start(Config::default()).expect("an emulator");
    let scene = scene(Config::default().redirect_to(other.base_url()));
    scene.fail(Fault::Redirect.always());
    let following = Client::new(&scene.emulator).with_timeout(Duration::from_secs(20));
    assert_eq!(
        following.get("/api/v2/classify?page_size=3").status,
        401,
        "this client leaves its key at home"
    );
    let seen = other.requests();
    assert_eq!(
        (seen[0].parameter("page_size"), seen[0].authorized),
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
struct Things {
    client: Client,
    file: String,
    job: String,
    old_job: String,
    saved: String,
    hook: String,
}

fn id(shown: &Value) -> String {
    shown["id"].as_str().expect("an id").to_owned()
}

impl Things {
    fn new(scene: &Scene) -> Self {
        let client = Client::new(&scene.emulator);
        let mut things = Self {
            job: client.create(&scene.file),
            file: scene.file.clone(),
            old_job: String::new(),
            saved: String::new(),
            hook: String::new(),
            client,
        };
        let post = |route: Route| {
            let (method, path, body) = things.request(route);
            assert_eq!(method, "POST");
            things.client.post(&path, &body)
        };
        let (old_job, saved, hook) = (
            id(&post(Route::ClassifierCreate).ok()),
            id(&post(Route::ConfigurationCreate).ok()),
            id(&post(Route::WebhookCreate).ok()),
        );
        (things.old_job, things.saved, things.hook) = (old_job, saved, hook);
        scene.emulator.advance(Duration::from_secs(1));
        things
    }

    /// A request for a route that succeeds; what it takes away is made first.
    fn request(&self, route: Route) -> (&'static str, String, Value) {
        let v2 = "/api/v2/classify".to_owned();
        let v1 = "/api/v1/classifier/jobs".to_owned();
        let files = "/api/v1/beta/files".to_owned();
        let configurations = "/api/v1/beta/configurations".to_owned();
        let hooks = "/api/v1/beta/webhook-configs".to_owned();
        let Self {
            client,
            file,
            job,
            old_job,
            saved,
            hook,
        } = self;
        let rules = crate::client::rules();
        let configuration =
            json!({ "name": "c", "parameters": { "product_type": "classify_v2", "rules": rules } });
        let hooked = json!({ "webhook_url": "http://x.test" });
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
            Route::WebhookCreate => ("POST", hooks, hooked),
            Route::WebhookList => get(hooks),
            Route::WebhookPages => get("/api/v2/webhook-configs?page_size=100".to_owned()),
            Route::WebhookGet => get(format!("{hooks}/{hook}")),
            Route::WebhookUpdate => ("PUT", format!("{hooks}/{hook}"), json!({})),
            Route::WebhookDelete => {
                let other = id(&client.post(&hooks, &hooked).ok());
                ("DELETE", format!("{hooks}/{other}"), Value::Null)
            }
            Route::WrongMethod => ("PATCH", v2, Value::Null),
            _ => get("/nothing".to_owned()),
        }
    }
}

/// The bytes of a request, ready to be sent.
fn bytes_of((method, path, body): (&str, String, Value), route: Route) -> Vec<u8> {
    let (kind, body) = match route {
        Route::FileCreate => crate::client::form(&[("purpose", "x")], Some(("a.txt", b"text"))),
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
fn seen(emulator: &Emulator, request: &[u8], patience: Duration) -> (String, Option<ErrorKind>) {
    let mut socket = TcpStream::connect(emulator.address()).expect("a connection");
    socket.set_read_timeout(Some(patience)).expect("a timeout");
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
fn every_fault_is_seen_wherever_it_applies() {
    // Side by side, since much of it is waiting for what does not come.
    let pairs: usize = std::thread::scope(|scope| {
        let shares: Vec<_> = ROUTES
            .chunks(7)
            .map(|routes| scope.spawn(|| faults_seen_on(routes)))
            .collect();
        let counts = shares
            .into_iter()
            .map(|share| share.join().expect("no panic"));
        counts.sum()
    });
    assert!(pairs > 900, "{pairs}");
}

/// Plays every fault on each of these routes, and gives the number of pairs.
fn faults_seen_on(routes: &[Route]) -> usize {
    let scene = scene(Config::default().drip(Duration::from_secs(3_600)));
    let things = Things::new(&scene);
    let mut pairs = 0;
    for &route in routes {
        for &fault in Fault::ALL.iter().filter(|fault| fault.applies_to(route)) {
            let ask = |rule: Option<FaultRule>, patience: Duration| {
                scene.emulator.set_faults(Faults::new());
                let request = bytes_of(things.request(route), route);
                if let Some(rule) = rule {
                    scene.fail(rule);
                }
                seen(&scene.emulator, &request, patience)
            };
            let plain = ask(None, Duration::from_secs(30));
            assert!(
                plain.0.starts_with("HTTP/1.1 2")
                    || matches!(route, Route::WrongMethod | Route::Unknown),
                "{route:?}: {plain:?}"
            );
            // These two send nothing for ever, and nothing more for an hour.
            let patience = match fault {
                Fault::HangBefore | Fault::HangAfter | Fault::SlowDrip => Duration::from_millis(40),
                _ => Duration::from_secs(30),
            };
            let faulted = ask(Some(fault.always().on(route)), patience);
            assert_ne!(faulted, plain, "{fault:?} on {route:?}");
            let record = scene.emulator.requests().pop().expect("a record");
            assert_eq!(
                (record.route, record.fault),
                (route, Some(fault)),
                "{fault:?} on {route:?}"
            );
            pairs += 1;
        }
    }
    scene.emulator.set_faults(Faults::new());
    assert_eq!(scene.client.get("/api/v2/classify").status, 200);
    pairs
}

#[test]
fn a_fault_that_changes_nothing_has_not_struck() {
    let scene = scene(Config::default());
    for (fault, path) in [
        (Fault::NullFields, "/api/v2/classify/clj-none"),
        (Fault::MissingFields, "/api/v2/classify?page_size=0"),
        (Fault::EmptyPage, "/api/v2/classify?page_size=0"),
        (Fault::NaiveTimestamps, "/api/v2/classify"),
    ] {
        scene.fail(fault.always());
        let reply = scene.client.get(path);
        let record = scene.emulator.requests().pop().expect("a record");
        assert_eq!((record.fault, record.status), (None, Some(reply.status)));
    }
    let counters = scene.client.get("/_emulator/counters").ok();
    assert_eq!(counters["faults"], json!({}));
}
