//! Times that a machine waits for while a request is in flight.
#![cfg(all(feature = "async", feature = "blocking"))]

mod support;

use std::pin::pin;
use std::time::Duration;

use classify_client::Client;
use classify_proto::machine::{Concurrent, Limiter, Run};
use support::{Fate, SimTransport, Woken, api, create};

const CREATE: &str = "POST /api/v2/classify";

/// A create that is sent again after an error, while the only request in flight is another machine's.
#[test]
fn backoff_ends_on_time_while_one_request_is_in_flight() {
    for has_background in [false, true] {
        let transport = SimTransport::new(Duration::ZERO);
        transport.world().has_background = has_background;
        let client = Client::with_transport(transport.clone(), api()).limiter(Limiter::unlimited());
        let run = |file: &str| Run::new(create(file), client.seed().unwrap());
        let mut running = client.start(Concurrent::new([run("dfl-1")], 2));
        let poll = |woken: &Woken, running: &mut classify_client::Running<_, _>| {
            while woken.take() {
                assert!(woken.poll(pin!(running.next())).is_pending());
            }
        };
        let woken = Woken::new();
        poll(&woken, &mut running);
        let first = transport.world().unanswered()[0];
        transport.world().reply(first, Fate::Http503);
        poll(&woken, &mut running);
        assert!(transport.world().unanswered().is_empty(), "it backs off");

        running.machine_mut().push(run("dfl-2"));
        let pushed = Woken::new();
        poll(&pushed, &mut running);
        let [second] = transport.world().unanswered()[..] else {
            panic!("the other create is in flight");
        };
        transport.world().advance(Duration::from_secs(10));
        // Nothing is polled unless the run was woken.
        poll(&pushed, &mut running);
        let in_flight = transport.world().unanswered();
        assert_eq!(in_flight.len(), 2, "the first create is not sent again");
        assert!(in_flight.contains(&second));
        assert_eq!(transport.world().service.count(CREATE), 0);
    }
}
