//! Lists are complete and end.

use classify_emulator::{Config, Fault, FaultRule, FaultSchedule, Route};
use classify_proto::v2::{GetJob, Job, JobStatus, ListJobs};
use classify_proto::{Error, ErrorKind, Timestamp};

use crate::driver::{Driver, Settings};
use crate::scripted_server::{ResponseScript, ScriptedServer, response};
use crate::test_bench::{TestBench, api, wait_until};

const JOB: &[u8] = br#"{"id": "clj-1", "status": "RUNNING"}"#;

/// Seven jobs on pages of three.
fn bench<D: Driver>() -> TestBench<D> {
    let bench = TestBench::<D>::new(Config::default());
    assert_eq!(bench.jobs(7).len(), 7);
    bench
}

fn set_list_fault<D: Driver>(bench: &TestBench<D>, rule: FaultRule) {
    bench
        .emulator
        .set_faults(FaultSchedule::new().with(rule.on(Route::ClassifyList)));
}

/// Returns the ids in order, and the error that ended the list, if there was one.
fn collect_items<D: Driver>(bench: &TestBench<D>, list: ListJobs) -> (Vec<String>, Option<Error>) {
    let (mut ids, mut list_error) = (Vec::new(), None);
    bench.driver.list(list, |item: Result<Job, Error>| {
        assert!(list_error.is_none(), "an item after an error");
        match item {
            Ok(job) => ids.push(job.id),
            Err(error) => list_error = Some(error),
        }
        true
    });
    (ids, list_error)
}

fn distinct_count(mut ids: Vec<String>) -> usize {
    ids.sort();
    ids.dedup();
    ids.len()
}

/// Every item is yielded once.
pub fn pagination_returns_every_item_once<D: Driver>() {
    let bench = bench::<D>();
    let (ids, error) = collect_items(&bench, ListJobs::new().page_size(3));
    assert!(error.is_none());
    assert_eq!((ids.len(), distinct_count(ids)), (7, 7));
    assert_eq!(bench.emulator.count(Route::ClassifyList), 3);
}

/// A page with a token and without items is skipped.
pub fn pagination_continues_after_empty_page<D: Driver>() {
    for page in 1..=3 {
        let bench = bench::<D>();
        set_list_fault(&bench, Fault::EmptyPage.nth(page));
        let (ids, error) = collect_items(&bench, ListJobs::new().page_size(3));
        assert!(error.is_none());
        assert_eq!((ids.len(), distinct_count(ids)), (7, 7), "page {page}");
    }
}

/// A page whose token points to itself ends the list with an error, after a bounded number of requests.
pub fn pagination_repeated_token_is_an_error<D: Driver>() {
    let bench = bench::<D>();
    set_list_fault(&bench, Fault::RepeatedToken.always());
    let (_, error) = collect_items(&bench, ListJobs::new().page_size(2));
    let error = error.expect("the list ends with an error");
    assert_eq!(error.kind(), ErrorKind::Paging, "{error}");
    assert!(bench.emulator.count(Route::ClassifyList) <= 4);
}

/// Tokens in a cycle end the list with an error, after a bounded number of requests.
pub fn pagination_token_cycle_is_an_error<D: Driver>() {
    let bench = bench::<D>();
    set_list_fault(&bench, Fault::CyclicTokens.always());
    let (_, error) = collect_items(&bench, ListJobs::new().page_size(2));
    let error = error.expect("the list ends with an error");
    assert_eq!(error.kind(), ErrorKind::Paging, "{error}");
    assert!(bench.emulator.count(Route::ClassifyList) <= 6);
}

/// Nothing is requested before the first item. Then the current page is requested, and as many pages ahead as the
/// driver declares, while the caller uses the current one.
pub fn pagination_fetches_pages_on_demand<D: Driver>() {
    let bench = bench::<D>();
    let list_requests = || bench.emulator.count(Route::ClassifyList);
    let ahead = D::PAGES_AHEAD;
    let mut items = 0;
    bench.driver.list(ListJobs::new().page_size(2), |item| {
        items += 1;
        assert!(item.is_ok());
        // Items 1 and 2 are of page 1, items 3 and 4 of page 2.
        let page = u64::from(items > 2) + 1;
        wait_until(|| list_requests() >= page + ahead);
        assert_eq!(list_requests(), page + ahead, "item {items}");
        items < 3
    });
    assert_eq!(items, 3);
    assert_eq!(list_requests(), 2 + ahead);
}

/// The items before an error come first, then the error, and then the list ends.
pub fn pagination_yields_items_before_error_and_ends<D: Driver>() {
    let bench = bench::<D>();
    set_list_fault(&bench, Fault::Unauthorized.nth(2));
    let (ids, error) = collect_items(&bench, ListJobs::new().page_size(3));
    assert_eq!(ids.len(), 3);
    assert!(error.is_some_and(|error| error.is_auth()));
    assert_eq!(bench.emulator.count(Route::ClassifyList), 2);
}

/// Each filter is sent as it was set, arrays as repeated keys, with every page.
pub fn pagination_sends_every_filter_with_every_page<D: Driver>() {
    let bench = bench::<D>();
    let ids: Vec<String> = bench
        .emulator
        .jobs()
        .into_iter()
        .map(|job| job.id)
        .collect();
    let (before, after) = ("2000-01-01T00:00:00+05:30", "2999-12-31T23:59:59.250Z");
    wait_until(|| {
        bench
            .emulator
            .jobs()
            .iter()
            .all(|job| job.status == "COMPLETED")
    });
    let list = ListJobs::new()
        .page_size(2)
        .status(JobStatus::Completed)
        .job_ids(ids.clone())
        .created_at_on_or_after(before)
        .created_at_on_or_before(after.parse::<Timestamp>().expect("a time"));
    let (found, error) = collect_items(&bench, list);
    assert!(error.is_none());
    assert_eq!(found.len(), 7);

    let requests = bench.emulator.requests();
    let lists: Vec<_> = requests
        .iter()
        .filter(|request| request.route == Route::ClassifyList)
        .collect();
    assert_eq!(lists.len(), 4);
    for request in lists {
        let job_ids: Vec<&str> = request
            .query
            .iter()
            .filter(|(name, _)| name == "job_ids")
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(job_ids, ids);
        assert_eq!(request.query_parameter("page_size"), Some("2"));
        assert_eq!(request.query_parameter("status"), Some("COMPLETED"));
        assert_eq!(
            request.query_parameter("created_at_on_or_after"),
            Some(before)
        );
        assert!(request.query_parameter("created_at_on_or_before").is_some());
    }

    // A filter that matches nothing.
    let none = ListJobs::new().configuration_id("cfg-00000000-0000-4000-8000-000000000000");
    let (found, error) = collect_items(&bench, none);
    assert!(error.is_none() && found.is_empty());
    let request = bench.emulator.requests().pop().expect("a request");
    assert!(request.query_parameter("configuration_id").is_some());

    let scoped = ListJobs::new().project("p-1").organization("o-1");
    let _ = collect_items(&bench, scoped);
    let request = bench.emulator.requests().pop().expect("a request");
    assert_eq!(request.query_parameter("project_id"), Some("p-1"));
    assert_eq!(request.query_parameter("organization_id"), Some("o-1"));
}

/// The caller drops the list while the next page is requested and does not come: the drop returns immediately, and the
/// client continues to work.
pub fn pagination_stopped_during_page_fetch_leaves_client_usable<D: Driver>() {
    let server = ScriptedServer::start(|_, request| {
        if request.head.starts_with("GET /api/v2/classify/clj-1 ") {
            return ResponseScript::Respond(response(200, &[], JOB));
        }
        if request.head.contains("page_token") {
            return ResponseScript::Hang(Vec::new());
        }
        let page = br#"{"items": [{"id": "clj-1", "status": "RUNNING"}], "next_page_token": "a"}"#;
        ResponseScript::Respond(response(200, &[], page))
    });
    let driver = D::new(api(&server.base_url(), "llx-key"), Settings::default());
    let mut items = 0;
    driver.list(ListJobs::new(), |item| {
        assert!(item.is_ok());
        items += 1;
        wait_until(|| server.requests().len() as u64 == 1 + D::PAGES_AHEAD);
        false
    });
    assert_eq!(items, 1);
    driver.call(GetJob::new("clj-1")).expect("the client works");
    assert_eq!(server.requests().len() as u64, 2 + D::PAGES_AHEAD);
}
