//! How a bulk run ends before its end, and what it says then.

mod sim;

use std::time::Duration;

use classify_proto::machine::{
    Bulk, BulkEvent, BulkOptions, Document, DocumentStatus, Journal, Machine as _, Step, Summary,
};
use classify_proto::v2::CreateJob;
use classify_proto::{Seed, Time};
use sim::bench::{Bench, CREATE, LIST, LOOK, UPLOAD, service, template};
use sim::{Fault, Service};

/// What a journal says of a run that bought nothing.
fn assert_nothing_is_settled(bench: &Bench) {
    let (journal, _) = Journal::read(&bench.journal).unwrap();
    assert_eq!(journal.counts().1, 0);
}

#[test]
fn a_service_that_is_not_there_for_this_program_stops_the_run_and_settles_nothing() {
    for status in [307, 405, 410, 501] {
        let mut bench = Bench::new(
            [],
            Service {
                refuses: Some(status),
                ..service(1_000)
            },
        );
        bench.documents = (0..20).map(|n| Document::id(format!("dfl-{n}"))).collect();
        bench.options = BulkOptions::default().max_requests(1);
        let summary = bench.run(None).unwrap();
        assert_eq!(bench.requests(CREATE), 1, "{status}");
        let status = if status == 501 {
            DocumentStatus::Ambiguous
        } else {
            DocumentStatus::NotStarted
        };
        assert!(summary.count(&status) >= 1, "{status}: {summary:?}");
        assert_eq!(summary.count(&DocumentStatus::Error), 0);
        assert!(summary.stopped.is_some());
        assert_nothing_is_settled(&bench);
        bench.world.service.refuses = None;
        bench.run(None).unwrap();
        bench.assert_all_completed_by_id();
    }
}

#[test]
fn a_transport_that_refuses_everything_stops_the_run_and_settles_nothing() {
    let mut bench = Bench::new(0..20, service(1_000));
    bench.world.service.faults = vec![Fault::Refused; 1_000].into();
    bench.options = BulkOptions::default().max_requests(1);
    let summary = bench.run(None).unwrap();
    assert_eq!(bench.world.sent.len(), 1);
    assert_eq!(
        summary.count(&DocumentStatus::NotStarted),
        summary.documents()
    );
    assert!(summary.stopped.is_some());
    assert_nothing_is_settled(&bench);
    bench.world.service.faults.clear();
    bench.run(None).unwrap();
    bench.assert_all_completed();
}

/// A wrong address is not a service that is down for an hour.
#[test]
fn a_service_that_was_never_reached_is_not_waited_for_as_one_that_was() {
    let mut bench = Bench::new(0..40, service(1_000));
    bench.world.service.faults = vec![Fault::NoConnection; 100_000].into();
    let start = bench.world.now;
    let summary = bench.run(None).unwrap();
    let took = bench.world.now - start;
    assert!(took < 5 * 60_000, "{took} ms");
    assert_eq!(summary.count(&DocumentStatus::NotStarted), 40);
    assert!(summary.stopped.is_some_and(|error| error.is_transient()));
    assert_nothing_is_settled(&bench);

    bench.world.service.faults.clear();
    bench.run(None).unwrap();
    bench.assert_all_completed();
}

/// A look at a job is reaching the service too: what comes after it is an outage, and is waited out.
#[test]
fn a_service_that_shows_a_job_is_one_that_was_reached() {
    let mut bench = Bench::new(0..1, service(3_600_000));
    bench.options = BulkOptions::default().job_timeout(Duration::from_secs(60));
    let summary = bench.run(None).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Open), 1);

    let mut later = Bench::new(0..30, service(0));
    later.journal.clone_from(&bench.journal);
    std::mem::swap(&mut later.world, &mut bench.world);
    later.world.service.route_faults = [(UPLOAD, vec![Fault::NoConnection; 140].into())].into();
    let summary = later.run(None).unwrap();
    let openings = later
        .notices
        .iter()
        .filter(|notice| notice.contains("at fault"));
    assert!(openings.count() > 3, "{:?}", later.notices);
    assert!(summary.stopped.is_none(), "{:?}", summary.stopped);
    later.assert_all_completed();
}

#[test]
fn jobs_that_are_open_are_left_when_the_transport_refuses_to_look_at_them() {
    let mut bench = Bench::new(0..2, service(60_000));
    let refused = vec![Fault::Refused; 100];
    bench.world.service.route_faults =
        [(LIST, refused.clone().into()), (LOOK, refused.into())].into();
    let start = bench.world.now;
    let summary = bench.run(None).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Open), 2);
    assert!(summary.stopped.is_some());
    assert!(bench.world.now < start + 60_000);
}

/// A 404 may speak of the document or of what all documents share.
#[test]
fn a_saved_configuration_that_is_gone_is_nobody_s_error() {
    let mut bench = Bench::new(
        0..9,
        Service {
            refuses: Some(404),
            ..service(1_000)
        },
    );
    bench.template = CreateJob::new("").configuration_id("cfg-1");
    bench.options = BulkOptions::default().max_requests(1);
    let summary = bench.run(None).unwrap();
    // The file was uploaded a moment ago, so that it cannot be what is missing.
    assert_eq!((bench.requests(UPLOAD), bench.requests(CREATE)), (1, 1));
    assert!(summary.stopped.unwrap().is_not_found());
    assert_nothing_is_settled(&bench);

    // Of a file that the service holds nobody can tell; once a job has been created, the configuration is there.
    let mut bench = Bench::new(0..1, service(1_000));
    bench.template = CreateJob::new("").configuration_id("cfg-1");
    bench.run(None).unwrap();
    bench.documents = vec![Document::id("dfl-gone")];
    bench.world.service.refuses = Some(404);
    let summary = bench.run(None).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Error), 1);
    assert!(summary.stopped.is_none());
}

#[test]
fn a_deadline_holds_for_a_run_that_has_no_credits_left() {
    let mut bench = Bench::new([1], service(600_000));
    bench.options = BulkOptions::default().deadline(Time::from_millis(bench.world.now + 5_000));
    assert_eq!(bench.run(None).unwrap().count(&DocumentStatus::Open), 1);
    // The next document meets 402, and the open job is waited for.
    bench.documents.push(Document::bytes("2.txt", "document 2"));
    bench.world.service.refuses = Some(402);
    let start = bench.world.now;
    bench.options = BulkOptions::default().deadline(Time::from_millis(start + 60_000));
    let summary = bench.run(None).unwrap();
    assert!(summary.stopped.as_ref().unwrap().is_quota());
    assert_eq!(summary.count(&DocumentStatus::Open), 1);
    assert!(
        bench.world.now <= start + 61_000,
        "{} ms",
        bench.world.now - start
    );
}

/// A run over one open job of an earlier process, stopped before its documents come.
fn stopped(bench: &mut Bench, how: impl Fn(&mut Bulk)) -> (Bulk, Vec<BulkEvent>) {
    bench.options = BulkOptions::default().deadline(Time::from_millis(bench.world.now + 5_000));
    bench.run(None).unwrap();
    let (journal, _) = Journal::read(&bench.journal).unwrap();
    let options = BulkOptions::default();
    let bulk = Bulk::new(&bench.world.api, template(), options, Seed::new([7; 16])).unwrap();
    let mut bulk = bulk.with_journal(journal).unwrap();
    let mut events = Vec::new();
    // It asks for room, and is told to wait.
    assert!(bench.world.step(&mut bulk, &mut events).is_none());
    assert!(matches!(events.pop(), Some(BulkEvent::NeedDocuments(_))));
    bulk.pause_input();
    how(&mut bulk);
    (bulk, events)
}

fn statuses(events: &[BulkEvent]) -> Vec<(&str, DocumentStatus)> {
    let settled = events.iter().filter_map(|event| match event {
        BulkEvent::Finished(settled) => Some((&*settled.names[0], settled.report.status.clone())),
        _ => None,
    });
    settled.collect()
}

#[test]
fn a_document_that_comes_after_a_stop_is_reported_at_once() {
    let ways: [fn(&mut Bulk); 2] = [Bulk::stop, Bulk::stop_and_cancel];
    for stop in ways {
        let mut bench = Bench::new([1], service(600_000));
        let (mut bulk, mut events) = stopped(&mut bench, stop);
        let before = bench.world.sent.len();
        bulk.push(bench.documents[0].clone());
        bulk.push(Document::id("dfl-new"));
        while bench.world.step(&mut bulk, &mut events).is_none() {}
        let expected = [
            ("0.txt", DocumentStatus::Open),
            ("dfl-new", DocumentStatus::NotStarted),
        ];
        assert_eq!(statuses(&events), expected);
        assert_eq!(bench.world.sent.len(), before);
    }
}

/// Its jobs are being cancelled, and it looks at none any more.
#[test]
fn a_document_that_comes_while_jobs_are_cancelled_holds_nothing_up() {
    let mut bench = Bench::new([1, 2], service(600_000));
    let (mut bulk, mut events) = stopped(&mut bench, |_| {});
    bulk.push(bench.documents[0].clone());
    bulk.stop_and_cancel();
    while !bench.world.sent.last().unwrap().1.ends_with("/cancel") {
        assert!(bench.world.step(&mut bulk, &mut events).is_none());
    }
    let before = bench.world.sent.len();
    bulk.push(bench.documents[1].clone());
    while bench.world.step(&mut bulk, &mut events).is_none() {}
    let expected = [
        ("1.txt", DocumentStatus::Open),
        ("0.txt", DocumentStatus::Cancelled),
    ];
    assert_eq!(statuses(&events), expected);
    assert_eq!(bench.world.sent.len(), before);
}

#[test]
fn a_document_that_comes_after_the_end_is_not_heard() {
    let mut bench = Bench::new([1], service(600_000));
    let (mut bulk, mut events) = stopped(&mut bench, Bulk::stop);
    while bench.world.step(&mut bulk, &mut events).is_none() {}
    bulk.push(bench.documents[0].clone());
    bulk.push(Document::id("dfl-new"));
    let cx =
        classify_proto::machine::Context::new(&bench.world.api, Time::from_millis(bench.world.now));
    assert!(matches!(bulk.poll(cx), Step::Wait(None)));
}

#[test]
fn a_refused_cancel_is_looked_into_whatever_it_is_refused_with() {
    for status in [400, 409, 422] {
        let mut bench = Bench::new([], service(5_000));
        bench.documents = vec![Document::id("dfl-1")];
        bench.world.service.refuses_cancels = status;
        bench.options = BulkOptions::default().job_timeout(Duration::ZERO);
        assert_eq!(bench.run(None).unwrap().count(&DocumentStatus::Open), 1);
        bench.options = BulkOptions::default();
        bench.world.now += 600_000;
        let summary = bench.run_with(None, |bulk, _| {
            if bulk.in_flight().1 == 1 {
                bulk.stop_and_cancel();
            }
        });
        let summary = summary.unwrap();
        assert_eq!(
            summary.count(&DocumentStatus::Completed),
            1,
            "{status}: {summary:?}"
        );
    }
}

#[test]
fn no_credits_stop_all_buying_and_what_is_paid_for_is_waited_for() {
    let mut bench = Bench::new(0..40, service(30_000));
    bench.options = BulkOptions::default().max_in_flight(10).max_requests(2);
    let mut refused_at = None;
    let mut stopped = None;
    while stopped.is_none() {
        // The credits run out after the third job.
        stopped = bench.run_until_third_job(&mut refused_at);
    }
    let summary = stopped.unwrap();
    assert!(summary.stopped.unwrap().is_quota());
    assert_eq!(summary.statuses[&DocumentStatus::Completed], 3);
    assert!(summary.statuses[&DocumentStatus::NotStarted] >= 1);
    assert_eq!(bench.world.service.jobs.len(), 3);
    // With credits again, the rest is bought and the first three are not.
    bench.world.service.refuses = None;
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!((bench.world.service.jobs.len(), bench.restored), (40, 3));
}

impl Bench {
    fn run_until_third_job(&mut self, refused_at: &mut Option<u32>) -> Option<Summary> {
        self.reports.clear();
        let bulk = Bulk::new(
            &self.world.api,
            template(),
            self.options.clone(),
            Seed::new([1; 16]),
        )
        .unwrap();
        let (mut bulk, mut source, mut events) =
            (bulk, self.documents.clone().into_iter(), Vec::new());
        for step in 0.. {
            if self.world.service.jobs.len() == 3 && refused_at.is_none() {
                *refused_at = Some(step);
                self.world.service.refuses = Some(402);
            }
            if let Some(summary) = self.world.step(&mut bulk, &mut events) {
                return Some(summary);
            }
            for event in events.drain(..) {
                match event {
                    BulkEvent::NeedDocuments(room) => source
                        .by_ref()
                        .take(room)
                        .for_each(|document| bulk.push(document)),
                    BulkEvent::Record(record) => {
                        self.journal.extend_from_slice(record.to_line().as_bytes());
                    }
                    _ => {}
                }
            }
        }
        None
    }
}

#[test]
fn a_key_without_rights_stops_at_once() {
    for status in [401, 403] {
        let mut bench = Bench::new(
            0..50,
            Service {
                refuses: Some(status),
                ..service(1_000)
            },
        );
        bench.options = BulkOptions::default().max_requests(1);
        let summary = bench.run(None).unwrap();
        assert!(summary.stopped.unwrap().is_auth());
        assert_eq!(bench.requests(CREATE), 1);
        assert_eq!(
            summary.statuses.keys().collect::<Vec<_>>(),
            [&DocumentStatus::NotStarted]
        );
    }
}

#[test]
fn a_stop_leaves_open_jobs_and_the_next_run_waits_for_them() {
    let mut bench = Bench::new(0..20, service(60_000));
    bench.options = BulkOptions::default().max_in_flight(10).max_requests(4);
    let summary = bench
        .run_with(None, |bulk, _| {
            if bulk.in_flight().1 == 5 {
                bulk.stop();
            }
        })
        .unwrap();
    let open = summary.count(&DocumentStatus::Open);
    assert!((5..=8).contains(&open), "{summary:?}");
    assert_eq!(open, bench.world.service.jobs.len());
    assert!(bench.reports.values().any(|reports| {
        reports[0]
            .error
            .as_ref()
            .is_some_and(|error| error.contains("PENDING"))
    }));
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(bench.world.service.jobs.len(), 20);
}

#[test]
fn a_stop_that_cancels_leaves_nothing_open() {
    let mut bench = Bench::new(0..20, service(60_000));
    let summary = bench
        .run_with(None, |bulk, _| {
            if bulk.in_flight().1 == 12 {
                bulk.stop_and_cancel();
            }
        })
        .unwrap();
    assert_eq!(summary.count(&DocumentStatus::Open), 0);
    assert_eq!(
        summary.count(&DocumentStatus::Cancelled),
        bench.world.service.jobs.len()
    );
    assert!(bench.world.service.jobs.iter().all(|job| job.cancelled));
}

#[test]
fn a_deadline_ends_a_run_and_says_so() {
    let mut bench = Bench::new(0..10, service(600_000));
    bench.options = BulkOptions::default().deadline(Time::from_millis(bench.world.now + 60_000));
    let start = bench.world.now;
    let summary = bench.run(None).unwrap();
    assert!(summary.stopped.as_ref().unwrap().is_deadline());
    assert_eq!(summary.count(&DocumentStatus::Open), 10);
    assert!(bench.world.now <= start + 61_000);
}

#[test]
fn rights_that_are_lost_while_a_stopping_run_waits_end_it() {
    let mut bench = Bench::new([1], service(600_000));
    bench.options = BulkOptions::default().deadline(Time::from_millis(bench.world.now + 5_000));
    assert_eq!(bench.run(None).unwrap().count(&DocumentStatus::Open), 1);
    // The next document meets 402, and the job that is waited for then cannot be read any more.
    bench.documents.push(Document::bytes("2.txt", "document 2"));
    bench.options = BulkOptions::default();
    bench.world.service.refuses = Some(402);
    bench.world.service.unreadable_once_refused = true;
    let summary = bench.run(None).unwrap();
    assert!(summary.stopped.as_ref().unwrap().is_quota());
    assert_eq!(
        (
            summary.count(&DocumentStatus::Open),
            summary.count(&DocumentStatus::NotStarted)
        ),
        (1, 1)
    );
    // It does not go on asking for what it may not see.
    assert!(bench.requests(LIST) <= 6, "{}", bench.requests(LIST));
}
