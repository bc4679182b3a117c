//! Bulk runs in virtual time: once and only once, under any faults and crashes.

mod sim;

use std::sync::Mutex;
use std::time::Duration;

use classify_proto::machine::{
    Bulk, BulkEvent, BulkOptions, ContentKey, Cx, Document, Journal, Limiter, Machine as _, Record,
    Standing, Step, Summary,
};
use classify_proto::v2::{Configuration, Create, Rule};
use classify_proto::{Seed, Time};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use sim::bench::{Bench, CREATE, LIST, UPLOAD, faulty, service, template};
use sim::{FAULTS, Fault, Service};

#[test]
fn documents_go_in_and_labels_come_out() {
    let mut bench = Bench::new(0..5, service(10_000));
    let summary = bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(summary.count(&Standing::Completed), 5);
    assert_eq!((bench.requests(UPLOAD), bench.requests(CREATE)), (5, 5));
    let report = &bench.reports["3.txt"][0];
    assert_eq!(report.r#type.as_deref(), Some("invoice"));
    assert!(report.job_id.is_some() && report.file_id.is_some() && report.error.is_none());
}

#[test]
fn nothing_to_do_is_done_at_once() {
    let mut bench = Bench::new([], service(0));
    assert_eq!(bench.run(None).unwrap().documents(), 0);
    assert!(bench.world.sent.is_empty());
    assert_eq!(Journal::read(&bench.journal).unwrap().0.counts(), (0, 0));
}

#[test]
fn documents_of_one_content_are_sent_once_and_reported_under_each_name() {
    let mut bench = Bench::new([1, 2, 1, 1, 2, 3], service(3_000));
    bench.options = BulkOptions::default().max_in_flight(2);
    let summary = bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!((summary.documents(), summary.duplicates), (3, 3));
    assert_eq!(
        (
            bench.world.service.files.len(),
            bench.world.service.jobs.len()
        ),
        (3, 3)
    );
}

#[test]
fn a_duplicate_that_is_forgotten_is_not_paid_for() {
    let mut bench = Bench::new([1, 2, 3, 4, 1], service(1_000));
    bench.options = BulkOptions::default().max_in_flight(1).remember(1);
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(
        (bench.requests(CREATE), bench.world.service.jobs.len()),
        (5, 4)
    );
}

#[test]
fn what_the_service_holds_is_not_uploaded() {
    let mut bench = Bench::new([], service(1_000));
    bench.documents = vec![
        Document::id("dfl-7"),
        Document::id("pjb-8"),
        Document::id("dfl-7"),
    ];
    bench.run(None).unwrap();
    assert_eq!((bench.requests(UPLOAD), bench.requests(CREATE)), (0, 2));
    assert_eq!(bench.world.service.jobs[1].file_input, "pjb-8");
    assert_eq!(
        bench.reports["dfl-7"].len() + bench.reports["pjb-8"].len(),
        3
    );
}

#[test]
fn a_thousand_jobs_of_a_minute_cost_a_thousand_creates_and_few_lists() {
    let mut bench = Bench::new([], service(60_000));
    bench.documents = (0..1_000)
        .map(|n| Document::id(format!("dfl-{n}")))
        .collect();
    bench.options = BulkOptions::default().max_in_flight(1_000);
    bench.world.limiter = Some(Mutex::new(Limiter::paid()));
    bench.run(None).unwrap();
    assert_eq!(bench.requests(CREATE), 1_000);
    assert!(bench.requests(LIST) <= 150, "{}", bench.requests(LIST));
    assert_eq!(
        bench.world.sent.len(),
        bench.requests(CREATE) + bench.requests(LIST)
    );
    // And with every one of them uploaded first, at ten a second.
    let mut bench = Bench::new(0..1_000, service(60_000));
    bench.options = BulkOptions::default().max_in_flight(1_000);
    bench.world.limiter = Some(Mutex::new(Limiter::paid()));
    bench.run(None).unwrap();
    assert_eq!(
        (bench.requests(UPLOAD), bench.requests(CREATE)),
        (1_000, 1_000)
    );
    assert!(bench.requests(LIST) <= 150, "{}", bench.requests(LIST));
}

#[test]
fn a_thousand_waiting_jobs_end_under_the_free_tier() {
    let mut bench = Bench::new([], service(60_000));
    bench.documents = (0..1_000)
        .map(|n| Document::id(format!("dfl-{n}")))
        .collect();
    bench.options = BulkOptions::default().max_in_flight(1_000);
    bench.world.limiter = Some(Mutex::new(Limiter::free_tier()));
    bench.run(None).unwrap();
    bench.assert_all_completed_by_id();
    for (place, (start, _)) in bench.world.sent.iter().enumerate() {
        let inside = bench.world.sent[place..]
            .iter()
            .take_while(|(time, _)| *time < start + 60_000)
            .count();
        assert!(inside <= 20);
    }
    // Of the few requests there are, nearly all go into buying.
    assert!(
        bench.requests(LIST) <= 100,
        "{} lists",
        bench.requests(LIST)
    );
}

#[test]
fn no_more_are_in_flight_than_allowed() {
    let mut bench = Bench::new(0..200, service(20_000));
    bench.options = BulkOptions::default().max_in_flight(7);
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(bench.most_in_flight, 7);
}

#[test]
fn a_run_that_is_held_waits_for_the_next_document_and_then_for_the_end() {
    let api = sim::api();
    let mut bulk = Bulk::new(&api, template(), BulkOptions::default(), Seed::new([1; 16])).unwrap();
    let cx = Cx::new(&api, Time::from_millis(1_000));
    let next = |bulk: &mut Bulk| bulk.poll(cx);
    assert!(matches!(
        next(&mut bulk),
        Step::Event(BulkEvent::Record(Record::Run(_)))
    ));
    assert!(matches!(next(&mut bulk), Step::Event(BulkEvent::Room(500))));
    bulk.hold();
    for _ in 0..3 {
        assert!(matches!(next(&mut bulk), Step::Wait(None)));
    }
    bulk.push(Document::id("dfl-1"));
    assert!(matches!(next(&mut bulk), Step::Event(BulkEvent::Record(_))));
    assert!(matches!(next(&mut bulk), Step::Event(BulkEvent::Room(499))));
    bulk.hold();
    assert!(matches!(next(&mut bulk), Step::Send(..)));
    bulk.stop();
    bulk.close();
    assert_eq!(bulk.room(), 0);

    let mut empty =
        Bulk::new(&api, template(), BulkOptions::default(), Seed::new([1; 16])).unwrap();
    next(&mut empty);
    next(&mut empty);
    empty.hold();
    assert!(matches!(next(&mut empty), Step::Wait(None)));
    empty.close();
    assert!(matches!(
        next(&mut empty),
        Step::Event(BulkEvent::Record(Record::Ended))
    ));
    assert!(matches!(next(&mut empty), Step::Done(_)));
}

#[test]
fn what_an_earlier_process_settled_can_be_looked_up_without_being_pushed() {
    let mut bench = Bench::new(0..2, service(1_000));
    bench.run(None).unwrap();
    let (journal, _) = Journal::read(&bench.journal).unwrap();
    let options = BulkOptions::default();
    let bulk = Bulk::new(&bench.world.api, template(), options, Seed::new([9; 16])).unwrap();
    let bulk = bulk.with_journal(journal).unwrap();
    let key = bench.documents[1].key();
    assert_eq!(bulk.earlier(key).unwrap().status, Standing::Completed);
    assert!(bulk.earlier(ContentKey::of(b"another")).is_none());
}

#[test]
fn the_job_that_an_earlier_process_created_is_known_as_soon_as_its_document_is() {
    let api = sim::api();
    let options = BulkOptions::default();
    let mut first = Bulk::new(&api, template(), options.clone(), Seed::new([1; 16])).unwrap();
    let Step::Event(BulkEvent::Record(begun)) = first.poll(Cx::new(&api, Time::from_millis(1_000)))
    else {
        panic!("the journal begins with the run")
    };
    let document = Document::id("dfl-1");
    let created = Record::Created {
        key: document.key(),
        job_id: "clj-1".into(),
        transaction_id: "t".into(),
    };
    let (journal, _) = Journal::read((begun.to_line() + &created.to_line()).as_bytes()).unwrap();
    let bulk = Bulk::new(&api, template(), options, Seed::new([2; 16])).unwrap();
    let mut bulk = bulk.with_journal(journal).unwrap();
    let key = document.key();
    assert_eq!(bulk.job_of(key), None);
    bulk.push(document);
    assert_eq!(bulk.job_of(key), Some("clj-1"));
}

#[test]
fn pages_smaller_than_asked_for_are_followed() {
    let mut bench = Bench::new(
        0..150,
        Service {
            page_size: 7,
            ..service(30_000)
        },
    );
    bench.run(None).unwrap();
    bench.assert_all_completed();
}

#[test]
fn a_job_that_no_list_shows_is_asked_for_and_one_that_is_gone_is_missing() {
    let mut bench = Bench::new(0..3, service(20_000));
    bench.world.service.hidden = ["clj-1".to_owned()].into();
    bench.world.service.deleted = ["clj-2".to_owned()].into();
    let summary = bench.run(None).unwrap();
    assert_eq!(
        (
            summary.count(&Standing::Completed),
            summary.count(&Standing::Missing)
        ),
        (2, 1)
    );
    assert!(bench.requests("GET /api/v2/classify/clj-1") >= 1);
    // Two rounds may miss it, by chance or because the list is behind.
    let before = bench
        .world
        .sent
        .iter()
        .take_while(|(_, request)| request != "GET /api/v2/classify/clj-1");
    assert_eq!(before.filter(|(_, request)| request == LIST).count(), 2);
    assert_eq!(bench.requests("GET /api/v2/classify/clj-2"), 1);
    assert_eq!(bench.requests("GET /api/v2/classify/clj-3"), 0);
}

#[test]
fn a_bad_document_stops_nothing() {
    let mut bench = Bench::new(
        0..4,
        Service {
            failing: true,
            ..service(1_000)
        },
    );
    bench
        .documents
        .push(Document::path("gone.txt", "gone.txt", ContentKey::of(b"gone")).unwrap());
    let summary = bench.run(None).unwrap();
    // A simulated upload of a path is empty, and goes through like any other.
    assert_eq!(summary.count(&Standing::Failed), 5);
    let report = &bench.reports["0.txt"][0];
    assert_eq!(report.error.as_deref(), Some("PDF_IS_BROKEN"));
}

#[test]
fn a_document_that_is_refused_is_its_own_error() {
    let mut bench = Bench::new(
        0..3,
        Service {
            refuses: Some(422),
            ..service(1_000)
        },
    );
    let summary = bench.run(None).unwrap();
    assert_eq!(summary.count(&Standing::Error), 3);
    assert!(summary.stopped.is_none());
    assert!(
        bench.reports["0.txt"][0]
            .error
            .as_ref()
            .unwrap()
            .contains("422")
    );
    // It is not asked again, but with `retry_failed`.
    let before = bench.world.sent.len();
    bench.run(None).unwrap();
    assert_eq!((bench.world.sent.len(), bench.restored), (before, 3));
    bench.world.service.refuses = None;
    bench.options = BulkOptions::default().retry_failed(true);
    bench.run(None).unwrap();
    bench.assert_all_completed();
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
    assert_eq!(summary.standings[&Standing::Completed], 3);
    assert!(summary.standings[&Standing::NotStarted] >= 1);
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
                    BulkEvent::Room(room) => source
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
            summary.standings.keys().collect::<Vec<_>>(),
            [&Standing::NotStarted]
        );
    }
}

#[test]
fn a_service_at_fault_is_left_alone_for_a_while_and_nothing_is_lost() {
    let mut bench = Bench::new(0..30, faulty(1_000, vec![Fault::Http503; 150]));
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert!(
        bench
            .notices
            .iter()
            .any(|notice| notice.contains("at fault")),
        "{:?}",
        bench.notices
    );
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
    let open = summary.count(&Standing::Open);
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
    assert_eq!(summary.count(&Standing::Open), 0);
    assert_eq!(
        summary.count(&Standing::Cancelled),
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
    assert_eq!(summary.count(&Standing::Open), 10);
    assert!(bench.world.now <= start + 61_000);
}

#[test]
fn a_job_that_never_ends_does_not_hold_the_run() {
    let mut bench = Bench::new(0..3, service(u64::MAX / 4));
    bench.options = BulkOptions::default().job_timeout(Duration::from_secs(600));
    let summary = bench.run(None).unwrap();
    assert_eq!(summary.count(&Standing::Open), 3);
    assert!(bench.reports["0.txt"][0].job_id.is_some());
}

#[test]
fn failed_documents_are_bought_anew_only_when_that_is_asked() {
    let mut bench = Bench::new(
        0..3,
        Service {
            failing: true,
            ..service(1_000)
        },
    );
    bench.run(None).unwrap();
    bench.world.service.failing = false;
    for job in &mut bench.world.service.jobs {
        job.fails = true;
    }
    bench.run(None).unwrap();
    assert_eq!((bench.restored, bench.world.service.jobs.len()), (3, 3));
    bench.options = BulkOptions::default().retry_failed(true);
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(
        (bench.requests(CREATE), bench.world.service.jobs.len()),
        (6, 6)
    );
    assert_eq!((bench.planned(0), bench.planned(1)), (3, 3));
    // What completed in the second attempt stays.
    bench.run(None).unwrap();
    assert_eq!((bench.restored, bench.world.service.jobs.len()), (3, 6));
}

/// The job of a create whose answer was lost may have failed before the create is repeated. It is this run's own, and
/// was paid for: to take it for an earlier run's would pay for the document twice.
#[test]
fn a_retried_document_that_fails_while_its_answer_is_lost_is_not_bought_twice() {
    let mut bench = Bench::new(
        0..3,
        Service {
            failing: true,
            ..service(10)
        },
    );
    bench.run(None).unwrap();
    bench.options = BulkOptions::default().retry_failed(true).max_requests(1);
    // After the upload.
    bench.world.service.faults = [Fault::None, Fault::LostAfterActing].into();
    bench.run(None).unwrap();
    assert_eq!(bench.world.service.jobs.len(), 6);
    assert!(
        bench
            .reports
            .values()
            .all(|reports| reports[0].status == Standing::Failed)
    );
}

/// The same, with a crash between the create and its record.
#[test]
fn a_retried_document_that_fails_while_the_run_is_down_is_not_bought_twice() {
    let mut bench = Bench::new(
        0..1,
        Service {
            failing: true,
            ..service(10)
        },
    );
    bench.run(None).unwrap();
    bench.options = BulkOptions::default().retry_failed(true);
    for step in 0.. {
        bench.run(Some(step));
        if bench.world.service.jobs.len() == 2 {
            break;
        }
    }
    assert!(
        !String::from_utf8(bench.journal.clone())
            .unwrap()
            .contains("clj-2")
    );
    bench.world.now += 60_000;
    bench.run(None).unwrap();
    assert_eq!(bench.world.service.jobs.len(), 2);
    assert_eq!(bench.reports["0.txt"][0].status, Standing::Failed);
}

/// Six documents, all of which have failed, and a run that buys them anew.
fn retried() -> Bench {
    let failing = Service {
        failing: true,
        ..service(1_000)
    };
    let mut bench = Bench::new(0..6, failing);
    bench.run(None).unwrap();
    assert_eq!(bench.world.service.jobs.len(), 6);
    bench.options = BulkOptions::default()
        .retry_failed(true)
        .max_in_flight(2)
        .max_requests(2);
    bench
}

/// Nobody has paid for a retry yet.
#[test]
fn what_failed_in_a_first_run_that_was_interrupted_is_retried() {
    let mut bench = retried();
    let ended = Record::Ended.to_line();
    let sound = bench.journal.len() - ended.len();
    assert_eq!(bench.journal.split_off(sound), ended.into_bytes());
    bench.run(None).unwrap();
    assert_eq!(bench.world.service.jobs.len(), 12);
}

#[test]
fn a_further_round_of_retries_begins_when_the_last_has_come_to_its_end() {
    let mut bench = retried();
    bench.run(None).unwrap();
    assert_eq!(bench.world.service.jobs.len(), 12);
    bench.run(None).unwrap();
    assert_eq!(bench.world.service.jobs.len(), 18);
    // A run that has nothing to say leaves the journal as it is.
    bench.options = BulkOptions::default();
    let journal = bench.journal.clone();
    bench.run(None).unwrap();
    assert_eq!(bench.journal, journal);
}

#[test]
fn failed_documents_are_found_without_a_journal_too() {
    let mut bench = Bench::new(
        0..3,
        Service {
            failing: true,
            ..service(1_000)
        },
    );
    bench.run(None).unwrap();
    bench.world.service.failing = false;
    for job in &mut bench.world.service.jobs {
        job.fails = true;
    }
    bench.journal.clear();
    bench.options = BulkOptions::default().retry_failed(true);
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(bench.world.service.jobs.len(), 6);
}

#[test]
fn a_fresh_run_pays_anew_once() {
    let mut bench = Bench::new(0..3, service(1_000));
    bench.run(None).unwrap();
    bench.journal.clear();
    bench.run(None).unwrap();
    assert_eq!(bench.world.service.jobs.len(), 3);
    bench.journal.clear();
    bench.options = BulkOptions::default().fresh(true);
    bench.run(Some(40));
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(
        bench.world.service.jobs.len(),
        6,
        "a fresh run that crashed goes on as the same run"
    );
}

#[test]
fn the_journal_of_another_run_is_refused() {
    let mut bench = Bench::new(0..1, service(0));
    bench.run(None).unwrap();
    let (journal, _) = Journal::read(&bench.journal).unwrap();
    let other = Create::new("").configuration(Configuration::new([Rule::new(
        "receipt",
        "has a till number",
    )]));
    let bulk = Bulk::new(
        &bench.world.api,
        other,
        BulkOptions::default(),
        Seed::new([1; 16]),
    )
    .unwrap();
    let error = bulk.with_journal(journal).unwrap_err();
    assert!(
        error.to_string().contains("\"invoice\" is in the journal"),
        "{error}"
    );
}

#[test]
fn a_fresh_run_does_not_go_on_with_the_journal_of_another() {
    let mut bench = Bench::new(0..1, service(0));
    bench.run(None).unwrap();
    let (journal, _) = Journal::read(&bench.journal).unwrap();
    let options = BulkOptions::default().fresh(true);
    let bulk = Bulk::new(&bench.world.api, template(), options, Seed::new([1; 16])).unwrap();
    let error = bulk.with_journal(journal).unwrap_err();
    assert!(error.to_string().contains("anew"), "{error}");
}

#[test]
fn a_run_that_names_an_organization_says_so_in_its_journal() {
    let mut bench = Bench::new(0..1, service(0));
    bench.template = template().organization("org-1");
    bench.run(None).unwrap();
    let (journal, _) = Journal::read(&bench.journal).unwrap();
    let organization = journal.header().unwrap().organization.as_deref();
    assert_eq!(organization, Some("org-1"));
}

#[test]
fn a_run_is_fed_by_an_iterator_and_stores_its_records_through_a_function() {
    let mut bench = Bench::new(0..9, service(5_000));
    let bulk = |bench: &Bench| {
        Bulk::new(
            &bench.world.api,
            template(),
            BulkOptions::default().max_in_flight(2),
            Seed::new([1; 16]),
        )
        .unwrap()
    };
    let mut stored = Vec::new();
    let store = |record: &Record| {
        stored.push(record.to_line());
        Ok(())
    };
    let mut run = bulk(&bench).fed_by(bench.documents.clone(), store);
    let (events, summary) = bench.world.run(&mut run);
    assert_eq!((summary.documents(), events.len()), (9, 9));
    assert_eq!(
        Journal::read(stored.concat().as_bytes())
            .unwrap()
            .0
            .counts(),
        (9, 9)
    );

    // A journal that cannot be written stops the run before anything is bought that it does not know of.
    let mut bench = Bench::new(0..9, service(5_000));
    let mut stored = Vec::new();
    // A device that is full for one record, of which it takes the half.
    let full_once = |record: &Record| {
        let line = record.to_line();
        let fails = stored.len() == 4;
        let taken = if fails { line.len() / 2 } else { line.len() };
        stored.push(line[..taken].to_owned());
        if fails {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        Ok(())
    };
    let mut run = bulk(&bench).fed_by(bench.documents.clone(), full_once);
    let (_, summary) = bench.world.run(&mut run);
    let left = run.into_rest().count();
    assert!(Journal::read(stored.concat().as_bytes()).unwrap().1 < stored.concat().len());
    assert!(summary.stopped.unwrap().to_string().contains("journal"));
    assert!(bench.world.service.jobs.len() <= 2);
    assert!(left >= 5);
}

#[test]
fn rules_that_would_be_refused_are_refused_before_anything_is_sent() {
    let api = sim::api();
    let error = Bulk::new(
        &api,
        Create::new(""),
        BulkOptions::default(),
        Seed::new([1; 16]),
    )
    .unwrap_err();
    assert!(error.is_invalid());
}

#[test]
fn one_job_in_the_journal_for_two_documents_holds_nothing_up() {
    let mut bench = Bench::new([1, 2], service(1_000));
    bench.run(None).unwrap();
    let mut journal = Bench::header();
    for document in &bench.documents {
        let key = document.key();
        let (job_id, transaction_id) = ("clj-1".to_owned(), "t".to_owned());
        journal += &Record::Created {
            key,
            job_id,
            transaction_id,
        }
        .to_line();
    }
    bench.journal = journal.into_bytes();
    let summary = bench.run(None).unwrap();
    assert_eq!(
        (
            summary.count(&Standing::Completed),
            summary.count(&Standing::Error)
        ),
        (1, 1)
    );
}

#[test]
fn rights_that_are_lost_while_a_stopping_run_waits_end_it() {
    let mut bench = Bench::new([1], service(600_000));
    bench.options = BulkOptions::default().deadline(Time::from_millis(bench.world.now + 5_000));
    assert_eq!(bench.run(None).unwrap().count(&Standing::Open), 1);
    // The next document meets 402, and the job that is waited for then cannot be read any more.
    bench.documents.push(Document::bytes("2.txt", "document 2"));
    bench.options = BulkOptions::default();
    bench.world.service.refuses = Some(402);
    bench.world.service.unreadable_once_refused = true;
    let summary = bench.run(None).unwrap();
    assert!(summary.stopped.as_ref().unwrap().is_quota());
    assert_eq!(
        (
            summary.count(&Standing::Open),
            summary.count(&Standing::NotStarted)
        ),
        (1, 1)
    );
    // It does not go on asking for what it may not see.
    assert!(bench.requests(LIST) <= 6, "{}", bench.requests(LIST));
}

#[test]
fn a_file_that_expired_since_the_crash_is_uploaded_again() {
    let mut bench = Bench::new(0..1, service(1_000));
    let key = bench.documents[0].key();
    bench.run(Some(0));
    let lines = [
        Bench::header(),
        Record::Planned {
            key,
            name: "0.txt".into(),
            attempt: 0,
        }
        .to_line(),
        Record::Uploaded {
            key,
            file_id: "dfl-expired".into(),
        }
        .to_line(),
    ];
    bench.journal = lines.concat().into_bytes();
    bench.world.service.refuses = Some(404);
    let summary = bench.run_with(None, |_, _| {}).unwrap();
    // Uploaded again once; and nobody knows whether the process that died had sent a create, so that the refusal of
    // another proves nothing.
    assert_eq!(
        (bench.requests(UPLOAD), summary.count(&Standing::Ambiguous)),
        (1, 1)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn every_document_is_bought_once_whatever_happens(
        contents in vec(0u32..12, 0..14),
        faults in vec(proptest::sample::select(&FAULTS[..]), 0..60),
        kills in vec(0u32..160, 0..6),
        lost_journals in btree_set(0usize..6, 0..3),
        max_in_flight in 1usize..8,
        max_requests in 1usize..4,
        duration in 0u64..90_000,
        limited in any::<bool>(),
    ) {
        let mut bench = Bench::new(contents, faulty(duration, faults));
        bench.options = BulkOptions::default().max_in_flight(max_in_flight).max_requests(max_requests);
        bench.world.limiter = limited.then(|| Mutex::new(Limiter::paid()));
        for (place, kill) in kills.iter().enumerate() {
            bench.run(Some(*kill));
            if lost_journals.contains(&place) {
                bench.journal.clear();
            }
        }
        // Only a network that is down for longer than the run has patience leaves a document unbought; once more.
        let mut summary = bench.run(None).unwrap();
        for _ in 0..3 {
            if summary.documents() == summary.count(&Standing::Completed) {
                break;
            }
            summary = bench.run(None).unwrap();
        }
        bench.assert_all_completed();
        prop_assert_eq!(summary.count(&Standing::Completed), bench.distinct());
        prop_assert_eq!(bench.world.service.jobs.len(), bench.distinct());
        prop_assert!(bench.most_in_flight <= max_in_flight);
        // A last run with the journal asks nothing.
        let sent = bench.world.sent.len();
        bench.run(None).unwrap();
        prop_assert_eq!(bench.world.sent.len(), sent);
        bench.assert_all_completed();
        prop_assert_eq!(bench.restored, bench.documents.len());
    }

    #[test]
    fn a_round_of_retries_pays_once_however_often_it_is_interrupted(
        kills in vec(0u32..160, 0..5), stop in proptest::option::of(0u32..160),
        faults in vec(proptest::sample::select(&FAULTS[..]), 0..20),
    ) {
        let mut bench = retried();
        bench.world.service.faults = faults.into();
        let is_over = |bench: &Bench| {
            bench.planned(1) == 6 && Journal::read(&bench.journal).unwrap().0.is_ended()
        };
        for kill in kills {
            if !is_over(&bench) {
                bench.run(Some(kill));
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
        prop_assert_eq!(bench.world.service.jobs.len(), 12);
    }

    #[test]
    fn no_request_goes_out_before_its_limiter_allows_it(
        count in 0u32..20, faults in vec(proptest::sample::select(&FAULTS[..]), 0..40),
        creates in 1u32..6, uploads in 1u32..6, duration in 0u64..20_000,
    ) {
        let mut bench = Bench::new(0..count, faulty(duration, faults));
        let window = Duration::from_secs(1);
        let limiter = Limiter::unlimited()
            .limit(classify_proto::RateClass::Create, creates, window)
            .limit(classify_proto::RateClass::Upload, uploads, window);
        bench.world.limiter = Some(Mutex::new(limiter));
        bench.run(None).unwrap();
        for (what, limit) in [(CREATE, creates), (UPLOAD, uploads)] {
            let times: Vec<_> = bench.world.sent.iter().filter(|(_, request)| request == what).map(|(time, _)| *time).collect();
            for (place, start) in times.iter().enumerate() {
                let inside = times[place..].iter().take_while(|time| **time < start + 1_000).count();
                prop_assert!(inside <= limit as usize);
            }
        }
        prop_assert!(bench.world.service.jobs.len() <= bench.distinct());
    }

    #[test]
    fn a_stop_at_any_moment_loses_nothing(
        count in 0u32..12, at in 0u32..150, cancel in any::<bool>(),
        faults in vec(proptest::sample::select(&FAULTS[..]), 0..20), duration in 0u64..30_000,
    ) {
        let mut bench = Bench::new(0..count, faulty(duration, faults));
        bench.options = BulkOptions::default().max_in_flight(5);
        let summary = bench.run_with(None, |bulk, step| {
            if step == at {
                if cancel { bulk.stop_and_cancel() } else { bulk.stop() }
            }
        }).unwrap();
        // Each document taken in was reported once; the others were never asked for.
        prop_assert!(bench.reports.values().all(|reports| reports.len() == 1));
        prop_assert_eq!(summary.documents(), bench.reports.len());
        bench.run(None).unwrap();
        let mut summary = bench.run(None).unwrap();
        for _ in 0..3 {
            if summary.documents() == summary.count(&Standing::Completed) + summary.count(&Standing::Cancelled) {
                break;
            }
            summary = bench.run(None).unwrap();
        }
        prop_assert_eq!(bench.world.service.jobs.len(), bench.distinct());
        prop_assert_eq!(summary.documents(), bench.distinct());
    }
}
