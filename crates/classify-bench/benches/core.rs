//! Parsing a page of 100 jobs and a job alone, and building a create, beside plain serde structs and the same bytes.

use bytes::Bytes;
use classify_bench::measure::{compare, head};
use classify_bench::{counting, fixtures, plain};
use classify_proto::v2::{Get, List};
use classify_proto::{Api, Operation, http};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

fn main() {
    let page = fixtures::page();
    head();
    let list = List::new();
    compare(
        "parse a page of 100 jobs",
        || {
            list.parse(http::Response::new(page.clone()))
                .expect("our own page")
        },
        || serde_json::from_slice::<plain::Page>(&page).expect("our own page"),
    );

    let job = fixtures::job();
    let get = Get::new(fixtures::FIRST);
    compare(
        "parse a job",
        || {
            get.parse(http::Response::new(job.clone()))
                .expect("our own job")
        },
        || serde_json::from_slice::<plain::Job>(&job).expect("our own job"),
    );

    let api = Api::builder("llx-bench")
        .project("c4ca4238-a0b9-4382-8dcc-509a6f75849b")
        .build()
        .expect("a good key");
    let create = fixtures::create();
    let body = fixtures::plain_create();
    let headers = create
        .request(&api)
        .expect("a good create")
        .headers()
        .clone();
    let plain_create = || {
        let bytes = serde_json::to_vec(&body).expect("our own body");
        let mut request = http::Request::post(format!(
            "{}/api/v2/classify?project_id={}",
            "https://api.cloud.llamaindex.ai", "c4ca4238-a0b9-4382-8dcc-509a6f75849b"
        ))
        .body(Bytes::from(bytes))
        .expect("our own request");
        *request.headers_mut() = headers.clone();
        request
    };
    compare(
        "build a create",
        || create.encode(&api).expect("a good create"),
        plain_create,
    );
    compare(
        "check and build a create",
        || create.request(&api).expect("a good create"),
        plain_create,
    );
}
