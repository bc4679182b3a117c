//! Every wait ends with the job's real outcome or an error.

use std::thread;
use std::time::Duration;

use classify_emulator::{Config, Fault, FaultSchedule, Route, Script};
use classify_proto::v2::{CancelJob, GetJob, JobStatus};

use crate::driver::{Driver, Settings};
use crate::test_bench::{TestBench, api, create, document, rules, wait_until};

/// The job is cancelled while the client waits: the wait ends with this error.
pub fn poll_ends_with_error_when_another_client_cancels_job<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default().script(Script::any().never_ends()));
    let job = bench.jobs(1).remove(0);
    let (url, key, id) = (
        bench.emulator.base_url().to_owned(),
        bench.emulator.key().to_owned(),
        job.id.clone(),
    );
    let emulator = &bench.emulator;
    let error = thread::scope(|scope| {
        scope.spawn(move || {
            wait_until(|| emulator.count(Route::ClassifyGet) >= 2);
            let other = D::new(api(&url, &key), Settings::default());
            other
                .call(CancelJob::new(id))
                .expect("the job is cancelled");
        });
        bench.driver.wait(GetJob::from(&job)).unwrap_err()
    });
    assert!(error.is_cancelled(), "{error}");
    assert_eq!(error.job_id(), Some(&*job.id));
}

/// A failed job is an error with the service's error text, both from a wait and from a run.
pub fn job_failure_is_an_error_of_wait_run_and_classify<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default().script(Script::any().fails("PDF_IS_BROKEN")));
    let job = bench.jobs(1).remove(0);
    for error in [
        bench.driver.wait(GetJob::from(&job)).unwrap_err(),
        bench.driver.run(create()).unwrap_err(),
        bench
            .driver
            .classify(document().into(), rules().into())
            .unwrap_err(),
    ] {
        assert!(error.is_job_failed(), "{error}");
        assert!(error.to_string().contains("PDF_IS_BROKEN"), "{error}");
        let last = error.job().expect("the job comes with the error");
        assert_eq!(last.status, JobStatus::Failed);
    }
}

/// The error of a deadline has everything to continue the wait, and continuing it ends with the result.
pub fn deadline_error_contains_job_to_resume_polling<D: Driver>() {
    let hour = Duration::from_secs(3600);
    let slow = Config::default().script(Script::any().takes(hour));
    let settings = Settings {
        wait_timeout: Duration::from_millis(40),
        ..Settings::default()
    };
    let bench = TestBench::<D>::with_settings(slow.virtual_clock(), settings);
    let error = bench.driver.run(create()).unwrap_err();
    assert!(error.is_deadline(), "{error}");
    let job = error.job().expect("the job as last seen");
    assert!(!job.status.is_terminal());

    bench.emulator.advance(hour);
    let default_client = D::new(
        api(bench.emulator.base_url(), bench.emulator.key()),
        Settings::default(),
    );
    let done = default_client
        .wait(GetJob::from(job))
        .expect("the job ends");
    assert_eq!(done.status, JobStatus::Completed);
    assert_eq!(bench.emulator.job_count(), 1);
}

/// An unknown status counts as pending. If it does not change, the error of the deadline names it.
pub fn poll_continues_on_unknown_status_and_deadline_error_names_it<D: Driver>() {
    let settings = Settings {
        wait_timeout: Duration::from_millis(80),
        ..Settings::default()
    };
    let bench = TestBench::<D>::with_settings(Config::default(), settings);
    let job = bench.jobs(1).remove(0);
    let unknown = |rule: classify_emulator::FaultRule| {
        bench
            .emulator
            .set_faults(FaultSchedule::new().with(rule.on(Route::ClassifyGet)));
    };

    unknown(Fault::UnknownStatus.always());
    let error = bench.driver.wait(GetJob::from(&job)).unwrap_err();
    assert!(error.is_deadline(), "{error}");
    let status = error.job().expect("the job as last seen").status.clone();
    assert!(error.to_string().contains(status.as_str()), "{error}");

    unknown(Fault::UnknownStatus.first(2));
    let default_client = D::new(
        api(bench.emulator.base_url(), bench.emulator.key()),
        Settings::default(),
    );
    let done = default_client
        .wait(GetJob::from(&job))
        .expect("the job ends");
    assert_eq!(done.status, JobStatus::Completed);
}

/// One poll in three fails: the wait continues and ends with the result.
pub fn poll_continues_through_transient_errors<D: Driver>() {
    let hour = Duration::from_secs(3600);
    let slow = Config::default().script(Script::any().takes(hour));
    let bench = TestBench::<D>::new(slow.virtual_clock());
    let emulator = &bench.emulator;
    emulator.set_faults(
        FaultSchedule::new()
            .with(Fault::Unavailable.every(3).on(Route::ClassifyGet))
            .with(Fault::ResetBefore.every(4).on(Route::ClassifyGet)),
    );
    let job = thread::scope(|scope| {
        scope.spawn(|| {
            // The job ends when polls have failed in both ways.
            wait_until(|| emulator.count(Route::ClassifyGet) >= 6);
            emulator.advance(hour);
        });
        bench.driver.run(create()).expect("the job ends")
    });
    assert_eq!(job.status, JobStatus::Completed);
    assert!(emulator.count(Route::ClassifyGet) > 6);
}
