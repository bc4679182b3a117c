//! The caller's control of a bulk run: input, stop, resume and events.

mod sim;

use std::sync::Mutex;
use std::time::Duration;

use classify_proto::machine::{
    Bulk, BulkEvent, BulkOptions, DocumentStatus, HashedDocument, Journal, Limiter, Machine as _,
    PollInterval, Retry,
};
use classify_proto::{RateClass, Seed, Time};
use sim::Fault;
use sim::bulk_harness::{BulkHarness, CREATE, UPLOAD, faulty, job_options, service};

#[test]
fn duplicates_are_counted_in_flight_and_after() {
    let mut bench = BulkHarness::new([1, 1], service(3_000));
    assert_eq!(bench.run(None).unwrap().duplicates, 1);
    let mut bench = BulkHarness::new([1, 1, 2, 1], service(3_000));
    bench.options = BulkOptions::default().max_in_flight(1);
    assert_eq!(bench.run(None).unwrap().duplicates, 2);
}

#[test]
fn need_documents_is_requested_in_batches() {
    // Two documents are begun each second, and so about two end each second.
    let mut bench = BulkHarness::new([], service(5_000));
    bench.documents = (0..100)
        .map(|n| HashedDocument::id(format!("dfl-{n}")))
        .collect();
    bench.options = BulkOptions::default().max_in_flight(16);
    let limiter = Limiter::unlimited().limit(RateClass::Create, 2, Duration::from_secs(1));
    bench.simulation.limiter = Some(Mutex::new(limiter));
    bench.run(None).unwrap();
    // An eighth of sixteen each time, and not only when half of them are gone.
    assert!(
        (20..=50).contains(&bench.document_requests),
        "{} times",
        bench.document_requests
    );
}

#[test]
fn rate_limit_on_uploads_does_not_delay_creates() {
    let mut bench = BulkHarness::new(0..3, service(1_000));
    bench
        .documents
        .extend((0..5).map(|n| HashedDocument::id(format!("dfl-held{n}"))));
    // Room for the uploads alone, so that the others come when the second upload has begun to wait.
    bench.options = BulkOptions::default().max_requests(1).max_in_flight(3);
    let limiter = Limiter::unlimited().limit(RateClass::Upload, 1, Duration::from_secs(60));
    bench.simulation.limiter = Some(Mutex::new(limiter));
    bench.run(None).unwrap();
    let of = |what: &str| {
        let sent = bench.simulation.sent.iter().enumerate();
        sent.filter(|(_, (_, request))| request == what)
            .map(|(place, _)| place)
            .collect::<Vec<_>>()
    };
    let (uploads, creates) = (of(UPLOAD), of(CREATE));
    assert_eq!((uploads.len(), creates.len()), (3, 8));
    assert!(creates[5] < uploads[1], "{uploads:?} {creates:?}");
}

#[test]
fn upload_and_create_of_one_document_precede_the_next() {
    let mut bench = BulkHarness::new(0..4, service(1_000));
    bench.options = BulkOptions::default().max_requests(1);
    bench.run(None).unwrap();
    let posts: Vec<_> = bench
        .simulation
        .sent
        .iter()
        .filter(|(_, request)| request.starts_with("POST"))
        .map(|(_, request)| request.as_str())
        .collect();
    assert_eq!(posts, [UPLOAD, CREATE].repeat(4));
}

#[test]
fn stop_is_reported_and_does_not_undo_cancel() {
    let mut bench = BulkHarness::new(0..6, service(60_000));
    let mut observed = Vec::new();
    let summary = bench
        .run_with(None, |bulk, _| {
            if observed.is_empty() {
                assert!(!bulk.is_stopping());
            }
            if bulk.in_flight().1 == 6 && observed.is_empty() {
                bulk.stop_and_cancel();
                bulk.stop();
                observed.push(bulk.is_stopping());
            }
        })
        .unwrap();
    assert_eq!(observed, [true]);
    assert_eq!(summary.count(&DocumentStatus::Cancelled), 6);
}

#[test]
fn stop_during_create_backoff_reports_ambiguous_or_not_started() {
    for (fault, status, jobs) in [
        (Fault::LostAfterActing, DocumentStatus::Ambiguous, 1),
        (Fault::NoConnection, DocumentStatus::NotStarted, 0),
    ] {
        let mut bench = BulkHarness::new([], faulty(60_000, [fault]));
        bench.documents = vec![HashedDocument::id("dfl-1")];
        // The create is backing off, and no request is in flight.
        let mut polls = 0;
        let summary = bench.run_with(None, |bulk, _| {
            polls += 1;
            if polls == 7 {
                bulk.stop();
            }
        });
        let summary = summary.unwrap();
        assert_eq!(bench.requests(CREATE), 1);
        assert_eq!(summary.count(&status), 1, "{summary:?}");
        assert_eq!(bench.simulation.service.jobs.len(), jobs);
        bench.run(None).unwrap();
        assert_eq!(bench.simulation.service.jobs.len(), 1);
    }
}

#[test]
fn resume_after_lost_responses_in_same_process() {
    let mut bench = BulkHarness::new(0..8, service(20_000));
    let options = BulkOptions::default().max_requests(3);
    let mut bulk = Bulk::new(
        &bench.simulation.api,
        job_options(),
        options,
        Seed::new([1; 16]),
    )
    .unwrap();
    let (mut source, mut events, mut settled) = (bench.documents.clone().into_iter(), vec![], 0);
    let start = bench.simulation.now;
    for step in 0.. {
        // The network interface went away, and with it whatever was out.
        if step % 37 == 36 && step < 400 {
            bench.simulation.crash();
            bulk.resume();
        }
        if bench.simulation.step(&mut bulk, &mut events).is_some() {
            break;
        }
        for event in events.drain(..) {
            match event {
                BulkEvent::NeedDocuments(capacity) => source
                    .by_ref()
                    .take(capacity)
                    .for_each(|document| bulk.push(document)),
                BulkEvent::Finished(document) => {
                    assert_eq!(document.report.status, DocumentStatus::Completed);
                    settled += 1;
                }
                _ => {}
            }
        }
    }
    assert_eq!((settled, bench.simulation.service.jobs.len()), (8, 8));
    // Nobody waited for a reply that could not come.
    assert!(bench.simulation.now < start + 120_000);
}

/// A process that was killed after its create says nothing of it in its journal.
#[test]
fn resume_reports_unrecorded_create_as_ambiguous() {
    let mut bench = BulkHarness::new([], service(60_000));
    bench.documents = vec![HashedDocument::id("dfl-1")];
    for step in 0.. {
        bench.run(Some(step));
        if bench.simulation.service.jobs.len() == 1 {
            break;
        }
        bench.journal.clear();
    }
    // The next process may not do anything any more.
    bench.simulation.service.refuses = Some(401);
    bench.simulation.service.by_transaction.clear();
    let summary = bench.run(None).unwrap();
    assert!(summary.error().unwrap().is_auth());
    assert_eq!(summary.count(&DocumentStatus::Ambiguous), 1, "{summary:?}");
}

#[test]
fn stop_during_upload_backoff_ends_at_once() {
    let mut bench = BulkHarness::new(0..1, faulty(60_000, [Fault::LostBeforeActing]));
    let start = bench.simulation.now;
    let mut polls = 0;
    let summary = bench.run_with(None, |bulk, _| {
        polls += 1;
        if polls == 7 {
            bulk.stop();
        }
    });
    assert_eq!(summary.unwrap().count(&DocumentStatus::NotStarted), 1);
    assert_eq!(bench.requests(UPLOAD), 1);
    assert_eq!(
        bench.simulation.now,
        start + 40,
        "the stop waited for the end of the backoff"
    );
}

#[test]
fn journal_header_precedes_documents_pushed_early() {
    let bench = BulkHarness::new(0..2, service(1_000));
    let options = BulkOptions::default();
    let bulk = Bulk::new(
        &bench.simulation.api,
        job_options(),
        options,
        Seed::new([1; 16]),
    )
    .unwrap();
    let (mut bench, mut bulk, mut events) = (bench, bulk, Vec::new());
    bulk.push(bench.documents[0].clone());
    while bench.simulation.step(&mut bulk, &mut events).is_none() {}
    let records = events.iter().filter_map(|event| match event {
        BulkEvent::Record(record) => Some(record.to_line()),
        _ => None,
    });
    let (journal, _) = Journal::read(records.collect::<String>().as_bytes()).unwrap();
    assert_eq!(journal.counts(), (1, 1));
}

#[test]
fn duplicates_in_flight_count_toward_max_in_flight() {
    let mut bench = BulkHarness::new(vec![1; 1_000], service(20_000));
    bench.options = BulkOptions::default().max_in_flight(10);
    assert_eq!(bench.run(None).unwrap().duplicates, 999);
    assert!(bench.most_names <= 10, "{}", bench.most_names);
    bench.assert_all_completed();
    assert_eq!(bench.simulation.service.jobs.len(), 1);
}

#[test]
fn bulk_options_with_extreme_values_do_not_hang() {
    type Odd = fn(&mut BulkOptions);
    let long = Duration::MAX;
    let table: &[(&str, Odd)] = &[
        ("no documents at once", |o| o.max_in_flight = 0),
        ("all documents at once", |o| o.max_in_flight = usize::MAX),
        ("no requests at once", |o| o.max_requests = 0),
        ("all requests at once", |o| o.max_requests = usize::MAX),
        ("first longer than longest", |o| {
            o.poll_interval.initial = Duration::from_secs(100);
            o.poll_interval.max = Duration::from_secs(1);
        }),
        ("no poll_interval", |o| {
            o.poll_interval.initial = Duration::ZERO;
            o.poll_interval.max = Duration::ZERO;
        }),
        ("an endless poll_interval", |o| {
            o.poll_interval = PollInterval::new(Duration::MAX, Duration::MAX);
        }),
        ("an endless poll_interval, set", |o| {
            o.poll_interval.initial = Duration::MAX;
            o.poll_interval.max = Duration::MAX;
        }),
        ("an endless backoff", |o| {
            o.retry = Retry::default().backoff(Duration::MAX, Duration::MAX);
        }),
        ("no backoff", |o| {
            o.retry = Retry::default().backoff(Duration::ZERO, Duration::ZERO);
        }),
        ("retries without end", |o| o.retry.max_retries = u32::MAX),
        ("no time for a call", |o| {
            o.retry.total_timeout = Some(Duration::ZERO);
        }),
        ("no patience", |o| o.job_timeout = Duration::ZERO),
        ("all patience", |o| o.job_timeout = Duration::MAX),
        ("a deadline in the past", |o| {
            o.deadline = Some(Time::from_millis(0));
        }),
        ("no deadline ever", |o| {
            o.deadline = Some(Time::from_millis(u64::MAX));
        }),
        ("no memory", |o| o.report_cache_size = 0),
        ("all memory", |o| o.report_cache_size = usize::MAX),
    ];
    for (what, odd) in table {
        let mut bench = BulkHarness::new(
            [1, 2, 1, 3],
            faulty(30_000, [Fault::Http503, Fault::None, Fault::Http503]),
        );
        odd(&mut bench.options);
        let start = bench.simulation.now;
        let summary = bench.run(None).unwrap();
        assert!(
            summary.documents() <= 4 && bench.reports.len() <= 4,
            "{what}"
        );
        assert!(
            bench.simulation.now - start < 8 * 24 * 3_600_000,
            "{what}: {} ms",
            bench.simulation.now - start
        );
    }
    assert!(PollInterval::new(long, long).initial < long);
}
