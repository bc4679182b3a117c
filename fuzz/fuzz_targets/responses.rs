//! Every response parser with arbitrary bytes. The first byte chooses the operation, the second the status.

#![no_main]

use std::fmt::Debug;

use classify_fuzz::{api, check_error, create, rules, seed};
use classify_proto::v2::{self, Job};
use classify_proto::{
    Bytes, Error, Idempotency, Operation, RawOperation, configurations, files, http, v1, webhooks,
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const STATUSES: [u16; 4] = [200, 201, 204, 206];

fuzz_target!(|data: &[u8]| {
    let [selector, status, body @ ..] = data else {
        return;
    };
    let response = || {
        let mut response = http::Response::new(Bytes::copy_from_slice(body));
        *response.status_mut() = http::StatusCode::from_u16(STATUSES[usize::from(*status) % 4])
            .expect("statuses of the list");
        response
    };
    match selector % 27 {
        0 => job(v2::GetJob::new("clj-1").parse(response()), body),
        1 => {
            if let Ok(page) = check_parsed(v2::ListJobs::new().parse(response())) {
                assert_ne!(page.next_page_token.as_deref(), Some(""));
                page.items.into_iter().for_each(job_round_trip);
            }
        }
        2 => job(v2::CancelJob::new("clj-1").parse(response()), body),
        3 => {
            if let Ok(deleted) = check_parsed(v2::DeleteJob::new("clj-1").parse(response())) {
                let _ = format!("{deleted:?}");
            }
        }
        4 => {
            let mut create = create("dfl-1");
            create.prepare(seed());
            if let Ok(job) = check_parsed(create.parse(response())) {
                // A response to another request is never accepted.
                assert!(job.file_input.is_none_or(|input| input == "dfl-1"));
            }
        }
        5 => {
            let mut upload = files::UploadFile::new("a.txt", b"canary".to_vec());
            upload.prepare(seed());
            let _ = upload.build_request(&api()).expect("a good upload");
            if let Ok(file) = check_parsed(upload.parse(response())) {
                let _ = format!("{file:?}");
            }
        }
        6 => parse_any(&v1::CreateJob::new(["dfl-1"], rules().rules), response()),
        7 => parse_any(&v1::ListJobs::new(), response()),
        8 => parse_any(&v1::GetJob::new("1"), response()),
        9 => parse_any(&v1::GetJobResults::new("1"), response()),
        10 => parse_any(&files::ListFiles::new(), response()),
        11 => parse_any(&files::GetFile::new("1"), response()),
        12 => parse_any(&files::GetFileContent::new("1"), response()),
        13 => parse_any(&files::DeleteFile::new("1"), response()),
        14 => parse_any(&files::QueryFiles::new(), response()),
        15 => parse_any(
            &configurations::CreateConfiguration::new("n", rules()),
            response(),
        ),
        16 => parse_any(&configurations::GetConfiguration::new("1"), response()),
        17 => parse_any(&configurations::UpdateConfiguration::new("1"), response()),
        18 => parse_any(&configurations::ListConfigurations::new(), response()),
        19 => parse_any(&configurations::DeleteConfiguration::new("1"), response()),
        20 => parse_any(
            &webhooks::CreateWebhookConfiguration::new("https://example.com"),
            response(),
        ),
        21 => parse_any(&webhooks::GetWebhookConfiguration::new("1"), response()),
        22 => parse_any(&webhooks::UpdateWebhookConfiguration::new("1"), response()),
        23 => parse_any(&webhooks::ListWebhookConfigurations::new(), response()),
        24 => parse_any(&webhooks::ListAllWebhookConfigurations::new(), response()),
        25 => parse_any(&webhooks::DeleteWebhookConfiguration::new("1"), response()),
        26 => parse_any(
            &RawOperation::new(http::Method::GET, "/api/v2/other", Idempotency::Safe),
            response(),
        ),
        _ => unreachable!("a remainder of 27"),
    }
});

fn parse_any<O: Operation<Output: Debug>>(operation: &O, response: http::Response<Bytes>) {
    if let Ok(output) = check_parsed(operation.parse(response)) {
        let _ = format!("{output:?}");
    }
}

fn check_parsed<T>(parsed: Result<T, Error>) -> Result<T, Error> {
    if let Err(error) = &parsed {
        check_error(error);
        assert!(
            error.is_decode() || error.is_conflict(),
            "a success is read, not read, or of another request: {error}"
        );
    }
    parsed
}

fn job(parsed: Result<Job, Error>, body: &[u8]) {
    // A job needs only an id and a status that are text.
    let value = serde_json::from_slice(body);
    if let Ok(Value::Object(fields)) = &value {
        let is_minimal_job = fields.get("id").is_some_and(Value::is_string)
            && fields.get("status").is_some_and(Value::is_string)
            && fields
                .iter()
                .all(|(name, value)| matches!(&**name, "id" | "status") || value.is_null());
        let id = fields.get("id").and_then(Value::as_str).unwrap_or_default();
        let is_ours = matches!(&*id.to_ascii_lowercase(), "clj-1" | "1");
        match &parsed {
            Ok(_) => assert!(
                !is_minimal_job || is_ours,
                "another job's answer is believed: {id:?}"
            ),
            Err(error) => assert!(
                !is_minimal_job || (!is_ours && error.is_conflict()),
                "drift breaks it: {error:?}"
            ),
        }
    } else if value.is_ok() {
        assert!(parsed.is_err(), "read from no object: {parsed:?}");
    }
    if let Ok(job) = check_parsed(parsed) {
        job_round_trip(job);
    }
}

fn job_round_trip(job: Job) {
    let _ = (format!("{job:?}"), job.outcome());
    let written = job.to_json();
    // Parsed leniently, as responses are: an invalid field is written unchanged.
    let answer = http::Response::new(Bytes::from(written.to_string()));
    let reparsed = v2::GetJob::new(&job.id)
        .parse(answer)
        .expect("what we wrote");
    assert_eq!(reparsed.to_json(), written, "a second trip changes it");
}
