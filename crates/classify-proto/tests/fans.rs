//! Machines side by side: each ends as it would alone, under its own place.

mod sim;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Mutex;

use classify_proto::machine::{
    Call, Concurrent, ConcurrentEvent, Context, Limiter, Machine as _, Run, RunEvent, Saved, Step,
};
use classify_proto::v2::{Configuration, CreateJob, GetJob, Rule};
use classify_proto::{Seed, Time};
use sim::{Service, World};

fn seed() -> Seed {
    Seed::new([9; 16])
}

fn runs(count: u64) -> Vec<Run> {
    let rules = Configuration::new([Rule::new("invoice", "has an invoice number")]);
    let run = |place| {
        let create = CreateJob::new(format!("dfl-{place}")).configuration(rules.clone());
        Run::new(create, seed().derive(place))
    };
    (0..count).map(run).collect()
}

fn world(duration: u64) -> World {
    World::new(Service {
        duration,
        faults: VecDeque::new(),
        ..Service::default()
    })
}

#[test]
fn each_reply_reaches_the_machine_that_asked() {
    let mut world = world(3_000);
    let start = world.now;
    let (events, ()) = world.run(&mut Concurrent::new(runs(9), 4));
    for event in &events {
        match event {
            ConcurrentEvent::Progress(place, RunEvent::Created(job)) => {
                assert_eq!(job.file_input.as_deref(), Some(&*format!("dfl-{place}")));
            }
            ConcurrentEvent::Progress(..) => {}
            ConcurrentEvent::Finished(place, result) => {
                let job = result.as_ref().unwrap();
                assert_eq!(job.file_input.as_deref(), Some(&*format!("dfl-{place}")));
            }
        }
    }
    // Nobody waited for an answer that was there.
    assert!(world.now < start + 60_000);
}

#[test]
fn replies_that_were_lost_are_asked_for_again() {
    let mut world = world(3_000);
    let start = world.now;
    let (mut fan, mut events) = (Concurrent::new(runs(5), 5), Vec::new());
    for step in 0.. {
        if [4, 11, 19].contains(&step) {
            world.crash();
            fan.resume();
        }
        if world.step(&mut fan, &mut events).is_some() {
            break;
        }
    }
    let answered =
        |event: &&ConcurrentEvent<_, _>| matches!(event, ConcurrentEvent::Finished(_, Ok(_)));
    assert_eq!(events.iter().filter(answered).count(), 5);
    assert_eq!(world.service.jobs.len(), 5);
    assert!(world.now < start + 60_000);
}

/// Twenty requests a minute are fewer than thirty waits want: each gets its part of them.
#[test]
fn where_requests_are_scarce_each_machine_has_its_turn() {
    let half_an_hour = 30 * 60_000;
    let mut world = world(half_an_hour);
    let start = world.now;
    world.limiter = Some(Mutex::new(Limiter::free_tier()));
    let (events, ()) = world.run(&mut Concurrent::new(runs(30), 30));
    let ended =
        |event: &&ConcurrentEvent<_, _>| matches!(event, ConcurrentEvent::Finished(_, Ok(_)));
    assert_eq!(events.iter().filter(ended).count(), 30);
    assert!(world.now < start + half_an_hour + 300_000);
    let looks = |job| {
        let get = format!("GET /api/v2/classify/clj-{job}");
        world
            .service
            .log
            .iter()
            .filter(|line| **line == get)
            .count()
    };
    let looks: Vec<_> = (1..=30).map(looks).collect();
    let (least, most) = (looks.iter().min(), looks.iter().max());
    assert!(least.map(|least| least * 2) >= most.copied(), "{looks:?}");
}

#[test]
fn a_machine_can_be_added_until_the_end() {
    let mut world = world(0);
    let get = || Call::new(GetJob::new("clj-none"), seed());
    let mut fan = Concurrent::new([get(), get()], 2);
    let api = world.api.clone();
    let cx = Context::new(&api, Time::from_millis(world.now));
    assert_eq!(fan.running().count(), 0);
    while let Step::Send(..) = fan.poll(cx) {}
    assert_eq!(
        fan.running().map(|(place, _)| place).collect::<Vec<_>>(),
        [0, 1]
    );
    assert_eq!((fan.push(get()), fan.push(get())), (2, 3));
    fan.resume();
    let (events, ()) = world.run(&mut fan);
    let ended: BTreeSet<_> = events
        .iter()
        .map(|event| match event {
            ConcurrentEvent::Finished(place, _) | ConcurrentEvent::Progress(place, _) => *place,
        })
        .collect();
    assert_eq!(ended, [0, 1, 2, 3].into());
    // Nobody would poll it again.
    assert_eq!(fan.push(get()), 4);
    assert!(matches!(fan.poll(cx), Step::Wait(None)));
    assert_eq!(fan.stop_starting(), [0_usize; 0]);
}

#[test]
fn a_saved_fan_says_of_what_it_is() {
    let saved = Concurrent::new(runs(2), 1).save().unwrap();
    assert!(saved.contains("fan of run classify"), "{saved}");
    Concurrent::<Run>::load(&saved).unwrap();
    let error = Concurrent::<Call<GetJob>>::load(&saved).unwrap_err();
    assert!(error.to_string().contains("fan of run classify"), "{error}");
    assert!(Run::load(&saved).is_err());
}
