//! Bulk runs in virtual time: the labels of documents, and a journal from which the next process resumes.

mod sim;

use classify_proto::machine::{
    Bulk, BulkEvent, BulkOptions, ContentKey, Context, DocumentStatus, HashedDocument, Journal,
    Machine as _, Record, Step,
};
use classify_proto::v2::{Configuration, JobOptions, Rerun, Rule};
use classify_proto::{Seed, Time};
use sim::Service;
use sim::bulk_harness::{BulkHarness, CREATE, UPLOAD, job_options, service};
use sim::fed::Fed;

#[test]
fn bulk_run_classifies_every_document() {
    let mut bench = BulkHarness::new(0..5, service(10_000));
    let summary = bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(summary.count(&DocumentStatus::Completed), 5);
    assert_eq!((bench.requests(UPLOAD), bench.requests(CREATE)), (5, 5));
    let report = &bench.reports["3.txt"][0];
    assert_eq!(report.r#type.as_deref(), Some("invoice"));
    assert!(report.job_id.is_some() && report.file_id.is_some() && report.error.is_none());
}

#[test]
fn bulk_run_without_documents_sends_nothing() {
    let mut bench = BulkHarness::new([], service(0));
    assert_eq!(bench.run(None).unwrap().documents(), 0);
    assert!(bench.simulation.sent.is_empty());
    assert_eq!(Journal::read(&bench.journal).unwrap().0.counts(), (0, 0));
}

#[test]
fn duplicate_documents_are_sent_once_and_reported_per_name() {
    let mut bench = BulkHarness::new([1, 2, 1, 1, 2, 3], service(3_000));
    bench.options = BulkOptions::default().max_in_flight(2);
    let summary = bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!((summary.documents(), summary.duplicates), (3, 3));
    assert_eq!(
        (
            bench.simulation.service.files.len(),
            bench.simulation.service.jobs.len()
        ),
        (3, 3)
    );
}

#[test]
fn duplicate_evicted_from_report_cache_creates_no_second_job() {
    let mut bench = BulkHarness::new([1, 2, 3, 4, 1], service(1_000));
    bench.options = BulkOptions::default().max_in_flight(1).report_cache_size(1);
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(
        (bench.requests(CREATE), bench.simulation.service.jobs.len()),
        (5, 4)
    );
}

#[test]
fn upload_is_skipped_for_documents_given_by_file_id() {
    let mut bench = BulkHarness::new([], service(1_000));
    bench.documents = vec![
        HashedDocument::id("dfl-7"),
        HashedDocument::id("pjb-8"),
        HashedDocument::id("dfl-7"),
    ];
    bench.run(None).unwrap();
    assert_eq!((bench.requests(UPLOAD), bench.requests(CREATE)), (0, 2));
    assert_eq!(bench.simulation.service.jobs[1].file_input, "pjb-8");
    assert_eq!(
        bench.reports["dfl-7"].len() + bench.reports["pjb-8"].len(),
        3
    );
}

#[test]
fn max_in_flight_is_never_exceeded() {
    let mut bench = BulkHarness::new(0..200, service(20_000));
    bench.options = BulkOptions::default().max_in_flight(7);
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(bench.most_in_flight, 7);
}

#[test]
fn pause_input_waits_for_next_document_or_close() {
    let api = sim::api();
    let mut bulk = Bulk::new(
        &api,
        job_options(),
        BulkOptions::default(),
        Seed::new([1; 16]),
    )
    .unwrap();
    let cx = Context::new(&api, Time::from_millis(1_000));
    let next = |bulk: &mut Bulk| bulk.poll(cx);
    assert!(matches!(
        next(&mut bulk),
        Step::Event(BulkEvent::Record(Record::Run(_)))
    ));
    assert!(matches!(
        next(&mut bulk),
        Step::Event(BulkEvent::NeedDocuments(500))
    ));
    bulk.pause_input();
    for _ in 0..3 {
        assert!(matches!(next(&mut bulk), Step::Wait(None)));
    }
    bulk.push(HashedDocument::id("dfl-1"));
    assert!(matches!(next(&mut bulk), Step::Event(BulkEvent::Record(_))));
    assert!(matches!(
        next(&mut bulk),
        Step::Event(BulkEvent::NeedDocuments(499))
    ));
    bulk.pause_input();
    assert!(matches!(next(&mut bulk), Step::Send(..)));
    bulk.stop();
    bulk.close();
    assert_eq!(bulk.capacity(), 0);

    let mut empty = Bulk::new(
        &api,
        job_options(),
        BulkOptions::default(),
        Seed::new([1; 16]),
    )
    .unwrap();
    next(&mut empty);
    next(&mut empty);
    empty.pause_input();
    assert!(matches!(next(&mut empty), Step::Wait(None)));
    empty.close();
    assert!(matches!(
        next(&mut empty),
        Step::Event(BulkEvent::Record(Record::Ended))
    ));
    assert!(matches!(next(&mut empty), Step::Done(_)));
}

#[test]
fn resume_report_is_available_before_document_is_pushed() {
    let mut bench = BulkHarness::new(0..2, service(1_000));
    bench.run(None).unwrap();
    let (journal, _) = Journal::read(&bench.journal).unwrap();
    let options = BulkOptions::default();
    let bulk = Bulk::new(
        &bench.simulation.api,
        job_options(),
        options,
        Seed::new([9; 16]),
    )
    .unwrap();
    let bulk = bulk.with_journal(journal).unwrap();
    let key = bench.documents[1].key();
    assert_eq!(
        bulk.previous_report(key).unwrap().status,
        DocumentStatus::Completed
    );
    assert!(bulk.previous_report(ContentKey::of(b"another")).is_none());
}

#[test]
fn resume_job_id_is_available_once_document_is_pushed() {
    let api = sim::api();
    let options = BulkOptions::default();
    let mut first = Bulk::new(&api, job_options(), options.clone(), Seed::new([1; 16])).unwrap();
    let Step::Event(BulkEvent::Record(begun)) =
        first.poll(Context::new(&api, Time::from_millis(1_000)))
    else {
        panic!("the journal begins with the run")
    };
    let document = HashedDocument::id("dfl-1");
    let created = Record::Created {
        key: document.key(),
        job_id: "clj-1".into(),
        transaction_id: "t".into(),
    };
    let (journal, _) = Journal::read((begun.to_line() + &created.to_line()).as_bytes()).unwrap();
    let bulk = Bulk::new(&api, job_options(), options, Seed::new([2; 16])).unwrap();
    let mut bulk = bulk.with_journal(journal).unwrap();
    let key = document.key();
    assert_eq!(bulk.job_id(key), None);
    bulk.push(document);
    assert_eq!(bulk.job_id(key), Some("clj-1"));
}

#[test]
fn failed_documents_do_not_stop_the_run() {
    let mut bench = BulkHarness::new(
        0..4,
        Service {
            failing: true,
            ..service(1_000)
        },
    );
    bench
        .documents
        .push(HashedDocument::path("gone.txt", "gone.txt", ContentKey::of(b"gone")).unwrap());
    let summary = bench.run(None).unwrap();
    // A simulated upload of a path is empty, and goes through like any other.
    assert_eq!(summary.count(&DocumentStatus::Failed), 5);
    let report = &bench.reports["0.txt"][0];
    assert_eq!(report.error.as_deref(), Some("PDF_IS_BROKEN"));
}

#[test]
fn error_scope_422_fails_document_until_retry_failed() {
    let mut bench = BulkHarness::new(
        0..3,
        Service {
            refuses: Some(422),
            ..service(1_000)
        },
    );
    let summary = bench.run(None).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Error), 3);
    assert!(summary.error().is_none());
    assert!(
        bench.reports["0.txt"][0]
            .error
            .as_ref()
            .unwrap()
            .contains("422")
    );
    // It is not asked again, but with `retry_failed`.
    let before = bench.simulation.sent.len();
    bench.run(None).unwrap();
    assert_eq!((bench.simulation.sent.len(), bench.restored), (before, 3));
    bench.simulation.service.refuses = None;
    bench.options = BulkOptions::default();
    bench.retry_failed(true);
    bench.run(None).unwrap();
    bench.assert_all_completed();
}

#[test]
fn fresh_run_creates_new_jobs_once_despite_crash() {
    let mut bench = BulkHarness::new(0..3, service(1_000));
    bench.run(None).unwrap();
    bench.journal.clear();
    bench.run(None).unwrap();
    assert_eq!(bench.simulation.service.jobs.len(), 3);
    bench.journal.clear();
    bench.options = BulkOptions::default();
    bench.job_options.rerun = Rerun::Always;
    bench.run(Some(40));
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(
        bench.simulation.service.jobs.len(),
        6,
        "a fresh run that crashed goes on as the same run"
    );
}

#[test]
fn journal_of_other_configuration_is_an_error() {
    let mut bench = BulkHarness::new(0..1, service(0));
    bench.run(None).unwrap();
    let (journal, _) = Journal::read(&bench.journal).unwrap();
    let other = JobOptions::from(Configuration::new([Rule::new(
        "receipt",
        "has a till number",
    )]));
    let bulk = Bulk::new(
        &bench.simulation.api,
        other,
        BulkOptions::default(),
        Seed::new([1; 16]),
    )
    .unwrap();
    let error = bulk.with_journal(journal).unwrap_err();
    assert!(
        error.to_string().contains("\"invoice\" is in the journal"),
        "{error}"
    );
}

#[test]
fn journal_of_another_run_is_an_error_for_fresh_run() {
    let mut bench = BulkHarness::new(0..1, service(0));
    bench.run(None).unwrap();
    let (journal, _) = Journal::read(&bench.journal).unwrap();
    let options = BulkOptions::default();
    let bulk = Bulk::new(
        &bench.simulation.api,
        job_options().fresh(),
        options,
        Seed::new([1; 16]),
    )
    .unwrap();
    let error = bulk.with_journal(journal).unwrap_err();
    assert!(
        error.to_string().contains("every document again"),
        "{error}"
    );
}

#[test]
fn journal_header_records_organization() {
    let mut bench = BulkHarness::new(0..1, service(0));
    bench.job_options = job_options().organization("org-1");
    bench.run(None).unwrap();
    let (journal, _) = Journal::read(&bench.journal).unwrap();
    let organization = journal.header().unwrap().organization.as_deref();
    assert_eq!(organization, Some("org-1"));
}

#[test]
fn journal_of_fed_run_is_stored_and_write_error_stops_run() {
    let mut bench = BulkHarness::new(0..9, service(5_000));
    let bulk = |bench: &BulkHarness| {
        Bulk::new(
            &bench.simulation.api,
            job_options(),
            BulkOptions::default().max_in_flight(2),
            Seed::new([1; 16]),
        )
        .unwrap()
    };
    let mut stored = Vec::new();
    let store = |record: &Record| {
        stored.push(record.to_line());
        Ok(())
    };
    let mut run = Fed::new(bulk(&bench), bench.documents.clone(), store);
    let (events, summary) = bench.simulation.run(&mut run);
    assert_eq!((summary.documents(), events.len()), (9, 9));
    assert_eq!(
        Journal::read(stored.concat().as_bytes())
            .unwrap()
            .0
            .counts(),
        (9, 9)
    );

    // If the journal cannot be written, the run stops before it creates a job that is not in the journal.
    let mut bench = BulkHarness::new(0..9, service(5_000));
    let mut stored = Vec::new();
    // The device is full during one record and stores half of it.
    let full_once = |record: &Record| {
        let line = record.to_line();
        let fails = stored.len() == 4;
        let taken = if fails { line.len() / 2 } else { line.len() };
        stored.push(line[..taken].to_owned());
        if fails {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        Ok(())
    };
    let mut run = Fed::new(bulk(&bench), bench.documents.clone(), full_once);
    let (_, summary) = bench.simulation.run(&mut run);
    let left = run.into_rest().count();
    assert!(Journal::read(stored.concat().as_bytes()).unwrap().1 < stored.concat().len());
    assert!(summary.error().unwrap().to_string().contains("journal"));
    assert!(bench.simulation.service.jobs.len() <= 2);
    assert!(left >= 5);
}

#[test]
fn validation_rejects_bulk_run_without_configuration() {
    let api = sim::api();
    let error = Bulk::new(
        &api,
        JobOptions::default(),
        BulkOptions::default(),
        Seed::new([1; 16]),
    )
    .unwrap_err();
    assert!(error.is_invalid());
}

#[test]
fn journal_with_one_job_for_two_documents_does_not_block_run() {
    let mut bench = BulkHarness::new([1, 2], service(1_000));
    bench.run(None).unwrap();
    let mut journal = BulkHarness::header();
    for document in &bench.documents {
        let key = document.key();
        let (job_id, transaction_id) = ("clj-1".to_owned(), "t".to_owned());
        journal += &Record::Created {
            key,
            job_id,
            transaction_id,
        }
        .to_line();
    }
    bench.journal = journal.into_bytes();
    let summary = bench.run(None).unwrap();
    assert_eq!(
        (
            summary.count(&DocumentStatus::Completed),
            summary.count(&DocumentStatus::Error)
        ),
        (1, 1)
    );
}

#[test]
fn resume_uploads_expired_file_again_once() {
    let mut bench = BulkHarness::new(0..1, service(1_000));
    let key = bench.documents[0].key();
    bench.run(Some(0));
    let lines = [
        BulkHarness::header(),
        Record::Planned {
            key,
            name: "0.txt".into(),
            run_number: 0,
        }
        .to_line(),
        Record::Uploaded {
            key,
            file_id: "dfl-expired".into(),
        }
        .to_line(),
    ];
    bench.journal = lines.concat().into_bytes();
    bench.simulation.service.refuses = Some(404);
    let summary = bench.run_with(None, |_, _| {}).unwrap();
    // Uploaded again once; and nobody knows whether the process that died had sent a create, so that the refusal of
    // another proves nothing.
    assert_eq!(
        (
            bench.requests(UPLOAD),
            summary.count(&DocumentStatus::Ambiguous)
        ),
        (1, 1)
    );
}
