//! A pool: documents of many callers, classified by one run.

use classify_client::{Document, Finished};
use classify_emulator::{Config, Fault, FaultSchedule, Route, Script};
use classify_proto::machine::{DocumentStatus, ErrorScope};
use classify_proto::v2::JobOptions;

use crate::driver::Driver;
use crate::test_bench::{TestBench, rules};

fn document(number: usize) -> Document {
    let text = format!("Invoice {number}, total amount {number}.00");
    Document::bytes(format!("{number}.txt"), text)
}

fn classified(items: &[Finished]) -> usize {
    items.iter().filter(|item| item.outcome().is_ok()).count()
}

/// Every caller gets the result of its own document, also if some have the same content and one request in five fails.
pub fn pool_answers_every_caller_with_its_document<D: Driver>() {
    let schedule = FaultSchedule::new().with(Fault::ResetAfter.every(5));
    let bench = TestBench::<D>::new(
        Config::default()
            .faults(schedule)
            .script(Script::content("Invoice 3,").fails("BROKEN")),
    );
    let mut documents: Vec<_> = (0..20).map(document).collect();
    documents.extend((0..5).map(|number| document(number).named(format!("copy of {number}"))));
    documents.push(Document::bytes("empty.txt", ""));
    let names: Vec<_> = documents.iter().map(|one| one.name().to_owned()).collect();
    let rounds = bench.driver.pool(rules().into(), vec![documents]);
    let items = &rounds[0];
    let found: Vec<_> = items.iter().map(|item| item.name().to_owned()).collect();
    assert_eq!(found, names);
    assert_eq!(classified(items), 23);
    for (item, status) in [
        (&items[3], DocumentStatus::Failed),
        (&items[23], DocumentStatus::Failed),
        (&items[25], DocumentStatus::Error),
    ] {
        let error = item.outcome().unwrap_err();
        assert_eq!(*error.status(), status, "{error}");
        assert_eq!(error.scope(), ErrorScope::Document, "{error}");
    }
    assert_eq!(bench.emulator.job_count(), 20);
    // Open jobs are polled together, and individually only if they are missing from the list.
    let reads = bench.emulator.count(Route::ClassifyGet);
    assert!(reads < 20, "{reads}");
    assert!(bench.emulator.count(Route::ClassifyList) > 0);
}

/// An error that concerns every document is returned to all callers. The next call tries again.
pub fn pool_error_of_every_document_answers_all_and_next_call_starts_anew<D: Driver>() {
    let schedule = FaultSchedule::new().with(Fault::Unauthorized.nth(1));
    let bench = TestBench::<D>::new(Config::default().faults(schedule));
    let documents = |numbers: std::ops::Range<usize>| numbers.map(document).collect::<Vec<_>>();
    let rounds = bench
        .driver
        .pool(rules().into(), vec![documents(0..1), documents(0..8)]);
    let error = rounds[0][0].outcome().unwrap_err();
    assert_eq!(error.scope(), ErrorScope::Run, "{error}");
    assert!(error.to_string().contains("401"), "{error}");
    assert_eq!(classified(&rounds[1]), 8);
    assert_eq!(bench.emulator.job_count(), 8);
}

/// The error that stops a run is the error of each of its documents, because a pool has no summary.
pub fn pool_error_of_missing_configuration_reaches_every_caller<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    let options = JobOptions::from_configuration_id("cfg-none");
    let rounds = bench
        .driver
        .pool(options, vec![(0..4).map(document).collect()]);
    for item in &rounds[0] {
        let error = item.outcome().unwrap_err();
        assert!(error.to_string().contains("404"), "{error}");
        assert_eq!(error.scope(), ErrorScope::Run, "{error}");
    }
    assert_eq!(bench.emulator.file_count(), 0);
}

/// A failure is not cached, so the next call tries again. A result is cached.
pub fn pool_forgets_failures_and_keeps_results<D: Driver>() {
    let schedule = FaultSchedule::new().with(Fault::Conflict.nth(1).on(Route::FileCreate));
    let bench = TestBench::<D>::new(Config::default().faults(schedule));
    let one = || vec![document(1)];
    let rounds = bench
        .driver
        .pool(rules().into(), vec![one(), one(), one(), one()]);
    assert!(rounds[0][0].outcome().is_err());
    for round in &rounds[1..] {
        assert_eq!(classified(round), 1);
    }
    assert_eq!(bench.emulator.job_count(), 1);
    assert_eq!(bench.emulator.count(Route::ClassifyCreate), 1);
}

/// A pool, `classify` and a bulk run share jobs.
pub fn pool_and_classify_share_jobs<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    let job = bench
        .driver
        .classify(document(1), rules().into())
        .expect("a job");
    let rounds = bench.driver.pool(rules().into(), vec![vec![document(1)]]);
    assert_eq!(rounds[0][0].report().job_id, Some(job.id));
    assert_eq!(bench.emulator.job_count(), 1);
    let rounds = bench.driver.pool(
        JobOptions::from(rules()).fresh(),
        vec![vec![document(1), document(1)]],
    );
    assert_eq!(classified(&rounds[0]), 2);
    assert_eq!(bench.emulator.job_count(), 2);
}
