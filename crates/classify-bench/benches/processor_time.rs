//! Processor time of a bulk run over each adapter, compared with the same hand-written requests over ureq.
//!
//! `cargo bench -p classify-bench --bench processor_time -- 2000` (the number of documents; 2,000 by default).
//!
//! Every run is a separate process, so that only the client is measured. The emulator runs in the process that starts
//! them, without latency and without rate limits. The runs take turns, and the medians of [`ROUNDS`] rounds are
//! compared.
//!
//! The hand-written program has sixteen reused threads, one agent with the settings of the default transport, plain
//! serde structs, and no retries. Each thread takes the next document, uploads it and creates its job. Afterwards one
//! thread lists the jobs, a hundred per request, in as many requests as the bulk run needed. Both send the same number
//! of uploads, creates and lists, which is asserted. Processor times are not asserted, because they vary on a busy
//! machine. The bench fails only if a ratio is more than a third over its budget.

use std::error::Error;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use classify_bench::fixtures::rules;
use classify_bench::{fixtures, measure, plain, process};
use classify_emulator::{Config, Emulator, RateLimits, Route};
use classify_proto::machine::Limiter;
use classify_proto::{Api, TransportLimits};
use classify_ureq::Document;
use serde::Deserialize;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const ROUNDS: usize = 3;
const KEY: &str = "llx-bench";
const THREADS: usize = 16;
const JOBS_PER_LIST: usize = 100;
/// The budget of a bulk run over ureq, as a multiple of the processor time of the hand-written program.
const BUDGET: f64 = 1.5;
/// The ratio at which the bench fails: a third over the budget.
const FAILURE: f64 = 2.0;
/// Marks a client's process: `--client NAME BASE_URL DOCUMENTS LISTS`.
const CLIENT_FLAG: &str = "--client";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [CLIENT_FLAG, client, base_url, documents, lists] =
        &*arguments.iter().map(String::as_str).collect::<Vec<_>>()
    {
        return run_client(client, base_url, documents.parse()?, lists.parse()?);
    }
    let documents = arguments
        .iter()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(2_000);
    let (mut ureq, mut by_hand, mut reqwest) = (Vec::new(), Vec::new(), Vec::new());
    let mut lists = 0;
    for _ in 0..ROUNDS {
        let (microseconds, bulk_lists) = measure_client("ureq", documents, 0)?;
        ureq.push(microseconds);
        lists = bulk_lists;
        by_hand.push(measure_client("by_hand", documents, lists)?.0);
        reqwest.push(measure_client("reqwest", documents, 0)?.0);
    }
    let (ureq, by_hand, reqwest) = (median(ureq), median(by_hand), median(reqwest));
    measure::print_table_header();
    let row = |what: &str, ours: f64, baseline: f64| {
        println!(
            "| {documents} documents, {lists} lists, processor time of a document, {what} | {ours:.0} µs | {baseline:.0} µs | {:.2} |",
            ours / baseline
        );
    };
    row(
        &format!("bulk over ureq / by hand, budget {BUDGET:.2}"),
        ureq,
        by_hand,
    );
    row("bulk over ureq / bulk over reqwest", ureq, reqwest);
    if ureq / by_hand > FAILURE {
        return Err(format!("bulk over ureq is more than {FAILURE:.1} times by hand").into());
    }
    Ok(())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Runs one client against its own emulator. Returns its processor time for each document, in microseconds, and the
/// number of its lists.
#[expect(
    clippy::cast_precision_loss,
    reason = "a number of documents is far below 2^52"
)]
fn measure_client(client: &str, documents: u64, lists: u64) -> Result<(f64, u64)> {
    let config = Config::default()
        .rate_limits(RateLimits::none())
        .completed_after(Duration::ZERO)
        .request_log_size(0);
    let emulator = Emulator::start(config)?;
    let output = Command::new(std::env::current_exe()?)
        .args([CLIENT_FLAG, client, emulator.base_url()])
        .args([documents, lists].map(|number| number.to_string()))
        .stderr(std::process::Stdio::inherit())
        .output()?;
    assert!(output.status.success(), "{client}: {:?}", output.status);
    let uploads = emulator.count(Route::FileCreate);
    let creates = emulator.count(Route::ClassifyCreate);
    let sent_lists = emulator.count(Route::ClassifyList);
    let others = emulator.request_count() - uploads - creates - sent_lists;
    assert_eq!(
        (uploads, creates, others),
        (documents, documents, 0),
        "{client}"
    );
    assert_eq!(emulator.job_count() as u64, documents, "{client}");
    if lists > 0 {
        assert_eq!(sent_lists, lists, "{client}");
    }
    let microseconds: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
    Ok((microseconds / documents as f64, sent_lists))
}

/// The process of a client: classifies, and prints its processor time in microseconds.
fn run_client(client: &str, base_url: &str, documents: u64, lists: u64) -> Result<()> {
    let start = process::cpu_time();
    match client {
        "by_hand" => by_hand(base_url, documents, lists)?,
        _ => bulk_run(client, base_url, documents)?,
    }
    println!("{}", process::cpu_time().saturating_sub(start).as_micros());
    Ok(())
}

fn name(number: u64) -> String {
    format!("{number}.txt")
}

fn text(number: u64) -> String {
    format!("Invoice {number}, payment of {number}.00 is due by Friday.")
}

fn bulk_run(client: &str, base_url: &str, documents: u64) -> Result<()> {
    let api = Api::builder(KEY).base_url(base_url).build()?;
    let texts = (0..documents).map(|number| Document::bytes(name(number), text(number)));
    let limiter = Limiter::unlimited();
    let completed = if client == "ureq" {
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
    Ok(())
}

/// The file of an upload.
#[derive(Deserialize)]
struct File {
    id: String,
}

fn by_hand(base_url: &str, documents: u64, lists: u64) -> Result<()> {
    let agent = agent();
    let next = AtomicU64::new(0);
    let jobs = Mutex::new(Vec::new());
    let classify_all = || -> Result<()> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= documents {
                return Ok(());
            }
            let file = upload(&agent, base_url, number)?;
            let job = create(&agent, base_url, number, file.id)?;
            jobs.lock().map_err(|_| "a thread panicked")?.push(job.id);
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(classify_all)).collect();
        threads.into_iter().try_for_each(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Err("a thread panicked".into()))
        })
    })?;
    let jobs = jobs.into_inner()?;
    let mut completed = 0;
    let chunks = jobs.chunks(JOBS_PER_LIST);
    let count = usize::try_from(lists)?;
    for (number, chunk) in chunks.clone().cycle().take(count).enumerate() {
        let page = list(&agent, base_url, chunk)?;
        if number < chunks.len() {
            let is_completed = |job: &&plain::Job| job.status == "COMPLETED";
            completed += page.items.iter().filter(is_completed).count();
        }
    }
    assert_eq!(completed, jobs.len().min(count * JOBS_PER_LIST));
    Ok(())
}

/// Returns an agent with the settings of the default transport.
fn agent() -> ureq::Agent {
    let limits = TransportLimits::default();
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_idle_connections(THREADS * 2)
        .max_idle_connections_per_host(THREADS)
        .timeout_resolve(Some(limits.connect))
        .timeout_connect(Some(limits.connect))
        .timeout_recv_response(Some(limits.response))
        .timeout_global(Some(limits.attempt))
        .build()
        .into()
}

/// Reads a complete response, as the adapter does, and parses it.
fn read<T: for<'de> Deserialize<'de>>(mut response: ureq::http::Response<ureq::Body>) -> Result<T> {
    let status = response.status();
    if !status.is_success() {
        return Err(format!("status {status}").into());
    }
    let body = response.body_mut().read_to_vec()?;
    Ok(serde_json::from_slice(&body)?)
}

fn upload(agent: &ureq::Agent, base_url: &str, number: u64) -> Result<File> {
    let boundary = "7MA4YWxkTrZu0gW-bench";
    let (name, text) = (name(number), text(number));
    let body = format!(
        "--{boundary}\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nclassify\r\n\
         --{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         content-type: text/plain\r\n\r\n{text}\r\n--{boundary}--\r\n"
    );
    let response = agent
        .post(format!("{base_url}/api/v1/beta/files"))
        .header("accept", "application/json")
        .header("authorization", format!("Bearer {KEY}"))
        .header(
            "content-type",
            format!("multipart/form-data; boundary={boundary}"),
        )
        .send(body)?;
    read(response)
}

fn create(agent: &ureq::Agent, base_url: &str, number: u64, file: String) -> Result<plain::Job> {
    let mut create = fixtures::plain_create();
    create.file_input = file;
    create.transaction_id = format!("transaction-{number}");
    let response = agent
        .post(format!("{base_url}/api/v2/classify"))
        .header("accept", "application/json")
        .header("authorization", format!("Bearer {KEY}"))
        .header("content-type", "application/json")
        .send(serde_json::to_vec(&create)?)?;
    read(response)
}

fn list(agent: &ureq::Agent, base_url: &str, jobs: &[String]) -> Result<plain::Page> {
    let response = agent
        .get(format!("{base_url}/api/v2/classify"))
        .query("page_size", JOBS_PER_LIST.to_string())
        .query_pairs(jobs.iter().map(|job| ("job_ids", job.as_str())))
        .header("accept", "application/json")
        .header("authorization", format!("Bearer {KEY}"))
        .call()?;
    read(response)
}
