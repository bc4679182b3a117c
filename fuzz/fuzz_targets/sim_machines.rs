//! Machines against the simulated service, with arbitrary faults and crashes. The jobs of the service are checked.

#![no_main]

#[path = "../../crates/classify-proto/tests/sim/mod.rs"]
mod sim;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use classify_fuzz::{check_error, create, rules, seed};
use classify_proto::Error;
use classify_proto::files::UploadFile;
use classify_proto::machine::{Call, Concurrent, ConcurrentEvent, Pager, Run, Waiter};
use classify_proto::v2::{CancelJob, DeleteJob, Job, JobStatus, ListJobs};
use libfuzzer_sys::fuzz_target;
use sim::{FAULTS, Fault, SILENT_FOR_TOO_LONG, Service, Simulation};

#[derive(Debug, Arbitrary)]
struct Input {
    selector: u8,
    number: u8,
    duration: u16,
    timeout: u16,
    flag: bool,
    crashes: Vec<u8>,
    faults: Vec<u8>,
}

impl Input {
    fn faults(&self) -> VecDeque<Fault> {
        // A few times as many faults as a call has attempts.
        let faults = self.faults.iter().take(64);
        faults
            .map(|byte| FAULTS[usize::from(*byte) % FAULTS.len()])
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
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    match input.selector % 7 {
        0 => fuzz_create(&input),
        1 => fuzz_run(&input),
        2 => fuzz_list(&input),
        3 => fuzz_wait(&input),
        4 => fuzz_cancel(&input),
        5 => fuzz_delete(&input),
        _ => fuzz_concurrent_runs(&input),
    }
});

fn simulation_with_job(input: &Input) -> Simulation {
    let mut simulation = Simulation::new(Service {
        faults: VecDeque::new(),
        ..input.service()
    });
    let (_, job) = simulation.run(&mut Call::new(create("dfl-1"), seed()));
    assert_eq!(job.expect("a sound service").id, "clj-1");
    simulation.service.faults = input.faults();
    simulation
}

/// A call ends with the service's result or after too many network errors.
fn check_network_error(error: &Error) {
    check_error(error);
    assert!(error.is_transient() || error.is_decode(), "{error}");
}

fn fuzz_create(input: &Input) {
    let mut simulation = Simulation::new(input.service());
    let (_, result) =
        simulation.run_with_crashes(Call::new(create("dfl-1"), seed()), &input.crashes());
    let jobs = &simulation.service.jobs;
    assert!(jobs.len() <= 1, "paid for twice");
    match result {
        Ok(job) => assert_eq!(job.id, jobs[0].id),
        Err(error) => {
            check_network_error(&error);
            assert!(error.transaction_id().is_some());
            assert!(
                jobs.is_empty() || error.is_ambiguous(),
                "a job exists, and the error is not ambiguous: {error}"
            );
        }
    }
}

fn fuzz_run(input: &Input) {
    let mut simulation = Simulation::new(input.service());
    // A document in memory does not survive a crash, which is expected.
    let run = if input.number.is_multiple_of(2) || !input.crashes.is_empty() {
        Run::new(create("dfl-1"), seed())
    } else {
        Run::upload(
            UploadFile::new("a.txt", b"document".to_vec()),
            rules(),
            seed(),
        )
    };
    let (_, result) = simulation.run_with_crashes(run, &input.crashes());
    assert!(simulation.service.jobs.len() <= 1, "paid for twice");
    check_outcome(input, &result);
}

fn check_outcome(input: &Input, result: &Result<Job, Error>) {
    match result {
        Ok(job) => {
            assert!(!input.flag);
            assert_eq!(job.status, JobStatus::Completed);
        }
        Err(error) if error.is_job_failed() => assert!(input.flag),
        // A wait times out only if the service does not respond for hours.
        Err(error) if error.is_deadline() => {
            let silences = input
                .faults()
                .into_iter()
                .filter(|fault| fault.is_silence());
            assert!(silences.count() >= SILENT_FOR_TOO_LONG, "{error}");
        }
        Err(error) => check_network_error(error),
    }
}

fn fuzz_list(input: &Input) {
    let mut service = input.service();
    let count = usize::from(input.number % 9) + 1;
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
    let mut simulation = Simulation::new(service);
    let pager = Pager::new(ListJobs::new(), seed()).prefetch(input.flag);
    let crashes = input.crashes();
    let (pages, result) = simulation.run_with_crashes(pager, &crashes);
    let ids: Vec<_> = pages
        .into_iter()
        .flat_map(|page| page.items)
        .map(|job| job.id)
        .collect();
    match result {
        Ok(()) => assert_eq!(ids, expected),
        Err(error) => {
            check_network_error(&error);
            assert!(expected.starts_with(&ids));
        }
    }
    assert!(simulation.service.log.len() <= (count + crashes.len()) * 6);
}

fn fuzz_wait(input: &Input) {
    let mut simulation = simulation_with_job(input);
    let start = simulation.now;
    let timeout = u64::from(input.timeout);
    let waiter = Waiter::new("clj-1", seed()).timeout(Duration::from_millis(timeout));
    let (_, result) = simulation.run_with_crashes(waiter, &input.crashes());
    // The last poll, at the deadline, may take thirty seconds.
    assert!(
        simulation.now <= start + timeout + 30_000,
        "{} ms: {input:?} {:?}",
        simulation.now - start,
        simulation.sent
    );
    match result {
        Err(error) if error.is_deadline() => assert_eq!(error.job_id(), Some("clj-1")),
        result => check_outcome(input, &result),
    }
}

fn fuzz_cancel(input: &Input) {
    let mut simulation = simulation_with_job(input);
    let (_, result) =
        simulation.run_with_crashes(Call::new(CancelJob::new("clj-1"), seed()), &input.crashes());
    let cancelled = simulation.service.jobs[0].cancelled;
    match result {
        Ok(job) => assert!(cancelled && job.status == JobStatus::Cancelled),
        Err(error) if error.is_conflict() => assert!(!cancelled, "{error}"),
        Err(error) => check_network_error(&error),
    }
}

fn fuzz_delete(input: &Input) {
    let mut simulation = simulation_with_job(input);
    let (_, result) =
        simulation.run_with_crashes(Call::new(DeleteJob::new("clj-1"), seed()), &input.crashes());
    match result {
        Ok(deleted) => {
            assert_eq!(deleted.id, "clj-1");
            assert!(simulation.service.deleted.contains("clj-1"));
        }
        Err(error) => check_network_error(&error),
    }
}

fn fuzz_concurrent_runs(input: &Input) {
    let count = usize::from(input.number % 8);
    let mut simulation = Simulation::new(input.service());
    let runs = (0..count)
        .map(|index| Run::new(create(&format!("dfl-{index}")), seed().derive(index as u64)));
    let concurrent = Concurrent::new(runs.collect::<Vec<_>>(), usize::from(input.timeout % 5));
    let (events, ()) = simulation.run_with_crashes(concurrent, &input.crashes());
    let finished: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            ConcurrentEvent::Finished(index, result) => {
                check_outcome(input, result);
                Some(*index)
            }
            ConcurrentEvent::Progress(..) => None,
        })
        .collect();
    assert_eq!(finished.len(), count);
    assert_eq!(finished.iter().collect::<BTreeSet<_>>().len(), count);
    let inputs: BTreeSet<_> = simulation
        .service
        .jobs
        .iter()
        .map(|job| &job.file_input)
        .collect();
    assert_eq!(
        inputs.len(),
        simulation.service.jobs.len(),
        "paid for twice"
    );
}
