//! A bulk run of a thousand documents over loopback, through each driver.
//!
//! `cargo bench -p classify-bench --bench loopback -- 1000` (the number of documents; a thousand by default).
//!
//! The emulator has no rate limits, and a job takes two seconds. Each adapter runs in its own process, so that its
//! processor time and memory are measured separately. The emulator runs in this process and counts requests. Counts are
//! asserted; times, which depend on the machine, are printed.

use std::error::Error;
use std::process::Command;
use std::time::{Duration, Instant};

use classify_bench::fixtures::rules;
use classify_bench::{measure, process};
use classify_emulator::{Config, Emulator, RateLimits, Route};
use classify_proto::Api;
use classify_proto::machine::Limiter;
use classify_ureq::Document;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const DRIVERS: [&str; 2] = ["ureq", "reqwest"];
const JOB_DURATION: Duration = Duration::from_secs(2);
/// Marks the process of a driver: `--driver NAME BASE_URL DOCUMENTS`.
const DRIVER_FLAG: &str = "--driver";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [DRIVER_FLAG, driver, base_url, documents] =
        &*arguments.iter().map(String::as_str).collect::<Vec<_>>()
    {
        return run_driver(driver, base_url, documents.parse()?);
    }
    let documents = arguments
        .iter()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(1_000);
    measure::print_table_header();
    for driver in DRIVERS {
        bench_driver(driver, documents)?;
    }
    Ok(())
}

/// Runs one driver against its own emulator, and asserts the emulator's counts.
fn bench_driver(driver: &str, documents: u64) -> Result<()> {
    let config = Config::default()
        .rate_limits(RateLimits::none())
        .completed_after(JOB_DURATION)
        .request_log_size(0);
    let emulator = Emulator::start(config)?;
    let start = Instant::now();
    let output = Command::new(std::env::current_exe()?)
        .args([
            DRIVER_FLAG,
            driver,
            emulator.base_url(),
            &documents.to_string(),
        ])
        .stderr(std::process::Stdio::inherit())
        .output()?;
    let wall = start.elapsed();
    assert!(output.status.success(), "{driver}: {:?}", output.status);
    let uploads = emulator.count(Route::FileCreate);
    let creates = emulator.count(Route::ClassifyCreate);
    let lists = emulator.count(Route::ClassifyList);
    let others = emulator.request_count() - uploads - creates - lists;
    let row = |what, value| println!("| {documents} documents, {driver}: {what} | {value} | | |");
    row("uploads", uploads.to_string());
    row("creates", creates.to_string());
    row("lists", lists.to_string());
    row("other requests", others.to_string());
    row("wall time", format!("{:.1} s", wall.as_secs_f64()));
    print!("{}", String::from_utf8(output.stdout)?);
    assert_eq!(
        creates, documents,
        "{driver}: each document is paid for once"
    );
    assert_eq!(emulator.job_count() as u64, documents, "{driver}");
    assert_eq!((uploads, others), (documents, 0), "{driver}");
    assert!(lists <= documents / 10, "{driver}: {lists} lists");
    Ok(())
}

/// The process of a driver: classifies, and prints its processor time and memory.
fn run_driver(driver: &str, base_url: &str, documents: u64) -> Result<()> {
    let api = Api::builder("llx-bench").base_url(base_url).build()?;
    let texts = (0..documents).map(|number| {
        let text = format!("Invoice {number}, payment of {number}.00 is due by Friday.");
        Document::bytes(format!("{number}.txt"), text)
    });
    let limiter = Limiter::unlimited();
    let completed = if driver == "ureq" {
        let client = classify_ureq::Client::new(api).limiter(limiter);
        let run = client.bulk(rules()).run(texts)?;
        run.filter(|finished| finished.outcome().is_ok()).count()
    } else {
        let client = classify_reqwest::Client::new(api).limiter(limiter);
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(async {
                let mut run = client.bulk(rules()).run(texts).await?;
                let mut completed = 0;
                while let Some(finished) = run.next().await {
                    completed += usize::from(finished.outcome().is_ok());
                }
                Ok::<_, classify_proto::Error>(completed)
            })?
    };
    assert_eq!(completed as u64, documents);
    let row = |what, value| println!("| {documents} documents, {driver}: {what} | {value} | | |");
    row(
        "processor time",
        format!("{} ms", process::cpu_time().as_millis()),
    );
    row(
        "peak memory",
        format!("{} MiB", process::peak_kib() / 1_024),
    );
    Ok(())
}
