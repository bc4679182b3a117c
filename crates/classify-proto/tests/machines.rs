//! The rules of every machine, in virtual time, under any faults and crashes.

mod proptest_config;
mod sim;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use classify_proto::machine::{
    Call, Concurrent, ConcurrentEvent, Context, HashedDocument, Machine, Pager, PollInterval,
    Retry, Run, RunEvent, Saved, Step, Waiter,
};
use classify_proto::v2::{
    CancelJob, Configuration, CreateJob, DeleteJob, GetJob, JobOptions, JobStatus, ListJobs, Rule,
};
use classify_proto::{
    Api, Body, Bytes, Error, ErrorKind, Failure, Operation, RateClass, Seed, Semantics, Time,
    files, http,
};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest_config::cases;
use sim::{FAULTS, Fault, SILENT_FOR_TOO_LONG, Service, Simulation, respond};

const SEED: [u8; 16] = [9; 16];

fn seed() -> Seed {
    Seed::new(SEED)
}

fn rules() -> Configuration {
    Configuration::new([Rule::new("invoice", "has an invoice number")])
}

fn create() -> CreateJob {
    CreateJob::new("dfl-1", rules())
}

fn faults() -> impl Strategy<Value = VecDeque<Fault>> {
    vec(proptest::sample::select(&FAULTS[..]), 0..30).prop_map(Into::into)
}

fn crashes() -> impl Strategy<Value = BTreeSet<u32>> {
    btree_set(0u32..60, 0..8)
}

fn service(duration: u64, faults: VecDeque<Fault>) -> Service {
    Service {
        duration,
        faults,
        ..Service::default()
    }
}

/// A service that already has the job `clj-1`, created at the simulation's beginning.
fn simulation_with_job(duration: u64, faults: VecDeque<Fault>) -> Simulation {
    let mut simulation = Simulation::new(service(duration, VecDeque::new()));
    let (_, job) = simulation.run(&mut Call::new(create(), seed()));
    assert_eq!(job.unwrap().id, "clj-1");
    simulation.service.faults = faults;
    simulation.service.log.clear();
    simulation
}

proptest! {
    #![proptest_config(cases(2048))]

    #[test]
    fn idempotency_create_makes_at_most_one_job_with_one_transaction_id(faults in faults(), crashes in crashes()) {
        let mut simulation = Simulation::new(service(100, faults));
        let (_, result) = simulation.run_with_crashes(Call::new(create(), seed()), &crashes);
        prop_assert!(simulation.service.jobs.len() <= 1);
        let keys: BTreeSet<_> = simulation.service.transactions.iter().collect();
        prop_assert!(keys.len() <= 1);
        match result {
            Ok(job) => {
                prop_assert_eq!(simulation.service.jobs.len(), 1);
                prop_assert_eq!(&job.id, "clj-1");
            }
            Err(error) => {
                prop_assert!(error.transaction_id().is_some());
                // If a job was created and its id is unknown, the error is always ambiguous.
                prop_assert!(simulation.service.jobs.is_empty() || error.is_ambiguous(), "{}", error);
            }
        }
        prop_assert!(simulation.service.log.len() <= 6 + crashes.len());
    }

    #[test]
    fn idempotency_run_creates_one_job_and_returns_its_outcome(
        faults in faults(), crashes in crashes(), duration in 0u64..60_000, failing in any::<bool>(),
    ) {
        let silences = faults.iter().filter(|fault| fault.is_silence()).count();
        let mut simulation = Simulation::new(Service { failing, ..service(duration, faults) });
        let upload = files::UploadFile::new("canary.txt", std::path::PathBuf::from("document.txt"));
        let upload = upload.clone();
        let run = Run::upload(files::UploadFile::new("a.txt", upload.content.clone()), JobOptions::from(rules()), seed());
        let (events, result) = simulation.run_with_crashes(run, &crashes);
        prop_assert!(simulation.service.jobs.len() <= 1);
        match result {
            Ok(job) => {
                prop_assert!(!failing);
                prop_assert_eq!(job.status, JobStatus::Completed);
                prop_assert_eq!(simulation.service.jobs.len(), 1);
            }
            Err(error) if error.is_job_failed() => {
                prop_assert!(failing);
                prop_assert_eq!(error.job().unwrap().error_message.as_deref(), Some("PDF_IS_BROKEN"));
            }
            Err(error) if error.is_deadline() => prop_assert!(silences >= SILENT_FOR_TOO_LONG, "{}", error),
            // Only a network that failed six times in a row ends a run otherwise.
            Err(error) => prop_assert!(error.is_transient() || error.is_decode(), "{}", error),
        }
        if simulation.service.jobs.len() == 1 && crashes.is_empty() {
            let created = events.iter().filter(|event| matches!(event, RunEvent::Created(_))).count();
            prop_assert!(created <= 1);
        }
    }

    #[test]
    fn pagination_returns_every_item_once_in_order(
        sizes in vec(0usize..4, 1..12), faults in faults(), crashes in crashes(), prefetch in any::<bool>(),
    ) {
        let mut service = service(0, faults);
        let mut expected = Vec::new();
        let token = |page: usize| if page == 0 { String::new() } else { format!("t{page}") };
        for (page, size) in sizes.iter().enumerate() {
            let items: Vec<_> = (0..*size).map(|item| format!("{page}.{item}")).collect();
            expected.extend(items.iter().cloned());
            let next = (page + 1 < sizes.len()).then(|| token(page + 1));
            service.pages.insert(token(page), (items, next));
        }
        let mut simulation = Simulation::new(service);
        let pager = Pager::new(ListJobs::new(), seed()).prefetch(prefetch);
        let (pages, result) = simulation.run_with_crashes(pager, &crashes);
        let items: Vec<_> = pages.into_iter().flat_map(|page| page.items).map(|job| job.id).collect();
        match result {
            Ok(()) => prop_assert_eq!(items, expected),
            Err(error) => {
                prop_assert!(error.is_transient(), "{}", error);
                prop_assert!(expected.starts_with(&items));
            }
        }
        prop_assert!(simulation.service.log.len() <= (sizes.len() + crashes.len()) * 6);
    }

    #[test]
    fn pagination_repeated_token_is_an_error(back_to in 0usize..6, prefetch in any::<bool>(), crashes in crashes()) {
        let mut service = service(0, VecDeque::new());
        service.pages.insert(String::new(), (vec!["0".to_owned()], Some("t0".to_owned())));
        for page in 0..6 {
            let next = if page == 5 { back_to } else { page + 1 };
            service.pages.insert(format!("t{page}"), (vec![], Some(format!("t{next}"))));
        }
        let mut simulation = Simulation::new(service);
        let (pages, result) = simulation.run_with_crashes(Pager::new(ListJobs::new(), seed()).prefetch(prefetch), &crashes);
        prop_assert_eq!(pages.len(), 7);
        let error = result.unwrap_err();
        prop_assert!(error.to_string().contains("repeats a page token"), "{}", error);
    }

    #[test]
    fn deadline_of_wait_holds_under_faults_and_crashes(
        faults in faults(), crashes in crashes(), duration in 0u64..120_000, timeout in 0u64..60_000,
    ) {
        let mut simulation = simulation_with_job(duration, faults);
        let start = simulation.now;
        let waiter = Waiter::new("clj-1", seed()).timeout(Duration::from_millis(timeout));
        let (_, result) = simulation.run_with_crashes(waiter, &crashes);
        // The last look, at the deadline, has thirty seconds.
        prop_assert!(simulation.now <= start + timeout + 30_000, "{} ms", simulation.now - start);
        match result {
            Ok(job) => prop_assert_eq!(job.status, JobStatus::Completed),
            Err(error) => {
                prop_assert!(error.is_deadline(), "{}", error);
                prop_assert_eq!(error.job_id(), Some("clj-1"));
            }
        }
    }

    #[test]
    fn cancel_reports_actual_job_status_under_faults(faults in faults(), crashes in crashes(), duration in 0u64..20_000) {
        let mut simulation = simulation_with_job(duration, faults);
        let (_, result) = simulation.run_with_crashes(Call::new(CancelJob::new("clj-1"), seed()), &crashes);
        let cancelled = simulation.service.jobs[0].cancelled;
        match result {
            Ok(job) => {
                prop_assert!(cancelled);
                prop_assert_eq!(job.status, JobStatus::Cancelled);
            }
            Err(error) if error.is_conflict() => prop_assert!(!cancelled, "{}", error),
            Err(error) => prop_assert!(error.is_transient() || error.is_decode(), "{}", error),
        }
    }

    #[test]
    fn idempotency_delete_succeeds_under_faults_and_crashes(faults in faults(), crashes in crashes()) {
        let mut simulation = simulation_with_job(0, faults);
        let (_, result) = simulation.run_with_crashes(Call::new(DeleteJob::new("clj-1"), seed()), &crashes);
        match result {
            Ok(deleted) => {
                prop_assert_eq!(&deleted.id, "clj-1");
                prop_assert!(simulation.service.deleted.contains("clj-1"));
            }
            Err(error) => prop_assert!(error.is_transient() || error.is_decode(), "{}", error),
        }
    }

    #[test]
    fn concurrent_finishes_each_machine_once(count in 0usize..12, max_concurrency in 0usize..5, faults in faults(), crashes in crashes()) {
        let mut simulation = Simulation::new(service(3_000, faults));
        let runs = (0..count).map(|place| {
            let create = CreateJob::new(format!("dfl-{place}"), rules());
            Run::new(create, seed().derive(place as u64))
        });
        let (events, ()) = simulation.run_with_crashes(Concurrent::new(runs.collect::<Vec<_>>(), max_concurrency), &crashes);
        let mut ended: Vec<_> = events.iter().filter_map(|event| match event {
            ConcurrentEvent::Finished(index, _) => Some(*index),
            ConcurrentEvent::Progress(..) => None,
        }).collect();
        ended.sort_unstable();
        prop_assert_eq!(ended, (0..count).collect::<Vec<_>>());
        prop_assert!(simulation.service.jobs.len() <= count);
        let keys: BTreeSet<_> = simulation.service.jobs.iter().map(|job| job.transaction_id.clone()).collect();
        prop_assert_eq!(keys.len(), simulation.service.jobs.len());
    }
}

#[test]
fn concurrent_respects_limit_and_stop_starting() {
    let mut simulation = Simulation::new(service(0, VecDeque::new()));
    let mut concurrent = Concurrent::new(
        (0..9).map(|_| Call::new(GetJob::new("clj-none"), seed())),
        2,
    );
    let api = simulation.api.clone();
    let cx = Context::new(&api, Time::from_millis(simulation.now));
    let mut sent = 0;
    while let Step::Send(..) = concurrent.poll(cx) {
        sent += 1;
    }
    assert_eq!(sent, 2);
    concurrent.resume();
    assert_eq!(concurrent.stop_starting(), [2, 3, 4, 5, 6, 7, 8]);
    let (events, ()) = simulation.run(&mut concurrent);
    assert_eq!(events.len(), 2);
}

#[test]
fn retry_after_beyond_cap_is_returned() {
    for (asked, waits) in [("86400", false), ("121", false), ("90", true)] {
        let api = sim::api();
        let mut call = Call::new(GetJob::new("clj-1"), seed());
        let start = Time::from_millis(0);
        let Step::Send(ticket, _) = call.poll(Context::new(&api, start)) else {
            panic!()
        };
        let mut limited = respond(429, &serde_json::json!({"detail": "Too many requests"}));
        limited
            .headers_mut()
            .insert("retry-after", asked.parse().unwrap());
        call.handle(Context::new(&api, start), ticket, Ok(limited));
        match call.poll(Context::new(&api, start)) {
            Step::Wait(Some(until)) if waits => assert_eq!(until, Time::from_millis(90_000)),
            Step::Done(Err(error)) if !waits => {
                assert!(error.is_rate_limited());
                assert_eq!(
                    error.retry_after(),
                    Some(Duration::from_secs(asked.parse().unwrap()))
                );
            }
            other => panic!("{asked}: {other:?}"),
        }
    }
}

#[test]
fn retry_exhausted_error_counts_attempts() {
    let mut simulation = Simulation::new(service(0, vec![Fault::Http502Html; 100].into()));
    let (_, result) = simulation.run(&mut Call::new(GetJob::new("clj-1"), seed()));
    let error = result.unwrap_err();
    assert_eq!((error.attempts(), simulation.service.log.len()), (6, 6));
    assert_eq!(error.status().unwrap(), 502);
    assert!(
        error.to_string().contains("502") && error.to_string().contains("6 attempts"),
        "{error}"
    );
    assert!(!error.is_ambiguous());

    let (_, result) = simulation.run(&mut Call::new(create(), seed()).retry(Retry::never()));
    let error = result.unwrap_err();
    assert!(error.is_ambiguous() && error.transaction_id().is_some());
    assert_eq!(simulation.service.log.len(), 7);
}

#[test]
fn poll_outage_longer_than_retries_does_not_end_wait() {
    let mut simulation = simulation_with_job(60_000, vec![Fault::Http503; 25].into());
    let (events, result) = simulation.run(&mut Waiter::new("clj-1", seed()));
    assert_eq!(result.unwrap().status, JobStatus::Completed);
    assert!(events.iter().any(|progress| progress.last_error.is_some()));
}

#[test]
fn poll_error_in_every_third_request_does_not_end_wait() {
    let faults: VecDeque<_> = [Fault::None, Fault::None, Fault::Http503]
        .into_iter()
        .cycle()
        .take(300)
        .collect();
    let mut simulation = simulation_with_job(600_000, faults);
    let (_, result) = simulation.run(&mut Waiter::new("clj-1", seed()));
    assert_eq!(result.unwrap().status, JobStatus::Completed);
}

#[test]
fn poll_is_immediate_and_cancelled_job_ends_wait() {
    let mut simulation = simulation_with_job(0, VecDeque::new());
    simulation.run(&mut Waiter::new("clj-1", seed())).1.unwrap();
    assert_eq!(simulation.service.log.len(), 1);

    let mut simulation = simulation_with_job(1_000_000, VecDeque::new());
    simulation.service.jobs[0].cancelled = true;
    let error = simulation
        .run(&mut Waiter::new("clj-1", seed()))
        .1
        .unwrap_err();
    assert!(error.is_cancelled() && !error.is_job_failed());
    assert_eq!(error.job_id(), Some("clj-1"));
    assert_eq!(simulation.service.log.len(), 1);
}

#[test]
fn deadline_error_includes_last_seen_job_and_wait_can_be_repeated() {
    let mut simulation = simulation_with_job(100_000, VecDeque::new());
    let error = simulation
        .run(&mut Waiter::new("clj-1", seed()).timeout(Duration::from_secs(60)))
        .1
        .unwrap_err();
    assert!(error.is_deadline());
    assert_eq!(error.job().unwrap().status, JobStatus::Running);
    assert!(
        error.to_string().contains("RUNNING") && error.to_string().contains("clj-1"),
        "{error}"
    );
    let job = simulation
        .run(&mut Waiter::new(error.job_id().unwrap(), seed()))
        .1
        .unwrap();
    assert_eq!(job.status, JobStatus::Completed);
}

/// A look that retries when the deadline comes would otherwise have half a minute of its own before the last look has
/// its half.
#[test]
fn deadline_cuts_retrying_poll_short_for_final_poll() {
    let faults = VecDeque::from(vec![Fault::Http429WithDelay; 60]);
    let mut simulation = simulation_with_job(1_000_000, faults);
    let start = simulation.now;
    let mut waiter = Waiter::new("clj-1", seed())
        .timeout(Duration::from_secs(70))
        .retry(Retry::default().max_retries(20));
    let error = simulation.run(&mut waiter).1.unwrap_err();
    assert!(error.is_deadline(), "{error}");
    assert!(
        simulation.now <= start + 100_000,
        "{} ms",
        simulation.now - start
    );
}

#[test]
fn poll_404_ends_wait() {
    let mut simulation = Simulation::new(service(0, VecDeque::new()));
    let error = simulation
        .run(&mut Waiter::new("clj-none", seed()))
        .1
        .unwrap_err();
    assert!(error.is_not_found() && error.operation() == Some("classify.get"));
    assert_eq!(simulation.service.log.len(), 1);
}

#[test]
fn poll_interval_slows_down() {
    let mut simulation = simulation_with_job(3_600_000, VecDeque::new());
    let poll_interval = PollInterval::new(Duration::from_secs(1), Duration::from_secs(10));
    simulation
        .run(&mut Waiter::new("clj-1", seed()).poll_interval(poll_interval))
        .1
        .unwrap();
    // An hour at one look in 8 to 10 seconds.
    assert!(
        (360..=460).contains(&simulation.service.log.len()),
        "{}",
        simulation.service.log.len()
    );
}

#[test]
fn pagination_max_pages_exceeded_is_an_error() {
    let mut service = service(0, VecDeque::new());
    service
        .pages
        .insert(String::new(), (vec!["a".into()], Some("t1".into())));
    service
        .pages
        .insert("t1".into(), (vec!["b".into()], Some("t2".into())));
    let mut simulation = Simulation::new(service);
    let (pages, result) = simulation.run(
        &mut Pager::new(ListJobs::new(), seed())
            .max_pages(2)
            .prefetch(true),
    );
    assert_eq!(pages.len(), 2);
    assert!(result.unwrap_err().to_string().contains("2 pages"));
    assert_eq!(simulation.service.log.len(), 2);
}

#[test]
fn pagination_prefetch_sends_next_request_before_page_event() {
    let mut service = service(0, VecDeque::new());
    service
        .pages
        .insert(String::new(), (vec![], Some("t1".into())));
    service.pages.insert("t1".into(), (vec![], None));
    let mut simulation = Simulation::new(service);
    let api = simulation.api.clone();
    let cx = Context::new(&api, Time::from_millis(simulation.now));
    for prefetch in [true, false] {
        let mut pager = Pager::new(ListJobs::new(), seed()).prefetch(prefetch);
        let Step::Send(ticket, request) = pager.poll(cx) else {
            panic!()
        };
        let reply = simulation.service.answer(&request, simulation.now).unwrap();
        pager.handle(cx, ticket, reply);
        if prefetch {
            assert!(matches!(pager.poll(cx), Step::Send(..)));
            assert_eq!(pager.page_token(), None, "nothing was handed out yet");
        }
        assert!(matches!(pager.poll(cx), Step::Event(_)));
        assert_eq!(pager.page_token(), Some("t1"));
    }
}

#[test]
fn cancel_of_ended_job_is_conflict_error() {
    let mut simulation = simulation_with_job(0, [Fault::LostBeforeActing].into());
    let error = simulation
        .run(&mut Call::new(CancelJob::new("clj-1"), seed()))
        .1
        .unwrap_err();
    assert!(
        error.is_conflict() && error.to_string().contains("Job has ended"),
        "{error}"
    );
    assert_eq!(
        simulation.service.log.len(),
        3,
        "{:?}",
        simulation.service.log
    );
    // A first refusal needs no second look.
    let mut simulation = simulation_with_job(0, VecDeque::new());
    simulation
        .run(&mut Call::new(CancelJob::new("clj-1"), seed()))
        .1
        .unwrap_err();
    assert_eq!(simulation.service.log.len(), 1);
}

#[test]
fn idempotency_delete_404_on_first_attempt_is_an_error() {
    let mut simulation = Simulation::new(service(0, VecDeque::new()));
    assert!(
        simulation
            .run(&mut Call::new(DeleteJob::new("clj-1"), seed()))
            .1
            .unwrap_err()
            .is_not_found()
    );
}

#[test]
fn idempotency_transaction_id_is_fixed_before_first_request() {
    let mut simulation = Simulation::new(service(0, VecDeque::new()));
    let upload = files::UploadFile::new("a.txt", std::path::PathBuf::from("a.txt"));
    let run = Run::upload(upload, JobOptions::from(rules()), seed());
    let first = run.transaction_id().unwrap().to_owned();
    let mut loaded = Run::load(&run.save().unwrap()).unwrap();
    assert_eq!(loaded.transaction_id(), Some(&*first));
    simulation.run(&mut loaded).1.unwrap();
    assert_eq!(simulation.service.transactions, [first]);
}

#[test]
fn validation_of_create_precedes_upload() {
    let mut simulation = Simulation::new(service(0, VecDeque::new()));
    let upload = files::UploadFile::new("a.txt", b"x".to_vec());
    let (_, result) = simulation.run(&mut Run::upload(upload, JobOptions::default(), seed()));
    assert!(
        result
            .unwrap_err()
            .to_string()
            .contains("configuration is missing")
    );
    assert!(simulation.service.log.is_empty());
}

#[test]
fn upload_retry_sends_whole_document() {
    let mut simulation = Simulation::new(service(
        0,
        [Fault::LostAfterActing, Fault::Http500AfterActing].into(),
    ));
    simulation
        .run(&mut Call::new(
            files::UploadFile::new("a.txt", b"whole document".to_vec()),
            seed(),
        ))
        .1
        .unwrap();
    assert_eq!(simulation.service.files.len(), 3);
    assert!(
        simulation
            .service
            .files
            .iter()
            .all(|sent| *sent == simulation.service.files[0])
    );
}

/// Something that must not be done twice and has no key: like a v1 create.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Keyless;

impl Operation for Keyless {
    type Output = String;

    fn name(&self) -> &'static str {
        "test.keyless"
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::non_idempotent().rate_class(RateClass::Create)
    }

    fn build_request_unvalidated(&self, _: &Api) -> Result<http::Request<Body>, Error> {
        let mut request = http::Request::new(Body::Empty);
        request
            .headers_mut()
            .insert("authorization", http::HeaderValue::from_static("x"));
        Ok(request)
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(response.body()).into_owned())
    }
}

#[test]
fn retry_of_non_idempotent_call_only_if_not_processed() {
    let answer = |reply: classify_proto::Reply| {
        let api = sim::api();
        let cx = Context::new(&api, Time::from_millis(0));
        let mut call = Call::new(Keyless, seed());
        let Step::Send(ticket, _) = call.poll(cx) else {
            panic!()
        };
        call.handle(cx, ticket, reply);
        call.poll(cx)
    };
    let status = |code| Ok(respond(code, &serde_json::Value::Null));
    for harmless in [Err(Failure::connect("refused")), status(429)] {
        assert!(matches!(answer(harmless), Step::Wait(Some(_))));
    }
    for unclear in [
        Err(Failure::timeout("t")),
        Err(Failure::broken("b")),
        status(500),
        status(503),
        status(504),
    ] {
        let Step::Done(Err(error)) = answer(unclear) else {
            panic!()
        };
        assert!(error.is_ambiguous(), "{error}");
    }
    for refusal in [400, 401, 402, 404, 409, 422] {
        let Step::Done(Err(error)) = answer(status(refusal)) else {
            panic!()
        };
        assert!(!error.is_ambiguous(), "{error}");
    }
}

#[test]
fn resume_does_not_resend_non_idempotent_call() {
    let api = sim::api();
    let cx = Context::new(&api, Time::from_millis(0));
    let mut call = Call::new(Keyless, seed());
    assert!(matches!(call.poll(cx), Step::Send(..)));
    let mut loaded = Call::<Keyless>::load(&call.save().unwrap()).unwrap();
    let Step::Done(Err(error)) = loaded.poll(cx) else {
        panic!()
    };
    assert!(error.is_ambiguous(), "{error}");
    // Before anything was sent there is nothing to be unsure of.
    let fresh = Call::new(Keyless, seed());
    let mut loaded = Call::<Keyless>::load(&fresh.save().unwrap()).unwrap();
    assert!(matches!(loaded.poll(cx), Step::Send(..)));
}

#[test]
fn saved_state_of_other_kind_or_version_is_an_error() {
    let state = Call::new(GetJob::new("clj-1"), seed()).save().unwrap();
    let refused = |text: &str| Call::<GetJob>::load(text).unwrap_err().to_string();
    assert!(Call::<GetJob>::load(&state).is_ok());
    assert!(
        Call::<DeleteJob>::load(&state)
            .unwrap_err()
            .to_string()
            .contains("classify.delete")
    );
    assert!(refused(&state.replace("\"v\":2", "\"v\":99")).contains("version 99"));
    for text in ["", "{}", "null", "[1]", &state[..state.len() - 4]] {
        assert!(!refused(text).is_empty());
    }
}

/// Version 1 had other field names. It is refused by its version, before anything else in it is read.
#[test]
fn saved_state_of_version_1_is_rejected_with_both_versions() {
    let old = r#"{"v":1,"kind":"waiter classify","state":{"get":{"job_id":"clj-1"},"looks":1,"last_look":false}}"#;
    let error = Waiter::<GetJob>::load(old).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    let text = error.to_string();
    assert!(
        text.contains("version 1") && text.contains("version 2"),
        "{text}"
    );
    let current = Waiter::new("clj-1", seed()).save().unwrap();
    assert!(current.starts_with(r#"{"v":2,"kind":"waiter classify","#));
    assert!(Waiter::<GetJob>::load(&current.replacen("\"v\":2", "\"v\":1", 1)).is_err());
}

#[test]
fn resume_ignores_response_to_earlier_request() {
    let api = sim::api();
    let cx = Context::new(&api, Time::from_millis(0));
    let mut call = Call::new(GetJob::new("clj-1"), seed());
    let Step::Send(first, _) = call.poll(cx) else {
        panic!()
    };
    call.resume();
    let Step::Send(second, _) = call.poll(cx) else {
        panic!()
    };
    assert_ne!(first, second);
    call.handle(
        cx,
        first,
        Ok(respond(
            200,
            &serde_json::json!({"id": "late", "status": "PENDING"}),
        )),
    );
    assert!(matches!(call.poll(cx), Step::Wait(Some(_))));
}

#[test]
fn timeout_ends_call_without_response() {
    let api = sim::api();
    let mut call =
        Call::new(create(), seed()).retry(Retry::default().total_timeout(Duration::from_secs(30)));
    let start = Time::from_millis(0);
    assert!(matches!(
        call.poll(Context::new(&api, start)),
        Step::Send(..)
    ));
    let Step::Wait(Some(end)) = call.poll(Context::new(&api, start)) else {
        panic!()
    };
    assert_eq!(end, Time::from_millis(30_000));
    let Step::Done(Err(error)) = call.poll(Context::new(&api, end)) else {
        panic!()
    };
    assert!(error.is_timeout() && error.is_ambiguous() && error.transaction_id().is_some());
}

/// A run that may pay again for a failed document is saved before its create, sends the create, and dies. The loaded run
/// finds the job of its own create failed, and does not take it for an earlier one.
#[test]
fn saved_state_of_retry_failed_run_pays_once() {
    for stage in 0..2 {
        let failing = Service {
            failing: true,
            ..service(1_000, VecDeque::new())
        };
        let mut simulation = Simulation::new(failing);
        let api = simulation.api.clone();
        let document = HashedDocument::bytes("a.txt", "Invoice 1");
        let options = JobOptions::from(rules()).retry_failed();
        let mut run = Run::document(&api, document, options, seed());
        let mut saved = run.save().unwrap();
        let mut events = Vec::new();
        while !events
            .iter()
            .any(|event| matches!(event, RunEvent::Created(_)))
        {
            if stage == 1
                && events
                    .iter()
                    .any(|event| matches!(event, RunEvent::Uploaded(_)))
            {
                saved = run.save().unwrap();
                events.clear();
            }
            assert!(simulation.step(&mut run, &mut events).is_none());
        }
        simulation.crash();
        simulation.now += 60_000;
        let mut loaded = Run::load(&saved).unwrap();
        if let Some(upload) = loaded.upload_mut() {
            upload.set_content(b"Invoice 1".to_vec());
        }
        let (_, result) = simulation.run(&mut loaded);
        assert!(result.unwrap_err().is_job_failed());
        assert_eq!(simulation.service.jobs.len(), 1, "stage {stage}");
    }
}
