//! Limits of time, size and concurrency, redirects, and headers.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use classify_emulator::{Config, Fault, FaultSchedule, Route};
use classify_proto::files::UploadFile;
use classify_proto::machine::{Call, Concurrent, ConcurrentEvent, Retry};
use classify_proto::v2::{CancelJob, DeleteJob, GetJob, JobStatus};
use classify_proto::{ErrorKind, Seed, TransportLimits};

use crate::driver::{Driver, Settings};
use crate::faulty_server::FaultyServer;
use crate::scripted_server::{RecordedRequest, ResponseScript, ScriptedServer, response};
use crate::test_bench::{TestBench, api, create, document, rules, wait_until};

const JOB: &[u8] = br#"{"id": "clj-1", "status": "RUNNING"}"#;

/// Enough time for a request to arrive on a busy machine, and short enough for a test.
const SHORT: Duration = Duration::from_secs(1);

/// Asserts the number of requests. The last may have ended before it was read.
fn expect_requests(server: &ScriptedServer, requests: usize) {
    wait_until(|| server.requests().len() >= requests);
    assert_eq!(server.requests().len(), requests);
}

fn driver<D: Driver>(server: &ScriptedServer, limits: TransportLimits, retries: u32) -> D {
    let settings = Settings {
        retry: Settings::default().retry.max_retries(retries),
        limits,
        ..Settings::default()
    };
    D::new(api(&server.base_url(), "llx-key"), settings)
}

/// A response over the size limit is an error, with or without a length, and is not requested again.
pub fn response_size_over_limit_fails_without_retry<D: Driver>() {
    let small = TransportLimits::default().response_bytes(1000);
    let whole = response(200, &[], &[b' '; 1001]);
    let unbounded = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &[b' '; 1001]].concat();
    for (form, bytes) in [whole, unbounded].into_iter().enumerate() {
        let server = ScriptedServer::start(move |_, _| ResponseScript::Respond(bytes.clone()));
        let error = driver::<D>(&server, small, 5)
            .call(GetJob::new("clj-1"))
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "form {form}: {error}");
        assert!(error.to_string().contains("1000"), "{error}");
        assert_eq!(server.requests().len(), 1, "form {form}");
    }
    // Exact to the byte.
    let server = ScriptedServer::start(|_, _| {
        let padded = [JOB, &vec![b' '; 1000 - JOB.len()]].concat();
        ResponseScript::Respond(response(200, &[], &padded))
    });
    let read = driver::<D>(&server, small, 0).call(GetJob::new("clj-1"));
    assert!(read.is_ok());
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("memory accepts it");
    encoder.finish().expect("memory accepts it")
}

/// The size limit applies to the decompressed response.
pub fn response_size_limit_counts_decompressed_gzip_bytes<D: Driver>() {
    let compressed = gzip(&vec![b' '; 4 << 20]);
    assert!(compressed.len() < 10_000);
    let server = ScriptedServer::start(move |_, _| {
        ResponseScript::Respond(response(200, &[("content-encoding", "gzip")], &compressed))
    });
    let small = TransportLimits::default().response_bytes(1 << 20);
    let error = driver::<D>(&server, small, 5)
        .call(GetJob::new("clj-1"))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert_eq!(server.requests().len(), 1);
}

/// A compressed response is requested and decompressed.
pub fn gzip_response_is_requested_and_decompressed<D: Driver>() {
    let compressed = gzip(JOB);
    let server = ScriptedServer::start(move |_, _| {
        ResponseScript::Respond(response(200, &[("content-encoding", "gzip")], &compressed))
    });
    let job = driver::<D>(&server, TransportLimits::default(), 0)
        .call(GetJob::new("clj-1"))
        .expect("the job is read");
    assert_eq!(job.status, JobStatus::Running);
    let request = server.requests().remove(0);
    let accepted = request.header("accept-encoding");
    assert!(accepted.is_some_and(|value| value.contains("gzip")));

    let bench = TestBench::<D>::new(
        Config::default().faults(FaultSchedule::new().with(Fault::Gzip.always())),
    );
    assert!(bench.driver.run(create()).is_ok());
}

/// A redirect is returned and not followed. The other host receives neither the key nor the document.
pub fn redirect_is_returned_as_error_and_not_followed<D: Driver>() {
    let other = ScriptedServer::start(|_, _| ResponseScript::Respond(response(200, &[], JOB)));
    let bench = TestBench::<D>::new(
        Config::default()
            .redirect_to(other.base_url())
            .faults(FaultSchedule::new().with(Fault::Redirect.always())),
    );
    for error in [
        bench.driver.run(create()).unwrap_err(),
        bench.driver.call(GetJob::new("clj-1")).unwrap_err(),
    ] {
        assert!(error.status().is_some_and(|status| status.is_redirection()));
        assert!(error.to_string().contains("not followed"), "{error}");
    }
    assert_eq!(bench.emulator.request_count(), 2);
    assert!(other.requests().is_empty());
}

/// A server that never responds: every attempt ends, and the call ends.
pub fn timeout_without_response_ends_every_attempt_and_create_is_ambiguous<D: Driver>() {
    let server = ScriptedServer::start(|_, _| ResponseScript::Hang(Vec::new()));
    let short = SHORT;
    for limits in [
        TransportLimits::default().connect(short).response(short),
        TransportLimits::default().attempt(short),
    ] {
        let before = server.requests().len();
        let error = driver::<D>(&server, limits, 1)
            .call(GetJob::new("clj-1"))
            .unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert_eq!(error.attempts(), 2);
        expect_requests(&server, before + 2);
    }
    // A create without a response is ambiguous.
    let limits = TransportLimits::default().response(short);
    let error = driver::<D>(&server, limits, 0).run(create()).unwrap_err();
    assert!(error.is_timeout() && error.is_ambiguous(), "{error}");
    assert!(error.transaction_id().is_some());
}

/// A server that accepts the connection and never responds to the TLS handshake: the connect limit ends it, and nothing
/// was sent.
pub fn timeout_of_tls_handshake_uses_connect_limit_and_is_not_ambiguous<D: Driver>() {
    let faulty_server = FaultyServer::silent();
    let hour = Duration::from_secs(3600);
    let settings = Settings {
        retry: Settings::default().retry.max_retries(1),
        limits: TransportLimits::default()
            .connect(Duration::from_millis(500))
            .response(hour)
            .attempt(hour),
        ..Settings::default()
    };
    let driver = D::new(api(&faulty_server.base_url("https"), "llx-key"), settings);
    for error in [
        driver.run(create()).unwrap_err(),
        driver.call(DeleteJob::new("clj-1")).unwrap_err(),
    ] {
        assert!(error.is_timeout(), "{error}");
        assert!(!error.is_ambiguous(), "{error}");
        assert_eq!(error.attempts(), 2, "{error}");
    }
    wait_until(|| faulty_server.connections() == 4);
    assert_eq!(faulty_server.connections(), 4);
}

/// The consumer handles an event for longer than the limits while the other response arrives in time: the other request
/// does not time out and is not retried.
pub fn pause_of_consumer_beyond_limits_causes_no_timeout_and_no_second_request<D: Driver>() {
    let server = ScriptedServer::start(|number, _| {
        if number > 0 {
            // The event of the first response comes before this one.
            thread::sleep(SHORT / 4);
        }
        ResponseScript::Respond(response(200, &[], JOB))
    });
    // Long enough for the response, also on a busy machine.
    let limit = SHORT * 3;
    let limits = TransportLimits::default().response(limit).attempt(limit);
    let calls = (0..2).map(|n| Call::new(GetJob::new("clj-1"), Seed::new([n; 16])));
    let mut ended = 0;
    driver::<D>(&server, limits, 1).drive(Concurrent::new(calls, 2), |event| {
        let ConcurrentEvent::Finished(_, result) = event;
        result.expect("a job");
        ended += 1;
        if ended == 1 {
            thread::sleep(limit + SHORT * 2);
        }
    });
    assert_eq!(ended, 2);
    expect_requests(&server, 2);
}

/// The server reads a document slowly, but faster than the minimum upload rate: the attempt may take longer than its
/// base limit.
pub fn upload_above_minimum_rate_may_take_longer_than_base_limit<D: Driver>() {
    let server = ScriptedServer::start(|_, _| {
        thread::sleep(SHORT * 2);
        ResponseScript::Respond(response(200, &[], br#"{"id": "dfl-1", "name": "x"}"#))
    });
    let limits = TransportLimits::default()
        .attempt(SHORT)
        .min_upload_rate(256 << 10);
    // More than the socket buffers, and 64 seconds at the minimum rate.
    let document = UploadFile::new("large.pdf", vec![0; 16 << 20]);
    let uploaded = driver::<D>(&server, limits, 0).call(document);
    uploaded.expect("a file");
    expect_requests(&server, 1);
}

/// `Duration::MAX` as a limit works, both in a single call and in concurrent calls.
pub fn limits_at_maximum_values_are_accepted<D: Driver>() {
    let max_duration = Duration::MAX;
    let bench = TestBench::<D>::with_settings(
        Config::default(),
        Settings {
            retry: Settings::default()
                .retry
                .max_retries(0)
                .total_timeout(max_duration),
            wait_timeout: max_duration,
            limits: TransportLimits::default()
                .connect(max_duration)
                .response(max_duration)
                .attempt(max_duration)
                .response_bytes(u64::MAX)
                .min_upload_rate(1),
            ..Settings::default()
        },
    );
    let job = bench
        .driver
        .classify(document().into(), rules().into())
        .expect("a job");
    let calls = (0..3).map(|n| Call::new(GetJob::from(&job), Seed::new([n; 16])));
    bench.driver.drive(Concurrent::new(calls, 3), |event| {
        let ConcurrentEvent::Finished(_, result) = event;
        assert_eq!(result.expect("a job").status, JobStatus::Completed);
    });
}

/// A server that stops or closes the connection in the middle of its response.
pub fn response_body_timeout_or_truncation_fails_after_retry<D: Driver>() {
    let half_response = |script: fn(Vec<u8>) -> ResponseScript| {
        ScriptedServer::start(move |_, _| {
            let mut bytes = response(200, &[], JOB);
            bytes.truncate(bytes.len() - 10);
            script(bytes)
        })
    };
    let limits = TransportLimits::default().attempt(SHORT);
    let hanging_server = half_response(ResponseScript::Hang);
    let error = driver::<D>(&hanging_server, limits, 1)
        .call(GetJob::new("clj-1"))
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
    expect_requests(&hanging_server, 2);

    let closing_server = half_response(ResponseScript::Respond);
    let error = driver::<D>(&closing_server, TransportLimits::default(), 1)
        .call(GetJob::new("clj-1"))
        .unwrap_err();
    assert!(error.is_transport(), "{error}");
    assert_eq!(closing_server.requests().len(), 2);
}

/// The total time of a call ends an attempt, even if the limit of the attempt is longer.
pub fn total_timeout_ends_attempt_before_its_own_limit<D: Driver>() {
    let server = ScriptedServer::start(|_, _| ResponseScript::Hang(Vec::new()));
    let hour = Duration::from_secs(3600);
    let settings = Settings {
        retry: Retry::default().total_timeout(SHORT),
        limits: TransportLimits::default().response(hour).attempt(hour),
        ..Settings::default()
    };
    let driver = D::new(api(&server.base_url(), "llx-key"), settings);
    let error = driver.call(GetJob::new("clj-1")).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    expect_requests(&server, 1);
}

/// A response that comes a few bytes at a time is read.
pub fn response_body_sent_slowly_is_read_without_retry<D: Driver>() {
    let bench = TestBench::<D>::new(
        Config::default()
            .faults(FaultSchedule::new().with(Fault::SlowDrip.first(1).on(Route::ClassifyCreate))),
    );
    assert!(bench.driver.run(create()).is_ok());
    assert_eq!(bench.emulator.count(Route::ClassifyCreate), 1);
}

/// A request without a body has no `content-length`, except a POST, which has `content-length: 0`.
pub fn headers_of_empty_requests_have_content_length_only_for_post<D: Driver>() {
    let server = ScriptedServer::start(|_, _| ResponseScript::Respond(response(200, &[], JOB)));
    let driver = driver::<D>(&server, TransportLimits::default(), 0);
    driver.call(GetJob::new("clj-1")).expect("a job");
    driver.call(DeleteJob::new("clj-1")).expect("deleted");
    driver.call(CancelJob::new("clj-1")).expect("a job");
    let requests = server.requests();
    let lengths: Vec<_> = requests
        .iter()
        .map(RecordedRequest::content_length)
        .collect();
    assert_eq!(lengths, [None, None, Some(0)]);
    for request in &requests {
        assert_eq!(request.header("transfer-encoding"), None);
        assert_eq!(request.header("authorization"), Some("Bearer llx-key"));
        assert_eq!(request.header("accept"), Some("application/json"));
        let agent = request.header("user-agent").expect("a user agent");
        assert!(agent.starts_with("classify-rs/"), "{agent}");
        let hosts = request
            .head
            .to_ascii_lowercase()
            .matches("\r\nhost:")
            .count();
        assert_eq!(hosts, 1);
    }
}

/// The server responds only after four requests have arrived, and never receives a fifth before.
pub fn max_concurrency_is_reached_and_not_exceeded<D: Driver>() {
    let (barrier, in_flight, max_in_flight) = (
        Arc::new(Barrier::new(4)),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
    );
    let max_seen = Arc::clone(&max_in_flight);
    let server = ScriptedServer::start(move |_, _| {
        max_in_flight.fetch_max(
            in_flight.fetch_add(1, Ordering::SeqCst) + 1,
            Ordering::SeqCst,
        );
        barrier.wait();
        in_flight.fetch_sub(1, Ordering::SeqCst);
        ResponseScript::Respond(response(200, &[], JOB))
    });
    let driver = driver::<D>(&server, TransportLimits::default().max_concurrency(4), 0);
    let calls = (0..12).map(|n| Call::new(GetJob::new("clj-1"), Seed::new([n; 16])));
    let mut ended = 0;
    driver.drive(Concurrent::new(calls, 12), |event| {
        let ConcurrentEvent::Finished(_, result) = event;
        assert_eq!(result.expect("a job").status, JobStatus::Running);
        ended += 1;
    });
    assert_eq!(ended, 12);
    assert_eq!(max_seen.load(Ordering::SeqCst), 4);
}

/// An attempt with a time limit of zero sends nothing.
pub fn attempt_timeout_of_zero_sends_no_request<D: Driver>() {
    let server = ScriptedServer::start(|_, _| ResponseScript::Respond(response(200, &[], JOB)));
    let limits = TransportLimits::default().attempt(Duration::ZERO);
    let error = driver::<D>(&server, limits, 0)
        .call(GetJob::new("clj-1"))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(server.requests().is_empty());
}
