//! Which documents a bulk run buys anew, and that it pays for no attempt twice.

mod sim;

use std::time::Duration;

use classify_proto::machine::{BulkOptions, DocumentStatus, Record};
use sim::bench::{Bench, CREATE, retried, service};
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
fn only_earlier_jobs_fail(bench: &mut Bench) {
    bench.world.service.failing = false;
    for job in &mut bench.world.service.jobs {
        job.fails = true;
    }
}

#[test]
fn a_duplicate_of_what_failed_in_this_very_run_is_not_bought_anew() {
    let mut bench = Bench::new([1, 2, 1, 2], failing(1_000));
    bench.options = forgetful().retry_failed(true);
    bench.run(None).unwrap();
    assert_eq!(bench.world.service.jobs.len(), 2);
    assert_eq!(bench.reports.len(), 4);
    // A further run buys each once more, and its duplicates none.
    bench.run(None).unwrap();
    assert_eq!(bench.world.service.jobs.len(), 4);
}

#[test]
fn a_duplicate_of_a_second_attempt_is_of_that_attempt() {
    let mut bench = Bench::new([1, 2, 1], failing(1_000));
    bench.options = forgetful();
    bench.run(None).unwrap();
    only_earlier_jobs_fail(&mut bench);
    bench.options = forgetful().retry_failed(true);
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(bench.world.service.jobs.len(), 4);
    // What was settled by earlier processes is told, forgotten, and asked for once more.
    bench.options = forgetful();
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(bench.world.service.jobs.len(), 4);
    assert_eq!(bench.settled(0), Some(DocumentStatus::Completed));
}

#[test]
fn a_duplicate_of_a_second_attempt_that_goes_on_is_of_that_attempt() {
    let mut bench = Bench::new([1, 2, 1], failing(1_000));
    bench.run(None).unwrap();
    only_earlier_jobs_fail(&mut bench);
    bench.world.service.duration = 1_000_000;
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
    assert_eq!(bench.world.service.jobs.len(), 4);
}

#[test]
fn a_duplicate_of_what_may_have_been_bought_may_have_been_bought() {
    let mut bench = Bench::new([1, 2, 1], failing(1_000));
    let lost = vec![Fault::LostAfterActing; 30];
    bench.world.service.route_faults = [(CREATE, lost.into())].into();
    bench.options = forgetful().retry_failed(true);
    let summary = bench.run(None).unwrap();
    assert_eq!(bench.reports["0.txt"][0].status, DocumentStatus::Ambiguous);
    assert_eq!(bench.reports["2.txt"][0].status, DocumentStatus::Failed);
    assert_eq!(bench.world.service.jobs.len(), 2, "{summary:?}");
}

#[test]
fn a_document_whose_job_was_deleted_is_bought_anew_where_that_is_asked() {
    let mut bench = Bench::new(0..2, service(20_000));
    bench.world.service.deleted = ["clj-1".to_owned()].into();
    for retry_failed in [false, false, true] {
        bench.options = BulkOptions::default().retry_failed(retry_failed);
        let summary = bench.run(None).unwrap();
        assert_eq!(
            summary.count(&DocumentStatus::Missing),
            usize::from(!retry_failed)
        );
    }
    bench.assert_all_completed();
    assert_eq!(bench.world.service.jobs.len(), 3);
}

#[test]
fn a_job_that_is_deleted_again_and_again_is_bought_anew_once_a_round() {
    let mut bench = Bench::new(0..1, service(20_000));
    bench.world.service.deleted = (1..9).map(|n| format!("clj-{n}")).collect();
    bench.run(None).unwrap();
    bench.options = BulkOptions::default().retry_failed(true);
    // However often the round is interrupted.
    for kill in (5..).step_by(7) {
        if bench.run(Some(kill)).is_some() {
            break;
        }
        assert!(bench.world.service.jobs.len() <= 2);
    }
    assert_eq!(bench.world.service.jobs.len(), 2);
    bench.run(None).unwrap();
    assert_eq!(bench.world.service.jobs.len(), 3);
}

#[test]
fn failed_documents_are_bought_anew_only_when_that_is_asked() {
    let mut bench = Bench::new(
        0..3,
        Service {
            failing: true,
            ..service(1_000)
        },
    );
    bench.run(None).unwrap();
    bench.world.service.failing = false;
    for job in &mut bench.world.service.jobs {
        job.fails = true;
    }
    bench.run(None).unwrap();
    assert_eq!((bench.restored, bench.world.service.jobs.len()), (3, 3));
    bench.options = BulkOptions::default().retry_failed(true);
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(
        (bench.requests(CREATE), bench.world.service.jobs.len()),
        (6, 6)
    );
    assert_eq!((bench.planned(0), bench.planned(1)), (3, 3));
    // What completed in the second attempt stays.
    bench.run(None).unwrap();
    assert_eq!((bench.restored, bench.world.service.jobs.len()), (3, 6));
}

/// The job of a create whose answer was lost may have failed before the create is repeated. It is this run's own, and
/// was paid for: to take it for an earlier run's would pay for the document twice.
#[test]
fn a_retried_document_that_fails_while_its_answer_is_lost_is_not_bought_twice() {
    let mut bench = Bench::new(
        0..3,
        Service {
            failing: true,
            ..service(10)
        },
    );
    bench.run(None).unwrap();
    bench.options = BulkOptions::default().retry_failed(true).max_requests(1);
    // After the upload.
    bench.world.service.faults = [Fault::None, Fault::LostAfterActing].into();
    bench.run(None).unwrap();
    assert_eq!(bench.world.service.jobs.len(), 6);
    assert!(
        bench
            .reports
            .values()
            .all(|reports| reports[0].status == DocumentStatus::Failed)
    );
}

/// The same, with a crash between the create and its record.
#[test]
fn a_retried_document_that_fails_while_the_run_is_down_is_not_bought_twice() {
    let mut bench = Bench::new(
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
        if bench.world.service.jobs.len() == 2 {
            break;
        }
    }
    assert!(
        !String::from_utf8(bench.journal.clone())
            .unwrap()
            .contains("clj-2")
    );
    bench.world.now += 60_000;
    bench.run(None).unwrap();
    assert_eq!(bench.world.service.jobs.len(), 2);
    assert_eq!(bench.reports["0.txt"][0].status, DocumentStatus::Failed);
}

/// Nobody has paid for a retry yet.
#[test]
fn what_failed_in_a_first_run_that_was_interrupted_is_retried() {
    let mut bench = retried(0..6);
    let ended = Record::Ended.to_line();
    let sound = bench.journal.len() - ended.len();
    assert_eq!(bench.journal.split_off(sound), ended.into_bytes());
    bench.run(None).unwrap();
    assert_eq!(bench.world.service.jobs.len(), 12);
}

#[test]
fn a_further_round_of_retries_begins_when_the_last_has_come_to_its_end() {
    let mut bench = retried(0..6);
    bench.run(None).unwrap();
    assert_eq!(bench.world.service.jobs.len(), 12);
    bench.run(None).unwrap();
    assert_eq!(bench.world.service.jobs.len(), 18);
    // A run that has nothing to say leaves the journal as it is.
    bench.options = BulkOptions::default();
    let journal = bench.journal.clone();
    bench.run(None).unwrap();
    assert_eq!(bench.journal, journal);
}

#[test]
fn failed_documents_are_found_without_a_journal_too() {
    let mut bench = Bench::new(
        0..3,
        Service {
            failing: true,
            ..service(1_000)
        },
    );
    bench.run(None).unwrap();
    bench.world.service.failing = false;
    for job in &mut bench.world.service.jobs {
        job.fails = true;
    }
    bench.journal.clear();
    bench.options = BulkOptions::default().retry_failed(true);
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(bench.world.service.jobs.len(), 6);
}
