//! Pagers, waiters, runs and concurrent machines with arbitrary replies, delays, crashes and stray replies.

#![no_main]

use std::collections::BTreeSet;
use std::time::Duration;

use classify_fuzz::driver::FuzzDriver;
use classify_fuzz::{check_error, create, rules, seed};
use classify_proto::Error;
use classify_proto::files::UploadFile;
use classify_proto::machine::{
    Concurrent, ConcurrentEvent, Pager, Reconcile, ResultsWaiter, Run, RunEvent, UploadOnce, Waiter,
};
use classify_proto::v1;
use classify_proto::v2::{Job, JobStatus, ListJobs};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [selector, data @ ..] = data else {
        return;
    };
    let mut driver = FuzzDriver::new(data);
    match selector % 8 {
        0 => pager(&mut driver),
        1 => waiter(&mut driver),
        2 => run(&mut driver, Run::new(create("dfl-1"), seed())),
        3 => {
            let upload = UploadFile::new("a.txt", b"canary document".to_vec());
            run(&mut driver, Run::upload(upload, rules(), seed()));
        }
        4 => concurrent(&mut driver),
        5 => {
            let results = ResultsWaiter::new("1", seed()).timeout(Duration::from_secs(600));
            check_result(driver.run(results, |_| {}));
        }
        6 => {
            let create = v1::CreateJob::new(["dfl-1"], rules().rules);
            let since = "2023-11-14T00:00:00Z".parse().expect("a timestamp");
            check_result(driver.run(
                Reconcile::new(create, since, seed()),
                |never| match never {},
            ));
        }
        _ => {
            let upload =
                UploadFile::new("a.txt", b"canary document".to_vec()).external_file_id("mine");
            check_result(driver.run(UploadOnce::new(upload, seed()), |never| match never {}));
        }
    }
});

fn check_result<T>(result: Result<T, Error>) {
    if let Err(error) = &result {
        check_error(error);
    }
}

fn pager(driver: &mut FuzzDriver<'_>) {
    let max_pages = driver.input.int_in_range(1..=6u32).unwrap_or(6);
    let prefetch = driver.input.arbitrary().unwrap_or(false);
    let pager = Pager::new(ListJobs::new(), seed())
        .prefetch(prefetch)
        .max_pages(max_pages);
    let (mut pages, mut tokens) = (0, BTreeSet::new());
    let result = driver.run(pager, |page| {
        pages += 1;
        if let Some(token) = &page.next_page_token {
            // A repeated token ends the list.
            assert!(tokens.len() + 1 == pages, "a page after a repeated token");
            tokens.insert(token.clone());
        }
    });
    assert!(pages <= max_pages as usize);
    match &result {
        Ok(()) => assert!(pages > 0),
        Err(error) => check_error(error),
    }
    let max_requests = (max_pages as usize + 1 + driver.crashes) * 6 + driver.crashes;
    assert!(
        driver.requests_sent <= max_requests,
        "{} requests for {pages} pages",
        driver.requests_sent
    );
}

fn waiter(driver: &mut FuzzDriver<'_>) {
    let timeout = driver.input.int_in_range(0..=600_000).unwrap_or(600_000);
    let waiter = Waiter::new("clj-1", seed()).timeout(Duration::from_millis(timeout));
    let result = driver.run(waiter, |_| {});
    check_job_result(&result);
}

fn run(driver: &mut FuzzDriver<'_>, run: Run) {
    let run = run.timeout(Duration::from_secs(600));
    let mut created = 0;
    let result = driver.run(run, |event| {
        created += usize::from(matches!(event, RunEvent::Created(_)));
    });
    check_job_result(&result);
    // A crash may lose the event of the job, and the job is then read again.
    assert!(created <= 1 + driver.crashes);
}

fn check_job_result(result: &Result<Job, Error>) {
    match result {
        Ok(job) => assert_eq!(job.status, JobStatus::Completed),
        Err(error) => {
            check_error(error);
            // The error of a job has the job.
            if error.is_job_failed() || error.is_cancelled() {
                assert!(error.job_id().is_some(), "{error}");
            }
        }
    }
}

fn concurrent(driver: &mut FuzzDriver<'_>) {
    let count = driver.input.int_in_range(0..=6).unwrap_or(3);
    let max_concurrency = driver.input.int_in_range(0..=4).unwrap_or(2);
    let runs = (0..count).map(|index| {
        Run::new(create(&format!("dfl-{index}")), seed().derive(index))
            .timeout(Duration::from_secs(60))
    });
    let concurrent = Concurrent::new(runs.collect::<Vec<_>>(), max_concurrency);
    let mut finished = BTreeSet::new();
    driver.run(concurrent, |event| {
        if let ConcurrentEvent::Finished(index, result) = event {
            check_job_result(&result);
            assert!(finished.insert(index), "{index} ended twice");
        }
    });
    assert_eq!(finished.len() as u64, count);
}
