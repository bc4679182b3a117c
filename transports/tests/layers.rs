//! Tower layers under a bulk run over hyper.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use classify_client::classify_proto::http::{HeaderValue, Request};
use classify_client::classify_proto::machine::{BulkOptions, Limiter, PollInterval};
use classify_client::{Client, Document, RequestBody};
use classify_emulator::{Config, RateLimits, Route};
use classify_scenarios::{api, rules};
use classify_transports::hyper;
use tower::limit::ConcurrencyLimitLayer;
use tower::{Service as _, ServiceBuilder, service_fn};

const DOCUMENTS: usize = 50;

/// The number of requests that the limit lets through at once. The client alone would send more.
const CONCURRENCY: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn layers_add_header_and_limit_concurrency_of_bulk_run() {
    let config = Config::default()
        .rate_limits(RateLimits::none())
        .running_after(Duration::from_millis(5))
        .completed_after(Duration::from_millis(20));
    let emulator = classify_emulator::Emulator::start(config).expect("the emulator starts");

    // The innermost service counts the requests that both layers have let through.
    let (in_flight, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let most_seen = Arc::clone(&most);
    let client = hyper::service();
    let counted = service_fn(move |request: Request<RequestBody>| {
        let (mut client, in_flight) = (client.clone(), Arc::clone(&in_flight));
        most.fetch_max(
            in_flight.fetch_add(1, Ordering::SeqCst) + 1,
            Ordering::SeqCst,
        );
        async move {
            let response = client.call(request).await;
            in_flight.fetch_sub(1, Ordering::SeqCst);
            response
        }
    });
    let service = ServiceBuilder::new()
        .map_request(|mut request: Request<RequestBody>| {
            let tenant = HeaderValue::from_static("accounting");
            request.headers_mut().insert("x-tenant", tenant);
            request
        })
        .layer(ConcurrencyLimitLayer::new(CONCURRENCY))
        .service(counted);

    let api = api(emulator.base_url(), emulator.key());
    let short = Duration::from_millis(20);
    let options = BulkOptions::default().poll_interval(PollInterval::new(short, short * 5));
    let client =
        Client::with_transport(hyper::tower(service), api.clone()).limiter(Limiter::unlimited());
    let documents = (0..DOCUMENTS).map(|n| {
        Document::bytes(
            format!("{n}.txt"),
            format!("Invoice {n}, total amount {n}.00"),
        )
    });
    let run = client.bulk(rules()).limits(options).run(documents);
    let mut run = run.await.expect("a run");
    let mut completed = 0;
    while let Some(finished) = run.next().await {
        completed += usize::from(finished.outcome().is_ok());
    }

    assert_eq!(completed, DOCUMENTS, "{:?}", run.summary());
    assert_eq!(emulator.job_count(), DOCUMENTS);
    assert_eq!(emulator.count(Route::ClassifyCreate), DOCUMENTS as u64);
    for request in emulator.requests() {
        assert_eq!(
            request.header("x-tenant"),
            Some("accounting"),
            "{request:?}"
        );
    }
    assert_eq!(most_seen.load(Ordering::SeqCst), CONCURRENCY);
}
