//! Regressions found by fuzzing: calls that are polled late, and errors with text from servers and files.

use std::time::Duration;

use classify_proto::machine::{
    Bulk, BulkOptions, Call, Context, Journal, Machine, Retry, Saved, Step,
};
use classify_proto::v2::{Configuration, CreateJob, GetJob, Rule};
use classify_proto::webhooks::Event;
use classify_proto::{Api, Failure, Operation, Seed, Time, http};

fn api() -> Api {
    Api::builder("llx-key").build().unwrap()
}

fn create() -> CreateJob {
    CreateJob::new(
        "dfl-1",
        Configuration::new([Rule::new("invoice", "has an invoice number")]),
    )
}

#[test]
fn timeout_passed_during_backoff_sends_no_further_attempt() {
    let api = api();
    let retry = Retry::default().total_timeout(Duration::from_secs(60));
    let mut call = Call::new(create(), Seed::new([1; 16])).retry(retry);
    let start = Time::from_millis(0);
    let Step::Send(ticket, _) = call.poll(Context::new(&api, start)) else {
        panic!()
    };
    call.handle(
        Context::new(&api, start),
        ticket,
        Err(Failure::timeout("no answer")),
    );
    assert!(matches!(
        call.poll(Context::new(&api, start)),
        Step::Wait(Some(_))
    ));
    // The machine slept for an hour, and so did its driver.
    let late = start + Duration::from_secs(3600);
    let Step::Done(Err(error)) = call.poll(Context::new(&api, late)) else {
        panic!("a request was sent that could not be answered in time")
    };
    assert!(error.is_timeout() && error.is_ambiguous(), "{error}");
    assert!(error.transaction_id().is_some());
}

#[test]
fn resume_after_timeout_sends_nothing() {
    let api = api();
    let mut call = Call::new(GetJob::new("clj-1"), Seed::new([1; 16]));
    let start = Time::from_millis(0);
    assert!(matches!(
        call.poll(Context::new(&api, start)),
        Step::Send(..)
    ));
    let mut call = Call::<GetJob>::load(&call.save().unwrap()).unwrap();
    let tomorrow = start + Duration::from_secs(86_400);
    let Step::Done(Err(error)) = call.poll(Context::new(&api, tomorrow)) else {
        panic!()
    };
    assert!(error.is_timeout() && !error.is_ambiguous(), "{error}");
}

#[test]
fn error_display_is_one_line_for_any_input() {
    let broken = http::Response::new("{\"id\": \"clj-1\r\n, ".into());
    let mut create = create();
    create.prepare(Seed::new([1; 16]));
    let errors = [
        create.parse(broken).unwrap_err(),
        Journal::read(b"{\"record\":\"r\\nfd\"}\n").unwrap_err(),
        Call::<GetJob>::load("{\"v\":1,\"kind\":\"a\\r\\nb\",\"state\":0}").unwrap_err(),
    ];
    for error in errors {
        let shown = error.to_string();
        assert!(!shown.contains(char::is_control), "{shown:?}");
    }
}

#[test]
fn redact_api_key_repeated_in_error_response() {
    let api = Api::builder("llx-canary-1").build().unwrap();
    for (status, body) in [
        (401, r#"{"detail": "no such key: llx-canary-1"}"#),
        (403, r#"{"message": "no such key: llx-canary-1"}"#),
        (
            422,
            r#"{"detail": [{"loc": ["llx-canary-1"], "msg": "llx-canary-1 is wrong"}]}"#,
        ),
    ] {
        let mut call = Call::new(GetJob::new("clj-1"), Seed::new([1; 16])).retry(Retry::never());
        let cx = Context::new(&api, Time::from_millis(0));
        let Step::Send(ticket, _) = call.poll(cx) else {
            panic!()
        };
        let answer = http::Response::builder().status(status).body(body.into());
        call.handle(cx, ticket, Ok(answer.unwrap()));
        let Step::Done(Err(error)) = call.poll(cx) else {
            panic!("{status} is a refusal")
        };
        let shown = format!("{error} {error:?} {:?}", error.field_errors());
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("[redacted]"), "{shown}");
    }
}

/// Found by the target `journal`: the first line is a JSON string with a line break in it.
#[test]
fn journal_error_repeats_nothing_of_the_line() {
    let long = "canary ".repeat(10_000);
    for line in [
        r#""canary\n""#.to_owned(),
        format!("{long:?}"),
        "7777777".to_owned(),
        r#"{"record":"canary"}"#.to_owned(),
        r#"{"record":"planned","key":"canary","name":"a","attempt":0}"#.to_owned(),
        r#"{"record":"run","v":"canary"}"#.to_owned(),
        r#"{"record":"run","v":1,"project":{"canary":1}}"#.to_owned(),
        r#"{"canary`"#.to_owned(),
        "canary".to_owned(),
    ] {
        let error = Journal::read(format!("{line}\n").as_bytes()).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("line 1 of the journal"), "{shown}");
        for part in ["canary", "777", "\n"] {
            assert!(!shown.contains(part), "{line}: {shown}");
        }
        assert!(shown.len() < 1_000, "{}", shown.len());
    }
}

/// The differences between two runs are quoted in short pieces, independent of their length in the file.
#[test]
fn journal_of_another_run_is_quoted_in_short_pieces() {
    let long = "p".repeat(100_000);
    let journal = format!("{{\"record\":\"run\",\"v\":1,\"project\":\"{long}\\n\"}}\n");
    let (journal, _) = Journal::read(journal.as_bytes()).unwrap();
    let rules = Configuration::new([Rule::new("invoice", "has an invoice number")]);
    let bulk = Bulk::new(&api(), rules, BulkOptions::default(), Seed::new([1; 16])).unwrap();
    let shown = bulk.with_journal(journal).unwrap_err().to_string();
    assert!(shown.contains("project: \"ppp"), "{shown}");
    assert!(shown.len() < 300, "{}", shown.len());
}

#[test]
fn saved_state_error_repeats_nothing_of_the_text() {
    let long = format!("{:?}", "canary ".repeat(10_000));
    for text in [
        r#""canary\n""#.to_owned(),
        long.clone(),
        r#"{"v":"canary"}"#.to_owned(),
        r#"{"v":2,"kind":7,"state":"canary"}"#.to_owned(),
        format!(r#"{{"v":2,"kind":{long},"state":{{}}}}"#),
        r#"{"v":2,"kind":"canary","state":{}}"#.to_owned(),
        r#"{"v":2,"kind":"call classify.get","state":"canary\n"}"#.to_owned(),
        r#"{"v":2,"kind":"call classify.get","state":{"operation":"canary"}}"#.to_owned(),
        "canary".to_owned(),
    ] {
        let error = Call::<GetJob>::load(&text).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("canary") && !shown.contains('\n'),
            "{shown}"
        );
        assert!(shown.len() < 1_000, "{}", shown.len());
    }
    let other = r#"{"v":2,"kind":"call classify.create","state":{}}"#;
    let error = Call::<GetJob>::load(other).unwrap_err().to_string();
    assert!(error.contains("call classify.create"), "{error}");
}

#[test]
fn webhook_error_repeats_nothing_of_the_body() {
    for body in [
        r#""canary\n""#,
        r#"{"event_type":["canary"]}"#,
        r#"{"canary":1}"#,
        "canary",
        "7777",
        r#""\"canary\"""#,
    ] {
        let error = Event::parse(body.as_bytes()).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("canary") && !shown.contains("777"),
            "{shown}"
        );
    }
}
