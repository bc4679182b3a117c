//! Runs that are stopped, dropped, and continued.
#![cfg(all(feature = "async", feature = "blocking"))]

mod support;

use std::pin::pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use classify_client::{Budget, Client, RequestBody, blocking};
use classify_proto::machine::{Limiter, Run};
use classify_proto::v2::JobStatus;
use classify_proto::{Bytes, Reply, Seed, Time, http};
use support::{Service, SimTransport, Woken, api, create};

fn run() -> Run {
    Run::new(create("dfl-1"), Seed::new([7; 16]))
}

#[test]
fn async_stop_wakes_next_and_run_continues() {
    let transport = SimTransport::new(Duration::from_secs(1));
    let client = Client::with_transport(transport.clone(), api()).limiter(Limiter::unlimited());
    let mut running = client.start(run());
    let stop = running.stop_handle();
    {
        let woken = Woken::new();
        let mut next = pin!(running.next());
        while woken.take() {
            assert!(woken.poll(next.as_mut()).is_pending());
        }
        stop.clone().stop();
        assert!(woken.take(), "a stop wakes the task");
        assert!(matches!(woken.poll(next.as_mut()), Poll::Ready(None)));
    }
    assert!(!running.is_finished());
    // A stop between two calls counts for the next one, once.
    stop.stop();
    stop.stop();
    assert!(transport.block_on(running.next()).is_none());
    assert!(!running.is_finished());
    let job = transport
        .block_on(running.finish())
        .expect("an output")
        .expect("a job");
    assert_eq!(job.status, JobStatus::Completed);
    assert_eq!(transport.world().service.count("POST /api/v2/classify"), 1);
}

#[test]
fn async_drop_ends_requests_and_machine_continues() {
    let transport = SimTransport::new(Duration::from_secs(1));
    for has_background in [false, true] {
        transport.world().has_background = has_background;
        let client = Client::with_transport(transport.clone(), api()).limiter(Limiter::unlimited());
        let mut running = client.start(run());
        assert!(Woken::new().poll(pin!(running.next())).is_pending());
        let request = transport.world().unanswered()[0];
        transport.world().act_silently(request);
        let machine = running.into_machine();
        assert!(transport.world().slots.is_empty(), "the request was ended");
        let result = transport.block_on(client.start(machine).finish());
        assert_eq!(result.expect("an output").expect("a job").id, "clj-1");
        assert_eq!(transport.world().service.jobs.len(), 1);
    }
}

/// A blocking transport to a service in memory. The service processes the request, then waits for a permit to respond.
struct Gate {
    service: Arc<Mutex<Service>>,
    arrived: Sender<()>,
    permits: Mutex<Receiver<()>>,
}

/// The test's side of the gate.
struct Keeper {
    service: Arc<Mutex<Service>>,
    arrivals: Receiver<()>,
    permits: Sender<()>,
}

impl Keeper {
    /// Waits until the service has processed a request.
    fn wait(&self) {
        self.arrivals
            .recv_timeout(Duration::from_secs(60))
            .expect("a request");
    }

    /// Lets every request pass.
    fn open(self) -> Arc<Mutex<Service>> {
        self.service
    }
}

fn gate() -> (Gate, Keeper) {
    let service = Arc::new(Mutex::new(Service::default()));
    let ((arrived, arrivals), (sender, permits)) = (channel(), channel());
    let gate = Gate {
        service: Arc::clone(&service),
        arrived,
        permits: Mutex::new(permits),
    };
    let keeper = Keeper {
        service,
        arrivals,
        permits: sender,
    };
    (gate, keeper)
}

impl blocking::Transport for Gate {
    fn send(&self, request: http::Request<RequestBody>, _: Budget) -> Reply {
        let (parts, mut body) = request.into_parts();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut body, &mut bytes).expect("a body in memory");
        let request = http::Request::from_parts(parts, Bytes::from(bytes));
        let response = self
            .service
            .lock()
            .unwrap()
            .act(&request, Time::from_millis(0));
        let _ = self.arrived.send(());
        // An error says that the gate is open.
        let permits = self.permits.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = permits.recv_timeout(Duration::from_secs(30));
        Ok(response)
    }
}

fn blocking_client(gate: Gate) -> blocking::Client<Gate> {
    blocking::Client::with_transport(gate, api()).limiter(Limiter::unlimited())
}

#[test]
fn blocking_stop_wakes_next_and_run_continues() {
    let (gate, keeper) = gate();
    let mut running = blocking_client(gate).start(run());
    let stop = running.stop_handle();
    let stopper = std::thread::spawn(move || {
        keeper.wait();
        stop.clone().stop();
        keeper
    });
    assert!(running.next().is_none());
    assert!(!running.is_finished());
    let keeper = stopper.join().expect("no panic");
    let permits = keeper.permits.clone();
    let service = keeper.open();
    drop(permits);
    let job = running.finish().expect("an output").expect("a job");
    assert_eq!(job.status, JobStatus::Completed);
    assert_eq!(service.lock().unwrap().count("POST /api/v2/classify"), 1);
}

/// Dropping does not wait for the requests, whose threads end on their own; the machine continues and finds its job.
#[test]
fn blocking_drop_detaches_threads_and_machine_continues() {
    let (gate, keeper) = gate();
    let mut running = blocking_client(gate).start(run());
    let stop = running.stop_handle();
    let stopper = std::thread::spawn(move || {
        keeper.wait();
        stop.stop();
        keeper
    });
    assert!(running.next().is_none());
    let keeper = stopper.join().expect("no panic");
    let machine = running.into_machine();
    assert_eq!(
        Arc::strong_count(&keeper.service),
        2,
        "the request is in flight"
    );

    let client = blocking::Client::with_transport(
        {
            let service = Arc::clone(&keeper.service);
            let first = Arc::new(Mutex::new(Vec::new()));
            move |request: http::Request<RequestBody>, _: Budget| -> Reply {
                let (parts, mut body) = request.into_parts();
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut body, &mut bytes).expect("a body in memory");
                first.lock().unwrap().push(parts.uri.path().to_owned());
                let request = http::Request::from_parts(parts, Bytes::from(bytes));
                Ok(service.lock().unwrap().act(&request, Time::from_millis(0)))
            }
        },
        api(),
    );
    let job = client
        .start(machine)
        .finish()
        .expect("an output")
        .expect("a job");
    assert_eq!(job.id, "clj-1");
    drop(client);
    assert_eq!(keeper.service.lock().unwrap().jobs.len(), 1);
    assert_eq!(
        keeper
            .service
            .lock()
            .unwrap()
            .count("POST /api/v2/classify"),
        2
    );

    // The detached thread ends once its request has, and frees the transport.
    let service = keeper.open();
    let started = Instant::now();
    while Arc::strong_count(&service) > 1 {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "the thread does not end"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}
