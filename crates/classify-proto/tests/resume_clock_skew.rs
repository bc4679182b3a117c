//! States taken up by a process whose clock stands elsewhere: long after they were saved, or before.

mod sim;

use std::time::Duration;

use classify_proto::machine::{Call, Context, Machine as _, PollInterval, Saved, Step, Waiter};
use classify_proto::v2::{GetJob, JobStatus};
use classify_proto::{Api, Seed, Time, http};
use proptest::prelude::*;

const START: Time = Time::from_millis(1_700_000_000_000);

fn seed() -> Seed {
    Seed::new([9; 16])
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn job(status: &str) -> http::Response<classify_proto::Bytes> {
    sim::respond(
        200,
        &serde_json::json!({"id": "clj-1", "status": status, "file_input": "dfl-1"}),
    )
}

/// Answers the request that a waiter sends now.
fn look(api: &Api, waiter: &mut Waiter, now: Time, status: &str) {
    let cx = Context::new(api, now);
    let Step::Send(ticket, _) = waiter.poll(cx) else {
        panic!("it looks now")
    };
    waiter.handle(cx, ticket, Ok(job(status)));
}

/// A waiter that has received RUNNING once and whose last poll, at its deadline, is in flight.
fn waiter_at_last_poll(api: &Api) -> (Waiter, Time) {
    let deadline = START + seconds(5);
    let mut waiter = Waiter::new("clj-1", seed())
        .timeout(seconds(5))
        .poll_interval(PollInterval::new(seconds(60), seconds(60)));
    look(api, &mut waiter, START, "RUNNING");
    assert!(matches!(
        waiter.poll(Context::new(api, START)),
        Step::Event(_)
    ));
    let waits = waiter.poll(Context::new(api, START));
    assert!(matches!(waits, Step::Wait(Some(until)) if until == deadline));
    assert!(matches!(
        waiter.poll(Context::new(api, deadline)),
        Step::Send(..)
    ));
    (waiter, deadline)
}

/// A status from a day ago is stale: the job may have ended since.
#[test]
fn resume_repeats_interrupted_final_poll() {
    let api = sim::api();
    let (waiter, deadline) = waiter_at_last_poll(&api);
    let saved = waiter.save().unwrap();
    for later in [0, 29, 31, 86_400] {
        let mut waiter = Waiter::load(&saved).unwrap();
        let now = deadline + seconds(later);
        look(&api, &mut waiter, now, "COMPLETED");
        let Step::Done(Ok(job)) = waiter.poll(Context::new(&api, now)) else {
            panic!("{later} s later the job has ended")
        };
        assert_eq!(job.status, JobStatus::Completed);
    }
}

/// A process that dies at the end of the last look takes nothing from it, and the next one has nothing to add.
#[test]
fn resume_does_not_repeat_final_poll_that_timed_out() {
    let api = sim::api();
    let (mut waiter, deadline) = waiter_at_last_poll(&api);
    waiter.resume();
    let step = waiter.poll(Context::new(&api, deadline + seconds(30)));
    let Step::Done(Err(error)) = step else {
        panic!("its time is up: {step:?}")
    };
    assert!(error.is_deadline(), "{error}");
}

/// A caller that drives in slices takes the machine up again and again; that alone gives it no more time.
#[test]
fn resume_does_not_extend_final_poll() {
    let api = sim::api();
    let (mut waiter, deadline) = waiter_at_last_poll(&api);
    for second in (5..30).step_by(5) {
        waiter.resume();
        let sent = waiter.poll(Context::new(&api, deadline + seconds(second)));
        assert!(matches!(sent, Step::Send(..)));
    }
    let Step::Done(Err(error)) = waiter.poll(Context::new(&api, deadline + seconds(30))) else {
        panic!("half a minute is over")
    };
    assert!(error.is_deadline(), "{error}");
}

/// A clock that was ahead when a delay was noted is set right before the next process reads it.
#[test]
fn resume_with_earlier_clock_caps_backoff_and_poll_interval() {
    let api = sim::api();
    let ahead = START + seconds(86_400);

    let mut call = Call::new(GetJob::new("clj-1"), seed());
    let Step::Send(ticket, _) = call.poll(Context::new(&api, ahead)) else {
        panic!()
    };
    let down = sim::respond(503, &serde_json::json!({}));
    call.handle(Context::new(&api, ahead), ticket, Ok(down));
    let mut call = Call::<GetJob>::load(&call.save().unwrap()).unwrap();
    let Step::Wait(Some(until)) = call.poll(Context::new(&api, START)) else {
        panic!("it backs off")
    };
    assert!(until <= START + seconds(120), "{:?}", until - START);
    let again = call.poll(Context::new(&api, START));
    assert!(matches!(again, Step::Wait(Some(same)) if same == until));
    assert!(matches!(
        call.poll(Context::new(&api, until)),
        Step::Send(..)
    ));

    let mut waiter = Waiter::new("clj-1", seed());
    look(&api, &mut waiter, ahead, "RUNNING");
    assert!(matches!(
        waiter.poll(Context::new(&api, ahead)),
        Step::Event(_)
    ));
    let mut waiter = Waiter::<GetJob>::load(&waiter.save().unwrap()).unwrap();
    let Step::Wait(Some(until)) = waiter.poll(Context::new(&api, START)) else {
        panic!("it backs off")
    };
    assert!(until <= START + seconds(10), "{:?}", until - START);
    assert!(matches!(
        waiter.poll(Context::new(&api, until)),
        Step::Send(..)
    ));
}

#[test]
fn poll_interval_maximum_is_cut_by_deadline() {
    let api = sim::api();
    let longest = PollInterval::new(Duration::MAX, Duration::ZERO);
    let mut waiter = Waiter::new("clj-1", seed())
        .timeout(seconds(60))
        .poll_interval(longest);
    look(&api, &mut waiter, START, "RUNNING");
    assert!(matches!(
        waiter.poll(Context::new(&api, START)),
        Step::Event(_)
    ));
    let deadline = START + seconds(60);
    let waits = waiter.poll(Context::new(&api, START));
    assert!(matches!(waits, Step::Wait(Some(until)) if until == deadline));
    look(&api, &mut waiter, deadline, "RUNNING");
    let Step::Done(Err(error)) = waiter.poll(Context::new(&api, deadline)) else {
        panic!("the last look is the end")
    };
    assert!(error.is_deadline(), "{error}");
}

proptest! {
    /// A job that has ended is reported as ended, however long the process was away.
    #[test]
    fn resume_of_wait_reports_no_stale_status(
        crashes in proptest::collection::btree_set(0u32..60, 0..8),
        away in 0u64..200_000, duration in 0u64..120_000, timeout in 0u64..60_000,
    ) {
        let mut simulation = sim::Simulation::new(sim::Service { duration, ..sim::Service::default() });
        let create = classify_proto::v2::CreateJob::new("dfl-1",
            classify_proto::v2::Configuration::new([classify_proto::v2::Rule::new("invoice", "has an invoice number")]));
        simulation.run(&mut Call::new(create, seed())).1.unwrap();
        let start = simulation.now;
        simulation.away = away;
        let waiter = Waiter::new("clj-1", seed()).timeout(Duration::from_millis(timeout));
        let (_, result) = simulation.run_with_crashes(waiter, &crashes);
        match result {
            Ok(job) => prop_assert_eq!(job.status, JobStatus::Completed),
            Err(error) => {
                prop_assert!(error.is_deadline(), "{}", error);
                // The last look is at the deadline, and a request later at most it is answered.
                prop_assert!(simulation.now - simulation.latency < start + duration, "the job had ended");
                prop_assert!(simulation.now >= start + timeout);
            }
        }
    }
}
