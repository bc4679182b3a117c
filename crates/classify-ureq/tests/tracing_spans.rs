//! Spans of the `tracing` feature.
#![cfg(feature = "tracing")]

use classify_proto::machine::Retry;
use classify_proto::v2::{GetJob, ListJobs};
use classify_scenarios::RecordedSpans;
use classify_ureq::Client;

#[test]
fn tracing_span_of_attempt_records_outcome_and_redacts_secrets() {
    let (_server, api) = RecordedSpans::server_and_api();
    let spans = RecordedSpans::default();
    let guard = tracing::subscriber::set_default(spans.clone());
    let client = Client::new(api).retry(Retry::never());
    client.call(ListJobs::new()).expect("an empty page");
    client.call(GetJob::new("clj-1")).unwrap_err();
    drop(guard);
    spans.assert_redacted();
}
