//! Every hint of an error is followed to the letter, and the jobs that it leads to are counted: one, unless the words
//! that were followed say that they pay again.

mod sim;

use std::time::Duration;

use classify_proto::machine::{
    BulkOptions, Call, Context, DocumentStatus, HashedDocument, Machine, Reconcile, Retry, Run,
    Step, Summary, Waiter,
};
use classify_proto::v2::{Configuration, CreateJob, GetJob, Job, JobOptions, Rerun, Rule};
use classify_proto::{
    Error, ErrorCode, Failure, Hint, Operation, Seed, Time, Timestamp, files, v1,
};
use sim::bulk_harness::{BulkHarness, CREATE, job_options, service};
use sim::{Fault, Service, Simulation};

/// How many jobs there are, after the words were followed.
type Follow = fn() -> usize;

/// The text of a hint in pieces, each a fact or something to do.
#[expect(clippy::too_many_lines, reason = "a table")]
fn clauses(hint: Hint) -> Vec<(&'static str, Option<Follow>)> {
    match hint {
        Hint::RepeatCreate => vec![
            (
                "send the same create (same file_input, same rules) again under the same transaction id, without another upload",
                Some(|| {
                    let jobs = [Fault::LostAfterActing, Fault::LostBeforeActing].map(repeat_create);
                    assert_eq!(jobs[0], jobs[1]);
                    jobs[0]
                }),
            ),
            (": that cannot make a second job", None),
        ],
        Hint::ClassifyAgain => vec![
            (
                "classify the same content by the same rules again",
                Some(|| {
                    let mut bench = lost_document();
                    bench.journal.clear();
                    bench.run(None).unwrap();
                    bench.assert_all_completed();
                    let jobs = bench.simulation.service.jobs.len();
                    // A call of its own is the same paid run.
                    assert_eq!(classify_again(), jobs);
                    jobs
                }),
            ),
            (", or ", None),
            (
                "send the same create again under the same transaction id",
                Some(|| {
                    let mut bench = lost_document();
                    let report = &bench.reports["0.txt"][0];
                    let transaction_id = bench.simulation.service.transactions[0].clone();
                    let file_id = report.file_id.clone().unwrap();
                    let create = CreateJob::new(file_id, bench.job_options.clone())
                        .transaction_id(transaction_id);
                    call(&mut bench.simulation, create).unwrap();
                    bench.simulation.service.jobs.len()
                }),
            ),
            (": that cannot make a second job", None),
        ],
        Hint::VerifyFirst => vec![
            ("it may have been acted upon; ", None),
            (
                "look for its effect before sending it again",
                Some(|| {
                    let jobs =
                        [Fault::LostAfterActing, Fault::LostBeforeActing].map(look_then_send);
                    assert_eq!(jobs[0], jobs[1]);
                    jobs[0]
                }),
            ),
        ],
        Hint::TransactionTaken => vec![
            ("the transaction id belongs to that job: ", None),
            (
                "read the job by its id",
                Some(|| {
                    let (mut simulation, error) = taken_transaction();
                    let id = error.job_id().unwrap();
                    assert_eq!(call(&mut simulation, GetJob::new(id)).unwrap().id, id);
                    simulation.service.jobs.len()
                }),
            ),
            (", or ", None),
            (
                "send the create that made it again",
                Some(|| {
                    let (mut simulation, error) = taken_transaction();
                    let create = create("dfl-1").transaction_id(error.transaction_id().unwrap());
                    let job = call(&mut simulation, create).unwrap();
                    assert_eq!(Some(&*job.id), error.job_id());
                    simulation.service.jobs.len()
                }),
            ),
            ("; ", None),
            (
                "a create under another transaction id makes another job and pays again",
                Some(|| {
                    let (mut simulation, error) = taken_transaction();
                    let create = create(error.file_id().unwrap()).transaction_id("another");
                    call(&mut simulation, create).unwrap();
                    simulation.service.jobs.len()
                }),
            ),
        ],
        Hint::ConfigurationEdited => vec![
            (
                "read the job by its id for the answer under the earlier rules",
                Some(|| {
                    let (mut simulation, error) = edited_configuration();
                    let id = error.job_id().unwrap();
                    assert_eq!(call(&mut simulation, GetJob::new(id)).unwrap().id, id);
                    simulation.service.jobs.len()
                }),
            ),
            ("; ", None),
            (
                "`fresh` asks again under the edited rules, which makes another job and pays again",
                Some(|| {
                    let (mut simulation, error) = edited_configuration();
                    let job = run_saved(&mut simulation, Rerun::Always).unwrap();
                    assert_ne!(Some(&*job.id), error.job_id());
                    simulation.service.jobs.len()
                }),
            ),
        ],
        Hint::WaitAgain => vec![
            ("the job goes on; ", None),
            (
                "wait for it again by its id",
                Some(|| {
                    let mut simulation = Simulation::new(service(60_000));
                    let mut run = Run::new(create("dfl-1"), seed(1)).timeout(LITTLE);
                    let error = with_hint(simulation.run(&mut run).1, Hint::WaitAgain);
                    let mut waiter = Waiter::<GetJob>::new(error.job_id().unwrap(), seed(2));
                    simulation.run(&mut waiter).1.unwrap();
                    simulation.service.jobs.len()
                }),
            ),
        ],
        Hint::ResumeRun => vec![
            ("jobs that were created go on; ", None),
            (
                "resume the run from its journal",
                Some(|| {
                    let jobs = [Rerun::Failed, Rerun::Always].map(|rerun| {
                        let mut bench = late_run(rerun, Hint::ResumeRun);
                        bench.run(None).unwrap();
                        bench.assert_all_completed();
                        bench.simulation.service.jobs.len()
                    });
                    assert_eq!(jobs[0], jobs[1]);
                    jobs[0]
                }),
            ),
            (": that makes no second job for any of them", None),
        ],
        Hint::RunAgain => vec![
            ("jobs that were created go on; ", None),
            (
                "run the same documents by the same rules again",
                Some(|| {
                    let mut bench = late_run(Rerun::Never, Hint::RunAgain);
                    bench.journal.clear();
                    bench.run(None).unwrap();
                    bench.assert_all_completed();
                    bench.simulation.service.jobs.len()
                }),
            ),
            (": that makes no second job for any of them", None),
        ],
        Hint::CheckPlan => vec![
            ("the plan has no credits or room left; ", None),
            (
                "more requests cannot help until it has",
                Some(|| refused_then_corrected(402, Hint::CheckPlan)),
            ),
        ],
        Hint::CreditCap => vec![
            ("the project has reached its credit cap: ", None),
            (
                "go on when the cap's day or month is over, or once the cap is raised",
                Some(|| {
                    let jobs = refused_for(402, "the daily credit cap is reached", Hint::CreditCap);
                    assert_eq!(jobs, resumed_after(403, "credit cap", Hint::CreditCap));
                    jobs
                }),
            ),
        ],
        Hint::ExpiredKey => vec![
            ("the key has expired: ", None),
            (
                "create another key of the same project and continue with it",
                Some(|| {
                    let jobs = refused_for(401, "the key has expired", Hint::ExpiredKey);
                    assert_eq!(jobs, resumed_after(401, "key expired", Hint::ExpiredKey));
                    jobs
                }),
            ),
        ],
        Hint::Intercepted => vec![
            (
                "something on the way answered in place of the service, such as a captive portal, a proxy or a firewall: ",
                None,
            ),
            (
                "check the network and the base URL",
                Some(|| {
                    let mut simulation = Simulation::new(service(0));
                    simulation.service.faults = [Fault::CaptivePortal].into();
                    with_hint(call(&mut simulation, create("dfl-1")), Hint::Intercepted);
                    call(&mut simulation, create("dfl-1")).unwrap();
                    simulation.service.jobs.len()
                }),
            ),
        ],
        Hint::ProxyLogin => vec![
            ("the proxy asks for a user name and a password: ", None),
            (
                "write them into its URL, as in http://USER:PASSWORD@HOST:PORT",
                Some(|| denied_by_proxy(407, Hint::ProxyLogin)),
            ),
        ],
        Hint::ProxyDenies => vec![
            ("the proxy does not connect to this host: ", None),
            (
                "ask its operator, or list the host in NO_PROXY to go past the proxy",
                Some(|| denied_by_proxy(403, Hint::ProxyDenies)),
            ),
        ],
        Hint::CheckKey => vec![
            (
                "check the key, that it has not expired, and that it is of this region",
                Some(|| refused_then_corrected(401, Hint::CheckKey)),
            ),
            (": a key is valid in one region only", None),
        ],
        Hint::CheckRights => vec![(
            "the key has no right to this project or organization",
            Some(|| refused_then_corrected(403, Hint::CheckRights)),
        )],
        Hint::CheckId => vec![(
            "check the id, and that it belongs to the key's project",
            Some(|| {
                let mut simulation = Simulation::new(service(0));
                let job = call(&mut simulation, create("dfl-1")).unwrap();
                let wrong = call(&mut simulation, GetJob::new("clj-9"));
                with_hint(wrong, Hint::CheckId);
                call(&mut simulation, GetJob::new(job.id)).unwrap();
                simulation.service.jobs.len()
            }),
        )],
        Hint::CheckIdOrVersion => vec![
            (
                "check the id, and that it belongs to the key's project",
                Some(|| {
                    let mut simulation = Simulation::new(service(0));
                    let job = call(&mut simulation, v1_create()).unwrap();
                    let wrong = call(&mut simulation, v1::GetJob::new("job-9"));
                    with_hint(wrong, Hint::CheckIdOrVersion);
                    call(&mut simulation, v1::GetJob::new(job.id)).unwrap();
                    simulation.service.v1.jobs.len()
                }),
            ),
            (
                "; v1 has left the published interface and may have been withdrawn",
                None,
            ),
        ],
        Hint::Withdrawn => vec![(
            "the service has withdrawn this endpoint; v1 left its published interface",
            Some(|| refused_then_corrected(410, Hint::Withdrawn)),
        )],
        Hint::SizeLimit => vec![(
            "the document is over the service's size limit",
            Some(|| refused_then_corrected(413, Hint::SizeLimit)),
        )],
        Hint::CorrectField => vec![(
            "correct the named field",
            Some(|| refused_then_corrected(422, Hint::CorrectField)),
        )],
        Hint::SlowDown => vec![
            (
                "slow down",
                Some(|| refused_then_corrected(429, Hint::SlowDown)),
            ),
            (
                ": a free plan allows 20 requests a minute, which `Limiter::free_tier` and `--limits free` keep to",
                None,
            ),
        ],
        Hint::CheckBaseUrl => vec![(
            "check the base URL",
            Some(|| refused_then_corrected(302, Hint::CheckBaseUrl)),
        )],
        other => panic!("nobody has followed {other:?}: {other}"),
    }
}

#[test]
fn hint_followed_to_the_letter_makes_one_job_unless_it_says_that_it_pays_again() {
    for hint in Hint::ALL {
        let clauses = clauses(*hint);
        let text: String = clauses.iter().map(|(clause, _)| *clause).collect();
        assert_eq!(text, hint.text(), "the test follows another text");
        assert!(clauses.iter().any(|(_, follow)| follow.is_some()));
        for (clause, follow) in clauses {
            let Some(jobs) = follow.map(|follow| follow()) else {
                continue;
            };
            if clause.contains("pays again") {
                assert_eq!(jobs, 2, "it does not pay again: {clause}");
            } else {
                assert_eq!(jobs, 1, "{hint:?}: {clause}");
            }
        }
    }
}

/// Uploading again gives another file id, so that the transaction id answers another request. The hint of this conflict
/// leads to the one job there is.
#[test]
fn hint_of_conflict_after_second_upload_leads_to_first_job() {
    let mut simulation = Simulation::new(service(0));
    let upload = || files::UploadFile::new("a.txt", b"a document".to_vec());
    simulation
        .service
        .route_faults
        .insert(CREATE, [Fault::LostAfterActing].into());
    let mut run = Run::upload(upload(), job_options(), seed(1))
        .with_transaction_id("tx-1")
        .retry(Retry::never());
    let lost = with_hint(simulation.run(&mut run).1, Hint::RepeatCreate);
    assert_eq!(lost.file_id(), Some("dfl-1"));
    assert!(
        lost.to_string().contains("file dfl-1, transaction id tx-1"),
        "{lost}"
    );

    let mut run = Run::upload(upload(), job_options(), seed(2)).with_transaction_id("tx-1");
    let conflict = with_hint(simulation.run(&mut run).1, Hint::TransactionTaken);
    assert_eq!(conflict.file_id(), Some("dfl-2"));
    let job = call(&mut simulation, GetJob::new(conflict.job_id().unwrap())).unwrap();
    assert_eq!(job.file_input.as_deref(), Some("dfl-1"));
    assert_eq!(simulation.service.jobs.len(), 1);
}

const LITTLE: Duration = Duration::from_secs(5);

fn seed(number: u8) -> Seed {
    Seed::new([number; 16])
}

fn create(file: &str) -> CreateJob {
    let rule = Rule::new("invoice", "has an invoice number");
    CreateJob::new(file, Configuration::new([rule]))
}

fn v1_create() -> v1::CreateJob {
    v1::CreateJob::new(
        ["file-1"],
        [v1::Rule::new("invoice", "has an invoice number")],
    )
}

/// Calls once; each call draws another seed, as each call of a client does.
fn call<O: Operation>(simulation: &mut Simulation, operation: O) -> Result<O::Output, Error> {
    let number = u8::try_from(simulation.sent.len()).unwrap();
    let mut call = Call::new(operation, seed(100 + number)).retry(Retry::never());
    simulation.run(&mut call).1
}

/// The error, which gives this advice, also in its text.
#[track_caller]
fn with_hint<T>(result: Result<T, Error>, hint: Hint) -> Error {
    let error = result.err().expect("an error");
    assert!(error.hints().any(|given| given == hint), "{error}");
    assert!(error.to_string().contains(hint.text()), "{error}");
    error
}

/// A create whose answer is lost, sent again from what its error says.
fn repeat_create(fault: Fault) -> usize {
    let mut simulation = Simulation::new(service(0));
    simulation.service.faults = [fault].into();
    let error = with_hint(call(&mut simulation, create("dfl-1")), Hint::RepeatCreate);
    let again = create(error.file_id().unwrap()).transaction_id(error.transaction_id().unwrap());
    call(&mut simulation, again).unwrap();
    simulation.service.jobs.len()
}

/// A run over one document whose create is never answered, although the first one made a job.
fn lost_document() -> BulkHarness {
    let mut bench = BulkHarness::new([1], service(0));
    let lost = vec![Fault::LostAfterActing; 1_000];
    bench
        .simulation
        .service
        .route_faults
        .insert(CREATE, lost.into());
    bench.run(None).unwrap();
    let report = &bench.reports["0.txt"][0];
    assert_eq!(report.status, DocumentStatus::Ambiguous);
    assert_eq!(report.error_code, Some(ErrorCode::Timeout));
    let error = report.error.as_deref().unwrap();
    assert!(error.contains(Hint::ClassifyAgain.text()), "{error}");
    bench.simulation.service.route_faults.clear();
    bench
}

/// A run over one document whose deadline comes before its job has ended; its journal is kept.
fn late_run(rerun: Rerun, hint: Hint) -> BulkHarness {
    let mut bench = BulkHarness::new([1], service(60_000));
    bench.job_options.rerun = rerun;
    let deadline = Time::from_millis(bench.simulation.now) + LITTLE;
    bench.options = BulkOptions::default().deadline(deadline);
    let summary: Summary = bench.run(None).unwrap();
    with_hint(summary.into_error().map_or(Ok(()), Err), hint);
    assert_eq!(bench.reports["0.txt"][0].status, DocumentStatus::Open);
    bench.options = BulkOptions::default();
    bench
}

/// A document that is classified, and whose create is lost.
fn lost_classify(options: JobOptions, hint: Hint) -> (Simulation, Error) {
    let mut simulation = Simulation::new(service(0));
    let lost = [Fault::LostAfterActing].into();
    simulation.service.route_faults.insert(CREATE, lost);
    let api = simulation.api.clone();
    let mut run = Run::document(&api, document(), options, seed(1)).retry(Retry::never());
    let error = with_hint(simulation.run(&mut run).1, hint);
    (simulation, error)
}

fn document() -> HashedDocument {
    HashedDocument::bytes("a.txt", "a document")
}

fn classify_again() -> usize {
    let (mut simulation, _) = lost_classify(job_options(), Hint::ClassifyAgain);
    let api = simulation.api.clone();
    let mut again = Run::document(&api, document(), job_options(), seed(2));
    simulation.run(&mut again).1.unwrap();
    assert_eq!(simulation.service.files.len(), 2);
    simulation.service.jobs.len()
}

/// Classified again with these options, a document may be paid for again; its create may be sent again.
#[test]
fn hint_of_lost_create_with_retry_failed_or_fresh_is_to_repeat_the_create() {
    for options in [job_options().retry_failed(), job_options().fresh()] {
        let (mut simulation, error) = lost_classify(options.clone(), Hint::RepeatCreate);
        assert!(error.hints().all(|hint| hint != Hint::ClassifyAgain));
        let again = CreateJob::new(error.file_id().unwrap(), options)
            .transaction_id(error.transaction_id().unwrap());
        call(&mut simulation, again).unwrap();
        assert_eq!(simulation.service.jobs.len(), 1);
    }
}

/// A create of v1 whose answer is lost: sent again only if no job of it is found.
fn look_then_send(fault: Fault) -> usize {
    let mut simulation = Simulation::new(service(0));
    let since = i64::try_from(simulation.now - 60_000).unwrap() * 1_000;
    simulation.service.faults = [fault].into();
    with_hint(call(&mut simulation, v1_create()), Hint::VerifyFirst);
    let since = Timestamp::from_unix_micros(since).unwrap();
    let found = simulation
        .run(&mut Reconcile::new(v1_create(), since, seed(3)))
        .1
        .unwrap();
    if found.is_absent() {
        call(&mut simulation, v1_create()).unwrap();
    } else {
        assert!(found.found().is_some());
    }
    simulation.service.v1.jobs.len()
}

/// A service with the job of one file, and the conflict of another file's create under the same transaction id.
fn taken_transaction() -> (Simulation, Error) {
    let mut simulation = Simulation::new(service(0));
    call(&mut simulation, create("dfl-1").transaction_id("tx-1")).unwrap();
    let other = call(&mut simulation, create("dfl-2").transaction_id("tx-1"));
    let error = with_hint(other, Hint::TransactionTaken);
    (simulation, error)
}

/// A document that was classified by a saved configuration, and is classified again after it was edited.
fn edited_configuration() -> (Simulation, Error) {
    let mut simulation = Simulation::new(service(0));
    let save = |simulation: &mut Simulation, description: &str| {
        let rules = serde_json::json!({"rules": [{"type": "invoice", "description": description}]});
        simulation.service.saved = [("cfg-1".to_owned(), rules)].into();
    };
    save(&mut simulation, "has an invoice number");
    run_saved(&mut simulation, Rerun::Never).unwrap();
    save(&mut simulation, "has a reference number");
    let edited = run_saved(&mut simulation, Rerun::Never);
    (simulation, with_hint(edited, Hint::ConfigurationEdited))
}

fn run_saved(simulation: &mut Simulation, rerun: Rerun) -> Result<Job, Error> {
    let mut options = JobOptions::from_configuration_id("cfg-1");
    options.rerun = rerun;
    let document = HashedDocument::bytes("a.txt", "Invoice 1");
    let api = simulation.api.clone();
    let seed = seed(10 + u8::try_from(simulation.sent.len()).unwrap());
    let mut run = Run::document(&api, document, options, seed);
    simulation.run(&mut run).1
}

/// Resumes a run from its journal after an error response with this message has stopped it.
fn resumed_after(status: u16, words: &'static str, hint: Hint) -> usize {
    let mut bench = BulkHarness::new([1], service(0));
    bench.simulation.service.refuses = Some(status);
    bench.simulation.service.refusal = words;
    let summary: Summary = bench.run(None).unwrap();
    with_hint(summary.into_error().map_or(Ok(()), Err), hint);
    bench.simulation.service.refuses = None;
    bench.reports.clear();
    bench.run(None).unwrap();
    bench.assert_all_completed();
    bench.simulation.service.jobs.len()
}

/// A create that a proxy does not let through, until it does.
fn denied_by_proxy(status: u16, hint: Hint) -> usize {
    let mut simulation = Simulation::new(service(0));
    let api = simulation.api.clone();
    let cx = Context::new(&api, Time::from_millis(simulation.now));
    let mut denied = Call::new(create("dfl-1"), seed(1));
    let Step::Send(ticket, _) = denied.poll(cx) else {
        panic!("nothing was sent")
    };
    denied.handle(cx, ticket, Err(Failure::proxy_refused(status)));
    let Step::Done(result) = denied.poll(cx) else {
        panic!("it is sent again")
    };
    let error = with_hint(result, hint);
    assert!(error.is_refused() && !error.is_ambiguous(), "{error}");
    call(&mut simulation, create("dfl-1")).unwrap();
    simulation.service.jobs.len()
}

/// A create that is refused until what the hint names is put right, and is then sent again.
fn refused_then_corrected(status: u16, hint: Hint) -> usize {
    refused_for(status, "refused", hint)
}

fn refused_for(status: u16, words: &'static str, hint: Hint) -> usize {
    let refusing = Service {
        refuses: Some(status),
        refusal: words,
        ..service(0)
    };
    let mut simulation = Simulation::new(refusing);
    with_hint(call(&mut simulation, create("dfl-1")), hint);
    simulation.service.refuses = None;
    call(&mut simulation, create("dfl-1")).unwrap();
    simulation.service.jobs.len()
}
