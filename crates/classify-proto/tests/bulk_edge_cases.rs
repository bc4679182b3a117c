//! Reports and costs of a bulk run in rare cases: permanent faults, late cancels, run numbers and journals.

mod sim;

use std::sync::Mutex;
use std::time::Duration;

use classify_proto::machine::{
    Bulk, BulkOptions, ContentKey, DocumentStatus, HashedDocument, Journal, Limiter, PollInterval,
    Record, Retry,
};
use classify_proto::{RateClass, Seed, Time};
use sim::bulk_harness::{BulkHarness, CREATE, LIST, UPLOAD, faulty, job_options, service};
use sim::fed::Fed;
use sim::{Fault, Service};

fn held(count: usize) -> Vec<HashedDocument> {
    (0..count)
        .map(|n| HashedDocument::id(format!("dfl-{n}")))
        .collect()
}

/// A run over documents that the service holds.
fn bench(count: usize, service: Service) -> BulkHarness {
    let mut bench = BulkHarness::new([], service);
    bench.documents = held(count);
    bench
}

#[test]
fn summary_counts_no_match_and_restored() {
    let mut bench = bench(
        3,
        Service {
            matching_nothing: true,
            ..service(1_000)
        },
    );
    let summary = bench.run(None).unwrap();
    assert_eq!((summary.no_match, summary.restored), (3, 0));
    let summary = bench.run(None).unwrap();
    assert_eq!((summary.no_match, summary.restored), (3, 3));
    bench.journal.clear();
    bench.simulation.service.matching_nothing = false;
    assert_eq!(bench.run(None).unwrap().no_match, 0);
    // Of those without an answer nobody can say whether a rule matches.
    bench.journal.clear();
    bench.simulation.service.failing = true;
    assert_eq!(bench.run(None).unwrap().no_match, 0);
}

#[test]
fn retry_exhausted_status_is_ambiguous_or_not_started() {
    for (fault, status) in [
        (Fault::LostBeforeActing, DocumentStatus::Ambiguous),
        (Fault::NoConnection, DocumentStatus::NotStarted),
    ] {
        let mut bench = bench(1, faulty(1_000, vec![fault; 1_000]));
        let summary = bench.run(None).unwrap();
        assert!(summary.error().is_none(), "{summary:?}");
        assert_eq!(summary.count(&status), 1, "{summary:?}");
        // Five tries of six requests each.
        assert_eq!(bench.requests(CREATE), 30);
    }
}

#[test]
fn upload_of_new_file_is_not_repeated_after_create_404() {
    let mut bench = BulkHarness::new([], service(1_000));
    bench.documents = (0..3u8)
        .map(|n| HashedDocument::path(n.to_string(), "a.txt", ContentKey::of(&[n])).unwrap())
        .collect();
    bench.simulation.service.refuses = Some(404);
    let summary = bench.run(None).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Error), 3);
    assert_eq!((bench.requests(UPLOAD), bench.requests(CREATE)), (3, 3));
    let why = bench.reports["0"][0].error.as_ref().unwrap();
    assert!(why.contains("404"), "{why}");
}

#[test]
fn retry_failed_skips_earlier_failed_runs_up_to_a_limit() {
    // Every requested document has failed already, as if earlier runs had retried all of them.
    let mut bench = bench(
        1,
        Service {
            failing: true,
            ..service(0)
        },
    );
    bench.options = BulkOptions::default();
    bench.retry_failed(true);
    let summary = bench.run(None).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Failed), 1);
    assert_eq!(bench.requests(CREATE), 9);
}

/// Stops a run as soon as so many of its jobs are known to be open.
fn cancel_when_open(count: usize) -> impl FnMut(&mut Bulk, u32) {
    move |bulk, _| {
        if bulk.in_flight().1 == count {
            bulk.stop_and_cancel();
        }
    }
}

#[test]
fn cancel_reports_completed_for_job_that_already_ended() {
    let mut bench = bench(2, service(5_000));
    let summary = bench.run_with(None, cancel_when_open(2)).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Cancelled), 2);

    // The same, when the jobs have ended by the time that the cancels come.
    let mut bench = bench_of_ended();
    let summary = bench.run_with(None, cancel_when_open(2)).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Completed), 2, "{summary:?}");
}

/// A journal with two open jobs, which have ended since.
fn bench_of_ended() -> BulkHarness {
    let mut bench = bench(2, service(600_000));
    bench.options =
        BulkOptions::default().deadline(Time::from_millis(bench.simulation.now + 5_000));
    assert_eq!(bench.run(None).unwrap().count(&DocumentStatus::Open), 2);
    bench.options = BulkOptions::default();
    bench.simulation.now += 600_000;
    bench
}

#[test]
fn cancel_failure_leaves_job_open_with_error() {
    let mut bench = bench(1, service(600_000));
    bench.options =
        BulkOptions::default().deadline(Time::from_millis(bench.simulation.now + 5_000));
    bench.run(None).unwrap();
    bench.options = BulkOptions::default();
    // The faults last for all attempts of the cancel; a poll after them would succeed.
    bench.simulation.service.faults = vec![Fault::Http503; 6].into();
    let summary = bench.run_with(None, cancel_when_open(1)).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Open), 1);
    let why = bench.reports["dfl-0"][0].error.as_ref().unwrap();
    assert!(why.contains("503"), "{why}");
}

#[test]
fn resume_continues_planned_second_run_number() {
    let document = HashedDocument::id("dfl-0");
    let key = document.key();
    let planned = |run_number| Record::Planned {
        key,
        name: "dfl-0".into(),
        run_number,
    };
    let mut bench = bench(1, service(1_000));
    let failed = r#"{"record":"settled","key":"KEY","report":{"status":"FAILED"}}"#;
    bench.journal = [
        BulkHarness::header(),
        planned(0).to_line(),
        failed.replace("KEY", &key.to_string()) + "\n",
        planned(1).to_line(),
    ]
    .concat()
    .into_bytes();
    let (journal, _) = Journal::read(&bench.journal).unwrap();
    assert!(journal.is_begun() && !Journal::new().is_begun());
    assert_eq!((journal.counts(), journal.report(key)), ((1, 0), None));
    bench.run(None).unwrap();
    assert_eq!(bench.reports["dfl-0"][0].status, DocumentStatus::Completed);
    assert_eq!((bench.planned(0), bench.planned(1)), (1, 1));
    // It is the second run's job: the first has another transaction id.
    let mut first = BulkHarness::new([], service(1_000));
    first.documents = held(1);
    first.run(None).unwrap();
    let id = |bench: &BulkHarness| bench.simulation.service.transactions[0].clone();
    assert_ne!(id(&bench), id(&first));
}

#[test]
fn journal_repeated_planned_record_keeps_uploaded_file() {
    let mut bench = BulkHarness::new([7], service(1_000));
    let key = bench.documents[0].key();
    let planned = |run_number| Record::Planned {
        key,
        name: "0.txt".into(),
        run_number,
    };
    let uploaded = Record::Uploaded {
        key,
        file_id: "dfl-9".into(),
    };
    let records = [planned(0), planned(1), uploaded, planned(1), planned(0)];
    let lines = records.iter().map(Record::to_line);
    bench.journal = (BulkHarness::header() + &lines.collect::<String>()).into_bytes();
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!((bench.requests(UPLOAD), bench.requests(CREATE)), (0, 1));
}

#[test]
fn timeout_of_job_ends_run_after_expected_polls() {
    let mut bench = bench(1, service(u64::MAX / 4));
    bench.options = BulkOptions::default()
        .job_timeout(Duration::from_secs(600))
        .poll_interval(PollInterval::new(
            Duration::from_secs(30),
            Duration::from_secs(30),
        ));
    let start = bench.simulation.now;
    bench.run(None).unwrap();
    let took = bench.simulation.now - start;
    assert!((600_000..640_000).contains(&took), "{took} ms");
    // A look every half minute, less a fifth at most.
    let lists = bench.requests(LIST);
    assert!((20..=26).contains(&lists), "{lists}");
}

#[test]
fn retry_policy_of_bulk_options_is_used() {
    let mut bench = bench(1, faulty(1_000, vec![Fault::Http503; 1_000]));
    bench.options = BulkOptions::default().retry(Retry::never());
    bench.run(None).unwrap();
    assert_eq!(bench.requests(CREATE), 5);
}

#[test]
fn resume_of_fed_run_after_lost_responses() {
    let mut bench = bench(4, service(5_000));
    let options = BulkOptions::default();
    let bulk = Bulk::new(
        &bench.simulation.api,
        job_options(),
        options,
        Seed::new([1; 16]),
    )
    .unwrap();
    let mut run = Fed::new(bulk, bench.documents.clone(), |_: &Record| Ok(()));
    let start = bench.simulation.now;
    let (_, summary) = bench.simulation.run_with_losses(&mut run, &[7, 12].into());
    assert_eq!(summary.count(&DocumentStatus::Completed), 4);
    assert_eq!(bench.simulation.service.jobs.len(), 4);
    assert!(bench.simulation.now < start + 60_000);
    assert_eq!(bench.documents[2].name(), "dfl-2");
}

#[test]
fn poll_excludes_ended_jobs() {
    let mut bench = bench(400, service(5_000));
    let limiter = Limiter::unlimited().limit(RateClass::Create, 10, Duration::from_secs(1));
    bench.simulation.limiter = Some(Mutex::new(limiter));
    bench.run(None).unwrap();
    // Ten jobs are created each second for forty seconds, and end five seconds later: a hundred at the very most are
    // open at a time, which is one list for each round. All of them would be four.
    let lists = bench.requests(LIST);
    assert!((15..=30).contains(&lists), "{lists}");
}

#[test]
fn poll_failure_of_single_job_does_not_mark_it_missing() {
    let mut bench = bench(1, service(20_000));
    bench.simulation.service.hidden = ["clj-1".to_owned()].into();
    // The create, two rounds that do not show it, and then a look with all its retries, and rounds beside it.
    let faults = vec![Fault::None; 3].into_iter();
    bench.simulation.service.faults = faults.chain(vec![Fault::Http503; 14]).collect();
    let summary = bench.run(None).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Completed), 1, "{summary:?}");
    assert!(summary.error().is_none());
    assert!(bench.requests("GET /api/v2/classify/clj-1") > 3);
}

#[test]
fn cancel_verification_failure_leaves_job_open() {
    let mut bench = bench_of_ended();
    bench.documents.truncate(1);
    // The cancel is refused, and then nothing can be read.
    let refused = std::iter::once(Fault::None);
    bench.simulation.service.faults = refused.chain(vec![Fault::Http503; 6]).collect();
    let summary = bench.run_with(None, cancel_when_open(1)).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Open), 1, "{summary:?}");
    let why = bench.reports["dfl-0"][0].error.as_ref().unwrap();
    assert!(why.contains("503"), "{why}");
}

#[test]
fn poll_auth_error_of_single_job_stops_run() {
    let mut bench = bench(1, service(60_000));
    bench.simulation.service.hidden = ["clj-1".to_owned()].into();
    let options = BulkOptions::default();
    let bulk = Bulk::new(
        &bench.simulation.api,
        job_options(),
        options,
        Seed::new([1; 16]),
    )
    .unwrap();
    let mut run = Fed::new(bulk, bench.documents.clone(), |_: &Record| Ok(()));
    let mut events = Vec::new();
    let summary = loop {
        if let Some(summary) = bench.simulation.step(&mut run, &mut events) {
            break summary;
        }
        if bench.requests(LIST) == 2 {
            bench.simulation.service.has_refused = true;
            bench.simulation.service.unreadable_once_refused = true;
        }
    };
    assert!(summary.error().unwrap().is_auth());
    assert_eq!(
        (
            bench.requests(LIST),
            bench.requests("GET /api/v2/classify/clj-1")
        ),
        (2, 1)
    );
}

#[test]
fn poll_interval_grows_with_job_age() {
    let mut bench = bench(1, service(60_000));
    bench.run(None).unwrap();
    // Every two seconds at first, and later whenever the job is a sixth older.
    let lists = bench.requests(LIST);
    assert!((13..=22).contains(&lists), "{lists}");
}

#[test]
fn stop_does_not_wait_for_in_flight_polls() {
    let mut bench = bench(1, service(600_000));
    bench.simulation.latency = 100_000;
    let start = bench.simulation.now;
    let mut steps = 0;
    let summary = bench
        .run_with(None, |bulk, _| {
            steps += u32::from(bulk.in_flight().1 == 1);
            if steps == 3 {
                bulk.stop();
            }
        })
        .unwrap();
    assert_eq!(summary.count(&DocumentStatus::Open), 1);
    assert_eq!((bench.requests(CREATE), bench.requests(LIST)), (1, 1));
    assert!(
        bench.simulation.now < start + 110_000,
        "{:?}",
        bench.simulation.sent
    );
}

#[test]
fn rate_limit_slows_polling_while_documents_wait() {
    let mut bench = bench(60, service(1_000));
    let limiter = Limiter::unlimited().total(4, Duration::from_secs(60));
    bench.simulation.limiter = Some(Mutex::new(limiter));
    bench.run(None).unwrap();
    bench.assert_all_completed_by_id();
    let sent: Vec<_> = bench.simulation.sent.iter().collect();
    let last_create = sent.iter().rposition(|(_, request)| request == CREATE);
    let lists = sent[..last_create.unwrap()].iter();
    let lists = lists
        .filter(|(_, request)| request.starts_with(LIST))
        .count();
    // Creates take sixteen minutes; every list that is held back by a minute leaves them three.
    assert!(lists <= 6, "{lists} lists");
}

/// Nothing is left to creates that no longer exist.
#[test]
fn rate_limit_does_not_slow_polling_further_once_no_document_waits() {
    let mut bench = bench(250, service(1_800_000));
    let limiter = Limiter::unlimited().limit(RateClass::Other, 1, Duration::from_secs(60));
    bench.simulation.limiter = Some(Mutex::new(limiter));
    bench.run(None).unwrap();
    // The limit has room for 28 lists in thirty minutes; with pauses of five minutes there were 18.
    assert!(bench.requests(LIST) > 24, "{}", bench.requests(LIST));
}

#[test]
fn poll_interval_is_not_slowed_by_latency() {
    let mut bench = bench(1, service(600_000));
    bench.simulation.latency = 100_000;
    bench.run(None).unwrap();
    // A list takes a hundred seconds; the next comes twenty later.
    assert!(
        (5..=6).contains(&bench.requests(LIST)),
        "{}",
        bench.requests(LIST)
    );
}

/// No clock wakes anybody on the millisecond.
#[test]
fn bulk_run_completes_with_late_wakeups() {
    let mut bench = BulkHarness::new(0..20, faulty(5_000, vec![Fault::Http503; 12]));
    bench.simulation.oversleeps = 7;
    bench.options = BulkOptions::default().max_requests(3);
    bench.run(None).unwrap();
    bench.assert_all_completed();
}

/// The job may exist: the service may refuse a retry while it still processes the first request.
#[test]
fn ambiguous_create_is_not_failed_by_retry_error() {
    for status in [400, 404, 409, 422] {
        for refusals in [1, 100] {
            let mut bench = bench(2, service(5_000));
            bench.simulation.service.route_faults =
                [(CREATE, [Fault::LostAfterActing].into())].into();
            bench.simulation.service.refuses_repeats = vec![status; refusals].into();
            bench.options = BulkOptions::default().max_requests(1);
            let summary = bench.run(None).unwrap();
            assert_eq!(
                summary.count(&DocumentStatus::Error),
                0,
                "{status}: {summary:?}"
            );
            let unsure = usize::from(refusals > 1);
            assert_eq!(
                summary.count(&DocumentStatus::Ambiguous),
                unsure,
                "{status}"
            );
            assert!(bench.requests(CREATE) < 12);
            bench.simulation.service.refuses_repeats.clear();
            bench.options = BulkOptions::default();
            bench.retry_failed(true);
            bench.run(None).unwrap();
            bench.assert_all_completed_by_id();
            assert_eq!(bench.simulation.service.jobs.len(), 2);
        }
    }
}

/// The same, where the answer was lost with the process.
#[test]
fn ambiguous_create_before_crash_is_not_failed_by_retry_error() {
    let mut bench = bench(1, service(5_000));
    for step in 0.. {
        bench.run(Some(step));
        if bench.simulation.service.jobs.len() == 1 {
            break;
        }
    }
    bench.simulation.service.refuses_repeats = vec![409; 100].into();
    let summary = bench.run(None).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Ambiguous), 1, "{summary:?}");
    bench.simulation.service.refuses_repeats.clear();
    bench.options = BulkOptions::default();
    bench.retry_failed(true);
    bench.run(None).unwrap();
    bench.assert_all_completed_by_id();
    assert_eq!(bench.simulation.service.jobs.len(), 1);
}

/// Another process may be asking for the same at this moment.
#[test]
fn conflict_409_on_create_is_retried_later() {
    let mut bench = bench(1, service(5_000));
    bench.run(None).unwrap();
    bench.journal.clear();
    bench.simulation.service.refuses_repeats = [409].into();
    bench.run(None).unwrap();
    bench.assert_all_completed_by_id();
    let creates = bench
        .simulation
        .sent
        .iter()
        .filter(|(_, request)| request == CREATE);
    let times: Vec<_> = creates.map(|(time, _)| *time).collect();
    assert!(times[2] >= times[1] + 1_000, "{times:?}");
}

#[test]
fn ambiguous_create_stays_ambiguous_after_402() {
    let mut bench = bench(1, service(5_000));
    bench.simulation.service.route_faults = [(CREATE, [Fault::LostAfterActing].into())].into();
    bench.simulation.service.refuses_repeats = [402].into();
    let summary = bench.run(None).unwrap();
    assert!(summary.error().unwrap().is_quota());
    assert_eq!(summary.count(&DocumentStatus::Ambiguous), 1, "{summary:?}");
}

#[test]
fn upload_with_lost_responses_leaves_document_not_started() {
    let mut bench = BulkHarness::new([1], service(5_000));
    let lost = vec![Fault::LostAfterActing; 30];
    bench.simulation.service.route_faults = [(UPLOAD, lost.into())].into();
    let summary = bench.run(None).unwrap();
    assert_eq!(summary.count(&DocumentStatus::NotStarted), 1, "{summary:?}");
    assert_eq!(bench.requests(UPLOAD), 30);
}

#[test]
fn ambiguous_create_stays_ambiguous_when_file_is_uploaded_again() {
    let mut bench = BulkHarness::new([1], service(5_000));
    bench.simulation.service.deleted = ["clj-1".to_owned()].into();
    assert_eq!(bench.run(None).unwrap().count(&DocumentStatus::Missing), 1);
    // The next run begins with the file of the first, and the answer to its create is lost.
    bench.options = BulkOptions::default();
    bench.retry_failed(true);
    bench.simulation.service.route_faults = [(CREATE, [Fault::LostAfterActing].into())].into();
    bench.simulation.service.refuses_repeats = [404, 402].into();
    let summary = bench.run(None).unwrap();
    assert!(summary.error().unwrap().is_quota());
    assert_eq!((bench.requests(UPLOAD), bench.requests(CREATE)), (2, 4));
    assert_eq!(summary.count(&DocumentStatus::Ambiguous), 1, "{summary:?}");
}

/// A local error after a crash says nothing about a create that the earlier process may have sent: if it were final, a
/// later run with `retry_failed` would pay for a second job.
#[test]
fn ambiguous_create_is_not_failed_by_validation_error() {
    let mut bench = BulkHarness::new([1], service(1_000));
    bench.run(Some(0));
    let key = bench.documents[0].key();
    let header = {
        let mut whole = BulkHarness::new([1], service(1_000));
        whole.run(None).unwrap();
        let end = whole
            .journal
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap();
        whole.journal[..=end].to_vec()
    };
    bench.journal = header;
    for record in [
        format!(r#"{{"record":"planned","key":"{key}","name":"0.txt","attempt":0}}"#),
        // The service takes ids of at most 200 characters.
        format!(
            r#"{{"record":"uploaded","key":"{key}","file_id":"dfl-{}"}}"#,
            "a".repeat(300)
        ),
    ] {
        bench.journal.extend_from_slice(record.as_bytes());
        bench.journal.push(b'\n');
    }
    let summary = bench.run(None).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Ambiguous), 1, "{summary:?}");
    let journal = String::from_utf8(bench.journal.clone()).unwrap();
    assert!(!journal.contains("settled"), "{journal}");
}

/// A file that could not be read for a moment: the run says so, and the next one reads it again without `retry_failed`.
#[test]
fn content_error_is_not_settled_and_next_run_asks_again() {
    let mut bench = BulkHarness::new(0..3, service(1_000));
    bench.simulation.service.route_faults = [(UPLOAD, [Fault::Unreadable].into())].into();
    let summary = bench.run(None).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Error), 1, "{summary:?}");
    let (journal, _) = Journal::read(&bench.journal).unwrap();
    assert_eq!(journal.counts(), (3, 2));
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(bench.simulation.service.jobs.len(), 3);
}
