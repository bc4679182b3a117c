//! Transports that panic, return late, return too much, or never return.
#![cfg(all(feature = "async", feature = "blocking"))]

#[path = "../../classify-proto/tests/sim/fed.rs"]
mod fed;
mod support;

use std::collections::BTreeSet;
use std::future::{Ready, pending, ready};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use classify_client::{Budget, Client, RequestBody, Transport, blocking};
use classify_proto::machine::{Call, Concurrent, ConcurrentEvent, Limiter, Machine, Retry, Run};
use classify_proto::v2::{GetJob, JobStatus};
use classify_proto::{Bytes, Error, ErrorKind, Failure, Proxy, Reply, Seed, TransportLimits, http};
use support::{Fate, SimTransport, Woken, api, create, document, file_document, job, rules};

/// Runs a function on a thread, and fails if it does not end.
fn ends<R: Send + 'static>(run: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, result) = channel();
    std::thread::spawn(move || {
        let _ = done.send(run());
    });
    result
        .recv_timeout(Duration::from_secs(60))
        .expect("it ends and does not panic")
}

fn blocking_client<T: blocking::Transport>(transport: T) -> blocking::Client<T> {
    blocking::Client::with_transport(transport, api()).limiter(Limiter::unlimited())
}

fn async_client<T: Transport>(transport: T) -> Client<T> {
    Client::with_transport(transport, api()).limiter(Limiter::unlimited())
}

/// Several concurrent creates, so that the blocking client sends them on threads.
fn runs(count: u64) -> Concurrent<Run> {
    let run = |number| {
        Run::new(
            create(format!("dfl-{number}")),
            Seed::new([7; 16]).derive(number),
        )
    };
    Concurrent::new((0..count).map(run), 8)
}

fn calls(count: u64, retry: Retry) -> Concurrent<Call<GetJob>> {
    let call =
        |number| Call::new(GetJob::new("clj-1"), Seed::new([7; 16]).derive(number)).retry(retry);
    Concurrent::new((0..count).map(call), 8)
}

/// Keeps the output of a machine.
fn finished<E, O>(results: &mut Vec<O>) -> impl FnMut(ConcurrentEvent<E, O>) {
    |event| {
        if let ConcurrentEvent::Finished(_, result) = event {
            results.push(result);
        }
    }
}

fn transaction_id(request: http::Request<RequestBody>) -> String {
    let mut body = request.into_body();
    let body: serde_json::Value = serde_json::from_reader(&mut body).expect("JSON");
    body["transaction_id"].as_str().expect("an id").to_owned()
}

/// An async transport that is a function from a request to a future.
struct Function<F>(F);

type Exchange = Pin<Box<dyn Future<Output = Reply> + Send>>;

impl<F: Fn(http::Request<RequestBody>, Budget) -> Exchange + 'static> Transport for Function<F> {
    type Exchange = Exchange;
    type Sleep = Ready<()>;

    fn send(&self, request: http::Request<RequestBody>, budget: Budget) -> Exchange {
        (self.0)(request, budget)
    }

    fn sleep(&self, _: Duration) -> Ready<()> {
        ready(())
    }
}

/// Polls a future that needs no waking.
fn now<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let woken = Woken::new();
    while woken.take() {
        if let Poll::Ready(output) = woken.poll(future.as_mut()) {
            return output;
        }
    }
    panic!("nothing wakes the future");
}

#[test]
fn blocking_transport_panic_is_an_error_without_second_create() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let client = blocking_client(
        move |request: http::Request<RequestBody>, _: Budget| -> Reply {
            transaction_id(request);
            count.fetch_add(1, Ordering::SeqCst);
            panic!("a bug of the transport")
        },
    );
    let other = client.clone();
    let error = ends(move || other.run(create("dfl-1"))).unwrap_err();
    assert!(error.is_ambiguous() || error.is_transport(), "{error}");
    assert!(error.to_string().contains("panicked"), "{error}");
    assert!(error.transaction_id().is_some(), "{error}");
    assert_eq!(sent.load(Ordering::SeqCst), 1);

    let results = ends(move || {
        let mut results = Vec::new();
        client.drive(runs(4), finished(&mut results));
        results
    });
    assert_eq!(results.len(), 4);
    assert!(results.iter().all(Result::is_err));
    assert_eq!(sent.load(Ordering::SeqCst), 5);
}

/// Each create is sent once, and ends in an error.
fn check_panic<T: Transport>(transport: impl Fn(Arc<AtomicUsize>) -> T) {
    let sent = Arc::new(AtomicUsize::new(0));
    let client = async_client(transport(Arc::clone(&sent)));
    let error = now(client.run(create("dfl-1"))).unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
    assert_eq!(sent.swap(0, Ordering::SeqCst), 1);
    let mut results = Vec::new();
    now(client.drive(runs(4), finished(&mut results)));
    assert_eq!(results.len(), 4);
    assert!(results.iter().all(Result::is_err));
    assert_eq!(sent.load(Ordering::SeqCst), 4);
}

#[test]
fn async_transport_panic_is_an_error_without_second_create() {
    let in_send = |count: Arc<AtomicUsize>| {
        Function(
            move |_: http::Request<RequestBody>, _: Budget| -> Exchange {
                count.fetch_add(1, Ordering::SeqCst);
                panic!("a bug of the transport")
            },
        )
    };
    let in_poll = |count: Arc<AtomicUsize>| {
        Function(
            move |request: http::Request<RequestBody>, _: Budget| -> Exchange {
                count.fetch_add(1, Ordering::SeqCst);
                Box::pin(async move {
                    transaction_id(request);
                    panic!("a bug of the transport")
                })
            },
        )
    };
    check_panic(in_send);
    check_panic(in_poll);
}

#[test]
fn blocking_late_reply_is_discarded() {
    let (ids, jobs) = (
        Arc::new(Mutex::new(Vec::new())),
        Arc::new(Mutex::new(BTreeSet::new())),
    );
    let late_replies = Arc::new(AtomicUsize::new(0));
    let transport = {
        let (ids, jobs, late_replies) = (
            Arc::clone(&ids),
            Arc::clone(&jobs),
            Arc::clone(&late_replies),
        );
        move |request: http::Request<RequestBody>, budget: Budget| -> Reply {
            if request.method() == http::Method::GET {
                // The job runs until the late reply has come.
                let is_over = late_replies.load(Ordering::SeqCst) > 0;
                let id = request
                    .uri()
                    .path()
                    .rsplit('/')
                    .next()
                    .expect("an id")
                    .to_owned();
                return Ok(job(&id, if is_over { "COMPLETED" } else { "RUNNING" }));
            }
            let id = transaction_id(request);
            jobs.lock().unwrap().insert(id.clone());
            let is_first = {
                let mut ids = ids.lock().unwrap();
                ids.push(id);
                ids.len() == 1
            };
            if is_first {
                // Later than the run waits for it.
                std::thread::sleep(budget.total + Duration::from_secs(3));
                late_replies.fetch_add(1, Ordering::SeqCst);
                return Ok(job("clj-late", "FAILED"));
            }
            Ok(job("clj-1", "RUNNING"))
        }
    };
    let client = blocking_client(transport)
        .limits(TransportLimits::default().attempt(Duration::from_millis(200)));
    let results = ends(move || {
        let mut results = Vec::new();
        // A stop handle keeps the request away from this thread.
        let mut running = client.start(runs(1));
        let _stop = running.stop_handle();
        let mut keep = finished(&mut results);
        for event in &mut running {
            keep(event);
        }
        drop(keep);
        results
    });
    let [Ok(job)] = &results[..] else {
        panic!("{results:?}");
    };
    assert_eq!((&*job.id, &job.status), ("clj-1", &JobStatus::Completed));
    assert_eq!(ids.lock().unwrap().len(), 2);
    assert_eq!(jobs.lock().unwrap().len(), 1, "one transaction id");
    assert_eq!(late_replies.load(Ordering::SeqCst), 1);
}

#[test]
fn async_attempt_without_reply_is_ended_and_repeated_under_its_transaction_id() {
    let transport = SimTransport::new(Duration::from_secs(1));
    let client = async_client(transport.clone());
    let mut run = pin!(client.run(create("dfl-1")));
    let woken = Woken::new();
    assert!(woken.poll(run.as_mut()).is_pending());
    let first = transport.world().unanswered();
    transport.world().act_silently(first[0]);
    for _ in 0..10 {
        if !transport.world().slots.is_empty() {
            assert!(transport.world().advance_to_timer());
            assert!(woken.poll(run.as_mut()).is_pending());
        }
    }
    assert!(transport.world().slots.is_empty(), "the request was ended");
    // Too late: the request was ended.
    transport.world().reply(first[0], Fate::Answered);
    let job = transport.block_on(run).expect("a job");
    assert_eq!(job.status, JobStatus::Completed);
    assert_eq!(transport.world().service.count("POST /api/v2/classify"), 2);
    assert_eq!(transport.world().service.jobs.len(), 1);
}

fn large() -> http::Response<Bytes> {
    http::Response::new(vec![b' '; 1001].into())
}

#[test]
fn response_over_limit_is_too_large() {
    let limits = TransportLimits::default().response_bytes(1000);
    let client =
        blocking_client(|_: http::Request<RequestBody>, _: Budget| Ok(large())).limits(limits);
    let error = client.call(GetJob::new("clj-1")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    let mut results = Vec::new();
    client.drive(calls(2, Retry::default()), finished(&mut results));
    assert!(
        results
            .iter()
            .all(|result| result.as_ref().unwrap_err().kind() == ErrorKind::TooLarge)
    );

    let transport = Function(|_: http::Request<RequestBody>, _: Budget| -> Exchange {
        Box::pin(ready(Ok(large())))
    });
    let client = async_client(transport).limits(limits);
    let error = now(client.call(GetJob::new("clj-1"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
}

/// A create whose response is too large may have created a job: it is not sent again under another id.
#[test]
fn response_over_limit_does_not_create_twice() {
    let ids = Arc::new(Mutex::new(Vec::new()));
    let sent = Arc::clone(&ids);
    let client = blocking_client(move |request: http::Request<RequestBody>, _: Budget| {
        sent.lock().unwrap().push(transaction_id(request));
        Ok(large())
    });
    let client = client.limits(TransportLimits::default().response_bytes(1000));
    let error = client.run(create("dfl-1")).unwrap_err();
    let ids = ids.lock().unwrap();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 1);
    assert_eq!(error.transaction_id(), ids.first().map(String::as_str));
}

#[test]
fn async_transport_that_never_answers_times_out() {
    let transport = SimTransport::new(Duration::ZERO);
    let client = async_client(transport.clone()).retry(Retry::never());
    for has_background in [false, true] {
        transport.world().has_background = has_background;
        let mut results = Vec::new();
        {
            let mut run = pin!(client.drive(calls(3, Retry::never()), finished(&mut results)));
            let woken = Woken::new();
            let is_over = (0..100).any(|_| {
                let is_ready = woken.poll(run.as_mut()).is_ready();
                assert!(is_ready || transport.world().advance_to_timer());
                is_ready
            });
            assert!(is_over, "the run does not end");
        }
        assert_eq!(results.len(), 3);
        assert!(
            results
                .iter()
                .all(|result| result.as_ref().unwrap_err().is_timeout())
        );
        assert!(transport.world().slots.is_empty());
    }
}

/// The same with real clocks and timers.
#[test]
fn async_transport_that_is_pending_for_ever_times_out() {
    let transport =
        Function(|_: http::Request<RequestBody>, _: Budget| -> Exchange { Box::pin(pending()) });
    let client = async_client(transport).retry(Retry::never());
    let error = now(client.call(GetJob::new("clj-1"))).unwrap_err();
    assert!(error.is_timeout(), "{error}");
}

/// A transport that does not return.
fn never_answers(_: http::Request<RequestBody>, _: Budget) -> Reply {
    loop {
        std::thread::park();
    }
}

#[test]
fn blocking_transport_that_never_answers_times_out_in_runs_with_threads() {
    let limits = TransportLimits::default().attempt(Duration::from_millis(10));
    let client = blocking_client(never_answers).limits(limits);
    let results = ends(move || {
        let mut results = Vec::new();
        client.drive(calls(3, Retry::never()), finished(&mut results));
        results
    });
    assert_eq!(results.len(), 3);
    assert!(
        results
            .iter()
            .all(|result| result.as_ref().unwrap_err().is_timeout())
    );
}

/// An upload that blocks does not keep its slot: it ends at its time limit, and the uploads after it are sent.
#[test]
fn blocking_upload_that_never_answers_times_out_in_runs_with_threads() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("invoice.txt");
    std::fs::write(&path, "Invoice 4711").expect("a file");
    for document in [document(0), file_document(&path)] {
        let hangs = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&hangs);
        let transport = move |request: http::Request<RequestBody>, budget: Budget| -> Reply {
            let path = request.uri().path();
            if path.ends_with("/files") {
                if count.fetch_add(1, Ordering::SeqCst) == 0 {
                    return never_answers(request, budget);
                }
                return Ok(http::Response::new(
                    r#"{"id": "dfl-1", "name": "x"}"#.into(),
                ));
            }
            Ok(job("clj-1", "COMPLETED"))
        };
        let limits = TransportLimits::default()
            .attempt(Duration::from_millis(10))
            .max_concurrency(2);
        let client = blocking_client(transport).limits(limits);
        let results = ends(move || {
            let runs: Vec<_> = (0..3)
                .map(|_| {
                    client
                        .document_run(document.clone(), rules())
                        .expect("a seed")
                })
                .collect();
            let mut results = Vec::new();
            client.drive(Concurrent::new(runs, 3), finished(&mut results));
            results
        });
        assert_eq!(results.len(), 3);
        assert_eq!(hangs.load(Ordering::SeqCst), 4);
        for result in results {
            result.expect("a job");
        }
    }
}

/// A transport that cannot be built.
#[derive(Debug)]
struct Unbuildable;

fn unbuildable() -> Error {
    Failure::refused("there is no TLS library").into()
}

impl blocking::Transport for Unbuildable {
    fn send(&self, _: http::Request<RequestBody>, _: Budget) -> Reply {
        unreachable!("it is not built")
    }
}

impl blocking::DefaultTransport for Unbuildable {
    fn build(_: &TransportLimits, _: Option<&Proxy>) -> Result<Self, Error> {
        Err(unbuildable())
    }
}

impl Transport for Unbuildable {
    type Exchange = Exchange;
    type Sleep = Ready<()>;

    fn send(&self, _: http::Request<RequestBody>, _: Budget) -> Exchange {
        unreachable!("it is not built")
    }

    fn sleep(&self, _: Duration) -> Ready<()> {
        unreachable!("it is not built")
    }
}

impl classify_client::DefaultTransport for Unbuildable {
    fn build(_: &TransportLimits, _: Option<&Proxy>) -> Result<Self, Error> {
        Err(unbuildable())
    }
}

fn bulk() -> impl Machine<Event: Send, Output = classify_proto::machine::Summary> + Send {
    use classify_proto::machine::{Bulk, BulkOptions, HashedDocument};

    let bulk = Bulk::new(&api(), rules(), BulkOptions::default(), Seed::new([7; 16]));
    let documents =
        (0..3).map(|number| HashedDocument::bytes(format!("{number}.txt"), format!("{number}")));
    fed::Fed::new(bulk.expect("good rules"), documents, |_: &_| Ok(()))
}

#[test]
fn transport_build_error_fails_each_request_with_its_reason() {
    let check = |error: &Error| {
        assert!(
            error.to_string().contains("there is no TLS library"),
            "{error}"
        );
        assert!(error.is_refused() && !error.is_ambiguous(), "{error}");
        assert_eq!(error.attempts(), 0, "{error}");
    };
    let client = blocking::Client::<Unbuildable>::new(api());
    check(&client.call(GetJob::new("clj-1")).unwrap_err());
    check(&client.run(create("dfl-1")).unwrap_err());
    check(
        &client
            .list(classify_proto::v2::ListJobs::new())
            .next()
            .expect("an item")
            .unwrap_err(),
    );
    let (summary, results) = ends(move || {
        let mut results = Vec::new();
        client.drive(calls(3, Retry::default()), finished(&mut results));
        (client.drive(bulk(), drop), results)
    });
    assert_eq!(results.len(), 3);
    for result in &results {
        check(result.as_ref().unwrap_err());
    }
    check(summary.error().expect("a reason"));

    let client = Client::<Unbuildable>::new(api());
    check(&now(client.call(GetJob::new("clj-1"))).unwrap_err());
    check(&now(client.run(create("dfl-1"))).unwrap_err());
    check(
        &now(client.list(classify_proto::v2::ListJobs::new()).next())
            .expect("an item")
            .unwrap_err(),
    );
    let (summary, results) = ends(move || {
        let mut results = Vec::new();
        now(client.drive(calls(3, Retry::default()), finished(&mut results)));
        (now(client.drive(bulk(), drop)), results)
    });
    assert_eq!(results.len(), 3);
    for result in &results {
        check(result.as_ref().unwrap_err());
    }
    check(summary.error().expect("a reason"));
}

/// The test runs itself again with a key in its environment.
#[test]
fn transport_build_error_is_returned_by_from_env() {
    const NAME: &str = "transport_build_error_is_returned_by_from_env";

    if std::env::var("LLAMA_CLOUD_API_KEY").is_ok_and(|key| key == "llx-child") {
        let blocking = blocking::Client::<Unbuildable>::from_env().unwrap_err();
        let r#async = Client::<Unbuildable>::from_env().unwrap_err();
        for error in [blocking, r#async] {
            assert!(
                error.to_string().contains("there is no TLS library"),
                "{error}"
            );
        }
        return;
    }
    let child = std::process::Command::new(std::env::current_exe().expect("a program"))
        .args(["--exact", NAME])
        .env("LLAMA_CLOUD_API_KEY", "llx-child")
        .output()
        .expect("it starts");
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && output.contains("1 passed"),
        "{output}"
    );
}
