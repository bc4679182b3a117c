//! Bulk runs against the simulated service, with arbitrary faults, killed at any step and resumed.

#![no_main]

#[path = "../../crates/classify-proto/tests/sim/mod.rs"]
mod sim;

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::{Arbitrary, Unstructured};
use classify_fuzz::rules;
use classify_proto::Seed;
use classify_proto::machine::{
    Bulk, BulkEvent, BulkOptions, DocumentStatus, HashedDocument, Journal,
};
use libfuzzer_sys::fuzz_target;
use sim::{FAULTS, Service, Simulation};

#[derive(Debug, Arbitrary)]
struct Input {
    contents: Vec<u8>,
    in_flight: u8,
    requests: u8,
    report_cache_size: u8,
    page_size: u8,
    duration: u16,
    kills: Vec<u8>,
    faults: Vec<u8>,
}

fuzz_target!(|data: &[u8]| {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let documents: Vec<_> = input
        .contents
        .iter()
        .take(24)
        .enumerate()
        .map(|(name, content)| {
            HashedDocument::bytes(format!("{name}.txt"), format!("document {}", content % 16))
        })
        .collect();
    let distinct: BTreeSet<_> = documents.iter().map(HashedDocument::key).collect();
    let options = BulkOptions::default()
        .max_in_flight(usize::from(input.in_flight % 16) + 1)
        .max_requests(usize::from(input.requests % 8) + 1)
        .report_cache_size(usize::from(input.report_cache_size));
    let faults = input.faults.iter().take(100);
    let mut simulation = Simulation::new(Service {
        duration: u64::from(input.duration),
        page_size: usize::from(input.page_size % 8) + 1,
        faults: faults
            .map(|byte| FAULTS[usize::from(*byte) % FAULTS.len()])
            .collect(),
        ..Service::default()
    });
    let mut journal = Vec::new();
    for (process, kill) in input.kills.iter().take(4).enumerate() {
        let seed = Seed::new([u8::try_from(process).expect("four"); 16]);
        run(
            &mut simulation,
            &documents,
            &options,
            seed,
            &mut journal,
            Some(u32::from(*kill)),
        );
    }
    // The service has no more faults: this process must finish every document and pay for none twice.
    simulation.service.faults.clear();
    let reports = run(
        &mut simulation,
        &documents,
        &options,
        Seed::new([255; 16]),
        &mut journal,
        None,
    );
    assert!(
        simulation.service.jobs.len() <= distinct.len(),
        "paid for twice"
    );
    let inputs: BTreeSet<_> = simulation.service.by_transaction.keys().collect();
    assert_eq!(
        inputs.len(),
        simulation.service.jobs.len(),
        "a job without a transaction id"
    );
    assert_eq!(reports.len(), documents.len());
    for (name, statuses) in &reports {
        assert_eq!(statuses.len(), 1, "{name} is reported more than once");
        // A final status of an earlier process does not change.
        let answered = statuses[0] == DocumentStatus::Completed;
        assert!(answered || statuses[0].is_final(), "{name}: {statuses:?}");
        assert!(answered || !input.faults.is_empty(), "{name}: {statuses:?}");
    }
    if input.kills.is_empty() {
        assert!(
            reports
                .values()
                .all(|statuses| statuses[0] == DocumentStatus::Completed)
        );
        assert_eq!(simulation.service.jobs.len(), distinct.len());
    }
});

fn run(
    simulation: &mut Simulation,
    documents: &[HashedDocument],
    options: &BulkOptions,
    seed: Seed,
    journal: &mut Vec<u8>,
    killed_at: Option<u32>,
) -> BTreeMap<String, Vec<DocumentStatus>> {
    simulation.crash();
    let (contents, valid_length) = Journal::read(journal).expect("a valid journal");
    journal.truncate(valid_length);
    let bulk = Bulk::new(&simulation.api, rules(), options.clone(), seed).expect("a good template");
    let mut bulk = bulk
        .with_journal(contents)
        .expect("the journal of this run");
    let mut source = documents.iter();
    let mut reports: BTreeMap<String, Vec<DocumentStatus>> = BTreeMap::new();
    let mut events = Vec::new();
    for step in 0.. {
        if killed_at == Some(step) {
            break;
        }
        if simulation.step(&mut bulk, &mut events).is_some() {
            break;
        }
        for event in events.drain(..) {
            match event {
                BulkEvent::NeedDocuments(requested) => {
                    source
                        .by_ref()
                        .take(requested)
                        .for_each(|document| bulk.push(document.clone()));
                }
                BulkEvent::Record(record) => {
                    let line = record.to_line();
                    // A process that is killed while it writes leaves an incomplete line.
                    let is_whole = killed_at != Some(step + 1);
                    let written = if is_whole { line.len() } else { line.len() / 2 };
                    journal.extend_from_slice(&line.as_bytes()[..written]);
                }
                BulkEvent::Finished(settled) => {
                    for name in settled.names {
                        reports
                            .entry(name)
                            .or_default()
                            .push(settled.report.status.clone());
                    }
                }
                _ => {}
            }
        }
    }
    reports
}
