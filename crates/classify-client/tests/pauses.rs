//! Consumers that pause between events, and uploads that take long.
#![cfg(all(feature = "async", feature = "blocking"))]

mod support;

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use classify_client::{Budget, Client, RequestBody, Running, Transport, blocking};
use classify_proto::machine::{
    Call, Concurrent, ConcurrentEvent, HashedDocument, Limiter, Machine, Retry, Run,
};
use classify_proto::v2::{GetJob, JobStatus};
use classify_proto::{Reply, Seed, TransportLimits, http};
use support::{
    Deferred, Fate, SimTransport, Woken, api, create, document, file_document, job, rules,
};

fn client(transport: &SimTransport) -> Client<SimTransport> {
    Client::with_transport(transport.clone(), api())
        .limiter(Limiter::unlimited())
        .retry(Retry::never())
}

/// Takes the next event, which comes without a wait.
fn next<T: Transport, M: Machine>(running: &mut Running<T, M>) -> M::Event {
    let woken = Woken::new();
    let mut next = pin!(running.next());
    while woken.take() {
        if let Poll::Ready(event) = woken.poll(next.as_mut()) {
            return event.expect("an event");
        }
    }
    panic!("there is no event yet");
}

/// Two creates: the reply to the first brings an event while the second is in flight.
fn start<T: Transport>(client: &Client<T>) -> Running<T, Concurrent<Run>> {
    let run = |number: u64| Run::new(create(format!("dfl-{number}")), client.seed().unwrap());
    client.start(Concurrent::new(
        (0..2).map(run).map(|run| run.retry(Retry::never())),
        2,
    ))
}

/// Pauses that are longer than the limits, also one that ends soon after them.
#[test]
fn pause_of_consumer_causes_no_timeout_and_no_second_request() {
    for has_background in [false, true] {
        for extra_polls in [0, 2] {
            for is_answered_meanwhile in [false, true] {
                for pause in [61_000, 119_900, 120_000, 120_500, 121_500, 600_000] {
                    let transport = SimTransport::new(Duration::ZERO);
                    transport.world().has_background = has_background;
                    transport.world().extra_polls = extra_polls;
                    let client = client(&transport);
                    let mut running = start(&client);
                    {
                        let woken = Woken::new();
                        assert!(woken.poll(pin!(running.next())).is_pending());
                    }
                    let [first, second] = transport.world().unanswered()[..] else {
                        panic!("two requests are in flight");
                    };
                    transport.world().reply(first, Fate::Answered);
                    next(&mut running);
                    if is_answered_meanwhile {
                        transport.world().reply(second, Fate::Answered);
                    }
                    transport.world().advance(Duration::from_millis(pause));
                    let mut results = Vec::new();
                    transport.block_on(async {
                        while let Some(event) = running.next().await {
                            if let ConcurrentEvent::Finished(_, result) = event {
                                results.push(result);
                            }
                        }
                    });
                    assert_eq!(results.len(), 2);
                    for result in results {
                        let status = result.map(|job| job.status);
                        assert_eq!(
                            status.ok(),
                            Some(JobStatus::Completed),
                            "a pause of {pause} ms"
                        );
                    }
                    assert_eq!(transport.world().service.count("POST /api/v2/classify"), 2);
                }
            }
        }
    }
}

#[cfg(feature = "tower")]
mod tower {
    use std::convert::Infallible;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll};
    use std::thread;
    use std::time::Duration;

    use classify_client::{Budget, Client, RequestBody, TowerTransport, Transport as _};
    use classify_proto::machine::{ConcurrentEvent, Limiter, Retry};
    use classify_proto::v2::JobStatus;
    use classify_proto::{Bytes, Failure, TransportLimits, http};
    use http_body::Frame;
    use tower_service::Service;

    use super::support::{Fate, SimExchange, SimTransport, Woken, api, create};

    /// A service whose requests make progress only while they are polled.
    #[derive(Clone)]
    struct SimService(SimTransport);

    impl Service<http::Request<RequestBody>> for SimService {
        type Response = http::Response<InMemory>;
        type Error = Failure;
        type Future = Exchange;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: http::Request<RequestBody>) -> Exchange {
            let budget = Budget::from(&TransportLimits::default());
            Exchange(self.0.send(request, budget))
        }
    }

    struct Exchange(SimExchange);

    impl Future for Exchange {
        type Output = Result<http::Response<InMemory>, Failure>;

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
            let reply = Pin::new(&mut self.0).poll(cx);
            reply.map_ok(|response| response.map(|bytes| InMemory(Some(bytes))))
        }
    }

    struct InMemory(Option<Bytes>);

    impl http_body::Body for InMemory {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
        }
    }

    type Tower = TowerTransport<SimService, Failure>;

    fn client(service: &SimTransport, limits: TransportLimits) -> Client<Tower> {
        let transport = TowerTransport::new(SimService(service.clone())).failure(|error| error);
        Client::with_transport(transport, api())
            .limits(limits)
            .limiter(Limiter::unlimited())
            .retry(Retry::never())
    }

    /// The transport's timers count real time. The pause is longer than the limit, so that the timer fires meanwhile.
    #[test]
    fn pause_of_consumer_causes_no_timeout_over_tower_service() {
        let limit = Duration::from_secs(3);
        // The timer fires just before the pause ends, or long before.
        for beyond in [500, 1500].map(Duration::from_millis) {
            let service = SimTransport::new(Duration::ZERO);
            let client = client(&service, TransportLimits::default().response(limit));
            let mut running = super::start(&client);
            let woken = Woken::new();
            assert!(woken.poll(pin!(running.next())).is_pending());
            let [first, _] = service.world().unanswered()[..] else {
                panic!("two requests are in flight");
            };
            service.world().reply(first, Fate::Answered);
            super::next(&mut running);
            thread::sleep(limit + beyond);

            let mut results = Vec::new();
            for _ in 0..1000 {
                match woken.poll(pin!(running.next())) {
                    Poll::Ready(Some(ConcurrentEvent::Finished(_, result))) => {
                        let status = result.map(|job| job.status);
                        results.push(status.map_err(|error| error.to_string()));
                    }
                    Poll::Ready(Some(ConcurrentEvent::Progress(..))) => {}
                    Poll::Ready(None) => break,
                    Poll::Pending => {
                        let unanswered = service.world().unanswered();
                        for id in &unanswered {
                            service.world().reply(*id, Fate::Answered);
                        }
                        if unanswered.is_empty() {
                            thread::sleep(Duration::from_millis(10));
                        }
                    }
                }
            }
            assert_eq!(
                results,
                [Ok(JobStatus::Completed), Ok(JobStatus::Completed)]
            );
            assert_eq!(service.world().service.count("POST /api/v2/classify"), 2);
        }
    }

    /// A call does not record pauses: its timer fires long before it is polled again.
    #[test]
    fn late_poll_of_call_causes_no_timeout_over_tower_service() {
        let short = Duration::from_millis(100);
        let service = SimTransport::new(Duration::ZERO);
        let limits = TransportLimits::default().response(short).connect(short);
        let client = client(&service, limits);
        let woken = Woken::new();
        let mut call = pin!(client.call(create("dfl-1")));
        assert!(woken.poll(call.as_mut()).is_pending());
        let id = service.world().unanswered()[0];
        thread::sleep(short * 2 + Duration::from_millis(1500));
        assert!(woken.poll(call.as_mut()).is_pending());
        service.world().reply(id, Fate::Answered);
        let Poll::Ready(job) = woken.poll(call.as_mut()) else {
            panic!("the reply is not taken");
        };
        assert_eq!(job.expect("a job").status, JobStatus::Completed);
    }
}

/// After a pause, the only request in flight has its whole time limit.
#[test]
fn pause_of_consumer_with_one_request_in_flight_causes_no_timeout() {
    for has_background in [false, true] {
        for pause in [119_900, 120_000, 121_500, 600_000] {
            let transport = SimTransport::new(Duration::ZERO);
            transport.world().has_background = has_background;
            let client = client(&transport);
            let run = Run::new(create("dfl-1"), client.seed().unwrap()).retry(Retry::never());
            let mut running = client.start(run);
            {
                let woken = Woken::new();
                assert!(woken.poll(pin!(running.next())).is_pending());
            }
            transport.world().advance(Duration::from_millis(pause));
            let result = transport.block_on(running.finish()).expect("an output");
            let status = result.map(|job| job.status).ok();
            assert_eq!(status, Some(JobStatus::Completed), "a pause of {pause} ms");
            assert_eq!(transport.world().service.count("POST /api/v2/classify"), 1);
        }
    }
}

/// A file is opened while the consumer pauses. The pause does not reduce the time of the request.
#[test]
fn pause_of_consumer_while_file_is_opened_causes_no_timeout() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("invoice.txt");
    std::fs::write(&path, "Invoice 4711").expect("a file");
    let transport = SimTransport::new(Duration::ZERO);
    let work = Deferred::default();
    transport.world().deferred = Some(work.clone());
    let client = client(&transport);
    let documents = [document(0), file_document(&path)];
    let runs = documents.map(|document| client.document_run(document, rules()).unwrap());
    let mut running = client.start(Concurrent::new(runs, 2));
    {
        let woken = Woken::new();
        assert!(woken.poll(pin!(running.next())).is_pending());
    }
    let first = transport.world().unanswered()[0];
    transport.world().reply(first, Fate::Answered);
    next(&mut running);
    work.run_all();
    transport.world().advance(Duration::from_secs(600));
    // From now on, blocking work is done immediately.
    transport.world().deferred = None;
    let mut failures = Vec::new();
    transport.block_on(async {
        while let Some(event) = running.next().await {
            if let ConcurrentEvent::Finished(_, Err(error)) = event {
                failures.push(error.to_string());
            }
        }
    });
    assert_eq!(failures, [""; 0]);
    assert_eq!(transport.world().service.files, 2);
}

#[test]
fn upload_at_minimum_rate_may_take_longer_than_base_limit() {
    let transport = SimTransport::new(Duration::ZERO);
    // Head, document and tail take 30 seconds each; 64 bytes a second are 120 seconds for the document alone.
    transport.world().frame_time = Duration::from_secs(30);
    let limits = TransportLimits::default()
        .attempt(Duration::from_secs(10))
        .min_upload_rate(64);
    let client = client(&transport).limits(limits);
    let document = HashedDocument::bytes("a.txt", vec![b'a'; 64 * 120]);
    let run = client.document_run(document, rules()).expect("a seed");
    // The create has no document.
    let created = transport.block_on(async {
        let mut running = client.start(run);
        let _uploaded = running.next().await.expect("the upload");
        transport.world().frame_time = Duration::ZERO;
        running.finish().await.expect("an output")
    });
    created.expect("a job");
    assert_eq!(transport.world().service.files, 1);
    assert_eq!(
        transport.world().service.count("POST /api/v1/beta/files"),
        1
    );
}

/// The same with threads: the run waits as long as the document's length allows.
#[test]
fn blocking_upload_at_minimum_rate_may_take_longer_than_base_limit() {
    let budgets = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&budgets);
    let transport = move |request: http::Request<RequestBody>, budget: Budget| -> Reply {
        if request.uri().path().ends_with("/files") {
            seen.lock().unwrap().push(budget.total);
            // Longer than the base limit plus the grace period of the run.
            std::thread::sleep(Duration::from_secs(3));
            return Ok(http::Response::new(
                r#"{"id": "dfl-1", "name": "x"}"#.into(),
            ));
        }
        Ok(job("clj-1", "COMPLETED"))
    };
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("invoice.txt");
    std::fs::write(&path, vec![b'a'; 64 * 120]).expect("a file");
    let file = file_document(&path);
    let limits = TransportLimits::default()
        .attempt(Duration::from_millis(100))
        .min_upload_rate(64);
    let client = blocking::Client::with_transport(transport, api())
        .limits(limits)
        .retry(Retry::never());
    let documents = [HashedDocument::bytes("a.txt", vec![b'a'; 64 * 120]), file];
    let runs = documents.map(|document| client.document_run(document, rules()).unwrap());
    client.drive(Concurrent::new(runs, 2), |event| {
        if let ConcurrentEvent::Finished(_, result) = event {
            result.expect("a job");
        }
    });
    let budgets = budgets.lock().unwrap();
    assert_eq!(budgets.len(), 2);
    assert!(
        budgets
            .iter()
            .all(|total| *total > Duration::from_secs(119))
    );
}

/// A blocking consumer that is busy for longer than a call may take gets the reply that came meanwhile.
#[test]
fn blocking_pause_of_consumer_keeps_replies_that_came_in_time() {
    let transport =
        |_: http::Request<RequestBody>, _: Budget| -> Reply { Ok(job("clj-1", "COMPLETED")) };
    let client = blocking::Client::with_transport(transport, api()).limiter(Limiter::unlimited());
    let limit = Duration::from_millis(500);
    let calls = (0..3).map(|number| {
        let seed = Seed::new([number; 16]);
        Call::new(GetJob::new("clj-1"), seed).retry(Retry::never().total_timeout(limit))
    });
    let mut running = client.start(Concurrent::new(calls, 3));
    let mut ended = 0;
    while let Some(ConcurrentEvent::Finished(_, result)) = running.next() {
        result.expect("a job");
        ended += 1;
        std::thread::sleep(limit * 2);
    }
    assert_eq!(ended, 3);
}
