//! Time and allocations of the core's most frequent work: parsing, compared with plain serde structs on the same bytes;
//! building every request, compared with plain code if it has no body; page ranges; the steps of a machine.

use classify_bench::measure::{compare, measure, print_table_header};
use classify_bench::workloads::{call, page_ranges, plain_create, request_cases};
use classify_bench::{counting_allocator, fixtures, plain, workloads};
use classify_proto::v2::{GetJob, ListJobs};
use classify_proto::{Operation as _, http};

#[global_allocator]
static ALLOCATOR: counting_allocator::CountingAllocator = counting_allocator::CountingAllocator;

fn main() {
    let page = fixtures::page();
    print_table_header();
    let list = ListJobs::new();
    compare(
        "parse a page of 100 jobs",
        || {
            list.parse(http::Response::new(page.clone()))
                .expect("a valid page")
        },
        || serde_json::from_slice::<plain::Page>(&page).expect("a valid page"),
    );

    let job = fixtures::job();
    let get = GetJob::new(fixtures::FIRST_JOB_ID);
    compare(
        "parse a job",
        || {
            get.parse(http::Response::new(job.clone()))
                .expect("a valid job")
        },
        || serde_json::from_slice::<plain::Job>(&job).expect("a valid job"),
    );

    let api = workloads::api();
    let create = fixtures::create();
    let body = fixtures::plain_create();
    let request = create.build_request(&api).expect("a valid create");
    let plain_create = || plain_create(&body, request.headers());
    compare(
        "build a create",
        || {
            create
                .build_request_unvalidated(&api)
                .expect("a valid create")
        },
        plain_create,
    );
    compare(
        "validate and build a create",
        || create.build_request(&api).expect("a valid create"),
        plain_create,
    );
    for request_case in request_cases() {
        let name = format!("build {}", request_case.name);
        match request_case.plain() {
            Some(plain) => compare(&name, || request_case.ours(&api), plain),
            None => measure(&name, || request_case.ours(&api)),
        }
    }
    measure("page ranges", page_ranges);
    measure("a call", || call(&api, &job, &[200]));
    measure("a call with one retry", || {
        call(&api, &job, &[503, 200]);
    });
}
