//! The async run loop, with random wakes, random order of replies, and drops.
#![cfg(feature = "async")]

#[path = "../../classify-proto/tests/sim/fed.rs"]
mod fed;
mod support;

use std::fmt::Debug;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use classify_client::{Client, StopHandle};
use classify_proto::machine::{
    Bulk, BulkOptions, Concurrent, ConcurrentEvent, DocumentStatus, HashedDocument, Limiter,
    Machine, Retry,
};
use classify_proto::{Seed, TransportLimits};
use proptest::prelude::*;
use support::{Fate, SimTransport, Woken, api, document, rules};

const LONG: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The next event, unless the run is woken.
#[derive(Debug, Clone)]
enum Action {
    /// A request in flight is answered, or fails.
    Reply(usize, Fate),
    /// The service acts, and its reply is in flight.
    Act(usize),
    /// Time passes up to the next timer.
    Timer,
    /// Some time passes.
    Pause(u64),
    /// The run is polled although nothing woke it.
    Poll,
    /// The future of `next` is dropped.
    DropNext,
    /// The run is dropped, and another one takes its machine.
    DropRun,
    /// The run is stopped, and continues.
    Stop,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        12 => any::<usize>().prop_map(|at| Action::Reply(at, Fate::Answered)),
        1 => (any::<usize>(), fault()).prop_map(|(at, fate)| Action::Reply(at, fate)),
        2 => any::<usize>().prop_map(Action::Act),
        3 => Just(Action::Timer),
        1 => (0..5_000_u64).prop_map(Action::Pause),
        2 => Just(Action::Poll),
        2 => Just(Action::DropNext),
        1 => Just(Action::DropRun),
        1 => Just(Action::Stop),
    ]
}

fn fault() -> impl Strategy<Value = Fate> {
    prop_oneof![
        Just(Fate::NoConnection),
        Just(Fate::LostBeforeActing),
        Just(Fate::LostAfterActing),
        Just(Fate::Http503),
    ]
}

/// Applies an action to the simulated service. Returns `false` if the action needs the run.
fn apply(transport: &SimTransport, action: &Action) -> bool {
    let mut world = transport.world();
    let unanswered = world.unanswered();
    match action {
        Action::Reply(at, fate) if !unanswered.is_empty() => {
            world.reply(unanswered[at % unanswered.len()], *fate);
        }
        Action::Act(at) if !unanswered.is_empty() => {
            world.act_silently(unanswered[at % unanswered.len()]);
        }
        Action::Reply(..) | Action::Act(_) => {}
        Action::Timer => {
            world.advance_to_timer();
        }
        Action::Pause(millis) => world.advance(Duration::from_millis(*millis)),
        Action::Poll | Action::DropNext | Action::DropRun | Action::Stop => return false,
    }
    true
}

/// Runs a machine to its end during these actions, and answers all requests afterwards.
fn run<M: Machine<Event: Debug>>(
    client: &Client<SimTransport>,
    transport: &SimTransport,
    machine: M,
    actions: Vec<Action>,
    mut on_event: impl FnMut(M::Event),
) -> M::Output {
    let mut actions = actions.into_iter();
    let mut running = client.start(machine);
    let mut stop: StopHandle = running.stop_handle();
    for _ in 0..20_000 {
        if running.is_finished() {
            return poll_once(running.finish()).expect("an output");
        }
        let mut is_dropped = false;
        {
            // A separate waker, so that waking a dropped future is not enough.
            let woken = Woken::new();
            let mut next = pin!(running.next());
            loop {
                if woken.take() {
                    if let Poll::Ready(event) = woken.poll(next.as_mut()) {
                        event.into_iter().for_each(&mut on_event);
                        break;
                    }
                    continue;
                }
                let Some(action) = actions.next() else {
                    let unanswered = transport.world().unanswered();
                    if let Some(id) = unanswered.first() {
                        transport.world().reply(*id, Fate::Answered);
                    } else {
                        let moved = transport.world().advance_to_timer();
                        assert!(moved, "nothing can wake the run");
                    }
                    continue;
                };
                if apply(transport, &action) {
                    continue;
                }
                match action {
                    Action::Poll => {
                        if let Poll::Ready(event) = woken.poll(next.as_mut()) {
                            panic!("the run was not woken for {event:?}");
                        }
                    }
                    Action::Stop => {
                        stop.stop();
                        assert!(woken.take(), "a stop wakes the run");
                        let Poll::Ready(None) = woken.poll(next.as_mut()) else {
                            panic!("a stop ends `next`");
                        };
                        break;
                    }
                    Action::DropRun => {
                        is_dropped = true;
                        break;
                    }
                    _ => break,
                }
            }
        }
        if is_dropped {
            running = client.start(running.into_machine());
            stop = running.stop_handle();
        }
    }
    panic!("the run does not end");
}

fn poll_once<F: Future>(future: F) -> F::Output {
    match Woken::new().poll(pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future is not ready"),
    }
}

fn client(transport: &SimTransport, max: usize, has_background: bool) -> Client<SimTransport> {
    transport.world().has_background = has_background;
    Client::with_transport(transport.clone(), api())
        .limiter(Limiter::unlimited())
        .limits(TransportLimits::default().max_concurrency(max))
        .retry(retry())
        .wait_timeout(LONG)
}

/// Retries outlast every sequence of actions.
fn retry() -> Retry {
    Retry::default().max_retries(1_000).total_timeout(LONG)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn concurrent_run_creates_one_job_per_document(
        actions in proptest::collection::vec(action(), 0..120),
        documents in 1..6_usize,
        max in 1..5_usize,
        has_background in any::<bool>(),
        extra_polls in 0..3_u32,
    ) {
        let transport = SimTransport::new(Duration::from_secs(3));
        transport.world().extra_polls = extra_polls;
        let client = client(&transport, max, has_background);
        let runs: Vec<_> = (0..documents)
            .map(|number| client.document_run(document(number), rules()).unwrap())
            .collect();
        let mut ended = vec![0; documents];
        run(&client, &transport, Concurrent::new(runs, documents), actions, |event| {
            if let ConcurrentEvent::Finished(index, result) = event {
                result.expect("a job");
                ended[index] += 1;
            }
        });
        let world = transport.world();
        prop_assert_eq!(ended, vec![1; documents]);
        prop_assert_eq!(world.service.jobs.len(), documents);
        prop_assert!(world.most_in_flight <= max);
        prop_assert!(world.slots.is_empty());
    }

    #[test]
    fn bulk_run_creates_one_job_per_document(
        actions in proptest::collection::vec(action(), 0..120),
        documents in 1..8_usize,
        max in 1..5_usize,
        has_background in any::<bool>(),
    ) {
        let transport = SimTransport::new(Duration::from_secs(3));
        let client = client(&transport, max, has_background);
        let bulk = Bulk::new(
            &api(),
            rules(),
            BulkOptions::default().retry(retry()).job_timeout(LONG),
            Seed::new([7; 16]),
        ).unwrap();
        let fed = fed::Fed::new(
            bulk,
            (0..documents).map(|number| {
                HashedDocument::bytes(format!("{number}.txt"), format!("Invoice {number}"))
            }),
            |_: &_| Ok(()),
        );
        let mut finished = 0;
        let summary = run(&client, &transport, fed, actions, |_| finished += 1);
        let world = transport.world();
        prop_assert_eq!(summary.count(&DocumentStatus::Completed), documents);
        prop_assert_eq!(world.service.jobs.len(), documents);
        prop_assert!(world.most_in_flight <= max);
        prop_assert!(world.slots.is_empty());
    }
}
