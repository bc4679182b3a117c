//! Jobs of the first version, in virtual time: waiting, reading every page, and finding what was lost. And uploads
//! that are made once.

mod cases;
mod sim;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use cases::cases;
use classify_proto::machine::{
    Call, Context, Machine, Progress, Reconcile, Reconciliation, ResultsWaiter, Retry, Saved, Step,
    UploadOnce, Waiter,
};
use classify_proto::v1::{CreateJob, GetJob, JobStatus, Mode, Outcome, ParsingConfiguration, Rule};
use classify_proto::{Error, Idempotency, Operation, Seed, Time, Timestamp, With, files};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use serde_json::{Value, json};
use sim::{FAULTS, Fault, SILENT_FOR_TOO_LONG, Service, World};

fn seed() -> Seed {
    Seed::new([4; 16])
}

fn rule() -> Rule {
    Rule::new("invoice", "has an invoice number")
}

fn create(files: &[&str]) -> CreateJob {
    CreateJob::new(files.iter().copied(), [rule()])
}

fn world(duration: u64) -> World {
    let mut service = Service::default();
    service.old.duration = duration;
    World::new(service)
}

/// A world with one job of these files, created at its beginning.
fn world_with_job(duration: u64, files: &[&str]) -> World {
    let mut world = world(duration);
    let (_, job) = world.run(&mut Call::new(create(files), seed()));
    assert_eq!(job.unwrap().id, "job-1");
    world.service.log.clear();
    world
}

fn now(world: &World) -> Timestamp {
    Timestamp::from_unix_micros(i64::try_from(world.now).unwrap() * 1_000).unwrap()
}

fn faults() -> impl Strategy<Value = VecDeque<Fault>> {
    vec(proptest::sample::select(&FAULTS[..]), 0..20).prop_map(Into::into)
}

fn crashes() -> impl Strategy<Value = BTreeSet<u32>> {
    btree_set(0u32..40, 0..6)
}

#[test]
fn every_page_of_the_results_is_read() {
    let files: Vec<_> = (0..7).map(|n| format!("f-{n}")).collect();
    let files: Vec<_> = files.iter().map(String::as_str).collect();
    let mut world = world_with_job(5_000, &files);
    let (progress, finished) = world.run(&mut ResultsWaiter::new("job-1", seed()));
    let finished = finished.unwrap();
    assert!(!progress.is_empty());
    assert_eq!(finished.job.status, JobStatus::Success);
    assert_eq!(finished.results.len(), 7);
    for file in files {
        assert_eq!(finished.outcome(file).matched(), Some("invoice"));
    }
}

/// The answer to a look that was given up comes while the results are read: it is no page of them.
#[test]
fn a_late_look_is_no_page_of_the_results() {
    let api = sim::api();
    let at = |millis| Context::new(&api, Time::from_millis(millis));
    let mut wait = ResultsWaiter::new("job-1", seed()).retry(Retry::never());
    let send = |wait: &mut ResultsWaiter, now| match wait.poll(at(now)) {
        Step::Send(ticket, _) => ticket,
        other => panic!("{other:?}"),
    };
    let answer = |body: Value| Ok(sim::respond(200, &body));
    let job = json!({"id": "job-1", "status": "SUCCESS"});

    let late = send(&mut wait, 0);
    // A look lasts a quarter of an hour at most.
    let given_up = 15 * 60_000;
    assert!(matches!(wait.poll(at(given_up)), Step::Event(_)));
    let Step::Wait(Some(next)) = wait.poll(at(given_up)) else {
        panic!("it looks again later")
    };
    let next = next.as_millis();
    let ticket = send(&mut wait, next);
    wait.handle(at(next), ticket, answer(job.clone()));
    let page = send(&mut wait, next);
    wait.handle(at(next), late, answer(job));
    assert!(matches!(wait.poll(at(next)), Step::Wait(_)));
    let result = json!({"type": "invoice", "confidence": 0.5, "reasoning": "it says so"});
    let of_file =
        json!({"id": "of-a", "classify_job_id": "job-1", "file_id": "a", "result": result});
    let results = json!({"items": [of_file]});
    wait.handle(at(next), page, answer(results));
    let Step::Done(Ok(finished)) = wait.poll(at(next)) else {
        panic!("the results are read")
    };
    assert_eq!(finished.results.len(), 1);
}

#[test]
fn a_partial_success_ends_a_wait_and_tells_the_files_apart() {
    let mut world = world_with_job(5_000, &["a", "bad-1", "b"]);
    let (_, finished) = world.run(&mut ResultsWaiter::new("job-1", seed()));
    let finished = finished.unwrap();
    assert_eq!(finished.job.status, JobStatus::PartialSuccess);
    assert_eq!(finished.outcome("a").matched(), Some("invoice"));
    assert!(matches!(finished.outcome("bad-1"), Outcome::Failed { .. }));
    assert_eq!(finished.outcomes().count(), 2);
}

#[test]
fn a_failed_and_a_cancelled_job_are_errors_that_hold_the_job() {
    let mut world = world_with_job(5_000, &["bad-1"]);
    let (_, error) = world.run(&mut ResultsWaiter::new("job-1", seed()));
    let error = error.unwrap_err();
    assert!(error.is_job_failed(), "{error}");
    assert_eq!(error.v1_job().unwrap().status, JobStatus::Error);
    assert_eq!(error.job_id(), Some("job-1"));
    assert_eq!(error.operation(), Some("classifier.jobs.wait"));
    assert!(error.to_string().contains("PDF_IS_BROKEN"), "{error}");

    let mut world = world_with_job(5_000, &["a"]);
    world.service.old.jobs[0].cancelled = true;
    let (_, error) = world.run(&mut Waiter::by(GetJob::new("job-1"), seed()));
    let error = error.unwrap_err();
    assert!(error.is_cancelled() && error.v1_job().is_some(), "{error}");
}

#[test]
fn a_deadline_holds_the_job_as_last_seen() {
    let mut world = world_with_job(u64::MAX, &["a"]);
    let mut wait = ResultsWaiter::new("job-1", seed()).timeout(Duration::from_secs(20));
    let (_, error) = world.run(&mut wait);
    let error = error.unwrap_err();
    assert!(error.is_deadline(), "{error}");
    assert_eq!(error.v1_job().unwrap().status, JobStatus::Pending);
    assert!(error.to_string().contains("PENDING"), "{error}");
}

#[test]
fn a_wait_with_extras_is_a_wait() {
    let mut world = world_with_job(0, &["a"]);
    let get = With::new(GetJob::new("job-1"))
        .header("x-a", "1")
        .query("b", "c");
    let (_, job) = world.run(&mut Waiter::by(get, seed()));
    assert_eq!(job.unwrap().status, JobStatus::Success);
}

#[test]
fn a_wait_of_one_version_is_not_taken_up_as_the_others() {
    let old = Waiter::by(GetJob::new("job-1"), seed()).save().unwrap();
    assert!(Waiter::<classify_proto::v2::GetJob>::load(&old).is_err());
    assert!(Waiter::<GetJob>::load(&old).is_ok());
    let new = Waiter::new("clj-1", seed()).save().unwrap();
    assert!(new.contains("\"waiter classify\""), "{new}");
}

#[test]
fn a_create_without_a_key_is_sent_once_unless_nothing_was_done() {
    for (fault, sent, jobs) in [
        (Fault::NoConnection, 2, 1),
        (Fault::Http429, 2, 1),
        (Fault::LostAfterActing, 1, 1),
        (Fault::LostBeforeActing, 1, 0),
        (Fault::Http500AfterActing, 1, 1),
        (Fault::CutBodyAfterActing, 1, 1),
        (Fault::Http503, 1, 0),
    ] {
        let mut world = world(0);
        world.service.faults = [fault].into();
        let (_, result) = world.run(&mut Call::new(create(&["a"]), seed()));
        assert_eq!(world.service.log.len(), sent, "{fault:?}");
        assert_eq!(world.service.old.jobs.len(), jobs, "{fault:?}");
        match result {
            Ok(_) => assert_eq!(sent, 2, "{fault:?}"),
            Err(error) => assert!(error.is_ambiguous(), "{fault:?}: {error}"),
        }
    }
    assert_eq!(create(&["a"]).idempotency(), Idempotency::NonIdempotent);
}

fn reconcile(world: &mut World, asked: CreateJob, since: Timestamp) -> Reconciliation {
    let (_, found) = world.run(&mut Reconcile::new(asked, since, seed()));
    found.unwrap()
}

#[test]
fn a_lost_job_is_found_among_others() {
    let mut world = world(1_000);
    let rules = json!([rule()]);
    let body = |files: &[&str]| json!({"file_ids": files, "rules": rules});
    let start = world.now;
    // The same, but earlier; then others of other files, rules, mode, pages; then ours.
    world.service.old.add(body(&["a", "b"]), start - 60_000);
    world.service.old.add(body(&["a", "c"]), start);
    world.service.old.add(body(&["a"]), start);
    world.service.old.add(body(&["a", "b", "c"]), start);
    let mut other = body(&["a", "b"]);
    other["rules"] = json!([{"type": "receipt", "description": "has a till number"}]);
    world.service.old.add(other, start);
    let mut other = body(&["a", "b"]);
    other["mode"] = json!("MULTIMODAL");
    world.service.old.add(other, start);
    let mut other = body(&["a", "b"]);
    other["parsing_configuration"] = json!({"target_pages": [0]});
    world.service.old.add(other, start);
    let since = now(&world);
    world.service.faults = [Fault::LostAfterActing].into();
    let (_, lost) = world.run(&mut Call::new(create(&["b", "dfl-a"]), seed()));
    assert!(lost.unwrap_err().is_ambiguous());
    world.now += 5_000;

    let found = reconcile(&mut world, create(&["b", "dfl-a"]), since);
    assert_eq!(found.found().unwrap().id, "job-8");
    assert!(!found.is_absent() && !found.is_undecided());
    let multimodal = create(&["a", "b"]).mode(Mode::Multimodal);
    assert_eq!(
        reconcile(&mut world, multimodal, since).found().unwrap().id,
        "job-6"
    );
    let first_page = ParsingConfiguration::new().target_pages([0]);
    let first_page = create(&["a", "b"]).parsing_configuration(first_page);
    assert_eq!(
        reconcile(&mut world, first_page, since).found().unwrap().id,
        "job-7"
    );
    assert!(reconcile(&mut world, create(&["z"]), since).is_absent());
    let creates = world
        .service
        .log
        .iter()
        .filter(|line| line.starts_with("POST"));
    assert_eq!(creates.count(), 1, "nothing is created by looking");
}

/// A service that writes ids in another case would otherwise have every lost job paid for twice.
#[test]
fn a_lost_job_is_found_by_its_files_in_any_form() {
    let mut world = world_with_job(0, &["0a1b", "dfl-2c3d"]);
    let since = "2020-01-01T00:00:00Z".parse().unwrap();
    let found = reconcile(&mut world, create(&["0A1B", "2C3D"]), since);
    assert!(found.candidates[0].files_agree);
    assert!(reconcile(&mut world, create(&["0A1C", "2C3D"]), since).is_absent());
}

#[test]
fn a_job_that_does_not_show_its_files_yet_may_be_the_one() {
    let mut world = world_with_job(3_600_000, &["a"]);
    let since = "2020-01-01T00:00:00Z".parse().unwrap();
    let found = reconcile(&mut world, create(&["b"]), since);
    assert_eq!(found.found().unwrap().id, "job-1");
    assert!(!found.candidates[0].files_agree);
    // With a second one there is doubt until they have ended.
    let second = json!({"file_ids": ["b"], "rules": [rule()]});
    let later = world.now;
    world.service.old.add(second, later);
    assert!(reconcile(&mut world, create(&["b"]), since).is_undecided());
    world.now += 4_000_000;
    let found = reconcile(&mut world, create(&["b"]), since);
    assert_eq!(found.found().unwrap().id, "job-2");
}

#[test]
fn a_failed_job_without_results_may_be_the_one_too() {
    let mut world = world_with_job(0, &["bad-1"]);
    let since = "2020-01-01T00:00:00Z".parse().unwrap();
    assert!(
        reconcile(&mut world, create(&["bad-1"]), since)
            .found()
            .is_some()
    );
    let mut world = world_with_job(0, &["bad-1", "a"]);
    let found = reconcile(&mut world, create(&["bad-1", "a"]), since);
    assert!(!found.candidates[0].files_agree);
    assert!(found.found().is_some());
    assert!(reconcile(&mut world, create(&["bad-1", "c"]), since).is_absent());
}

#[test]
fn a_list_that_was_not_read_to_its_end_proves_nothing() {
    let mut world = world(0);
    for _ in 0..9 {
        let start = world.now;
        world
            .service
            .old
            .add(json!({"file_ids": ["a"], "rules": []}), start);
    }
    let since = now(&world);
    let mut reconcile = Reconcile::new(create(&["z"]), since, seed()).max_pages(2);
    let (_, error) = world.run(&mut reconcile);
    let error = error.unwrap_err();
    assert!(error.to_string().contains("2 pages"), "{error}");
}

/// Results that could not be read say nothing of a job's files; results that are not there yet do.
#[test]
fn a_job_whose_files_cannot_be_read_is_not_taken_for_another() {
    let mut world = world_with_job(0, &["a"]);
    let since = "2023-11-14T00:00:00Z".parse().unwrap();
    world.service.faults = std::iter::once(Fault::None)
        .chain(vec![Fault::Http503; 20])
        .collect();
    let (_, result) = world.run(&mut Reconcile::new(create(&["a"]), since, seed()));
    let error = result.unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[test]
fn a_reuse_that_was_saved_is_given_its_document_again() {
    let upload = || files::UploadFile::new("a.txt", b"canary".to_vec()).external_file_id("none");
    let saved = UploadOnce::new(upload(), seed()).save().unwrap();
    assert!(!saved.contains("canary"));
    // Without the document, nothing can be uploaded.
    let (_, result) = world(0).run(&mut UploadOnce::load(&saved).unwrap());
    assert!(result.unwrap_err().to_string().contains("set it again"));
    let mut loaded = UploadOnce::load(&saved).unwrap();
    loaded.upload_mut().unwrap().set_content(b"canary".to_vec());
    let (_, result) = world(0).run(&mut loaded);
    assert!(result.unwrap().uploaded);
    assert!(loaded.upload_mut().is_none());
}

#[test]
fn a_wait_for_results_knows_its_job() {
    assert_eq!(ResultsWaiter::new("job-7", seed()).job_id(), "job-7");
    assert_eq!(Waiter::by(GetJob::new("job-7"), seed()).job_id(), "job-7");
}

fn file(id: &str, external: &str, expires_at: Option<&str>) -> Value {
    json!({"id": id, "name": "x", "external_file_id": external, "expires_at": expires_at})
}

fn reuse(world: &mut World, upload: files::UploadFile) -> Result<(String, bool), Error> {
    let (_, reused) = world.run(&mut UploadOnce::new(upload, seed()));
    reused.map(|reused| (reused.file.id, reused.uploaded))
}

#[test]
fn a_document_that_is_there_is_not_uploaded_again() {
    let upload = || files::UploadFile::new("a.txt", b"x".to_vec()).external_file_id("sha-1");
    let mut world = world(0);
    assert_eq!(
        reuse(&mut world, upload()).unwrap(),
        ("dfl-1".to_owned(), true)
    );
    // The world began at 2023-11-14T22:13:20Z.
    world.service.old.files = vec![
        file("other", "sha-2", None),
        file("gone", "sha-1", Some("2023-11-14T00:00:00Z")),
        file("going", "sha-1", Some("2023-11-14T22:15:00Z")),
    ];
    assert_eq!(
        reuse(&mut world, upload()).unwrap(),
        ("dfl-2".to_owned(), true)
    );
    world
        .service
        .old
        .files
        .push(file("there", "sha-1", Some("2023-11-16T00:00:00Z")));
    assert_eq!(
        reuse(&mut world, upload()).unwrap(),
        ("there".to_owned(), false)
    );
    world.service.old.files.truncate(1);
    world
        .service
        .old
        .files
        .push(file("for ever", "sha-1", None));
    assert_eq!(
        reuse(&mut world, upload()).unwrap(),
        ("for ever".to_owned(), false)
    );
    assert_eq!(world.service.files.len(), 2);

    let plain = files::UploadFile::new("a.txt", b"x".to_vec());
    world.service.log.clear();
    assert!(reuse(&mut world, plain).unwrap().1);
    assert_eq!(world.service.log, ["POST /api/v1/beta/files"]);
}

proptest! {
    #![proptest_config(cases(2048))]

    #[test]
    fn a_wait_ends_with_every_result_or_says_why_not(
        good in 0usize..6, bad in 0usize..3, duration in 0u64..60_000, faults in faults(), crashes in crashes(),
    ) {
        prop_assume!(good + bad > 0);
        let files: Vec<_> = (0..good).map(|n| format!("f-{n}")).chain((0..bad).map(|n| format!("bad-{n}"))).collect();
        let files: Vec<_> = files.iter().map(String::as_str).collect();
        let mut world = world_with_job(duration, &files);
        let silences = faults.iter().filter(|fault| fault.is_silence()).count();
        world.service.faults = faults;
        let (events, result) = world.run_with_crashes(ResultsWaiter::new("job-1", seed()), &crashes);
        let told = |progress: &Progress<JobStatus>| progress.job_id == "job-1" && progress.looks > 0;
        prop_assert!(events.iter().all(told));
        match result {
            Ok(finished) => {
                prop_assert!(good > 0);
                prop_assert_eq!(finished.results.len(), good);
                let partial = finished.job.status == JobStatus::PartialSuccess;
                prop_assert_eq!(partial, bad > 0);
            }
            Err(error) if error.is_job_failed() => prop_assert_eq!(good, 0),
            Err(error) if error.is_deadline() => prop_assert!(silences >= SILENT_FOR_TOO_LONG, "{}", error),
            Err(error) => prop_assert!(error.is_transient() || error.is_decode(), "{}", error),
        }
    }

    #[test]
    fn looking_for_a_job_finds_it_or_fails_and_creates_nothing(
        before in 0u64..4, after in 0usize..4, faults in faults(), crashes in crashes(),
    ) {
        let mut world = world(0);
        let start = world.now;
        for n in 0..before {
            world.service.old.add(json!({"file_ids": ["a"], "rules": [rule()]}), start - 1 - n);
        }
        world.service.old.add(json!({"file_ids": ["a"], "rules": [rule()]}), start);
        for n in 0..after {
            world.service.old.add(json!({"file_ids": [format!("o-{n}")], "rules": [rule()]}), start);
        }
        let since = now(&world);
        world.service.faults = faults;
        let machine = Reconcile::new(create(&["a"]), since, seed());
        let (_, result) = world.run_with_crashes(machine, &crashes);
        match result {
            Ok(found) => prop_assert_eq!(&found.found().unwrap().id, &format!("job-{}", before + 1)),
            Err(error) => prop_assert!(error.is_transient() || error.is_decode(), "{}", error),
        }
        prop_assert!(world.service.log.iter().all(|line| line.starts_with("GET")));
    }

    #[test]
    fn a_document_is_reused_or_uploaded_whatever_happens(
        known in any::<bool>(), others in 0usize..5, faults in faults(), crashes in crashes(),
    ) {
        let mut world = world(0);
        world.service.old.files = (0..others).map(|n| file(&format!("o-{n}"), "sha-2", None)).collect();
        if known {
            world.service.old.files.push(file("there", "sha-1", None));
        }
        world.service.faults = faults;
        let upload = files::UploadFile::new("a.txt", std::path::PathBuf::from("a.txt")).external_file_id("sha-1");
        match world.run_with_crashes(UploadOnce::new(upload, seed()), &crashes).1 {
            Ok(reused) => {
                prop_assert_eq!(reused.uploaded, !known);
                prop_assert!(!known || world.service.files.is_empty());
            }
            Err(error) => prop_assert!(error.is_transient() || error.is_decode(), "{}", error),
        }
    }
}

/// Every machine here can be driven through a reference, as a driver's `drive` may do.
#[test]
fn a_reference_to_a_machine_is_a_machine() {
    fn takes<M: Machine>(_: M) {}
    takes(&mut ResultsWaiter::new("job-1", seed()));
}
