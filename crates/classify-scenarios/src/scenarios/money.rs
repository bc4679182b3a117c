//! One document, one job, one bill.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use classify_emulator::{Config, Fault, FaultSchedule, Route};
use classify_proto::machine::{Call, Cx, Machine, Run, RunEvent, Saved, Step};
use classify_proto::v2::{Cancel, Configuration, Delete, Get, JobStatus, Rule};
use classify_proto::{Api, Body, Error, Limits, Operation, Seed, Time, http, v1};

use crate::door::Door;
use crate::driver::{Driver, FirstEvent, FirstReply, Setup};
use crate::listener::{Listener, Plan, response};
use crate::world::{World, api, create, spin};

fn on_the_first_create(fault: Fault) -> Config {
    Config::default().faults(FaultSchedule::new().with(fault.nth(1).on(Route::ClassifyCreate)))
}

fn one_job_after<D: Driver>(fault: Fault, creates: u64) {
    // Short only for the answer that never comes: a machine with much else to do is slow to give any.
    let limits = match fault {
        Fault::HangAfter => Limits::default().response(Duration::from_secs(2)),
        _ => Limits::default(),
    };
    let setup = Setup {
        limits,
        ..Setup::default()
    };
    let world = World::<D>::with(on_the_first_create(fault), setup);
    let job = world
        .driver
        .run(create())
        .unwrap_or_else(|error| panic!("{}: {error}", fault.name()));
    assert_eq!(job.status, JobStatus::Completed, "{}", fault.name());
    let sent = world.emulator.count(Route::ClassifyCreate);
    assert_eq!(sent, creates, "{}", fault.name());
    assert_eq!(world.emulator.job_count(), 1, "{}", fault.name());
}

/// The service made the job and its answer was lost: the same job comes back, and there is no other.
pub fn an_answer_lost_after_the_work_makes_no_second_job<D: Driver>() {
    for fault in [
        Fault::ResetAfter,
        Fault::CloseAfter,
        Fault::HangAfter,
        Fault::ServerErrorAfter,
        Fault::GatewayTimeoutAfter,
    ] {
        one_job_after::<D>(fault, 2);
    }
}

/// The service made the job and its answer came spoiled: the same job comes back, and there is no other.
pub fn an_answer_that_cannot_be_read_makes_no_second_job<D: Driver>() {
    for fault in [Fault::BodyCut, Fault::WrongLength, Fault::NotJson] {
        one_job_after::<D>(fault, 2);
    }
}

/// Whatever went wrong before the service acted, it is asked again, and there is one job.
pub fn a_failure_before_the_work_makes_one_job<D: Driver>() {
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
        one_job_after::<D>(fault, 2);
    }
}

/// The service answers a known transaction id with the old job: that is a conflict, never the new rules' result.
pub fn the_same_transaction_id_with_other_rules_is_a_conflict<D: Driver>() {
    let world = World::<D>::new(Config::default());
    let first = create().transaction_id("order-1");
    let job = world.driver.run(first.clone()).expect("the first is made");
    let other = Configuration::new([Rule::new("receipt", "a till receipt with a total amount")]);
    let error = world
        .driver
        .run(create().transaction_id("order-1").configuration(other))
        .unwrap_err();
    assert!(error.is_conflict(), "{error}");
    assert_eq!(error.job_id(), Some(&*job.id));
    let again = world.driver.run(first).expect("the same again is the same");
    assert_eq!(again.id, job.id);
    assert_eq!(world.emulator.job_count(), 1);
}

/// A request was sent and the loop that waited for its reply was dropped: driving the machine again finds the job.
pub fn a_request_whose_reply_was_dropped_is_taken_up<D: Driver>() {
    let world = World::<D>::new(Config::default());
    let api = api(world.emulator.base_url(), world.emulator.key());
    let seed = Seed::new([9; 16]);
    for sent in [false, true] {
        world.emulator.reset();
        world.emulator.add_parse_job("pjb-1", "Invoice 4711");
        let mut run = Run::new(create(), seed).retry(Setup::default().retry);
        let Step::Send(_, request) = run.poll(Cx::new(&api, now())) else {
            panic!("a create is sent first");
        };
        if sent {
            let connection = send_and_leave(&api, &request);
            spin(|| world.emulator.job_count() == 1);
            drop(connection);
        }
        let mut created = Vec::new();
        let job = world
            .driver
            .drive(&mut run, |event| {
                if let RunEvent::Created(job) = event {
                    created.push(job.id.clone());
                }
            })
            .expect("the job ends");
        assert_eq!(created, [job.id]);
        assert_eq!(world.emulator.job_count(), 1);
        assert_eq!(
            world.emulator.count(Route::ClassifyCreate),
            1 + u64::from(sent)
        );
    }
}

/// The present time, for a machine's deadlines.
fn now() -> Time {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock that is right");
    Time::from_millis(0) + since
}

/// Writes a request to a connection and does not read the answer.
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

/// A run is saved when it is new, when the document is up, and when the job is there; each time another client loads
/// it and finishes it, and there is one job.
pub fn a_run_is_saved_at_any_stage_and_finished_by_another<D: Driver>() {
    let is_uploaded = |event: &RunEvent| matches!(event, RunEvent::Uploaded(_));
    let is_created = |event: &RunEvent| matches!(event, RunEvent::Created(_));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("invoice.txt");
    std::fs::write(&path, "Invoice 4711, total amount 12.00").expect("a file");

    for stage in 0..3 {
        let world = World::<D>::new(Config::default());
        let upload = classify_proto::files::Upload::path(&path).expect("a path to a file");
        let mut run = world.driver.upload_run(upload, create());
        if stage >= 1 {
            let stopped = world
                .driver
                .drive(FirstEvent::new(&mut run, is_uploaded), drop);
            assert!(stopped.is_ok());
        }
        if stage >= 2 {
            let stopped = world
                .driver
                .drive(FirstEvent::new(&mut run, is_created), drop);
            assert!(stopped.is_ok());
        }
        let saved = run.save().expect("a state");
        let transaction = run.transaction_id().map(str::to_owned);
        drop(run);

        let other = D::new(
            api(world.emulator.base_url(), world.emulator.key()),
            Setup::default(),
        );
        let loaded = Run::load(&saved).expect("the state is read");
        let job = other.drive(loaded, drop).expect("the job ends");
        assert_eq!(job.status, JobStatus::Completed);
        if transaction.is_some() {
            assert_eq!(job.transaction_id, transaction);
        }
        assert_eq!(world.emulator.job_count(), 1, "stage {stage}");
        assert_eq!(world.emulator.count(Route::ClassifyCreate), 1);
        assert_eq!(world.emulator.count(Route::FileCreate), 1);
    }
}

/// A cancel and a delete whose answers were lost are found to have been done.
pub fn a_cancel_or_delete_whose_answer_was_lost_is_settled<D: Driver>() {
    let faults = FaultSchedule::new()
        .with(Fault::ResetAfter.nth(1).on(Route::ClassifyCancel))
        .with(Fault::ResetAfter.nth(1).on(Route::ClassifyDelete));
    let stuck = classify_emulator::Script::any().never_ends();
    let world = World::<D>::new(Config::default().script(stuck).faults(faults));
    let job = world.jobs(1).remove(0);
    let cancelled = world
        .driver
        .call(Cancel::new(&*job.id))
        .expect("the cancel is settled");
    assert_eq!(cancelled.status, JobStatus::Cancelled);
    world
        .driver
        .call(Delete::new(&*job.id))
        .expect("the delete is settled");
    assert_eq!(world.emulator.job_count(), 0);

    // The same through a machine of the caller's own.
    let job = world.jobs(1).remove(0);
    let call = Call::new(Cancel::new(&*job.id), Seed::new([1; 16]));
    let cancelled = world.driver.drive(call, |never| match never {});
    assert_eq!(cancelled.expect("cancelled").status, JobStatus::Cancelled);
}

/// Places where no request gets to: a name that nobody has, and a server that breaks the handshake off.
fn unreachable(door: &Door) -> [Api; 2] {
    let api = |url: String| {
        let builder = Api::builder("llx-key").base_url(url).allow_plain_http();
        builder.build().expect("an api")
    };
    [
        api("http://nobody.invalid".to_owned()),
        api(door.base_url("https")),
    ]
}

/// A first attempt that found no connection did nothing, so that the refusal of the second is the answer; and a call
/// that never found one is not in doubt.
pub fn what_never_left_was_not_acted_upon<D: Driver>() {
    fn refused<D: Driver, O: Operation + Clone>(nowhere: &Api, operation: &O) -> (Error, Error) {
        let setup = Setup {
            retry: Setup::default().retry.max_retries(1),
            ..Setup::default()
        };
        let lost = D::new(nowhere.clone(), setup);
        let gone = br#"{"detail": "no such job"}"#;
        let listener = Listener::start(|_, _| Plan::Answer(response(404, &[], gone)));
        let there = D::new(api(&listener.base_url(), "llx-key"), setup);
        let call = || Call::new(operation.clone(), Seed::new([3; 16])).retry(setup.retry);
        let mut begun = call();
        lost.drive(FirstReply::new(&mut begun), |never| match never {});
        let second = there.drive(&mut begun, |never| match never {});
        let exhausted = lost.drive(call(), |never| match never {});
        (failed(second), failed(exhausted))
    }

    let door = Door::slammed();
    for nowhere in unreachable(&door) {
        for (second, exhausted) in [
            refused::<D, _>(&nowhere, &Delete::new("clj-1")),
            refused::<D, _>(&nowhere, &Cancel::new("clj-1")),
        ] {
            assert!(second.is_not_found(), "{second}");
            assert_eq!(second.attempts(), 2, "{second}");
            assert!(!second.is_ambiguous(), "{second}");
            assert!(exhausted.is_transport(), "{exhausted}");
            assert_eq!(exhausted.attempts(), 2, "{exhausted}");
            assert!(!exhausted.is_ambiguous(), "{exhausted}");
        }
    }
    assert_eq!(door.connections(), 6);
}

fn old_create() -> v1::Create {
    v1::Create::new(
        ["dfl-1"],
        [v1::Rule::new("invoice", "has an invoice number")],
    )
}

/// A create of the first version has no key. Where its answer is lost, nobody knows, and it is not sent again; where
/// there was no connection, it is.
pub fn a_create_without_a_key_is_sent_once_unless_nobody_heard_it<D: Driver>() {
    let listener = Listener::start(|_, _| Plan::Reset(usize::MAX));
    let driver = D::new(api(&listener.base_url(), "llx-key"), Setup::default());
    let error = failed(driver.call(old_create()));
    assert!(error.is_ambiguous(), "{error}");
    assert_eq!((error.attempts(), listener.seen().len()), (1, 1));

    let door = Door::slammed();
    for nowhere in unreachable(&door) {
        let driver = D::new(nowhere, Setup::default());
        let error = failed(driver.call(old_create()));
        assert!(!error.is_ambiguous(), "{error}");
        assert_eq!(error.attempts(), 6, "{error}");
    }
}

/// A kept connection is closed in the moment that a create comes over it: no transport sends that again of its own.
pub fn a_connection_that_dies_under_a_create_makes_no_second_one<D: Driver>() {
    let job = br#"{"id": "clj-1", "status": "RUNNING"}"#;
    let kept = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", job.len());
    let answer = [kept.as_bytes(), job].concat();
    let listener = Listener::start(move |_, _| Plan::AnswerOnce(answer.clone()));
    let driver = D::new(api(&listener.base_url(), "llx-key"), Setup::default());
    driver.call(Get::new("clj-1")).expect("a job");
    let error = failed(driver.call(old_create()));
    assert!(error.is_ambiguous(), "{error}");
    let seen = listener.seen();
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen[1].head.starts_with("POST "), "{seen:?}");
}

fn failed<T>(result: Result<T, Error>) -> Error {
    match result {
        Ok(_) => panic!("a success that cannot be"),
        Err(error) => error,
    }
}
