//! Two workers behind a balancer, with failing requests and duplicates; a worker and the engine are killed. Runs in CI.

mod harness;

use std::thread::sleep;
use std::time::Duration;

use classify_emulator::{Config, FaultSchedule};
use harness::{Cluster, EngineOptions};

/// About 15 % of the requests fail.
fn faults() -> FaultSchedule {
    [
        "reset-after:5%",
        "500-after:4%",
        "503:5%",
        "reset-before:4%",
    ]
    .iter()
    .fold(FaultSchedule::new(), |schedule, rule| {
        schedule.with(rule.parse::<classify_emulator::FaultRule>().unwrap())
    })
}

#[test]
fn kills_of_a_worker_and_the_engine_leave_one_job_for_each_document() {
    let config = Config::default()
        .completed_after(Duration::from_secs(3))
        .seed(11)
        .faults(faults());
    let mut cluster = Cluster::new(2, config, &EngineOptions::default());
    cluster.start_all();
    cluster.write_documents(0, 200);
    assert!(cluster.submit().status.success());
    sleep(Duration::from_secs(5));
    cluster.kill_worker(0);
    sleep(Duration::from_secs(3));
    cluster.kill_engine();
    cluster.start_engine();
    sleep(Duration::from_secs(3));
    cluster.start_worker(0, &[]);
    let again = cluster.submit();
    assert!(again.status.success(), "{again:?}");
    cluster.wait_for_results(200, Duration::from_secs(120));
    cluster.check_exact(200);
}
