//! Bulk runs with arbitrary replies and delays, killed and resumed from their journal.

#![no_main]

#[path = "../../crates/classify-proto/tests/sim/fed.rs"]
mod fed;

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use classify_fuzz::driver::FuzzDriver;
use classify_fuzz::{CANARY, rules, seed};
use classify_proto::machine::{
    Bulk, BulkEvent, BulkOptions, FinishedDocument, HashedDocument, Journal, Record,
};
use classify_proto::v2::{JobOptions, Rerun};
use fed::Fed;
use libfuzzer_sys::fuzz_target;

const MAX_PROCESSES: usize = 4;

fuzz_target!(|data: &[u8]| {
    let mut driver = FuzzDriver::new(data);
    let count = driver.input.int_in_range(0..=8u8).unwrap_or(3);
    let documents: Vec<_> = (0..count)
        .map(
            |index| match driver.input.int_in_range(0..=5u8).unwrap_or(0) {
                kind @ 0..=3 => {
                    HashedDocument::bytes(format!("{index}.txt"), format!("canary {kind}"))
                }
                kind => HashedDocument::id(format!("dfl-{kind}")),
            },
        )
        .collect();
    let options = BulkOptions::default()
        .max_in_flight(driver.input.int_in_range(1..=9).unwrap_or(4))
        .max_requests(driver.input.int_in_range(1..=4).unwrap_or(2))
        .report_cache_size(driver.input.int_in_range(0..=9).unwrap_or(9));
    let mut job_options = JobOptions::from(rules());
    if driver.input.arbitrary().unwrap_or(false) {
        job_options = job_options.retry_failed();
    }
    let options = (job_options, options);
    let mut journal = Vec::new();
    if driver.input.ratio(1u8, 4u8).unwrap_or(false) {
        run_from_iterator(&mut driver, &documents, options, &mut journal);
        return;
    }
    let mut transactions = BTreeMap::new();
    for process in 1.. {
        let may_be_killed = process < MAX_PROCESSES;
        if run(
            &mut driver,
            &documents,
            &options,
            &mut journal,
            &mut transactions,
            may_be_killed,
        ) {
            break;
        }
        driver.drop_replies();
    }
});

/// Runs one process. Returns whether the run ended.
fn run(
    driver: &mut FuzzDriver<'_>,
    documents: &[HashedDocument],
    options: &(JobOptions, BulkOptions),
    journal: &mut Vec<u8>,
    transactions: &mut BTreeMap<String, BTreeSet<String>>,
    may_be_killed: bool,
) -> bool {
    let (contents, valid_length) = Journal::read(journal).expect("a valid journal");
    journal.truncate(valid_length);
    let mut bulk = Bulk::new(&driver.api, &options.0, options.1.clone(), seed())
        .expect("a good template")
        .with_journal(contents)
        .expect("the journal of this run");
    let mut source = documents.iter();
    let mut reported: BTreeMap<String, usize> = BTreeMap::new();
    loop {
        if may_be_killed && driver.random_ratio(1, 64) {
            return false;
        }
        match driver.input.int_in_range(0..=255u8).unwrap_or(255) {
            0 => bulk.stop(),
            1 => bulk.stop_and_cancel(),
            _ => {}
        }
        let mut events = Vec::new();
        let output = driver.step(&mut bulk, &mut |event| events.push(event));
        for event in events {
            match event {
                BulkEvent::NeedDocuments(requested) => {
                    assert!(requested > 0 && requested == bulk.capacity());
                    source
                        .by_ref()
                        .take(requested)
                        .for_each(|document| bulk.push(document.clone()));
                }
                BulkEvent::Record(record) => {
                    if let Record::Created {
                        key,
                        transaction_id,
                        ..
                    } = &record
                    {
                        transactions
                            .entry(key.to_string())
                            .or_default()
                            .insert(transaction_id.clone());
                    }
                    let line = record.to_line();
                    assert!(
                        !line.contains(CANARY),
                        "a document is in the journal: {line}"
                    );
                    journal.extend_from_slice(line.as_bytes());
                }
                BulkEvent::Finished(finished) => {
                    for name in finished.names {
                        *reported.entry(name).or_default() += 1;
                    }
                }
                _ => {}
            }
        }
        if let Some(summary) = output {
            let finished_count: usize = reported.values().sum();
            assert_eq!(finished_count, summary.documents() + summary.duplicates);
            let stopped = bulk.is_stopping();
            assert!(
                stopped || finished_count == documents.len(),
                "{finished_count} of {}",
                documents.len()
            );
            if options.0.rerun == Rerun::Never && !stopped {
                let ids = transactions.values().map(BTreeSet::len).max();
                assert!(
                    ids.is_none_or(|ids| ids <= 1 + MAX_PROCESSES),
                    "{transactions:?}"
                );
            }
            return true;
        }
    }
}

/// Processes whose documents come from an iterator and whose device may become full. Each resumes the journal of the
/// last.
fn run_from_iterator(
    driver: &mut FuzzDriver<'_>,
    documents: &[HashedDocument],
    options: (JobOptions, BulkOptions),
    journal: &mut Vec<u8>,
) {
    for _ in 0..MAX_PROCESSES {
        let (contents, valid_length) = Journal::read(journal).expect("a valid journal");
        journal.truncate(valid_length);
        let space = driver.input.int_in_range(0..=4_000usize).unwrap_or(4_000);
        let capacity = journal.len() + space;
        let mut is_full = false;
        let mut store = |record: &Record| {
            assert!(!is_full, "a record after one that is there in part");
            let line = record.to_line();
            let written = capacity.saturating_sub(journal.len()).min(line.len());
            journal.extend_from_slice(&line.as_bytes()[..written]);
            is_full = written < line.len();
            if is_full {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(())
        };
        let bulk = Bulk::new(&driver.api, &options.0, options.1.clone(), seed())
            .expect("a good template")
            .with_journal(contents)
            .expect("the journal of this run");
        let mut run = Fed::new(bulk, documents.iter().cloned(), &mut store);
        let mut finished_count = 0;
        let summary = loop {
            let mut count =
                |document: Box<FinishedDocument>| finished_count += document.names.len();
            if let Some(summary) = driver.step(&mut run, &mut count) {
                break summary;
            }
        };
        let remaining = run.into_rest().count();
        assert_eq!(finished_count, summary.documents() + summary.duplicates);
        assert_eq!(finished_count + remaining, documents.len());
        assert!(summary.error().is_some() || remaining == 0);
        assert!(summary.error().is_some() || !is_full);
        driver.drop_replies();
    }
}
