//! A captive portal or a firewall answers with HTML in place of the service, or the service limits the rate of requests.

mod sim;

use std::sync::Mutex;

use classify_proto::machine::{BulkOptions, Call, Limiter, Retry, Run};
use classify_proto::{Operation, Seed, configurations, files, http, v2, webhooks};
use sim::bulk_harness::{BulkHarness, CREATE, UPLOAD, job_options, service};
use sim::{Fault, Simulation};

fn seed(number: u8) -> Seed {
    Seed::new([number; 16])
}

/// A document goes to a portal once, the run stops, and goes on later as if nothing had been.
#[test]
fn captive_portal_that_answers_an_upload_stops_the_run_without_a_second_upload() {
    let mut bench = BulkHarness::new([1, 2, 3], service(1_000));
    bench.options = BulkOptions::default().max_in_flight(1);
    let portal = vec![Fault::CaptivePortal; 1_000];
    let faults = &mut bench.simulation.service.route_faults;
    faults.insert(UPLOAD, portal.into());
    let error = bench.run(None).unwrap().into_error().unwrap();
    assert!(error.is_intercepted(), "{error}");
    assert!(error.to_string().contains("Sign in to Wi-Fi"), "{error}");
    assert_eq!(bench.requests(UPLOAD), 1);
    for document in 0..3 {
        assert_eq!(bench.settled(document), None, "none is closed");
    }

    bench.simulation.service.route_faults.clear();
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(bench.simulation.service.jobs.len(), 3);
}

#[test]
fn captive_portal_that_answers_an_upload_of_one_document_is_an_error_at_once() {
    let mut simulation = Simulation::new(service(0));
    let faults = &mut simulation.service.route_faults;
    faults.insert(UPLOAD, vec![Fault::CaptivePortal; 10].into());
    let upload = || files::UploadFile::new("a.txt", b"a document".to_vec());
    let error = simulation
        .run(&mut Call::new(upload(), seed(1)))
        .1
        .unwrap_err();
    assert!(error.is_intercepted() && !error.is_ambiguous(), "{error}");
    assert_eq!(error.attempts(), 1);
    let mut run = Run::upload(upload(), job_options(), seed(2));
    let error = simulation.run(&mut run).1.unwrap_err();
    assert!(error.is_intercepted(), "{error}");
    assert_eq!(simulation.sent.len(), 2);
}

/// A create that a portal answers is ambiguous, and is retried as after a lost response.
#[test]
fn captive_portal_that_answers_a_create_is_retried_under_the_same_transaction_id() {
    let mut bench = BulkHarness::new([1], service(1_000));
    let faults = &mut bench.simulation.service.route_faults;
    faults.insert(CREATE, vec![Fault::CaptivePortal; 8].into());
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(bench.simulation.service.jobs.len(), 1);
    assert_eq!(bench.requests(CREATE), 9);
    assert_eq!(bench.requests(UPLOAD), 1);
}

/// A firewall's 403, 404 or 422 does not fail a document.
#[test]
fn html_refusal_of_a_create_stops_the_run_and_closes_no_document() {
    let mut bench = BulkHarness::new([1, 2], service(1_000));
    bench.options = BulkOptions::default().retry(Retry::never());
    let faults = &mut bench.simulation.service.route_faults;
    faults.insert(CREATE, vec![Fault::FirewallPage; 1_000].into());
    let error = bench.run(None).unwrap().into_error().unwrap();
    assert!(error.is_intercepted(), "{error}");
    for document in 0..2 {
        assert_eq!(bench.settled(document), None);
    }
    bench.simulation.service.route_faults.clear();
    bench.run(None).unwrap();
    bench.assert_all_completed();
    assert_eq!(bench.simulation.service.jobs.len(), 2);
}

/// A rate limit that is reduced says so once, and what a free plan needs.
#[test]
fn rate_limit_429_is_told_with_the_reduced_rate() {
    let mut bench = BulkHarness::new([1, 2, 3], service(1_000));
    let faults = &mut bench.simulation.service.route_faults;
    faults.insert(CREATE, vec![Fault::Http429; 3].into());
    bench.simulation.limiter = Some(Mutex::new(Limiter::paid()));
    bench.run(None).unwrap();
    bench.assert_all_completed();
    let told: Vec<_> = bench
        .notices
        .iter()
        .filter(|notice| notice.contains("creates are reduced to"))
        .collect();
    assert_eq!(told.len(), 1, "{:?}", bench.notices);
    assert!(told[0].contains("reduced to 20 in 1 s"), "{told:?}");
    assert!(told[0].contains("--limits free"), "{told:?}");
}

/// Each lower rate is reported, and the advice once.
#[test]
fn rate_limit_429_again_is_told_with_each_lower_rate_and_advised_once() {
    let mut bench = BulkHarness::new([1, 2, 3], service(1_000));
    let faults = &mut bench.simulation.service.route_faults;
    faults.insert(CREATE, vec![Fault::Http429; 40].into());
    bench.simulation.limiter = Some(Mutex::new(Limiter::paid()));
    bench.run(None).unwrap();
    bench.assert_all_completed();
    let told: Vec<_> = bench
        .notices
        .iter()
        .filter(|notice| notice.contains("are reduced to"))
        .collect();
    assert!((3..8).contains(&told.len()), "{told:?}");
    let advised = told
        .iter()
        .filter(|notice| notice.contains("--limits free"));
    assert_eq!(advised.count(), 1, "{told:?}");
}

/// An HTML response to a delete is not a success, although the body of the response is otherwise ignored.
#[test]
fn captive_portal_that_answers_a_delete_is_no_success() {
    fn is_error<O: Operation>(delete: &O) {
        let page = http::Response::new("<html><title>Sign in</title></html>".into());
        let error = delete.parse(page).err().expect("an error");
        assert!(error.is_intercepted(), "{}: {error}", delete.name());
        for body in ["", "null", r#"{"deleted":true}"#] {
            if delete.name() != "classify.delete" {
                assert!(delete.parse(http::Response::new(body.into())).is_ok());
            }
        }
    }
    is_error(&files::DeleteFile::new("dfl-1"));
    is_error(&configurations::DeleteConfiguration::new("cfg-1"));
    is_error(&webhooks::DeleteWebhookConfiguration::new("whc-1"));
    is_error(&v2::DeleteJob::new("clj-1"));
}
