//! Accessors of machines between two steps, response deadlines, and responses to earlier requests.

mod sim;

use std::collections::VecDeque;
use std::time::Duration;

use classify_proto::files::UploadFile;
use classify_proto::machine::{
    Call, Context, Machine, PollInterval, ResponseDeadline, Retry, Run, Saved as _, Step, Ticket,
    Waiter,
};
use classify_proto::v2::{Configuration, CreateJob, GetJob, JobOptions, JobStatus, Rule};
use classify_proto::{Bytes, Reply, Seed, Time, http};
use sim::{Service, Simulation};

const START: Time = Time::from_millis(1_700_000_000_000);

fn seed() -> Seed {
    Seed::new([9; 16])
}

fn job_options() -> JobOptions {
    let rule = Rule::new("invoice", "has an invoice number");
    JobOptions::from(Configuration::new([rule]))
}

#[expect(clippy::unnecessary_wraps, reason = "a machine takes a reply")]
fn says(body: &'static str) -> Reply {
    Ok(http::Response::new(Bytes::from_static(body.as_bytes())))
}

fn sent<M: Machine>(machine: &mut M, cx: Context<'_>) -> Ticket {
    match machine.poll(cx) {
        Step::Send(ticket, _) => ticket,
        _ => panic!("nothing was sent"),
    }
}

#[test]
fn run_accessors_at_each_stage_after_loading_saved_state() {
    let api = sim::api();
    let cx = Context::new(&api, START);
    let upload = UploadFile::new("a.txt", b"canary".to_vec());
    let mut run = Run::upload(upload, job_options(), seed()).with_transaction_id("mine");
    assert_eq!((run.job_id(), run.transaction_id()), (None, Some("mine")));
    // Saved and loaded, the document is not there, and is set again.
    let mut run = {
        let saved = run.save().unwrap();
        assert!(!saved.contains("canary"));
        run = Run::load(&saved).unwrap();
        run.upload_mut().unwrap().set_content(b"canary".to_vec());
        assert!(run.create_mut().is_some());
        run
    };
    let ticket = sent(&mut run, cx);
    run.handle(cx, ticket, says(r#"{"id": "dfl-1", "name": "a.txt"}"#));
    assert!(matches!(run.poll(cx), Step::Event(_)));
    let ticket = sent(&mut run, cx);
    assert!(run.upload_mut().is_none());
    assert_eq!(run.transaction_id(), Some("mine"));
    assert_eq!(
        run.create_mut().unwrap().transaction_id.as_deref(),
        Some("mine")
    );
    let created =
        r#"{"id": "clj-1", "status": "PENDING", "file_input": "dfl-1", "transaction_id": "mine"}"#;
    run.handle(cx, ticket, says(created));
    assert!(matches!(run.poll(cx), Step::Event(_)));
    assert_eq!((run.job_id(), run.transaction_id()), (Some("clj-1"), None));
    assert!(run.create_mut().is_none());
}

#[test]
fn poll_result_is_available_as_last_seen() {
    let api = sim::api();
    let cx = Context::new(&api, START);
    let mut waiter = Waiter::new("clj-1", seed());
    assert!(waiter.last_seen().is_none());
    let ticket = sent(&mut waiter, cx);
    waiter.handle(cx, ticket, says(r#"{"id": "clj-1", "status": "RUNNING"}"#));
    assert!(matches!(waiter.poll(cx), Step::Event(_)));
    assert_eq!(waiter.last_seen().unwrap().status, JobStatus::Running);
}

#[test]
fn timeout_of_wait_is_2_h_and_of_each_poll_15_min() {
    let mut simulation = Simulation::new(Service {
        duration: u64::MAX / 4,
        faults: VecDeque::new(),
        ..Service::default()
    });
    simulation
        .run(&mut Call::new(
            CreateJob::new("dfl-1", job_options()),
            seed(),
        ))
        .1
        .unwrap();
    let start = simulation.now;
    let error = simulation
        .run(&mut Waiter::new("clj-1", seed()))
        .1
        .unwrap_err();
    assert!(error.is_deadline(), "{error}");
    let hours = Duration::from_millis(simulation.now - start);
    assert!(hours >= Duration::from_secs(7_200) && hours < Duration::from_secs(7_231));

    let api = sim::api();
    let Step::Send(_, request) = Waiter::new("clj-1", seed()).poll(Context::new(&api, START))
    else {
        panic!("it looks at once")
    };
    let ResponseDeadline(by) = request.extensions().get().unwrap();
    assert_eq!(*by, START + Duration::from_secs(900));
}

/// The reply to a look that was given up is not taken for the reply to the next: it may be of another moment.
#[test]
fn poll_response_to_earlier_request_is_ignored() {
    let api = sim::api();
    let cx = |seconds: u64| Context::new(&api, START + Duration::from_secs(seconds));
    let poll_interval = PollInterval::new(Duration::from_secs(1), Duration::from_secs(1));
    let short = Retry::never().total_timeout(Duration::from_secs(5));
    let mut waiter = Waiter::new("clj-1", seed())
        .retry(short)
        .poll_interval(poll_interval);
    let first = sent(&mut waiter, cx(0));
    assert!(matches!(waiter.poll(cx(5)), Step::Event(_)));
    let second = sent(&mut waiter, cx(7));
    waiter.handle(cx(7), first, says(r#"{"id": "clj-1", "status": "FAILED"}"#));
    assert!(matches!(waiter.poll(cx(7)), Step::Wait(Some(_))));
    waiter.handle(
        cx(7),
        second,
        says(r#"{"id": "clj-1", "status": "COMPLETED"}"#),
    );
    assert!(matches!(waiter.poll(cx(7)), Step::Done(Ok(_))));
}

#[test]
fn machine_can_be_driven_by_mutable_reference() {
    fn answered(mut machine: impl Machine, cx: Context<'_>, losses: usize) -> bool {
        let mut ticket = sent(&mut machine, cx);
        for _ in 0..losses {
            machine.resume();
            ticket = sent(&mut machine, cx);
        }
        machine.handle(cx, ticket, says(r#"{"id": "clj-1", "status": "RUNNING"}"#));
        matches!(machine.poll(cx), Step::Done(_))
    }
    let api = sim::api();
    let mut call = Call::new(GetJob::new("clj-1"), seed());
    assert!(answered(&mut call, Context::new(&api, START), 1));
    let ticket = sent(
        &mut Call::new(GetJob::new("clj-1"), seed()),
        Context::new(&api, START),
    );
    assert_eq!(ticket.to_string(), "#0");
}

#[test]
fn resume_keeps_response_already_received() {
    let api = sim::api();
    let cx = Context::new(&api, START);
    let mut call = Call::new(GetJob::new("clj-1"), seed());
    let ticket = sent(&mut call, cx);
    call.handle(cx, ticket, says(r#"{"id": "clj-1", "status": "RUNNING"}"#));
    call.resume();
    assert!(matches!(call.poll(cx), Step::Done(Ok(_))));
    call.resume();
    assert!(matches!(call.poll(cx), Step::Wait(None)));
}
