//! Many concurrent documents.

use std::collections::{BTreeMap, BTreeSet};

use classify_client::Document;
use classify_emulator::{Config, Fault, FaultSchedule, Route, Script};
use classify_proto::machine::{Concurrent, ConcurrentEvent, DocumentStatus, HashedDocument};
use classify_proto::v2::JobStatus;

use crate::driver::{BulkSettings, Driver, Settings};
use crate::test_bench::{TestBench, rules};

/// The number of documents of the long run.
const DOCUMENTS: usize = 1_000;

fn document(number: usize) -> HashedDocument {
    let text = format!("Invoice {number}, total amount {number}.00");
    HashedDocument::bytes(format!("{number}.txt"), text)
}

/// Twenty documents and a fault in every fifth request: twenty jobs, each with a result.
pub fn concurrent_uploads_with_faults_create_one_job_per_document<D: Driver>() {
    let settings = Settings {
        // With concurrent calls, the retries of one call may be every fifth request.
        retry: Settings::default().retry.max_retries(20),
        ..Settings::default()
    };
    for fault in [Fault::ResetAfter, Fault::Unavailable, Fault::BodyCut] {
        let schedule = FaultSchedule::new().with(fault.every(5));
        let bench = TestBench::<D>::with_settings(Config::default().faults(schedule), settings);
        let runs =
            (0..20).map(|number| bench.driver.document_run(document(number), rules().into()));
        let mut done = BTreeSet::new();
        bench.driver.drive(Concurrent::new(runs, 8), |event| {
            if let ConcurrentEvent::Finished(index, result) = event {
                let job = result.unwrap_or_else(|error| panic!("{}: {error}", fault.name()));
                assert_eq!(job.status, JobStatus::Completed);
                assert!(done.insert((index, job.id)));
            }
        });
        let indexes: Vec<usize> = done.iter().map(|(index, _)| *index).collect();
        assert_eq!(indexes, (0..20).collect::<Vec<_>>(), "{}", fault.name());
        let ids: BTreeSet<_> = done.iter().map(|(_, id)| id).collect();
        assert_eq!(ids.len(), 20);
        assert_eq!(bench.emulator.job_count(), 20, "{}", fault.name());
    }
}

/// An unreadable document and a missing one among valid documents.
pub fn concurrent_runs_continue_after_one_document_fails<D: Driver>() {
    let bench =
        TestBench::<D>::new(Config::default().script(Script::file("3.txt").fails("PDF_IS_BROKEN")));
    let runs = (0..6).map(|number| {
        let document = if number == 4 {
            let key = document(4).key();
            HashedDocument::path("4.txt", "/no/such/4.txt", key).expect("a path to a file")
        } else {
            document(number)
        };
        bench.driver.document_run(document, rules().into())
    });
    let mut failed = Vec::new();
    let mut matched = 0;
    bench.driver.drive(Concurrent::new(runs, 3), |event| {
        if let ConcurrentEvent::Finished(index, result) = event {
            match result {
                Ok(_) => matched += 1,
                Err(error) => failed.push((index, error.is_job_failed())),
            }
        }
    });
    failed.sort_unstable();
    assert_eq!(failed, [(3, true), (4, false)]);
    assert_eq!(matched, 4);
    assert_eq!(bench.emulator.job_count(), 5);
}

/// A thousand documents, and one request in ten fails with one of six random faults: a thousand jobs, each paid for
/// once, and a thousand outcomes, each reported once.
pub fn bulk_with_faults_creates_one_job_per_document_and_resumes_from_journal<D: Driver>() {
    let faults = [
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::Unavailable,
        Fault::ServerErrorAfter,
        Fault::BodyCut,
        Fault::RateLimitedMillis,
    ];
    let schedule = faults
        .into_iter()
        .fold(FaultSchedule::new().seed(1), |schedule, fault| {
            schedule.with(fault.chance(0.1 / 6.0))
        });
    let bench = TestBench::<D>::new(Config::default().faults(schedule));
    let folder = tempfile::tempdir().expect("a folder");
    let documents = || {
        let text = |number| format!("Invoice {number}, total {number}.00");
        let document = |number| Document::bytes(format!("{number}.txt"), text(number));
        (0..DOCUMENTS).map(document).collect::<Vec<_>>()
    };
    let settings = || BulkSettings::new(rules()).journal(folder.path().join("run.journal"));
    let mut outcomes: BTreeMap<String, DocumentStatus> = BTreeMap::new();
    let mut completed = 0;
    let ended = bench.driver.bulk(
        settings(),
        documents(),
        &mut |finished| {
            let name = finished.name().to_owned();
            let previous = outcomes.insert(name, finished.report().status.clone());
            assert!(previous.is_none(), "{} came twice", finished.name());
            false
        },
        &mut |summary| {
            assert!(summary.is_complete(), "{summary:?}");
            completed = summary.count(&DocumentStatus::Completed);
        },
    );
    ended.expect("a run");
    assert_eq!(completed, DOCUMENTS);
    assert_eq!(outcomes.len(), DOCUMENTS);
    assert_eq!(bench.emulator.job_count(), DOCUMENTS);
    let faulted = bench
        .emulator
        .requests()
        .iter()
        .filter(|request| request.fault.is_some())
        .count();
    assert!(faulted > DOCUMENTS / 10, "only {faulted} requests failed");
    // Jobs are polled together: fewer polls than jobs.
    assert!(bench.emulator.count(Route::ClassifyList) < DOCUMENTS as u64);

    // Another process with the journal: everything is reported again and no request is sent.
    let before = bench.emulator.request_count();
    let mut restored = 0;
    let ended = bench
        .driver
        .bulk(settings(), documents(), &mut |_| false, &mut |summary| {
            restored = summary.restored;
        });
    ended.expect("a run");
    assert_eq!(
        (restored, bench.emulator.request_count()),
        (DOCUMENTS, before)
    );
}
