//! Spans of the `tracing` feature.
#![cfg(feature = "tracing")]

use classify_proto::machine::Retry;
use classify_proto::v2::{GetJob, ListJobs};
use classify_reqwest::Client;
use classify_scenarios::RecordedSpans;

// On one thread, because the subscriber is this thread's.
#[tokio::test]
async fn tracing_span_of_attempt_records_outcome_and_redacts_secrets() {
    let (_server, api) = RecordedSpans::server_and_api();
    let spans = RecordedSpans::default();
    let guard = tracing::subscriber::set_default(spans.clone());
    let client = Client::new(api).retry(Retry::never());
    client.call(ListJobs::new()).await.expect("an empty page");
    client.call(GetJob::new("clj-1")).await.unwrap_err();
    drop(guard);
    spans.assert_redacted();
}
