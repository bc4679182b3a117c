//! Which documents a bulk run buys anew, and that it pays for no attempt twice.

mod sim;

use std::time::Duration;

use classify_proto::machine::{BulkOptions, DocumentStatus, Record};
use sim::bulk_harness::{BulkHarness, CREATE, retried, service};
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
    bench.options = forgetful().retry_failed(true);
    bench.run(None).unwrap();
    assert_eq!(bench.simulation.service.jobs.len(), 2);
    assert_eq!(bench.reports.len(), 4);
    // A further run buys each once more, and its duplicates none.
    bench.run(None).unwrap();
    assert_eq!(bench.simulation.service.jobs.len(), 4);
}

#[test]
fn retry_failed_duplicate_shares_second_run_number() {
    let mut bench = BulkHarness::new([1, 2, 1], failing(1_000));
    bench.options = forgetful();
    bench.run(None).unwrap();
    only_earlier_jobs_fail(&mut bench);
    bench.options = forgetful().retry_failed(true);
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(bench.simulation.service.jobs.len(), 4);
    // What was settled by earlier processes is told, forgotten, and asked for once more.
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
        bench.options = forgetful().retry_failed(retry_failed).job_timeout(patience);
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
    bench.options = forgetful().retry_failed(true);
    let summary = bench.run(None).unwrap();
    assert_eq!(bench.reports["0.txt"][0].status, DocumentStatus::Ambiguous);
    assert_eq!(bench.reports["2.txt"][0].status, DocumentStatus::Failed);
    assert_eq!(bench.simulation.service.jobs.len(), 2, "{summary:?}");
}

#[test]
fn retry_failed_creates_new_job_for_deleted_one() {
    let mut bench = BulkHarness::new(0..2, service(20_000));
    bench.simulation.service.deleted = ["clj-1".to_owned()].into();
    for retry_failed in [false, false, true] {
        bench.options = BulkOptions::default().retry_failed(retry_failed);
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
    bench.options = BulkOptions::default().retry_failed(true);
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
    bench.options = BulkOptions::default().retry_failed(true);
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(
        (bench.requests(CREATE), bench.simulation.service.jobs.len()),
        (6, 6)
    );
    assert_eq!((bench.planned(0), bench.planned(1)), (3, 3));
    // What completed in the second attempt stays.
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
    bench.options = BulkOptions::default().retry_failed(true).max_requests(1);
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
    bench.options = BulkOptions::default().retry_failed(true);
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
    let ended = Record::Ended.to_line();
    let complete_bytes = bench.journal.len() - ended.len();
    assert_eq!(bench.journal.split_off(complete_bytes), ended.into_bytes());
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
    bench.options = BulkOptions::default().retry_failed(true);
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(bench.simulation.service.jobs.len(), 6);
}
