//! `docs/errors.md` says what the code does: its table has every code, and each row's predicates hold for an error that a
//! program can meet.

mod sim;

use std::error::Error as _;
use std::time::Duration;

use classify_proto::machine::{Call, Context, Machine, Pager, Retry, Run, Saved, Step, Waiter};
use classify_proto::v2::{CancelJob, Configuration, CreateJob, GetJob, ListJobs, Rule};
use classify_proto::{Api, Bytes, Error, ErrorCode, Failure, Operation, Seed, Time, http, v1};
use sim::bulk_harness::service;
use sim::{Fault, Simulation};

const PAGE: &str = include_str!("../../../docs/errors.md");

/// The codes with their predicates.
fn table() -> Vec<(&'static str, Vec<&'static str>)> {
    let cell = |text: &'static str| text.trim().trim_matches('`');
    PAGE.lines()
        .skip_while(|line| !line.starts_with("| code |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let mut cells = line.trim_matches('|').split('|');
            let (code, predicates) = (cells.next().unwrap(), cells.next().unwrap());
            let names = predicates.split(',').map(cell);
            (cell(code), names.filter(|name| !name.is_empty()).collect())
        })
        .collect()
}

fn holds(error: &Error, predicate: &str) -> bool {
    match predicate {
        "is_invalid" => error.is_invalid(),
        "is_bad_request" => error.is_bad_request(),
        "is_auth" => error.is_auth(),
        "is_quota" => error.is_quota(),
        "is_rate_limited" => error.is_rate_limited(),
        "is_not_found" => error.is_not_found(),
        "is_conflict" => error.is_conflict(),
        "is_too_large" => error.is_too_large(),
        "is_redirect" => error.is_redirect(),
        "is_server" => error.is_server(),
        "is_timeout" => error.is_timeout(),
        "is_transport" => error.is_transport(),
        "is_refused" => error.is_refused(),
        "is_content" => error.is_content(),
        "is_decode" => error.is_decode(),
        "is_ambiguous" => error.is_ambiguous(),
        "is_deadline" => error.is_deadline(),
        "is_job_failed" => error.is_job_failed(),
        "is_cancelled" => error.is_cancelled(),
        "is_paging" => error.is_paging(),
        "is_state" => error.is_state(),
        other => panic!("no predicate {other}"),
    }
}

fn seed() -> Seed {
    Seed::new([8; 16])
}

fn create() -> CreateJob {
    let rule = Rule::new("invoice", "has an invoice number");
    CreateJob::new("dfl-1", Configuration::new([rule]))
}

fn response(status: u16, body: &'static str) -> http::Response<Bytes> {
    http::Response::builder()
        .status(status)
        .body(body.into())
        .unwrap()
}

/// A v1 create whose reply was lost with its process.
fn lost_v1_create() -> Error {
    let api = sim::api();
    let cx = Context::new(&api, Time::from_millis(0));
    let rule = v1::Rule::new("invoice", "has an invoice number");
    let mut call = Call::new(v1::CreateJob::new(["1"], [rule]), seed());
    assert!(matches!(call.poll(cx), Step::Send(..)));
    let mut call = Call::<v1::CreateJob>::load(&call.save().unwrap()).unwrap();
    match call.poll(cx) {
        Step::Done(result) => result.unwrap_err(),
        _ => panic!("it was sent again"),
    }
}

fn paging_error() -> Error {
    let mut simulation = Simulation::new(service(0));
    let pages = &mut simulation.service.pages;
    pages.insert(String::new(), (Vec::new(), Some("a".to_owned())));
    pages.insert("a".to_owned(), (Vec::new(), Some("a".to_owned())));
    simulation
        .run(&mut Pager::new(ListJobs::new(), seed()))
        .1
        .unwrap_err()
}

/// A wait whose last poll failed before its deadline came.
fn deadline() -> Error {
    let mut simulation = Simulation::new(service(3_600_000));
    let (_, job) = simulation.run(&mut Call::new(create(), seed()));
    simulation.service.faults = vec![Fault::Http503; 1_000].into();
    let mut waiter = Waiter::<GetJob>::new(job.unwrap().id, seed())
        .retry(Retry::never())
        .timeout(Duration::from_secs(60));
    simulation.run(&mut waiter).1.unwrap_err()
}

fn cancelled_job() -> Error {
    let mut simulation = Simulation::new(service(60_000));
    let id = simulation
        .run(&mut Call::new(create(), seed()))
        .1
        .unwrap()
        .id;
    let cancel = CancelJob::new(&*id);
    simulation.run(&mut Call::new(cancel, seed())).1.unwrap();
    simulation
        .run(&mut Waiter::<GetJob>::new(id, seed()))
        .1
        .unwrap_err()
}

fn failed_job() -> Error {
    let mut failing = service(1_000);
    failing.failing = true;
    Simulation::new(failing)
        .run(&mut Run::new(create(), seed()))
        .1
        .unwrap_err()
}

/// Errors as programs meet them.
fn errors() -> Vec<Error> {
    let get = |status, body| {
        GetJob::new("clj-1")
            .parse(response(status, body))
            .unwrap_err()
    };
    let other_job = r#"{"id":"clj-1","status":"PENDING","file_input":"dfl-9"}"#;
    let statuses = [
        301, 400, 401, 402, 403, 404, 405, 408, 409, 413, 422, 429, 500, 501, 503, 504,
    ];
    let mut errors: Vec<_> = statuses.map(|status| get(status, "")).into();
    errors.extend([
        get(200, "{"),
        create().parse(response(200, other_job)).unwrap_err(),
        Api::builder("").build().unwrap_err(),
        Failure::connect("c").into(),
        Failure::broken("b").into(),
        Failure::refused("r").into(),
        Failure::content("c").into(),
        Failure::timeout("t").into(),
        Failure::too_large(1).into(),
        Waiter::<GetJob>::load("{}").unwrap_err(),
        lost_v1_create(),
        paging_error(),
        deadline(),
        cancelled_job(),
        failed_job(),
    ]);
    errors
}

#[test]
fn errors_doc_lists_every_code_with_its_predicates() {
    let table = table();
    let codes: Vec<_> = table.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, ErrorCode::KNOWN);
    let errors = errors();
    for (code, predicates) in table {
        let mut met = errors
            .iter()
            .filter(|error| error.code().as_str() == code)
            .peekable();
        let is_of_reports = matches!(code, "no_result" | "stopped");
        assert_eq!(met.peek().is_none(), is_of_reports, "{code}");
        for error in met {
            for predicate in &predicates {
                assert!(holds(error, predicate), "{predicate} of {code}: {error}");
            }
        }
    }
}

#[test]
fn errors_doc_source_is_what_display_does_not_contain() {
    let mut sources = Vec::new();
    for error in errors() {
        let mut shown = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            let text = next.to_string();
            assert!(!shown.contains(&text), "{shown} contains {text}");
            sources.push(error.code());
            shown = text;
            cause = next.source();
        }
    }
    assert_eq!(sources, [ErrorCode::Deadline]);
}
