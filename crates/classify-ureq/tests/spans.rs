//! What the `tracing` feature shows of a request.
#![cfg(feature = "tracing")]

use classify_proto::machine::Retry;
use classify_proto::v2::{GetJob, ListJobs};
use classify_scenarios::Notes;
use classify_ureq::Client;

#[test]
fn an_attempt_is_a_span() {
    let (_listener, api) = Notes::service();
    let notes = Notes::default();
    let guard = tracing::subscriber::set_default(notes.clone());
    let client = Client::new(api).retry(Retry::never());
    client.call(ListJobs::new()).expect("an empty page");
    client.call(GetJob::new("clj-1")).unwrap_err();
    drop(guard);
    notes.hold();
}
