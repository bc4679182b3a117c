//! Bulk runs in virtual time: once and only once, under any faults, crashes, stops and options.

mod proptest_config;
mod sim;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use classify_proto::machine::{BulkOptions, DocumentStatus, HashedDocument, Journal, Limiter};
use classify_proto::v2::Rerun;
use classify_proto::{RateClass, Time};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest_config::cases;
use sim::bulk_harness::{BulkHarness, CREATE, GET, LIST, UPLOAD, faulty, retried};
use sim::{FAULTS, Fault};

/// The faults of all requests and of single routes, and the range of response times, which reorders responses.
#[derive(Debug, Clone)]
struct Network {
    faults: Vec<Fault>,
    by_route: BTreeMap<&'static str, Vec<Fault>>,
    spread: u64,
    limited: bool,
}

impl Network {
    fn serve(&self, bench: &mut BulkHarness) {
        bench.simulation.service.faults = self.faults.clone().into();
        let by_route = self.by_route.iter();
        bench.simulation.service.route_faults = by_route
            .map(|(route, faults)| (*route, faults.clone().into()))
            .collect();
        bench.simulation.spread = self.spread;
        bench.simulation.limiter = self.limited.then(|| Mutex::new(Limiter::paid()));
    }

    /// How many requests may have gone wrong.
    fn faults(&self) -> usize {
        self.faults.len() + self.by_route.values().map(Vec::len).sum::<usize>()
    }
}

fn network() -> impl Strategy<Value = Network> {
    let faults = |most: usize| vec(select(&FAULTS[..]), 0..most);
    let routes = select(vec![UPLOAD, CREATE, LIST, GET]);
    (
        faults(50),
        btree_map(routes, faults(16), 0..3),
        select(vec![0, 1_000, 20_000]),
        any::<bool>(),
    )
        .prop_map(|(faults, by_route, spread, limited)| Network {
            faults,
            by_route,
            spread,
            limited,
        })
}

/// Options that do not change the number of jobs. Every document is new to the service, so a run with `Rerun::Failed`
/// or `Rerun::Always` creates no more jobs than another.
fn options() -> impl Strategy<Value = (BulkOptions, Rerun)> {
    let reruns = [Rerun::Never, Rerun::Failed, Rerun::Always];
    (1usize..8, 1usize..4, 0usize..4, select(reruns.to_vec())).prop_map(
        |(in_flight, requests, report_cache_size, rerun)| {
            let options = BulkOptions::default()
                .max_in_flight(in_flight)
                .max_requests(requests)
                .report_cache_size(report_cache_size);
            (options, rerun)
        },
    )
}

/// A process that dies at a step, or has only so long.
#[derive(Debug, Clone, Copy)]
enum End {
    Killed(u32),
    Deadline(u64),
}

fn ends(most: usize) -> impl Strategy<Value = Vec<End>> {
    let end = prop_oneof![
        (0u32..160).prop_map(End::Killed),
        (0u64..200_000).prop_map(End::Deadline),
    ];
    vec(end, 0..most)
}

fn run_until(bench: &mut BulkHarness, end: End) {
    match end {
        End::Killed(step) => {
            bench.run(Some(step));
        }
        End::Deadline(millis) => {
            bench.options.deadline = Some(Time::from_millis(bench.simulation.now + millis));
            bench.run(None);
            bench.options.deadline = None;
        }
    }
}

/// Every other document is with the service already.
fn held_or_not(content: u32) -> HashedDocument {
    if content % 2 == 0 {
        HashedDocument::id(format!("held-{content}"))
    } else {
        HashedDocument::bytes(format!("{content}.txt"), format!("document {content}"))
    }
}

fn jobs_of(bench: &BulkHarness, content: u32) -> usize {
    let service = &bench.simulation.service;
    let is_of_it = |file_input: &str| match file_input.strip_prefix("dfl-") {
        None => file_input == format!("held-{content}"),
        Some(number) => {
            let file = &service.files[number.parse::<usize>().unwrap() - 1];
            String::from_utf8_lossy(file).contains(&format!("document {content}"))
        }
    };
    let jobs = service.jobs.iter();
    jobs.filter(|job| is_of_it(&job.file_input)).count()
}

proptest! {
    #![proptest_config(cases(2048))]

    #[test]
    fn idempotency_one_job_per_document_under_faults_and_crashes(
        contents in vec(0u32..12, 0..14),
        network in network(),
        options in options(),
        ends in ends(6),
        lost_journals in btree_set(0usize..6, 0..3),
        duration in 0u64..90_000,
    ) {
        let mut bench = BulkHarness::new(contents, faulty(duration, []));
        network.serve(&mut bench);
        (bench.options, bench.job_options.rerun) = options;
        let (start, max_in_flight) = (bench.simulation.now, bench.options.max_in_flight);
        for (place, end) in ends.iter().enumerate() {
            run_until(&mut bench, *end);
            // With `Rerun::Always`, the jobs of earlier processes are known only from the journal.
            if lost_journals.contains(&place) && bench.job_options.rerun != Rerun::Always {
                bench.journal.clear();
            }
        }
        // A document has no job only if the network is down for longer than the run retries. Then the run is repeated.
        let mut summary = bench.run(None).unwrap();
        while bench.reports.values().any(|reports| reports[0].status != DocumentStatus::Completed) {
            prop_assert!(bench.process < 120, "{:?}", summary);
            summary = bench.run(None).unwrap();
        }
        bench.assert_all_completed();
        prop_assert!(summary.count(&DocumentStatus::Completed) >= bench.distinct());
        prop_assert_eq!(bench.simulation.service.jobs.len(), bench.distinct());
        prop_assert!(bench.most_in_flight <= max_in_flight);

        // Each process may upload and create once for each document, and once more for each failed request.
        let (processes, faults) = (usize::from(bench.process), network.faults());
        let writes = bench.requests(UPLOAD) + bench.requests(CREATE);
        prop_assert!(writes <= 2 * bench.documents.len() * processes + faults, "{} uploads and creates", writes);
        // The poll interval is at least two seconds, less a jitter of a fifth.
        let rounds = usize::try_from((bench.simulation.now - start) / 1_600).unwrap() + processes;
        prop_assert!(bench.requests(LIST) <= rounds + faults, "{} lists", bench.requests(LIST));
        prop_assert_eq!(bench.simulation.sent.len(), writes + bench.requests(LIST));

        // A last run with the journal asks for nothing but what it has forgotten.
        let sent = bench.simulation.sent.len();
        bench.options = bench.options.clone().report_cache_size(100);
        bench.run(None).unwrap();
        prop_assert_eq!(bench.simulation.sent.len(), sent);
        bench.assert_all_completed();
        prop_assert_eq!(bench.restored, bench.documents.len());
    }

    #[test]
    fn retry_failed_creates_one_job_per_round_despite_interruptions(
        copies in vec(0u32..6, 0..4), report_cache_size in 0usize..3, fresh_copies_first in any::<bool>(),
        ends in ends(5), stop in option::of(0u32..160), spread in select(vec![0, 1_000]),
        // Without silent faults: they may outlast a run's timeout, and the round would end before all jobs are created.
        faults in vec(select(&FAULTS[..10]), 0..20),
    ) {
        let mut contents: Vec<_> = (0..6).collect();
        let place = if fresh_copies_first { 0 } else { 6 };
        contents.splice(place..place, copies);
        let mut bench = retried(contents);
        bench.options = bench.options.clone().report_cache_size(report_cache_size);
        bench.simulation.service.faults = faults.into();
        bench.simulation.spread = spread;
        let is_over = |bench: &BulkHarness| {
            bench.planned(1) == 6 && Journal::read(&bench.journal).unwrap().0.is_ended()
        };
        for end in ends {
            if !is_over(&bench) {
                run_until(&mut bench, end);
            }
        }
        if let Some(at) = stop.filter(|_| !is_over(&bench)) {
            bench.run_with(None, |bulk, step| {
                if step == at {
                    bulk.stop();
                }
            });
        }
        while !is_over(&bench) {
            bench.run(None);
        }
        prop_assert_eq!(bench.simulation.service.jobs.len(), 12);
    }

    #[test]
    fn idempotency_at_most_one_job_per_document_and_round(
        contents in vec(0u32..6, 1..10), network in network(), report_cache_size in 0usize..3,
        refused in vec(select(vec![400, 404, 409, 422]), 0..8), duration in 0u64..60_000,
        failing in btree_set(1usize..24, 0..16), deleted in btree_set(1usize..24, 0..6),
        rounds in vec(ends(3), 1..4),
    ) {
        let mut bench = BulkHarness::new([], faulty(duration, []));
        bench.documents = contents.iter().map(|content| held_or_not(*content)).collect();
        network.serve(&mut bench);
        bench.simulation.service.refuses_repeats = refused.into();
        bench.simulation.service.failing_jobs = failing;
        bench.simulation.service.deleted = deleted.iter().map(|n| format!("clj-{n}")).collect();
        for (round, ends) in rounds.into_iter().enumerate() {
            let options = BulkOptions::default().max_in_flight(2).report_cache_size(report_cache_size);
            bench.options = options;
    bench.retry_failed(round > 0);
            let is_over = |bench: &BulkHarness| Journal::read(&bench.journal).unwrap().0.is_ended();
            let begun = bench.process;
            for end in ends {
                // A run after the end of a round begins the next round.
                if bench.process == begun || !is_over(&bench) {
                    run_until(&mut bench, end);
                }
            }
            while bench.process == begun || !is_over(&bench) {
                bench.run(None).unwrap();
            }
            for content in &contents {
                let jobs = jobs_of(&bench, *content);
                prop_assert!(jobs <= 1 + round, "round {}: {} jobs of {}", round, jobs, content);
            }
        }
    }

    #[test]
    fn rate_limit_is_never_exceeded(
        count in 0u32..20, network in network(),
        creates in 1u32..6, uploads in 1u32..6, duration in 0u64..20_000,
    ) {
        let mut bench = BulkHarness::new(0..count, faulty(duration, []));
        network.serve(&mut bench);
        let window = Duration::from_secs(1);
        let limiter = Limiter::unlimited()
            .limit(RateClass::Create, creates, window)
            .limit(RateClass::Upload, uploads, window);
        bench.simulation.limiter = Some(Mutex::new(limiter));
        bench.run(None).unwrap();
        for (what, limit) in [(CREATE, creates), (UPLOAD, uploads)] {
            let times: Vec<_> = bench.simulation.sent.iter().filter(|(_, request)| request == what).map(|(time, _)| *time).collect();
            for (place, start) in times.iter().enumerate() {
                let inside = times[place..].iter().take_while(|time| **time < start + 1_000).count();
                prop_assert!(inside <= limit as usize);
            }
        }
        prop_assert!(bench.simulation.service.jobs.len() <= bench.distinct());
    }

    #[test]
    fn stop_at_any_step_loses_no_document(
        count in 0u32..12, at in 0u32..150, cancel in any::<bool>(), network in network(), duration in 0u64..30_000,
    ) {
        let mut bench = BulkHarness::new(0..count, faulty(duration, []));
        network.serve(&mut bench);
        bench.options = BulkOptions::default().max_in_flight(5);
        let summary = bench.run_with(None, |bulk, step| {
            if step == at {
                if cancel { bulk.stop_and_cancel() } else { bulk.stop() }
            }
        }).unwrap();
        // Each document taken in was reported once; the others were never asked for.
        prop_assert!(bench.reports.values().all(|reports| reports.len() == 1));
        prop_assert_eq!(summary.documents(), bench.reports.len());
        let mut summary = bench.run(None).unwrap();
        while summary.documents() != summary.count(&DocumentStatus::Completed) + summary.count(&DocumentStatus::Cancelled) {
            prop_assert!(bench.process < 120, "{:?}", summary);
            summary = bench.run(None).unwrap();
        }
        prop_assert_eq!(bench.simulation.service.jobs.len(), bench.distinct());
        prop_assert_eq!(summary.documents(), bench.distinct());
    }
}
