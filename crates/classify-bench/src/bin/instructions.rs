//! Runs one workload under callgrind: `instructions CASE`. Without a case, lists the cases.
//!
//! callgrind counts only inside [`measured`], so that setup is not counted.

use std::hint::black_box;

use classify_bench::fixtures::RuleSharing;
use classify_bench::workloads::{call, page_ranges, plain_create, request_cases};
use classify_bench::{counting_allocator, fixtures, plain, workloads};
use classify_proto::v2::{GetJob, ListJobs};
use classify_proto::{Operation as _, http};

#[global_allocator]
static ALLOCATOR: counting_allocator::CountingAllocator = counting_allocator::CountingAllocator;

const CASES: [&str; 11] = [
    "parse_page",
    "parse_page_plain",
    "parse_page_distinct_rules",
    "parse_page_distinct_rules_plain",
    "parse_job",
    "parse_job_plain",
    "build_create",
    "build_create_plain",
    "page_ranges",
    "call_step",
    "call_retry",
];

/// The function that callgrind counts. It is not inlined, so that callgrind finds it, and called once before, so that
/// caches are filled.
#[inline(never)]
fn measured<T>(mut work: impl FnMut() -> T) {
    black_box(work());
}

fn count<T>(mut work: impl FnMut() -> T) {
    black_box(work());
    let (allocations, bytes) = counting_allocator::allocations(&mut work);
    println!("allocations {allocations} bytes {bytes}");
    measured(work);
}

fn main() {
    let Some(case) = std::env::args().nth(1) else {
        for case in CASES {
            println!("{case}");
        }
        for request_case in request_cases() {
            println!("build_{}", request_case.name);
            if request_case.plain().is_some() {
                println!("build_{}_plain", request_case.name);
            }
        }
        return;
    };
    let api = workloads::api();
    let page = if case.starts_with("parse_page_distinct_rules") {
        fixtures::page_of(0..100, RuleSharing::Distinct, None)
    } else {
        fixtures::page()
    };
    let job = fixtures::job();
    let create = fixtures::create();
    match &*case {
        "parse_page" | "parse_page_distinct_rules" => {
            let list = ListJobs::new();
            count(|| {
                list.parse(http::Response::new(page.clone()))
                    .expect("a valid page")
            });
        }
        "parse_page_plain" | "parse_page_distinct_rules_plain" => {
            count(|| serde_json::from_slice::<plain::Page>(&page).expect("a valid page"));
        }
        "parse_job" => {
            let get = GetJob::new(fixtures::FIRST_JOB_ID);
            count(|| {
                get.parse(http::Response::new(job.clone()))
                    .expect("a valid job")
            });
        }
        "parse_job_plain" => {
            count(|| serde_json::from_slice::<plain::Job>(&job).expect("a valid job"));
        }
        // Plain code validates nothing; `build_classify.create` also validates.
        "build_create" => count(|| {
            create
                .build_request_unvalidated(&api)
                .expect("a valid create")
        }),
        "build_create_plain" => {
            let body = fixtures::plain_create();
            let request = create
                .build_request_unvalidated(&api)
                .expect("a valid create");
            count(|| plain_create(&body, request.headers()));
        }
        "page_ranges" => count(page_ranges),
        "call_step" => count(|| call(&api, &job, &[200])),
        "call_retry" => count(|| call(&api, &job, &[503, 200])),
        other => {
            let name = other.trim_start_matches("build_");
            let request_case = request_cases()
                .into_iter()
                .find(|request_case| request_case.name == name.trim_end_matches("_plain"))
                .unwrap_or_else(|| panic!("no such case: {other}"));
            match request_case.plain().filter(|_| name.ends_with("_plain")) {
                Some(plain) => count(plain),
                None => count(|| request_case.ours(&api)),
            }
        }
    }
}
