//! An async bulk run of many documents over loopback, with one request in twenty failing: one job for each, and memory
//! that does not grow with the run.
//!
//! `cargo bench -p classify-bench --bench many_documents -- 100000` (the number of documents; 2,000 by default).
//!
//! The client runs in its own process, so that its memory is measured separately. The emulator runs in this process and
//! counts the jobs.

use std::error::Error;
use std::process::Command;
use std::time::{Duration, Instant};

use classify_bench::fixtures::rules;
use classify_bench::process;
use classify_emulator::{Config, Emulator, Fault, FaultSchedule, RateLimits};
use classify_proto::Api;
use classify_proto::machine::Limiter;
use classify_reqwest::{Client, Document};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Marks the process of the client: `--client BASE_URL DOCUMENTS`.
const CLIENT_FLAG: &str = "--client";
/// The largest ratio of the peak at the end to the peak after a tenth of the documents. It allows for the index of the
/// journal, a few bytes for each document whose copy could be charged again, and the overhead of the allocator.
const GROWTH: f64 = 1.5;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [CLIENT_FLAG, base_url, documents] =
        &*arguments.iter().map(String::as_str).collect::<Vec<_>>()
    {
        return run_client(base_url, documents.parse()?);
    }
    let documents: usize = arguments
        .iter()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(2_000);
    let faults = [Fault::ResetAfter, Fault::Unavailable, Fault::BodyCut];
    let schedule = FaultSchedule::new().seed(1);
    let schedule = faults.into_iter().fold(schedule, |schedule, fault| {
        schedule.with(fault.chance(0.05 / 3.0))
    });
    let config = Config::default()
        .rate_limits(RateLimits::none())
        .completed_after(Duration::from_secs(1))
        .request_log_size(0)
        .faults(schedule);
    let emulator = Emulator::start(config)?;
    let start = Instant::now();
    let output = Command::new(std::env::current_exe()?)
        .args([CLIENT_FLAG, emulator.base_url(), &documents.to_string()])
        .stderr(std::process::Stdio::inherit())
        .output()?;
    assert!(output.status.success(), "{:?}", output.status);
    let text = String::from_utf8(output.stdout)?;
    println!(
        "{documents} documents: {} jobs, {} requests, {:.0} s, {}",
        emulator.job_count(),
        emulator.request_count(),
        start.elapsed().as_secs_f64(),
        text.trim()
    );
    assert_eq!(
        emulator.job_count(),
        documents,
        "each document is paid for once"
    );
    Ok(())
}

fn run_client(base_url: &str, documents: usize) -> Result<()> {
    let api = Api::builder("llx-bench").base_url(base_url).build()?;
    let client = Client::new(api).limiter(Limiter::unlimited());
    let texts = (0..documents).map(|number| {
        let text = format!("Invoice {number}, payment of {number}.00 is due by Friday.");
        Document::bytes(format!("{number}.txt"), text)
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (early, classified) = runtime.block_on(async {
        let mut run = client.bulk(rules()).run(texts).await?;
        let (mut early, mut classified) = (0, 0);
        while let Some(finished) = run.next().await {
            finished.outcome()?;
            classified += 1;
            if classified == documents / 10 {
                early = process::peak_kib();
            }
        }
        Ok::<_, Box<dyn Error>>((early, classified))
    })?;
    assert_eq!(classified, documents);
    let peak = process::peak_kib();
    println!(
        "peak memory {early} KiB after a tenth, {peak} KiB at the end, {} ms of processor time",
        process::cpu_time().as_millis()
    );
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let growth = peak as f64 / early as f64;
    // The report cache is full within the first ten thousand documents.
    if documents >= 100_000 {
        assert!(growth < GROWTH, "memory grew by {growth:.2}");
    }
    Ok(())
}
