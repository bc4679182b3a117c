//! Runs whose rules are saved with the service, and may be edited between runs.

mod sim;

use std::collections::BTreeMap;

use classify_proto::Seed;
use classify_proto::machine::{DocumentStatus, HashedDocument, Run};
use classify_proto::v2::JobOptions;
use serde_json::{Value, json};
use sim::bulk_harness::{BulkHarness, service};
use sim::{Fault, Simulation};

const CONFIGURATIONS: &str = "GET /api/v1/beta/configurations/cfg-1";
const CREATE: &str = "POST /api/v2/classify";

fn rules(description: &str) -> Value {
    json!({"rules": [{"type": "invoice", "description": description}]})
}

fn saved(description: &str) -> BTreeMap<String, Value> {
    [("cfg-1".to_owned(), rules(description))].into()
}

fn harness(documents: u32) -> BulkHarness {
    let mut bench = BulkHarness::new(0..documents, service(1_000));
    bench.job_options = JobOptions::from_configuration_id("cfg-1");
    bench.simulation.service.saved = saved("has an invoice number");
    bench
}

fn count(bench: &BulkHarness, request: &str) -> usize {
    let log = &bench.simulation.service.log;
    log.iter().filter(|line| *line == request).count()
}

#[test]
fn saved_configuration_is_read_once_per_run() {
    let mut bench = harness(9);
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(count(&bench, CONFIGURATIONS), 1);
    // A run that creates nothing has nothing to compare.
    bench.run(None).unwrap();
    assert_eq!(count(&bench, CONFIGURATIONS), 1);
    bench.journal.clear();
    bench.run(None).unwrap();
    assert_eq!(count(&bench, CONFIGURATIONS), 2);
    assert_eq!(bench.simulation.service.jobs.len(), 9);
}

/// The jobs of the earlier rules are not the answer, and nothing is paid for before somebody says so.
#[test]
fn saved_configuration_edited_after_first_run_is_conflict() {
    for edited in [
        rules("has a reference number"),
        json!({"rules": rules("has an invoice number")["rules"], "parsing_configuration": {"max_pages": 5}}),
    ] {
        for (before, after) in [
            (rules("has an invoice number"), edited.clone()),
            (edited, rules("has an invoice number")),
        ] {
            let mut bench = harness(3);
            bench
                .simulation
                .service
                .saved
                .insert("cfg-1".to_owned(), before);
            bench.run(None).unwrap();
            bench.assert_all_completed();
            bench.journal.clear();
            bench
                .simulation
                .service
                .saved
                .insert("cfg-1".to_owned(), after);
            let summary = bench.run(None).unwrap();
            assert_eq!(summary.count(&DocumentStatus::Error), 3, "{summary:?}");
            for reports in bench.reports.values() {
                let error = reports[0].error.as_deref().unwrap();
                assert!(
                    error.contains("edited") && error.contains("pays again"),
                    "{error}"
                );
            }
            assert_eq!(bench.simulation.service.jobs.len(), 3);

            bench.journal.clear();
            bench.job_options = bench.job_options.clone().fresh();
            bench.run(None).unwrap();
            bench.assert_all_completed();
            assert_eq!(bench.simulation.service.jobs.len(), 6);
        }
    }
}

#[test]
fn saved_configuration_missing_stops_run_before_create() {
    let mut bench = harness(9);
    bench.simulation.service.saved.clear();
    let summary = bench.run(None).unwrap();
    assert!(summary.error().unwrap().is_not_found(), "{summary:?}");
    assert_eq!(count(&bench, CREATE), 0);
    assert_eq!(bench.simulation.service.files.len(), 0);
    bench.simulation.service.saved = saved("has an invoice number");
    bench.run(None).unwrap();
    bench.assert_all_completed();
}

#[test]
fn saved_configuration_read_is_retried_after_service_failures() {
    let mut bench = harness(5);
    let faults = vec![Fault::Http503; 20];
    bench.simulation.service.route_faults = [(CONFIGURATIONS, faults.into())].into();
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(count(&bench, CONFIGURATIONS), 21);
    assert_eq!(bench.simulation.service.jobs.len(), 5);
}

#[test]
fn saved_configuration_edited_is_conflict_of_single_document() {
    let mut simulation = Simulation::new(service(10));
    simulation.service.saved = saved("has an invoice number");
    let api = simulation.api.clone();
    let run = |options: JobOptions| {
        let document = HashedDocument::bytes("a.txt", "Invoice 1");
        Run::document(&api, document, options, Seed::new([9; 16]))
    };
    let options = || JobOptions::from_configuration_id("cfg-1");
    let (_, first) = simulation.run(&mut run(options()));
    let first = first.unwrap();
    let (_, again) = simulation.run(&mut run(options()));
    assert_eq!(again.unwrap().id, first.id);
    simulation.service.saved = saved("has a reference number");
    let (_, edited) = simulation.run(&mut run(options()));
    let error = edited.unwrap_err();
    assert!(error.is_conflict(), "{error}");
    assert_eq!(error.job_id(), Some(&*first.id));
    assert!(error.to_string().contains("pays again"), "{error}");
    assert_eq!(simulation.service.jobs.len(), 1);
    let (_, fresh) = simulation.run(&mut run(options().fresh()));
    assert_ne!(fresh.unwrap().id, first.id);
    assert_eq!(simulation.service.jobs.len(), 2);
}
