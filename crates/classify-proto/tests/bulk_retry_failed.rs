//! A bulk run creates another job only for failed documents, and one job per run number.

mod sim;

use std::time::Duration;

use classify_proto::machine::{BulkOptions, DocumentReport, DocumentStatus, Record};
use sim::bulk_harness::{BulkHarness, CREATE, UPLOAD, retried, service};
use sim::{Fault, Service};

fn failing(duration: u64) -> Service {
    Service {
        failing: true,
        ..service(duration)
    }
}

/// A run that goes through its documents one by one and forgets each when the next is done.
fn forgetful() -> BulkOptions {
    BulkOptions::default().max_in_flight(1).report_cache_size(1)
}

/// The jobs that are there now have failed, and those to come will not.
fn only_earlier_jobs_fail(bench: &mut BulkHarness) {
    bench.simulation.service.failing = false;
    for job in &mut bench.simulation.service.jobs {
        job.fails = true;
    }
}

#[test]
fn retry_failed_skips_duplicate_that_failed_in_same_run() {
    let mut bench = BulkHarness::new([1, 2, 1, 2], failing(1_000));
    bench.options = forgetful();
    bench.retry_failed(true);
    bench.run(None).unwrap();
    assert_eq!(bench.simulation.service.jobs.len(), 2);
    assert_eq!(bench.reports.len(), 4);
    // A further run creates one more job for each content, and none for duplicates.
    bench.run(None).unwrap();
    assert_eq!(bench.simulation.service.jobs.len(), 4);
}

#[test]
fn retry_failed_duplicate_shares_second_run_number() {
    let mut bench = BulkHarness::new([1, 2, 1], failing(1_000));
    bench.options = forgetful();
    bench.run(None).unwrap();
    only_earlier_jobs_fail(&mut bench);
    bench.options = forgetful();
    bench.retry_failed(true);
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(bench.simulation.service.jobs.len(), 4);
    // Documents that earlier processes finished are reported, evicted from the cache, and pushed again.
    bench.options = forgetful();
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(bench.simulation.service.jobs.len(), 4);
    assert_eq!(bench.settled(0), Some(DocumentStatus::Completed));
}

#[test]
fn retry_failed_duplicate_shares_open_second_run_number() {
    let mut bench = BulkHarness::new([1, 2, 1], failing(1_000));
    bench.run(None).unwrap();
    only_earlier_jobs_fail(&mut bench);
    bench.simulation.service.duration = 1_000_000;
    let patience = Duration::from_secs(60);
    for retry_failed in [true, false] {
        bench.options = forgetful().job_timeout(patience);
        bench.retry_failed(retry_failed);
        let summary = bench.run(None).unwrap();
        assert_eq!(summary.count(&DocumentStatus::Failed), 0, "{summary:?}");
        assert_eq!(bench.settled(0), None);
    }
    bench.options = BulkOptions::default();
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(bench.simulation.service.jobs.len(), 4);
}

#[test]
fn retry_failed_duplicate_of_ambiguous_create_makes_no_new_job() {
    let mut bench = BulkHarness::new([1, 2, 1], failing(1_000));
    let lost = vec![Fault::LostAfterActing; 30];
    bench.simulation.service.route_faults = [(CREATE, lost.into())].into();
    bench.options = forgetful();
    bench.retry_failed(true);
    let summary = bench.run(None).unwrap();
    assert_eq!(bench.reports["0.txt"][0].status, DocumentStatus::Ambiguous);
    assert_eq!(bench.reports["2.txt"][0].status, DocumentStatus::Failed);
    assert_eq!(bench.simulation.service.jobs.len(), 2, "{summary:?}");
}

/// Cuts the end of the round off, as a crash before it does.
fn interrupt(bench: &mut BulkHarness) {
    let ended = Record::Ended.to_line();
    let sound = bench.journal.len() - ended.len();
    assert_eq!(bench.journal.split_off(sound), ended.into_bytes());
}

/// Appends a report without a job, which earlier versions recorded for a copy whose repeated create was refused.
fn append_refusal(bench: &mut BulkHarness, document: usize) {
    let report: DocumentReport =
        serde_json::from_str(r#"{"status":"ERROR","error":"400 Bad Request"}"#).unwrap();
    let key = bench.documents[document].key();
    let line = Record::Finished { key, report }.to_line();
    bench.journal.extend_from_slice(line.as_bytes());
}

/// The copy's report is evicted, and the service refuses to repeat the create of the second run. The job of that run is
/// paid for, and stays paid for when the round is resumed.
#[test]
fn retry_failed_refused_duplicate_creates_no_job_in_resumed_round() {
    let mut bench = BulkHarness::new([1, 2, 1], failing(1_000));
    bench.run(None).unwrap();
    bench.options = forgetful();
    bench.retry_failed(true);
    bench.simulation.service.refuses_repeats = [400].into();
    for _ in 0..3 {
        bench.run(None).unwrap();
        assert_eq!(bench.simulation.service.jobs.len(), 4);
        interrupt(&mut bench);
    }
    for reports in bench.reports.values() {
        assert_eq!(reports[0].status, DocumentStatus::Failed);
        assert!(reports[0].job_id.is_some());
    }
}

#[test]
fn retry_failed_duplicate_of_known_job_sends_no_create() {
    let mut bench = BulkHarness::new([1, 2, 1, 2, 1], failing(1_000));
    bench.options = forgetful();
    bench.retry_failed(true);
    bench.run(None).unwrap();
    assert_eq!((bench.requests(UPLOAD), bench.requests(CREATE)), (2, 2));
    assert_eq!(bench.reports["0.txt"], bench.reports["4.txt"]);
}

/// A journal of an earlier version may hold the refusal of a copy after the failure of the job.
#[test]
fn retry_failed_journal_with_refused_duplicate_creates_no_second_job() {
    let mut bench = BulkHarness::new([1, 2, 1], failing(1_000));
    bench.run(None).unwrap();
    bench.options = forgetful();
    bench.retry_failed(true);
    bench.run(None).unwrap();
    interrupt(&mut bench);
    append_refusal(&mut bench, 0);
    assert_eq!(bench.settled(0), Some(DocumentStatus::Failed));
    bench.run(None).unwrap();
    assert_eq!(bench.simulation.service.jobs.len(), 4);
    assert_eq!(bench.reports["0.txt"][0].status, DocumentStatus::Failed);
}

/// The same, if the job was never recorded.
#[test]
fn retry_failed_journal_with_refusal_and_unknown_job_creates_no_second_job() {
    let mut bench = BulkHarness::new([1, 2, 1], failing(1_000));
    bench.run(None).unwrap();
    bench.options = forgetful();
    bench.retry_failed(true);
    let further = bench.documents.split_off(1);
    let lost = vec![Fault::LostAfterActing; 30];
    bench.simulation.service.route_faults = [(CREATE, lost.into())].into();
    bench.run(None).unwrap();
    assert_eq!(bench.reports["0.txt"][0].status, DocumentStatus::Ambiguous);
    assert_eq!(bench.simulation.service.jobs.len(), 3);
    interrupt(&mut bench);
    append_refusal(&mut bench, 0);
    bench.documents.extend(further);
    bench.run(None).unwrap();
    assert_eq!(bench.simulation.service.jobs.len(), 4);
}

/// A create was lost, the file is refused when the create is repeated, and the document cannot be uploaded once more.
/// None of that says that there is no job.
#[test]
fn retry_failed_unreadable_document_of_lost_create_is_ambiguous() {
    let mut bench = BulkHarness::new([1], service(1_000));
    for step in 0.. {
        bench.run(Some(step));
        if !bench.simulation.service.jobs.is_empty() {
            break;
        }
    }
    assert!(!String::from_utf8_lossy(&bench.journal).contains("clj-1"));
    bench.options = BulkOptions::default();
    bench.retry_failed(true);
    bench.simulation.service.refuses_repeats = [404].into();
    bench.simulation.service.route_faults = [(UPLOAD, [Fault::Unreadable].into())].into();
    bench.run(None).unwrap();
    assert_eq!(bench.reports["0.txt"][0].status, DocumentStatus::Ambiguous);
    assert_eq!(bench.settled(0), None);
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(bench.simulation.service.jobs.len(), 1);
}

/// The document was refused, and a copy of it was accepted. The refusal in the journal does not stand any more.
#[test]
fn retry_failed_open_job_of_duplicate_of_refused_document_is_kept() {
    let mut bench = BulkHarness::new([1, 2, 1], service(1_000_000));
    let further = bench.documents.split_off(1);
    bench.simulation.service.refuses = Some(400);
    bench.run(None).unwrap();
    assert_eq!(bench.settled(0), Some(DocumentStatus::Error));
    bench.documents.extend(further);
    bench.simulation.service.refuses = None;
    let patience = Duration::from_secs(60);
    bench.options = forgetful().report_cache_size(0).job_timeout(patience);
    bench.run(None).unwrap();
    assert_eq!(bench.reports["2.txt"][0].status, DocumentStatus::Open);
    assert_eq!(bench.settled(0), None);
    bench.options = forgetful();
    bench.retry_failed(true);
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(bench.simulation.service.jobs.len(), 2);
}

/// The transaction id of a deleted job may be free again, so that a create with it is one more bill.
#[test]
fn retry_failed_duplicate_of_deleted_job_is_missing() {
    for retry_failed in [false, true] {
        let mut bench = BulkHarness::new([1, 2, 1], service(20_000));
        bench.simulation.service.deleted = (1..9).map(|n| format!("clj-{n}")).collect();
        bench.simulation.service.frees_deleted = true;
        bench.options = forgetful();
        bench.retry_failed(retry_failed);
        for round in 1..4 {
            bench.run(None).unwrap();
            let rounds = if retry_failed { round } else { 1 };
            assert_eq!(bench.simulation.service.jobs.len(), 2 * rounds);
            for reports in bench.reports.values() {
                assert_eq!(reports[0].status, DocumentStatus::Missing);
            }
        }
    }
}

#[test]
fn retry_failed_creates_new_job_for_deleted_one() {
    let mut bench = BulkHarness::new(0..2, service(20_000));
    bench.simulation.service.deleted = ["clj-1".to_owned()].into();
    for retry_failed in [false, false, true] {
        bench.options = BulkOptions::default();
        bench.retry_failed(retry_failed);
        let summary = bench.run(None).unwrap();
        assert_eq!(
            summary.count(&DocumentStatus::Missing),
            usize::from(!retry_failed)
        );
    }
    bench.assert_all_completed();
    assert_eq!(bench.simulation.service.jobs.len(), 3);
}

#[test]
fn retry_failed_recreates_deleted_job_once_per_round() {
    let mut bench = BulkHarness::new(0..1, service(20_000));
    bench.simulation.service.deleted = (1..9).map(|n| format!("clj-{n}")).collect();
    bench.run(None).unwrap();
    bench.options = BulkOptions::default();
    bench.retry_failed(true);
    // However often the round is interrupted.
    for kill in (5..).step_by(7) {
        if bench.run(Some(kill)).is_some() {
            break;
        }
        assert!(bench.simulation.service.jobs.len() <= 2);
    }
    assert_eq!(bench.simulation.service.jobs.len(), 2);
    bench.run(None).unwrap();
    assert_eq!(bench.simulation.service.jobs.len(), 3);
}

#[test]
fn retry_failed_is_required_to_rerun_failed_documents() {
    let mut bench = BulkHarness::new(
        0..3,
        Service {
            failing: true,
            ..service(1_000)
        },
    );
    bench.run(None).unwrap();
    bench.simulation.service.failing = false;
    for job in &mut bench.simulation.service.jobs {
        job.fails = true;
    }
    bench.run(None).unwrap();
    assert_eq!(
        (bench.restored, bench.simulation.service.jobs.len()),
        (3, 3)
    );
    bench.options = BulkOptions::default();
    bench.retry_failed(true);
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(
        (bench.requests(CREATE), bench.simulation.service.jobs.len()),
        (6, 6)
    );
    assert_eq!((bench.planned(0), bench.planned(1)), (3, 3));
    // Documents that completed in the second run are restored.
    bench.run(None).unwrap();
    assert_eq!(
        (bench.restored, bench.simulation.service.jobs.len()),
        (3, 6)
    );
}

/// The job of a create whose answer was lost may have failed before the create is repeated. It is this run's own, and
/// was paid for: to take it for an earlier run's would pay for the document twice.
#[test]
fn retry_failed_lost_response_of_failed_job_creates_no_second_job() {
    let mut bench = BulkHarness::new(
        0..3,
        Service {
            failing: true,
            ..service(10)
        },
    );
    bench.run(None).unwrap();
    bench.options = BulkOptions::default().max_requests(1);
    bench.retry_failed(true);
    // After the upload.
    bench.simulation.service.faults = [Fault::None, Fault::LostAfterActing].into();
    bench.run(None).unwrap();
    assert_eq!(bench.simulation.service.jobs.len(), 6);
    assert!(
        bench
            .reports
            .values()
            .all(|reports| reports[0].status == DocumentStatus::Failed)
    );
}

/// The same, with a crash between the create and its record.
#[test]
fn retry_failed_crash_before_record_creates_no_second_job() {
    let mut bench = BulkHarness::new(
        0..1,
        Service {
            failing: true,
            ..service(10)
        },
    );
    bench.run(None).unwrap();
    bench.options = BulkOptions::default();
    bench.retry_failed(true);
    for step in 0.. {
        bench.run(Some(step));
        if bench.simulation.service.jobs.len() == 2 {
            break;
        }
    }
    assert!(
        !String::from_utf8(bench.journal.clone())
            .unwrap()
            .contains("clj-2")
    );
    bench.simulation.now += 60_000;
    bench.run(None).unwrap();
    assert_eq!(bench.simulation.service.jobs.len(), 2);
    assert_eq!(bench.reports["0.txt"][0].status, DocumentStatus::Failed);
}

/// Nobody has paid for a retry yet.
#[test]
fn retry_failed_applies_to_failures_of_interrupted_first_run() {
    let mut bench = retried(0..6);
    interrupt(&mut bench);
    bench.run(None).unwrap();
    assert_eq!(bench.simulation.service.jobs.len(), 12);
}

#[test]
fn retry_failed_new_round_starts_after_previous_one_ended() {
    let mut bench = retried(0..6);
    bench.run(None).unwrap();
    assert_eq!(bench.simulation.service.jobs.len(), 12);
    bench.run(None).unwrap();
    assert_eq!(bench.simulation.service.jobs.len(), 18);
    // A run that has nothing to say leaves the journal as it is.
    bench.options = BulkOptions::default();
    bench.retry_failed(false);
    let journal = bench.journal.clone();
    bench.run(None).unwrap();
    assert_eq!(bench.journal, journal);
}

#[test]
fn retry_failed_works_without_journal() {
    let mut bench = BulkHarness::new(
        0..3,
        Service {
            failing: true,
            ..service(1_000)
        },
    );
    bench.run(None).unwrap();
    bench.simulation.service.failing = false;
    for job in &mut bench.simulation.service.jobs {
        job.fails = true;
    }
    bench.journal.clear();
    bench.options = BulkOptions::default();
    bench.retry_failed(true);
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(bench.simulation.service.jobs.len(), 6);
}
