//! What the core does most, by time and allocations: parsing beside plain serde structs and the same bytes, building every
//! request beside plain code where it has no body, page ranges, and a machine's steps.

use classify_bench::measure::{alone, compare, head};
use classify_bench::work::{buildings, call, page_ranges, plain_create};
use classify_bench::{counting, fixtures, plain, work};
use classify_proto::v2::{GetJob, ListJobs};
use classify_proto::{Operation as _, http};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

fn main() {
    let page = fixtures::page();
    head();
    let list = ListJobs::new();
    compare(
        "parse a page of 100 jobs",
        || {
            list.parse(http::Response::new(page.clone()))
                .expect("our own page")
        },
        || serde_json::from_slice::<plain::Page>(&page).expect("our own page"),
    );

    let job = fixtures::job();
    let get = GetJob::new(fixtures::FIRST);
    compare(
        "parse a job",
        || {
            get.parse(http::Response::new(job.clone()))
                .expect("our own job")
        },
        || serde_json::from_slice::<plain::Job>(&job).expect("our own job"),
    );

    let api = work::api();
    let create = fixtures::create();
    let body = fixtures::plain_create();
    let request = create.build_request(&api).expect("a good create");
    let plain_create = || plain_create(&body, request.headers());
    compare(
        "build a create",
        || {
            create
                .build_request_unvalidated(&api)
                .expect("a good create")
        },
        plain_create,
    );
    compare(
        "check and build a create",
        || create.build_request(&api).expect("a good create"),
        plain_create,
    );
    for building in buildings() {
        let name = format!("build {}", building.name);
        match building.plain() {
            Some(plain) => compare(&name, || building.ours(&api), plain),
            None => alone(&name, || building.ours(&api)),
        }
    }
    alone("page ranges", page_ranges);
    alone("a call", || call(&api, &job, &[200]));
    alone("a call that is repeated once", || {
        call(&api, &job, &[503, 200]);
    });
}
