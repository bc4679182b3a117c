//! Jobs of the first version, in virtual time: waiting, reading every page, and finding what was lost. And uploads
//! that are made once.

mod proptest_config;
mod sim;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use classify_proto::machine::{
    Call, Context, Machine, Progress, Reconcile, Reconciliation, ResultsWaiter, Retry, Saved, Step,
    UploadOnce, Waiter,
};
use classify_proto::v1::{CreateJob, GetJob, JobStatus, Mode, Outcome, ParsingConfiguration, Rule};
use classify_proto::{CallOptions, Error, Idempotency, Operation, Seed, Time, Timestamp, files};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest_config::cases;
use serde_json::{Value, json};
use sim::{FAULTS, Fault, SILENT_FOR_TOO_LONG, Service, Simulation};

fn seed() -> Seed {
    Seed::new([4; 16])
}

fn rule() -> Rule {
    Rule::new("invoice", "has an invoice number")
}

fn create(files: &[&str]) -> CreateJob {
    CreateJob::new(files.iter().copied(), [rule()])
}

fn simulation(duration: u64) -> Simulation {
    let mut service = Service::default();
    service.v1.duration = duration;
    Simulation::new(service)
}

/// A simulation with one job of these files, created at its beginning.
fn simulation_with_job(duration: u64, files: &[&str]) -> Simulation {
    let mut simulation = simulation(duration);
    let (_, job) = simulation.run(&mut Call::new(create(files), seed()));
    assert_eq!(job.unwrap().id, "job-1");
    simulation.service.log.clear();
    simulation
}

fn now(simulation: &Simulation) -> Timestamp {
    Timestamp::from_unix_micros(i64::try_from(simulation.now).unwrap() * 1_000).unwrap()
}

fn faults() -> impl Strategy<Value = VecDeque<Fault>> {
    vec(proptest::sample::select(&FAULTS[..]), 0..20).prop_map(Into::into)
}

fn crashes() -> impl Strategy<Value = BTreeSet<u32>> {
    btree_set(0u32..40, 0..6)
}

#[test]
fn pagination_reads_every_page_of_v1_results() {
    let files: Vec<_> = (0..7).map(|n| format!("f-{n}")).collect();
    let files: Vec<_> = files.iter().map(String::as_str).collect();
    let mut simulation = simulation_with_job(5_000, &files);
    let (progress, finished) = simulation.run(&mut ResultsWaiter::new("job-1", seed()));
    let finished = finished.unwrap();
    assert!(!progress.is_empty());
    assert_eq!(finished.job.status, JobStatus::Success);
    assert_eq!(finished.results.len(), 7);
    for file in files {
        assert_eq!(finished.outcome(file).matched(), Some("invoice"));
    }
}

/// The response to a poll that timed out arrives while the results are read. It is not taken for a page of them.
#[test]
fn poll_response_arriving_late_is_not_taken_for_results_page() {
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
fn v1_wait_partial_success_has_outcome_per_file() {
    let mut simulation = simulation_with_job(5_000, &["a", "bad-1", "b"]);
    let (_, finished) = simulation.run(&mut ResultsWaiter::new("job-1", seed()));
    let finished = finished.unwrap();
    assert_eq!(finished.job.status, JobStatus::PartialSuccess);
    assert_eq!(finished.outcome("a").matched(), Some("invoice"));
    assert!(matches!(finished.outcome("bad-1"), Outcome::Failed { .. }));
    assert_eq!(finished.outcomes().count(), 2);
}

#[test]
fn v1_wait_failed_or_cancelled_job_is_error_with_job() {
    let mut simulation = simulation_with_job(5_000, &["bad-1"]);
    let (_, error) = simulation.run(&mut ResultsWaiter::new("job-1", seed()));
    let error = error.unwrap_err();
    assert!(error.is_job_failed(), "{error}");
    assert_eq!(error.v1_job().unwrap().status, JobStatus::Error);
    assert_eq!(error.job_id(), Some("job-1"));
    assert_eq!(error.operation(), Some("classifier.jobs.wait"));
    assert!(error.to_string().contains("PDF_IS_BROKEN"), "{error}");

    let mut simulation = simulation_with_job(5_000, &["a"]);
    simulation.service.v1.jobs[0].cancelled = true;
    let (_, error) = simulation.run(&mut Waiter::by(GetJob::new("job-1"), seed()));
    let error = error.unwrap_err();
    assert!(error.is_cancelled() && error.v1_job().is_some(), "{error}");
}

#[test]
fn deadline_error_includes_last_seen_v1_job() {
    let mut simulation = simulation_with_job(u64::MAX, &["a"]);
    let mut wait = ResultsWaiter::new("job-1", seed()).timeout(Duration::from_secs(20));
    let (_, error) = simulation.run(&mut wait);
    let error = error.unwrap_err();
    assert!(error.is_deadline(), "{error}");
    assert_eq!(error.v1_job().unwrap().status, JobStatus::Pending);
    assert!(error.to_string().contains("PENDING"), "{error}");
}

#[test]
fn v1_wait_accepts_call_options() {
    let mut simulation = simulation_with_job(0, &["a"]);
    let options = CallOptions::new().header("x-a", "1").query("b", "c");
    let mut waiter = Waiter::by(GetJob::new("job-1"), seed()).options(options);
    let (_, job) = simulation.run(&mut waiter);
    assert_eq!(job.unwrap().status, JobStatus::Success);
}

#[test]
fn saved_state_of_v1_wait_is_rejected_by_v2_wait() {
    let old = Waiter::by(GetJob::new("job-1"), seed()).save().unwrap();
    assert!(Waiter::<classify_proto::v2::GetJob>::load(&old).is_err());
    assert!(Waiter::<GetJob>::load(&old).is_ok());
    let new = Waiter::new("clj-1", seed()).save().unwrap();
    assert!(new.contains("\"waiter classify\""), "{new}");
}

#[test]
fn retry_of_v1_create_only_if_not_processed() {
    for (fault, sent, jobs) in [
        (Fault::NoConnection, 2, 1),
        (Fault::Http429, 2, 1),
        (Fault::LostAfterActing, 1, 1),
        (Fault::LostBeforeActing, 1, 0),
        (Fault::Http500AfterActing, 1, 1),
        (Fault::CutBodyAfterActing, 1, 1),
        (Fault::Http503, 1, 0),
    ] {
        let mut simulation = simulation(0);
        simulation.service.faults = [fault].into();
        let (_, result) = simulation.run(&mut Call::new(create(&["a"]), seed()));
        assert_eq!(simulation.service.log.len(), sent, "{fault:?}");
        assert_eq!(simulation.service.v1.jobs.len(), jobs, "{fault:?}");
        match result {
            Ok(_) => assert_eq!(sent, 2, "{fault:?}"),
            Err(error) => assert!(error.is_ambiguous(), "{fault:?}: {error}"),
        }
    }
    assert_eq!(
        create(&["a"]).semantics().idempotency,
        Idempotency::NonIdempotent
    );
}

fn reconcile(simulation: &mut Simulation, asked: CreateJob, since: Timestamp) -> Reconciliation {
    let (_, found) = simulation.run(&mut Reconcile::new(asked, since, seed()));
    found.unwrap()
}

#[test]
fn reconcile_finds_lost_job_among_others() {
    let mut simulation = simulation(1_000);
    let rules = json!([rule()]);
    let body = |files: &[&str]| json!({"file_ids": files, "rules": rules});
    let start = simulation.now;
    // The same, but earlier; then others of other files, rules, mode, pages; then ours.
    simulation.service.v1.add(body(&["a", "b"]), start - 60_000);
    simulation.service.v1.add(body(&["a", "c"]), start);
    simulation.service.v1.add(body(&["a"]), start);
    simulation.service.v1.add(body(&["a", "b", "c"]), start);
    let mut other = body(&["a", "b"]);
    other["rules"] = json!([{"type": "receipt", "description": "has a till number"}]);
    simulation.service.v1.add(other, start);
    let mut other = body(&["a", "b"]);
    other["mode"] = json!("MULTIMODAL");
    simulation.service.v1.add(other, start);
    let mut other = body(&["a", "b"]);
    other["parsing_configuration"] = json!({"target_pages": [0]});
    simulation.service.v1.add(other, start);
    let since = now(&simulation);
    simulation.service.faults = [Fault::LostAfterActing].into();
    let (_, lost) = simulation.run(&mut Call::new(create(&["b", "dfl-a"]), seed()));
    assert!(lost.unwrap_err().is_ambiguous());
    simulation.now += 5_000;

    let found = reconcile(&mut simulation, create(&["b", "dfl-a"]), since);
    assert_eq!(found.found().unwrap().id, "job-8");
    assert!(!found.is_absent() && !found.is_undecided());
    let multimodal = create(&["a", "b"]).mode(Mode::Multimodal);
    assert_eq!(
        reconcile(&mut simulation, multimodal, since)
            .found()
            .unwrap()
            .id,
        "job-6"
    );
    let first_page = ParsingConfiguration::new().target_pages([0]);
    let first_page = create(&["a", "b"]).parsing_configuration(first_page);
    assert_eq!(
        reconcile(&mut simulation, first_page, since)
            .found()
            .unwrap()
            .id,
        "job-7"
    );
    assert!(reconcile(&mut simulation, create(&["z"]), since).is_absent());
    let creates = simulation
        .service
        .log
        .iter()
        .filter(|line| line.starts_with("POST"));
    assert_eq!(creates.count(), 1, "nothing is created by looking");
}

/// A service that writes ids in another case would otherwise have every lost job paid for twice.
#[test]
fn reconcile_matches_file_ids_in_any_form() {
    let mut simulation = simulation_with_job(0, &["0a1b", "dfl-2c3d"]);
    let since = "2020-01-01T00:00:00Z".parse().unwrap();
    let found = reconcile(&mut simulation, create(&["0A1B", "2C3D"]), since);
    assert!(found.candidates[0].files_agree);
    assert!(reconcile(&mut simulation, create(&["0A1C", "2C3D"]), since).is_absent());
}

#[test]
fn reconcile_job_without_results_yet_is_a_candidate() {
    let mut simulation = simulation_with_job(3_600_000, &["a"]);
    let since = "2020-01-01T00:00:00Z".parse().unwrap();
    let found = reconcile(&mut simulation, create(&["b"]), since);
    assert_eq!(found.found().unwrap().id, "job-1");
    assert!(!found.candidates[0].files_agree);
    // With a second one there is doubt until they have ended.
    let second = json!({"file_ids": ["b"], "rules": [rule()]});
    let later = simulation.now;
    simulation.service.v1.add(second, later);
    assert!(reconcile(&mut simulation, create(&["b"]), since).is_undecided());
    simulation.now += 4_000_000;
    let found = reconcile(&mut simulation, create(&["b"]), since);
    assert_eq!(found.found().unwrap().id, "job-2");
}

#[test]
fn reconcile_failed_job_without_results_is_a_candidate() {
    let mut simulation = simulation_with_job(0, &["bad-1"]);
    let since = "2020-01-01T00:00:00Z".parse().unwrap();
    assert!(
        reconcile(&mut simulation, create(&["bad-1"]), since)
            .found()
            .is_some()
    );
    let mut simulation = simulation_with_job(0, &["bad-1", "a"]);
    let found = reconcile(&mut simulation, create(&["bad-1", "a"]), since);
    assert!(!found.candidates[0].files_agree);
    assert!(found.found().is_some());
    assert!(reconcile(&mut simulation, create(&["bad-1", "c"]), since).is_absent());
}

#[test]
fn reconcile_page_limit_exceeded_is_an_error() {
    let mut simulation = simulation(0);
    for _ in 0..9 {
        let start = simulation.now;
        simulation
            .service
            .v1
            .add(json!({"file_ids": ["a"], "rules": []}), start);
    }
    let since = now(&simulation);
    let mut reconcile = Reconcile::new(create(&["z"]), since, seed()).max_pages(2);
    let (_, error) = simulation.run(&mut reconcile);
    let error = error.unwrap_err();
    assert!(error.to_string().contains("2 pages"), "{error}");
}

/// Results that could not be read say nothing of a job's files; results that are not there yet do.
#[test]
fn reconcile_unreadable_results_are_an_error() {
    let mut simulation = simulation_with_job(0, &["a"]);
    let since = "2023-11-14T00:00:00Z".parse().unwrap();
    simulation.service.faults = std::iter::once(Fault::None)
        .chain(vec![Fault::Http503; 20])
        .collect();
    let (_, result) = simulation.run(&mut Reconcile::new(create(&["a"]), since, seed()));
    let error = result.unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[test]
fn saved_state_of_upload_once_needs_document_set_again() {
    let upload = || files::UploadFile::new("a.txt", b"canary".to_vec()).external_file_id("none");
    let saved = UploadOnce::new(upload(), seed()).save().unwrap();
    assert!(!saved.contains("canary"));
    // Without the document, nothing can be uploaded.
    let (_, result) = simulation(0).run(&mut UploadOnce::load(&saved).unwrap());
    assert!(result.unwrap_err().to_string().contains("set it again"));
    let mut loaded = UploadOnce::load(&saved).unwrap();
    loaded.upload_mut().unwrap().set_content(b"canary".to_vec());
    let (_, result) = simulation(0).run(&mut loaded);
    assert!(result.unwrap().uploaded);
    assert!(loaded.upload_mut().is_none());
}

#[test]
fn v1_wait_exposes_job_id() {
    assert_eq!(ResultsWaiter::new("job-7", seed()).job_id(), "job-7");
    assert_eq!(Waiter::by(GetJob::new("job-7"), seed()).job_id(), "job-7");
}

fn file(id: &str, external: &str, expires_at: Option<&str>) -> Value {
    json!({"id": id, "name": "x", "external_file_id": external, "expires_at": expires_at})
}

fn upload_once(
    simulation: &mut Simulation,
    upload: files::UploadFile,
) -> Result<(String, bool), Error> {
    let (_, outcome) = simulation.run(&mut UploadOnce::new(upload, seed()));
    outcome.map(|outcome| (outcome.file.id, outcome.uploaded))
}

#[test]
fn upload_once_reuses_file_unless_expired() {
    let upload = || files::UploadFile::new("a.txt", b"x".to_vec()).external_file_id("sha-1");
    let mut simulation = simulation(0);
    assert_eq!(
        upload_once(&mut simulation, upload()).unwrap(),
        ("dfl-1".to_owned(), true)
    );
    // The simulation began at 2023-11-14T22:13:20Z.
    simulation.service.v1.files = vec![
        file("other", "sha-2", None),
        file("gone", "sha-1", Some("2023-11-14T00:00:00Z")),
        file("going", "sha-1", Some("2023-11-14T22:15:00Z")),
    ];
    assert_eq!(
        upload_once(&mut simulation, upload()).unwrap(),
        ("dfl-2".to_owned(), true)
    );
    simulation
        .service
        .v1
        .files
        .push(file("there", "sha-1", Some("2023-11-16T00:00:00Z")));
    assert_eq!(
        upload_once(&mut simulation, upload()).unwrap(),
        ("there".to_owned(), false)
    );
    simulation.service.v1.files.truncate(1);
    simulation
        .service
        .v1
        .files
        .push(file("for ever", "sha-1", None));
    assert_eq!(
        upload_once(&mut simulation, upload()).unwrap(),
        ("for ever".to_owned(), false)
    );
    assert_eq!(simulation.service.files.len(), 2);

    let plain = files::UploadFile::new("a.txt", b"x".to_vec());
    simulation.service.log.clear();
    assert!(upload_once(&mut simulation, plain).unwrap().1);
    assert_eq!(simulation.service.log, ["POST /api/v1/beta/files"]);
}

proptest! {
    #![proptest_config(cases(2048))]

    #[test]
    fn v1_wait_returns_every_result_or_error_under_faults(
        good in 0usize..6, bad in 0usize..3, duration in 0u64..60_000, faults in faults(), crashes in crashes(),
    ) {
        prop_assume!(good + bad > 0);
        let files: Vec<_> = (0..good).map(|n| format!("f-{n}")).chain((0..bad).map(|n| format!("bad-{n}"))).collect();
        let files: Vec<_> = files.iter().map(String::as_str).collect();
        let mut simulation = simulation_with_job(duration, &files);
        let silences = faults.iter().filter(|fault| fault.is_silence()).count();
        simulation.service.faults = faults;
        let (events, result) = simulation.run_with_crashes(ResultsWaiter::new("job-1", seed()), &crashes);
        let is_progress = |progress: &Progress<JobStatus>| progress.job_id == "job-1" && progress.polls > 0;
        prop_assert!(events.iter().all(is_progress));
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
    fn reconcile_finds_job_or_fails_and_creates_nothing(
        before in 0u64..4, after in 0usize..4, faults in faults(), crashes in crashes(),
    ) {
        let mut simulation = simulation(0);
        let start = simulation.now;
        for n in 0..before {
            simulation.service.v1.add(json!({"file_ids": ["a"], "rules": [rule()]}), start - 1 - n);
        }
        simulation.service.v1.add(json!({"file_ids": ["a"], "rules": [rule()]}), start);
        for n in 0..after {
            simulation.service.v1.add(json!({"file_ids": [format!("o-{n}")], "rules": [rule()]}), start);
        }
        let since = now(&simulation);
        simulation.service.faults = faults;
        let machine = Reconcile::new(create(&["a"]), since, seed());
        let (_, result) = simulation.run_with_crashes(machine, &crashes);
        match result {
            Ok(found) => prop_assert_eq!(&found.found().unwrap().id, &format!("job-{}", before + 1)),
            Err(error) => prop_assert!(error.is_transient() || error.is_decode(), "{}", error),
        }
        prop_assert!(simulation.service.log.iter().all(|line| line.starts_with("GET")));
    }

    #[test]
    fn upload_once_reuses_or_uploads_under_faults(
        known in any::<bool>(), others in 0usize..5, faults in faults(), crashes in crashes(),
    ) {
        let mut simulation = simulation(0);
        simulation.service.v1.files = (0..others).map(|n| file(&format!("o-{n}"), "sha-2", None)).collect();
        if known {
            simulation.service.v1.files.push(file("there", "sha-1", None));
        }
        simulation.service.faults = faults;
        let upload = files::UploadFile::new("a.txt", std::path::PathBuf::from("a.txt")).external_file_id("sha-1");
        match simulation.run_with_crashes(UploadOnce::new(upload, seed()), &crashes).1 {
            Ok(outcome) => {
                prop_assert_eq!(outcome.uploaded, !known);
                prop_assert!(!known || simulation.service.files.is_empty());
            }
            Err(error) => prop_assert!(error.is_transient() || error.is_decode(), "{}", error),
        }
    }
}

/// Every machine here can be driven through a reference, as a driver's `drive` may do.
#[test]
fn results_waiter_can_be_driven_by_reference() {
    fn takes<M: Machine>(_: M) {}
    takes(&mut ResultsWaiter::new("job-1", seed()));
}
