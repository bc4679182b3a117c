//! One error of every kind: its code, its predicates, and its chain of causes.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::io;
use std::time::Duration;

use bytes::Bytes;

use super::tests::status;
use super::{Error, ErrorCode, ErrorKind};
use crate::reply::Failure;
use crate::{v1, v2};

type Predicate = fn(&Error) -> bool;

/// The predicates of an error's kind.
const PREDICATES: [(&str, Predicate); 22] = [
    ("is_invalid", Error::is_invalid),
    ("is_bad_request", Error::is_bad_request),
    ("is_auth", Error::is_auth),
    ("is_quota", Error::is_quota),
    ("is_rate_limited", Error::is_rate_limited),
    ("is_not_found", Error::is_not_found),
    ("is_conflict", Error::is_conflict),
    ("is_too_large", Error::is_too_large),
    ("is_redirect", Error::is_redirect),
    ("is_server", Error::is_server),
    ("is_timeout", Error::is_timeout),
    ("is_transport", Error::is_transport),
    ("is_refused", Error::is_refused),
    ("is_content", Error::is_content),
    ("is_decode", Error::is_decode),
    ("is_ambiguous", Error::is_ambiguous),
    ("is_deadline", Error::is_deadline),
    ("is_job_failed", Error::is_job_failed),
    ("is_cancelled", Error::is_cancelled),
    ("is_paging", Error::is_paging),
    ("is_state", Error::is_state),
    ("is_transient", Error::is_transient),
];

/// Fails to compile when a kind is added, which needs a sample below and a predicate above.
fn kinds() -> [ErrorKind; 15] {
    use ErrorKind as K;
    match K::Invalid {
        K::Invalid
        | K::Status
        | K::Transport
        | K::Timeout
        | K::Decode
        | K::TooLarge
        | K::Content
        | K::Conflict
        | K::Deadline
        | K::JobFailed
        | K::JobCancelled
        | K::RateLimit
        | K::Paging
        | K::State
        | K::Ambiguous => [
            K::Invalid,
            K::Status,
            K::Transport,
            K::Timeout,
            K::Decode,
            K::TooLarge,
            K::Content,
            K::Conflict,
            K::Deadline,
            K::JobFailed,
            K::JobCancelled,
            K::RateLimit,
            K::Paging,
            K::State,
            K::Ambiguous,
        ],
    }
}

fn job(status: &str) -> v2::Job {
    let text = format!(
        r#"{{"id":"clj-1","status":"{status}","file_input":"dfl-1","error_message":"PDF_IS_BROKEN"}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn v1_job() -> v1::Job {
    serde_json::from_str(r#"{"id":"1","status":"ERROR","error_message":"PDF_IS_BROKEN"}"#).unwrap()
}

/// Errors of every kind, with their code and all predicates that hold.
#[expect(clippy::too_many_lines, reason = "a table")]
fn samples() -> Vec<(Error, &'static str, &'static [&'static str])> {
    let response = || http::Response::new(Bytes::from_static(b"{"));
    vec![
        (
            Error::invalid("file_input", "is empty"),
            "invalid",
            &["is_invalid"],
        ),
        (status(302, ""), "redirect", &["is_redirect"]),
        (status(400, ""), "bad_request", &["is_bad_request"]),
        (status(401, ""), "auth", &["is_auth"]),
        (status(402, ""), "quota", &["is_quota"]),
        (status(403, ""), "auth", &["is_auth"]),
        (status(404, ""), "not_found", &["is_not_found"]),
        (status(405, ""), "status", &[]),
        (status(408, ""), "timeout", &["is_timeout", "is_transient"]),
        (status(409, ""), "conflict", &["is_conflict"]),
        (status(413, ""), "too_large", &["is_too_large"]),
        (status(422, ""), "bad_request", &["is_bad_request"]),
        (
            status(429, ""),
            "rate_limited",
            &["is_rate_limited", "is_transient"],
        ),
        (
            status(429, r#"{"detail":"monthly quota exhausted"}"#),
            "quota",
            &["is_quota"],
        ),
        (status(500, ""), "server", &["is_server", "is_transient"]),
        (status(501, ""), "server", &["is_server"]),
        (
            status(504, ""),
            "timeout",
            &["is_timeout", "is_server", "is_transient"],
        ),
        (
            Failure::connect("refused by the host").into(),
            "connect",
            &["is_transport", "is_transient"],
        ),
        (
            Failure::broken("reset by peer")
                .with_io_kind(io::ErrorKind::ConnectionReset)
                .into(),
            "broken",
            &["is_transport", "is_transient"],
        ),
        (
            Failure::refused("TLS: bad certificate").into(),
            "refused",
            &["is_refused", "is_transport"],
        ),
        (
            Failure::timeout("60 s passed").into(),
            "timeout",
            &["is_timeout", "is_transient"],
        ),
        (Failure::too_large(7).into(), "too_large", &["is_too_large"]),
        (
            Failure::content("a.pdf: not found").into(),
            "content",
            &["is_content"],
        ),
        (
            Error::timeout("no reply"),
            "timeout",
            &["is_timeout", "is_transient"],
        ),
        (
            Error::decode(response(), "the JSON ends too early", false),
            "decode",
            &["is_decode", "is_transient"],
        ),
        (
            Error::decode(response(), "missing field id", true),
            "decode",
            &["is_decode"],
        ),
        (Error::unreadable("is not JSON"), "decode", &["is_decode"]),
        (
            Error::too_large("over 10 pages"),
            "too_large",
            &["is_too_large"],
        ),
        (
            Error::conflict("another job", job("PENDING")),
            "conflict",
            &["is_conflict"],
        ),
        (
            Error::v1_conflict("another job", v1_job()),
            "conflict",
            &["is_conflict"],
        ),
        (
            Error::unexpected_result("a result of another job"),
            "conflict",
            &["is_conflict"],
        ),
        (
            Error::deadline("the deadline came after 3 polls").with_source(status(503, "")),
            "deadline",
            &["is_deadline"],
        ),
        (
            Error::deadline("the deadline came after 3 polls")
                .with_source(Failure::broken("reset by peer").into()),
            "deadline",
            &["is_deadline"],
        ),
        (
            Error::job_failed(job("FAILED")),
            "job_failed",
            &["is_job_failed"],
        ),
        (
            Error::v1_job_failed(v1_job()),
            "job_failed",
            &["is_job_failed"],
        ),
        (
            Error::job_cancelled(job("CANCELLED")),
            "job_cancelled",
            &["is_cancelled"],
        ),
        (
            Error::v1_job_cancelled(v1_job()),
            "job_cancelled",
            &["is_cancelled"],
        ),
        (
            Error::rate_limit_delay(Duration::from_secs(7)),
            "rate_limited",
            &["is_rate_limited", "is_transient"],
        ),
        (
            Error::paging("the page token came again"),
            "paging",
            &["is_paging"],
        ),
        (Error::state("is not a saved state"), "state", &["is_state"]),
        (
            Error::ambiguous("the reply was lost"),
            "ambiguous",
            &["is_ambiguous"],
        ),
    ]
}

#[test]
fn error_code_and_predicates_of_every_kind() {
    for (error, code, expected) in samples() {
        assert_eq!(error.code().as_str(), code, "{error}");
        let holding: BTreeSet<_> = PREDICATES
            .iter()
            .filter(|(_, holds)| holds(&error))
            .map(|(name, _)| *name)
            .collect();
        assert_eq!(holding, expected.iter().copied().collect(), "{error}");
    }
    let sampled: Vec<_> = samples().iter().map(|(error, ..)| error.kind()).collect();
    for kind in kinds() {
        assert!(sampled.contains(&kind), "no sample of {kind:?}");
    }
}

/// Programs compare these codes. Renaming or removing one breaks them.
#[test]
fn error_codes_are_this_list() {
    assert_eq!(
        ErrorCode::KNOWN,
        [
            "invalid",
            "bad_request",
            "auth",
            "quota",
            "rate_limited",
            "not_found",
            "conflict",
            "too_large",
            "redirect",
            "server",
            "status",
            "timeout",
            "connect",
            "broken",
            "refused",
            "content",
            "decode",
            "ambiguous",
            "deadline",
            "job_failed",
            "job_cancelled",
            "no_result",
            "stopped",
            "paging",
            "state",
        ]
    );
    let sampled: BTreeSet<_> = samples().iter().map(|(_, code, _)| *code).collect();
    for code in ErrorCode::KNOWN {
        let is_of_reports = matches!(*code, "no_result" | "stopped");
        assert_eq!(sampled.contains(code), !is_of_reports, "{code}");
    }
}

/// A report that prints the chain prints no sentence twice, and the first line alone says all but the last failed poll.
#[test]
fn error_display_does_not_contain_source() {
    let mut with_source = 0;
    for (error, ..) in samples() {
        if let Some(failure) = error.failure() {
            let shown = error.to_string();
            assert_eq!(shown.matches(&failure.to_string()).count(), 1, "{shown}");
        }
        let mut shown = vec![error.to_string()];
        let mut cause = error.source();
        while let Some(error) = cause {
            shown.push(error.to_string());
            cause = error.source();
        }
        with_source += usize::from(shown.len() > 1);
        for (index, message) in shown.iter().enumerate() {
            for next in &shown[index + 1..] {
                assert!(
                    !message.contains(next.as_str()),
                    "{message} contains {next}"
                );
            }
        }
    }
    assert_eq!(with_source, 2);
}

#[test]
fn error_io_kind_is_that_of_failure() {
    let gone = Failure::content("a.pdf").with_io_kind(io::ErrorKind::NotFound);
    let error = Error::from(gone).with_operation("files.create");
    assert_eq!(error.io_kind(), Some(io::ErrorKind::NotFound));
    assert_eq!(error.duplicate().io_kind(), Some(io::ErrorKind::NotFound));
    assert_eq!(Error::from(Failure::connect("refused")).io_kind(), None);
    assert_eq!(status(404, "").io_kind(), None);
    let full = Error::state("a journal").with_io_kind(io::ErrorKind::StorageFull);
    assert_eq!(full.io_kind(), Some(io::ErrorKind::StorageFull));
    assert_eq!(full.duplicate().io_kind(), Some(io::ErrorKind::StorageFull));
}

/// A job of a parse job's text has no file.
#[test]
fn error_file_id_is_of_create_or_of_job() {
    let failed = Error::job_failed(job("FAILED"));
    assert_eq!(failed.file_id(), Some("dfl-1"));
    let other = Error::conflict("another job", job("PENDING")).with_file_id(Some("dfl-2"));
    assert_eq!(other.file_id(), Some("dfl-2"));
    let mut of_text = job("FAILED");
    of_text.file_input = Some("pjb-1".to_owned());
    assert_eq!(Error::job_failed(of_text).file_id(), None);
    assert_eq!(status(500, "").file_id(), None);
}
