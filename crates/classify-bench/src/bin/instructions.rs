//! One piece of work, to be counted by callgrind: `instructions CASE`; without a case it lists them.
//!
//! Only what happens inside [`measured`] is collected, so a count has no setting up in it.

use std::hint::black_box;

use bytes::Bytes;
use classify_bench::fixtures::Rules;
use classify_bench::{counting, fixtures, plain};
use classify_proto::files::Upload;
use classify_proto::machine::{Call, Cx, Machine, Step};
use classify_proto::v2::{Cancel, Delete, Get, List};
use classify_proto::{Api, Operation, PageRanges, Seed, Time, http};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

const CASES: [&str; 16] = [
    "parse_page",
    "parse_page_plain",
    "parse_page_of_own_rules",
    "parse_page_of_own_rules_plain",
    "parse_job",
    "parse_job_plain",
    "build_create",
    "build_create_plain",
    "build_get",
    "build_list",
    "build_cancel",
    "build_delete",
    "build_upload",
    "page_ranges",
    "call_step",
    "call_retry",
];

/// What callgrind collects. Not inlined, so that it can be named, and run once before, so that nothing is new.
#[inline(never)]
fn measured<T>(mut work: impl FnMut() -> T) {
    black_box(work());
}

fn count<T>(mut work: impl FnMut() -> T) {
    black_box(work());
    let (allocations, bytes) = counting::allocations(&mut work);
    println!("allocations {allocations} bytes {bytes}");
    measured(work);
}

fn main() {
    let Some(case) = std::env::args().nth(1) else {
        for case in CASES {
            println!("{case}");
        }
        return;
    };
    let api = Api::builder("llx-bench")
        .project("c4ca4238-a0b9-4382-8dcc-509a6f75849b")
        .build()
        .expect("a good key");
    let page = if case.starts_with("parse_page_of_own_rules") {
        fixtures::page_of(0..100, Rules::Own, None)
    } else {
        fixtures::page()
    };
    let job = fixtures::job();
    let create = fixtures::create();
    match &*case {
        "parse_page" | "parse_page_of_own_rules" => {
            let list = List::new();
            count(|| {
                list.parse(http::Response::new(page.clone()))
                    .expect("our own page")
            });
        }
        "parse_page_plain" | "parse_page_of_own_rules_plain" => {
            count(|| serde_json::from_slice::<plain::Page>(&page).expect("our own page"));
        }
        "parse_job" => {
            let get = Get::new(fixtures::FIRST);
            count(|| {
                get.parse(http::Response::new(job.clone()))
                    .expect("our own job")
            });
        }
        "parse_job_plain" => {
            count(|| serde_json::from_slice::<plain::Job>(&job).expect("our own job"));
        }
        "build_create" => count(|| create.encode(&api).expect("a good create")),
        "build_create_plain" => {
            let body = fixtures::plain_create();
            let headers = create
                .encode(&api)
                .expect("a good create")
                .headers()
                .clone();
            count(|| plain_request(&body, &headers));
        }
        "build_get" => count(|| Get::new("clj-1").request(&api).expect("a good get")),
        "build_list" => count(|| List::new().request(&api).expect("a good list")),
        "build_cancel" => count(|| Cancel::new("clj-1").request(&api).expect("a good cancel")),
        "build_delete" => count(|| Delete::new("clj-1").request(&api).expect("a good delete")),
        "build_upload" => {
            let mut upload = Upload::new("a.pdf", vec![7; 1_000]);
            upload.prepare(Seed::new([7; 16]));
            count(|| upload.request(&api).expect("a good upload"));
        }
        "page_ranges" => count(|| {
            let pages: PageRanges = "7, 1,3,5-7,20-400".parse().expect("good pages");
            pages.to_zero_based(1_000).expect("few pages")
        }),
        "call_step" => count(|| step(&api, &job, &[200])),
        "call_retry" => count(|| step(&api, &job, &[503, 200])),
        other => panic!("no such case: {other}"),
    }
}

fn plain_request(body: &plain::Create, headers: &http::HeaderMap) -> http::Request<Bytes> {
    let bytes = serde_json::to_vec(body).expect("our own body");
    let mut request = http::Request::post(format!(
        "{}/api/v2/classify?project_id={}",
        "https://api.cloud.llamaindex.ai", "c4ca4238-a0b9-4382-8dcc-509a6f75849b"
    ))
    .body(Bytes::from(bytes))
    .expect("our own request");
    *request.headers_mut() = headers.clone();
    request
}

/// A call from its first poll to its end, answered with these statuses.
fn step(api: &Api, job: &Bytes, statuses: &[u16]) {
    let mut call = Call::new(Get::new(fixtures::FIRST), Seed::new([7; 16]));
    let mut now = Time::from_millis(1_700_000_000_000);
    let mut statuses = statuses.iter();
    loop {
        match call.poll(Cx::new(api, now)) {
            Step::Send(ticket, request) => {
                black_box(request);
                let mut response = http::Response::new(job.clone());
                let status = statuses.next().expect("one status for each attempt");
                *response.status_mut() = http::StatusCode::from_u16(*status).expect("a status");
                call.handle(Cx::new(api, now), ticket, Ok(response));
            }
            Step::Wait(until) => now = until.expect("no reply is owed"),
            Step::Event(never) => match never {},
            Step::Done(result) => {
                black_box(result.expect("a job"));
                return;
            }
        }
    }
}
