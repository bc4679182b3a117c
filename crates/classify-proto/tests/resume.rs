//! Every machine, taken up again: in the same process when its replies were lost, and from a state that says what it is.

mod proptest_config;
mod sim;

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Debug;

use classify_proto::files::UploadFile;
use classify_proto::machine::{
    Call, Concurrent, Machine, Pager, Reconcile, ResultsWaiter, Run, Saved, UploadOnce, Waiter,
};
use classify_proto::v2::{CancelJob, Configuration, CreateJob, DeleteJob, GetJob, ListJobs, Rule};
use classify_proto::{Seed, Timestamp, v1};
use proptest::collection::btree_set;
use proptest::prelude::*;
use proptest_config::cases;
use serde_json::json;
use sim::{Service, Simulation};

/// How long losses may hold a machine up: far less than the quarter of an hour for which it would wait for a reply.
const SOON: u64 = 60_000;

fn seed() -> Seed {
    Seed::new([9; 16])
}

fn create() -> CreateJob {
    let rule = Rule::new("invoice", "has an invoice number");
    CreateJob::new("dfl-1", Configuration::new([rule]))
}

fn old_create() -> v1::CreateJob {
    v1::CreateJob::new(["a"], [v1::Rule::new("invoice", "has an invoice number")])
}

fn since() -> Timestamp {
    "2023-11-14T00:00:00Z".parse().unwrap()
}

/// One job of each version, a list of four pages, and a file: all without faults.
fn simulation() -> Simulation {
    let token = |page: u8| match page {
        0 => String::new(),
        page => format!("t{page}"),
    };
    let pages = (0..4).map(|page| {
        let next = (page < 3).then(|| token(page + 1));
        (token(page), (vec![format!("clj-{page}")], next))
    });
    let mut simulation = Simulation::new(Service {
        duration: 5_000,
        faults: VecDeque::new(),
        pages: pages.collect(),
        ..Service::default()
    });
    simulation.run(&mut Call::new(create(), seed())).1.unwrap();
    simulation.service.v1.duration = 5_000;
    simulation
        .run(&mut Call::new(old_create(), seed()))
        .1
        .unwrap();
    simulation.service.v1.files =
        vec![json!({"id": "there", "name": "x", "external_file_id": "mine"})];
    simulation
}

/// Asserts that losses change neither the events nor the output of a machine, and that it ends soon after.
fn same<M: Machine>(make: impl Fn() -> M, losses: &BTreeSet<u32>)
where
    M::Event: Debug,
    M::Output: Debug,
{
    let mut calm = simulation();
    let (_, expected) = calm.run(&mut make());
    let mut simulation = simulation();
    let (_, found) = simulation.run_with_losses(&mut make(), losses);
    assert_eq!(format!("{found:?}"), format!("{expected:?}"));
    assert!(
        simulation.now < calm.now + SOON,
        "{} ms later",
        simulation.now - calm.now
    );
}

proptest! {
    #![proptest_config(cases(2048))]

    #[test]
    fn resume_resends_lost_requests_at_once(losses in btree_set(0u32..24, 0..4)) {
        same(|| Call::new(GetJob::new("clj-1"), seed()), &losses);
        same(|| Waiter::new("clj-1", seed()), &losses);
        same(|| Run::new(create(), seed()), &losses);
        same(|| ResultsWaiter::new("job-1", seed()), &losses);
        same(|| Reconcile::new(old_create(), since(), seed()), &losses);
        let upload = || UploadFile::path("a.txt").unwrap();
        same(|| UploadOnce::new(upload().external_file_id("mine"), seed()), &losses);
        // An upload whose response was lost is repeated and returns another id; files are not charged.
        let mut simulation = simulation();
        let start = simulation.now;
        let mut upload_once = UploadOnce::new(upload().external_file_id("none"), seed());
        prop_assert!(simulation.run_with_losses(&mut upload_once, &losses).1.unwrap().uploaded);
        prop_assert!(simulation.now < start + SOON);
    }

    #[test]
    fn pagination_resume_returns_every_page_once(losses in btree_set(0u32..24, 0..4), prefetch in any::<bool>()) {
        let mut simulation = simulation();
        let start = simulation.now;
        let mut pager = Pager::new(ListJobs::new(), seed()).prefetch(prefetch);
        let (pages, result) = simulation.run_with_losses(&mut pager, &losses);
        result.unwrap();
        let ids: Vec<_> = pages.into_iter().flat_map(|page| page.items).map(|job| job.id).collect();
        prop_assert_eq!(ids, ["clj-0", "clj-1", "clj-2", "clj-3"]);
        prop_assert!(simulation.now < start + SOON);
    }
}

#[test]
fn saved_state_is_rejected_by_other_machine_kinds() {
    fn saved(machine: &impl Saved) -> String {
        machine.save().unwrap()
    }
    fn refuses<M: Saved>(state: &str) -> bool {
        M::load(state).is_err()
    }
    let states = [
        ("call classify.create", saved(&Call::new(create(), seed()))),
        (
            "call classify.get",
            saved(&Call::new(GetJob::new("clj-1"), seed())),
        ),
        (
            "call classify.cancel",
            saved(&Call::new(CancelJob::new("clj-1"), seed())),
        ),
        (
            "call classify.delete",
            saved(&Call::new(DeleteJob::new("clj-1"), seed())),
        ),
        (
            "pager classify.list",
            saved(&Pager::new(ListJobs::new(), seed())),
        ),
        ("waiter classify", saved(&Waiter::new("clj-1", seed()))),
        ("run classify", saved(&Run::new(create(), seed()))),
        (
            "concurrent run classify",
            saved(&Concurrent::new([Run::new(create(), seed())], 1)),
        ),
        (
            "results waiter",
            saved(&ResultsWaiter::new("job-1", seed())),
        ),
        (
            "reconcile",
            saved(&Reconcile::new(old_create(), since(), seed())),
        ),
        (
            "upload once",
            saved(&UploadOnce::new(
                UploadFile::path("a.txt").unwrap().external_file_id("mine"),
                seed(),
            )),
        ),
    ];
    let loaders: [fn(&str) -> bool; 11] = [
        refuses::<Call<CreateJob>>,
        refuses::<Call<GetJob>>,
        refuses::<Call<CancelJob>>,
        refuses::<Call<DeleteJob>>,
        refuses::<Pager<ListJobs>>,
        refuses::<Waiter>,
        refuses::<Run>,
        refuses::<Concurrent<Run>>,
        refuses::<ResultsWaiter>,
        refuses::<Reconcile>,
        refuses::<UploadOnce>,
    ];
    for (place, (kind, state)) in states.iter().enumerate() {
        assert!(state.contains(&format!("{kind:?}")), "{kind}: {state}");
        for (other, refuses) in loaders.iter().enumerate() {
            assert_eq!(
                refuses(state),
                place != other,
                "{kind} by {}",
                states[other].0
            );
        }
    }
}
