//! Classifies one document with the async client, and lists the latest jobs.
//!
//! `cargo run -p classify-examples --bin async -- --emulator [DOCUMENT]`
//!
//! Without `--emulator`, it calls the service with the key in `LLAMA_CLOUD_API_KEY`.

use std::error::Error;

use classify_reqwest::v2::{Configuration, ListJobs, Outcome, Rule};
use classify_reqwest::{Api, Client, Document};

const DOCUMENT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/documents/2025/invoice-1047.pdf"
);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let emulated = arguments.first().is_some_and(|first| first == "--emulator");
    if emulated {
        arguments.remove(0);
    }
    let path = arguments.pop().unwrap_or_else(|| DOCUMENT.to_owned());

    // The emulator stops when it is dropped, so it is kept until the end.
    let (client, _emulator) = if emulated {
        let emulator = classify_emulator::Emulator::start(classify_emulator::Config::default())?;
        let api = Api::builder(emulator.key()).base_url(emulator.base_url());
        (Client::new(api.build()?), Some(emulator))
    } else {
        (Client::from_env()?, None)
    };

    let rules = Configuration::new([
        Rule::new(
            "invoice",
            "has an invoice number, line items and a total amount due",
        ),
        Rule::new(
            "contract",
            "an agreement that two parties sign, such as a lease",
        ),
    ]);
    let job = client.classify(Document::open(path)?, rules).await?;
    match job.outcome() {
        Outcome::Matched {
            r#type,
            confidence,
            reasoning,
        } => {
            println!("type:       {type}");
            println!(
                "confidence: {}",
                confidence.map_or_else(String::new, |c| c.to_string())
            );
            println!("reason:     {}", reasoning.unwrap_or_default());
        }
        other => println!("{other:?}"),
    }

    // A stream, which requests the next page while these jobs are printed.
    let mut jobs = client.list(ListJobs::new().page_size(10));
    while let Some(job) = jobs.next().await {
        let job = job?;
        println!("listed:     {} {}", job.id, job.status);
    }
    Ok(())
}
