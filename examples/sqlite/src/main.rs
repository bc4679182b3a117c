//! A bulk run whose journal is a SQLite database: `classify-sqlite DATABASE FOLDER`.
//!
//! The records of the run and the results are in one database. They are written before the requests that depend on
//! them. If you kill the program and start it again, it continues; each document is classified once and paid for once.

use std::error::Error;

use classify_ureq::machine::{Bulk, BulkEvent, BulkOptions, Journal};
use classify_ureq::v2::{Configuration, Rule};
use classify_ureq::{Client, Document};
use rusqlite::Connection;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [database, folder] = &arguments[..] else {
        return Err("usage: classify-sqlite DATABASE FOLDER".into());
    };
    classify(&Client::from_env()?, &Connection::open(database)?, folder)
}

fn classify(client: &Client, database: &Connection, folder: &str) -> Result<(), Box<dyn Error>> {
    database.execute_batch(
        "CREATE TABLE IF NOT EXISTS records (line TEXT NOT NULL);
         CREATE TABLE IF NOT EXISTS results (name TEXT PRIMARY KEY, status TEXT NOT NULL, type TEXT);",
    )?;
    let mut journal = Journal::new();
    let mut lines = database.prepare("SELECT line FROM records ORDER BY rowid")?;
    for line in lines.query_map([], |row| row.get::<_, String>(0))? {
        journal.push_line(line?.trim_end().as_bytes())?;
    }

    let rules = Configuration::new([
        Rule::new("invoice", "has an invoice number and a total amount"),
        Rule::new("contract", "an agreement that two parties sign"),
    ]);
    let bulk = Bulk::new(client.api(), rules, BulkOptions::default(), client.seed()?)?;
    let mut running = client.start(bulk.with_journal(journal)?);
    let mut documents = Document::folder(folder)?;
    while let Some(event) = running.next() {
        match event {
            BulkEvent::NeedDocuments(capacity) => {
                for document in documents.by_ref().take(capacity) {
                    let name = document.name().to_owned();
                    match document.hash() {
                        Ok(document) => running.machine_mut().push(document),
                        Err(error) => eprintln!("{name}: {error}"),
                    }
                }
            }
            // Requests that depend on the record are sent only after the machine is polled again.
            BulkEvent::Record(record) => {
                database.execute("INSERT INTO records VALUES (?1)", [record.to_line()])?;
            }
            BulkEvent::Finished(finished) => {
                for name in &finished.names {
                    database.execute(
                        "INSERT OR REPLACE INTO results VALUES (?1, ?2, ?3)",
                        (
                            name,
                            finished.report.status.as_str(),
                            &finished.report.r#type,
                        ),
                    )?;
                }
            }
            _ => {}
        }
    }
    match running.output().and_then(|summary| summary.error()) {
        Some(error) => Err(error.to_string().into()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use classify_emulator::{Config, Emulator};
    use classify_ureq::Api;

    use super::*;

    #[test]
    fn run_in_database_is_resumed_without_request() {
        let emulator = Emulator::start(Config::default()).unwrap();
        let api = Api::builder(emulator.key()).base_url(emulator.base_url());
        let client = Client::new(api.build().unwrap());
        let folder = tempfile::tempdir().unwrap();
        for number in 0..5 {
            let text = format!("Invoice {number}, total amount {number}.00");
            std::fs::write(folder.path().join(format!("{number}.txt")), text).unwrap();
        }
        let database = Connection::open_in_memory().unwrap();
        let path = folder.path().to_str().unwrap();
        classify(&client, &database, path).unwrap();
        let count = |query| database.query_row(query, [], |row| row.get::<_, i64>(0));
        let query = "SELECT count(*) FROM results WHERE status = 'COMPLETED'";
        assert_eq!(count(query), Ok(5));
        assert_eq!(emulator.job_count(), 5);

        let before = emulator.request_count();
        classify(&client, &database, path).unwrap();
        assert_eq!(emulator.request_count(), before);
        assert_eq!(count(query), Ok(5));
    }
}
