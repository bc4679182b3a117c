//! Lists all jobs and adds up their confidences: `list CLIENT BASE_URL`.
//!
//! The clients are the two adapters and, for each, a hand-written loop on the same HTTP crate: plain structs with every
//! field, a time limit, a check of the status, the token of the next page.

use std::error::Error;
use std::time::Duration;

use classify_bench::{counting_allocator, plain, process};
use classify_proto::Api;
use classify_proto::v2::{Job, ListJobs};

#[global_allocator]
static ALLOCATOR: counting_allocator::CountingAllocator = counting_allocator::CountingAllocator;

const KEY: &str = "llx-bench";
const PAGE_SIZE: u32 = 100;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(120);
const MAX_BODY: u64 = 64 * 1024 * 1024;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The result of a program that reads a list.
#[derive(Default)]
struct Totals {
    jobs: u64,
    confidence: f64,
}

impl Totals {
    fn add(&mut self, confidence: Option<f64>) {
        self.jobs += 1;
        self.confidence += confidence.unwrap_or_default();
    }

    fn add_job(&mut self, job: &Job) {
        self.add(job.result.as_ref().and_then(|result| result.confidence));
    }

    fn add_page(&mut self, page: &plain::Page) {
        for job in &page.items {
            self.add(job.result.as_ref().map(|result| result.confidence));
        }
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [client_name, base_url] = arguments.as_slice() else {
        return Err("list CLIENT BASE_URL".into());
    };
    let mut totals = Err("no such client".into());
    let (allocations, bytes) = counting_allocator::allocations(|| {
        totals = match client_name.as_str() {
            "ureq" => ours_on_ureq(base_url),
            "ureq_plain" => plain_on_ureq(base_url),
            "reqwest" => on_tokio(ours_on_reqwest(base_url)),
            "reqwest_plain" => on_tokio(plain_on_reqwest(base_url)),
            _ => return,
        };
    });
    let totals = totals?;
    println!(
        "jobs {} confidence {:.2} peak_kib {} allocations {allocations} bytes {bytes}",
        totals.jobs,
        totals.confidence,
        process::peak_kib()
    );
    Ok(())
}

fn on_tokio<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

fn ours_on_ureq(base_url: &str) -> Result<Totals> {
    let client = classify_ureq::Client::new(Api::builder(KEY).base_url(base_url).build()?);
    let mut totals = Totals::default();
    for job in client.list(ListJobs::new().page_size(PAGE_SIZE)) {
        totals.add_job(&job?);
    }
    Ok(totals)
}

async fn ours_on_reqwest(base_url: &str) -> Result<Totals> {
    let client = classify_reqwest::Client::new(Api::builder(KEY).base_url(base_url).build()?);
    let mut jobs = client.list(ListJobs::new().page_size(PAGE_SIZE));
    let mut totals = Totals::default();
    while let Some(job) = jobs.next().await {
        totals.add_job(&job?);
    }
    Ok(totals)
}

fn plain_on_ureq(base_url: &str) -> Result<Totals> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_global(Some(ATTEMPT_TIMEOUT))
        .build()
        .into();
    let url = format!("{base_url}/api/v2/classify");
    let mut totals = Totals::default();
    let mut token: Option<String> = None;
    loop {
        let mut request = agent
            .get(&url)
            .header("accept", "application/json")
            .header("authorization", format!("Bearer {KEY}"))
            .query("page_size", PAGE_SIZE.to_string());
        if let Some(token) = &token {
            request = request.query("page_token", token);
        }
        // ureq returns an error for an error status.
        let mut response = request.call()?;
        let body = response
            .body_mut()
            .with_config()
            .limit(MAX_BODY)
            .read_to_vec()?;
        let page: plain::Page = serde_json::from_slice(&body)?;
        totals.add_page(&page);
        token = page.next_page_token;
        if token.is_none() {
            return Ok(totals);
        }
    }
}

async fn plain_on_reqwest(base_url: &str) -> Result<Totals> {
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ATTEMPT_TIMEOUT)
        .build()?;
    let url = format!("{base_url}/api/v2/classify");
    let size = PAGE_SIZE.to_string();
    let mut totals = Totals::default();
    let mut token: Option<String> = None;
    loop {
        let mut query = vec![("page_size", size.as_str())];
        query.extend(token.iter().map(|token| ("page_token", token.as_str())));
        let response = client
            .get(reqwest::Url::parse_with_params(&url, query)?)
            .header("accept", "application/json")
            .bearer_auth(KEY)
            .send()
            .await?
            .error_for_status()?;
        let body = response.bytes().await?;
        let page: plain::Page = serde_json::from_slice(&body)?;
        totals.add_page(&page);
        token = page.next_page_token;
        if token.is_none() {
            return Ok(totals);
        }
    }
}
