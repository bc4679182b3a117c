//! The workloads that are measured: every request, the steps of a machine, and the same in plain code.

use std::hint::black_box;

use bytes::Bytes;
use classify_proto::machine::{Call, Context, Machine, Step};
use classify_proto::{
    Api, Body, Operation, PageRanges, Patch, Seed, Time, configurations, files, http, v1, v2,
    webhooks,
};

use crate::{fixtures, plain};

const SERVICE: &str = "https://api.cloud.llamaindex.ai";
/// The project of every request.
const PROJECT: &str = "c4ca4238-a0b9-4382-8dcc-509a6f75849b";

/// Returns the base URL, key and project of the workloads.
///
/// # Panics
///
/// Never: the key is valid.
#[must_use]
pub fn api() -> Api {
    Api::builder("llx-bench")
        .project(PROJECT)
        .build()
        .expect("a valid key")
}

type Ours = dyn Fn(&Api) -> http::Request<Body>;
type Plain = dyn Fn() -> http::Request<Bytes>;

/// The request of one operation.
pub struct RequestCase {
    /// The name of the operation, such as `classify.create`.
    pub name: &'static str,
    ours: Box<Ours>,
    /// The same request, built with `format!` and `http`. `None` if it has a body.
    plain: Option<Box<Plain>>,
}

impl std::fmt::Debug for RequestCase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl RequestCase {
    fn of<O: Operation + 'static>(operation: O) -> Self {
        let name = operation.name();
        let ours = move |api: &Api| operation.build_request(api).expect("a valid operation");
        let (parts, body) = ours(&api()).into_parts();
        let path = parts
            .uri
            .path_and_query()
            .expect("a complete URL")
            .to_string();
        let plain = move || {
            let url = format!("{SERVICE}{path}");
            plain_request(&parts.method, url, &parts.headers, Bytes::new())
        };
        let has_body = !matches!(body, Body::Empty);
        Self {
            name,
            ours: Box::new(ours),
            plain: (!has_body).then(|| Box::new(plain) as _),
        }
    }

    /// Validates the operation and builds its request.
    #[must_use]
    pub fn ours(&self, api: &Api) -> http::Request<Body> {
        (self.ours)(api)
    }

    /// Builds the same request without the library. Does nothing if it has a body.
    #[must_use]
    pub fn plain(&self) -> Option<&Plain> {
        self.plain.as_deref()
    }
}

/// Returns the requests of all operations.
///
/// # Panics
///
/// Never: the operations are valid.
#[must_use]
pub fn request_cases() -> Vec<RequestCase> {
    let rules = fixtures::rules;
    let v1_rule = || v1::Rule::new("invoice", "asks for payment of an amount");
    let mut upload = files::UploadFile::new("a.pdf", vec![7; 1_000]);
    upload.prepare(Seed::new([7; 16]));
    vec![
        RequestCase::of(fixtures::create()),
        RequestCase::of(v2::ListJobs::new()),
        RequestCase::of(v2::GetJob::new("clj-1")),
        RequestCase::of(v2::CancelJob::new("clj-1")),
        RequestCase::of(v2::DeleteJob::new("clj-1")),
        RequestCase::of(v1::CreateJob::new(["dfl-1"], [v1_rule()])),
        RequestCase::of(v1::ListJobs::new()),
        RequestCase::of(v1::GetJob::new("1")),
        RequestCase::of(v1::GetJobResults::new("1")),
        RequestCase::of(upload),
        RequestCase::of(files::ListFiles::new()),
        RequestCase::of(files::GetFile::new("dfl-1")),
        RequestCase::of(files::GetFileContent::new("dfl-1")),
        RequestCase::of(files::DeleteFile::new("dfl-1")),
        RequestCase::of(files::QueryFiles::new()),
        RequestCase::of(configurations::CreateConfiguration::new("rules", rules())),
        RequestCase::of(configurations::GetConfiguration::new("cfg-1")),
        RequestCase::of(configurations::UpdateConfiguration::new("cfg-1").parameters(rules())),
        RequestCase::of(configurations::ListConfigurations::new()),
        RequestCase::of(configurations::DeleteConfiguration::new("cfg-1")),
        RequestCase::of(webhooks::CreateWebhookConfiguration::new(
            "https://example.com",
        )),
        RequestCase::of(webhooks::GetWebhookConfiguration::new("whc-1")),
        RequestCase::of(
            webhooks::UpdateWebhookConfiguration::new("whc-1")
                .url(Patch::Set("https://example.com".into())),
        ),
        RequestCase::of(webhooks::ListWebhookConfigurations::new()),
        RequestCase::of(webhooks::ListAllWebhookConfigurations::new()),
        RequestCase::of(webhooks::DeleteWebhookConfiguration::new("whc-1")),
    ]
}

/// Builds a create in plain code.
///
/// # Panics
///
/// Never: the body is valid.
#[must_use]
pub fn plain_create(body: &plain::Create, headers: &http::HeaderMap) -> http::Request<Bytes> {
    let bytes = serde_json::to_vec(body).expect("a valid body");
    // Literals, which the compiler joins: the minimal cost of this line.
    let mut request = http::Request::post(format!(
        "{}/api/v2/classify?project_id={}",
        "https://api.cloud.llamaindex.ai", "c4ca4238-a0b9-4382-8dcc-509a6f75849b"
    ))
    .body(Bytes::from(bytes))
    .expect("a valid request");
    *request.headers_mut() = headers.clone();
    request
}

fn plain_request(
    method: &http::Method,
    url: String,
    headers: &http::HeaderMap,
    body: Bytes,
) -> http::Request<Bytes> {
    let mut request = http::Request::builder()
        .method(method)
        .uri(url)
        .body(body)
        .expect("a valid request");
    *request.headers_mut() = headers.clone();
    request
}

/// Parses page ranges and returns the pages, counted from 0.
///
/// # Panics
///
/// Never: the pages are valid.
#[must_use]
pub fn page_ranges() -> Vec<u32> {
    let pages: PageRanges = "7, 1,3,5-7,20-400".parse().expect("good pages");
    pages.to_zero_based(1_000).expect("few pages")
}

/// Runs a call from its first poll to its end, with these statuses as responses.
///
/// # Panics
///
/// If the last status is an error.
pub fn call(api: &Api, job: &Bytes, statuses: &[u16]) {
    let mut call = Call::new(v2::GetJob::new(fixtures::FIRST_JOB_ID), Seed::new([7; 16]));
    let mut now = Time::from_millis(1_700_000_000_000);
    let mut statuses = statuses.iter();
    loop {
        match call.poll(Context::new(api, now)) {
            Step::Send(ticket, request) => {
                black_box(request);
                let mut response = http::Response::new(job.clone());
                let status = statuses.next().expect("one status for each attempt");
                *response.status_mut() = http::StatusCode::from_u16(*status).expect("a status");
                call.handle(Context::new(api, now), ticket, Ok(response));
            }
            Step::Wait(until) => now = until.expect("no reply is outstanding"),
            Step::Event(never) => match never {},
            Step::Done(result) => {
                black_box(result.expect("a job"));
                return;
            }
        }
    }
}
