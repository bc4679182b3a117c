//! Faults that workers survive, with the real engine. Always: jobs = distinct documents = results.
//!
//! They take minutes, so `.ci/release/worker` runs them: `cargo test --test faults -- --ignored`.

mod harness;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use classify_emulator::{Config, Fault, FaultSchedule, Route};
use harness::{Cluster, EngineOptions, until};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
#[ignore = "takes minutes; .ci/release/worker runs it"]
fn killed_worker_leaves_its_documents_to_the_other() {
    let mut cluster = Cluster::paid(2, 1_000);
    cluster.start_all();
    cluster.write_documents(0, 100);
    assert!(cluster.submit().status.success());
    sleep(Duration::from_secs(4));
    cluster.kill_worker(0);
    cluster.wait_for_results(100, MINUTE);
    cluster.check_exact(100);
}

#[test]
#[ignore = "takes minutes; .ci/release/worker runs it"]
fn documents_wait_while_all_workers_are_killed() {
    let mut cluster = Cluster::paid(2, 2_000);
    cluster.start_all();
    cluster.write_documents(0, 100);
    assert!(cluster.submit().status.success());
    sleep(Duration::from_secs(4));
    cluster.kill_worker(0);
    cluster.kill_worker(1);
    sleep(Duration::from_secs(5));
    assert!(cluster.results().len() < 100);
    cluster.start_worker(0, &[]);
    cluster.start_worker(1, &[]);
    cluster.wait_for_results(100, 2 * MINUTE);
    cluster.check_exact(100);
}

#[test]
#[ignore = "takes minutes; .ci/release/worker runs it"]
fn killed_engine_continues_on_its_folder() {
    let mut cluster = Cluster::paid(1, 2_000);
    cluster.start_all();
    cluster.write_documents(0, 100);
    assert!(cluster.submit().status.success());
    for _ in 0..3 {
        sleep(Duration::from_secs(3));
        cluster.kill_engine();
        cluster.start_engine();
    }
    cluster.wait_for_results(100, 2 * MINUTE);
    cluster.check_exact(100);
}

#[test]
#[ignore = "takes minutes; .ci/release/worker runs it"]
fn documents_wait_while_the_service_is_away() {
    let mut cluster = Cluster::paid(1, 500);
    // A short list of retries, so that documents come back without an answer.
    cluster.flags.extend(["--max-attempts".into(), "2".into()]);
    cluster.start_all();
    cluster.write_documents(0, 60);
    assert!(cluster.submit().status.success());
    sleep(Duration::from_secs(2));
    cluster
        .emulator
        .set_faults(FaultSchedule::new().with(Fault::ResetBefore.always()));
    sleep(Duration::from_secs(20));
    let before = cluster.results().len();
    assert!(before < 60, "{before}");
    cluster.emulator.set_faults(FaultSchedule::new());
    cluster.wait_for_results(60, 4 * MINUTE);
    cluster.check_exact(60);
}

#[test]
#[ignore = "takes minutes; .ci/release/worker runs it"]
fn clock_of_a_worker_that_is_off_by_an_hour_exceeds_no_limit() {
    let mut cluster = Cluster::paid(2, 500);
    cluster.start_worker(0, &[]);
    cluster.start_worker_by(1, &[], &["faketime", "-f", "+3600s"]);
    cluster.start_balancer();
    cluster.register();
    cluster.write_documents(0, 150);
    assert!(cluster.submit().status.success());
    cluster.wait_for_results(150, 2 * MINUTE);
    cluster.check_exact(150);
    let limited = responses(&cluster, 429);
    let requests = cluster.emulator.requests().len();
    assert!(
        limited * 100 <= requests,
        "{limited} of {requests} requests"
    );
}

/// The number of responses with this status.
fn responses(cluster: &Cluster, status: u16) -> usize {
    let requests = cluster.emulator.requests();
    requests
        .iter()
        .filter(|request| request.status == Some(status))
        .count()
}

#[test]
#[ignore = "takes minutes; .ci/release/worker runs it"]
fn document_that_was_deleted_fails_and_is_classified_when_it_is_back() {
    let mut cluster = Cluster::unlimited(1, 500);
    cluster.start_all();
    cluster.kill_worker(0);
    let inbox = cluster.write_documents(0, 10);
    assert!(cluster.submit().status.success());
    let gone = inbox.join("d00003.txt");
    let content = std::fs::read(&gone).unwrap();
    std::fs::remove_file(&gone).unwrap();
    cluster.start_worker(0, &[]);
    until("nine results and a failure", MINUTE, || {
        let status = cluster.status();
        status["done"] == 9 && status["failed"] == 1
    });
    let status = cluster.status();
    assert_eq!(
        status["failed_documents"][0]["path"],
        gone.to_str().unwrap()
    );
    assert_eq!(cluster.emulator.job_count(), 9);
    // The failure never answers the submission of the file that is back.
    std::fs::write(&gone, content).unwrap();
    let output = cluster.submit();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("9 known") && text.contains("1 submitted again"),
        "{text}"
    );
    cluster.wait_for_results(10, MINUTE);
    cluster.check_exact(10);
}

#[test]
#[ignore = "takes minutes; .ci/release/worker runs it"]
fn documents_wait_for_credits() {
    let mut cluster = Cluster::paid(2, 500);
    cluster.flags.extend(["--hold".into(), "1s".into()]);
    cluster.start_all();
    cluster.write_documents(0, 80);
    assert!(cluster.submit().status.success());
    until("some results", MINUTE, || {
        cluster.status()["done"].as_u64() > Some(10)
    });
    let no_credits =
        FaultSchedule::new().with(Fault::PaymentRequired.always().on(Route::ClassifyCreate));
    cluster.emulator.set_faults(no_credits);
    sleep(Duration::from_secs(12));
    let status = cluster.status();
    assert_eq!(status["failed"], 0, "{status}");
    assert!(status["done"].as_u64() < Some(80), "{status}");
    let refused = responses(&cluster, 402);
    assert!(
        refused < 60,
        "{refused} requests while there are no credits"
    );
    cluster.emulator.set_faults(FaultSchedule::new());
    cluster.wait_for_results(80, 3 * MINUTE);
    cluster.check_exact(80);
}

#[test]
#[ignore = "takes minutes; .ci/release/worker runs it"]
fn status_names_paused_documents() {
    let mut cluster = Cluster::unlimited(1, 20_000);
    cluster.start_all();
    let inbox = cluster.write_documents(0, 2);
    assert!(cluster.submit().status.success());
    until("both run", MINUTE, || cluster.status()["running"] == 2);
    let query = "{\"query\": \"SELECT id FROM sys_invocation\"}";
    let (_, rows) = cluster.admin("POST", "/query", query).unwrap();
    let id = rows
        .split("\"id\":\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    let (status, body) = cluster
        .admin("PATCH", &format!("/invocations/{id}/pause"), "")
        .unwrap();
    assert!(status < 300, "{body}");
    until("one is paused", MINUTE, || cluster.status()["paused"] == 1);
    let status = cluster.status();
    let path = status["paused_documents"][0]["path"].as_str().unwrap();
    assert!(path.starts_with(inbox.to_str().unwrap()), "{status}");
    assert_eq!(status["paused_documents"][0]["invocation_id"], id.as_str());
    cluster
        .admin("PATCH", &format!("/invocations/{id}/resume"), "")
        .unwrap();
    cluster.wait_for_results(2, MINUTE);
    cluster.check_exact(2);
}

#[test]
#[ignore = "takes minutes; .ci/release/worker runs it"]
fn document_that_is_submitted_fifty_times_at_once_is_one_job() {
    let mut cluster = Cluster::unlimited(2, 1_000);
    cluster.start_all();
    let inbox = cluster.write_documents(0, 1);
    let copies: Vec<_> = (0..50)
        .map(|number| inbox.join(format!("copy{number}.txt")))
        .collect();
    for copy in &copies {
        std::fs::copy(inbox.join("d00000.txt"), copy).unwrap();
    }
    let list: Vec<_> = copies
        .iter()
        .map(|copy| copy.display().to_string())
        .collect();
    let file = cluster.path("list");
    std::fs::write(&file, list.join("\n")).unwrap();
    // Five processes, so that submissions race.
    let arguments = ["submit", "--files-from", file.to_str().unwrap(), "--wait"];
    let children: Vec<_> = (0..5)
        .map(|_| cluster.command(&arguments).spawn().unwrap())
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    cluster.check_exact(1);
}

#[test]
#[ignore = "takes minutes; .ci/release/worker runs it"]
fn ten_thousand_documents_wait_for_workers() {
    let mut cluster = Cluster::unlimited(2, 200);
    cluster.start_all();
    cluster.kill_worker(0);
    cluster.kill_worker(1);
    cluster.write_documents(0, 10_000);
    let output = cluster.submit();
    assert!(output.status.success(), "{output:?}");
    let status = cluster.status();
    assert_eq!(
        status["waiting"].as_u64().unwrap() + status["running"].as_u64().unwrap(),
        10_000,
        "{status}"
    );
    cluster.start_worker(0, &[]);
    cluster.start_worker(1, &[]);
    cluster.wait_for_results(10_000, 5 * MINUTE);
    let (engine, worker) = cluster.memory_mib();
    println!("memory: engine {engine} MiB, worker {worker} MiB");
    cluster.check_exact(10_000);
}

#[test]
#[ignore = "takes minutes; .ci/release/worker runs it"]
fn sigterm_ends_requests_and_returns_documents_to_the_engine() {
    // Each upload takes a second or more.
    let config = Config::default()
        .completed_after(Duration::from_secs(3))
        .drip_interval(Duration::from_millis(100))
        .faults(FaultSchedule::new().with(Fault::SlowDrip.always().on(Route::FileCreate)));
    let mut cluster = Cluster::new(2, config, &EngineOptions::default());
    cluster.start_all();
    cluster.write_documents(0, 60);
    assert!(cluster.submit().status.success());
    sleep(Duration::from_secs(3));
    assert_eq!(cluster.ready(0), Some(200));
    assert!(
        cluster.terminate_worker(0),
        "{}",
        cluster.log("worker0.log")
    );
    let log = cluster.log("worker0.log");
    let line = log
        .lines()
        .find(|line| line.contains("return to the engine"));
    assert!(line.unwrap().ends_with(" requests=0"), "{log}");
    cluster.wait_for_results(60, MINUTE);
    cluster.check_exact(60);
}

#[test]
#[ignore = "takes minutes; .ci/release/worker runs it"]
fn backlog_leaves_room_for_permits() {
    let config = Config::default().completed_after(Duration::from_millis(300));
    // More documents than the engine runs at once: all lanes are occupied by documents that wait for permits.
    let options = EngineOptions {
        partitions: 1,
        ..EngineOptions::default()
    };
    let mut cluster = Cluster::new(1, config, &options);
    cluster.flags.extend(["--rate-limit".into(), "60/s".into()]);
    cluster.start_all();
    cluster.write_documents(0, 1_500);
    assert!(cluster.submit().status.success());
    cluster.wait_for_results(1_500, 4 * MINUTE);
    cluster.check_exact(1_500);
}

#[test]
#[ignore = "takes minutes; .ci/release/worker runs it"]
fn results_folder_has_each_document() {
    let mut cluster = Cluster::unlimited(2, 300);
    let folder = cluster.path("results");
    cluster
        .flags
        .extend(["--results".into(), folder.display().to_string()]);
    cluster.start_all();
    cluster.write_documents(0, 50);
    let rules = cluster.path("rules.yaml");
    let inbox = cluster.path("inbox");
    cluster.succeed(&[
        "submit",
        inbox.to_str().unwrap(),
        "--rules",
        rules.to_str().unwrap(),
        "--wait",
    ]);
    let mut rows = BTreeMap::new();
    for part in std::fs::read_dir(&folder).unwrap() {
        for line in std::fs::read_to_string(part.unwrap().path())
            .unwrap()
            .lines()
        {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            rows.insert(row["path"].to_string(), row);
        }
    }
    assert_eq!(rows.len(), 50);
    for row in cluster.results() {
        assert_eq!(rows[&row["path"].to_string()], row);
    }
    // `--since` and `--output`.
    let output = cluster.path("recent.jsonl");
    cluster.succeed(&[
        "results",
        "--since",
        "1h",
        "--output",
        output.to_str().unwrap(),
    ]);
    assert_eq!(
        std::fs::read_to_string(&output).unwrap().lines().count(),
        50
    );
    cluster.succeed(&[
        "results",
        "--since",
        "2100-01-01T00:00:00Z",
        "--output",
        output.to_str().unwrap(),
    ]);
    assert_eq!(std::fs::read_to_string(&output).unwrap(), "");
}

#[test]
#[ignore = "takes minutes; .ci/release/worker runs it"]
fn cancelled_documents_keep_their_jobs_unless_asked() {
    let mut cluster = Cluster::unlimited(1, 60_000);
    cluster.start_all();
    let inbox = cluster.write_documents(0, 4);
    assert!(cluster.submit().status.success());
    until("four jobs", MINUTE, || cluster.emulator.job_count() == 4);
    let first = inbox.join("d00000.txt");
    cluster.succeed(&["cancel", first.to_str().unwrap()]);
    until("one is cancelled", MINUTE, || {
        cluster.status()["failed"] == 1
    });
    assert!(
        cluster
            .emulator
            .jobs()
            .iter()
            .all(|job| job.status != "CANCELLED")
    );
    cluster.succeed(&["cancel", "--all", "--paid-jobs"]);
    until("all are cancelled", MINUTE, || {
        cluster.status()["failed"] == 4
    });
    let cancelled = cluster
        .emulator
        .jobs()
        .iter()
        .filter(|job| job.status == "CANCELLED")
        .count();
    assert_eq!(
        cancelled, 3,
        "the job of the document that was cancelled before continues"
    );
    assert_eq!(cluster.emulator.job_count(), 4);
}

#[test]
#[ignore = "takes minutes; .ci/release/worker runs it"]
fn rules_of_the_workers_and_of_the_command_line_are_the_same_key() {
    let mut cluster = Cluster::unlimited(1, 200);
    cluster.start_all();
    let inbox = cluster.write_documents(0, 3);
    cluster.succeed(&["submit", inbox.to_str().unwrap(), "--wait"]);
    let output = cluster.submit();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("0 submitted, 3 known"), "{text}");
    // Other rules are another classification, in another pool.
    let other = cluster.path("other.yaml");
    std::fs::write(&other, "letter: begins with a salutation\n").unwrap();
    cluster.succeed(&[
        "submit",
        inbox.to_str().unwrap(),
        "--rules",
        other.to_str().unwrap(),
        "--wait",
    ]);
    assert_eq!(cluster.emulator.job_count(), 6);
    assert_eq!(cluster.results().len(), 6);
}

#[test]
#[ignore = "takes minutes; .ci/release/worker runs it"]
fn changed_document_is_not_classified_under_the_old_key() {
    let mut cluster = Cluster::unlimited(1, 200);
    cluster.start_all();
    cluster.kill_worker(0);
    let inbox = cluster.write_documents(0, 2);
    assert!(cluster.submit().status.success());
    std::fs::write(inbox.join("d00000.txt"), "another content").unwrap();
    cluster.start_worker(0, &[]);
    until("a result and a failure", MINUTE, || {
        let status = cluster.status();
        status["done"] == 1 && status["failed"] == 1
    });
    assert_eq!(cluster.emulator.job_count(), 1);
    let output = cluster.submit();
    assert!(output.status.success());
    cluster.wait_for_results(2, MINUTE);
    assert_eq!(cluster.emulator.job_count(), 2);
}

#[test]
#[ignore = "takes minutes; .ci/release/worker runs it"]
fn metrics_and_traces_are_sent_and_contain_no_documents() {
    let collector = Collector::start();
    let mut cluster = Cluster::paid(1, 200);
    cluster.variables = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.clone()),
        ("OTEL_METRIC_EXPORT_INTERVAL", "500".to_owned()),
        ("RUST_LOG", "debug".to_owned()),
    ];
    cluster.start_all();
    let unavailable = Fault::Unavailable.nth(2).on(Route::FileCreate);
    cluster
        .emulator
        .set_faults(FaultSchedule::new().with(unavailable));
    let inbox = cluster.write_documents(0, 6);
    cluster.succeed(&["submit", inbox.to_str().unwrap(), "--wait"]);
    assert!(cluster.terminate_worker(0));
    let text = collector.received();
    for found in [
        "POST /v1/metrics",
        "POST /v1/traces",
        "classify.documents",
        "COMPLETED",
        "classify.attempts",
        "files.create",
        "classify.waits",
        "backoff",
        "classify.permits",
        "classify-worker",
    ] {
        assert!(text.contains(found), "{found}");
    }
    let rows = cluster.results();
    let log = cluster.log("worker0.log");
    assert_eq!(rows.len(), 6);
    for row in rows {
        let reason = row["reasoning"].as_str().unwrap();
        assert!(!reason.is_empty());
        for secret in [
            reason,
            "Line items",
            "lessor",
            "Paid in cash",
            cluster.emulator.key(),
        ] {
            assert!(!log.contains(secret), "the log contains {secret}");
            assert!(!text.contains(secret), "the telemetry contains {secret}");
        }
    }
}

/// A server that accepts everything and keeps it.
struct Collector {
    url: String,
    received: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || answer_all(stream, &kept));
            }
        });
        Self { url, received }
    }

    fn received(&self) -> String {
        String::from_utf8_lossy(&self.received.lock().unwrap()).into_owned()
    }
}

/// Answers each request of a connection with 200.
fn answer_all(stream: TcpStream, kept: &Mutex<Vec<u8>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            kept.lock().unwrap().extend(line.as_bytes());
            let line = line.trim().to_ascii_lowercase();
            if let Some(text) = line.strip_prefix("content-length:") {
                length = text.trim().parse().ok()?;
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        kept.lock().unwrap().extend(body);
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        reader.get_mut().write_all(answer).ok()?;
    }
}

#[test]
#[ignore = "takes minutes; .ci/release/worker runs it"]
fn requests_without_the_signature_of_the_engine_are_rejected() {
    let mut cluster = Cluster::unlimited(1, 200);
    let other = "publickeyv1_w7YHemBctH5Ck2nQRQ47iBBqhNHy4FV7t2Usbye2A6f";
    cluster.start_worker(0, &["--identity-key", other]);
    let (status, body) = cluster.try_register();
    assert!(status >= 400, "{status} {body}");
    cluster.kill_worker(0);

    let key = cluster.sign_requests();
    cluster.start_worker(0, &["--identity-key", &key]);
    cluster.register();
    let inbox = cluster.write_documents(0, 3);
    cluster.succeed(&["submit", inbox.to_str().unwrap(), "--wait"]);
    cluster.check_exact(3);

    let output = cluster.run(&["serve", "--identity-key", "no-key"]);
    assert_eq!(output.status.code(), Some(2));
}
