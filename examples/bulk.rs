//! Classifies the documents of a folder, each once. If you kill the program and start it again, it continues.
//!
//! `cargo run -p classify-examples --bin bulk FOLDER`

use classify_ureq::v2::{Configuration, Rule};
use classify_ureq::{Client, Document};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: bulk FOLDER")?;
    let rules = Configuration::new([
        Rule::new("invoice", "has an invoice number and a total amount"),
        Rule::new("contract", "an agreement that two parties sign"),
    ]);
    let run = Client::from_env()?.bulk(rules).journal("bulk.journal");
    for finished in run.run(Document::folder(folder)?)? {
        println!("{}: {:?}", finished.name(), finished.outcome());
    }
    Ok(())
}
