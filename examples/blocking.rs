//! Classifies documents with the blocking client, several at once.
//!
//! `cargo run -p classify-examples --bin blocking -- --emulator [DOCUMENT …]`
//!
//! Without `--emulator` it asks the real service, with the key in `LLAMA_CLOUD_API_KEY`.

use std::error::Error;

use classify_ureq::files::UploadFile;
use classify_ureq::machine::{Concurrent, ConcurrentEvent, RunEvent};
use classify_ureq::v2::{Configuration, CreateJob, Outcome, Rule};
use classify_ureq::{Api, Client};

const DOCUMENTS: [&str; 2] = [
    concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/documents/2025/invoice-1047.pdf"
    ),
    concat!(env!("CARGO_MANIFEST_DIR"), "/documents/heron.txt"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut paths: Vec<String> = std::env::args().skip(1).collect();
    let emulated = paths.first().is_some_and(|first| first == "--emulator");
    if emulated {
        paths.remove(0);
    }
    if paths.is_empty() {
        paths = DOCUMENTS.map(str::to_owned).to_vec();
    }

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
        Rule::new("receipt", "a till receipt of a shop with the amount paid"),
    ]);
    let create = JobOptions::from(rules);
    let runs = paths
        .iter()
        .map(|path| client.upload_run(UploadFile::path(path)?, create.clone()))
        .collect::<Result<Vec<_>, _>>()?;

    // Four documents at a time. One that fails stops no other.
    client.drive(Concurrent::new(runs, 4), |event| match event {
        ConcurrentEvent::Progress(index, RunEvent::Created(job)) => {
            eprintln!("{}: {} was created", paths[index], job.id);
        }
        ConcurrentEvent::Progress(..) => {}
        ConcurrentEvent::Finished(index, Ok(job)) => {
            println!("{}", paths[index]);
            print_outcome(&job.outcome());
        }
        ConcurrentEvent::Finished(index, Err(error)) => println!("{}\n  {error}", paths[index]),
    });
    Ok(())
}

fn print_outcome(outcome: &Outcome<'_>) {
    match outcome {
        Outcome::Matched {
            r#type,
            confidence,
            reasoning,
        } => {
            println!("  type:       {type}");
            println!(
                "  confidence: {}",
                confidence.map_or_else(String::new, |c| c.to_string())
            );
            println!("  reason:     {}", reasoning.unwrap_or_default());
        }
        Outcome::NoMatch { reasoning, .. } => {
            println!("  type:       none of the rules matched");
            println!("  reason:     {}", reasoning.unwrap_or_default());
        }
        other => println!("  {other:?}"),
    }
}
