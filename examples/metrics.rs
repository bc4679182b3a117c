//! Updates counters and a histogram of the `metrics` crate from an observer, and prints the counters.
//!
//! `cargo run -p classify-examples --bin metrics -- --emulator [DOCUMENT]`
//!
//! Without `--emulator`, it calls the service with the key in `LLAMA_CLOUD_API_KEY`.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use classify_ureq::machine::{AttemptInfo, AttemptOutcome, CircuitState, Observer, WaitInfo};
use classify_ureq::v2::{Configuration, Job, Rule};
use classify_ureq::{Api, Client, Document};
use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit, counter,
    gauge, histogram,
};

const DOCUMENT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/documents/2025/invoice-1047.pdf"
);

/// Records events as metrics. Labels have few values, so ids are not labels.
struct Metrics;

impl Observer for Metrics {
    fn attempt_ended(&self, attempt: &AttemptInfo, outcome: &AttemptOutcome<'_>) {
        let result = match outcome.result {
            Ok(status) => status.as_u16().to_string(),
            Err(failure) => format!("{:?}", failure.kind()),
        };
        let operation = attempt.operation;
        counter!("classify_attempts", "operation" => operation, "result" => result).increment(1);
        histogram!("classify_attempt_seconds", "operation" => operation).record(outcome.duration);
    }

    fn waiting(&self, wait: &WaitInfo<'_>) {
        let (operation, reason) = (wait.operation, wait.reason.label());
        counter!("classify_waits", "operation" => operation, "reason" => reason).increment(1);
    }

    fn circuit_breaker(&self, state: CircuitState) {
        let is_closed = state == CircuitState::Closed;
        gauge!("classify_circuit_closed").set(if is_closed { 1.0 } else { 0.0 });
    }
}

/// Keeps counters in memory. Your program would use an exporter instead, such as `metrics-exporter-prometheus`.
#[derive(Clone, Default)]
struct Counters(Arc<Mutex<BTreeMap<String, Arc<AtomicU64>>>>);

impl Counters {
    fn lines(&self) -> Vec<String> {
        let counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |(name, count): (&String, &Arc<AtomicU64>)| {
            format!("{name} {}", count.load(Ordering::Relaxed))
        };
        counters.iter().map(line).collect()
    }
}

impl Recorder for Counters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels: Vec<_> = key
            .labels()
            .map(|label| format!("{}={:?}", label.key(), label.value()))
            .collect();
        let name = format!("{}{{{}}}", key.name(), labels.join(","));
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Counter::from_arc(Arc::clone(counters.entry(name).or_default()))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let emulated = arguments.first().is_some_and(|first| first == "--emulator");
    if emulated {
        arguments.remove(0);
    }
    let path = arguments.pop().unwrap_or_else(|| DOCUMENT.to_owned());
    let counters = Counters::default();
    metrics::set_global_recorder(counters.clone())?;

    // The emulator stops when it is dropped, so it is kept until the end.
    let (client, _emulator) = if emulated {
        let emulator = classify_emulator::Emulator::start(classify_emulator::Config::default())?;
        let api = Api::builder(emulator.key()).base_url(emulator.base_url());
        (Client::new(api.build()?), Some(emulator))
    } else {
        (Client::from_env()?, None)
    };
    let client = client.observer(Arc::new(Metrics));
    let job = classify(&client, &path)?;
    println!("{:?}", job.outcome());
    for line in counters.lines() {
        println!("{line}");
    }
    Ok(())
}

fn classify(client: &Client, path: &str) -> Result<Job, Box<dyn Error>> {
    let rules = Configuration::new([Rule::new(
        "invoice",
        "has an invoice number, line items and a total amount due",
    )]);
    Ok(client.classify(Document::open(path)?, rules)?)
}

#[cfg(test)]
mod tests {
    use classify_emulator::{Config, Emulator, Fault, FaultSchedule, Route};

    use super::*;

    #[test]
    fn metrics_count_attempts_and_waits() {
        let faults = FaultSchedule::new().with(Fault::Unavailable.nth(1).on(Route::ClassifyCreate));
        let emulator = Emulator::start(Config::default().faults(faults)).unwrap();
        let api = Api::builder(emulator.key()).base_url(emulator.base_url());
        let client = Client::new(api.build().unwrap()).observer(Arc::new(Metrics));
        let counters = Counters::default();
        // A single call runs on this thread, and so does its observer.
        metrics::with_local_recorder(&counters, || classify(&client, DOCUMENT).unwrap());
        let lines = counters.lines();
        for expected in [
            r#"classify_attempts{operation="files.create",result="201"} 1"#,
            r#"classify_attempts{operation="classify.create",result="503"} 1"#,
            r#"classify_attempts{operation="classify.create",result="200"} 1"#,
            r#"classify_waits{operation="classify.create",reason="backoff"} 1"#,
        ] {
            assert!(
                lines.iter().any(|line| line == expected),
                "{expected}: {lines:?}"
            );
        }
    }
}
