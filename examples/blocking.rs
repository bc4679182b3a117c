//! Classifies documents with the blocking client, several at once.
//!
//! `cargo run -p classify-examples --bin blocking -- --emulator [DOCUMENT …]`
//!
//! Without `--emulator`, it calls the service with the key in `LLAMA_CLOUD_API_KEY`.

use std::error::Error;

use classify_ureq::v2::{Configuration, Outcome, Rule};
use classify_ureq::{Api, Client, Document};

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
    let documents = paths
        .into_iter()
        .map(Document::open)
        .collect::<Result<Vec<_>, _>>()?;

    // Each document is classified once and paid for once, also if you start the program again. An error of one document
    // does not affect the others.
    for finished in client.bulk(rules).run(documents)? {
        println!("{}", finished.name());
        match finished.outcome() {
            Ok(outcome) => print_outcome(&outcome),
            Err(error) => println!("  {error}"),
        }
    }
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
