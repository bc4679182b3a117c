//! The command line, `classify`, a bulk run and a pool: the same content under the same rules is the same job.

mod common;

use classify_emulator::Config;
use classify_ureq::machine::Limiter;
use classify_ureq::v2::{Configuration, Rule};
use classify_ureq::{Api, Client, Document};
use common::{Sandbox, run_bulk};

fn client(sandbox: &Sandbox) -> Client {
    let api = Api::builder(sandbox.emulator.key()).base_url(sandbox.emulator.base_url());
    Client::new(api.build().unwrap()).limiter(Limiter::unlimited())
}

/// The rules of the sandbox's file.
fn rules() -> Configuration {
    Configuration::new([
        Rule::new(
            "invoice",
            "An invoice asks for payment of an amount by a due date.",
        ),
        Rule::new(
            "recipe",
            "A recipe lists ingredients and how to cook a meal with them.",
        ),
    ])
}

#[test]
fn idempotency_command_line_and_library_share_jobs() {
    let sandbox = Sandbox::with(Config::default());
    let client = client(&sandbox);
    let documents = || Document::folder(sandbox.path().join("docs")).unwrap();
    let first: Vec<_> = documents()
        .map(|document| client.classify(document, rules()).unwrap().id)
        .collect();
    let bulk: Vec<_> = client.bulk(rules()).run(documents()).unwrap().collect();
    let pool = client.pool(rules()).unwrap();
    let pooled: Vec<_> = documents()
        .map(|document| pool.classify(document))
        .collect();
    let rows = run_bulk(&sandbox, &["--format", "json"])
        .assert_exit(0)
        .json();
    assert_eq!(sandbox.emulator.job_count(), first.len());
    for (index, id) in first.iter().enumerate() {
        let found = |item: &classify_ureq::Finished| item.report().job_id.as_ref() == Some(id);
        assert!(bulk.iter().any(found));
        assert!(found(&pooled[index]));
        assert_eq!(rows[index]["job_id"], **id);
    }
}
