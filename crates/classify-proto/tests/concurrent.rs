//! Machines side by side: each ends as it would alone, under its own place.

mod sim;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Mutex;

use classify_proto::machine::{
    Call, Concurrent, ConcurrentEvent, Context, Limiter, Machine as _, Run, RunEvent, Saved, Step,
};
use classify_proto::v2::{Configuration, CreateJob, GetJob, Rule};
use classify_proto::{Seed, Time};
use sim::{Service, Simulation};

fn seed() -> Seed {
    Seed::new([9; 16])
}

fn runs(count: u64) -> Vec<Run> {
    let rules = Configuration::new([Rule::new("invoice", "has an invoice number")]);
    let run = |index| {
        let create = CreateJob::new(format!("dfl-{index}"), rules.clone());
        Run::new(create, seed().derive(index))
    };
    (0..count).map(run).collect()
}

fn simulation(duration: u64) -> Simulation {
    Simulation::new(Service {
        duration,
        faults: VecDeque::new(),
        ..Service::default()
    })
}

#[test]
fn concurrent_response_reaches_its_machine() {
    let mut simulation = simulation(3_000);
    let start = simulation.now;
    let (events, ()) = simulation.run(&mut Concurrent::new(runs(9), 4));
    for event in &events {
        match event {
            ConcurrentEvent::Progress(index, RunEvent::Created(job)) => {
                assert_eq!(job.file_input.as_deref(), Some(&*format!("dfl-{index}")));
            }
            ConcurrentEvent::Progress(..) => {}
            ConcurrentEvent::Finished(index, result) => {
                let job = result.as_ref().unwrap();
                assert_eq!(job.file_input.as_deref(), Some(&*format!("dfl-{index}")));
            }
        }
    }
    // Nobody waited for an answer that was there.
    assert!(simulation.now < start + 60_000);
}

#[test]
fn concurrent_resume_resends_lost_requests() {
    let mut simulation = simulation(3_000);
    let start = simulation.now;
    let (mut concurrent, mut events) = (Concurrent::new(runs(5), 5), Vec::new());
    for step in 0.. {
        if [4, 11, 19].contains(&step) {
            simulation.crash();
            concurrent.resume();
        }
        if simulation.step(&mut concurrent, &mut events).is_some() {
            break;
        }
    }
    let answered =
        |event: &&ConcurrentEvent<_, _>| matches!(event, ConcurrentEvent::Finished(_, Ok(_)));
    assert_eq!(events.iter().filter(answered).count(), 5);
    assert_eq!(simulation.service.jobs.len(), 5);
    assert!(simulation.now < start + 60_000);
}

/// Twenty requests a minute are fewer than thirty waits want: each gets its part of them.
#[test]
fn concurrent_machines_share_rate_limit_fairly() {
    let half_an_hour = 30 * 60_000;
    let mut simulation = simulation(half_an_hour);
    let start = simulation.now;
    simulation.limiter = Some(Mutex::new(Limiter::free_tier()));
    let (events, ()) = simulation.run(&mut Concurrent::new(runs(30), 30));
    let ended =
        |event: &&ConcurrentEvent<_, _>| matches!(event, ConcurrentEvent::Finished(_, Ok(_)));
    assert_eq!(events.iter().filter(ended).count(), 30);
    assert!(simulation.now < start + half_an_hour + 300_000);
    let polls = |job| {
        let get = format!("GET /api/v2/classify/clj-{job}");
        simulation
            .service
            .log
            .iter()
            .filter(|line| **line == get)
            .count()
    };
    let polls: Vec<_> = (1..=30).map(polls).collect();
    let (least, most) = (polls.iter().min(), polls.iter().max());
    assert!(least.map(|least| least * 2) >= most.copied(), "{polls:?}");
}

#[test]
fn concurrent_machine_can_be_added_until_the_end() {
    let mut simulation = simulation(0);
    let get = || Call::new(GetJob::new("clj-none"), seed());
    let mut concurrent = Concurrent::new([get(), get()], 2);
    let api = simulation.api.clone();
    let cx = Context::new(&api, Time::from_millis(simulation.now));
    assert_eq!(concurrent.running().count(), 0);
    while let Step::Send(..) = concurrent.poll(cx) {}
    assert_eq!(
        concurrent
            .running()
            .map(|(index, _)| index)
            .collect::<Vec<_>>(),
        [0, 1]
    );
    assert_eq!((concurrent.push(get()), concurrent.push(get())), (2, 3));
    concurrent.resume();
    let (events, ()) = simulation.run(&mut concurrent);
    let ended: BTreeSet<_> = events
        .iter()
        .map(|event| match event {
            ConcurrentEvent::Finished(index, _) | ConcurrentEvent::Progress(index, _) => *index,
        })
        .collect();
    assert_eq!(ended, [0, 1, 2, 3].into());
    // Nobody would poll it again.
    assert_eq!(concurrent.push(get()), 4);
    assert!(matches!(concurrent.poll(cx), Step::Wait(None)));
    assert_eq!(concurrent.stop_starting(), [0_usize; 0]);
}

#[test]
fn saved_state_of_concurrent_names_machine_kind() {
    let saved = Concurrent::new(runs(2), 1).save().unwrap();
    assert!(saved.contains("concurrent run classify"), "{saved}");
    Concurrent::<Run>::load(&saved).unwrap();
    let error = Concurrent::<Call<GetJob>>::load(&saved).unwrap_err();
    assert!(
        error.to_string().contains("concurrent run classify"),
        "{error}"
    );
    assert!(Run::load(&saved).is_err());
}
