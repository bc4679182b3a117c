//! One document has one job, which is paid for once.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use classify_emulator::{Config, Fault, FaultSchedule, Route};
use classify_proto::machine::{
    Call, ContentKey, Context, HashedDocument, Machine, Run, RunEvent, Saved, Step,
};
use classify_proto::v2::{CancelJob, Configuration, CreateJob, DeleteJob, GetJob, JobStatus, Rule};
use classify_proto::{Api, Body, Error, Operation, Seed, Time, TransportLimits, http, v1};

use crate::driver::{Capability, Driver, FirstEvent, FirstReply, Settings};
use crate::faulty_server::FaultyServer;
use crate::scripted_server::{ResponseScript, ScriptedServer, response};
use crate::test_bench::{TestBench, api, create, rules, wait_until};

fn on_first_create(fault: Fault) -> Config {
    Config::default().faults(FaultSchedule::new().with(fault.nth(1).on(Route::ClassifyCreate)))
}

fn expect_one_job<D: Driver>(fault: Fault, expected_creates: u64) {
    // Short only for the response that never comes, because a busy machine responds slowly.
    let limits = match fault {
        Fault::HangAfter => TransportLimits::default().response(Duration::from_secs(2)),
        _ => TransportLimits::default(),
    };
    let settings = Settings {
        limits,
        ..Settings::default()
    };
    let bench = TestBench::<D>::with_settings(on_first_create(fault), settings);
    let job = bench
        .driver
        .run(create())
        .unwrap_or_else(|error| panic!("{}: {error}", fault.name()));
    assert_eq!(job.status, JobStatus::Completed, "{}", fault.name());
    let creates = bench.emulator.count(Route::ClassifyCreate);
    assert_eq!(creates, expected_creates, "{}", fault.name());
    assert_eq!(bench.emulator.job_count(), 1, "{}", fault.name());
}

/// The service created the job and its response was lost: the same job is returned, and there is no other.
pub fn idempotency_create_retry_on_lost_response_makes_one_job<D: Driver>() {
    for fault in [
        Fault::ResetAfter,
        Fault::CloseAfter,
        Fault::HangAfter,
        Fault::ServerErrorAfter,
        Fault::GatewayTimeoutAfter,
    ] {
        expect_one_job::<D>(fault, 2);
    }
}

/// The service created the job and its response was damaged: the same job is returned, and there is no other.
pub fn idempotency_create_retry_on_unreadable_response_makes_one_job<D: Driver>() {
    for fault in [Fault::BodyCut, Fault::WrongLength, Fault::NotJson] {
        expect_one_job::<D>(fault, 2);
    }
}

/// After every fault before the service has processed the create, it is retried, and there is one job.
pub fn idempotency_create_retry_on_failure_before_processing_makes_one_job<D: Driver>() {
    for fault in [
        Fault::ResetBefore,
        Fault::CloseBefore,
        Fault::BadGatewayHtml,
        Fault::ServerErrorBefore,
        Fault::Unavailable,
        Fault::UnavailableShouldRetry,
        Fault::RateLimited,
        Fault::RateLimitedMillis,
        Fault::RateLimitedGarbage,
        Fault::RequestTimeout,
    ] {
        expect_one_job::<D>(fault, 2);
    }
}

/// The service returns the old job for a known transaction id: this is a conflict, and not the result of the new rules.
pub fn idempotency_conflict_on_transaction_id_with_different_rules<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    let first = create().transaction_id("order-1");
    let job = bench
        .driver
        .run(first.clone())
        .expect("the first create succeeds");
    let other = Configuration::new([Rule::new("receipt", "a till receipt with a total amount")]);
    let error = bench
        .driver
        .run(CreateJob::new("pjb-1", other).transaction_id("order-1"))
        .unwrap_err();
    assert!(error.is_conflict(), "{error}");
    assert_eq!(error.job_id(), Some(&*job.id));
    let again = bench
        .driver
        .run(first)
        .expect("the same create returns the same job");
    assert_eq!(again.id, job.id);
    assert_eq!(bench.emulator.job_count(), 1);
}

/// A request was sent and the loop that waited for its reply was dropped: driving the machine again returns the job.
pub fn idempotency_resume_after_dropped_response_makes_one_job<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    let api = api(bench.emulator.base_url(), bench.emulator.key());
    let seed = Seed::new([9; 16]);
    for was_sent in [false, true] {
        bench.emulator.reset();
        bench.emulator.add_parse_job("pjb-1", "Invoice 4711");
        let mut run = Run::new(create(), seed).retry(Settings::default().retry);
        let Step::Send(_, request) = run.poll(Context::new(&api, now())) else {
            panic!("a create is sent first");
        };
        if was_sent {
            let connection = send_and_leave(&api, &request);
            wait_until(|| bench.emulator.job_count() == 1);
            drop(connection);
        }
        let mut created = Vec::new();
        let job = bench
            .driver
            .drive(&mut run, |event| {
                if let RunEvent::Created(job) = event {
                    created.push(job.id.clone());
                }
            })
            .expect("the job ends");
        assert_eq!(created, [job.id]);
        assert_eq!(bench.emulator.job_count(), 1);
        assert_eq!(
            bench.emulator.count(Route::ClassifyCreate),
            1 + u64::from(was_sent)
        );
    }
}

/// Returns the current time, for deadlines of machines.
fn now() -> Time {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock that is right");
    Time::from_millis(0) + since
}

/// Writes a request to a connection and does not read the response.
fn send_and_leave(api: &Api, request: &http::Request<Body>) -> TcpStream {
    let authority = request.uri().authority().expect("a whole URL").as_str();
    assert!(api.base_url().ends_with(authority));
    let body = request.body().in_memory().expect("JSON");
    let mut connection = TcpStream::connect(authority).expect("the emulator listens");
    let mut head = format!(
        "{} {} HTTP/1.1\r\nhost: {authority}\r\ncontent-length: {}\r\n",
        request.method(),
        request.uri(),
        body.len()
    );
    for (name, value) in request.headers() {
        let value = value.to_str().expect("a header that is text");
        head = format!("{head}{name}: {value}\r\n");
    }
    connection
        .write_all(&[head.as_bytes(), b"\r\n", &body].concat())
        .expect("the emulator reads");
    connection
}

/// A run is saved before it starts, after the upload, and after the create. Each time, another client loads and
/// finishes it, and there is one job.
pub fn saved_state_of_any_stage_resumes_in_another_client_with_one_job<D: Driver>() {
    let is_uploaded = |event: &RunEvent| matches!(event, RunEvent::Uploaded(_));
    let is_created = |event: &RunEvent| matches!(event, RunEvent::Created(_));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("invoice.txt");
    std::fs::write(&path, "Invoice 4711, total amount 12.00").expect("a file");

    for stage in 0..3 {
        let bench = TestBench::<D>::new(Config::default());
        let key = ContentKey::of(&std::fs::read(&path).expect("the file"));
        let document = HashedDocument::path("a", &path, key).expect("a path to a file");
        let mut run = bench.driver.document_run(document, rules().into());
        if stage >= 1 {
            let stopped = bench
                .driver
                .drive(FirstEvent::new(&mut run, is_uploaded), drop);
            assert!(stopped.is_ok());
        }
        if stage >= 2 {
            let stopped = bench
                .driver
                .drive(FirstEvent::new(&mut run, is_created), drop);
            assert!(stopped.is_ok());
        }
        let saved = run.save().expect("a state");
        let transaction = run.transaction_id().map(str::to_owned);
        drop(run);

        let other = D::new(
            api(bench.emulator.base_url(), bench.emulator.key()),
            Settings::default(),
        );
        let loaded = Run::load(&saved).expect("the state is read");
        let job = other.drive(loaded, drop).expect("the job ends");
        assert_eq!(job.status, JobStatus::Completed);
        if transaction.is_some() {
            assert_eq!(job.transaction_id, transaction);
        }
        assert_eq!(bench.emulator.job_count(), 1, "stage {stage}");
        assert_eq!(bench.emulator.count(Route::ClassifyCreate), 1);
        assert_eq!(bench.emulator.count(Route::FileCreate), 1);
    }
}

/// A cancel and a delete whose responses were lost succeed.
pub fn cancel_and_delete_retry_on_lost_response_succeeds<D: Driver>() {
    let faults = FaultSchedule::new()
        .with(Fault::ResetAfter.nth(1).on(Route::ClassifyCancel))
        .with(Fault::ResetAfter.nth(1).on(Route::ClassifyDelete));
    let never_ending = classify_emulator::Script::any().never_ends();
    let bench = TestBench::<D>::new(Config::default().script(never_ending).faults(faults));
    let job = bench.jobs(1).remove(0);
    let cancelled = bench
        .driver
        .call(CancelJob::new(&*job.id))
        .expect("the cancel succeeds");
    assert_eq!(cancelled.status, JobStatus::Cancelled);
    bench
        .driver
        .call(DeleteJob::new(&*job.id))
        .expect("the delete succeeds");
    assert_eq!(bench.emulator.job_count(), 0);

    // The same with a machine that the test constructs.
    let job = bench.jobs(1).remove(0);
    let call = Call::new(CancelJob::new(&*job.id), Seed::new([1; 16]));
    let cancelled = bench.driver.drive(call, |never| match never {});
    assert_eq!(cancelled.expect("cancelled").status, JobStatus::Cancelled);
}

/// Returns servers that no request reaches: an unknown host name and, for a driver with TLS, a server that ends the
/// handshake.
fn unreachable_apis<D: Driver>(faulty_server: &FaultyServer) -> Vec<Api> {
    let api = |url: String| {
        let builder = Api::builder("llx-key").base_url(url).allow_plain_http();
        builder.build().expect("an api")
    };
    let mut unreachable = vec![api("http://nobody.invalid".to_owned())];
    if D::has(Capability::Tls) {
        unreachable.push(api(faulty_server.base_url("https")));
    }
    unreachable
}

/// An attempt without a connection does nothing, so an error response to the second attempt is final. A call that never
/// had a connection is not ambiguous.
pub fn ambiguous_is_not_set_by_attempts_that_never_connected<D: Driver>() {
    fn errors_after_no_connection<D: Driver, O: Operation + Clone>(
        unreachable: &Api,
        operation: &O,
    ) -> (Error, Error) {
        let settings = Settings {
            retry: Settings::default().retry.max_retries(1),
            ..Settings::default()
        };
        let disconnected = D::new(unreachable.clone(), settings);
        let not_found = br#"{"detail": "no such job"}"#;
        let server =
            ScriptedServer::start(|_, _| ResponseScript::Respond(response(404, &[], not_found)));
        let connected = D::new(api(&server.base_url(), "llx-key"), settings);
        let call = || Call::new(operation.clone(), Seed::new([3; 16])).retry(settings.retry);
        let mut first_call = call();
        disconnected.drive(FirstReply::new(&mut first_call), |never| match never {});
        let second = connected.drive(&mut first_call, |never| match never {});
        let exhausted = disconnected.drive(call(), |never| match never {});
        (expect_error(second), expect_error(exhausted))
    }

    let faulty_server = FaultyServer::resetting();
    for unreachable in unreachable_apis::<D>(&faulty_server) {
        for (second, exhausted) in [
            errors_after_no_connection::<D, _>(&unreachable, &DeleteJob::new("clj-1")),
            errors_after_no_connection::<D, _>(&unreachable, &CancelJob::new("clj-1")),
        ] {
            assert!(second.is_not_found(), "{second}");
            assert_eq!(second.attempts(), 2, "{second}");
            assert!(!second.is_ambiguous(), "{second}");
            assert!(exhausted.is_transport(), "{exhausted}");
            assert_eq!(exhausted.attempts(), 2, "{exhausted}");
            assert!(!exhausted.is_ambiguous(), "{exhausted}");
        }
    }
    let connections = if D::has(Capability::Tls) { 6 } else { 0 };
    assert_eq!(faulty_server.connections(), connections);
}

fn v1_create() -> v1::CreateJob {
    v1::CreateJob::new(
        ["dfl-1"],
        [v1::Rule::new("invoice", "has an invoice number")],
    )
}

/// A v1 create has no transaction id. If its response is lost, it is ambiguous and not retried. If there was no
/// connection, it is retried.
pub fn idempotency_v1_create_without_key_retry_only_if_not_connected<D: Driver>() {
    let server = ScriptedServer::start(|_, _| ResponseScript::Reset(usize::MAX));
    let driver = D::new(api(&server.base_url(), "llx-key"), Settings::default());
    let error = expect_error(driver.call(v1_create()));
    assert!(error.is_ambiguous(), "{error}");
    assert_eq!((error.attempts(), server.requests().len()), (1, 1));

    let faulty_server = FaultyServer::resetting();
    for unreachable in unreachable_apis::<D>(&faulty_server) {
        let driver = D::new(unreachable, Settings::default());
        let error = expect_error(driver.call(v1_create()));
        assert!(!error.is_ambiguous(), "{error}");
        assert_eq!(error.attempts(), 6, "{error}");
    }
}

/// A keep-alive connection is closed when a create comes over it: no transport sends the create again.
pub fn idempotency_v1_create_is_not_resent_on_closed_keep_alive_connection<D: Driver>() {
    let job = br#"{"id": "clj-1", "status": "RUNNING"}"#;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", job.len());
    let answer = [head.as_bytes(), job].concat();
    let server = ScriptedServer::start(move |_, _| ResponseScript::RespondOnce(answer.clone()));
    let driver = D::new(api(&server.base_url(), "llx-key"), Settings::default());
    driver.call(GetJob::new("clj-1")).expect("a job");
    let error = expect_error(driver.call(v1_create()));
    assert!(error.is_ambiguous(), "{error}");
    let requests = server.requests();
    assert_eq!(requests.len(), 2, "{requests:?}");
    assert!(requests[1].head.starts_with("POST "), "{requests:?}");
}

fn expect_error<T>(result: Result<T, Error>) -> Error {
    match result {
        Ok(_) => panic!("the create cannot succeed"),
        Err(error) => error,
    }
}
