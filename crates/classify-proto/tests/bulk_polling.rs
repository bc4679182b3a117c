//! How a bulk run looks at its open jobs, and what it does while the service is not well.

mod sim;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use classify_proto::machine::{BulkOptions, DocumentStatus, HashedDocument, Limiter};
use sim::bulk_harness::{BulkHarness, CREATE, LIST, UPLOAD, faulty, service};
use sim::{Fault, Service};

fn bench(count: usize, duration: u64) -> BulkHarness {
    let mut bench = BulkHarness::new([], service(duration));
    bench.documents = (0..count)
        .map(|n| HashedDocument::id(format!("dfl-{n}")))
        .collect();
    bench
}

fn poll_count(bench: &BulkHarness) -> usize {
    let sent = bench.simulation.sent.iter();
    sent.filter(|(_, request)| request.starts_with("GET /api/v2/classify/clj-"))
        .count()
}

/// Creates and lists are two things: that the one goes well says nothing of the other.
#[test]
fn retry_after_on_creates_is_honored_while_polling_succeeds() {
    let mut bench = bench(20, 700_000);
    let start = bench.simulation.now;
    bench.simulation.service.busy = Some((1, start + 600_000));
    bench.options = BulkOptions::default().max_requests(3);
    bench.run(None).unwrap();
    bench.assert_all_completed_by_id();
    let creates = bench
        .simulation
        .sent
        .iter()
        .filter(|(_, request)| request == CREATE);
    let early: Vec<_> = creates
        .map(|(time, _)| time - start)
        .filter(|time| (1_000..600_000).contains(time))
        .collect();
    assert!(early.is_empty(), "{early:?}");
    assert!(bench.requests(LIST) > 10);
}

#[test]
fn poll_matches_job_ids_with_and_without_prefix() {
    let mut bench = bench(5, 20_000);
    bench.simulation.service.bare_in_lists = true;
    bench.simulation.service.bare_in_gets = true;
    bench.run(None).unwrap();
    bench.assert_all_completed_by_id();
    assert_eq!(poll_count(&bench), 0);
    bench.journal.clear();
    bench.simulation.service.jobs.clear();
    bench.simulation.service.by_transaction.clear();
    bench.simulation.service.hidden = ["clj-2".to_owned()].into();
    bench.run(None).unwrap();
    bench.assert_all_completed_by_id();
    assert!(
        (1..=8).contains(&poll_count(&bench)),
        "{}",
        poll_count(&bench)
    );
    // The report contains the job id of the response to the create.
    let reports = bench.reports.values().map(|reports| &reports[0]);
    let ids: BTreeSet<_> = reports.filter_map(|report| report.job_id.clone()).collect();
    assert_eq!(ids, (1..6).map(|n| format!("clj-{n}")).collect());
}

#[test]
fn poll_list_error_414_or_422_falls_back_to_single_gets() {
    for status in [414, 422] {
        let mut bench = bench(150, 20_000);
        let start = bench.simulation.now;
        bench.simulation.service.refuses_lists_of = Some(("clj-1".to_owned(), status));
        bench.run(None).unwrap();
        bench.assert_all_completed_by_id();
        assert!(bench.simulation.now < start + 60_000);
        // Jobs that are missing from the lists are polled individually.
        assert!(
            (100..=600).contains(&poll_count(&bench)),
            "{}",
            poll_count(&bench)
        );
    }
}

#[test]
fn poll_list_error_500_does_not_block_other_batches() {
    let mut bench = bench(150, 20_000);
    let start = bench.simulation.now;
    bench.simulation.service.refuses_lists_of = Some(("clj-1".to_owned(), 500));
    bench.options =
        BulkOptions::default().deadline(classify_proto::Time::from_millis(start + 120_000));
    let summary = bench.run(None).unwrap();
    assert!(
        summary.count(&DocumentStatus::Completed) >= 50,
        "{summary:?}"
    );
    assert_eq!(poll_count(&bench), 0);
}

#[test]
fn poll_list_timeout_or_retry_adds_only_its_own_duration() {
    let mut bench = bench(1, 5_000);
    let start = bench.simulation.now;
    let silence = [Fault::Silence];
    bench.simulation.service.route_faults = [(LIST, silence.into())].into();
    bench.run(None).unwrap();
    bench.assert_all_completed_by_id();
    // A call is given a quarter of an hour.
    let late = bench.simulation.now - start - 15 * 60_000;
    assert!(late < 60_000, "{late} ms");

    // And so does one that is answered when it is asked again.
    let mut bench = self::bench(1, 320_000);
    let start = bench.simulation.now;
    bench.simulation.latency = 60_000;
    bench.simulation.service.route_faults =
        [(LIST, vec![Fault::LostBeforeActing; 4].into())].into();
    bench.run(None).unwrap();
    bench.assert_all_completed_by_id();
    let took = bench.simulation.now - start;
    assert!(took < 320_000 + 60_000 + 120_000, "{took} ms");
}

#[test]
fn poll_batches_1000_jobs_into_few_list_requests() {
    let mut bench = BulkHarness::new([], service(60_000));
    bench.documents = (0..1_000)
        .map(|n| HashedDocument::id(format!("dfl-{n}")))
        .collect();
    bench.options = BulkOptions::default().max_in_flight(1_000);
    bench.simulation.limiter = Some(Mutex::new(Limiter::paid()));
    bench.run(None).unwrap();
    assert_eq!(bench.requests(CREATE), 1_000);
    assert!(bench.requests(LIST) <= 150, "{}", bench.requests(LIST));
    assert_eq!(
        bench.simulation.sent.len(),
        bench.requests(CREATE) + bench.requests(LIST)
    );
    // And with every one of them uploaded first, at ten a second.
    let mut bench = BulkHarness::new(0..1_000, service(60_000));
    bench.options = BulkOptions::default().max_in_flight(1_000);
    bench.simulation.limiter = Some(Mutex::new(Limiter::paid()));
    bench.run(None).unwrap();
    assert_eq!(
        (bench.requests(UPLOAD), bench.requests(CREATE)),
        (1_000, 1_000)
    );
    assert!(bench.requests(LIST) <= 150, "{}", bench.requests(LIST));
}

#[test]
fn rate_limit_free_tier_run_of_1000_jobs_completes() {
    let mut bench = BulkHarness::new([], service(60_000));
    bench.documents = (0..1_000)
        .map(|n| HashedDocument::id(format!("dfl-{n}")))
        .collect();
    bench.options = BulkOptions::default().max_in_flight(1_000);
    bench.simulation.limiter = Some(Mutex::new(Limiter::free_tier()));
    bench.run(None).unwrap();
    bench.assert_all_completed_by_id();
    for (place, (start, _)) in bench.simulation.sent.iter().enumerate() {
        let inside = bench.simulation.sent[place..]
            .iter()
            .take_while(|(time, _)| *time < start + 60_000)
            .count();
        assert!(inside <= 20);
    }
    // Of the few requests there are, nearly all go into buying.
    assert!(
        bench.requests(LIST) <= 100,
        "{} lists",
        bench.requests(LIST)
    );
}

/// 15 uploads, 15 creates and two lists: the second window of the limit has room for all of them.
#[test]
fn rate_limit_free_tier_run_of_15_documents_ends_in_second_window() {
    for documents in [15, 17] {
        let mut bench = BulkHarness::new(0..documents, service(10));
        bench.simulation.limiter = Some(Mutex::new(Limiter::free_tier()));
        let start = bench.simulation.now;
        bench.run(None).unwrap();
        bench.assert_all_completed();
        let took = bench.simulation.now - start;
        assert!(took < 70_000, "{documents} documents: {took} ms");
    }
}

/// A poll that left the limit to creates does not go on waiting once no document does.
#[test]
fn rate_limit_is_left_to_creates_only_while_documents_wait() {
    for documents in 20..50 {
        let mut bench = BulkHarness::new(0..documents, service(10));
        bench.simulation.limiter = Some(Mutex::new(Limiter::free_tier()));
        bench.run(None).unwrap();
        bench.assert_all_completed();
        let mut sent = bench.simulation.sent.iter();
        let last_create = sent.rfind(|(_, request)| request == CREATE);
        let after = bench.simulation.now - last_create.unwrap().0;
        assert!(
            after < 70_000,
            "{documents} documents: {after} ms after the last create"
        );
    }
}

#[test]
fn pagination_of_polls_follows_smaller_pages() {
    let mut bench = BulkHarness::new(
        0..150,
        Service {
            page_size: 7,
            ..service(30_000)
        },
    );
    bench.run(None).unwrap();
    bench.assert_all_completed();
}

#[test]
fn poll_gets_unlisted_job_and_reports_deleted_one_missing() {
    let mut bench = BulkHarness::new(0..3, service(20_000));
    bench.simulation.service.hidden = ["clj-1".to_owned()].into();
    bench.simulation.service.deleted = ["clj-2".to_owned()].into();
    let summary = bench.run(None).unwrap();
    assert_eq!(
        (
            summary.count(&DocumentStatus::Completed),
            summary.count(&DocumentStatus::Missing)
        ),
        (2, 1)
    );
    assert!(bench.requests("GET /api/v2/classify/clj-1") >= 1);
    // Two rounds may miss it, by chance or because the list is behind.
    let before = bench
        .simulation
        .sent
        .iter()
        .take_while(|(_, request)| request != "GET /api/v2/classify/clj-1");
    assert_eq!(before.filter(|(_, request)| request == LIST).count(), 2);
    assert_eq!(bench.requests("GET /api/v2/classify/clj-2"), 1);
    assert_eq!(bench.requests("GET /api/v2/classify/clj-3"), 0);
}

#[test]
fn timeout_of_never_ending_jobs_reports_them_open() {
    let mut bench = BulkHarness::new(0..3, service(u64::MAX / 4));
    bench.options = BulkOptions::default().job_timeout(Duration::from_secs(600));
    let summary = bench.run(None).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Open), 3);
    assert!(bench.reports["0.txt"][0].job_id.is_some());
}

#[test]
fn circuit_breaker_opens_on_503s_and_no_document_is_lost() {
    let mut bench = BulkHarness::new(0..30, faulty(1_000, vec![Fault::Http503; 150]));
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert!(
        bench
            .notices
            .iter()
            .any(|notice| notice.contains("the service fails")),
        "{:?}",
        bench.notices
    );
}
