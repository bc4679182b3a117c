//! Behaviour that is specific to reqwest: caller-supplied clients, TLS, dropped futures.

use std::time::Duration;

use classify_emulator::{Config, Emulator, Fault, FaultSchedule, Route, Script};
use classify_proto::files::UploadFile;
use classify_proto::machine::{
    Bulk, BulkEvent, BulkOptions, DocumentStatus, ErrorScope, HashedDocument, Limiter,
    PollInterval, Run,
};
use classify_proto::v2::{GetJob, JobStatus, ListJobs};
use classify_proto::{Error, Seed};
use classify_reqwest::{Client, Document};
use classify_scenarios::{ResponseScript, ScriptedServer, api, create, document, response, rules};

use tokio::runtime::Handle;

const JOB: &[u8] = br#"{"id": "clj-1", "status": "RUNNING"}"#;

fn job() -> ScriptedServer {
    ScriptedServer::start(|_, _| ResponseScript::Respond(response(200, &[], JOB)))
}

/// Returns a caller-supplied reqwest client with its own TLS provider.
fn builder() -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder();
    #[cfg(any(feature = "rustls", feature = "aws-lc"))]
    let builder = {
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows them")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        builder.tls_backend_preconfigured(config)
    };
    builder
}

/// Compiles only while every future and stream may move between threads.
#[test]
fn client_futures_and_streams_are_send() {
    fn send<T: Send>(_: &T) {}
    fn shared<T: Send + Sync + Clone + 'static>(_: &T) {}

    let client = Client::new(api("http://127.0.0.1:1", "llx-key"));
    shared(&client);
    send(&client.call(GetJob::new("clj-1")));
    send(&client.wait("clj-1"));
    send(&client.run(create()));
    send(&client.classify(document().into(), rules()));
    send(&client.list(ListJobs::new()));
    send(&client.pages(ListJobs::new()));
    send(&client.list(ListJobs::new()).next());
    send(&client.call_raw(GetJob::new("clj-1")));
    let run = || client.document_run(document(), rules()).expect("a seed");
    send(&client.drive(run(), drop));
    let mut running = client.start(run());
    send(&running);
    shared(&running.stop_handle());
    send(&running.next());
    send(&running.finish());
}

#[tokio::test]
async fn pagination_is_a_stream_that_ends_after_last_page() {
    fn stream<S: futures_core::Stream<Item = Result<T, Error>> + Unpin, T>(_: &S) {}

    let server = ScriptedServer::start(|number, _| {
        let token = ["\"a\"", "\"b\"", "null"][number.min(2)];
        let page = format!(
            r#"{{"items": [{{"id": "clj-{number}", "status": "RUNNING"}}], "next_page_token": {token}}}"#
        );
        ResponseScript::Respond(response(200, &[], page.as_bytes()))
    });
    let client = Client::new(api(&server.base_url(), "llx-key"));
    let mut pages = client.pages(ListJobs::new());
    stream(&pages);
    let mut count = 0;
    while let Some(page) = pages.next().await {
        assert_eq!(page.expect("a page").items.len(), 1);
        count += 1;
    }
    assert_eq!(count, 3);
    assert!(pages.next().await.is_none());
}

/// The future is dropped after the service has created the job and before its response has come. The resumed machine
/// finds the job.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idempotency_resume_of_dropped_future_makes_one_job() {
    let faults = FaultSchedule::new().with(Fault::HangAfter.nth(1).on(Route::ClassifyCreate));
    let emulator = Emulator::start(Config::default().faults(faults)).expect("an emulator");
    emulator.add_parse_job("pjb-1", "Invoice 4711");
    let client = Client::new(api(emulator.base_url(), emulator.key()));
    let mut run = Run::new(create(), client.seed().expect("a seed"));

    // Polled until the job exists, then dropped.
    let mut driven = Box::pin(client.drive(&mut run, drop));
    while emulator.job_count() == 0 {
        let slice = tokio::time::timeout(Duration::from_millis(5), &mut driven).await;
        assert!(slice.is_err(), "the response is delayed");
    }
    drop(driven);
    assert_eq!(emulator.count(Route::ClassifyCreate), 1);

    let job = client.drive(&mut run, drop).await.expect("the job ends");
    assert_eq!(job.status, JobStatus::Completed);
    assert_eq!(emulator.job_count(), 1);
    assert_eq!(emulator.count(Route::ClassifyCreate), 2);
}

/// A response from another URL, after a redirect that a caller-supplied client followed, is rejected.
#[tokio::test]
async fn redirect_followed_by_custom_client_is_rejected() {
    let other = job();
    let target = format!("{}/elsewhere", other.base_url());
    let server = ScriptedServer::start(move |_, _| {
        ResponseScript::Respond(response(307, &[("location", &target)], b""))
    });
    let follower = builder().build().expect("a client");
    let client = Client::with_transport(
        classify_reqwest::Transport::from_client(follower),
        api(&server.base_url(), "llx-key"),
    );
    let error = client.call(GetJob::new("clj-1")).await.unwrap_err();
    assert!(error.to_string().contains("Policy::none()"), "{error}");
    assert_eq!(server.requests().len(), 1);
    let requests = other.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].header("authorization"), None);

    let strict = builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client");
    let client = Client::with_transport(
        classify_reqwest::Transport::from_client(strict),
        api(&server.base_url(), "llx-key"),
    );
    let error = client.call(GetJob::new("clj-1")).await.unwrap_err();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(307));
    assert_eq!(other.requests().len(), 1);
}

/// A program may contain both providers of rustls. The client selects one and ignores the process-wide default.
#[tokio::test]
async fn tls_default_client_works_with_any_compiled_provider() {
    let server = job();
    let client = Client::new(api(&server.base_url(), "llx-key"));
    assert!(client.call(GetJob::new("clj-1")).await.is_ok());
}

#[cfg(not(any(feature = "rustls", feature = "aws-lc", feature = "native-tls")))]
#[tokio::test]
async fn tls_feature_missing_error_for_https_names_features() {
    use classify_proto::machine::Retry;
    use classify_proto::{Api, ErrorKind};

    let https = Api::builder("llx-key").build().expect("an api");
    let create = classify_proto::v2::CreateJob::new("pjb-1", rules());
    for client in [
        Client::new(https.clone()),
        Client::with_transport(
            classify_reqwest::Transport::from_client(builder().build().expect("a client")),
            https,
        ),
    ] {
        let client = client.retry(Retry::never());
        let error = client.run(create.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transport);
        assert!(error.is_refused() && !error.is_ambiguous(), "{error}");
        assert_eq!(error.attempts(), 0, "{error}");
        assert!(
            error.to_string().contains("rustls, aws-lc, native-tls"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn io_kind_of_refused_connection() {
    use classify_proto::machine::Retry;

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", nobody.local_addr().expect("an address"));
    drop(nobody);
    let client = Client::new(api(&url, "llx-key")).retry(Retry::never());
    let error = client.call(GetJob::new("clj-1")).await.unwrap_err();
    let kind = std::io::ErrorKind::ConnectionRefused;
    assert_eq!(error.io_kind(), Some(kind), "{error}");
    assert_eq!(error.attempts(), 1, "{error}");
}

/// The document iterator and the record handler of a run may use the same client, because no lock is held.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_input_and_record_handling_may_use_the_same_client() {
    let emulator = Emulator::start(Config::default()).expect("an emulator");
    let api = api(emulator.base_url(), emulator.key());
    let client = Client::new(api.clone());
    let client_clone = client.clone();
    let list_once = move || {
        let call = client_clone.call(ListJobs::new());
        let page = tokio::task::block_in_place(|| Handle::current().block_on(call));
        page.map(drop).expect("a page");
    };
    let ask = list_once.clone();
    let documents = (0..3).map(move |number| {
        list_once();
        Document::bytes(format!("{number}.txt"), format!("Invoice {number}"))
    });
    // On a separate thread: a deadlocked run cannot be dropped either.
    let (done, ended) = std::sync::mpsc::channel();
    tokio::spawn(async move {
        let run = client.bulk(rules()).run(documents).await;
        let mut run = run.expect("a run");
        let mut classified = 0;
        while let Some(finished) = run.next().await {
            ask();
            classified += usize::from(finished.outcome().is_ok());
        }
        let options = BulkOptions::default();
        let bulk = Bulk::new(&api, rules(), options, Seed::new([7; 16])).expect("good rules");
        let mut running = client.start(bulk);
        let document = HashedDocument::bytes("a.txt", "Invoice 7");
        running.machine_mut().push(document);
        running.machine_mut().close();
        while let Some(event) = running.next().await {
            if let BulkEvent::Record(_) = event {
                ask();
            }
        }
        let summary = running.output().expect("an output");
        let _ = done.send(classified + summary.count(&DocumentStatus::Completed));
    });
    let ended =
        tokio::task::spawn_blocking(move || ended.recv_timeout(Duration::from_secs(60))).await;
    assert_eq!(ended.expect("it does not panic"), Ok(4));
}

/// Without a runtime, the client returns an error and does not panic.
#[test]
fn runtime_missing_is_an_error_and_not_a_panic() {
    use std::future::Future as _;
    use std::task::{Context, Poll, Waker};

    let client = Client::new(api("http://127.0.0.1:1", "llx-key"));
    let upload = UploadFile::new("a.txt", b"text".to_vec());
    let mut call = std::pin::pin!(client.call(upload));
    let Poll::Ready(Err(error)) = call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    else {
        panic!("nothing to wait for");
    };
    assert!(error.to_string().contains("Tokio"), "{error}");
}

fn invoice(number: usize) -> Document {
    let text = format!("Invoice {number}, total amount {number}.00");
    Document::bytes(format!("{number}.txt"), text)
}

fn quick(emulator: &Emulator) -> Client {
    let short = Duration::from_millis(20);
    Client::new(api(emulator.base_url(), emulator.key()))
        .limiter(Limiter::unlimited())
        .poll_interval(PollInterval::new(short, short * 5))
}

/// Documents of a stream are classified as they arrive. The run ends with the stream.
#[tokio::test]
async fn bulk_run_over_stream_classifies_documents_as_they_come() {
    let config = Config::default().completed_after(Duration::from_millis(20));
    let emulator = Emulator::start(config).expect("an emulator");
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        for number in 0..10 {
            sender.send(invoice(number)).await.expect("a run");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let client = quick(&emulator);
    let mut run = client
        .bulk(rules())
        .run_stream(Received(receiver))
        .await
        .expect("a run");
    let mut classified = 0;
    while let Some(finished) = run.next().await {
        classified += usize::from(finished.outcome().is_ok());
    }
    assert_eq!(classified, 10);
    assert!(run.summary().expect("a summary").is_complete());
    assert_eq!(emulator.job_count(), 10);
}

/// The stream is not terminated before its last item, also in a run that was stopped.
#[tokio::test]
async fn bulk_run_is_terminated_after_its_last_item() {
    use futures_core::stream::FusedStream as _;

    let emulator = Emulator::start(Config::default()).expect("an emulator");
    let client = quick(&emulator);
    let documents: Vec<_> = (0..40).map(invoice).collect();
    let mut run = client.bulk(rules()).run(documents).await.expect("a run");
    run.stop();
    let mut items = 0;
    while !run.is_terminated() {
        items += usize::from(run.next().await.is_some());
    }
    assert_eq!(items, 40);
    assert!(run.next().await.is_none());
}

struct Received(tokio::sync::mpsc::Receiver<Document>);

impl futures_core::Stream for Received {
    type Item = Document;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Document>> {
        self.0.poll_recv(cx)
    }
}

/// The job of a caller that goes away is returned to later callers. The driver of a pool ends with the last pool.
#[tokio::test]
async fn pool_callers_that_go_away_cost_nothing_and_driver_ends_with_last_pool() {
    let config = Config::default().completed_after(Duration::from_millis(20));
    let emulator = Emulator::start(config).expect("an emulator");
    let client = quick(&emulator);
    let (pool, driver) = client.pool_with_driver(rules()).expect("a pool");
    // The driver is not polled yet, so nothing is sent for these.
    for number in 0..5 {
        let call = pool.classify(invoice(number));
        assert!(
            tokio::time::timeout(Duration::from_millis(5), call)
                .await
                .is_err()
        );
    }
    let driver = tokio::spawn(driver);
    let finished = pool.classify(invoice(7)).await;
    assert!(finished.outcome().is_ok(), "{finished:?}");
    assert_eq!(emulator.job_count(), 1);
    drop(pool);
    driver.await.expect("the driver ends");
}

/// Calls of a pool whose driver was dropped return an error.
#[tokio::test]
async fn pool_without_driver_answers_with_error() {
    let emulator = Emulator::start(Config::default()).expect("an emulator");
    let (pool, driver) = quick(&emulator).pool_with_driver(rules()).expect("a pool");
    drop(driver);
    let finished = pool.classify(invoice(1)).await;
    assert_eq!(finished.name(), "1.txt");
    assert_eq!(
        finished.outcome().expect_err("no answer").scope(),
        ErrorScope::Run
    );
    assert_eq!(emulator.request_count(), 0);
}

/// A panic of a reader is an error of its document, both in a run over an iterator and in one over a stream. A panic of
/// the iterator ends the run with an error.
#[tokio::test]
async fn bulk_run_reports_panics_of_readers_and_iterators() {
    struct Panics;

    impl std::io::Read for Panics {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            panic!("a bug in a reader")
        }
    }

    let config = Config::default().completed_after(Duration::from_millis(20));
    let emulator = Emulator::start(config).expect("an emulator");
    let client = quick(&emulator);
    let documents = || vec![invoice(1), Document::reader("bad.txt", Panics), invoice(2)];

    let run = client.bulk(rules()).run(documents()).await;
    let mut run = run.expect("a run");
    let mut names = Vec::new();
    while let Some(finished) = run.next().await {
        names.push((finished.name().to_owned(), finished.outcome().is_ok()));
    }
    names.sort();
    let expected = [("1.txt", true), ("2.txt", true), ("bad.txt", false)];
    assert_eq!(names, expected.map(|(name, ok)| (name.to_owned(), ok)));

    let (sender, receiver) = tokio::sync::mpsc::channel(3);
    for document in documents() {
        sender.send(document).await.expect("room");
    }
    drop(sender);
    let run = client.bulk(rules()).run_stream(Received(receiver)).await;
    let mut run = run.expect("a run");
    let mut names = Vec::new();
    while let Some(finished) = run.next().await {
        names.push((finished.name().to_owned(), finished.outcome().is_ok()));
    }
    names.sort();
    assert_eq!(names, expected.map(|(name, ok)| (name.to_owned(), ok)));

    let panics = (0..3).map(|number| {
        assert!(number < 2, "a bug in an iterator");
        invoice(number)
    });
    let run = client.bulk(rules()).run(panics).await;
    let mut run = run.expect("a run");
    let mut names = Vec::new();
    while let Some(finished) = run.next().await {
        names.push(finished.name().to_owned());
    }
    names.sort();
    assert_eq!(names, ["0.txt", "1.txt"]);
    let summary = run.summary().expect("a summary");
    assert!(!summary.is_complete(), "{summary:?}");
    assert!(
        summary
            .error()
            .expect("an error")
            .to_string()
            .contains("panicked")
    );
    // Each document before the panic has an item, whether it was started or not.
    assert!(emulator.job_count() <= 4);
}

/// An iterator that waits for its next document does not delay the previous one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_run_over_waiting_iterator_classifies_documents_before_it_goes_on() {
    let config = Config::default().completed_after(Duration::from_millis(20));
    let emulator = Emulator::start(config).expect("an emulator");
    let (sender, receiver) = std::sync::mpsc::channel();
    sender.send(invoice(0)).expect("a run");
    let client = quick(&emulator);
    let mut run = client
        .bulk(rules())
        .run(receiver.into_iter())
        .await
        .expect("a run");
    // Each document is sent when the one before has finished.
    for number in 1..=3 {
        let finished = tokio::time::timeout(Duration::from_secs(30), run.next()).await;
        let finished = finished.expect("the iterator holds nothing back");
        assert!(finished.expect("an item").outcome().is_ok());
        if number < 3 {
            sender.send(invoice(number)).expect("a run");
        }
    }
    drop(sender);
    assert!(run.next().await.is_none());
    assert_eq!(emulator.job_count(), 3);
}

/// The client's poll interval also applies to its bulk runs and pools.
#[tokio::test]
async fn poll_interval_of_client_applies_to_bulk_runs_and_pools() {
    let config = Config::default().completed_after(Duration::from_millis(600));
    let emulator = Emulator::start(config).expect("an emulator");
    let client = quick(&emulator);
    let run = client.bulk(rules()).run([invoice(1)]).await;
    let mut run = run.expect("a run");
    assert!(run.next().await.expect("an item").outcome().is_ok());
    let of_bulk = emulator.count(Route::ClassifyList);
    let pool = client.pool(rules()).expect("a pool");
    assert!(pool.classify(invoice(2)).await.outcome().is_ok());
    let of_pool = emulator.count(Route::ClassifyList) - of_bulk;
    // At the default of two seconds, one poll would find the job at its end.
    assert!(of_bulk > 1 && of_pool > 1, "{of_bulk} {of_pool}");
}

/// Without credits, new callers get an error immediately. The caller whose job is paid for gets its result.
#[tokio::test]
async fn pool_without_credits_answers_new_callers_while_paid_job_is_open() {
    let hour = Duration::from_secs(3600);
    let schedule =
        FaultSchedule::new().with(Fault::PaymentRequired.nth(2).on(Route::ClassifyCreate));
    let config = Config::default()
        .virtual_clock()
        .script(Script::any().takes(hour))
        .faults(schedule);
    let emulator = Emulator::start(config).expect("an emulator");
    let pool = quick(&emulator).pool(rules()).expect("a pool");
    let paid = tokio::spawn({
        let pool = pool.clone();
        async move { pool.classify(invoice(0)).await }
    });
    while emulator.job_count() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for number in 1..4 {
        let call = pool.classify(invoice(number));
        let finished = tokio::time::timeout(Duration::from_secs(30), call).await;
        let finished = finished.expect("an answer while the job is open");
        let error = finished.outcome().expect_err("no credits");
        assert_eq!(error.scope(), ErrorScope::Run);
        assert!(error.to_string().contains("402"), "{error}");
    }
    emulator.advance(hour);
    assert!(paid.await.expect("an answer").outcome().is_ok());
    assert_eq!(emulator.job_count(), 1);
}
