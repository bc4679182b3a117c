//! Many documents side by side.

use std::collections::BTreeSet;

use classify_emulator::{Config, Fault, Faults, Script};
use classify_proto::files::Upload;
use classify_proto::machine::{Fan, FanEvent};
use classify_proto::v2::JobStatus;

use crate::driver::{Driver, Setup};
use crate::world::{World, create};

fn upload(number: usize) -> Upload {
    let text = format!("Invoice {number}, total amount {number}.00");
    Upload::new(format!("{number}.txt"), text.into_bytes())
}

/// Twenty documents, and every fifth request fails in one way or another: twenty jobs, each with a result.
pub fn twenty_uploads_with_a_fault_in_every_fifth_request_are_twenty_jobs<D: Driver>() {
    let setup = Setup {
        // Side by side, one call may by chance be the fifth request again and again.
        retry: Setup::default().retry.max_retries(20),
        ..Setup::default()
    };
    for fault in [Fault::ResetAfter, Fault::Unavailable, Fault::BodyCut] {
        let plan = Faults::new().with(fault.every(5));
        let world = World::<D>::with(Config::default().faults(plan), setup);
        let runs = (0..20).map(|number| world.driver.upload_run(upload(number), create()));
        let mut done = BTreeSet::new();
        world.driver.drive(Fan::new(runs, 8), |event| {
            if let FanEvent::Ended(place, result) = event {
                let job = result.unwrap_or_else(|error| panic!("{}: {error}", fault.name()));
                assert_eq!(job.status, JobStatus::Completed);
                assert!(done.insert((place, job.id)));
            }
        });
        let places: Vec<usize> = done.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, (0..20).collect::<Vec<_>>(), "{}", fault.name());
        let ids: BTreeSet<_> = done.iter().map(|(_, id)| id).collect();
        assert_eq!(ids.len(), 20);
        assert_eq!(world.emulator.job_count(), 20, "{}", fault.name());
    }
}

/// One document that cannot be read, and one that is not there, among good ones.
pub fn one_bad_document_stops_no_other<D: Driver>() {
    let world =
        World::<D>::new(Config::default().script(Script::file("3.txt").fails("PDF_IS_BROKEN")));
    let runs = (0..6).map(|number| {
        let upload = if number == 4 {
            Upload::path("/no/such/4.txt").expect("a path to a file")
        } else {
            upload(number)
        };
        world.driver.upload_run(upload, create())
    });
    let mut failed = Vec::new();
    let mut matched = 0;
    world.driver.drive(Fan::new(runs, 3), |event| {
        if let FanEvent::Ended(place, result) = event {
            match result {
                Ok(_) => matched += 1,
                Err(error) => failed.push((place, error.is_job_failed())),
            }
        }
    });
    failed.sort_unstable();
    assert_eq!(failed, [(3, true), (4, false)]);
    assert_eq!(matched, 4);
    assert_eq!(world.emulator.job_count(), 5);
}
