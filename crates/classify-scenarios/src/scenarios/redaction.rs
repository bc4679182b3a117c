//! Keys, secrets and documents never appear in errors, `Debug` or saved states.

use std::time::Duration;

use classify_emulator::{Config, Fault, FaultSchedule};
use classify_proto::machine::Saved;
use classify_proto::machine::{ContentKey, HashedDocument};
use classify_proto::v2::{
    Configuration, CreateJob, GetJob, JobOptions, Rule, WebhookConfiguration,
};
use classify_proto::{Api, Error, TransportLimits};

use crate::driver::{Driver, Settings};
use crate::scripted_server::{ResponseScript, ScriptedServer, response};
use crate::test_bench::{TestBench, rules};

const CANARY: &str = "canary";

fn canary_api(url: &str) -> Api {
    Api::builder("llx-canary-key")
        .base_url(url)
        .header("X-Other-Key", "canary-header")
        .build()
        .expect("an api")
}

/// Returns every text of an error and its causes.
fn error_texts(error: &Error) -> String {
    let mut text = format!("{error}\n{error:?}\n{error:#?}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}\n{error}\n{error:?}");
        cause = error.source();
    }
    text
}

fn document() -> HashedDocument {
    HashedDocument::bytes("invoice.txt", "canary words of a document")
}

fn job_options() -> JobOptions {
    let webhook =
        WebhookConfiguration::new("https://hooks.example/x").signing_secret("canary-secret");
    JobOptions::from(rules()).webhook(webhook)
}

/// With every kind of fault, neither the key, an extra header, a signing secret nor the text of a document is in the
/// `Debug` of a client or a machine, in an error or its causes, or in a saved state.
pub fn redact_secrets_in_errors_debug_output_and_saved_state<D: Driver>() {
    let mut outputs = Vec::new();
    let settings = Settings {
        retry: Settings::default().retry.max_retries(1),
        wait_timeout: Duration::from_millis(300),
        limits: TransportLimits::default().response(Duration::from_millis(200)),
        ..Settings::default()
    };

    // One of every fault.
    let bench = TestBench::<D>::with_settings(Config::default(), settings);
    let driver = D::new(canary_api(bench.emulator.base_url()), settings);
    outputs.push(driver.debug());
    let mut failures = 0;
    for fault in Fault::ALL {
        bench
            .emulator
            .set_faults(FaultSchedule::new().with(fault.always()));
        if matches!(*fault, Fault::RateLimitedSeconds | Fault::RateLimitedDate) {
            // These faults only delay.
            continue;
        }
        if let Err(error) = driver.classify(document().into(), job_options()) {
            failures += 1;
            outputs.push(error_texts(&error));
        }
    }
    assert!(failures > 20, "{failures} faults were failures");

    // A server that returns the headers of the request.
    let echo_server = ScriptedServer::start(|number, request| {
        let headers: Vec<_> = ["authorization", "x-other-key"]
            .iter()
            .filter_map(|name| Some((*name, request.header(name)?)))
            .collect();
        assert_eq!(headers.len(), 2);
        let status = [400, 422, 502][number % 3];
        ResponseScript::Respond(response(status, &headers, b"nothing but the status"))
    });
    let driver = D::new(canary_api(&echo_server.base_url()), settings);
    for _ in 0..3 {
        outputs.push(error_texts(
            &driver
                .classify(document().into(), job_options())
                .unwrap_err(),
        ));
        outputs.push(error_texts(&driver.call(GetJob::new("clj-1")).unwrap_err()));
    }

    // Rejected before sending.
    let short = CreateJob::new("pjb-1", Configuration::new([Rule::new("a", "b")]));
    outputs.push(error_texts(&driver.run(short).unwrap_err()));
    let key = ContentKey::of(b"x");
    let missing_file =
        HashedDocument::path("a", "/no/such/file.txt", key).expect("a path to a file");
    outputs.push(error_texts(
        &driver
            .classify(missing_file.into(), job_options())
            .unwrap_err(),
    ));

    // Machines and their saved states.
    let run = driver.document_run(document(), job_options());
    outputs.push(format!("{run:?}"));
    outputs.push(run.save().expect("a state"));

    for text in outputs {
        assert!(!text.contains(CANARY), "{text}");
    }
}
