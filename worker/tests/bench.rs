//! Prints the figures of `docs/worker.md`: `worker/bench` runs it.

mod harness;

use std::thread::sleep;
use std::time::{Duration, Instant};

use classify_emulator::{Config, FaultRule, FaultSchedule};
use harness::{Cluster, EngineOptions};

/// Prints a row of the table.
fn print_row(cluster: &Cluster, name: &str, documents: u64, begun: Instant) {
    let wall = begun.elapsed().as_secs_f64();
    let requests = cluster.emulator.requests();
    let limited = requests
        .iter()
        .filter(|request| request.status == Some(429))
        .count();
    let (engine, workers) = cluster.cpu_millis();
    let (engine_memory, worker_memory) = cluster.memory_mib();
    let each = |millis: u64| {
        let tenths = millis * 10 / documents;
        format!("{}.{} ms", tenths / 10, tenths % 10)
    };
    println!(
        "| {name} | {} | {} | {} | {limited} | {wall:.1} s | {} | {} | {engine_memory} MiB | {worker_memory} MiB |",
        cluster.emulator.job_count(),
        cluster.results().len(),
        requests.len(),
        each(engine),
        each(workers),
    );
}

#[test]
#[ignore = "a bench; worker/bench runs it"]
fn figures() {
    println!(
        "| run | jobs | results | requests | 429s | wall | engine CPU/doc | workers CPU/doc | engine memory | worker memory |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    kills();
    steady();
}

/// 200 documents, 50 of them twice, 15 % of requests failing, jobs of 3 s. A worker is killed after 8 s, the engine after
/// 14 s, and the worker returns after 22 s.
fn kills() {
    let faults = [
        "reset-after:5%",
        "500-after:4%",
        "503:5%",
        "reset-before:4%",
    ]
    .iter()
    .fold(FaultSchedule::new(), |schedule, rule| {
        schedule.with(rule.parse::<FaultRule>().unwrap())
    });
    let config = Config::default()
        .completed_after(Duration::from_secs(3))
        .seed(7)
        .faults(faults);
    let mut cluster = Cluster::new(2, config, &EngineOptions::default());
    cluster.flags = vec!["--poll-interval".into(), "1s".into()];
    cluster.start_all();
    let inbox = cluster.write_documents(0, 200);
    let begun = Instant::now();
    assert!(cluster.submit().status.success());
    for number in 0..50 {
        let copy = inbox.join(format!("copy{number:05}.txt"));
        std::fs::copy(inbox.join(format!("d{number:05}.txt")), copy).unwrap();
    }
    assert!(cluster.submit().status.success());
    let at = |seconds| {
        sleep(Duration::from_secs(seconds).saturating_sub(begun.elapsed()));
    };
    at(8);
    cluster.kill_worker(0);
    at(14);
    cluster.kill_engine();
    cluster.start_engine();
    at(22);
    cluster.start_worker(0, &[]);
    cluster.wait_for_results(200, Duration::from_secs(180));
    print_row(&cluster, "kills, 15 % failing requests", 200, begun);
    cluster.check_exact(200);
}

/// 600 documents under the limits of a paid plan, without faults.
fn steady() {
    let config = Config::default().completed_after(Duration::from_secs(3));
    let mut cluster = Cluster::new(2, config, &EngineOptions::default());
    cluster.flags = Vec::new();
    cluster.start_all();
    cluster.write_documents(0, 600);
    let begun = Instant::now();
    assert!(cluster.submit().status.success());
    cluster.wait_for_results(600, Duration::from_secs(300));
    print_row(&cluster, "600 documents, paid limits", 600, begun);
    cluster.check_exact(600);
}
