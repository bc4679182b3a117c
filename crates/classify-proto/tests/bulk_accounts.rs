//! What a bulk run says and spends in the rarer turns: faults that stay, cancels that come too late, attempts and journals.

mod sim;

use std::sync::Mutex;
use std::time::Duration;

use classify_proto::machine::{
    Bulk, BulkOptions, ContentKey, Document, DocumentStatus, Fed, Journal, Limiter, PollInterval,
    Record, Retry,
};
use classify_proto::{RateClass, Seed, Time};
use sim::bench::{Bench, CREATE, LIST, UPLOAD, faulty, service, template};
use sim::{Fault, Service};

fn held(count: usize) -> Vec<Document> {
    (0..count)
        .map(|n| Document::id(format!("dfl-{n}")))
        .collect()
}

/// A run over documents that the service holds.
fn bench(count: usize, service: Service) -> Bench {
    let mut bench = Bench::new([], service);
    bench.documents = held(count);
    bench
}

#[test]
fn a_run_counts_what_no_rule_matched_and_what_was_settled_before() {
    let mut bench = bench(
        3,
        Service {
            matching_nothing: true,
            ..service(1_000)
        },
    );
    let summary = bench.run(None).unwrap();
    assert_eq!((summary.no_match, summary.restored), (3, 0));
    let summary = bench.run(None).unwrap();
    assert_eq!((summary.no_match, summary.restored), (3, 3));
    bench.journal.clear();
    bench.world.service.matching_nothing = false;
    assert_eq!(bench.run(None).unwrap().no_match, 0);
    // Of those without an answer nobody can say whether a rule matches.
    bench.journal.clear();
    bench.world.service.failing = true;
    assert_eq!(bench.run(None).unwrap().no_match, 0);
}

#[test]
fn a_document_that_only_meets_faults_is_given_up_and_told_truly() {
    for (fault, status) in [
        (Fault::LostBeforeActing, DocumentStatus::Ambiguous),
        (Fault::NoConnection, DocumentStatus::NotStarted),
    ] {
        let mut bench = bench(1, faulty(1_000, vec![fault; 1_000]));
        let summary = bench.run(None).unwrap();
        assert!(summary.stopped.is_none(), "{summary:?}");
        assert_eq!(summary.count(&status), 1, "{summary:?}");
        // Five tries of six requests each.
        assert_eq!(bench.requests(CREATE), 30);
    }
}

#[test]
fn a_file_that_was_uploaded_just_now_and_is_gone_is_not_uploaded_for_ever() {
    let mut bench = Bench::new([], service(1_000));
    bench.documents = (0..3u8)
        .map(|n| Document::path(n.to_string(), "a.txt", ContentKey::of(&[n])).unwrap())
        .collect();
    bench.world.service.refuses = Some(404);
    let summary = bench.run(None).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Error), 3);
    assert_eq!((bench.requests(UPLOAD), bench.requests(CREATE)), (3, 3));
    let why = bench.reports["0"][0].error.as_ref().unwrap();
    assert!(why.contains("404"), "{why}");
}

#[test]
fn earlier_attempts_are_passed_over_up_to_a_bound() {
    // Whatever is asked for has failed already, as if earlier runs had tried it all.
    let mut bench = bench(
        1,
        Service {
            failing: true,
            ..service(0)
        },
    );
    bench.options = BulkOptions::default().retry_failed(true);
    let summary = bench.run(None).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Failed), 1);
    assert_eq!(bench.requests(CREATE), 9);
}

/// Stops a run as soon as so many of its jobs are known to be open.
fn cancel_when_open(count: usize) -> impl FnMut(&mut Bulk, u32) {
    move |bulk, _| {
        if bulk.in_flight().1 == count {
            bulk.stop_and_cancel();
        }
    }
}

#[test]
fn a_job_that_ended_before_it_could_be_cancelled_is_worth_what_it_cost() {
    let mut bench = bench(2, service(5_000));
    let summary = bench.run_with(None, cancel_when_open(2)).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Cancelled), 2);

    // The same, when the jobs have ended by the time that the cancels come.
    let mut bench = bench_of_ended();
    let summary = bench.run_with(None, cancel_when_open(2)).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Completed), 2, "{summary:?}");
}

/// A journal with two open jobs, which have ended since.
fn bench_of_ended() -> Bench {
    let mut bench = bench(2, service(600_000));
    bench.options = BulkOptions::default().deadline(Time::from_millis(bench.world.now + 5_000));
    assert_eq!(bench.run(None).unwrap().count(&DocumentStatus::Open), 2);
    bench.options = BulkOptions::default();
    bench.world.now += 600_000;
    bench
}

#[test]
fn a_cancel_that_fails_leaves_the_job_open_and_says_why() {
    let mut bench = bench(1, service(600_000));
    bench.options = BulkOptions::default().deadline(Time::from_millis(bench.world.now + 5_000));
    bench.run(None).unwrap();
    bench.options = BulkOptions::default();
    // As many as the cancel is tried: whoever looked then would be answered.
    bench.world.service.faults = vec![Fault::Http503; 6].into();
    let summary = bench.run_with(None, cancel_when_open(1)).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Open), 1);
    let why = bench.reports["dfl-0"][0].error.as_ref().unwrap();
    assert!(why.contains("503"), "{why}");
}

#[test]
fn a_second_attempt_that_was_planned_is_gone_on_with() {
    let document = Document::id("dfl-0");
    let key = document.key();
    let planned = |attempt| Record::Planned {
        key,
        name: "dfl-0".into(),
        attempt,
    };
    let mut bench = bench(1, service(1_000));
    let failed = r#"{"record":"settled","key":"KEY","report":{"status":"FAILED"}}"#;
    bench.journal = [
        Bench::header(),
        planned(0).to_line(),
        failed.replace("KEY", &key.to_string()) + "\n",
        planned(1).to_line(),
    ]
    .concat()
    .into_bytes();
    let (journal, _) = Journal::read(&bench.journal).unwrap();
    assert!(journal.is_begun() && !Journal::new().is_begun());
    assert_eq!((journal.counts(), journal.report(key)), ((1, 0), None));
    bench.run(None).unwrap();
    assert_eq!(bench.reports["dfl-0"][0].status, DocumentStatus::Completed);
    assert_eq!((bench.planned(0), bench.planned(1)), (1, 1));
    // It is the second attempt's job: the first has another transaction id.
    let mut first = Bench::new([], service(1_000));
    first.documents = held(1);
    first.run(None).unwrap();
    let id = |bench: &Bench| bench.world.service.transactions[0].clone();
    assert_ne!(id(&bench), id(&first));
}

#[test]
fn an_attempt_that_is_planned_twice_keeps_what_was_done_for_it() {
    let mut bench = Bench::new([7], service(1_000));
    let key = bench.documents[0].key();
    let planned = |attempt| Record::Planned {
        key,
        name: "0.txt".into(),
        attempt,
    };
    let uploaded = Record::Uploaded {
        key,
        file_id: "dfl-9".into(),
    };
    let records = [planned(0), planned(1), uploaded, planned(1), planned(0)];
    let lines = records.iter().map(Record::to_line);
    bench.journal = (Bench::header() + &lines.collect::<String>()).into_bytes();
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!((bench.requests(UPLOAD), bench.requests(CREATE)), (0, 1));
}

#[test]
fn a_run_without_a_job_goes_on_when_its_patience_is_over_and_no_earlier() {
    let mut bench = bench(1, service(u64::MAX / 4));
    bench.options = BulkOptions::default()
        .job_timeout(Duration::from_secs(600))
        .poll_interval(PollInterval::new(
            Duration::from_secs(30),
            Duration::from_secs(30),
        ));
    let start = bench.world.now;
    bench.run(None).unwrap();
    let took = bench.world.now - start;
    assert!((600_000..640_000).contains(&took), "{took} ms");
    // A look every half minute, less a fifth at most.
    let lists = bench.requests(LIST);
    assert!((20..=26).contains(&lists), "{lists}");
}

#[test]
fn a_run_repeats_by_the_policy_it_is_given() {
    let mut bench = bench(1, faulty(1_000, vec![Fault::Http503; 1_000]));
    bench.options = BulkOptions::default().retry(Retry::never());
    bench.run(None).unwrap();
    assert_eq!(bench.requests(CREATE), 5);
}

#[test]
fn a_run_that_is_fed_goes_on_after_its_replies_were_lost() {
    let mut bench = bench(4, service(5_000));
    let options = BulkOptions::default();
    let bulk = Bulk::new(&bench.world.api, template(), options, Seed::new([1; 16])).unwrap();
    let mut run: Fed<_, _> = bulk.fed_by(bench.documents.clone(), |_: &Record| Ok(()));
    let start = bench.world.now;
    let (_, summary) = bench.world.run_with_losses(&mut run, &[7, 12].into());
    assert_eq!(summary.count(&DocumentStatus::Completed), 4);
    assert_eq!(bench.world.service.jobs.len(), 4);
    assert!(bench.world.now < start + 60_000);
    assert_eq!(bench.documents[2].name(), "dfl-2");
}

#[test]
fn a_job_that_has_ended_is_not_asked_for_again() {
    let mut bench = bench(400, service(5_000));
    let limiter = Limiter::unlimited().limit(RateClass::Create, 10, Duration::from_secs(1));
    bench.world.limiter = Some(Mutex::new(limiter));
    bench.run(None).unwrap();
    // Ten jobs are created each second for forty seconds, and end five seconds later: a hundred at the very most are
    // open at a time, which is one list for each round. All of them would be four.
    let lists = bench.requests(LIST);
    assert!((15..=30).contains(&lists), "{lists}");
}

#[test]
fn a_look_that_fails_proves_nothing_about_the_job() {
    let mut bench = bench(1, service(20_000));
    bench.world.service.hidden = ["clj-1".to_owned()].into();
    // The create, two rounds that do not show it, and then a look with all its retries, and rounds beside it.
    let faults = vec![Fault::None; 3].into_iter();
    bench.world.service.faults = faults.chain(vec![Fault::Http503; 14]).collect();
    let summary = bench.run(None).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Completed), 1, "{summary:?}");
    assert!(summary.stopped.is_none());
    assert!(bench.requests("GET /api/v2/classify/clj-1") > 3);
}

#[test]
fn a_look_after_a_refused_cancel_that_fails_leaves_the_job_as_open() {
    let mut bench = bench_of_ended();
    bench.documents.truncate(1);
    // The cancel is refused, and then nothing can be read.
    let refused = std::iter::once(Fault::None);
    bench.world.service.faults = refused.chain(vec![Fault::Http503; 6]).collect();
    let summary = bench.run_with(None, cancel_when_open(1)).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Open), 1, "{summary:?}");
    let why = bench.reports["dfl-0"][0].error.as_ref().unwrap();
    assert!(why.contains("503"), "{why}");
}

#[test]
fn a_look_without_rights_stops_the_run_at_once() {
    let mut bench = bench(1, service(60_000));
    bench.world.service.hidden = ["clj-1".to_owned()].into();
    let options = BulkOptions::default();
    let bulk = Bulk::new(&bench.world.api, template(), options, Seed::new([1; 16])).unwrap();
    let mut run = bulk.fed_by(bench.documents.clone(), |_: &Record| Ok(()));
    let mut events = Vec::new();
    let summary = loop {
        if let Some(summary) = bench.world.step(&mut run, &mut events) {
            break summary;
        }
        if bench.requests(LIST) == 2 {
            bench.world.service.has_refused = true;
            bench.world.service.unreadable_once_refused = true;
        }
    };
    assert!(summary.stopped.unwrap().is_auth());
    assert_eq!(
        (
            bench.requests(LIST),
            bench.requests("GET /api/v2/classify/clj-1")
        ),
        (2, 1)
    );
}

#[test]
fn rounds_come_more_seldom_as_the_jobs_grow_older() {
    let mut bench = bench(1, service(60_000));
    bench.run(None).unwrap();
    // Every two seconds at first, and later whenever the job is a sixth older.
    let lists = bench.requests(LIST);
    assert!((13..=22).contains(&lists), "{lists}");
}

#[test]
fn a_run_that_is_stopped_does_not_wait_for_what_it_only_reads() {
    let mut bench = bench(1, service(600_000));
    bench.world.latency = 100_000;
    let start = bench.world.now;
    let mut steps = 0;
    let summary = bench
        .run_with(None, |bulk, _| {
            steps += u32::from(bulk.in_flight().1 == 1);
            if steps == 3 {
                bulk.stop();
            }
        })
        .unwrap();
    assert_eq!(summary.count(&DocumentStatus::Open), 1);
    assert_eq!((bench.requests(CREATE), bench.requests(LIST)), (1, 1));
    assert!(bench.world.now < start + 110_000, "{:?}", bench.world.sent);
}

#[test]
fn rounds_that_are_held_back_leave_most_of_the_time_to_other_requests() {
    let mut bench = bench(250, service(1_800_000));
    let limiter = Limiter::unlimited().limit(RateClass::Other, 1, Duration::from_secs(60));
    bench.world.limiter = Some(Mutex::new(limiter));
    bench.run(None).unwrap();
    // Three lists take two minutes at least, and the next three come five minutes later; otherwise there were thirty.
    assert!(bench.requests(LIST) <= 18, "{}", bench.requests(LIST));
}

#[test]
fn rounds_over_a_slow_network_come_no_more_seldom() {
    let mut bench = bench(1, service(600_000));
    bench.world.latency = 100_000;
    bench.run(None).unwrap();
    // A list takes a hundred seconds; the next comes twenty later.
    assert!(
        (5..=6).contains(&bench.requests(LIST)),
        "{}",
        bench.requests(LIST)
    );
}

/// No clock wakes anybody on the millisecond.
#[test]
fn a_run_that_is_polled_late_is_a_run() {
    let mut bench = Bench::new(0..20, faulty(5_000, vec![Fault::Http503; 12]));
    bench.world.oversleeps = 7;
    bench.options = BulkOptions::default().max_requests(3);
    bench.run(None).unwrap();
    bench.assert_all_completed();
}

/// What was asked for may be there: the service may refuse a repeat because the first is not through with it yet.
#[test]
fn a_repeat_that_is_refused_says_nothing_of_the_first() {
    for status in [400, 404, 409, 422] {
        for refusals in [1, 100] {
            let mut bench = bench(2, service(5_000));
            bench.world.service.route_faults = [(CREATE, [Fault::LostAfterActing].into())].into();
            bench.world.service.refuses_repeats = vec![status; refusals].into();
            bench.options = BulkOptions::default().max_requests(1);
            let summary = bench.run(None).unwrap();
            assert_eq!(
                summary.count(&DocumentStatus::Error),
                0,
                "{status}: {summary:?}"
            );
            let unsure = usize::from(refusals > 1);
            assert_eq!(
                summary.count(&DocumentStatus::Ambiguous),
                unsure,
                "{status}"
            );
            assert!(bench.requests(CREATE) < 12);
            bench.world.service.refuses_repeats.clear();
            bench.options = BulkOptions::default().retry_failed(true);
            bench.run(None).unwrap();
            bench.assert_all_completed_by_id();
            assert_eq!(bench.world.service.jobs.len(), 2);
        }
    }
}

/// The same, where the answer was lost with the process.
#[test]
fn a_repeat_that_is_refused_after_a_crash_says_nothing_of_the_first() {
    let mut bench = bench(1, service(5_000));
    for step in 0.. {
        bench.run(Some(step));
        if bench.world.service.jobs.len() == 1 {
            break;
        }
    }
    bench.world.service.refuses_repeats = vec![409; 100].into();
    let summary = bench.run(None).unwrap();
    assert_eq!(summary.count(&DocumentStatus::Ambiguous), 1, "{summary:?}");
    bench.world.service.refuses_repeats.clear();
    bench.options = BulkOptions::default().retry_failed(true);
    bench.run(None).unwrap();
    bench.assert_all_completed_by_id();
    assert_eq!(bench.world.service.jobs.len(), 1);
}

/// Another process may be asking for the same at this moment.
#[test]
fn a_conflict_over_a_create_is_asked_again_later() {
    let mut bench = bench(1, service(5_000));
    bench.run(None).unwrap();
    bench.journal.clear();
    bench.world.service.refuses_repeats = [409].into();
    bench.run(None).unwrap();
    bench.assert_all_completed_by_id();
    let creates = bench
        .world
        .sent
        .iter()
        .filter(|(_, request)| request == CREATE);
    let times: Vec<_> = creates.map(|(time, _)| *time).collect();
    assert!(times[2] >= times[1] + 1_000, "{times:?}");
}

#[test]
fn what_may_be_bought_stays_so_when_the_credits_run_out() {
    let mut bench = bench(1, service(5_000));
    bench.world.service.route_faults = [(CREATE, [Fault::LostAfterActing].into())].into();
    bench.world.service.refuses_repeats = [402].into();
    let summary = bench.run(None).unwrap();
    assert!(summary.stopped.as_ref().unwrap().is_quota());
    assert_eq!(summary.count(&DocumentStatus::Ambiguous), 1, "{summary:?}");
}

#[test]
fn a_document_of_which_only_the_upload_was_lost_was_not_bought() {
    let mut bench = Bench::new([1], service(5_000));
    let lost = vec![Fault::LostAfterActing; 30];
    bench.world.service.route_faults = [(UPLOAD, lost.into())].into();
    let summary = bench.run(None).unwrap();
    assert_eq!(summary.count(&DocumentStatus::NotStarted), 1, "{summary:?}");
    assert_eq!(bench.requests(UPLOAD), 30);
}

#[test]
fn what_may_be_bought_stays_so_when_its_file_has_to_be_uploaded_again() {
    let mut bench = Bench::new([1], service(5_000));
    bench.world.service.deleted = ["clj-1".to_owned()].into();
    assert_eq!(bench.run(None).unwrap().count(&DocumentStatus::Missing), 1);
    // The next attempt begins with the file of the first, and the answer to its create is lost.
    bench.options = BulkOptions::default().retry_failed(true);
    bench.world.service.route_faults = [(CREATE, [Fault::LostAfterActing].into())].into();
    bench.world.service.refuses_repeats = [404, 402].into();
    let summary = bench.run(None).unwrap();
    assert!(summary.stopped.as_ref().unwrap().is_quota());
    assert_eq!((bench.requests(UPLOAD), bench.requests(CREATE)), (2, 4));
    assert_eq!(summary.count(&DocumentStatus::Ambiguous), 1, "{summary:?}");
}
