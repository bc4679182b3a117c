//! A call and the bounds it keeps to: its client's limiter, its deadline, and what it may be repeated for.

mod sim;

use std::sync::Mutex;
use std::time::Duration;

use classify_proto::files::UploadFile;
use classify_proto::machine::{
    Call, Context, Limiter, Machine, ResponseDeadline, Retry, Saved, Step, Ticket,
};
use classify_proto::v2::{Configuration, CreateJob, GetJob, JobOptions, Rule};
use classify_proto::{Api, Error, Failure, RateClass, Seed, Time};

const START: Time = Time::from_millis(1_700_000_000_000);

fn seed() -> Seed {
    Seed::new([9; 16])
}

fn create() -> CreateJob {
    let rule = Rule::new("invoice", "has an invoice number");
    CreateJob::new("dfl-1", Configuration::new([rule]))
}

/// A limiter that lets the next get through in ten and a half seconds.
fn used_up() -> Mutex<Limiter> {
    let mut limiter = Limiter::unlimited().limit(RateClass::Other, 1, Duration::from_secs(10));
    limiter.sent(RateClass::Other, START);
    Mutex::new(limiter)
}

/// The first step of a get under that limiter.
fn first_step(
    change: impl FnOnce(Call<GetJob>) -> Call<GetJob>,
) -> Step<std::convert::Infallible, Result<classify_proto::v2::Job, Error>> {
    let (api, limiter) = (sim::api(), used_up());
    let mut call = change(Call::new(GetJob::new("clj-1"), seed()));
    call.poll(Context::new(&api, START).rate_limits(&limiter))
}

#[test]
fn rate_limit_wait_within_deadline_and_cap_is_waited_for() {
    let free = START + Duration::from_millis(10_500);
    let waits = |step| matches!(step, Step::Wait(Some(until)) if until == free);
    assert!(waits(first_step(|call| call)));
    let just_in_time = free + Duration::from_millis(1);
    assert!(waits(first_step(|call| call.deadline(just_in_time))));
    let patient = Retry::default().max_retry_after(Duration::from_millis(10_500));
    assert!(waits(first_step(|call| call.retry(patient))));
}

#[test]
fn rate_limit_wait_beyond_deadline_or_cap_is_returned() {
    let free = START + Duration::from_millis(10_500);
    let refused = |step| match step {
        Step::Done(Err(error)) => {
            let error: Error = error;
            assert!(error.is_rate_limited(), "{error}");
            assert_eq!(error.retry_after(), Some(Duration::from_millis(10_500)));
            assert_eq!(error.attempts(), 0);
        }
        other => panic!("{other:?}"),
    };
    refused(first_step(|call| call.deadline(free)));
    let impatient = Retry::default().max_retry_after(Duration::from_millis(10_499));
    refused(first_step(|call| call.retry(impatient)));
}

#[test]
fn timeout_of_call_is_15_min_and_of_upload_150_min() {
    fn by<M: Machine>(api: &Api, mut machine: M) -> Duration {
        match machine.poll(Context::new(api, START)) {
            Step::Send(_, request) => {
                let ResponseDeadline(by) = request.extensions().get().unwrap();
                *by - START
            }
            _ => panic!("it sends at once"),
        }
    }
    let api = sim::api();
    assert_eq!(
        by(&api, Call::new(GetJob::new("clj-1"), seed())),
        Duration::from_secs(15 * 60)
    );
    let upload = UploadFile::new("a.txt", b"x".to_vec());
    assert_eq!(
        by(&api, Call::new(upload, seed())),
        Duration::from_secs(150 * 60)
    );
    // The attempt timeout of a document of 512 MiB is shorter.
    let largest =
        classify_proto::TransportLimits::default().attempt_timeout(512 << 20, None, START);
    assert!(largest < Duration::from_secs(150 * 60));
    let short = Retry::default().total_timeout(Duration::from_secs(7));
    assert_eq!(
        by(&api, Call::new(GetJob::new("clj-1"), seed()).retry(short)),
        Duration::from_secs(7)
    );
}

/// Sends once, answers with this failure, and waits until it would be repeated.
fn failed_once<M: Machine>(api: &Api, call: &mut M, failure: Failure) -> Time {
    let ticket: Ticket = match call.poll(Context::new(api, START)) {
        Step::Send(ticket, _) => ticket,
        _ => panic!("it sends at once"),
    };
    call.handle(Context::new(api, START), ticket, Err(failure));
    match call.poll(Context::new(api, START)) {
        Step::Wait(Some(until)) => until,
        _ => panic!("it is repeated"),
    }
}

/// A caller may replace the operation between attempts. If it is invalid, the error is still ambiguous after an attempt
/// that may have created a job.
#[test]
fn ambiguous_flag_of_retry_that_cannot_be_built() {
    let api = sim::api();
    for (failure, ambiguous) in [
        (Failure::timeout("60 s passed"), true),
        (Failure::connect("refused"), false),
    ] {
        let mut call = Call::new(create(), seed());
        let later = failed_once(&api, &mut call, failure);
        *call.operation_mut() = CreateJob::new("", JobOptions::default());
        let Step::Done(Err(error)) = call.poll(Context::new(&api, later)) else {
            panic!("nothing can be sent")
        };
        assert!(error.is_invalid(), "{error}");
        assert_eq!(error.is_ambiguous(), ambiguous, "{error}");
    }
    // Whether a read was acted upon matters to nobody.
    let mut call = Call::new(GetJob::new("clj-1"), seed());
    let later = failed_once(&api, &mut call, Failure::timeout("60 s passed"));
    *call.operation_mut() = GetJob::new("..");
    let Step::Done(Err(error)) = call.poll(Context::new(&api, later)) else {
        panic!("nothing can be sent")
    };
    assert!(error.is_invalid() && !error.is_ambiguous(), "{error}");
}

#[test]
fn retry_after_equal_to_cap_is_waited_for() {
    let api = sim::api();
    let asked = |seconds: &str| {
        let response = classify_proto::http::Response::builder()
            .status(503)
            .header("retry-after", seconds)
            .body(classify_proto::Bytes::new())
            .unwrap();
        let mut call = Call::new(GetJob::new("clj-1"), seed());
        let Step::Send(ticket, _) = call.poll(Context::new(&api, START)) else {
            panic!("it sends at once")
        };
        call.handle(Context::new(&api, START), ticket, Ok(response));
        matches!(call.poll(Context::new(&api, START)), Step::Wait(_))
    };
    assert!(asked("120"));
    assert!(!asked("120.001"));
}

/// A conflict response that contains the job resolves an ambiguous create; an error response without it does not.
#[test]
fn conflict_on_retry_is_unambiguous_only_with_job() {
    let api = sim::api();
    let answered = |status: u16, body: &'static str| {
        let mut call = Call::new(create(), seed());
        let later = failed_once(&api, &mut call, Failure::timeout("60 s passed"));
        let cx = Context::new(&api, later);
        let Step::Send(ticket, _) = call.poll(cx) else {
            panic!("it is repeated")
        };
        let response = classify_proto::http::Response::builder()
            .status(status)
            .body(body.into())
            .unwrap();
        call.handle(cx, ticket, Ok(response));
        match call.poll(cx) {
            Step::Done(Err(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    let another = answered(
        200,
        r#"{"id": "clj-1", "status": "PENDING", "file_input": "dfl-2"}"#,
    );
    assert!(
        another.is_conflict() && another.job().is_some(),
        "{another}"
    );
    assert!(!another.is_ambiguous(), "{another}");
    let refused = answered(409, r#"{"detail": "no"}"#);
    assert!(
        refused.is_conflict() && refused.job().is_none(),
        "{refused}"
    );
    assert!(refused.is_ambiguous(), "{refused}");
}

/// Runs a call whose every attempt ends with this failure; returns its error and how many requests it gave out.
fn failed_always(api: &Api, failure: &Failure) -> (Error, u32) {
    let mut call = Call::new(GetJob::new("clj-1"), seed());
    let (mut now, mut requests) = (START, 0);
    loop {
        match call.poll(Context::new(api, now)) {
            Step::Send(ticket, _) => {
                requests += 1;
                call.handle(Context::new(api, now), ticket, Err(failure.clone()));
            }
            Step::Wait(until) => now = until.expect("no reply is owed"),
            Step::Done(result) => return (result.unwrap_err(), requests),
            Step::Event(never) => match never {},
        }
    }
}

#[test]
fn attempts_count_only_requests_that_the_transport_began() {
    let api = sim::api();
    for (failure, attempts, requests) in [
        (Failure::refused("no TLS"), 0, 1),
        (Failure::refused("bad certificate").attempted(true), 1, 1),
        (Failure::refused("a panic").after_sending(), 1, 1),
        (Failure::content("gone"), 0, 1),
        (Failure::content("it shrank").attempted(true), 1, 1),
        (Failure::connect("refused"), 6, 6),
        (Failure::timeout("60 s").before_sending(), 6, 6),
        // An attempt that was not started counts for the retry policy.
        (Failure::timeout("no time left").attempted(false), 0, 6),
        (Failure::too_large(1), 1, 1),
    ] {
        let (error, sent) = failed_always(&api, &failure);
        assert_eq!(
            (error.attempts(), sent),
            (attempts, requests),
            "{failure:?}"
        );
    }
}

#[test]
fn attempts_are_0_if_validation_or_deadline_precedes_sending() {
    let api = sim::api();
    let first = |mut call: Call<CreateJob>| match call.poll(Context::new(&api, START)) {
        Step::Done(result) => result.unwrap_err(),
        other => panic!("{other:?}"),
    };
    let invalid = first(Call::new(
        CreateJob::new("dfl-1", JobOptions::default()),
        seed(),
    ));
    assert!(invalid.is_invalid(), "{invalid}");
    let late = first(Call::new(create(), seed()).deadline(START));
    assert!(late.is_timeout(), "{late}");
    for error in [invalid, late] {
        assert_eq!(error.attempts(), 0, "{error}");
        assert_eq!(error.file_id(), Some("dfl-1"), "{error}");
        assert!(error.transaction_id().is_some(), "{error}");
    }
}

/// An attempt that was not started is not counted after a restart either.
#[test]
fn attempts_of_saved_call_leave_out_those_not_begun() {
    let api = sim::api();
    let mut call = Call::new(GetJob::new("clj-1"), seed());
    let failure = Failure::timeout("no time left").attempted(false);
    let later = failed_once(&api, &mut call, failure);
    let mut call: Call<GetJob> = Call::load(&call.save().unwrap()).unwrap();
    let cx = Context::new(&api, later);
    let Step::Send(ticket, _) = call.poll(cx) else {
        panic!("it is repeated")
    };
    call.handle(cx, ticket, Err(Failure::too_large(1)));
    let Step::Done(Err(error)) = call.poll(cx) else {
        panic!("it is not repeated")
    };
    assert_eq!(error.attempts(), 1, "{error}");
}
