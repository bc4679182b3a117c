//! How a bulk run ends before its end, and what it says then.

mod sim;

use std::time::Duration;

use classify_proto::machine::{
    Bulk, BulkEvent, BulkOptions, DocumentStatus, HashedDocument, Journal, Machine as _, Step,
    Summary,
};
use classify_proto::v2::JobOptions;
use classify_proto::{ErrorCode, Seed, Time};
use sim::bulk_harness::{BulkHarness, CREATE, GET, LIST, UPLOAD, job_options, service};
use sim::{Fault, Service};

/// Asserts that the journal has no finished document.
fn assert_nothing_finished(bench: &BulkHarness) {
    let (journal, _) = Journal::read(&bench.journal).unwrap();
    assert_eq!(journal.counts().1, 0);
}

#[test]
fn stop_on_307_405_410_or_501_fails_no_document() {
    for status in [307, 405, 410, 501] {
        let mut bench = BulkHarness::new(
            [],
            Service {
                refuses: Some(status),
                ..service(1_000)
            },
        );
        bench.documents = (0..20)
            .map(|n| HashedDocument::id(format!("dfl-{n}")))
            .collect();
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
        assert!(summary.error().is_some());
        assert_nothing_finished(&bench);
        bench.simulation.service.refuses = None;
        bench.run(None).unwrap();
        bench.assert_all_completed_by_id();
    }
}

/// The first document says why the run stopped, the others that it did.
#[test]
fn stop_reports_have_error_code_of_cause_or_stopped() {
    for (status, cause) in [
        (401, ErrorCode::Auth),
        (402, ErrorCode::Quota),
        (501, ErrorCode::Server),
    ] {
        let mut bench = BulkHarness::new(
            0..20,
            Service {
                refuses: Some(status),
                ..service(1_000)
            },
        );
        bench.options = BulkOptions::default().max_requests(1);
        let summary = bench.run(None).unwrap();
        assert_eq!(summary.error().unwrap().code(), cause);
        let reports = bench.reports.values().flatten();
        let (of_cause, others): (Vec<_>, Vec<_>) =
            reports.partition(|report| report.error_code.as_ref() == Some(&cause));
        assert_eq!(of_cause.len(), bench.requests(CREATE), "{status}");
        assert!(!others.is_empty());
        for report in others {
            assert_eq!(report.error_code, Some(ErrorCode::Stopped), "{report:?}");
        }
    }
}

#[test]
fn stop_on_refusing_transport_fails_no_document() {
    let mut bench = BulkHarness::new(0..20, service(1_000));
    bench.simulation.service.faults = vec![Fault::Refused; 1_000].into();
    bench.options = BulkOptions::default().max_requests(1);
    let summary = bench.run(None).unwrap();
    assert_eq!(bench.simulation.sent.len(), 1);
    assert_eq!(
        summary.count(&DocumentStatus::NotStarted),
        summary.documents()
    );
    assert!(summary.error().is_some());
    assert_nothing_finished(&bench);
    bench.simulation.service.faults.clear();
    bench.run(None).unwrap();
    bench.assert_all_completed();
}

/// A wrong address is not a service that is down for an hour.
#[test]
fn circuit_breaker_gives_up_early_on_service_never_reached() {
    let mut bench = BulkHarness::new(0..40, service(1_000));
    bench.simulation.service.faults = vec![Fault::NoConnection; 100_000].into();
    let start = bench.simulation.now;
    let summary = bench.run(None).unwrap();
    let took = bench.simulation.now - start;
    assert!(took < 5 * 60_000, "{took} ms");
    assert_eq!(summary.count(&DocumentStatus::NotStarted), 40);
    assert!(
        summary
            .error()
            .is_some_and(classify_proto::Error::is_transient)
    );
    assert_nothing_finished(&bench);

    bench.simulation.service.faults.clear();
    bench.run(None).unwrap();
    bench.assert_all_completed();
}

/// A look at a job is reaching the service too: what comes after it is an outage, and is waited out.
#[test]
fn circuit_breaker_counts_successful_poll_as_service_reached() {
    let mut bench = BulkHarness::new(0..1, service(3_600_000));
    bench.options = BulkOptions::default().job_timeout(Duration::from_secs(60));
    let summary = bench.run(None).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Open), 1);

    let mut later = BulkHarness::new(0..30, service(0));
    later.journal.clone_from(&bench.journal);
    std::mem::swap(&mut later.simulation, &mut bench.simulation);
    later.simulation.service.route_faults =
        [(UPLOAD, vec![Fault::NoConnection; 140].into())].into();
    let summary = later.run(None).unwrap();
    let openings = later
        .notices
        .iter()
        .filter(|notice| notice.contains("the service fails"));
    assert!(openings.count() > 3, "{:?}", later.notices);
    assert!(summary.error().is_none(), "{:?}", summary.error());
    later.assert_all_completed();
}

#[test]
fn stop_on_refused_polls_leaves_jobs_open() {
    let mut bench = BulkHarness::new(0..2, service(60_000));
    let refused = vec![Fault::Refused; 100];
    bench.simulation.service.route_faults =
        [(LIST, refused.clone().into()), (GET, refused.into())].into();
    let start = bench.simulation.now;
    let summary = bench.run(None).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Open), 2);
    assert!(summary.error().is_some());
    assert!(bench.simulation.now < start + 60_000);
}

/// A 404 may speak of the document or of what all documents share.
fn saved_configuration(bench: &mut BulkHarness) -> JobOptions {
    let rules = serde_json::to_value(job_options().configuration).unwrap();
    bench.simulation.service.saved = [("cfg-1".to_owned(), rules)].into();
    JobOptions::from_configuration_id("cfg-1")
}

#[test]
fn error_scope_of_create_404_with_saved_configuration() {
    let mut bench = BulkHarness::new(
        0..9,
        Service {
            refuses: Some(404),
            ..service(1_000)
        },
    );
    bench.job_options = saved_configuration(&mut bench);
    bench.options = BulkOptions::default().max_requests(1);
    let summary = bench.run(None).unwrap();
    // The file was uploaded a moment ago, so that it cannot be what is missing.
    assert_eq!((bench.requests(UPLOAD), bench.requests(CREATE)), (1, 1));
    assert!(summary.error().unwrap().is_not_found());
    assert_nothing_finished(&bench);

    // Of a file that the service holds nobody can tell; once a job has been created, the configuration is there.
    let mut bench = BulkHarness::new(0..1, service(1_000));
    bench.job_options = saved_configuration(&mut bench);
    bench.run(None).unwrap();
    bench.documents = vec![HashedDocument::id("dfl-gone")];
    bench.simulation.service.refuses = Some(404);
    let summary = bench.run(None).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Error), 1);
    assert!(summary.error().is_none());
}

#[test]
fn deadline_applies_after_quota_error() {
    let mut bench = BulkHarness::new([1], service(600_000));
    bench.options =
        BulkOptions::default().deadline(Time::from_millis(bench.simulation.now + 5_000));
    assert_eq!(bench.run(None).unwrap().count(&DocumentStatus::Open), 1);
    // The next document meets 402, and the open job is waited for.
    bench
        .documents
        .push(HashedDocument::bytes("2.txt", "document 2"));
    bench.simulation.service.refuses = Some(402);
    let start = bench.simulation.now;
    bench.options = BulkOptions::default().deadline(Time::from_millis(start + 60_000));
    let summary = bench.run(None).unwrap();
    assert!(summary.error().unwrap().is_quota());
    assert_eq!(summary.count(&DocumentStatus::Open), 1);
    assert!(
        bench.simulation.now <= start + 61_000,
        "{} ms",
        bench.simulation.now - start
    );
}

/// A run over one open job of an earlier process, stopped before its documents come.
fn stopped(bench: &mut BulkHarness, how: impl Fn(&mut Bulk)) -> (Bulk, Vec<BulkEvent>) {
    bench.options =
        BulkOptions::default().deadline(Time::from_millis(bench.simulation.now + 5_000));
    bench.run(None).unwrap();
    let (journal, _) = Journal::read(&bench.journal).unwrap();
    let options = BulkOptions::default();
    let bulk = Bulk::new(
        &bench.simulation.api,
        job_options(),
        options,
        Seed::new([7; 16]),
    )
    .unwrap();
    let mut bulk = bulk.with_journal(journal).unwrap();
    let mut events = Vec::new();
    // The run asks for documents, and the caller pauses the input.
    assert!(bench.simulation.step(&mut bulk, &mut events).is_none());
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
fn stop_reports_documents_pushed_later_at_once() {
    let ways: [fn(&mut Bulk); 2] = [Bulk::stop, Bulk::stop_and_cancel];
    for stop in ways {
        let mut bench = BulkHarness::new([1], service(600_000));
        let (mut bulk, mut events) = stopped(&mut bench, stop);
        let before = bench.simulation.sent.len();
        bulk.push(bench.documents[0].clone());
        bulk.push(HashedDocument::id("dfl-new"));
        while bench.simulation.step(&mut bulk, &mut events).is_none() {}
        let expected = [
            ("0.txt", DocumentStatus::Open),
            ("dfl-new", DocumentStatus::NotStarted),
        ];
        assert_eq!(statuses(&events), expected);
        assert_eq!(bench.simulation.sent.len(), before);
    }
}

/// Its jobs are being cancelled, and it looks at none any more.
#[test]
fn cancel_reports_document_pushed_meanwhile_as_open() {
    let mut bench = BulkHarness::new([1, 2], service(600_000));
    let (mut bulk, mut events) = stopped(&mut bench, |_| {});
    bulk.push(bench.documents[0].clone());
    bulk.stop_and_cancel();
    while !bench.simulation.sent.last().unwrap().1.ends_with("/cancel") {
        assert!(bench.simulation.step(&mut bulk, &mut events).is_none());
    }
    let before = bench.simulation.sent.len();
    bulk.push(bench.documents[1].clone());
    while bench.simulation.step(&mut bulk, &mut events).is_none() {}
    let expected = [
        ("1.txt", DocumentStatus::Open),
        ("0.txt", DocumentStatus::Cancelled),
    ];
    assert_eq!(statuses(&events), expected);
    assert_eq!(bench.simulation.sent.len(), before);
}

#[test]
fn stop_ended_run_ignores_pushed_documents() {
    let mut bench = BulkHarness::new([1], service(600_000));
    let (mut bulk, mut events) = stopped(&mut bench, Bulk::stop);
    while bench.simulation.step(&mut bulk, &mut events).is_none() {}
    bulk.push(bench.documents[0].clone());
    bulk.push(HashedDocument::id("dfl-new"));
    let cx = classify_proto::machine::Context::new(
        &bench.simulation.api,
        Time::from_millis(bench.simulation.now),
    );
    assert!(matches!(bulk.poll(cx), Step::Wait(None)));
}

#[test]
fn cancel_refused_with_4xx_reports_actual_job_status() {
    for status in [400, 409, 422] {
        let mut bench = BulkHarness::new([], service(5_000));
        bench.documents = vec![HashedDocument::id("dfl-1")];
        bench.simulation.service.refuses_cancels = status;
        bench.options = BulkOptions::default().job_timeout(Duration::ZERO);
        assert_eq!(bench.run(None).unwrap().count(&DocumentStatus::Open), 1);
        bench.options = BulkOptions::default();
        bench.simulation.now += 600_000;
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
fn stop_on_402_creates_no_more_jobs_but_awaits_open_ones() {
    let mut bench = BulkHarness::new(0..40, service(30_000));
    bench.options = BulkOptions::default().max_in_flight(10).max_requests(2);
    let mut refused_at = None;
    let mut stopped = None;
    while stopped.is_none() {
        // The credits run out after the third job.
        stopped = bench.run_until_third_job(&mut refused_at);
    }
    let summary = stopped.unwrap();
    assert!(summary.error().unwrap().is_quota());
    assert_eq!(summary.statuses[&DocumentStatus::Completed], 3);
    assert!(summary.statuses[&DocumentStatus::NotStarted] >= 1);
    assert_eq!(bench.simulation.service.jobs.len(), 3);
    // With credits again, the run creates the remaining jobs and restores the first three.
    bench.simulation.service.refuses = None;
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(
        (bench.simulation.service.jobs.len(), bench.restored),
        (40, 3)
    );
}

impl BulkHarness {
    fn run_until_third_job(&mut self, refused_at: &mut Option<u32>) -> Option<Summary> {
        self.reports.clear();
        let bulk = Bulk::new(
            &self.simulation.api,
            job_options(),
            self.options.clone(),
            Seed::new([1; 16]),
        )
        .unwrap();
        let (mut bulk, mut source, mut events) =
            (bulk, self.documents.clone().into_iter(), Vec::new());
        for step in 0.. {
            if self.simulation.service.jobs.len() == 3 && refused_at.is_none() {
                *refused_at = Some(step);
                self.simulation.service.refuses = Some(402);
            }
            if let Some(summary) = self.simulation.step(&mut bulk, &mut events) {
                return Some(summary);
            }
            for event in events.drain(..) {
                match event {
                    BulkEvent::NeedDocuments(capacity) => source
                        .by_ref()
                        .take(capacity)
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
fn stop_on_401_or_403_is_immediate() {
    for status in [401, 403] {
        let mut bench = BulkHarness::new(
            0..50,
            Service {
                refuses: Some(status),
                ..service(1_000)
            },
        );
        bench.options = BulkOptions::default().max_requests(1);
        let summary = bench.run(None).unwrap();
        assert!(summary.error().unwrap().is_auth());
        assert_eq!(bench.requests(CREATE), 1);
        assert_eq!(
            summary.statuses.keys().collect::<Vec<_>>(),
            [&DocumentStatus::NotStarted]
        );
    }
}

#[test]
fn stop_leaves_jobs_open_for_next_run() {
    let mut bench = BulkHarness::new(0..20, service(60_000));
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
    assert_eq!(open, bench.simulation.service.jobs.len());
    assert!(bench.reports.values().any(|reports| {
        reports[0]
            .error
            .as_ref()
            .is_some_and(|error| error.contains("PENDING"))
    }));
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(bench.simulation.service.jobs.len(), 20);
}

#[test]
fn cancel_on_stop_leaves_no_job_open() {
    let mut bench = BulkHarness::new(0..20, service(60_000));
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
        bench.simulation.service.jobs.len()
    );
    assert!(
        bench
            .simulation
            .service
            .jobs
            .iter()
            .all(|job| job.cancelled)
    );
}

#[test]
fn deadline_stops_run_with_deadline_error() {
    let mut bench = BulkHarness::new(0..10, service(600_000));
    bench.options =
        BulkOptions::default().deadline(Time::from_millis(bench.simulation.now + 60_000));
    let start = bench.simulation.now;
    let summary = bench.run(None).unwrap();
    assert!(summary.error().unwrap().is_deadline());
    assert_eq!(summary.count(&DocumentStatus::Open), 10);
    assert!(bench.simulation.now <= start + 61_000);
}

#[test]
fn stop_after_402_ends_when_polls_get_401() {
    let mut bench = BulkHarness::new([1], service(600_000));
    bench.options =
        BulkOptions::default().deadline(Time::from_millis(bench.simulation.now + 5_000));
    assert_eq!(bench.run(None).unwrap().count(&DocumentStatus::Open), 1);
    // The next document meets 402, and the job that is waited for then cannot be read any more.
    bench
        .documents
        .push(HashedDocument::bytes("2.txt", "document 2"));
    bench.options = BulkOptions::default();
    bench.simulation.service.refuses = Some(402);
    bench.simulation.service.unreadable_once_refused = true;
    let summary = bench.run(None).unwrap();
    assert!(summary.error().unwrap().is_quota());
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
