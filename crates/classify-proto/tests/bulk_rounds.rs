//! How a bulk run looks at its open jobs, and what it does while the service is not well.

mod sim;

use std::collections::BTreeSet;

use classify_proto::machine::{BulkOptions, Document, Standing};
use sim::Fault;
use sim::bench::{Bench, CREATE, LIST, service};

fn bench(count: usize, duration: u64) -> Bench {
    let mut bench = Bench::new([], service(duration));
    bench.documents = (0..count)
        .map(|n| Document::id(format!("dfl-{n}")))
        .collect();
    bench
}

fn looks(bench: &Bench) -> usize {
    let sent = bench.world.sent.iter();
    sent.filter(|(_, request)| request.starts_with("GET /api/v2/classify/clj-"))
        .count()
}

/// Creates and lists are two things: that the one goes well says nothing of the other.
#[test]
fn a_service_that_asks_for_ten_minutes_gets_them_while_its_lists_go_well() {
    let mut bench = bench(20, 700_000);
    let start = bench.world.now;
    bench.world.service.busy = Some((1, start + 600_000));
    bench.options = BulkOptions::default().max_requests(3);
    bench.run(None).unwrap();
    bench.assert_all_completed_by_id();
    let creates = bench
        .world
        .sent
        .iter()
        .filter(|(_, request)| request == CREATE);
    let early: Vec<_> = creates
        .map(|(time, _)| time - start)
        .filter(|time| (1_000..600_000).contains(time))
        .collect();
    assert!(early.is_empty(), "{early:?}");
    assert!(bench.requests(LIST) > 10);
}

#[test]
fn an_id_is_the_same_with_its_prefix_and_without() {
    let mut bench = bench(5, 20_000);
    bench.world.service.bare_in_lists = true;
    bench.world.service.bare_in_gets = true;
    bench.run(None).unwrap();
    bench.assert_all_completed_by_id();
    assert_eq!(looks(&bench), 0);
    bench.journal.clear();
    bench.world.service.jobs.clear();
    bench.world.service.by_transaction.clear();
    bench.world.service.hidden = ["clj-2".to_owned()].into();
    bench.run(None).unwrap();
    bench.assert_all_completed_by_id();
    assert!((1..=8).contains(&looks(&bench)), "{}", looks(&bench));
    // The report names the job as the service did when it was bought.
    let reports = bench.reports.values().map(|reports| &reports[0]);
    let ids: BTreeSet<_> = reports.flat_map(|report| report.job_id.clone()).collect();
    assert_eq!(ids, (1..6).map(|n| format!("clj-{n}")).collect());
}

#[test]
fn a_hundred_jobs_that_cannot_be_listed_hide_no_others() {
    for status in [414, 422] {
        let mut bench = bench(150, 20_000);
        let start = bench.world.now;
        bench.world.service.refuses_lists_of = Some(("clj-1".to_owned(), status));
        bench.run(None).unwrap();
        bench.assert_all_completed_by_id();
        assert!(bench.world.now < start + 60_000);
        // Those that no list shows are asked for one by one.
        assert!((100..=600).contains(&looks(&bench)), "{}", looks(&bench));
    }
}

#[test]
fn a_list_that_fails_for_a_while_hides_no_others_and_proves_nothing() {
    let mut bench = bench(150, 20_000);
    let start = bench.world.now;
    bench.world.service.refuses_lists_of = Some(("clj-1".to_owned(), 500));
    bench.options =
        BulkOptions::default().deadline(classify_proto::Time::from_millis(start + 120_000));
    let summary = bench.run(None).unwrap();
    assert!(summary.count(&Standing::Completed) >= 50, "{summary:?}");
    assert_eq!(looks(&bench), 0);
}

#[test]
fn a_list_that_is_never_answered_delays_the_next_by_no_more_than_itself() {
    let mut bench = bench(1, 5_000);
    let start = bench.world.now;
    let silence = [Fault::Silence];
    bench.world.service.route_faults = [(LIST, silence.into())].into();
    bench.run(None).unwrap();
    bench.assert_all_completed_by_id();
    // A call is given a quarter of an hour.
    let late = bench.world.now - start - 15 * 60_000;
    assert!(late < 60_000, "{late} ms");
}
