//! Machines against the simulated service, under arbitrary faults and crashes: the service's own books are checked.

#![no_main]

#[path = "../../crates/classify-proto/tests/sim/mod.rs"]
mod sim;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use classify_fuzz::{check_error, create, seed};
use classify_proto::Error;
use classify_proto::files::UploadFile;
use classify_proto::machine::{Call, Concurrent, ConcurrentEvent, Pager, Run, Waiter};
use classify_proto::v2::{CancelJob, DeleteJob, Job, JobStatus, ListJobs};
use libfuzzer_sys::fuzz_target;
use sim::{FAULTS, Fault, SILENT_FOR_TOO_LONG, Service, World};

#[derive(Debug, Arbitrary)]
struct Given {
    which: u8,
    number: u8,
    duration: u16,
    timeout: u16,
    flag: bool,
    crashes: Vec<u8>,
    faults: Vec<u8>,
}

impl Given {
    fn faults(&self) -> VecDeque<Fault> {
        // As long a list of faults as a call has attempts, a few times over.
        let faults = self.faults.iter().take(64);
        faults
            .map(|place| FAULTS[usize::from(*place) % FAULTS.len()])
            .collect()
    }

    fn crashes(&self) -> BTreeSet<u32> {
        self.crashes
            .iter()
            .take(8)
            .map(|step| u32::from(*step))
            .collect()
    }

    fn service(&self) -> Service {
        Service {
            duration: u64::from(self.duration),
            failing: self.flag,
            faults: self.faults(),
            ..Service::default()
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(given) = Given::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    match given.which % 7 {
        0 => one_create(&given),
        1 => one_run(&given),
        2 => one_list(&given),
        3 => one_wait(&given),
        4 => one_cancel(&given),
        5 => one_delete(&given),
        _ => several_runs(&given),
    }
});

fn world_with_job(given: &Given) -> World {
    let mut world = World::new(Service {
        faults: VecDeque::new(),
        ..given.service()
    });
    let (_, job) = world.run(&mut Call::new(create("dfl-1"), seed()));
    assert_eq!(job.expect("a sound service").id, "clj-1");
    world.service.faults = given.faults();
    world
}

/// A call ends with the truth or with a network that was at fault too often.
fn worn_out(error: &Error) {
    check_error(error);
    assert!(error.is_transient() || error.is_decode(), "{error}");
}

fn one_create(given: &Given) {
    let mut world = World::new(given.service());
    let (_, result) = world.run_with_crashes(Call::new(create("dfl-1"), seed()), &given.crashes());
    let jobs = &world.service.jobs;
    assert!(jobs.len() <= 1, "paid for twice");
    match result {
        Ok(job) => assert_eq!(job.id, jobs[0].id),
        Err(error) => {
            worn_out(&error);
            assert!(error.transaction_id().is_some());
            assert!(
                jobs.is_empty() || error.is_ambiguous(),
                "a job that is not told of: {error}"
            );
        }
    }
}

fn one_run(given: &Given) {
    let mut world = World::new(given.service());
    // A document in memory does not survive a crash; that loss is no finding.
    let run = if given.number.is_multiple_of(2) || !given.crashes.is_empty() {
        Run::new(create("dfl-1"), seed())
    } else {
        Run::upload(
            UploadFile::new("a.txt", b"document".to_vec()),
            create(""),
            seed(),
        )
    };
    let (_, result) = world.run_with_crashes(run, &given.crashes());
    assert!(world.service.jobs.len() <= 1, "paid for twice");
    truth(given, &result);
}

fn truth(given: &Given, result: &Result<Job, Error>) {
    match result {
        Ok(job) => {
            assert!(!given.flag);
            assert_eq!(job.status, JobStatus::Completed);
        }
        Err(error) if error.is_job_failed() => assert!(given.flag),
        // Only a service that says nothing for hours outlasts a wait.
        Err(error) if error.is_deadline() => {
            let silences = given
                .faults()
                .into_iter()
                .filter(|fault| fault.is_silence());
            assert!(silences.count() >= SILENT_FOR_TOO_LONG, "{error}");
        }
        Err(error) => worn_out(error),
    }
}

fn one_list(given: &Given) {
    let mut service = given.service();
    let count = usize::from(given.number % 9) + 1;
    let token = |page: usize| {
        if page == 0 {
            String::new()
        } else {
            format!("t{page}")
        }
    };
    let mut expected = Vec::new();
    for page in 0..count {
        let items: Vec<_> = (0..page % 3).map(|item| format!("{page}.{item}")).collect();
        expected.extend(items.iter().cloned());
        let next = (page + 1 < count).then(|| token(page + 1));
        service.pages.insert(token(page), (items, next));
    }
    let mut world = World::new(service);
    let pager = Pager::new(ListJobs::new(), seed()).prefetch(given.flag);
    let crashes = given.crashes();
    let (pages, result) = world.run_with_crashes(pager, &crashes);
    let found: Vec<_> = pages
        .into_iter()
        .flat_map(|page| page.items)
        .map(|job| job.id)
        .collect();
    match result {
        Ok(()) => assert_eq!(found, expected),
        Err(error) => {
            worn_out(&error);
            assert!(expected.starts_with(&found));
        }
    }
    assert!(world.service.log.len() <= (count + crashes.len()) * 6);
}

fn one_wait(given: &Given) {
    let mut world = world_with_job(given);
    let start = world.now;
    let timeout = u64::from(given.timeout);
    let waiter = Waiter::new("clj-1", seed()).timeout(Duration::from_millis(timeout));
    let (_, result) = world.run_with_crashes(waiter, &given.crashes());
    // The last look, at the deadline, has thirty seconds.
    assert!(
        world.now <= start + timeout + 30_000,
        "{} ms: {given:?} {:?}",
        world.now - start,
        world.sent
    );
    match result {
        Err(error) if error.is_deadline() => assert_eq!(error.job_id(), Some("clj-1")),
        result => truth(given, &result),
    }
}

fn one_cancel(given: &Given) {
    let mut world = world_with_job(given);
    let (_, result) =
        world.run_with_crashes(Call::new(CancelJob::new("clj-1"), seed()), &given.crashes());
    let cancelled = world.service.jobs[0].cancelled;
    match result {
        Ok(job) => assert!(cancelled && job.status == JobStatus::Cancelled),
        Err(error) if error.is_conflict() => assert!(!cancelled, "{error}"),
        Err(error) => worn_out(&error),
    }
}

fn one_delete(given: &Given) {
    let mut world = world_with_job(given);
    let (_, result) =
        world.run_with_crashes(Call::new(DeleteJob::new("clj-1"), seed()), &given.crashes());
    match result {
        Ok(deleted) => {
            assert_eq!(deleted.id, "clj-1");
            assert!(world.service.deleted.contains("clj-1"));
        }
        Err(error) => worn_out(&error),
    }
}

fn several_runs(given: &Given) {
    let count = usize::from(given.number % 8);
    let mut world = World::new(given.service());
    let runs = (0..count)
        .map(|place| Run::new(create(&format!("dfl-{place}")), seed().derive(place as u64)));
    let fan = Concurrent::new(runs.collect::<Vec<_>>(), usize::from(given.timeout % 5));
    let (events, ()) = world.run_with_crashes(fan, &given.crashes());
    let ended: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            ConcurrentEvent::Finished(place, result) => {
                truth(given, result);
                Some(*place)
            }
            ConcurrentEvent::Progress(..) => None,
        })
        .collect();
    assert_eq!(ended.len(), count);
    assert_eq!(ended.iter().collect::<BTreeSet<_>>().len(), count);
    let inputs: BTreeSet<_> = world
        .service
        .jobs
        .iter()
        .map(|job| &job.file_input)
        .collect();
    assert_eq!(inputs.len(), world.service.jobs.len(), "paid for twice");
}
