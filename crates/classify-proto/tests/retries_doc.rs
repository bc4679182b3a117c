//! `docs/retries.md` says what the code does: each row of its tables is played to a call.

use std::time::Duration;

use classify_proto::machine::{Call, Context, Machine, Step};
use classify_proto::v2::{Configuration, CreateJob, GetJob, Rule};
use classify_proto::{Api, Failure, Operation, Reply, Seed, Time, http, v1};

const PAGE: &str = include_str!("../../../docs/retries.md");
/// Tue, 14 Nov 2023 22:13:20 GMT, as the page says.
const NOW: Time = Time::from_millis(1_700_000_000_000);

/// The cells of the table under this header.
fn table(first_column: &str) -> Vec<Vec<String>> {
    PAGE.lines()
        .skip_while(|line| !line.starts_with(&format!("| {first_column} |")))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().to_owned()).collect()
        })
        .collect()
}

fn rules() -> Configuration {
    Configuration::new([Rule::new("invoice", "has an invoice number")])
}

/// The first step after `reply` to the first request of `operation` that is not an event.
fn after<O: Operation>(operation: O, reply: Reply) -> Step<(), Result<O::Output, String>> {
    let api = Api::builder("llx-key").build().unwrap();
    let cx = Context::new(&api, NOW);
    let mut call = Call::new(operation, Seed::new([5; 16]));
    let Step::Send(ticket, _) = call.poll(cx) else {
        panic!("nothing was sent")
    };
    call.handle(cx, ticket, reply);
    match call.poll(cx) {
        Step::Wait(until) => Step::Wait(until),
        Step::Done(Err(error)) if error.is_ambiguous() => Step::Done(Err("ambiguous".to_owned())),
        Step::Done(Err(_)) => Step::Done(Err("error".to_owned())),
        other => panic!(
            "neither a rest nor an end: {}",
            matches!(other, Step::Done(_))
        ),
    }
}

fn decision<O: Operation>(operation: O, reply: Reply) -> String {
    match after(operation, reply) {
        Step::Wait(_) => "retry".to_owned(),
        Step::Done(Err(word)) => word,
        _ => unreachable!(),
    }
}

/// The reply that the first column describes.
fn reply(what: &str) -> Reply {
    let failure = match what {
        "`no connection`" => Some(Failure::connect("refused")),
        "`timeout before sending`" => Some(Failure::timeout("10 s").before_sending()),
        "`timeout`" => Some(Failure::timeout("60 s")),
        "`connection broken`" => Some(Failure::broken("reset")),
        "`response too large`" => Some(Failure::too_large(1)),
        "`content unreadable`" => Some(Failure::content("gone")),
        "`refused by the transport`" => Some(Failure::refused("no TLS")),
        _ => None,
    };
    if let Some(failure) = failure {
        return Err(failure);
    }
    let mut quoted = what.split('`').skip(1).step_by(2);
    let status: u16 = quoted.next().unwrap().parse().unwrap();
    let mut response = http::Response::builder().status(status);
    if let Some((name, value)) = quoted.next().and_then(|header| header.split_once(": ")) {
        response = response.header(name, value);
    }
    let body = match what {
        _ if what.ends_with("invalid JSON") => "{\"id\": \"clj-1",
        _ if what.ends_with("unexpected JSON") => "[]",
        _ if what.ends_with("quota") => r#"{"detail": "monthly quota exhausted"}"#,
        _ => r#"{"detail": "words"}"#,
    };
    Ok(response.body(body.into()).unwrap())
}

#[test]
fn retry_table_in_docs_matches_call() {
    let rows = table("response");
    assert!(rows.len() >= 30, "{} rows were found", rows.len());
    for row in rows {
        let [what, read, write, once] = &row[..] else {
            panic!("a row of four: {row:?}")
        };
        let create = CreateJob::new("dfl-1", rules());
        let old = v1::CreateJob::new(["dfl-1"], rules().rules);
        assert_eq!(
            &decision(GetJob::new("clj-1"), reply(what)),
            read,
            "{what}, read"
        );
        assert_eq!(&decision(create, reply(what)), write, "{what}, write");
        assert_eq!(&decision(old, reply(what)), once, "{what}, once");
    }
}

#[test]
fn retry_after_table_in_docs_matches_call() {
    let rows = table("header");
    assert!(rows.len() >= 10, "{} rows were found", rows.len());
    for row in rows {
        let [header, follows] = &row[..] else {
            panic!("a row of two: {row:?}")
        };
        let (name, value) = header.trim_matches('`').split_once(": ").unwrap();
        let response = http::Response::builder().status(503).header(name, value);
        let step = after(GetJob::new("clj-1"), Ok(response.body("".into()).unwrap()));
        match step {
            Step::Wait(Some(until)) if follows == "backoff" => {
                assert!(until <= NOW + Duration::from_millis(500), "{header}");
            }
            Step::Wait(Some(until)) => {
                assert_eq!(
                    format!("{} ms", until.since(NOW).as_millis()),
                    *follows,
                    "{header}"
                );
            }
            Step::Done(Err(word)) => assert_eq!(word, *follows, "{header}"),
            _ => panic!("{header}"),
        }
    }
}
