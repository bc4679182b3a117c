//! The rules of every machine, in virtual time, under any faults and crashes.

mod cases;
mod sim;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use cases::cases;
use classify_proto::machine::{
    Call, Concurrent, ConcurrentEvent, Context, Machine, Pager, PollInterval, Retry, Run, RunEvent,
    Saved, Step, Waiter,
};
use classify_proto::v2::{
    CancelJob, Configuration, CreateJob, DeleteJob, GetJob, JobStatus, ListJobs, Rule,
};
use classify_proto::{
    Api, Body, Bytes, Error, Failure, Idempotency, Operation, RateClass, Seed, Time, files, http,
};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use sim::{FAULTS, Fault, SILENT_FOR_TOO_LONG, Service, World, respond};

const SEED: [u8; 16] = [9; 16];

fn seed() -> Seed {
    Seed::new(SEED)
}

fn rules() -> Configuration {
    Configuration::new([Rule::new("invoice", "has an invoice number")])
}

fn create() -> CreateJob {
    CreateJob::new("dfl-1").configuration(rules())
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

/// A service that already has the job `clj-1`, created at the world's beginning.
fn world_with_job(duration: u64, faults: VecDeque<Fault>) -> World {
    let mut world = World::new(service(duration, VecDeque::new()));
    let (_, job) = world.run(&mut Call::new(create(), seed()));
    assert_eq!(job.unwrap().id, "clj-1");
    world.service.faults = faults;
    world.service.log.clear();
    world
}

proptest! {
    #![proptest_config(cases(2048))]

    #[test]
    fn a_create_makes_one_job_at_most_and_never_changes_its_key(faults in faults(), crashes in crashes()) {
        let mut world = World::new(service(100, faults));
        let (_, result) = world.run_with_crashes(Call::new(create(), seed()), &crashes);
        prop_assert!(world.service.jobs.len() <= 1);
        let keys: BTreeSet<_> = world.service.transactions.iter().collect();
        prop_assert!(keys.len() <= 1);
        match result {
            Ok(job) => {
                prop_assert_eq!(world.service.jobs.len(), 1);
                prop_assert_eq!(&job.id, "clj-1");
            }
            Err(error) => {
                prop_assert!(error.transaction_id().is_some());
                // A job that was made and is not known is always told.
                prop_assert!(world.service.jobs.is_empty() || error.is_ambiguous(), "{}", error);
            }
        }
        prop_assert!(world.service.log.len() <= 6 + crashes.len());
    }

    #[test]
    fn a_run_is_paid_for_once_and_ends_with_the_truth(
        faults in faults(), crashes in crashes(), duration in 0u64..60_000, failing in any::<bool>(),
    ) {
        let silences = faults.iter().filter(|fault| fault.is_silence()).count();
        let mut world = World::new(Service { failing, ..service(duration, faults) });
        let upload = files::UploadFile::new("canary.txt", std::path::PathBuf::from("document.txt"));
        let upload = upload.clone();
        let run = Run::upload(files::UploadFile::new("a.txt", upload.content().clone()), CreateJob::new("").configuration(rules()), seed());
        let (events, result) = world.run_with_crashes(run, &crashes);
        prop_assert!(world.service.jobs.len() <= 1);
        match result {
            Ok(job) => {
                prop_assert!(!failing);
                prop_assert_eq!(job.status, JobStatus::Completed);
                prop_assert_eq!(world.service.jobs.len(), 1);
            }
            Err(error) if error.is_job_failed() => {
                prop_assert!(failing);
                prop_assert_eq!(error.job().unwrap().error_message.as_deref(), Some("PDF_IS_BROKEN"));
            }
            Err(error) if error.is_deadline() => prop_assert!(silences >= SILENT_FOR_TOO_LONG, "{}", error),
            // Only a network that failed six times in a row ends a run otherwise.
            Err(error) => prop_assert!(error.is_transient() || error.is_decode(), "{}", error),
        }
        if world.service.jobs.len() == 1 && crashes.is_empty() {
            let created = events.iter().filter(|event| matches!(event, RunEvent::Created(_))).count();
            prop_assert!(created <= 1);
        }
    }

    #[test]
    fn a_pager_hands_out_every_item_once_in_order(
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
        let mut world = World::new(service);
        let pager = Pager::new(ListJobs::new(), seed()).prefetch(prefetch);
        let (pages, result) = world.run_with_crashes(pager, &crashes);
        let items: Vec<_> = pages.into_iter().flat_map(|page| page.items).map(|job| job.id).collect();
        match result {
            Ok(()) => prop_assert_eq!(items, expected),
            Err(error) => {
                prop_assert!(error.is_transient(), "{}", error);
                prop_assert!(expected.starts_with(&items));
            }
        }
        prop_assert!(world.service.log.len() <= (sizes.len() + crashes.len()) * 6);
    }

    #[test]
    fn a_pager_never_goes_round_in_a_circle(back_to in 0usize..6, prefetch in any::<bool>(), crashes in crashes()) {
        let mut service = service(0, VecDeque::new());
        service.pages.insert(String::new(), (vec!["0".to_owned()], Some("t0".to_owned())));
        for page in 0..6 {
            let next = if page == 5 { back_to } else { page + 1 };
            service.pages.insert(format!("t{page}"), (vec![], Some(format!("t{next}"))));
        }
        let mut world = World::new(service);
        let (pages, result) = world.run_with_crashes(Pager::new(ListJobs::new(), seed()).prefetch(prefetch), &crashes);
        prop_assert_eq!(pages.len(), 7);
        let error = result.unwrap_err();
        prop_assert!(error.to_string().contains("repeats a page token"), "{}", error);
    }

    #[test]
    fn a_wait_ends_with_the_truth_by_its_deadline(
        faults in faults(), crashes in crashes(), duration in 0u64..120_000, timeout in 0u64..60_000,
    ) {
        let mut world = world_with_job(duration, faults);
        let start = world.now;
        let waiter = Waiter::new("clj-1", seed()).timeout(Duration::from_millis(timeout));
        let (_, result) = world.run_with_crashes(waiter, &crashes);
        // The last look, at the deadline, has thirty seconds.
        prop_assert!(world.now <= start + timeout + 30_000, "{} ms", world.now - start);
        match result {
            Ok(job) => prop_assert_eq!(job.status, JobStatus::Completed),
            Err(error) => {
                prop_assert!(error.is_deadline(), "{}", error);
                prop_assert_eq!(error.job_id(), Some("clj-1"));
            }
        }
    }

    #[test]
    fn a_cancel_reports_what_became_of_the_job(faults in faults(), crashes in crashes(), duration in 0u64..20_000) {
        let mut world = world_with_job(duration, faults);
        let (_, result) = world.run_with_crashes(Call::new(CancelJob::new("clj-1"), seed()), &crashes);
        let cancelled = world.service.jobs[0].cancelled;
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
    fn a_delete_that_was_done_is_a_success(faults in faults(), crashes in crashes()) {
        let mut world = world_with_job(0, faults);
        let (_, result) = world.run_with_crashes(Call::new(DeleteJob::new("clj-1"), seed()), &crashes);
        match result {
            Ok(deleted) => {
                prop_assert_eq!(&deleted.id, "clj-1");
                prop_assert!(world.service.deleted.contains("clj-1"));
            }
            Err(error) => prop_assert!(error.is_transient() || error.is_decode(), "{}", error),
        }
    }

    #[test]
    fn a_fan_ends_each_machine_once(count in 0usize..12, max_concurrency in 0usize..5, faults in faults(), crashes in crashes()) {
        let mut world = World::new(service(3_000, faults));
        let runs = (0..count).map(|place| {
            let create = CreateJob::new(format!("dfl-{place}")).configuration(rules());
            Run::new(create, seed().derive(place as u64))
        });
        let (events, ()) = world.run_with_crashes(Concurrent::new(runs.collect::<Vec<_>>(), max_concurrency), &crashes);
        let mut ended: Vec<_> = events.iter().filter_map(|event| match event {
            ConcurrentEvent::Finished(place, _) => Some(*place),
            ConcurrentEvent::Progress(..) => None,
        }).collect();
        ended.sort_unstable();
        prop_assert_eq!(ended, (0..count).collect::<Vec<_>>());
        prop_assert!(world.service.jobs.len() <= count);
        let keys: BTreeSet<_> = world.service.jobs.iter().map(|job| job.transaction_id.clone()).collect();
        prop_assert_eq!(keys.len(), world.service.jobs.len());
    }
}

#[test]
fn a_fan_runs_no_more_than_it_was_told() {
    let mut world = World::new(service(0, VecDeque::new()));
    let mut fan = Concurrent::new(
        (0..9).map(|_| Call::new(GetJob::new("clj-none"), seed())),
        2,
    );
    let api = world.api.clone();
    let cx = Context::new(&api, Time::from_millis(world.now));
    let mut sent = 0;
    while let Step::Send(..) = fan.poll(cx) {
        sent += 1;
    }
    assert_eq!(sent, 2);
    fan.resume();
    assert_eq!(fan.stop_starting(), [2, 3, 4, 5, 6, 7, 8]);
    let (events, ()) = world.run(&mut fan);
    assert_eq!(events.len(), 2);
}

#[test]
fn a_long_delay_is_returned_at_once_and_a_shorter_one_is_waited() {
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
fn a_hundred_faults_end_in_one_error_that_counts_its_attempts() {
    let mut world = World::new(service(0, vec![Fault::Http502Html; 100].into()));
    let (_, result) = world.run(&mut Call::new(GetJob::new("clj-1"), seed()));
    let error = result.unwrap_err();
    assert_eq!((error.attempts(), world.service.log.len()), (6, 6));
    assert_eq!(error.status().unwrap(), 502);
    assert!(
        error.to_string().contains("502") && error.to_string().contains("6 attempts"),
        "{error}"
    );
    assert!(!error.is_ambiguous());

    let (_, result) = world.run(&mut Call::new(create(), seed()).retry(Retry::never()));
    let error = result.unwrap_err();
    assert!(error.is_ambiguous() && error.transaction_id().is_some());
    assert_eq!(world.service.log.len(), 7);
}

#[test]
fn a_wait_survives_an_outage_longer_than_its_retries() {
    let mut world = world_with_job(60_000, vec![Fault::Http503; 25].into());
    let (events, result) = world.run(&mut Waiter::new("clj-1", seed()));
    assert_eq!(result.unwrap().status, JobStatus::Completed);
    assert!(events.iter().any(|progress| progress.trouble.is_some()));
}

#[test]
fn one_fault_in_every_three_polls_does_not_end_a_long_wait() {
    let faults: VecDeque<_> = [Fault::None, Fault::None, Fault::Http503]
        .into_iter()
        .cycle()
        .take(300)
        .collect();
    let mut world = world_with_job(600_000, faults);
    let (_, result) = world.run(&mut Waiter::new("clj-1", seed()));
    assert_eq!(result.unwrap().status, JobStatus::Completed);
}

#[test]
fn a_wait_looks_at_once_and_ends_when_the_job_is_cancelled() {
    let mut world = world_with_job(0, VecDeque::new());
    world.run(&mut Waiter::new("clj-1", seed())).1.unwrap();
    assert_eq!(world.service.log.len(), 1);

    let mut world = world_with_job(1_000_000, VecDeque::new());
    world.service.jobs[0].cancelled = true;
    let error = world.run(&mut Waiter::new("clj-1", seed())).1.unwrap_err();
    assert!(error.is_cancelled() && !error.is_job_failed());
    assert_eq!(error.job_id(), Some("clj-1"));
    assert_eq!(world.service.log.len(), 1);
}

#[test]
fn a_deadline_holds_the_job_as_last_seen_and_the_wait_can_be_taken_up_again() {
    let mut world = world_with_job(100_000, VecDeque::new());
    let error = world
        .run(&mut Waiter::new("clj-1", seed()).timeout(Duration::from_secs(60)))
        .1
        .unwrap_err();
    assert!(error.is_deadline());
    assert_eq!(error.job().unwrap().status, JobStatus::Running);
    assert!(
        error.to_string().contains("RUNNING") && error.to_string().contains("clj-1"),
        "{error}"
    );
    let job = world
        .run(&mut Waiter::new(error.job_id().unwrap(), seed()))
        .1
        .unwrap();
    assert_eq!(job.status, JobStatus::Completed);
}

/// A look that retries when the deadline comes would otherwise have half a minute of its own before the last look has
/// its half.
#[test]
fn a_look_that_retries_at_the_deadline_makes_place_for_the_last_one() {
    let faults = VecDeque::from(vec![Fault::Http429WithDelay; 60]);
    let mut world = world_with_job(1_000_000, faults);
    let start = world.now;
    let mut waiter = Waiter::new("clj-1", seed())
        .timeout(Duration::from_secs(70))
        .retry(Retry::default().max_retries(20));
    let error = world.run(&mut waiter).1.unwrap_err();
    assert!(error.is_deadline(), "{error}");
    assert!(world.now <= start + 100_000, "{} ms", world.now - start);
}

#[test]
fn an_answer_that_waiting_cannot_change_ends_the_wait() {
    let mut world = World::new(service(0, VecDeque::new()));
    let error = world
        .run(&mut Waiter::new("clj-none", seed()))
        .1
        .unwrap_err();
    assert!(error.is_not_found() && error.operation() == Some("classify.get"));
    assert_eq!(world.service.log.len(), 1);
}

#[test]
fn a_cadence_slows_down() {
    let mut world = world_with_job(3_600_000, VecDeque::new());
    let poll_interval = PollInterval::new(Duration::from_secs(1), Duration::from_secs(10));
    world
        .run(&mut Waiter::new("clj-1", seed()).poll_interval(poll_interval))
        .1
        .unwrap();
    // An hour at one look in 8 to 10 seconds.
    assert!(
        (360..=460).contains(&world.service.log.len()),
        "{}",
        world.service.log.len()
    );
}

#[test]
fn pages_have_a_limit() {
    let mut service = service(0, VecDeque::new());
    service
        .pages
        .insert(String::new(), (vec!["a".into()], Some("t1".into())));
    service
        .pages
        .insert("t1".into(), (vec!["b".into()], Some("t2".into())));
    let mut world = World::new(service);
    let (pages, result) = world.run(
        &mut Pager::new(ListJobs::new(), seed())
            .max_pages(2)
            .prefetch(true),
    );
    assert_eq!(pages.len(), 2);
    assert!(result.unwrap_err().to_string().contains("2 pages"));
    assert_eq!(world.service.log.len(), 2);
}

#[test]
fn a_prefetch_is_an_order_of_steps() {
    let mut service = service(0, VecDeque::new());
    service
        .pages
        .insert(String::new(), (vec![], Some("t1".into())));
    service.pages.insert("t1".into(), (vec![], None));
    let mut world = World::new(service);
    let api = world.api.clone();
    let cx = Context::new(&api, Time::from_millis(world.now));
    for prefetch in [true, false] {
        let mut pager = Pager::new(ListJobs::new(), seed()).prefetch(prefetch);
        let Step::Send(ticket, request) = pager.poll(cx) else {
            panic!()
        };
        let reply = world.service.answer(&request, world.now).unwrap();
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
fn a_cancel_that_came_too_late_is_refused() {
    let mut world = world_with_job(0, [Fault::LostBeforeActing].into());
    let error = world
        .run(&mut Call::new(CancelJob::new("clj-1"), seed()))
        .1
        .unwrap_err();
    assert!(
        error.is_conflict() && error.to_string().contains("Job has ended"),
        "{error}"
    );
    assert_eq!(world.service.log.len(), 3, "{:?}", world.service.log);
    // A first refusal needs no second look.
    let mut world = world_with_job(0, VecDeque::new());
    world
        .run(&mut Call::new(CancelJob::new("clj-1"), seed()))
        .1
        .unwrap_err();
    assert_eq!(world.service.log.len(), 1);
}

#[test]
fn a_delete_of_nothing_is_an_error_when_nothing_was_lost() {
    let mut world = World::new(service(0, VecDeque::new()));
    assert!(
        world
            .run(&mut Call::new(DeleteJob::new("clj-1"), seed()))
            .1
            .unwrap_err()
            .is_not_found()
    );
}

#[test]
fn the_transaction_id_is_known_before_anything_is_sent_and_stays() {
    let mut world = World::new(service(0, VecDeque::new()));
    let upload = files::UploadFile::new("a.txt", std::path::PathBuf::from("a.txt"));
    let run = Run::upload(upload, CreateJob::new("").configuration(rules()), seed());
    let first = run.transaction_id().unwrap().to_owned();
    let mut loaded = Run::load(&run.save().unwrap()).unwrap();
    assert_eq!(loaded.transaction_id(), Some(&*first));
    world.run(&mut loaded).1.unwrap();
    assert_eq!(world.service.transactions, [first]);
}

#[test]
fn nothing_is_uploaded_for_a_create_that_would_be_refused() {
    let mut world = World::new(service(0, VecDeque::new()));
    let upload = files::UploadFile::new("a.txt", b"x".to_vec());
    let (_, result) = world.run(&mut Run::upload(upload, CreateJob::new(""), seed()));
    assert!(
        result
            .unwrap_err()
            .to_string()
            .contains("configuration is missing")
    );
    assert!(world.service.log.is_empty());
}

#[test]
fn every_attempt_of_an_upload_sends_the_whole_document() {
    let mut world = World::new(service(
        0,
        [Fault::LostAfterActing, Fault::Http500AfterActing].into(),
    ));
    world
        .run(&mut Call::new(
            files::UploadFile::new("a.txt", b"whole document".to_vec()),
            seed(),
        ))
        .1
        .unwrap();
    assert_eq!(world.service.files.len(), 3);
    assert!(
        world
            .service
            .files
            .iter()
            .all(|sent| *sent == world.service.files[0])
    );
}

/// Something that must not be done twice and has no key: like a v1 create.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Keyless;

impl Operation for Keyless {
    type Output = String;
    const NAME: &'static str = "test.keyless";

    fn idempotency(&self) -> Idempotency {
        Idempotency::NonIdempotent
    }

    fn rate_class(&self) -> RateClass {
        RateClass::Create
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
fn what_has_no_key_is_repeated_only_when_nothing_was_done() {
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
fn what_has_no_key_is_not_repeated_by_a_new_process() {
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
fn a_state_of_another_kind_or_version_is_refused() {
    let state = Call::new(GetJob::new("clj-1"), seed()).save().unwrap();
    let refused = |text: &str| Call::<GetJob>::load(text).unwrap_err().to_string();
    assert!(Call::<GetJob>::load(&state).is_ok());
    assert!(
        Call::<DeleteJob>::load(&state)
            .unwrap_err()
            .to_string()
            .contains("classify.delete")
    );
    assert!(refused(&state.replace("\"v\":1", "\"v\":99")).contains("version 99"));
    for text in ["", "{}", "null", "[1]", &state[..state.len() - 4]] {
        assert!(!refused(text).is_empty());
    }
}

#[test]
fn a_reply_that_comes_after_a_resume_is_ignored() {
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
fn a_call_ends_by_itself_when_no_reply_ever_comes() {
    let api = sim::api();
    let mut call =
        Call::new(create(), seed()).retry(Retry::default().total(Duration::from_secs(30)));
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
